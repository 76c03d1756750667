package waf

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// coding is how a text is written in the request.
type coding uint8

const (
	plain      coding = iota
	percent           // URL: %XX
	form              // a query or a form: %XX and "+"
	jsonString        // the inside of a JSON string
)

// decoded is a text without its escapes; at[i] is where text[i] comes from in what was sent, and
// at[len(text)] the end of that.
type decoded struct {
	raw  string
	text []byte
	at   []int
}

func mapped(s source) decoded {
	d := decoded{raw: s.raw, text: make([]byte, 0, len(s.raw)), at: make([]int, 0, len(s.raw)+1)}
	for i := 0; i < len(s.raw); {
		i = d.step(i, s.coded)
	}
	d.at = append(d.at, len(s.raw))
	return d
}

// add says that the bytes b stand at i.
func (d *decoded) add(i int, b ...byte) {
	d.text = append(d.text, b...)
	for range b {
		d.at = append(d.at, i)
	}
}

// step takes the character at i and gives where the next one begins.
func (d *decoded) step(i int, c coding) int {
	b := d.raw[i]
	switch {
	case c == form && b == '+':
		d.add(i, ' ')
	case (c == form || c == percent) && b == '%' && i+2 < len(d.raw):
		if n, err := strconv.ParseUint(d.raw[i+1:i+3], 16, 8); err == nil {
			d.add(i, byte(n))
			return i + 3
		}
		d.add(i, b)
	case c == jsonString && b == '\\' && i+1 < len(d.raw):
		return d.escape(i)
	default:
		d.add(i, b)
	}
	return i + 1
}

var jsonEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape takes a JSON escape (RFC 8259, 7).
func (d *decoded) escape(i int) int {
	c := d.raw[i+1]
	if c != 'u' {
		if e, ok := jsonEscapes[c]; ok {
			c = e
		}
		d.add(i, c)
		return i + 2
	}
	r, ok := hexRune(d.raw, i+2)
	if !ok {
		d.add(i, '\\')
		return i + 1
	}
	end := i + 6
	if utf16.IsSurrogate(r) && end+1 < len(d.raw) && d.raw[end] == '\\' && d.raw[end+1] == 'u' {
		if low, ok := hexRune(d.raw, end+2); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				r, end = both, end+6
			}
		}
	}
	d.add(i, utf8.AppendRune(nil, r)...)
	return end
}

func hexRune(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[i:i+4], 16, 16)
	return rune(n), err == nil
}

// between is the text of the bytes [from, to) of what was sent.
func (d decoded) between(from, to int) string {
	a, b := 0, len(d.text)
	for a < len(d.text) && d.at[a] < from {
		a++
	}
	for b > a && d.at[b-1] >= to {
		b--
	}
	return string(d.text[a:b])
}

// find says where a piece that a rule quotes stands in what was sent. Rules look at
// a text after changing it: escapes undone once more, small letters, no blanks, quotes
// or backslashes. So it is looked for as it is, without regard to case, and at
// last by its letters and digits alone.
func (d decoded) find(piece string) (from, to int, ok bool) {
	if piece == "" {
		return 0, 0, false
	}
	low := lower([]byte(piece))
	for range 2 {
		if i := bytes.Index(d.text, []byte(piece)); i >= 0 {
			return d.at[i], d.end(i + len(piece)), true
		}
		if i := bytes.Index(lower(d.text), low); i >= 0 {
			return d.at[i], d.end(i + len(piece)), true
		}
		d = d.again()
	}
	return d.byLetters(low)
}

// end is where what comes before text[i] ends in what was sent.
func (d decoded) end(i int) int { return d.at[i] }

// again undoes percent escapes once more.
func (d decoded) again() decoded {
	once := mapped(source{raw: string(d.text), coded: percent})
	for i, at := range once.at {
		once.at[i] = d.at[at]
	}
	once.raw = d.raw
	return once
}

// leastLetters is how many letters and digits make a piece that is found by them.
const leastLetters = 3

func (d decoded) byLetters(piece []byte) (from, to int, ok bool) {
	want := letters(piece)
	if len(want.text) < leastLetters {
		return 0, 0, false
	}
	low := lower(d.text)
	have := letters(low)
	i := bytes.Index(have.text, want.text)
	if i < 0 {
		return 0, 0, false
	}
	a, b := have.at[i], have.at[i+len(want.text)-1]+1
	// Signs at the ends of the piece stand there in what was sent as well, perhaps with more blanks.
	lead, trail := piece[:want.at[0]], piece[want.at[len(want.at)-1]+1:]
	for j := a - 1; j >= 0 && len(lead) > 0; {
		switch last := lead[len(lead)-1]; {
		case blank(last):
			lead = lead[:len(lead)-1]
		case low[j] == last:
			a, lead, j = j, lead[:len(lead)-1], j-1
		case blank(low[j]):
			j--
		default:
			lead = nil
		}
	}
	for j := b; j < len(low) && len(trail) > 0; {
		switch first := trail[0]; {
		case blank(first):
			trail = trail[1:]
		case low[j] == first:
			b, trail, j = j+1, trail[1:], j+1
		case blank(low[j]):
			j++
		default:
			trail = nil
		}
	}
	return d.at[a], d.at[b], true
}

// letters are the letters and digits of s.
func letters(s []byte) (out decoded) {
	for i, c := range s {
		if letter(c) {
			out.text, out.at = append(out.text, c), append(out.at, i)
		}
	}
	return out
}

func blank(c byte) bool { return c == ' ' || c >= 9 && c <= 13 }

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// lower is s with the ASCII letters in lower case; offsets stay.
func lower(s []byte) []byte {
	out := bytes.Clone(s)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 32
		}
	}
	return out
}
