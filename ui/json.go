package ui

import (
	"bytes"
	"encoding/json"

	"github.com/why403/why403/ui/safe"
)

// prettyJSON indents data by two. Order, numbers and escapes stay as they were sent.
func prettyJSON(data []byte) ([]byte, bool) {
	var out bytes.Buffer
	out.Grow(len(data) * 3 / 2)
	if err := json.Indent(&out, bytes.TrimSpace(data), "", "  "); err != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// jsonPieces colours one line of indented JSON. It needs to see no other line: our indenting puts no
// line break inside a string.
func jsonPieces(th *theme, text []byte) []piece {
	var ps []piece
	for i := 0; i < len(text); {
		start := i
		s := th.muted
		switch c := text[i]; {
		case c == '"':
			i++
			for i < len(text) && text[i] != '"' {
				if text[i] == '\\' {
					i++
				}
				i++
			}
			i = min(i+1, len(text))
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
