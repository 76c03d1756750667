package decode

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// Token is a JSON Web Token (RFC 7519) in its compact signed form (RFC 7515,
// 7.1), taken apart and never verified. The zero Token has no claims; all
// methods can be called on it.
type Token struct {
	Raw       string // the three parts
	Header    Value  // the JOSE header, an object
	Claims    Value  // the claims set, an object
	Signature string // as written; "" for alg none
}

// JWT reads s as a token: exactly three base64url parts, of which the first is a
// JSON object with an "alg" and the second a JSON object. Many strings begin
// with "eyJ" and are none: Flask's sessions, Laravel's encrypted cookies, JWE
// (five parts, RFC 7516), base64 of any JSON.
func JWT(s string) (Token, bool) {
	if len(s) > maxToken || strings.Count(s, ".") != 2 {
		return Token{}, false
	}
	head, rest, _ := strings.Cut(s, ".")
	payload, sig, _ := strings.Cut(rest, ".")
	if !isBase64URL(sig) {
		return Token{}, false
	}
	t := Token{Raw: s, Signature: sig}
	var ok bool
	if t.Header, ok = segment(head); !ok || t.Header.Get("alg").Kind() != String {
		return Token{}, false
	}
	if t.Claims, ok = segment(payload); !ok {
		return Token{}, false
	}
	return t, true
}

const maxToken = 64 << 10 // bytes; servers limit whole heads to less

func segment(s string) (Value, bool) {
	s = strings.TrimRight(s, "=") // RFC 7515 forbids padding, some issuers write it
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(data) == 0 {
		return Value{}, false
	}
	d, err := ParseJSON(data)
	if err != nil || d.Root().Kind() != Object {
		return Value{}, false
	}
	return d.Root(), true
}

func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '=') {
			return false
		}
	}
	return true
}

// Exists reports whether there is a token.
func (t Token) Exists() bool { return t.Raw != "" }

// Algorithm is the header's "alg".
func (t Token) Algorithm() string { return t.Header.Get("alg").Text() }

// KeyID is the header's "kid".
func (t Token) KeyID() string { return t.Header.Get("kid").Text() }

// Claim is the text of a claim: of a string its content, else its JSON; ok is false when it is absent.
func (t Token) Claim(name string) (text string, ok bool) {
	v := t.Claims.Get(name)
	return v.Text(), v.Exists()
}

// Expiry is the exp claim as a time (RFC 7519, 4.1.4; NumericDate: seconds since
// 1970). The signature is not looked at: we diagnose, the server decides.
func (t Token) Expiry() (time.Time, bool) { return t.date("exp") }

// NotBefore is the nbf claim (RFC 7519, 4.1.5).
func (t Token) NotBefore() (time.Time, bool) { return t.date("nbf") }

// IssuedAt is the iat claim (RFC 7519, 4.1.6).
func (t Token) IssuedAt() (time.Time, bool) { return t.date("iat") }

func (t Token) date(name string) (time.Time, bool) {
	f, ok := t.Claims.Get(name).Float()
	if !ok || math.IsNaN(f) || math.Abs(f) > 1<<53 {
		return time.Time{}, false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}

// ValidAt reports whether now lies within nbf and exp, as far as they are given.
func (t Token) ValidAt(now time.Time) bool {
	if exp, ok := t.Expiry(); ok && !now.Before(exp) {
		return false
	}
	if nbf, ok := t.NotBefore(); ok && now.Before(nbf) {
		return false
	}
	return true
}

// Issuer is the iss claim.
func (t Token) Issuer() string { return t.Claims.Get("iss").Text() }

// Subject is the sub claim.
func (t Token) Subject() string { return t.Claims.Get("sub").Text() }

// Audience is the aud claim: one string or several (RFC 7519, 4.1.3).
func (t Token) Audience() []string { return words(t.Claims.Get("aud"), false) }

// Scopes are the permissions that the token claims, without duplicates: scope (RFC 8693, 4.2), scp
// (Microsoft Entra, Okta), scopes and permissions (Auth0).
func (t Token) Scopes() []string {
	var list []string
	for _, name := range []string{"scope", "scp", "scopes", "permissions"} {
		list = addNew(list, words(t.Claims.Get(name), true))
	}
	return list
}

// Roles are the roles and groups that the token claims: roles, role, groups, Keycloak's
// realm_access and resource_access, Cognito's cognito:groups.
func (t Token) Roles() []string {
	var list []string
	for _, name := range []string{"roles", "role", "groups", "cognito:groups", "authorities"} {
		list = addNew(list, words(t.Claims.Get(name), false))
	}
	list = addNew(list, words(t.Claims.Dig("realm_access", "roles"), false))
	for client := range t.Claims.Get("resource_access").Children() {
		list = addNew(list, words(client.Get("roles"), false))
	}
	return list
}

// words reads a string or an array of strings.
func words(v Value, split bool) []string {
	if s, ok := v.Str(); ok {
		if split {
			return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '+' })
		}
		return []string{s}
	}
	var list []string
	if v.Kind() == Array {
		for c := range v.Children() {
			if s, ok := c.Str(); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

func addNew(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// Sent is a token with the place in a request where it was found.
type Sent struct {
	Token
	// Where is the name of the header field as spelled; for a cookie "Cookie" and its name after a space.
	Where string
}

// Tokens finds the tokens in a message's head: a header's whole value, what
// follows a scheme word, and the values of cookies.
func Tokens(h flow.Header) []Sent {
	var list []Sent
	for _, f := range h {
		if strings.EqualFold(f.Name, "Cookie") || !strings.Contains(f.Value, ".") {
			continue
		}
		v := strings.Trim(f.Value, " \t\"")
		if i := strings.LastIndexByte(v, ' '); i >= 0 {
			v = strings.Trim(v[i+1:], "\"")
		}
		if t, ok := JWT(v); ok {
			list = append(list, Sent{t, f.Name})
		}
	}
	for _, c := range Cookies(h) {
		if t, ok := JWT(strings.Trim(c.Value, "\"")); ok {
			list = append(list, Sent{t, "Cookie " + c.Name})
		}
	}
	return list
}
