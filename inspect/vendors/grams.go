package vendors

import "strings"

// grams holds, by a hash, which runs of three bytes a text has, in lower case:
// a text that lacks one of a phrase's lacks the phrase. Asking this first spares
// nearly all of the thousands of searches that a text would get.
type grams struct {
	bits  []uint64
	shift uint // of a hash, to be the number of a bit
}

// A short text gets a small table: most answers are short, and clearing the
// large one takes longer than reading them.
const (
	gramBits  = 16
	shortBits = 12
	shortText = 600 // bytes
)

func gramsOf(s string) *grams {
	g := &grams{shift: gramBits - shortBits}
	if len(s) > shortText {
		g.shift = 0
	}
	g.bits = make([]uint64, 1<<(gramBits-g.shift)/64)
	for i := 0; i+3 <= len(s); i++ {
		h := gram(s[i], s[i+1], s[i+2]) >> g.shift
		g.bits[h/64] |= 1 << (h % 64)
	}
	return g
}

func gram(a, b, c byte) uint32 {
	return (uint32(low(a)) | uint32(low(b))<<8 | uint32(low(c))<<16) * 0x9e3779b1 >> (32 - gramBits)
}

func low(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// lacks reports that the text has not got the phrase, in whatever case.
func (g *grams) lacks(phrase string) bool {
	for i := 0; i+3 <= len(phrase); i++ {
		if h := gram(phrase[i], phrase[i+1], phrase[i+2]) >> g.shift; g.bits[h/64]&(1<<(h%64)) == 0 {
			return true
		}
	}
	return false
}

// lacks reports that the condition cannot hold for a text that has these grams.
func (c *Cond) lacks(g *grams) bool {
	need := c.Values
	if c.Op == "like" {
		need = c.need()
	}
	for _, s := range need {
		if !g.lacks(s) {
			return false
		}
	}
	return len(need) > 0
}

// cached is what the conditions ask of an exchange again and again.
type cached struct {
	body, log *grams
	notice    int8 // 1: the accepted answer may be about a refusal, -1: it is about something else
	names     *names
}

func (x *Exchange) bodyGrams() *grams {
	if x.cached.body == nil {
		x.cached.body = gramsOf(x.Lower)
	}
	return x.cached.body
}

func (x *Exchange) logGrams() *grams {
	if x.cached.log == nil {
		var b strings.Builder
		for _, l := range x.Logs {
			b.WriteString(l.Text + "\n")
		}
		x.cached.log = gramsOf(b.String())
	}
	return x.cached.log
}
