package inspect

import (
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

var rateLimit = &Rule{
	Name: "rate-limit", Cause: RateLimit, Title: "many requests in a short time were accepted, then this one refused", Item: 13,
	Doc: `Limits show in RateLimit-Remaining, X-RateLimit-Remaining (0), Retry-After, and in the history: the same request accepted again and again, then refused. 403 instead of 429 is common (GitHub's secondary limits, Azure APIM quotas, nginx limit_req_status).`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(RateLimit, QuotaExhausted)) {
			return nil
		}
		if v, name := c.remaining(); name != "" && (v == "0" || strings.HasPrefix(v, "-")) {
			f := because("%s is %s", name, v).On(ByComputation).Quote(Evidence{Where: "response.header:" + name, Quote: v})
			if ra := c.resp().Header.Get("Retry-After"); ra != "" {
				f = f.Quote(Evidence{Where: "response.header:Retry-After", Quote: ra}).Then("Wait as Retry-After says (%s)", clip(ra, 40))
			}
			return f.Likely()
		}
		f, ok := c.burst()
		if !ok {
			for _, h := range c.resp().Header {
				if low := strings.ToLower(h.Name); strings.Contains(low, "ratelimit") && !strings.Contains(low, "remaining") && !c.fieldWhenAccepted(h.Name) && c.Success != nil {
					return because("the refusal carries %s: %s, which the accepted answers do not", h.Name, clip(h.Value, 60)).Quote(Evidence{Where: "response.header:" + h.Name, Quote: h.Value}).Likely()
				}
			}
			if ra, has := c.resp().Header.Lookup("Retry-After"); has && c.resp().Status == 403 && c.whoAnswered().layer != layerCDN {
				return because("the answer asks to retry after %s", clip(ra, 40)).Quote(Evidence{Where: "response.header:Retry-After", Quote: ra}).Possible()
			}
			return nil
		}
		return f.Likely()
	},
}

// fieldWhenAccepted reports whether accepted answers of this host have the field too.
func (c *Case) fieldWhenAccepted(name string) bool {
	n := 0
	for g := range c.accepted() {
		if n++; n > 20 {
			return false
		}
		if g.Authority == c.Flow.Authority && g.Response != nil && g.Response.Header.Has(name) {
			return true
		}
	}
	return false
}

const (
	burstWindow = time.Minute
	burstLeast  = 10 // accepted requests of one endpoint in the window that make a burst
)

// burst finds a run of accepted requests of this endpoint right before the
// refusal, with the same credential. Fewer are enough where the answers count down.
func (c *Case) burst() (Finding, bool) {
	n, countdown := 0, ""
	var first *flow.Flow
	mine := c.credentials(c.Flow)
	for i := len(c.History.Before) - 1; i >= 0; i-- {
		g := c.History.Before[i]
		if g.Authority != c.Flow.Authority || g.Path() != c.Flow.Path() || g.Request == nil || g.Request.Method != c.req().Method {
			continue
		}
		if c.Flow.Times.Start.Sub(g.Times.Start) > burstWindow || g.Times.Start.IsZero() {
			break
		}
		if !c.wasAccepted(g) {
			if g.Status() == c.Flow.Status() {
				continue // refused in the same burst
			}
			break
		}
		theirs := c.credentials(g)
		if len(mine) != len(theirs) || len(mine) > 0 && mine[0].value != theirs[0].value {
			break
		}
		if countdown == "" {
			for _, f := range g.Response.Header {
				if low := strings.ToLower(f.Name); strings.Contains(low, "ratelimit") && strings.Contains(low, "remaining") {
					countdown = strings.TrimSpace(f.Value)
				}
			}
		}
		n++
		first = g
	}
	if n >= burstLeast || n > 0 && countdown == "0" {
		return because("%d such requests were accepted in the %s before, then this one was refused", n, span(c.Flow.Times.Start.Sub(first.Times.Start))).On(ByComputation).Quote(inHistory(first)).
			Then("Wait a minute and send again; if that is accepted, send more slowly"), true
	}
	return Finding{}, false
}

var environmentChange = &Rule{
	Name: "environment-change", Cause: EnvironmentChange, Title: "the same request, another server", Item: 21,
	Doc: `The request is the one that was accepted and the answer's marks of software or release differ: something was deployed or configured in between.`,
	Run: func(c *Case) []Finding {
		if c.Success == nil || c.AnswerSpeaksFor(Not(EnvironmentChange)) {
			return nil
		}
		d := c.serverChanged()
		if d == "" || c.othersDiffer() || string(c.req().Body.Data) != string(c.okReq().Body.Data) {
			return nil
		}
		if productOf(c.resp().Header.Get("Server")) != productOf(c.Success.Response.Header.Get("Server")) {
			// Another product answered: a front, not a release.
			return because("the same request, and another server answers: %s", d).Possible()
		}
		f := because("the request is that of #%d; %s", c.Success.ID, d)
		for _, n := range versionHeaders {
			if v := c.resp().Header.Get(n); v != "" && v != c.Success.Response.Header.Get(n) {
				f = f.Quote(Evidence{Where: "response.header:" + n, Quote: v})
			}
		}
		if j, _ := c.token(c.Flow); j != nil {
			if exp, ok := j.time("exp"); ok && c.Now.After(exp) {
				return f.Possible()
			}
		}
		return f.Likely()
	},
}

func productOf(server string) string {
	n, _, _ := strings.Cut(server, "/")
	return strings.ToLower(strings.TrimSpace(n))
}

var ownership = &Rule{
	Name: "ownership", Cause: Ownership, Title: "the object in the path is not the token's subject", Item: 18,
	Doc: `Paths name whose object it is (/users/alice/orders). Where the token's subject is somebody else and the same call was accepted for the subject's own, the owner check is the likeliest reason.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(Ownership, MissingRole)) {
			return nil
		}
		me := c.subject(c.Flow)
		if s := c.Success; s != nil && s.Path() != c.Flow.Path() && s.Request.Method == c.req().Method && len(c.credentials(c.Flow)) > 0 && c.noOtherCredential(s) && !c.othersDiffer(flow.InPath, flow.InBody, flow.InJSON, flow.InForm) {
			return because("only the object differs: %s was accepted (#%d) for the same caller", clip(s.Path(), 80), s.ID).Quote(Evidence{Where: "request.url", Quote: c.Flow.Path()}).Quote(inHistory(s)).Possible()
		}
		if me == "" {
			return nil
		}
		for g := range c.accepted() {
			other := c.subject(g)
			if other == "" || other == me || g.Authority != c.Flow.Authority || g.Request.Method != c.req().Method {
				continue
			}
			if p := strings.Split(c.Flow.Path(), "/"); g.Path() == c.Flow.Path() && slices.Contains(p, other) && !slices.Contains(p, me) {
				return because("the path names %s, whose request #%d was accepted; the token's subject is %s", clip(other, 40), g.ID, clip(me, 40)).On(ByComputation).Quote(Evidence{Where: "request.url", Quote: other}).Likely()
			}
		}
		return nil
	},
}

// subject is who a flow's credential stands for, "" if that cannot be told.
func (c *Case) subject(f *flow.Flow) string {
	if j, _ := c.token(f); j != nil {
		return j.text("sub")
	}
	if a := c.auth(f); a != nil && strings.EqualFold(a.scheme, "basic") {
		u, _ := basicUser(strings.TrimSpace(a.token))
		return u
	}
	return ""
}
