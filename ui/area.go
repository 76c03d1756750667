package ui

import (
	"strings"
	"unicode/utf8"

	"github.com/why403/why403/ui/safe"
)

// area is text of several lines being edited, wrapped to its width. Line ends stay as they are: a
// carriage return is a character like another, shown escaped.
type area struct {
	s    string
	at   int // byte offset of the cursor
	goal int // column that up and down aim at; -1: the cursor's
	top  int // first row on the screen
	w, h int // of the last drawing
	rows []vrow
	made string // what rows were made of
}

// vrow is a row on the screen: a part of s without its line feed.
type vrow struct{ start, end int }

func newArea(s string) area { return area{s: s, goal: -1, w: 80, h: 10} }

// key handles a key; false means that it is none of a text's.
func (a *area) key(name, text string) bool {
	in := input{s: a.s, at: a.at}
	switch name {
	case "up":
		a.vertical(-1)
		return true
	case "down":
		a.vertical(1)
		return true
	case "pgup":
		a.vertical(-max(1, a.h-1))
		return true
	case "pgdown":
		a.vertical(max(1, a.h-1))
		return true
	case "home", "ctrl+a":
		a.at = strings.LastIndexByte(a.s[:a.at], '\n') + 1
		a.goal = -1
		return true
	case "end":
		if i := strings.IndexByte(a.s[a.at:], '\n'); i >= 0 {
			a.at += i
		} else {
			a.at = len(a.s)
		}
		a.goal = -1
		return true
	case "ctrl+home":
		a.at, a.goal = 0, -1
		return true
	case "ctrl+end":
		a.at, a.goal = len(a.s), -1
		return true
	case "enter":
		a.insert("\n")
		return true
	case "ctrl+u":
		start := strings.LastIndexByte(a.s[:a.at], '\n') + 1
		a.s, a.at = a.s[:start]+a.s[a.at:], start
		return true
	case "ctrl+k":
		end := len(a.s)
		if i := strings.IndexByte(a.s[a.at:], '\n'); i >= 0 {
			end = a.at + max(i, 1)
		}
		a.s = a.s[:a.at] + a.s[end:]
		return true
	}
	if !in.key(name, "") {
		if text == "" {
			return false
		}
		a.insert(text)
		return true
	}
	a.s, a.at, a.goal = in.s, in.at, -1
	return true
}

// insert puts text at the cursor, byte for byte.
func (a *area) insert(text string) {
	a.s = a.s[:a.at] + text + a.s[a.at:]
	a.at += len(text)
	a.goal = -1
}

// vertical moves by rows of the screen.
func (a *area) vertical(by int) {
	a.layout()
	r := a.rowOf(a.at)
	if a.goal < 0 {
		a.goal = safe.Of(a.s[a.rows[r].start:a.at]).Width()
	}
	to := max(0, min(r+by, len(a.rows)-1))
	if to == r {
		return
	}
	a.at = a.offset(a.rows[to], a.goal)
}

// offset is the byte at a column of a row.
func (a *area) offset(r vrow, col int) int {
	w := 0
	for i := r.start; i < r.end; {
		_, n := utf8.DecodeRuneInString(a.s[i:r.end])
		w += safe.Of(a.s[i : i+n]).Width()
		if w > col {
			return i
		}
		i += n
	}
	return r.end
}

// rowOf is the row that holds the cursor. Between two rows of one line it is the lower one.
func (a *area) rowOf(at int) int {
	for i := len(a.rows) - 1; i > 0; i-- {
		if a.rows[i].start <= at {
			return i
		}
	}
	return 0
}

// layout breaks the text into rows.
func (a *area) layout() {
	if a.rows != nil && a.made == a.s {
		return
	}
	a.made, a.rows = a.s, a.rows[:0]
	start, w := 0, 0
	for i := 0; i < len(a.s); {
		c := a.s[i]
		if c == '\n' {
			a.rows = append(a.rows, vrow{start, i})
			i++
			start, w = i, 0
			continue
		}
		n, cells := 1, 1
		if c < 0x20 || c > 0x7e {
			_, n = utf8.DecodeRuneInString(a.s[i:])
			cells = safe.Of(a.s[i : i+n]).Width()
		}
		if w+cells > a.w && w > 0 {
			a.rows = append(a.rows, vrow{start, i})
			start, w = i, 0
		}
		i += n
		w += cells
	}
	a.rows = append(a.rows, vrow{start, len(a.s)})
}

// view draws h rows of w cells.
func (a *area) view(th *theme, w, h int, focused bool) []string {
	if w-1 != a.w {
		a.w, a.rows = w-1, nil // the last column is for the cursor behind the end
	}
	a.h = h
	a.layout()
	cur := a.rowOf(a.at)
	if cur < a.top || !focused {
		a.top = min(cur, a.top)
	}
	if cur >= a.top+h {
		a.top = cur - h + 1
	}
	a.top = max(0, min(a.top, len(a.rows)-h))
	out := make([]string, 0, h)
	for i := a.top; i < len(a.rows) && len(out) < h; i++ {
		l, r := row(w), a.rows[i]
		if focused && i == cur {
			l.on(th.field)
			in := input{s: a.s[r.start:r.end], at: a.at - r.start}
			in.draw(th, l, th.text, w, true)
		} else {
			l.text(th.text, runes(a.s[r.start:r.end]))
		}
		out = append(out, l.end())
	}
	return fill(out, w, h)
}

// runes escapes each character on its own, as the layout counted them.
func runes(s string) safe.Text {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			var ts []safe.Text
			for s != "" {
				_, n := utf8.DecodeRuneInString(s)
				ts = append(ts, safe.Of(s[:n]))
				s = s[n:]
			}
			return safe.Join(ts...)
		}
	}
	return safe.Of(s)
}

// first reports whether the cursor is in the first row.
func (a *area) first() bool {
	a.layout()
	return a.rowOf(a.at) == 0
}

// click puts the cursor at column x of row y of the last drawing.
func (a *area) click(x, y int) {
	a.layout()
	if i := a.top + y; y >= 0 && i < len(a.rows) {
		a.at, a.goal = a.offset(a.rows[i], max(0, x)), -1
	}
}
