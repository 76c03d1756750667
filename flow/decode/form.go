package decode

import "strings"

// Pair is one name=value of a query or a form, decoded and as written.
type Pair struct {
	Name, Value       string // "+" and %XX undone; an escape that is none stays as it is
	RawName, RawValue string
	HasValue          bool // "=" is there
	Bad               bool // an escape in it is invalid
	Start, End        int  // place of name=value in the input
}

const maxPairs = 100_000

// Query takes a query string apart (without the "?"), in order, duplicates
// included, as application/x-www-form-urlencoded (WHATWG URL, 5.1). An empty piece
// ("a=1&&b=2") is a Pair with an empty RawName and no value.
func Query(raw string) []Pair {
	if raw == "" {
		return nil
	}
	var list []Pair
	for at := 0; at <= len(raw) && len(list) < maxPairs; {
		end := len(raw)
		if i := strings.IndexByte(raw[at:], '&'); i >= 0 {
			end = at + i
		}
		p := Pair{Start: at, End: end}
		p.RawName, p.RawValue, p.HasValue = strings.Cut(raw[at:end], "=")
		var bad bool
		p.Name, p.Bad = unescape(p.RawName)
		p.Value, bad = unescape(p.RawValue)
		p.Bad = p.Bad || bad
		list = append(list, p)
		at = end + 1
	}
	return list
}

// Form takes a URL-encoded form apart, as Query does.
func Form(data []byte) []Pair { return Query(string(data)) }

func unescape(s string) (text string, bad bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, false
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			bad = bad || s[i] == '%'
			b = append(b, s[i])
		}
	}
	return string(b), bad
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// EscapeForm writes s so that Query reads it back: what is not unreserved (RFC 3986, 2.3) is escaped,
// a space becomes "+".
func EscapeForm(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
