package diff

import (
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// LastSuccess chooses, among others, the flow to compare a refused one with: the
// same endpoint, accepted, no redirect to a login page or another scheme or host.
// Same client and same credential's subject come first, then the nearest in time. refused
// tells what a verdict says of a flow; nil goes by the status alone. The result
// is nil when there is none.
func LastSuccess(of *flow.Flow, others []*flow.Flow, refused func(*flow.Flow) bool) *flow.Flow {
	if of == nil || of.Request == nil {
		return nil
	}
	endpoint, subject, client := flow.Endpoint(of), decode.Subject(of.Request.Header), clientOf(of)
	var best *flow.Flow
	bestRank, bestGap := -1, time.Duration(0)
	for _, f := range others {
		if f == nil || f == of || f.Request == nil || f.ID == of.ID && f.ID != 0 || !Accepted(f) || refused != nil && refused(f) || flow.Endpoint(f) != endpoint {
			continue
		}
		rank := 0
		if clientOf(f) == client {
			rank += 2
		}
		if decode.Subject(f.Request.Header) == subject {
			rank++
		}
		gap := f.Times.Start.Sub(of.Times.Start).Abs()
		if rank > bestRank || rank == bestRank && gap <= bestGap {
			best, bestRank, bestGap = f, rank, gap
		}
	}
	return best
}

// Accepted reports whether a flow came to a good end, judged without a verdict:
// a complete 101, 2xx or 3xx answer that does not send the client to log in.
func Accepted(f *flow.Flow) bool {
	if f.Kind != flow.Exchange || f.Response == nil || f.Err != nil {
		return false
	}
	s := f.Response.Status
	return s == 101 || s >= 200 && s < 300 || s >= 300 && s < 400 && !turnsAway(f)
}

// turnsAway reports whether a redirect leads to a login page or to another scheme or host.
func turnsAway(f *flow.Flow) bool {
	location, ok := f.Response.Header.Lookup("Location")
	if !ok {
		return false
	}
	u, err := url.Parse(location)
	if err != nil {
		return true
	}
	if u.Scheme != "" && u.Scheme != f.Scheme {
		return true
	}
	if u.Host != "" && flow.Canonical(f.Scheme, u.Host) != flow.Canonical(f.Scheme, f.Authority) {
		return true
	}
	path := strings.ToLower(u.Path)
	for _, word := range []string{"login", "log-in", "signin", "sign-in", "sign_in", "/sso", "oauth2/start", "oauth2/authorize", "/auth/", "saml", "wp-login", "challenge", "unauthorized", "forbidden", "access-denied", "accessdenied"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	return strings.HasSuffix(path, "/auth")
}

// clientOf tells clients apart as far as one can: by address and User-Agent.
func clientOf(f *flow.Flow) string {
	host, _, err := net.SplitHostPort(f.Conn.Client)
	if err != nil {
		host = f.Conn.Client
	}
	return host + " " + f.Request.Header.Get("User-Agent")
}
