package inspect

import (
	"strings"

	"github.com/why403/why403/flow"
)

var headerStripped = &Rule{
	Name: "header-stripped", Cause: HeaderStripped, Title: "the credential got lost on the way", Item: 11,
	Doc: `A client that follows a redirect to another host leaves Authorization out (Fetch standard, "HTTP-redirect fetch"; curl, Go, Python requests likewise). A proxy in between (Via) may remove fields.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(HeaderStripped, MissingToken, MissingAPIKey)) || c.auth(c.Flow) != nil {
			return nil
		}
		for i := len(c.History.Before) - 1; i >= 0 && i >= len(c.History.Before)-10; i-- {
			g := c.History.Before[i]
			if a := c.auth(g); a != nil && g.Response != nil && g.Status() >= 301 && g.Status() <= 308 && redirectsTo(g, c.Flow) && g.Authority != c.Flow.Authority {
				return because("#%d was redirected to another host and the client left Authorization out", g.ID).On(ByComputation).Quote(inHistory(g)).
					With("send the Authorization of the first request", setHeader(c.req(), a.field, a.value)).
					Then("Call %s directly", c.Flow.Authority).Certain()
			}
		}
		if via, ok := c.req().Header.Lookup("Via"); ok && c.Success != nil && c.auth(c.Success) != nil && !c.okReq().Header.Has("Via") {
			return c.withCredentialOf(because("the request went through %s and arrives without the Authorization that the accepted one (#%d) had", clip(via, 60), c.Success.ID).Quote(Evidence{Where: "request.header:Via", Quote: via})).Likely()
		}
		return nil
	},
}

var missingHeader = &Rule{
	Name: "missing-header", Cause: MissingHeader, Title: "a header of the accepted request is missing", Item: 4,
	Doc: `APIs want headers of their own (anthropic-version, X-Tenant-Id, notion-version, Atlassian's X-Atlassian-Token). The accepted request shows which one.`,
	Run: func(c *Case) []Finding {
		if c.Success == nil || c.AnswerSpeaksFor(Not(MissingHeader)) || c.Success.Path() != c.Flow.Path() {
			return nil
		}
		for _, h := range c.okReq().Header {
			low := strings.ToLower(h.Name)
			if c.req().Header.Has(h.Name) || idle(h.Name) || csrfName(h.Name) || h.Value == "" || carriesCredential(low) || common(low) {
				continue
			}
			f := because("the accepted request #%d had %s: %s, this one does not", c.Success.ID, h.Name, clip(h.Value, 40)).Quote(Evidence{Where: "diff", Quote: h.Value}).
				With("send "+h.Name, setHeader(c.req(), h.Name, h.Value))
			if c.othersDifferHeader(h.Name) {
				return f.Possible()
			}
			return f.Likely()
		}
		return nil
	},
}

func carriesCredential(low string) bool {
	return keyHeader(low) || low == "authorization" || low == "cookie" || low == "proxy-authorization"
}

// common fields are judged by rules of their own, or by none.
func common(low string) bool {
	return strings.HasPrefix(low, "sec-") || strings.HasPrefix(low, "accept") || strings.HasPrefix(low, "if-") ||
		equalFold(low, "user-agent", "origin", "referer", "content-type", "content-encoding", "transfer-encoding", "expect", "te", "dnt", "priority", "upgrade-insecure-requests", "x-requested-with", "via", "forwarded", "proxy-connection") && low != "x-requested-with" || strings.HasPrefix(low, "x-forwarded-")
}

var duplicateHeader = &Rule{
	Name: "duplicate-header", Cause: DuplicateHeader, Title: "a header that may come once came twice", Item: 4,
	Doc: `Authorization, Content-Type, Host and Origin may occur once (RFC 9110, 5.3). Two of them are refused, or the server takes the one that was not meant. A field of the application's own that came twice
arrives there as "a, a"; it counts where the accepted request had it once and nothing else differs.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(DuplicateHeader, MalformedToken, InvalidToken)) {
			return nil
		}
		for _, n := range []string{"Authorization", "Host", "Content-Type", "Content-Length", "X-Api-Key", "Origin", "X-CSRF-Token", "X-CSRFToken"} {
			if c.req().Header.Count(n) < 2 || c.okReq().Header.Count(n) > 1 {
				continue
			}
			f := because("%s was sent %d times", n, c.req().Header.Count(n)).On(ByComputation).Quote(Evidence{Where: "request.header:" + n, Quote: c.req().Header.Get(n)}).
				With("send it once", dropHeader(c.req(), n, c.req().Header.Count(n)-1))
			return f.Likely()
		}
		if c.Success == nil || c.AnswerSpeaksFor(Not(DuplicateHeader)) {
			return nil
		}
		for _, h := range c.req().Header {
			if n := c.req().Header.Count(h.Name); n > 1 && c.okReq().Header.Count(h.Name) == 1 && !idle(h.Name) && !common(strings.ToLower(h.Name)) && !equalFold(h.Name, "Cookie") && !c.othersDifferHeader(h.Name) {
				return because("%s was sent %d times; the accepted request #%d had it once, and nothing else differs", h.Name, n, c.Success.ID).Quote(Evidence{Where: "request.header:" + h.Name, Quote: h.Value}).
					With("send it once", dropHeader(c.req(), h.Name, n-1)).Likely()
			}
		}
		return nil
	},
}

var unsupportedHeader = &Rule{
	Name: "unsupported-header", Cause: UnsupportedHeader, Title: "the only thing that differs is a header more", Item: 4,
	Doc: `Some servers and proxies do not know "Expect: 100-continue" (RFC 9110, 10.1.1), which curl sends with larger bodies, or refuse a method override, an Accept they cannot serve, a compressed body.`,
	Run: func(c *Case) []Finding {
		if c.Success == nil || c.AnswerSpeaksFor(Not(UnsupportedHeader)) || c.Success.Path() != c.Flow.Path() {
			return nil
		}
		for _, n := range []string{"Expect", "X-HTTP-Method-Override", "Content-Encoding", "Accept", "Upgrade", "Range"} {
			v, ok := c.req().Header.Lookup(n)
			if !ok || c.okReq().Header.Get(n) == v || n == "Accept" && (v == "*/*" || !c.okReq().Header.Has("Accept")) || c.othersDifferHeader(n) {
				continue
			}
			f := because("the request carries %s: %s, which the accepted one (#%d) had not", n, clip(v, 40), c.Success.ID).Quote(Evidence{Where: "request.header:" + n, Quote: v})
			if ok := c.okReq().Header.Get(n); ok != "" {
				f = f.With("send the accepted "+n, setHeader(c.req(), n, ok))
			} else {
				f = f.With("leave it out", dropHeader(c.req(), n, 0))
			}
			if n == "Accept" || n == "Content-Encoding" {
				return f.Likely()
			}
			return f.Possible()
		}
		for _, h := range c.req().Header {
			low := strings.ToLower(h.Name)
			if c.okReq().Header.Has(h.Name) || idle(h.Name) || csrfName(h.Name) || carriesCredential(low) || common(low) && low != "x-forwarded-host" || c.othersDifferHeader(h.Name) {
				continue
			}
			return because("the only thing that differs from the accepted request #%d is %s: %s", c.Success.ID, h.Name, clip(h.Value, 40)).Quote(Evidence{Where: "request.header:" + h.Name, Quote: h.Value}).
				With("leave it out", dropHeader(c.req(), h.Name, 0)).Possible()
		}
		return nil
	},
}

var userAgent = &Rule{
	Name: "user-agent-refused", Cause: UserAgentRefused, Title: "the User-Agent differs from the accepted one", Item: 10,
	Doc: `Servers ban agents by name (scripts, scanners, empty ones): nginx "if ($http_user_agent", Apache SetEnvIf, CRS 913100, CDN bot rules. The answer hardly ever says so; the same request with another agent shows it.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(UserAgentRefused, ClientFingerprint)) {
			return nil
		}
		mine, theirs := c.header("User-Agent"), c.okReq().Header.Get("User-Agent")
		if c.Success == nil || mine == theirs || agentName(mine) == agentName(theirs) {
			return nil
		}
		f := because("User-Agent is %s; the accepted request #%d had %s", orNone(clip(mine, 60)), c.Success.ID, orNone(clip(theirs, 60))).Quote(Evidence{Where: "request.header:User-Agent", Quote: mine}).Quote(Evidence{Where: "diff", Quote: theirs}).
			With("send the accepted User-Agent", setHeader(c.req(), "User-Agent", theirs))
		if theirs == "" {
			f.Fix = nil
			if c.req().Header.Has("User-Agent") {
				f = f.With("leave User-Agent out", dropHeader(c.req(), "User-Agent", 0))
			}
		}
		if c.otherKey() {
			return f.On(ByHabit).Possible() // who asks is looked at before what asks
		}
		if c.othersDifferHeader("User-Agent") || browser(mine) {
			return f.Possible()
		}
		return f.Likely()
	},
}

func agentName(ua string) string {
	n, _, _ := strings.Cut(ua, "/")
	if n == "Mozilla" {
		return "Mozilla"
	}
	return n
}

func browser(ua string) bool { return strings.HasPrefix(ua, "Mozilla/") }

var staleCookie = &Rule{
	Name: "stale-cookie", Cause: StaleCookie, Title: "an old value of a cookie was sent", Item: 7,
	Doc: `A server that renews a session (on login, on rotation) sets the cookie anew; a client that still sends the old value is refused. The newest Set-Cookie of the host shows it.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(StaleCookie, CSRFMismatch, InvalidToken, ExpiredToken, MissingToken)) {
			return nil
		}
		for _, ck := range cookies(c.req()) {
			if !sessionCookie(ck.name) {
				continue
			}
			newest, by := c.cookieSet(ck.name)
			if by == nil || newest == ck.value || newest == "" || !c.cookieSeen(ck, by) {
				continue
			}
			return because("the cookie %s was renewed by #%d; the request still sends the old value", ck.name, by.ID).On(ByComputation).Quote(Evidence{Where: "request.header:Cookie", Quote: ck.name + "=" + ck.value}).Quote(inHistory(by)).
				With("send the newest value", flow.Change{Part: flow.InCookie, Name: ck.name, Before: str(ck.value), After: str(newest)}).Likely()
		}
		return nil
	},
}

// cookieSet is the newest value that an answer of this host gave a cookie.
func (c *Case) cookieSet(name string) (string, *flow.Flow) {
	for i := len(c.History.Before) - 1; i >= 0; i-- {
		f := c.History.Before[i]
		if f.Authority != c.Flow.Authority {
			continue
		}
		for _, ck := range setCookies(f.Response) {
			if ck.name == name {
				return ck.value, f
			}
		}
	}
	return "", nil
}

// cookieSeen reports whether the request's value was in use, by this client, before the renewal.
func (c *Case) cookieSeen(ck cookie, renewal *flow.Flow) bool {
	for _, f := range c.History.Before {
		if f == renewal {
			v, ok := cookieNamed(f.Request, ck.name)
			return ok && v == ck.value
		}
		if v, ok := cookieNamed(f.Request, ck.name); ok && v == ck.value {
			return true
		}
	}
	return false
}
