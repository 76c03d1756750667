package inspect

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// ownMark is the field on answers that why403 makes itself: they are never a
// refusal of the server.
const ownMark = "X-Why403"

// Refused reports whether the flow's answer is a refusal, as far as the flow
// alone shows: by its status, or by a decision mark under another status. Its
// body must be decoded, as in a Case.
func Refused(f *flow.Flow) bool {
	c := &Case{Flow: f}
	return c.refused()
}

// silent reports for certain that nothing refuses in an answer under a status
// of success, by a look at its bytes: for most answers that is all.
func (c *Case) silent() bool {
	m := c.resp()
	if len(c.Logs) > 0 || m.Status < 200 || m.Status >= 400 || grpcStatus(m) != "" {
		return false
	}
	x := &vendors.Exchange{
		Request: c.req(), Response: m, URL: c.Flow.URL(), Host: c.Flow.Authority, Path: c.Flow.Path(), Body: string(m.Body.Data[:min(len(m.Body.Data), BodyLimit)]),
		RequestBody: string(c.req().Body.Data), Cookie: func(name string) bool { _, ok := cookieNamed(c.req(), name); return ok },
	}
	x.Lower = vendors.Lower(x.Body[:min(len(x.Body), 64<<10)])
	if m.Status == 200 && strings.Contains(x.Body, `"errors"`) { // GraphQL, see softly
		return false
	}
	if vendors.MayDecide(x, false) {
		return false
	}
	_, enveloped := c.envelope()
	return !enveloped
}

// refused is Refused with what the case knows besides: log lines, and what the client did next.
func (c *Case) refused() bool {
	f := c.Flow
	if f.Kind != flow.Exchange || f.Response == nil || f.Response.Header.Has(ownMark) {
		return false
	}
	if flow.RefusedByStatus(f.Response.Status) {
		return !c.challenged()
	}
	if c.silent() {
		return false
	}
	return slices.ContainsFunc(c.hits(), func(h vendors.Hit) bool { return !h.Elsewhere && !h.Reported }) || c.softly()
}

// softStatuses are those under which applications refuse what others answer
// with 403; a plain 404 or 5xx is none of them.
var softCauses = Any(CSRFMissing, CSRFMismatch, OriginMismatch, CORSOriginDenied, HostMismatch, GeoBlocked, IPDenied, ContentPolicy,
	InvalidAPIKey, MissingAPIKey, APIKeyRestricted, ExpiredToken, InsufficientScope, QuotaExhausted, Subscription, RateLimit, DLPBlocked, StepUpRequired, WAFRule, SignatureMismatch, ClockSkew)

// lockedAccount is who is locked, as against a resource that somebody else holds (RFC 4918, 11.3).
var lockedAccount = regexp.MustCompile(`\b(account|user|profile) (\w+ ){0,3}locked\b`)

// softly finds refusals in answers whose status is none.
func (c *Case) softly() bool {
	m := c.resp()
	switch s := grpcStatus(m); s {
	case "7", "16", "8":
		return true
	}
	a := c.said()
	if _, ok := c.oauthError(); ok {
		return true
	}
	if _, ok := c.envelope(); ok {
		return true
	}
	switch m.Status {
	case 425: // early data of TLS (RFC 8470, 5.2)
		return true
	case 428: // the server wants a condition that the request lacks (RFC 6585, 3)
		return true
	case 400, 402, 406, 409, 412, 422, 423, 424, 498:
		for _, f := range lexiconFindings(c, false) {
			if f.Confidence >= flow.Likely && softCauses(f.Cause) || f.Confidence == flow.Certain && credentialCauses(f.Cause) && m.Status != 409 && m.Status != 412 {
				return true
			}
		}
		if m.Status == 423 && slices.ContainsFunc(a.phrases, func(p phrase) bool { return lockedAccount.MatchString(p.words) }) {
			return true
		}
		for _, l := range c.Logs {
			if l.Tied == "near" || !negative(l.Text) || accessLine.MatchString(l.Text) {
				continue // another request's, perhaps
			}
			if f, ok := c.readPhrase(logPhrase(l), true); ok && f.Confidence >= flow.Likely && softCauses(f.Cause) {
				return true
			}
		}
		if _, locked := c.lockNamed(); locked && m.Status == 423 {
			return true
		}
		// A body that does not parse is a fault that can be shown in the request.
		return m.Status == 400 && brokenBody(c.req()) != nil || m.Status == 406 && c.narrowAccept()
	}
	if m.Status == 200 || m.Status == 400 || m.Status == 500 {
		_, ok := graphQLDenial(a)
		return ok
	}
	return false
}

// narrowAccept reports whether the request takes some types alone: a 406 is then about them (RFC 9110, 15.5.7).
func (c *Case) narrowAccept() bool {
	v := c.header("Accept")
	return v != "" && !strings.Contains(v, "*/*")
}

// grpcStatus is the status of a gRPC call ("7" is PERMISSION_DENIED), "" if it
// is none (gRPC over HTTP/2, "Responses").
func grpcStatus(m *flow.Message) string {
	if v := m.Trailers.Get("grpc-status"); v != "" {
		return v
	}
	return m.Header.Get("grpc-status")
}

// graphQLDenial is the code of the first error that is a refusal.
func graphQLDenial(a *answer) (string, bool) {
	if a.json == nil {
		return "", false
	}
	for _, path := range []string{"errors.*.extensions.code", "errors.*.extensions.classification", "errors.*.extensions.exception.name", "errors.*.errorType"} {
		for _, v := range lookJSON(a.json, path) {
			switch strings.ToUpper(v) {
			case "FORBIDDEN", "UNAUTHENTICATED", "UNAUTHORIZED", "PERMISSION_DENIED", "ACCESS_DENIED", "ACCESS-DENIED", "PERMISSION-ERROR", "AUTH_NOT_AUTHORIZED", "AUTH_NOT_AUTHENTICATED":
				return v, true
			}
		}
	}
	return "", false
}

// credentialCauses are said of a missing or unreadable credential: then 400 and 422 stand for 401.
var credentialCauses = Any(MissingToken, MalformedToken)

// challengeWindow is how soon a client answers a challenge by itself.
const challengeWindow = 10 * time.Second

// challenged reports whether the answer is a 401 with a challenge that the same
// client then answered, as Digest, NTLM, registry and git clients do, or the 407
// of a proxy after us that the client then got past.
func (c *Case) challenged() bool {
	f := c.Flow
	switch {
	case f.Response.Status == 407 && f.Response.Header.Has("Proxy-Authenticate"):
		return c.gotPast()
	case f.Response.Status != 401 || !f.Response.Header.Has("WWW-Authenticate"):
		return false
	}
	before := c.header("Authorization")
	for _, g := range c.History.After {
		if g.Request == nil || g.Response == nil || g.Origin == flow.FromReplay || g.Request.Method != f.Request.Method || g.URL() != f.URL() ||
			host(g.Conn.Client) != host(f.Conn.Client) || g.Request.Header.Get("User-Agent") != f.Request.Header.Get("User-Agent") {
			continue
		}
		if !f.Times.Start.IsZero() && g.Times.Start.Sub(f.Times.Start) > challengeWindow {
			return false
		}
		if s := g.Response.Status; s >= 200 && s < 400 && g.Request.Header.Get("Authorization") != before {
			return true
		}
	}
	return false
}

// TunnelRefused reports whether f is a CONNECT that a proxy after us answered
// with 407. What the client does next belongs to other endpoints of the host.
func TunnelRefused(f *flow.Flow) bool {
	return f.Kind == flow.Exchange && f.Status() == 407 && f.Request != nil && f.Request.Method == "CONNECT"
}

// gotPast reports whether the client was let through by the proxy soon after its
// 407: what the server then says is another matter. Logins such as NTLM's are
// those of a connection, and a tunnel lies inside the one on which it was asked for.
func (c *Case) gotPast() bool {
	f := c.Flow
	for _, g := range c.History.After {
		if g.Request == nil || g.Response == nil || g.Response.Status == 407 || g.Response.Header.Has(ownMark) || g.Origin != f.Origin || g.Conn.Upstream != f.Conn.Upstream ||
			!f.Times.Start.IsZero() && g.Times.Start.Sub(f.Times.Start) > challengeWindow {
			continue
		}
		if TunnelRefused(f) && g.Conn.Client == f.Conn.Client && g.Conn.Tunnel != "" ||
			!TunnelRefused(f) && host(g.Conn.Client) == host(f.Conn.Client) && g.Request.Method == f.Request.Method && g.URL() == f.URL() {
			return true
		}
	}
	return false
}

func host(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		return addr[:i]
	}
	return addr
}

// exchange is the case as the vendor files look at it.
func (c *Case) exchange() *vendors.Exchange {
	a := c.said()
	x := &vendors.Exchange{
		Request: c.req(), Response: c.resp(), URL: c.Flow.URL(), Host: c.Flow.Authority, Path: c.Flow.Path(),
		Body: a.body, Lower: a.lower, RequestBody: string(c.req().Body.Data), Title: a.title,
		JSON: func(path string) []string {
			if a.json == nil {
				return nil
			}
			return lookJSON(a.json, path)
		},
		Cookie: func(name string) bool { _, ok := cookieNamed(c.req(), name); return ok },
	}
	for _, l := range c.Logs {
		x.Logs = append(x.Logs, vendors.LogLine{Label: l.Label, N: l.N, Text: l.Text, Near: l.Tied == "near"})
	}
	return x
}

// hits are the products' decisions in this answer.
func (c *Case) hits() []vendors.Hit {
	if !c.facts.hitsDone {
		c.readHits()
	}
	return c.facts.hits
}

func (c *Case) readHits() {
	c.facts.hitsDone = true
	if c.Flow.Response == nil {
		return
	}
	for _, h := range vendors.Decisions(c.exchange(), flow.RefusedByStatus(c.resp().Status)) {
		if !c.alsoWhenAccepted(h.Quotes) && !c.unstatedHit(h) {
			c.facts.hits = append(c.facts.hits, h)
		}
	}
}

// alsoWhenAccepted reports whether all that a hit rests on are fields of the
// answer that accepted answers of the same host have as well: then they show
// that the product is there, not that it refused.
func (c *Case) alsoWhenAccepted(quotes []vendors.Quote) bool {
	if len(quotes) == 0 {
		return false
	}
	for _, q := range quotes {
		if !strings.HasPrefix(q.Where, "response.header:") {
			return false
		}
	}
	n := 0
	for f := range c.accepted() {
		if f.Authority != c.Flow.Authority || f.Response == nil {
			continue
		}
		if n++; n > 20 {
			break
		}
		all := true
		for _, q := range quotes {
			name := strings.TrimPrefix(q.Where, "response.header:")
			if !strings.Contains(f.Response.Header.Get(name), q.Quote) {
				all = false
			}
		}
		if all {
			return true
		}
	}
	return false
}

// Now is the moment that a flow's verdict goes by: the Date of its answer, else
// the time it was received.
func Now(f *flow.Flow) time.Time {
	if f.Response != nil {
		if t, ok := httpDate(f.Response.Header.Get("Date")); ok {
			return t
		}
	}
	for _, t := range []time.Time{f.Times.FirstByte, f.Times.Start} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
