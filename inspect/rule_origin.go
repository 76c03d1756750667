package inspect

import (
	"net/url"
	"strings"

	"github.com/why403/why403/flow"
)

var originMismatch = &Rule{
	Name: "origin-mismatch", Cause: OriginMismatch, Title: "Origin or Referer is not the server's own", Item: 5,
	Doc: `Guards compare Origin (or, without it, Referer) with Host, and read Sec-Fetch-Site (Django CSRF_TRUSTED_ORIGINS, Rails forgery_protection_origin_check, SvelteKit, Next.js server actions, Go's http.CrossOriginProtection, nginx valid_referers).
If Origin equals the public host and is refused all the same, a proxy in front lost the scheme or the Host: correct the proxy's headers, not CORS.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(OriginMismatch)) && !c.AnswerSpeaksFor(Any(CSRFMismatch)) {
			return nil
		}
		said := c.AnswerSpeaksFor(Any(OriginMismatch, CSRFMismatch, CORSOriginDenied))
		for _, name := range []string{"Origin", "Referer"} {
			v, ok := c.req().Header.Lookup(name)
			if !ok || v == "" {
				continue
			}
			foreign := !sameOrigin(v, c.Flow, c.header("Host"))
			ok2 := c.okReq().Header.Get(name)
			differs := c.Success != nil && ok2 != "" && origin(ok2) != origin(v)
			f := because("%s is %s, the request goes to %s", name, clip(v, 80), c.Flow.Authority).Quote(Evidence{Where: "request.header:" + name, Quote: v})
			switch {
			case differs:
				f.Summary = name + " is " + clip(v, 80) + "; the accepted request #" + itoa(int(c.Success.ID)) + " had " + clip(ok2, 80)
				return f.With("send the accepted "+name, setHeader(c.req(), name, ok2)).Likely()
			case foreign && c.Success != nil && ok2 == "" && !c.othersDifferHeader(name, "Sec-Fetch-Site", "Cookie", "X-CSRF-Token"):
				return f.With("leave "+name+" out", dropHeader(c.req(), name, 0)).Likely()
			case foreign && said:
				return f.On(ByComputation).With("send the server's own origin", setHeader(c.req(), name, ownOrigin(name, c.Flow))).Likely()
			case foreign && name == "Origin" && c.unsafe() && !c.refusedByWall():
				return f.On(ByHabit).With("send the server's own origin", setHeader(c.req(), name, ownOrigin(name, c.Flow))).Possible()
			case !foreign && said && c.AnswerSpeaksFor(Any(OriginMismatch)):
				return f.Then("%s equals the public host: the application sees another scheme or Host behind the proxy; pass Host and X-Forwarded-Proto on and make the application trust them", name).Possible()
			}
		}
		for _, name := range []string{"Origin", "Referer"} {
			if good := c.okReq().Header.Get(name); good != "" && !c.req().Header.Has(name) && !c.othersDifferHeader(name) {
				return because("the accepted request #%d carried %s: %s, this one does not, and nothing else differs", c.Success.ID, name, clip(good, 80)).Quote(Evidence{Where: "diff", Quote: good}).
					With("send the accepted "+name, setHeader(c.req(), name, good)).Likely()
			}
		}
		if s := c.header("Sec-Fetch-Site"); (s == "cross-site" || s == "same-site") && c.unsafe() {
			f := because("the browser says that the request comes from another site (Sec-Fetch-Site: %s)", s).Quote(Evidence{Where: "request.header:Sec-Fetch-Site", Quote: s})
			if said {
				return f.Likely()
			}
			if ok := c.okReq().Header.Get("Sec-Fetch-Site"); ok != "" && ok != s && !c.othersDifferHeader("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest") {
				f.Summary += "; the accepted request #" + itoa(int(c.Success.ID)) + " had " + clip(ok, 20)
				return f.Likely()
			}
			return f.On(ByHabit).Possible()
		}
		return nil
	},
}

func origin(v string) string {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" {
		return v
	}
	return strings.ToLower(u.Scheme + "://" + flow.Canonical(u.Scheme, u.Host))
}

func sameOrigin(v string, f *flow.Flow, hostField string) bool {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" {
		return false // "null" is nobody's origin
	}
	h := flow.Canonical(u.Scheme, u.Host)
	return h == f.Authority || hostField != "" && strings.EqualFold(h, flow.Canonical(f.Scheme, hostField))
}

func ownOrigin(name string, f *flow.Flow) string {
	o := f.Scheme + "://" + f.Authority
	if name == "Referer" {
		return o + "/"
	}
	return o
}

// preflight reports whether a browser asks whether it may send the real request.
func (c *Case) preflight() bool {
	return c.req().Method == "OPTIONS" && c.header("Origin") != "" && c.req().Header.Has("Access-Control-Request-Method")
}

var cors = &Rule{
	Name: "cors-origin-denied", Cause: CORSOriginDenied, Title: "the preflight was refused", Item: 5,
	Doc: `A browser asks with OPTIONS before it sends a request that a form could not send (Fetch standard, "CORS preflight"). Without Access-Control-Allow-Origin in the answer, or under a status that is none of success ("CORS-preflight fetch", step 7), the real request never comes. A preflight carries no credentials: a server that asks for them refuses every one.`,
	Run: func(c *Case) []Finding {
		if !c.preflight() || c.AnswerSpeaksFor(Not(CORSOriginDenied, OriginMismatch, MissingToken, InvalidToken)) {
			return nil
		}
		allowed := c.resp().Header.Has("Access-Control-Allow-Origin")
		if allowed && c.resp().Status != 401 && !c.AnswerSpeaksFor(Any(MissingToken, InvalidToken)) {
			return nil // the origin is allowed, so the reason is another one
		}
		how := "without Access-Control-Allow-Origin"
		if allowed {
			how = "as if it had to carry credentials; browsers take no status but one of success"
		}
		return because("the CORS preflight for %s from %s was answered %d %s", c.header("Access-Control-Request-Method"), clip(orNone(c.header("Origin")), 80), c.resp().Status, how).
			Quote(Evidence{Where: "request.header:Origin", Quote: c.header("Origin")}).
			Then("Let the server answer OPTIONS without credentials and allow this origin, method and headers").Likely()
	},
}
