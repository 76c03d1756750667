package ui

import (
	"bytes"

	"github.com/why403/why403/ui/safe"
)

// indentJSON breaks JSON into lines and indents it by two. Order, numbers, escapes and the bytes of
// strings stay as they were sent. It looks at brackets and strings only, so that a text that was cut
// can be read too; whether it is valid is for others to say. false: this is no JSON, or it would become too long.
func indentJSON(data []byte) ([]byte, bool) {
	const deepest = 512
	out := make([]byte, 0, len(data)+len(data)/2)
	depth := 0
	line := func() {
		out = append(out, '\n')
		for range min(depth, 64) {
			out = append(out, "  "...)
		}
	}
	for i := 0; i < len(data); {
		if len(out) > len(data)+prettyLimit {
			return nil, false
		}
		switch c := data[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			end := stringEnd(data, i)
			out = append(out, data[i:end]...)
			i = end
		case '{', '[':
			out = append(out, c)
			i++
			for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
				i++
			}
			if i < len(data) && data[i] == c+2 { // an empty one stays together
				out = append(out, data[i])
				i++
				continue
			}
			if depth++; depth > deepest {
				return nil, false
			}
			line()
		case '}', ']':
			if depth--; depth < 0 {
				return nil, false
			}
			line()
			out = append(out, c)
			i++
		case ',':
			out = append(out, c)
			i++
			line()
		case ':':
			out = append(out, ": "...)
			i++
		default:
			end := i
			for end < len(data) && bytes.IndexByte([]byte("{}[],:\" \t\r\n"), data[end]) < 0 {
				end++
			}
			out = append(out, data[i:end]...)
			i = end
		}
	}
	return out, true
}

// stringEnd is the end of the string that begins at i, or of data if it does not end.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// jsonPieces colours one line of indented JSON. It needs to see no other line: our indenting puts no
// line break inside a string that had none.
func jsonPieces(th *theme, text []byte) []piece {
	var ps []piece
	for i := 0; i < len(text); {
		start := i
		s := th.muted
		switch c := text[i]; {
		case c == '"':
			i = stringEnd(text, i)
			s = th.str
			if rest := bytes.TrimLeft(text[i:], " "); len(rest) > 0 && rest[0] == ':' {
				s = th.accent
			}
		case c == '-' || c >= '0' && c <= '9':
			for i < len(text) && bytes.IndexByte([]byte("+-.0123456789eE"), text[i]) >= 0 {
				i++
			}
			s = th.num
		case c >= 'a' && c <= 'z':
			for i < len(text) && text[i] >= 'a' && text[i] <= 'z' {
				i++
			}
			s = th.word
		default:
			for i++; i < len(text) && bytes.IndexByte([]byte("{}[]:, "), text[i]) >= 0; i++ {
			}
		}
		ps = append(ps, piece{s, safe.Bytes(untab(text[start:i]))})
	}
	return ps
}
