package decode

import (
	"encoding/base64"
	"iter"
	"strings"

	"github.com/why403/why403/flow"
)

// Credentials is what an Authorization field says (RFC 9110, 11.6.2), with what
// is wrong in how it says it.
type Credentials struct {
	Scheme string // as spelled; "" when the value is a bare token
	Rest   string // what follows the scheme, trimmed
	// Faults are short phrases about the syntax, such as "the scheme stands twice".
	Faults []string
}

// Authorization reads the first field called name ("Authorization", "Proxy-Authorization").
func Authorization(h flow.Header, name string) (Credentials, bool) {
	v, ok := h.Lookup(name)
	if !ok {
		return Credentials{}, false
	}
	c := ParseCredentials(v)
	if n := h.Count(name); n > 1 {
		c.Faults = append(c.Faults, "the field is there more than once")
	}
	return c, true
}

// ParseCredentials reads one value and checks the syntax of the schemes Bearer
// (RFC 6750, 2.1) and Basic (RFC 7617, 2).
func ParseCredentials(v string) Credentials {
	trimmed := strings.TrimSpace(v)
	var c Credentials
	fault := func(s string) { c.Faults = append(c.Faults, s) }
	word, rest, spaced := strings.Cut(trimmed, " ")
	switch {
	case trimmed == "":
		fault("the value is empty")
		return c
	case !spaced && knownScheme(strings.TrimSuffix(trimmed, ":")):
		c.Scheme = strings.TrimSuffix(trimmed, ":")
		fault("no credentials follow the scheme")
		return c
	case !spaced:
		c.Rest = trimmed
		fault("no scheme stands before the credentials")
		return c
	}
	if s, colon := strings.CutSuffix(word, ":"); colon {
		word = s
		fault("a colon follows the scheme")
	}
	c.Scheme, c.Rest = word, strings.TrimSpace(rest)
	if strings.HasPrefix(rest, " ") {
		fault("more than one space follows the scheme")
	}
	if again, _, ok := strings.Cut(c.Rest, " "); ok && strings.EqualFold(again, c.Scheme) {
		fault("the scheme stands twice")
	}
	switch strings.ToLower(c.Scheme) {
	case "bearer":
		c.Faults = append(c.Faults, bearerFaults(c.Rest)...)
	case "basic":
		c.Faults = append(c.Faults, basicFaults(c.Rest)...)
	}
	return c
}

func knownScheme(s string) bool {
	switch strings.ToLower(s) {
	case "basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "dpop", "hawk", "aws4-hmac-sha256":
		return true
	}
	return false
}

// bearerFaults checks for b64token: ALPHA DIGIT - . _ ~ + / and "=" at the end.
func bearerFaults(token string) []string {
	switch token {
	case "null", "undefined", "None", "nil", "[object Object]", "NaN":
		return []string{"the token is the word " + token + ", what a program writes for a value that is missing"}
	}
	if strings.ContainsAny(token, " \t") {
		return []string{"the token has whitespace in it"}
	}
	if strings.ContainsAny(token, "\"'") {
		return []string{"the token has quotes around it"}
	}
	for i := range len(token) {
		c := token[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0) {
			return []string{"the token has " + shown(c) + " in it, which a bearer token cannot have"}
		}
	}
	return nil
}

func basicFaults(rest string) []string {
	data, ok := base64Any(rest)
	switch {
	case !ok && strings.Contains(rest, ":"):
		return []string{"user and password are not base64-encoded"}
	case !ok:
		return []string{"the credentials are not base64"}
	case !strings.Contains(data, ":"):
		return []string{"no colon stands between user and password"}
	case strings.HasSuffix(data, "\n"):
		return []string{"the password ends with a line break, as from echo without -n"}
	}
	return nil
}

func base64Any(s string) (string, bool) {
	s = strings.TrimRight(s, "=")
	if data, err := base64.RawStdEncoding.DecodeString(s); err == nil {
		return string(data), true
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	return string(data), err == nil
}

// Bearer is the token of the Authorization field.
func Bearer(h flow.Header) (token string, ok bool) {
	c, ok := Authorization(h, "Authorization")
	if !ok || !strings.EqualFold(c.Scheme, "Bearer") || c.Rest == "" {
		return "", false
	}
	return c.Rest, true
}

// Basic is user and password of the Authorization field (RFC 7617).
func Basic(h flow.Header) (user, password string, ok bool) {
	c, ok := Authorization(h, "Authorization")
	if !ok || !strings.EqualFold(c.Scheme, "Basic") {
		return "", "", false
	}
	data, ok := base64Any(c.Rest)
	if !ok {
		return "", "", false
	}
	return strings.Cut(data, ":")
}

// Challenge is one demand for credentials (RFC 9110, 11.6.1).
type Challenge struct {
	Scheme  string // as spelled
	Token68 string // "" when there are parameters
	Params  []Param
}

// Param is the value of the parameter called name (lower case), "" if there is none.
func (c Challenge) Param(name string) string {
	for _, p := range c.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Challenges reads all fields called name ("WWW-Authenticate", "Proxy-Authenticate"). Several challenges may
// share a field, and their parameters are separated by commas as well: a member that begins with
// "word word" or is a word alone begins a new challenge.
func Challenges(h flow.Header, name string) []Challenge {
	var list []Challenge
	for v := range h.Values(name) {
		first := true
		for m := range members(v) {
			scheme, rest, spaced := strings.Cut(m, " ")
			rest = strings.TrimSpace(rest)
			switch {
			case !strings.ContainsAny(scheme, "=\"") && !strings.HasPrefix(rest, "="):
				c := Challenge{Scheme: scheme}
				if spaced && rest != "" {
					c.add(rest)
				}
				list, first = append(list, c), false
			case first: // parameters without a scheme: keep them rather than lose them
				list, first = append(list, Challenge{}), false
				list[len(list)-1].add(m)
			default:
				list[len(list)-1].add(m)
			}
		}
	}
	return list
}

func (c *Challenge) add(s string) {
	if len(c.Params) == 0 && c.Token68 == "" && isToken68(s) {
		c.Token68 = s
		return
	}
	p, _ := nextParam(s, ',')
	c.Params = append(c.Params, p)
}

// isToken68 reports whether s is one: no "=" but at its end.
func isToken68(s string) bool {
	t := strings.TrimRight(s, "=")
	for i := range len(t) {
		c := t[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return t != ""
}

// members yields the members of a comma-separated list, quoted strings respected, empty ones left out.
func members(v string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for from := 0; from < len(v); {
			end, quoted := from, false
			for ; end < len(v) && (quoted || v[end] != ','); end++ {
				switch {
				case v[end] == '\\' && quoted:
					end++
				case v[end] == '"':
					quoted = !quoted
				}
			}
			end = min(end, len(v))
			if m := strings.TrimSpace(v[from:end]); m != "" && !yield(m) {
				return
			}
			from = end + 1
		}
	}
}
