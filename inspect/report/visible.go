package report

import (
	"strconv"
	"strings"
	"unicode"
)

// visible is s on one line, with everything that could steer a terminal or hide
// text written as an escape: control characters, C1, bidirectional and other format characters.
func visible(s string) string {
	clean := func(r rune) bool {
		return r == unicode.ReplacementChar || r != ' ' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs))
	}
	if strings.IndexFunc(s, clean) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case clean(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
