package inspect

import (
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// credential is one thing in a request that says who asks.
type credential struct {
	kind  credKind
	field string // header field, cookie or query parameter that carries it
	where string // as in Evidence
	value string // of the whole field
	// scheme and token are the two halves of an Authorization field.
	scheme, token string
	jwt           *jwt // nil: no JWT
}

type credKind uint8

const (
	authHeader credKind = iota // Authorization and its like
	apiKey                     // a header or parameter called an API key
	session                    // a session cookie
	signed                     // a signed URL or a signature header
)

// jwt is a decoded token with its segments as sent. Its signature is never
// verified: we diagnose, the server decides.
type jwt struct {
	decode.Token
	raw             string
	header, payload string
	signature       string
}

func parseJWT(s string) *jwt {
	t, ok := decode.JWT(s)
	if !ok {
		return nil
	}
	j := &jwt{Token: t, raw: s, signature: t.Signature}
	j.header, j.payload, _ = strings.Cut(s, ".")
	j.payload, _, _ = strings.Cut(j.payload, ".")
	return j
}

// time is exp, nbf or iat.
func (j *jwt) time(claim string) (time.Time, bool) {
	if j == nil {
		return time.Time{}, false
	}
	switch claim {
	case "exp":
		return j.Expiry()
	case "nbf":
		return j.NotBefore()
	}
	return j.IssuedAt()
}

// text is a claim as one string; an array is joined by spaces.
func (j *jwt) text(claim string) string { return strings.Join(j.list(claim), " ") }

// list is a claim as a set: an array, a string split at spaces, or the roles in
// an object (Keycloak's realm_access).
func (j *jwt) list(claim string) []string {
	if j == nil {
		return nil
	}
	v := j.Claims.Get(claim)
	switch v.Kind() {
	case decode.Object:
		v = v.Get("roles")
		fallthrough
	case decode.Array:
		var out []string
		for e := range v.Children() {
			if s, ok := e.Str(); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return strings.Fields(v.Text())
}

// scopeClaims and roleClaims are where issuers put what a token may do:
// RFC 8693 (scope), Entra ID (scp, roles), Auth0 (permissions), Keycloak (realm_access), others.
var (
	scopeClaims = []string{"scope", "scp", "scopes", "permissions"}
	roleClaims  = []string{"roles", "role", "groups", "realm_access", "authorities", "cognito:groups"}
)

func (j *jwt) set(claims []string) []string {
	var out []string
	for _, c := range claims {
		out = append(out, j.list(c)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// keyHeader reports whether a header field carries an API key or the like.
func keyHeader(name string) bool {
	return decode.IsAPIKeyHeader(name) || equalFold(name, "api_key", "x-api-token", "x-subscription-token", "x-client-id", "job-token", "x-token")
}

var keyParams = []string{"api_key", "apikey", "api-key", "key", "access_token", "token", "auth_token", "subscription-key", "appid", "app_id", "code"}

var signatureHeaders = []string{"x-signature", "x-hub-signature", "x-hub-signature-256", "stripe-signature", "x-slack-signature", "signature", "x-hmac-signature", "x-webhook-signature", "x-request-signature", "x-amz-signature", "x-twilio-signature", "x-shopify-hmac-sha256"}

// sessionWords are pieces of the names that session cookies have.
var sessionWords = []string{"sess", "sid", "auth", "token", "jwt", "login", "logged", "identity", "user", "remember", "aspnetcore.cookies", "connect.sid", "_tb"}

// credentials are those of a flow's request, the Authorization field first.
func (c *Case) credentials(f *flow.Flow) []credential {
	if f == nil || f.Request == nil {
		return nil
	}
	if cs, ok := c.facts.creds[f]; ok {
		return cs
	}
	cs := readCredentials(f)
	if c.facts.creds == nil {
		c.facts.creds = map[*flow.Flow][]credential{}
	}
	c.facts.creds[f] = cs
	return cs
}

func readCredentials(f *flow.Flow) []credential {
	var cs []credential
	seen := map[string]bool{}
	for _, h := range f.Request.Header {
		name := strings.ToLower(h.Name)
		where := "request.header:" + h.Name
		switch {
		case name == "authorization":
			cr := credential{kind: authHeader, field: h.Name, where: where, value: h.Value}
			cr.scheme, cr.token, _ = strings.Cut(h.Value, " ")
			cr.jwt = parseJWT(strings.TrimSpace(cr.token))
			cs = append(cs, cr)
		case slices.Contains(signatureHeaders, name):
			cs = append(cs, credential{kind: signed, field: h.Name, where: where, value: h.Value, token: h.Value})
		case keyHeader(name):
			cs = append(cs, credential{kind: apiKey, field: h.Name, where: where, value: h.Value, token: h.Value, jwt: parseJWT(h.Value)})
		case name == "cookie":
			for _, ck := range cookies(f.Request) {
				if sessionCookie(ck.name) && !seen[ck.name] {
					seen[ck.name] = true
					cs = append(cs, credential{kind: session, field: ck.name, where: where, value: ck.value, token: ck.value, jwt: parseJWT(ck.value)})
				}
			}
		}
	}
	for k, v := range queryOf(f) {
		low := strings.ToLower(k)
		switch {
		case slices.Contains(keyParams, low) && v != "":
			cs = append(cs, credential{kind: apiKey, field: k, where: "request.url", value: v, token: v, jwt: parseJWT(v)})
		case low == "x-amz-signature" || low == "sig" || low == "x-goog-signature" || low == "signature":
			cs = append(cs, credential{kind: signed, field: k, where: "request.url", value: v, token: v})
		}
	}
	slices.SortStableFunc(cs, func(a, b credential) int { return int(a.kind) - int(b.kind) })
	return cs
}

func sessionCookie(name string) bool {
	if csrfName(name) {
		return false
	}
	low := strings.ToLower(name)
	return decode.IsSessionCookie(name) || slices.ContainsFunc(sessionWords, func(w string) bool { return strings.Contains(low, w) })
}

// auth is the Authorization field of a flow, nil if it has none.
func (c *Case) auth(f *flow.Flow) *credential {
	for i, cr := range c.credentials(f) {
		if cr.kind == authHeader {
			return &c.credentials(f)[i]
		}
	}
	return nil
}

// token is the JWT that the request carries, wherever, nil if there is none.
func (c *Case) token(f *flow.Flow) (*jwt, *credential) {
	for i, cr := range c.credentials(f) {
		if cr.jwt != nil {
			return cr.jwt, &c.credentials(f)[i]
		}
	}
	return nil, nil
}

type cookie struct{ name, value string }

const maxCookies = 200

// cookies are those that a request sends.
func cookies(m *flow.Message) []cookie {
	if m == nil {
		return nil
	}
	var out []cookie
	for _, c := range decode.Cookies(m.Header) {
		if len(out) < maxCookies {
			out = append(out, cookie{c.Name, strings.Trim(c.Value, `"`)})
		}
	}
	return out
}

func cookieNamed(m *flow.Message, name string) (string, bool) {
	for _, ck := range cookies(m) {
		if matchName(name, ck.name) {
			return ck.value, true
		}
	}
	return "", false
}

// setCookies are those that an answer sets.
func setCookies(m *flow.Message) []cookie {
	if m == nil {
		return nil
	}
	var out []cookie
	for _, c := range decode.SetCookies(m.Header) {
		out = append(out, cookie{c.Name, strings.Trim(c.Value, `"`)})
	}
	return out
}

// matchName compares names without regard to case; a trailing * in want is any rest.
func matchName(want, name string) bool {
	if p, wild := strings.CutSuffix(want, "*"); wild {
		return len(name) >= len(p) && strings.EqualFold(name[:len(p)], p)
	}
	return strings.EqualFold(want, name)
}

// queryOf is the query as pairs, first value of a name only.
func queryOf(f *flow.Flow) map[string]string {
	q := f.Query()
	if q == "" || len(q) > 64<<10 {
		return nil
	}
	return firsts(decode.Query(q))
}

// firsts is the first value of each name.
func firsts(pairs []decode.Pair) map[string]string {
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		if _, dup := out[p.Name]; !dup && p.Name != "" && len(out) < maxFields {
			out[p.Name] = p.Value
		}
	}
	return out
}
