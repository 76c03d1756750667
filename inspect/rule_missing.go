package inspect

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

var missingToken = &Rule{
	Name: "missing-token", Cause: MissingToken, Title: "the credential of the accepted request is missing", Item: 4,
	Doc: `The accepted request carried a credential and this one does not: an Authorization field, a session cookie, an API key. Clients drop Authorization on a redirect to another host (Fetch standard, "HTTP-redirect fetch", step 13; curl without --location-trusted).`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(MissingToken, MissingAPIKey, InvalidToken, PolicyDeny)) {
			return nil
		}
		if c.Success == nil {
			return nil
		}
		if len(c.credentials(c.Flow)) > 0 {
			return c.missingKey()
		}
		for _, cr := range c.credentials(c.Success) {
			f := because("the accepted request #%d carried %s, this one does not", c.Success.ID, cr.field).Quote(Evidence{Where: "diff", Quote: cr.value})
			f = c.withCredentialOf(f)
			switch cr.kind {
			case apiKey:
				if c.refusedByWall() {
					return f.Of(MissingAPIKey).Possible()
				}
				return f.Of(MissingAPIKey).Likely()
			case authHeader, session:
				if c.refusedByWall() {
					return f.Possible()
				}
				return f.Likely()
			}
		}
		return nil
	},
}

// missingKey finds an API key of the accepted request that this one lacks beside its other credentials.
func (c *Case) missingKey() []Finding {
	for _, cr := range c.credentials(c.Success) {
		if cr.kind != apiKey || !strings.HasPrefix(cr.where, "request.header:") || c.req().Header.Has(cr.field) || c.refusedByWall() {
			continue
		}
		if slices.ContainsFunc(c.credentials(c.Flow), func(o credential) bool { return o.kind == apiKey }) {
			continue
		}
		f := because("the accepted request #%d carried %s, this one does not", c.Success.ID, cr.field).Of(MissingAPIKey).Quote(Evidence{Where: "diff", Quote: cr.value}).
			With("send the key of the accepted request", setHeader(c.req(), cr.field, cr.value))
		if c.othersDifferHeader(cr.field) {
			return f.Possible()
		}
		return f.Likely()
	}
	return nil
}

// refusedByWall reports whether a firewall, bot guard or web filter answered: those do not look at credentials.
func (c *Case) refusedByWall() bool {
	l := c.whoAnswered().layer
	return l == layerCDN || l == layerNetworkProxy
}

// missesCredential reports whether the success had a credential and this request has none.
func (c *Case) missesCredential() bool {
	return c.Success != nil && len(c.credentials(c.Flow)) == 0 && len(c.credentials(c.Success)) > 0
}

func basicUser(token string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		if b, err = base64.RawStdEncoding.DecodeString(token); err != nil {
			return "", false
		}
	}
	user, _, ok := strings.Cut(string(b), ":")
	return user, ok
}

func httpDate(s string) (time.Time, bool) {
	t, err := http.ParseTime(s)
	return t.UTC(), err == nil && s != ""
}

var otherCredential = &Rule{
	Name: "other-credential", Cause: MissingRole, Title: "accepted with another credential", Item: 18,
	Doc: `The same request was accepted with another credential and both are well-formed: what this user, key or role may do is then the likeliest difference.`,
	Run: func(c *Case) []Finding {
		if c.Success == nil || c.AnswerSpeaksFor(Not(MissingRole, Ownership, InsufficientScope)) || c.Success.Path() != c.Flow.Path() || c.req().Method != c.okReq().Method {
			return nil
		}
		for _, f := range c.req().Header {
			if n := strings.ToLower(f.Name); strings.Contains(n, "role") || strings.HasSuffix(n, "-user") || n == "x-user-id" || n == "remote-user" || strings.Contains(n, "-group") {
				if v := c.okReq().Header.Get(f.Name); v != "" && v != f.Value {
					g := because("%s is %s; it was accepted (#%d) with %s", f.Name, clip(f.Value, 40), c.Success.ID, clip(v, 40)).Quote(Evidence{Where: "request.header:" + f.Name, Quote: f.Value}).
						With("send the accepted "+f.Name, setHeader(c.req(), f.Name, v))
					if c.othersDifferHeader(f.Name) {
						return g.Possible()
					}
					return g.Likely()
				}
			}
		}
		a, b := c.credentials(c.Flow), c.credentials(c.Success)
		if len(a) == 0 || len(b) == 0 || a[0].kind != b[0].kind || a[0].value == b[0].value || malformed(a[0]) != "" || c.refusedByWall() {
			return nil
		}
		q := Evidence{Where: a[0].where, Quote: a[0].value}
		if a[0].kind == authHeader && strings.EqualFold(a[0].scheme, "basic") {
			me, _ := basicUser(strings.TrimSpace(a[0].token))
			if them, _ := basicUser(strings.TrimSpace(b[0].token)); me == them && me != "" {
				return because("the user %s was accepted (#%d) with another password", clip(me, 40), c.Success.ID).Of(WrongCredentials).On(ByComputation).Quote(q).
					With("send the accepted Authorization", setHeader(c.req(), a[0].field, b[0].value)).Likely()
			}
		}
		fs := because("the same request was accepted (#%d) with another %s", c.Success.ID, a[0].field).Quote(q).Possible()
		if a[0].kind == session {
			fs = append(because("the session cookie %s has another value than in the accepted request #%d", a[0].field, c.Success.ID).Of(StaleCookie).Quote(q).
				With("send the accepted cookies", setHeader(c.req(), "Cookie", c.okReq().Header.Get("Cookie"))).Possible(), fs...)
		}
		if a[0].kind == signed && string(c.req().Body.Data) == string(c.okReq().Body.Data) && c.req().Target == c.okReq().Target {
			return because("%s differs from that of the accepted request #%d, which signed the same", a[0].field, c.Success.ID).Of(SignatureMismatch).Quote(q).Likely()
		}
		if a[0].kind == apiKey && a[0].jwt == nil {
			fs = append(because("the accepted request #%d carried another %s", c.Success.ID, a[0].field).Of(InvalidAPIKey).Quote(q).Possible(), fs...)
		}
		return fs
	},
}

// otherKey reports whether the accepted request carried another API key or token than this one.
func (c *Case) otherKey() bool {
	a, b := c.credentials(c.Flow), c.credentials(c.Success)
	return len(a) > 0 && len(b) > 0 && a[0].kind == b[0].kind && a[0].kind != session && a[0].value != b[0].value
}
