package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// verify is where to look for a check on the server's side, filled in with this
// flow's time (UTC), path, client and ids.
func (c *Case) verify(item int) string {
	at := "the time of the request"
	if !c.Now.IsZero() {
		at = c.Now.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	path := c.Flow.Path()
	client := host(c.Flow.Conn.Local)
	if client == "" {
		client = "the client's address"
	}
	asked := c.asked()
	id := c.requestID()
	url, grep := shell(c.Flow.URL()), "grep -F "+shell(path)
	if id != "" {
		grep = "grep -F " + shell(id)
	} else if path == "" {
		grep = "grep -F PATH"
	}
	if c.Flow.URL() == "" {
		url = "URL"
	}
	who := c.whoAnswered()
	vendorLog := ""
	if who.vendor != nil && who.vendor.Log != "" {
		vendorLog = who.vendor.Log + ": "
	}
	switch item {
	case 1:
		return fmt.Sprintf("curl -i -X OPTIONS %s and read Allow; the API's documentation for %s", url, asked)
	case 2:
		return fmt.Sprintf("the router of the service for %s, and its documentation", cmp.Or(path, asked))
	case 3:
		return "which media types the endpoint consumes, in its documentation or configuration"
	case 4:
		return "the identity provider or key console: is this credential active, and what may it do?"
	case 5:
		return "the framework's CSRF settings: trusted origins, cookie and header names"
	case 6:
		return "the API's schema for this endpoint (explain --openapi FILE checks it)"
	case 7:
		return "the same request from a private window, without stored cookies"
	case 8:
		return fmt.Sprintf("%s%s /var/log/nginx/error.log /var/log/apache2/error.log, at %s", vendorLog, grep, at)
	case 9:
		return fmt.Sprintf("%sthe WAF's log at %s for %s%s", vendorLog, at, asked, withID(id))
	case 10:
		return fmt.Sprintf("security groups, allow lists and country rules for %s", client)
	case 11:
		return fmt.Sprintf("the load balancer's rules and access log at %s for %s", at, cmp.Or(path, asked))
	case 12:
		return fmt.Sprintf("the gateway's policies for %s, and its log at %s%s", asked, at, withID(id))
	case 13:
		return "the gateway's or application's limits for this client"
	case 14:
		return "the provider's console: which models may this key use?"
	case 15:
		return "the provider's billing and usage page"
	case 16:
		return "the provider's content policy, and the category that the answer names"
	case 17:
		return fmt.Sprintf("%s in the application's log, at %s", grep, at)
	case 18:
		return fmt.Sprintf("the guard of the route of %s: which role, permission or owner does it want?", asked)
	case 19:
		return "the database's log at " + at + `; \dp TABLE, SHOW GRANTS FOR USER`
	case 20:
		return "namei -l FILE as the server's user; ls -lZ FILE; ausearch -m avc -ts recent"
	case 21:
		since := ""
		if c.Success != nil && !c.Success.Times.Start.IsZero() {
			since = " since " + c.Success.Times.Start.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		return "what was deployed or configured" + since
	}
	return ""
}

// asked is the method and path of the request, as far as there is one: of an answer alone it is not known.
func (c *Case) asked() string {
	s := strings.TrimSpace(c.req().Method + " " + clip(c.Flow.Path(), 80))
	return cmp.Or(s, "an unknown request")
}

func withID(id string) string {
	if id == "" {
		return ""
	}
	return ", id " + id
}

// idFields are the fields whose value names one exchange to whoever runs the server.
var idFields = []string{"X-Request-Id", "X-Correlation-Id", "Request-Id", "X-Amzn-RequestId", "X-Amz-Request-Id", "X-Amz-Cf-Id", "X-Amzn-Trace-Id", "X-Trace-Id",
	"X-B3-TraceId", "CF-Ray", "X-Ms-Request-Id", "X-Azure-Ref", "X-Kong-Request-Id", "X-GitHub-Request-Id", "X-Vercel-Id", "X-Varnish", "Audit-Id", "traceparent"}

const maxSupportIDs = 8

// supportIDs are the ids of the exchange as "Name: value": the one that the vendor's page shows, those of the answer, those of the request.
func (c *Case) supportIDs() []string {
	var out []string
	add := func(name, value string) {
		if value = clip(value, 120); value != "" && len(out) < maxSupportIDs && !slices.ContainsFunc(out, func(s string) bool { return strings.HasSuffix(s, ": "+value) }) {
			out = append(out, name+": "+value)
		}
	}
	if who := c.whoAnswered(); who.vendor != nil {
		add("id in the answer", who.vendor.SupportID(c.exchange()))
	}
	for _, name := range idFields {
		add(name, c.resp().Header.Get(name))
	}
	for _, name := range idFields {
		add(name, c.header(name))
	}
	return out
}

// requestID is an id of this exchange that logs are likely to hold.
func (c *Case) requestID() string {
	if who := c.whoAnswered(); who.vendor != nil {
		if id := who.vendor.SupportID(c.exchange()); id != "" {
			return clip(id, 120)
		}
	}
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "Request-Id", "X-Amzn-RequestId", "X-Trace-Id", "X-B3-TraceId", "CF-Ray", "X-Ms-Request-Id"} {
		for _, h := range []string{c.resp().Header.Get(name), c.header(name)} {
			if h != "" {
				return clip(h, 120)
			}
		}
	}
	return ""
}

// whereToLook is the next step of an unknown verdict.
func (c *Case) whereToLook(who answerer) string {
	var b strings.Builder
	switch {
	case who.vendor != nil && who.vendor.Log != "":
		fmt.Fprintf(&b, "Look into %s", who.vendor.Log)
	case who.vendor != nil:
		fmt.Fprintf(&b, "Look into the log of %s", who.vendor.Name)
	default:
		b.WriteString("Look into the server's log")
	}
	if !c.Now.IsZero() {
		fmt.Fprintf(&b, " at %s", c.Now.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	fmt.Fprintf(&b, " for %s", c.asked())
	if id := c.requestID(); id != "" {
		fmt.Fprintf(&b, ", id %s", id)
	}
	if c.Success != nil {
		fmt.Fprintf(&b, "; or pinpoint against the accepted request #%d", c.Success.ID)
	}
	return b.String()
}

// shell quotes s for a POSIX shell.
func shell(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
