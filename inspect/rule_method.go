package inspect

import (
	"strings"

	"github.com/why403/why403/flow"
)

var methodRule = &Rule{
	Name: "method", Cause: WrongMethod, Title: "another method is accepted here", Item: 1,
	Doc: `The same path is accepted with another method. Where a web server, balancer, CDN or gateway answered, it is configured to let only some methods pass (nginx limit_except,
Apache <Limit>, HAProxy and Envoy rules, CloudFront's allowed methods): method-not-allowed-by-policy. Where the application answered, the route does not know this one.
A client that follows a 301 or 302 turns POST into GET (RFC 9110, 15.4.2): the redirect is then the cause.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(WrongMethod, MethodPolicy)) {
			return nil
		}
		if f, ok := c.turnedIntoGet(); ok {
			return f.Likely()
		}
		for g := range c.accepted() {
			if g.Authority != c.Flow.Authority || g.Path() != c.Flow.Path() || g.Request.Method == c.req().Method {
				continue
			}
			if c.sameMethodAccepted() {
				return nil
			}
			if c.unsafe() && !unsafeMethod(g.Request.Method) {
				f := because("%s %s was accepted (#%d) and %s is refused", g.Request.Method, clip(g.Path(), 80), g.ID, c.req().Method).
					Of(MethodPolicy).Quote(inHistory(g)).Titled("only " + g.Request.Method + " is let through")
				who := c.whoAnswered()
				switch who.layer {
				case layerWebServer, layerLoadBalancer, layerCDN, layerAPIGateway, layerNetworkProxy:
					if !c.missesCredential() {
						return f.Likely()
					}
				}
				return f.Possible()
			}
			if !c.unsafe() && unsafeMethod(g.Request.Method) && (len(c.req().Body.Data) > 0 || c.noOtherCredential(g)) {
				return because("%s is accepted on this path (#%d), %s is refused", g.Request.Method, g.ID, c.req().Method).Quote(inHistory(g)).
					With("send "+g.Request.Method, methodChange(c.req().Method, g.Request.Method)).Likely()
			}
			if c.unsafe() {
				f := because("%s is accepted on this path (#%d), %s is refused", g.Request.Method, g.ID, c.req().Method).Quote(inHistory(g)).
					With("send "+g.Request.Method, methodChange(c.req().Method, g.Request.Method))
				return f.Likely()
			}
		}
		return nil
	},
}

func methodChange(from, to string) flow.Change {
	return flow.Change{Part: flow.InMethod, Before: str(from), After: str(to)}
}

// sameMethodAccepted reports whether this very method was accepted on this path before.
func (c *Case) sameMethodAccepted() bool {
	for g := range c.accepted() {
		if g.Authority == c.Flow.Authority && g.Path() == c.Flow.Path() && g.Request.Method == c.req().Method {
			return true
		}
	}
	return false
}

// turnedIntoGet finds the redirect that made a GET of this request.
func (c *Case) turnedIntoGet() (Finding, bool) {
	if c.req().Method != "GET" {
		return Finding{}, false
	}
	for i := len(c.History.Before) - 1; i >= 0 && i >= len(c.History.Before)-5; i-- {
		g := c.History.Before[i]
		if g.Response == nil || g.Request == nil || !unsafeMethod(g.Request.Method) || g.Status() != 301 && g.Status() != 302 {
			continue
		}
		if redirectsTo(g, c.Flow) {
			return because("%s %s was redirected with %d, which made a GET of it", g.Request.Method, clip(g.URL(), 100), g.Status()).Quote(inHistory(g)).
				Then("Send the %s to %s directly, or have the server redirect with 307 or 308", g.Request.Method, clip(c.Flow.URL(), 100)).
				With("send "+g.Request.Method, methodChange("GET", g.Request.Method)), true
		}
	}
	return Finding{}, false
}

// redirectsTo reports whether a's answer leads to b.
func redirectsTo(a, b *flow.Flow) bool {
	loc := a.Response.Header.Get("Location")
	if loc == "" {
		return false
	}
	if strings.HasPrefix(loc, "/") {
		loc = a.Scheme + "://" + a.Authority + loc
	}
	return loc == b.URL() || strings.TrimSuffix(loc, "/") == strings.TrimSuffix(b.URL(), "/")
}

// inHistory quotes an earlier flow as the history tells it.
func inHistory(f *flow.Flow) Evidence {
	return Evidence{Where: "history", Quote: HistoryLine(f)}
}

// HistoryLine is a flow as evidence of the kind "history" quotes it.
func HistoryLine(f *flow.Flow) string {
	m := "?"
	if f.Request != nil {
		m = f.Request.Method
	}
	return m + " " + f.URL() + " " + itoa(f.Status())
}

// noOtherCredential reports whether the request has the credentials of g.
func (c *Case) noOtherCredential(g *flow.Flow) bool {
	a, b := c.credentials(c.Flow), c.credentials(g)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].value != b[i].value {
			return false
		}
	}
	return true
}
