// Package safe makes text that came over the network fit to be drawn on a terminal.
//
// A Text can be made by this package alone, and what the screen draws takes Texts: so no byte of a
// request or an answer reaches the terminal as a control function (ECMA-48), turns the direction of
// the text around it, hides itself, or shifts the columns behind it.
package safe

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxMarks is how many combining marks of one character are drawn; more would climb into other rows.
const maxMarks = 4

// Text is a string of known width in cells whose characters are all visible and inert.
// What is not is shown by its number: \x1b, \u{202e}, and \xff for a byte that is no UTF-8.
type Text struct {
	s string
	w int
}

// Of makes s fit to be drawn. It costs one pass for printable ASCII and no allocation.
func Of(s string) Text {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e {
			return escape(s, i)
		}
	}
	return Text{s, len(s)}
}

// Bytes is Of for a part of a body.
func Bytes(b []byte) Text { return Of(string(b)) }

// String is the text as it is written to the terminal.
func (t Text) String() string { return t.s }

// Width is the number of cells.
func (t Text) Width() int { return t.w }

// Empty reports whether there is nothing to draw.
func (t Text) Empty() bool { return t.s == "" }

// Cut is t in at most w cells, with an ellipsis in the last one if something is missing.
func (t Text) Cut(w int) Text {
	switch {
	case t.w <= w:
		return t
	case w <= 0:
		return Text{}
	case len(t.s) == t.w:
		return Text{t.s[:w-1] + "…", w}
	}
	return made(ansi.Truncate(t.s, w, "…"))
}

// Head is the first w cells of t, without an ellipsis; a wide character that would be halved is left out.
func (t Text) Head(w int) Text {
	switch {
	case t.w <= w:
		return t
	case w <= 0:
		return Text{}
	case len(t.s) == t.w:
		return Text{t.s[:w], w}
	}
	return made(ansi.Truncate(t.s, w, ""))
}

// Skip is t without its first n cells. Half of a wide character becomes a space.
func (t Text) Skip(n int) Text {
	switch {
	case n <= 0:
		return t
	case n >= t.w:
		return Text{}
	case len(t.s) == t.w:
		return Text{t.s[n:], t.w - n}
	}
	s, gone := t.s, 0
	for gone < n {
		cluster, w := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		s = s[len(cluster):]
		gone += w
	}
	return Text{strings.Repeat(" ", gone-n) + s, t.w - n}
}

// Fold breaks t into parts of at most w cells, the first of at most first cells (it is empty when not
// even one character fits). Characters are never halved; w is at least 2. There is always one part.
func (t Text) Fold(first, w int) []Text {
	w = max(w, 2)
	if t.w <= first {
		return []Text{t}
	}
	var parts []Text
	if len(t.s) == t.w {
		for rest, room := t.s, max(first, 0); ; room = w {
			n := min(room, len(rest))
			parts = append(parts, Text{rest[:n], n})
			if rest = rest[n:]; rest == "" {
				return parts
			}
		}
	}
	start, cells, room := 0, 0, max(first, 0)
	for i := 0; i < len(t.s); {
		n, c := 1, 1
		if t.s[i] >= utf8.RuneSelf || i+1 < len(t.s) && t.s[i+1] >= utf8.RuneSelf {
			cluster, cw := ansi.FirstGraphemeCluster(t.s[i:], ansi.GraphemeWidth)
			n, c = len(cluster), cw
		}
		if cells+c > room {
			parts = append(parts, Text{t.s[start:i], cells})
			start, cells, room = i, 0, w
		}
		i += n
		cells += c
	}
	return append(parts, Text{t.s[start:], cells})
}

// Join puts texts one behind the other.
func Join(ts ...Text) Text {
	var b strings.Builder
	w := 0
	for _, t := range ts {
		b.WriteString(t.s)
		w += t.w
	}
	return Text{b.String(), w}
}

func made(s string) Text { return Text{s, ansi.StringWidth(s)} }

func escape(s string, clean int) Text {
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:clean])
	w := clean
	// A mark or a joiner that follows would change the character before it: take that one back.
	if clean > 0 && s[clean] >= utf8.RuneSelf {
		clean--
		w--
		kept := b.String()[:clean]
		b.Reset()
		b.Grow(len(s) + 16)
		b.WriteString(kept)
	}
	for s = s[clean:]; s != ""; {
		if c := s[0]; c >= 0x20 && c <= 0x7e && (len(s) == 1 || s[1] < utf8.RuneSelf) {
			b.WriteByte(c)
			w++
			s = s[1:]
			continue
		}
		cluster, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		if cluster == "" {
			cluster = s[:1]
		}
		w += put(&b, cluster)
		s = s[len(cluster):]
	}
	return Text{b.String(), w}
}

// put writes one user-perceived character. It stays whole if terminals agree on its width;
// else its code points are written one by one, each as itself or by its number.
func put(b *strings.Builder, cluster string) int {
	if plain(cluster) {
		if w, ok := agreed(cluster); ok {
			b.WriteString(cluster)
			return w
		}
	}
	w := 0
	for i := 0; i < len(cluster); {
		r, n := utf8.DecodeRuneInString(cluster[i:])
		one := cluster[i : i+n]
		i += n
		if !(r == utf8.RuneError && n == 1) && !hidden(r) {
			if cells, ok := agreed(one); ok {
				b.WriteString(one)
				w += cells
				continue
			}
		}
		e := number(r, one)
		b.WriteString(e)
		w += len(e)
	}
	return w
}

// plain reports whether a cluster is valid UTF-8 of visible characters with a sane number of marks.
func plain(cluster string) bool {
	marks := -1
	for i, r := range cluster {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(cluster[i:]); n == 1 {
				return false
			}
		}
		if hidden(r) {
			return false
		}
		marks++
	}
	return marks <= maxMarks
}

// agreed is the width of s where counting by character (wcwidth) and by cluster (mode 2027) give the same.
func agreed(s string) (int, bool) {
	w := ansi.StringWidth(s)
	return w, w > 0 && w == ansi.StringWidthWc(s)
}

// hidden reports whether a terminal would obey r, turn the text around, or show nothing where something is.
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f: // C0, DEL, C1
		return true
	case r < 0x7f:
		return false
	case r == 0x3000: // ideographic space: wide and evident
		return false
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0: // joiners and fillers without a shape
		return true
	case r >= 0x180b && r <= 0x180f, r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff: // variation selectors, tags
		return true
	case r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef: // noncharacters
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs)
}

func number(r rune, raw string) string {
	switch {
	case r == '\t':
		return `\t`
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case len(raw) == 1:
		const hex = "0123456789abcdef"
		return `\x` + string(hex[raw[0]>>4]) + string(hex[raw[0]&15])
	}
	return `\u{` + strconv.FormatInt(int64(r), 16) + `}`
}
