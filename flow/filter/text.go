package filter

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern is text to be found, without regard to case.
type pattern struct {
	lower string // "": everything
	ascii bool
	rare  int // index in lower of the byte to look for first (ascii)
	re    *regexp.Regexp
	must  *pattern // a text that all matches of re contain; nil: not known
}

// regexpPattern matches source without regard to case.
func regexpPattern(source string) (pattern, error) {
	re, err := regexp.Compile("(?i)" + source)
	if err != nil {
		return pattern{}, err
	}
	p := pattern{re: re}
	if tree, err := syntax.Parse(source, syntax.Perl); err == nil {
		if s := literal(tree); len(s) > 1 {
			if must := textPattern(s); must.ascii {
				p.must = &must
			}
		}
	}
	return p, nil
}

// literal is the longest text that every match of an expression contains.
func literal(t *syntax.Regexp) string {
	longest := ""
	switch t.Op {
	case syntax.OpLiteral:
		return string(t.Rune)
	case syntax.OpCapture, syntax.OpPlus:
		return literal(t.Sub[0])
	case syntax.OpRepeat:
		if t.Min > 0 {
			return literal(t.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range t.Sub {
			if s := literal(sub); len(s) > len(longest) {
				longest = s
			}
		}
	}
	return longest
}

func textPattern(s string) pattern {
	p := pattern{lower: s, ascii: true}
	if utf8.ValidString(s) { // else ToLower would change the bytes that are no text
		p.lower = strings.ToLower(s)
	}
	best := 1 << 10
	for i := range len(p.lower) {
		c := p.lower[i]
		if c >= utf8.RuneSelf {
			p.ascii = false
			break
		}
		if f := frequency(c); f < best {
			p.rare, best = i, f
		}
	}
	return p
}

// frequency ranks the bytes of web traffic by how often they come, roughly: the search starts at a byte that is not everywhere.
func frequency(c byte) int {
	const common = `etaoinsrhldcumfpgwybv kxjqz"/:,.-_0123456789`
	if i := strings.IndexByte(common, c); i >= 0 {
		return len(common) - i
	}
	return 0
}

// in reports whether the pattern occurs in s.
func (p *pattern) in(s string) bool {
	switch {
	case p.re != nil:
		if p.must != nil && !p.must.in(s) && isASCII(s) { // beyond ASCII there are letters that fold to k and s
			return false
		}
		return p.re.MatchString(s)
	case len(p.lower) == 0:
		return true
	case p.ascii:
		return p.inASCII(s)
	}
	for i := range s {
		if foldPrefix(s[i:], p.lower) {
			return true
		}
	}
	return false
}

// whole reports whether the pattern is s.
func (p *pattern) whole(s string) bool {
	if p.re != nil {
		return p.re.MatchString(s)
	}
	return strings.EqualFold(s, p.lower)
}

// inASCII hops from one occurrence of the rare byte, in either case, to the next.
func (p *pattern) inASCII(s string) bool {
	n := len(p.lower)
	if len(s) < n {
		return false
	}
	low := p.lower[p.rare]
	up := upper(low)
	last := len(s) - (n - p.rare) // last place where the rare byte may stand
	next := func(c byte, from int) int {
		if i := strings.IndexByte(s[from:last+1], c); i >= 0 {
			return from + i
		}
		return last + 1
	}
	atLow, atUp := next(low, p.rare), last+1
	if up != low {
		atUp = next(up, p.rare)
	}
	for {
		at := min(atLow, atUp)
		if at > last {
			return false
		}
		if equalASCII(s[at-p.rare:at-p.rare+n], p.lower) {
			return true
		}
		if at == atLow {
			atLow = next(low, at+1)
		} else {
			atUp = next(up, at+1)
		}
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// equalASCII compares s with lower of the same length.
func equalASCII(s, lower string) bool {
	for i := range len(lower) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// foldPrefix reports whether s begins with lower.
func foldPrefix(s, lower string) bool {
	for lower != "" {
		if s == "" {
			return false
		}
		a, n := utf8.DecodeRuneInString(lower)
		b, m := utf8.DecodeRuneInString(s)
		if a != b && a != unicode.ToLower(b) || a == utf8.RuneError && n == 1 && lower[0] != s[0] {
			return false
		}
		lower, s = lower[n:], s[m:]
	}
	return true
}
