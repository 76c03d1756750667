package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
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

// jwt is a decoded token. Its signature is never verified: we diagnose, the server decides.
type jwt struct {
	raw             string
	header, payload string // the segments as sent
	signature       string
	head, claims    map[string]any
}

// parseJWT decodes a compact JWS (RFC 7515, 7.1) with a JSON object as
// payload. A session cookie of Flask begins like one and is none: its first
// segment is no JOSE header.
func parseJWT(s string) *jwt {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(s) > 64<<10 {
		return nil
	}
	j := &jwt{raw: s, header: parts[0], payload: parts[1], signature: parts[2]}
	if !segment(parts[0], &j.head) || !segment(parts[1], &j.claims) || j.head["alg"] == nil {
		return nil
	}
	return j
}

func segment(s string, v *map[string]any) bool {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || !shallow(b, 64) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return dec.Decode(v) == nil && *v != nil
}

// time is a NumericDate claim (RFC 7519, 2).
func (j *jwt) time(claim string) (time.Time, bool) {
	if j == nil {
		return time.Time{}, false
	}
	n, ok := j.claims[claim].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f <= 0 || f > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// text is a claim as one string; an array is joined by spaces.
func (j *jwt) text(claim string) string { return strings.Join(j.list(claim), " ") }

// list is a claim as a set: an array, or a string split at spaces.
func (j *jwt) list(claim string) []string {
	if j == nil {
		return nil
	}
	switch v := j.claims[claim].(type) {
	case string:
		return strings.Fields(v)
	case json.Number:
		return []string{v.String()}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	case map[string]any: // Keycloak: realm_access.roles
		if r, ok := v["roles"].([]any); ok {
			var out []string
			for _, e := range r {
				if s, ok := e.(string); ok {
					out = append(out, s)
				}
			}
			return out
		}
	}
	return nil
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

var keyHeaders = []string{"x-api-key", "apikey", "api-key", "x-apikey", "api_key", "x-api-token", "x-auth-token", "x-access-token", "x-goog-api-key", "ocp-apim-subscription-key",
	"x-functions-key", "x-rapidapi-key", "x-gravitee-api-key", "x-shopify-access-token", "private-token", "job-token", "x-tyk-api-key", "x-subscription-token", "x-api-secret", "x-client-id", "x-gitlab-token", "dd-api-key", "x-auth-key", "x-token"}

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
		case slices.Contains(keyHeaders, name):
			cs = append(cs, credential{kind: apiKey, field: h.Name, where: where, value: h.Value, token: h.Value, jwt: parseJWT(h.Value)})
		case name == "cookie":
			for _, ck := range cookiesOf(h.Value) {
				if sessionCookie(ck.name) {
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
	low := strings.ToLower(name)
	if strings.Contains(low, "csrf") || strings.Contains(low, "xsrf") || strings.Contains(low, "antiforgery") {
		return false
	}
	for _, w := range sessionWords {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
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

func cookiesOf(v string) []cookie {
	var out []cookie
	for p := range strings.SplitSeq(v, ";") {
		n, val, ok := strings.Cut(strings.TrimSpace(p), "=")
		if ok && n != "" && len(out) < 200 {
			out = append(out, cookie{n, strings.Trim(val, `"`)})
		}
	}
	return out
}

// cookies are those that a request sends.
func cookies(m *flow.Message) []cookie {
	if m == nil {
		return nil
	}
	var out []cookie
	for v := range m.Header.Values("Cookie") {
		out = append(out, cookiesOf(v)...)
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
	for v := range m.Header.Values("Set-Cookie") {
		first, _, _ := strings.Cut(v, ";")
		if n, val, ok := strings.Cut(first, "="); ok {
			out = append(out, cookie{strings.TrimSpace(n), strings.Trim(strings.TrimSpace(val), `"`)})
		}
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
	out := map[string]string{}
	q := f.Query()
	if q == "" || len(q) > 64<<10 {
		return out
	}
	for p := range strings.SplitSeq(q, "&") {
		k, v, _ := strings.Cut(p, "=")
		k, _ = url.QueryUnescape(k)
		v2, err := url.QueryUnescape(v)
		if err != nil {
			v2 = v
		}
		if _, dup := out[k]; !dup && k != "" {
			out[k] = v2
		}
	}
	return out
}
