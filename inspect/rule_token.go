package inspect

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

var malformedToken = &Rule{
	Name: "malformed-token", Cause: MalformedToken, Title: "the credential is not well-formed", Item: 4,
	Doc: `Authorization is one scheme, one space and the credential (RFC 9110, 11.6.2). What goes wrong: the scheme missing or doubled, quotes or a newline from a file or variable, an unset variable
("undefined", "${TOKEN}"), a truncated JWT. A JWT has three parts (RFC 7515, 7.1).`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(MalformedToken, InvalidToken, MissingToken)) {
			return nil
		}
		var fs []Finding
		for _, cr := range c.credentials(c.Flow) {
			if cr.kind != authHeader && cr.kind != apiKey {
				continue
			}
			if why := malformed(cr); why != "" && why != c.sameFault(cr) {
				f := because("%s: %s", cr.field, why).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: cr.value})
				if a := c.auth(c.Success); a != nil && cr.kind == authHeader {
					f = f.With("send the Authorization of the accepted request", setHeader(c.req(), a.field, a.value))
				} else if fixed := mended(cr); fixed != "" && fixed != cr.value {
					f = f.With("send it in the right form", setHeader(c.req(), cr.field, fixed))
				}
				switch {
				case c.Success != nil:
					fs = append(fs, f.Certain()...)
				case c.Flow.Origin == flow.FromImport && (strings.Contains(why, "it was cut") || sketched.MatchString(cr.value)):
					fs = append(fs, f.On(ByHabit).Possible()...) // who writes a recording down shortens tokens
				case strings.Contains(why, "unset") || strings.Contains(why, "twice"):
					fs = append(fs, f.Certain()...)
				default:
					fs = append(fs, f.Likely()...)
				}
			}
		}
		if a, b := c.auth(c.Flow), c.auth(c.Success); a != nil && b != nil && a.scheme != b.scheme && len(fs) == 0 {
			if b.value == b.scheme+" "+a.value || strings.TrimSpace(b.token) == strings.TrimSpace(a.token) || strings.TrimSpace(b.token) == a.value {
				f := because("the scheme is %s; the accepted request #%d had %s", quotedOrNone(a.scheme, a.token), c.Success.ID, b.scheme).Quote(Evidence{Where: a.where, Quote: a.value}).
					With("send the accepted scheme", setHeader(c.req(), a.field, b.value))
				fs = append(fs, f.Likely()...)
			} else if !strings.EqualFold(a.scheme, b.scheme) && a.token != "" && b.token != "" {
				f := because("the scheme is %s; the accepted request #%d had %s", clip(a.scheme, 20), c.Success.ID, clip(b.scheme, 20)).Quote(Evidence{Where: a.where, Quote: a.value}).
					With("send the accepted Authorization", setHeader(c.req(), a.field, b.value))
				fs = append(fs, f.Possible()...)
			}
		}
		if f, ok := c.misplaced(); ok && len(fs) == 0 {
			fs = append(fs, f.Likely()...)
		}
		return fs
	},
}

// misplaced finds the accepted request's credential in another place of this one.
func (c *Case) misplaced() (Finding, bool) {
	for _, good := range c.credentials(c.Success) {
		token := strings.TrimSpace(good.token)
		if len(token) < 2 || good.kind == session || good.kind == signed {
			continue
		}
		for _, cr := range c.credentials(c.Flow) {
			if strings.EqualFold(cr.field, good.field) {
				return Finding{}, false
			}
			if strings.TrimSpace(cr.token) == token || cr.value == token {
				f := because("the credential was sent in %s; the accepted request #%d sent it in %s", cr.field, c.Success.ID, good.field).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: cr.value})
				if strings.HasPrefix(good.where, "request.header:") {
					f = f.With("send it where it belongs", setHeader(c.req(), good.field, good.value))
				}
				return f, true
			}
		}
		for _, h := range c.req().Header {
			if h.Value == token || h.Value == good.value {
				return because("the credential was sent in %s; the accepted request #%d sent it in %s", h.Name, c.Success.ID, good.field).On(ByComputation).Quote(Evidence{Where: "request.header:" + h.Name, Quote: h.Value}).
					With("send it where it belongs", setHeader(c.req(), good.field, good.value)), true
			}
		}
	}
	return Finding{}, false
}

// sameFault is what is wrong with the form of the same field of the accepted request.
func (c *Case) sameFault(cr credential) string {
	for _, o := range c.credentials(c.Success) {
		if strings.EqualFold(o.field, cr.field) && o.scheme == cr.scheme && o.value != "" {
			return malformed(o)
		}
	}
	return ""
}

// masked is what tools write in place of a secret before they hand a recording
// on: it says nothing of what was sent. sketched is a value that may be such a one.
var (
	masked   = regexp.MustCompile(`(?i)^[<(\[{]*(\w+[-_ ])*(redacted|masked|hidden|removed|omitted|sanitized|filtered|scrubbed|secret)([-_ ]\w+)*[>)\]}]*$|redacted|^(x{3,}|\*{3,}|•{2,}|\.{3}|…)$|\*{4,}|…$|\.{3}$`)
	sketched = regexp.MustCompile(`<[^>]*>|(?i)x{3,}$|changeme|your[-_ ]`)
)

func quotedOrNone(scheme, token string) string {
	if token == "" {
		return "missing"
	}
	return clip(scheme, 20)
}

var unset = regexp.MustCompile(`(?i)^(undefined|null|none|nil|nan|\[object object\]|your[-_ ]?(api[-_ ]?)?(token|key)([-_ ]here)?|<[^>]*>|\$\{?[a-z_][a-z0-9_.]*\}?|\{\{?\s*[a-z_][a-z0-9_.]*\s*\}?\}|%[a-z_]+%|changeme|todo|xxx+)$`)

// malformed says what is wrong with the form of a credential, "" if nothing.
func malformed(cr credential) string {
	v := cr.value
	token := strings.TrimSpace(cr.token)
	switch {
	case strings.TrimSpace(v) == "":
		return "it is empty"
	case masked.MatchString(token) || masked.MatchString(strings.TrimSpace(v)):
		return "" // the recording does not show what was sent
	case unset.MatchString(token) || cr.kind == authHeader && unset.MatchString(v):
		return "an unset variable was sent"
	}
	if cr.kind != authHeader {
		switch {
		case strings.ContainsAny(v, "\r\n\t") || strings.HasSuffix(v, `\n`) || strings.HasSuffix(v, "%0A"):
			return "there is a line break or tab in it"
		case strings.ContainsAny(v, "\"'“”‘’"):
			return "it is in quotes"
		case strings.HasPrefix(strings.ToLower(v), "bearer ") && cr.where != "request.url":
			return "it begins with a scheme, which belongs into Authorization"
		}
		return ""
	}
	low := strings.ToLower(v)
	second, _, _ := strings.Cut(token, " ")
	switch {
	case strings.EqualFold(second, cr.scheme) || strings.EqualFold(second, "bearer"):
		return "the scheme is there twice"
	case parseJWT(strings.TrimSpace(v)) != nil:
		return "the scheme is missing: a bare token was sent"
	case strings.HasPrefix(low, "bearer:") || strings.HasPrefix(low, "bearer="):
		return "the scheme is followed by a sign that does not belong there"
	case strings.EqualFold(cr.scheme, "bearer") && token == "":
		return "there is no token after the scheme"
	case strings.EqualFold(cr.scheme, "bearer") && (strings.HasPrefix(token, `"`) || strings.HasSuffix(token, `"`) || strings.HasPrefix(token, "'")):
		return "the token is in quotes"
	case strings.ContainsAny(v, "\r\n\t") || strings.HasSuffix(token, `\n`) || strings.HasSuffix(token, "%0A"):
		return "there is a line break or tab in it"
	case strings.EqualFold(cr.scheme, "bearer") && (strings.ContainsAny(token, " ,;") || strings.HasPrefix(cr.token, " ")):
		return "there is a space or separator in the token"
	case strings.EqualFold(cr.scheme, "bearer") && strings.HasPrefix(token, "eyJ") && parseJWT(token) == nil && !encryptedJWT(token):
		switch n := strings.Count(token, "."); n {
		case 2:
			return "it looks like a JWT and does not decode: it was cut or changed"
		default:
			return "it looks like a JWT and has " + itoa(n+1) + " of 3 parts: it was cut"
		}
	case strings.EqualFold(cr.scheme, "bearer") && parseJWT(token) != nil && truncatedSignature(parseJWT(token)):
		return "the JWT's signature is too short for its algorithm: it was cut"
	case strings.EqualFold(cr.scheme, "basic") && !validBasic(token):
		return "after Basic there is no base64 of user:password"
	}
	return ""
}

// encryptedJWT: a JWE has five parts (RFC 7516, 7.1), a Paseto or an opaque
// token may begin alike.
func encryptedJWT(s string) bool { return strings.Count(s, ".") == 4 }

// signatureLength is the length of a signature in bytes (RFC 7518, 3), of RSA at the least.
var signatureLength = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64, "ES256": 64, "ES384": 96, "ES512": 132, "RS256": 128, "PS256": 128, "RS512": 128, "EdDSA": 64}

func truncatedSignature(j *jwt) bool {
	want, ok := signatureLength[j.Algorithm()]
	return ok && len(j.signature)*3/4 < want && len(j.signature) > 0
}

func validBasic(token string) bool {
	_, ok := basicUser(token)
	return ok
}

func mended(cr credential) string {
	if j := parseJWT(strings.TrimSpace(cr.value)); j != nil {
		return "Bearer " + j.raw
	}
	t := strings.Trim(strings.TrimSpace(cr.token), `"'`)
	if rest, ok := strings.CutPrefix(strings.ToLower(t), "bearer "); ok {
		t = strings.TrimSpace(t[len(t)-len(rest):])
	}
	if j := parseJWT(t); j != nil {
		return "Bearer " + t
	}
	return ""
}

var expiredToken = &Rule{
	Name: "expired-token", Cause: ExpiredToken, Title: "the token has expired", Item: 4,
	Doc: `A JWT carries its end of life in "exp" (RFC 7519, 4.1.4). Fetch a new token and replay. A stale token beside a firewall's page is not why the firewall refused.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(ExpiredToken)) {
			return nil
		}
		j, cr := c.token(c.Flow)
		exp, ok := j.time("exp")
		if !ok || c.Now.IsZero() || c.Now.Before(exp) {
			return nil
		}
		f := because("the token expired %s before the request (exp %s)", span(c.Now.Sub(exp)), exp.Format("2006-01-02 15:04:05 UTC")).On(ByComputation).Quote(inToken(cr, j))
		if good, of := c.validToken(); good != nil {
			f = f.With("send a newer token, seen in #"+itoa(int(of.ID)), replaceToken(c.req(), cr, good.raw))
		}
		said := c.AnswerSpeaksFor(Any(ExpiredToken))
		if !said && c.toleratesExpiry(j, c.Now.Sub(exp)) {
			return nil
		}
		if said || c.acceptedInTime() {
			return f.Certain()
		}
		switch c.whoAnswered().layer {
		case layerCDN, layerNetworkProxy:
			return f.Possible()
		}
		return f.Likely()
	},
}

// toleratesExpiry reports whether this endpoint accepted a token of the same
// issuer that had expired as long ago, or longer ago than clocks are allowed to differ.
func (c *Case) toleratesExpiry(mine *jwt, late time.Duration) bool {
	const leeway = 5 * time.Minute // the default of Microsoft.IdentityModel, the longest of the libraries in use
	for g := range c.accepted() {
		j, _ := c.token(g)
		exp, ok := j.time("exp")
		if !ok || g.Times.Start.IsZero() || g.Authority != c.Flow.Authority || g.Path() != c.Flow.Path() || g.Request.Method != c.req().Method || j.text("iss") != mine.text("iss") {
			continue
		}
		if over := Now(g).Sub(exp); over > leeway || over > 0 && over >= late {
			return true
		}
	}
	return false
}

// acceptedInTime reports whether the success carried a token of the same
// issuer that was valid then, and the requests differ in nothing else.
func (c *Case) acceptedInTime() bool {
	j, _ := c.token(c.Success)
	exp, ok := j.time("exp")
	if !ok || c.Success.Times.Start.IsZero() {
		return false
	}
	mine, _ := c.token(c.Flow)
	at := Now(c.Success)
	return at.Before(exp) && mine.text("iss") == j.text("iss") && !c.othersDiffer(flow.InHeader, flow.InCookie, flow.InJWT)
}

// validToken is the newest token seen in the history that is still valid and of the same issuer and subject.
func (c *Case) validToken() (*jwt, *flow.Flow) {
	mine, _ := c.token(c.Flow)
	for g := range c.accepted() {
		j, _ := c.token(g)
		exp, ok := j.time("exp")
		if j != nil && (!ok || c.Now.Before(exp)) && j.raw != mine.raw && j.text("iss") == mine.text("iss") && g.Authority == c.Flow.Authority {
			return j, g
		}
	}
	return nil, nil
}

// replaceToken is the change that puts another token in the place of the one in cr.
func replaceToken(m *flow.Message, cr *credential, token string) flow.Change {
	switch {
	case cr.kind == session:
		return flow.Change{Part: flow.InCookie, Name: cr.field, Before: str(cr.value), After: str(token)}
	case cr.where == "request.url":
		return flow.Change{Part: flow.InQuery, Name: cr.field, Before: str(cr.value), After: str(token)}
	case cr.kind == authHeader:
		return setHeader(m, cr.field, cr.scheme+" "+token)
	}
	return setHeader(m, cr.field, token)
}

// inToken quotes the claims of a token as they were sent.
func inToken(cr *credential, j *jwt) Evidence { return Evidence{Where: cr.where, Quote: j.payload} }

// span is a duration in words that a reader takes in at once.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return itoa(int(d/(24*time.Hour))) + " days"
	case d >= time.Hour:
		return d.Round(time.Minute).String()[:strings.IndexByte(d.Round(time.Minute).String(), 'm')+1]
	}
	return d.Round(time.Second).String()
}

var notYetValid = &Rule{
	Name: "not-yet-valid-token", Cause: NotYetValidToken, Title: "the token is not yet valid", Item: 4,
	Doc: `"nbf" says from when a JWT is valid (RFC 7519, 4.1.5), "iat" when it was issued. A token from the future means that the clocks of issuer and server differ.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(NotYetValidToken)) || c.Now.IsZero() {
			return nil
		}
		j, cr := c.token(c.Flow)
		for _, claim := range []string{"nbf", "iat"} {
			if t, ok := j.time(claim); ok && c.Now.Before(t.Add(-2*time.Second)) {
				f := because("the token is valid only from %s, %s after the request (%s)", t.Format("2006-01-02 15:04:05 UTC"), span(t.Sub(c.Now)), claim).On(ByComputation).Quote(inToken(cr, j))
				if c.AnswerSpeaksFor(Any(NotYetValidToken)) || claim == "nbf" && c.Success != nil {
					return f.Certain()
				}
				return f.Likely()
			}
		}
		return nil
	},
}

var wrongAudience = &Rule{
	Name: "wrong-audience", Cause: WrongAudience, Title: "the token is for another audience or from another issuer", Item: 4,
	Doc: `A server must refuse a token whose "aud" does not name it (RFC 7519, 4.1.3) and one whose "iss" it does not trust. The accepted request shows what it wants.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(WrongAudience)) {
			return nil
		}
		a, cr := c.token(c.Flow)
		b, _ := c.token(c.Success)
		if a == nil || b == nil {
			return nil
		}
		for _, claim := range []string{"aud", "iss"} {
			x, y := a.list(claim), b.list(claim)
			if len(y) == 0 || slices.ContainsFunc(x, func(s string) bool { return slices.Contains(y, s) }) {
				continue
			}
			f := because("%s is %s; the accepted request #%d had %s", claim, orNone(clip(strings.Join(x, " "), 80)), c.Success.ID, clip(strings.Join(y, " "), 80)).On(ByComputation).Quote(inToken(cr, a)).
				With("send the accepted request's token", replaceToken(c.req(), cr, b.raw))
			if c.AnswerSpeaksFor(Any(WrongAudience)) {
				return f.Certain()
			}
			return f.Likely()
		}
		return nil
	},
}

var insufficientScope = &Rule{
	Name: "insufficient-scope", Cause: InsufficientScope, Title: "the token lacks a scope or role that the accepted one had", Item: 4,
	Doc: `What a token may do stands in "scope" (RFC 8693, 4.2), "scp" and "roles" (Entra ID), "permissions" (Auth0), "realm_access" (Keycloak) or "groups". The difference to the accepted token is what the server missed.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(InsufficientScope, MissingRole)) {
			return nil
		}
		a, cr := c.token(c.Flow)
		b, _ := c.token(c.Success)
		if a == nil || b == nil {
			return nil
		}
		for _, kind := range []struct {
			cause  Name
			word   string
			claims []string
		}{{InsufficientScope, "scope", scopeClaims}, {MissingRole, "role", roleClaims}} {
			have, had := a.set(kind.claims), b.set(kind.claims)
			var missing []string
			for _, s := range had {
				if !slices.Contains(have, s) {
					missing = append(missing, s)
				}
			}
			if len(missing) == 0 {
				continue
			}
			f := because("the token lacks the %s %s that the accepted request #%d had", kind.word, strings.Join(quoteAll(missing), ", "), c.Success.ID).Of(kind.cause).On(ByComputation).Quote(inToken(cr, a)).
				With("send the accepted request's token", replaceToken(c.req(), cr, b.raw)).
				Then("Request a token with the %s %s", kind.word, strings.Join(missing[:min(len(missing), 5)], " "))
			if c.Success.Path() != c.Flow.Path() || c.Success.Request.Method != c.req().Method {
				return f.Possible()
			}
			return f.Likely()
		}
		return nil
	},
}

// acceptedToken reports whether the host accepted a request with this very token.
func (c *Case) acceptedToken(j *jwt) bool {
	for g := range c.accepted() {
		if o, _ := c.token(g); o != nil && o.raw == j.raw && g.Authority == c.Flow.Authority {
			return true
		}
	}
	return false
}

var tamperedToken = &Rule{
	Name: "invalid-token", Cause: InvalidToken, Title: "the token cannot verify, or was used before", Item: 4,
	Doc: `A JWT's signature covers header and payload (RFC 7515, 5.1): the same signature under another payload cannot verify, and "alg":"none" is refused everywhere. A nonce or jti is good for one request.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(InvalidToken)) {
			return nil
		}
		a, cr := c.token(c.Flow)
		if a != nil {
			if strings.EqualFold(a.Algorithm(), "none") {
				return because(`the token is unsigned ("alg":"none")`).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: a.header}).Likely()
			}
			for g := range c.accepted() {
				if b, _ := c.token(g); b != nil && b.signature == a.signature && b.signature != "" && (b.payload != a.payload || b.header != a.header) {
					f := because("the token has the signature of #%d's under other content: it was changed and cannot verify", g.ID).On(ByComputation).Quote(inToken(cr, a)).
						With("send the unchanged token", replaceToken(c.req(), cr, b.raw))
					switch {
					case c.acceptedToken(a):
						return f.Possible() // this server does not verify it
					case c.resp().Status == 401 || c.AnswerSpeaksFor(Any(InvalidToken, SignatureMismatch)):
						return f.Certain()
					}
					return f.Likely()
				}
			}
		}
		if b, _ := c.token(c.Success); a != nil && b != nil && b.header == a.header && b.payload == a.payload && b.signature != a.signature && repeatable(a.Algorithm()) {
			return because("the token has another signature than the accepted request #%d's with the same content: %s gives one and the same, so this one was damaged or signed with another key", c.Success.ID, clip(a.Algorithm(), 10)).
				On(ByComputation).Quote(Evidence{Where: cr.where, Quote: a.signature}).With("send the accepted request's token", replaceToken(c.req(), cr, b.raw)).Likely()
		}
		if b, _ := c.token(c.Success); a != nil && b != nil {
			for _, what := range []struct{ word, mine, theirs string }{{"kid", a.KeyID(), b.KeyID()}, {"alg", a.Algorithm(), b.Algorithm()}, {"typ", a.text("typ"), b.text("typ")}, {"token_use", a.text("token_use"), b.text("token_use")}} {
				if what.mine != what.theirs && a.text("iss") == b.text("iss") && what.theirs != "" {
					return because("the token's %s is %s; the accepted request #%d had %s", what.word, orNone(clip(what.mine, 40)), c.Success.ID, clip(what.theirs, 40)).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: a.header}).
						With("send the accepted request's token", replaceToken(c.req(), cr, b.raw)).Likely()
				}
			}
		}
		for _, f := range c.req().Header {
			if n := strings.ToLower(f.Name); !strings.Contains(n, "nonce") || f.Value == "" || n == "x-wp-nonce" || strings.Contains(n, "csp") {
				continue
			}
			for g := range c.accepted() {
				if g.Authority == c.Flow.Authority && g.Request.Header.Get(f.Name) == f.Value && g.Times.Start.Before(c.Flow.Times.Start) {
					return because("the value of %s was used before, in #%d", f.Name, g.ID).On(ByComputation).Quote(Evidence{Where: "request.header:" + f.Name, Quote: f.Value}).Quote(inHistory(g)).
						Then("Send a fresh %s with every request", f.Name).Likely()
				}
			}
		}
		return nil
	},
}

// repeatable reports whether an algorithm of RFC 7518, 3.1 (EdDSA: RFC 8037) gives the same signature for the same content and key each time.
func repeatable(alg string) bool {
	return equalFold(alg, "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "EdDSA")
}
