package vendors

import "strings"

// MayDecide reports whether a decision may hold for x, without reading JSON or
// running an expression over the body: false is certain. Nearly all answers
// are accepted ones that nobody says anything about, and this is all they cost.
// x need not have JSON and Title.
func MayDecide(x *Exchange, refusedByStatus bool) bool {
	if x.Response == nil {
		return false
	}
	list, g, notice := sectionsFor(x.Response.Status, refusedByStatus), x.bodyGrams(), x.isNotice()
	for i := range list {
		c := &list[i]
		if !c.shut(g) && (notice || !c.bodyAlone) && !c.short(x) && c.may(x) {
			return true
		}
	}
	return false
}

func (s *Section) may(x *Exchange) bool {
	for _, c := range s.Conds {
		switch c.Kind {
		case "status": // sectionsFor has seen to it
		case "body":
			if !c.Not && c.Op != "" && c.lacks(x.bodyGrams()) {
				return false
			}
		case "title":
			if !c.Not && x.bodyGrams().lacks("<title") {
				return false
			}
		case "json":
			if !c.Not && (x.bodyGrams().lacks(c.last) || c.Op != "" && c.lacks(x.bodyGrams()) && c.literally()) {
				return false
			}
		default:
			if _, ok := c.match(x); ok == c.Not {
				return false
			}
		}
	}
	return len(s.Conds) > 0
}

// jsonKey is the last name on a path in JSON: it must stand in the text for a
// condition on the path to hold. A name that is written with escapes is not seen.
func jsonKey(path string) string {
	last := ""
	for name := range strings.SplitSeq(path, ".") {
		if name != "*" && name != "" {
			last = name
		}
	}
	return last
}

// literally reports whether the texts that the condition needs are written in
// JSON as they are, with no need for escapes.
func (c *Cond) literally() bool {
	need := c.Values
	if c.Op == "like" {
		need = c.need()
	}
	for _, s := range need {
		for i := range len(s) {
			if b := s[i]; b < ' ' || b > '~' || strings.IndexByte(`"\\/<>&'=+`, b) >= 0 {
				return false
			}
		}
	}
	return true
}
