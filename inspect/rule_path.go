package inspect

import (
	"net/url"
	"strings"

	"github.com/why403/why403/flow"
)

var trailingSlash = &Rule{
	Name: "trailing-slash", Cause: TrailingSlash, Title: "the accepted path differs by a slash", Item: 2,
	Doc: `Routers tell /orders from /orders/: nginx and Apache take the second for a directory, frameworks redirect (losing the body of a POST) or refuse. The accepted request shows which one the server knows.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(TrailingSlash)) {
			return nil
		}
		p := c.Flow.Path()
		for g := range c.accepted() {
			q := g.Path()
			if g.Authority != c.Flow.Authority || g.Request.Method != c.req().Method || p == q || strings.TrimSuffix(p, "/") != strings.TrimSuffix(q, "/") {
				continue
			}
			f := because("%s was accepted (#%d); this request has %s", clip(q, 80), g.ID, clip(p, 80)).Quote(Evidence{Where: "request.url", Quote: p}).Quote(inHistory(g)).
				With("send "+q, flow.Change{Part: flow.InPath, Before: str(p), After: str(q)})
			if c.sameMethodAccepted() {
				return f.Possible()
			}
			return f.Likely()
		}
		return nil
	},
}

var wrongPath = &Rule{
	Name: "wrong-path", Cause: WrongPath, Title: "the host knows a path that is nearly this one", Item: 2,
	Doc: `Paths are case-sensitive (RFC 3986, 6.2.2.1). Servers that hide what exists answer unknown paths with 403 instead of 404 (S3 without ListBucket, API gateways, Spring Security).
A path of the same host that was accepted and differs by case, a doubled slash, a version or one letter is probably the one that was meant.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(WrongPath, TrailingSlash)) || c.sameMethodAccepted() {
			return nil
		}
		p := c.Flow.Path()
		for g := range c.accepted() {
			q := g.Path()
			if g.Authority != c.Flow.Authority || g.Request.Method != c.req().Method || flow.Template(p) == flow.Template(q) || strings.TrimSuffix(p, "/") == strings.TrimSuffix(q, "/") {
				continue
			}
			why := near(p, q)
			if why == "" {
				continue
			}
			return because("%s was accepted (#%d); %s differs by %s", clip(q, 80), g.ID, clip(p, 80), why).Quote(Evidence{Where: "request.url", Quote: p}).Quote(inHistory(g)).
				With("send "+q, flow.Change{Part: flow.InPath, Before: str(p), After: str(q)}).Likely()
		}
		return nil
	},
}

// near says by what little two paths differ, "" if by more.
func near(p, q string) string {
	switch {
	case strings.EqualFold(p, q):
		return "case"
	case strings.ReplaceAll(p, "//", "/") == strings.ReplaceAll(q, "//", "/"):
		return "a doubled slash"
	}
	if d, err := url.PathUnescape(p); err == nil {
		if e, err := url.PathUnescape(q); err == nil && d == e {
			return "percent-encoding"
		}
	}
	a, b := strings.Split(p, "/"), strings.Split(q, "/")
	if len(a) != len(b) {
		long, rest := p, q
		if len(q) > len(p) {
			long, rest = q, p
		}
		if head, ok := strings.CutSuffix(long, rest); ok && len(rest) > 3 && len(head) > 1 && strings.Count(head, "/") <= 2 {
			return "the prefix " + head
		}
		return ""
	}
	diff := -1
	for i := range a {
		if a[i] != b[i] {
			if diff >= 0 {
				return ""
			}
			diff = i
		}
	}
	if diff < 0 {
		return ""
	}
	x, y := a[diff], b[diff]
	if version(x) && version(y) {
		return "the version"
	}
	if len(x) >= 4 && len(y) >= 4 && oneEdit(x, y) && !strings.ContainsAny(x+y, "0123456789") {
		return "one letter"
	}
	return ""
}

func version(s string) bool {
	return len(s) >= 2 && len(s) <= 4 && s[0] == 'v' && strings.Trim(s[1:], "0123456789.") == ""
}

// oneEdit reports whether one insertion, deletion, replacement or swap of neighbours makes b of a.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// elsewhere finds the same request accepted by another host, while this one accepted nothing yet.
func (c *Case) elsewhere() []Finding {
	if c.Success != nil {
		return nil
	}
	var there *flow.Flow
	for g := range c.accepted() {
		if hostOnly(g.Authority) == hostOnly(c.Flow.Authority) {
			return nil
		}
		if there == nil && g.Path() == c.Flow.Path() && g.Request.Method == c.req().Method {
			there = g
		}
	}
	if there == nil {
		return nil
	}
	return because("%s accepted the same request (#%d); %s refuses it", there.Authority, there.ID, c.Flow.Authority).Quote(Evidence{Where: "request.url", Quote: c.Flow.Authority}).Quote(inHistory(there)).
		With("send it to "+there.Authority, flow.Change{Part: flow.InHost, Before: str(c.Flow.Authority), After: str(there.Authority)}).Possible()
}

var wrongScheme = &Rule{
	Name: "wrong-scheme", Cause: WrongScheme, Title: "accepted over https, refused over http", Item: 2,
	Doc: `Servers that insist on TLS answer plain http with 403 (IIS 403.4, Apache SSLRequireSSL, S3 policies with aws:SecureTransport) instead of redirecting.`,
	Run: func(c *Case) []Finding {
		if c.Flow.Scheme != "http" || c.AnswerSpeaksFor(Not(WrongScheme)) {
			return nil
		}
		for g := range c.accepted() {
			if g.Scheme == "https" && hostOnly(g.Authority) == hostOnly(c.Flow.Authority) && g.Path() == c.Flow.Path() && g.Request.Method == c.req().Method {
				return because("the same request was accepted over https (#%d)", g.ID).Quote(Evidence{Where: "request.url", Quote: c.Flow.URL()}).Quote(inHistory(g)).
					With("use https", flow.Change{Part: flow.InScheme, Before: str("http"), After: str("https")}).Likely()
			}
		}
		return nil
	},
}

func hostOnly(authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return authority[:i]
	}
	return authority
}

var hostMismatch = &Rule{
	Name: "host-mismatch", Cause: HostMismatch, Title: "the Host field is not the host of the URL", Item: 2,
	Doc: `The server chooses the site by Host (RFC 9110, 7.2). A Host that is not the URL's authority reaches another site, or none: frameworks answer it with 403 or 400 (Rails HostAuthorization, Django ALLOWED_HOSTS, webpack and Vite dev servers).
With TLS the connection is opened for a name as well (SNI, RFC 6066, 3): a request for another one on it is misdirected (421, RFC 9110, 15.5.20), which Apache and CDNs refuse where the sites have different settings; HTTP/2 clients share connections among hosts of one certificate (RFC 9113, 9.1.1).`,
	Run: func(c *Case) []Finding {
		h, ok := c.req().Header.Lookup("Host")
		if c.AnswerSpeaksFor(Not(HostMismatch)) {
			return nil
		}
		if fs := c.elsewhere(); fs != nil {
			return fs
		}
		name := "Host"
		if a, odd := c.req().Header.Lookup(":authority"); odd { // of an authority that the connection is not good for
			name, h, ok = ":authority", a, true
		}
		if !ok || strings.EqualFold(flow.Canonical(c.Flow.Scheme, h), c.Flow.Authority) {
			return c.misdirected()
		}
		f := because("the URL goes to %s, the %s field says %s", c.Flow.Authority, name, clip(h, 80)).Quote(Evidence{Where: "request.header:" + name, Quote: h})
		if name == "Host" {
			f = f.With("send the URL's host", setHeader(c.req(), name, c.Flow.Authority))
		}
		if c.Success != nil && !strings.EqualFold(c.okReq().Header.Get(name), h) {
			return f.Likely()
		}
		return f.Possible()
	},
}

// misdirected finds a request on a TLS connection that was opened for another name.
func (c *Case) misdirected() []Finding {
	t, asked := c.Flow.Conn.OriginTLS, hostOnly(c.Flow.Authority)
	if t == nil || t.ServerName == "" || strings.EqualFold(t.ServerName, asked) {
		return nil
	}
	if ok := c.Success; ok != nil && ok.Conn.OriginTLS != nil && ok.Conn.OriginTLS.ServerName == t.ServerName && ok.Authority == c.Flow.Authority {
		return nil
	}
	f := because("the TLS connection was opened for %s (SNI), the request on it is for %s", clip(t.ServerName, 80), clip(asked, 80)).Quote(inTLS(t.ServerName)).Quote(Evidence{Where: "request.url", Quote: asked}).
		Then("Send it on a connection opened for %s: name it in the URL instead of in a Host field (curl --connect-to still chooses the server), and do not share one HTTP/2 connection among hosts", clip(asked, 80))
	if c.resp().Status == 421 {
		return f.On(ByCode).Certain()
	}
	return f.Possible()
}
