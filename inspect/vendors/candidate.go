package vendors

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// candidate is a section with what shows at a glance that it does not hold.
// There are thousands of sections, and next to none holds for an answer: the
// conditions themselves are for those that remain.
type candidate struct {
	*Section
	// gates are hashes of three bytes of each text of which one must stand in the
	// body; nil: nothing must.
	gates []uint32
	// named is true where the gates are of a name in a JSON document, which may
	// be written with escapes.
	named bool
	// has and sent are the fields that the answer and the request must have, see nameBit.
	has, sent uint64
	// logged is true where a log line must hold something.
	logged bool
}

func candidateOf(s *Section) candidate {
	c := candidate{Section: s}
	for _, k := range s.Conds {
		switch {
		case k.Not:
		case k.Kind == "log":
			c.logged = true
		case strings.HasSuffix(k.Name, "*"):
		case k.Kind == "header", k.Kind == "trailer":
			c.has |= nameBit(k.Name)
		case k.Kind == "request-header":
			c.sent |= nameBit(k.Name)
		}
	}
	var need []string
	switch i := slices.IndexFunc(s.Conds, func(c *Cond) bool { return c.Kind == "json" && !c.Not }); {
	case s.text != nil && s.text.Op == "like":
		need = s.text.need()
	case s.text != nil:
		need = s.text.Values
	case i >= 0:
		need, c.named = []string{s.Conds[i].last}, true
	}
	for _, t := range need {
		if len(t) < 3 {
			c.gates = nil
			break
		}
		at := (len(t) - 3) / 2 // texts differ in the middle more than where they begin
		c.gates = append(c.gates, gram(t[at], t[at+1], t[at+2]))
	}
	return c
}

// shut reports that the body has none of the texts of which it must have one.
func (c *candidate) shut(g *grams) bool {
	for _, h := range c.gates {
		if h >>= g.shift; g.bits[h/64]&(1<<(h%64)) != 0 {
			return false
		}
	}
	return len(c.gates) > 0
}

// short reports that the exchange lacks a field or a log line that there must be.
func (c *candidate) short(x *Exchange) bool {
	n := x.names()
	return c.has&^n.has != 0 || c.sent&^n.sent != 0 || c.logged && len(x.Logs) == 0
}

// ruledOut reports for certain that the section does not hold.
func (c *candidate) ruledOut(x *Exchange) bool {
	switch {
	case c.short(x):
		return true
	case c.gates == nil || c.named && !x.names().literal:
		return false
	}
	return c.shut(x.bodyGrams())
}

// names are what an exchange has, as candidates ask for it.
type names struct {
	has, sent uint64 // fields of the answer, its trailers among them, and of the request
	// literal is true where the names in a JSON document stand in Lower as they are.
	literal bool
}

func (x *Exchange) names() *names {
	if n := x.cached.names; n != nil {
		return n
	}
	n := &names{literal: len(x.Lower) == len(x.Body) && !strings.Contains(x.Lower, `\`)}
	if m := x.Response; m != nil {
		n.has = nameBits(m.Header) | nameBits(m.Trailers)
	}
	if m := x.Request; m != nil {
		n.sent = nameBits(m.Header)
	}
	x.cached.names = n
	return n
}

func nameBits(h flow.Header) (bits uint64) {
	for i := range h {
		bits |= nameBit(h[i].Name)
	}
	return bits
}

// nameBit is one of 64 bits for the name of a field, in whatever case: a message
// that lacks the bit lacks the field.
func nameBit(name string) uint64 {
	h := uint32(2166136261) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint32(low(name[i]))) * 16777619
	}
	return 1 << (h >> 26)
}
