package vendors

import (
	"regexp/syntax"
	"strings"
)

// needed returns texts, in lower case, of which one must be in whatever the
// expression matches; nil if that cannot be told. Looking for them first spares
// most expressions their run: a search for a text is some fifty times faster.
func needed(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	return literals(re.Simplify())
}

// maxNeeded is how many alternatives are looked for one by one.
const maxNeeded = 12

func literals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		s := Lower(string(re.Rune))
		for _, c := range []byte(s) {
			if c >= 0x80 {
				return nil // folds to other lengths
			}
		}
		return []string{s}
	case syntax.OpCapture, syntax.OpPlus:
		return literals(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literals(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if l := literals(sub); shortest(l) > shortest(best) {
				best = l
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			l := literals(sub)
			if l == nil || len(all)+len(l) > maxNeeded {
				return nil
			}
			all = append(all, l...)
		}
		return all
	}
	return nil
}

func shortest(l []string) int {
	if len(l) == 0 {
		return 0
	}
	n := len(l[0])
	for _, s := range l {
		n = min(n, len(s))
	}
	return n
}

// may reports whether the expression could match a text that is low in lower case.
func (c *Cond) may(low string) bool {
	need := c.need()
	if need == nil {
		return true
	}
	for _, s := range need {
		if strings.Contains(low, s) {
			return true
		}
	}
	return false
}
