package redact

import (
	"strings"

	"github.com/why403/why403/flow/decode"
)

// url finds the secrets in a URL or a request-target.
func (m *Masker) url(s string) []span {
	rest := len(s)
	fragment := strings.IndexByte(s, '#')
	if fragment >= 0 {
		rest = fragment
	}
	query := strings.IndexByte(s[:rest], '?')
	end := rest
	if query >= 0 {
		end = query
	}
	begin := 0
	if i := strings.Index(s[:end], "://"); i >= 0 {
		begin = i + 3
		if slash := strings.IndexByte(s[begin:end], '/'); slash >= 0 {
			begin += slash
		} else {
			begin = end
		}
	}
	spans := m.path(s, begin, end)
	if query >= 0 {
		spans = append(spans, m.query(s, query+1, rest)...)
	}
	if fragment >= 0 {
		spans = append(spans, m.query(s, fragment+1, len(s))...) // answers of the implicit flow stand there (RFC 6749, 4.2.2)
	}
	return append(spans, m.find(s)...)
}

// path finds segments that are tokens: web hooks and links in mails have them there.
func (m *Masker) path(s string, begin, end int) []span {
	var spans []span
	for at := begin; at < end; {
		next := end
		if i := strings.IndexByte(s[at:end], '/'); i >= 0 {
			next = at + i
		}
		if next-at >= 20 && looksSecret(decoded(s[at:next])) {
			spans = append(spans, m.value(s, at, next, "part of the path", false)...)
		}
		at = next + 1
	}
	return spans
}

// query finds the secrets in the name=value pairs of s[begin:end].
func (m *Masker) query(s string, begin, end int) []span {
	var spans []span
	for _, p := range decode.Query(s[begin:end]) {
		if p.HasValue {
			at := begin + p.Start + len(p.RawName) + 1
			spans = append(spans, m.pair(s, at, at+len(p.RawValue), p.Name, p.Value)...)
		}
	}
	return spans
}

// parameter is query for one name=value pair as written, or a value alone.
func (m *Masker) parameter(name, s string) []span {
	at := 0
	if raw, _, ok := strings.Cut(s, "="); ok && decoded(raw) == name {
		at = len(raw) + 1
	}
	return m.pair(s, at, len(s), name, decoded(s[at:]))
}

func (m *Masker) pair(s string, start, end int, name, value string) []span {
	if (isSecretParameter(name) || isToken(name, value)) && !trivial(value) || isCard(value) || len(value) >= 24 && !isOpenParameter(name) && looksSecret(value) {
		return m.value(s, start, end, "parameter "+name, true)
	}
	return m.find(s[start:end]).shift(start)
}

// decoded is s with its percent escapes undone; wrong ones stay.
func decoded(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isEscape(s, i) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		b = append(b, c)
	}
	return string(b)
}

// value is the span of one secret value at s[start:end]: of a token its
// signature, of other texts the whole, or nothing if it is empty. escapes tells
// that percent and backslash escapes in it are no part of the secret.
func (m *Masker) value(s string, start, end int, about string, escapes bool) spanList {
	for end > start+1 && s[start] == '"' && s[end-1] == '"' {
		start, end = start+1, end-1
	}
	text := s[start:end]
	if _, given := m.values[strings.TrimPrefix(text, "$")]; trivial(text) || given && m.ours {
		return nil
	}
	if n, sig := jwtAt(text); n == len(text) {
		m.claims(text)
		if sig == n {
			return nil // unsigned: there is nothing to keep secret
		}
		return spanList{{start: start + sig, end: end, of: m.add(text[sig:], "signature of the token in "+about)}}
	}
	plain, form := text, asIs
	if escapes {
		if t := decoded(text); t != text {
			plain, form = t, percent
		} else if t, ok := unescaped(text); ok && t != text {
			plain, form = t, escaped
		}
	}
	return spanList{{start: start, end: end, of: m.add(plain, about), form: form}}
}

// unescaped undoes the escapes of a JSON string.
func unescaped(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	d, err := decode.ParseJSON([]byte(`"` + s + `"`))
	if err != nil {
		return s, false
	}
	return d.Root().Str()
}

// claims makes known what is secret among the claims of a token, which itself stays readable.
func (m *Masker) claims(token string) {
	if t, ok := decode.JWT(token); ok {
		m.json(t.Claims.Raw(), true)
	}
}

// spanList is a list of spans of one text.
type spanList []span

func (l spanList) shift(by int) []span {
	for i := range l {
		l[i].start += by
		l[i].end += by
	}
	return l
}

// URL is a URL, or the target of a request, with its secrets masked.
func (m *Masker) URL(s string) string { return m.replace(s, m.url(s)) }
