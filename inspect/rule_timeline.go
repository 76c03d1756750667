package inspect

import (
	"strings"

	"github.com/why403/why403/flow"
)

var credentialTimeline = &Rule{
	Name: "credential-timeline", Cause: InvalidToken, Title: "the credential was good before", Item: 7,
	Doc: `What happened to a credential shows in the history: it was accepted until then and is refused since (revoked, or its session is over), or a newer one was issued and the old one is still sent
(a refresh token's rotation makes the old access token void with many issuers; RFC 6819, 5.2.2.3). Only looked at where the server refuses the credential itself.`,
	Run: func(c *Case) []Finding {
		refused := c.resp().Status == 401 || c.AnswerSpeaksFor(Any(InvalidToken))
		if !refused || c.AnswerSpeaksFor(Not(InvalidToken, ExpiredToken, StaleCookie)) {
			return nil
		}
		cs := c.credentials(c.Flow)
		if len(cs) == 0 || malformed(cs[0]) != "" {
			return nil
		}
		cr := cs[0]
		if newer, by := c.issuedSince(cr); by != nil {
			f := because("#%d issued a newer token; the request still sends the old one", by.ID).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: cr.value}).Quote(inHistory(by))
			return f.With("send the newest token", replaceToken(c.req(), &cr, newer)).Then("Make the client use the token of the last answer that issued one").Likely()
		}
		last := c.acceptedWith(cr, c.History.Before)
		if last == nil || c.acceptedWith(cr, c.History.After) != nil {
			return nil
		}
		gone := c.Flow.Times.Start.Sub(last.Times.Start)
		if c.Flow.Times.Start.IsZero() || last.Times.Start.IsZero() || gone < 0 {
			return nil
		}
		return because("the same %s was accepted %s before (#%d): it was revoked since, or its session is over", cr.field, span(gone), last.ID).On(ByComputation).
			Quote(Evidence{Where: cr.where, Quote: cr.value}).Quote(inHistory(last)).Then("Sign in again or fetch a new token, and look for what revoked the old one (logout, password change, rotation, a restart of the server)").Likely()
	},
}

// acceptedWith is the newest of flows of this host that was accepted with the same credential.
func (c *Case) acceptedWith(cr credential, flows []*flow.Flow) *flow.Flow {
	for i := len(flows) - 1; i >= 0; i-- {
		g := flows[i]
		if g.Authority != c.Flow.Authority || g.Request == nil || g.Response == nil || !c.wasAccepted(g) {
			continue
		}
		for _, o := range c.credentials(g) {
			if o.kind == cr.kind && strings.EqualFold(o.field, cr.field) && o.value == cr.value {
				return g
			}
		}
	}
	return nil
}

// tokenKeys are where answers that issue a token put it (RFC 6749, 5.1, and what is usual).
var tokenKeys = []string{"access_token", "accessToken", "token", "id_token", "idToken", "jwt", "data.token", "data.access_token", "data.accessToken"}

// issuedSince is a token that an accepted answer of the history issued after the
// one in cr had been in use or issued, nil flow if there is none.
func (c *Case) issuedSince(cr credential) (string, *flow.Flow) {
	token := strings.TrimSpace(cr.token)
	if cr.kind == session || cr.kind == signed || token == "" {
		return "", nil
	}
	newest, by := "", (*flow.Flow)(nil)
	for i := len(c.History.Before) - 1; i >= 0; i-- {
		g := c.History.Before[i]
		if g.Response == nil || g.Status() < 200 || g.Status() > 299 || len(g.Response.Body.Data) == 0 || len(g.Response.Body.Data) > 32<<10 || !strings.Contains(g.Response.Header.Get("Content-Type"), "json") {
			continue
		}
		a := readAnswer(g.Response)
		for _, k := range tokenKeys {
			v := lookJSON(a.json, k)
			if len(v) != 1 || len(v[0]) < 8 {
				continue
			}
			if v[0] == token {
				return newest, by // this answer issued the one that was sent: what came after is newer
			}
			if by == nil {
				newest, by = v[0], g
			}
			break
		}
	}
	return "", nil // the one that was sent was never seen to be issued: another may be somebody else's
}
