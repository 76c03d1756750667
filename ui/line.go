package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/ui/safe"
)

// words are text of our own. Only a constant converts to it silently, so what came from outside
// cannot be drawn without passing through package safe.
type words string

// line draws one row of exactly max cells.
type line struct {
	b      []byte
	w, max int
	base   style // lies under everything
	over   style // replaces every style, if set
	cur    style
	styled bool
	trail  int // length of b before the spaces that were drawn last
}

func row(max int) *line { return &line{max: max, b: make([]byte, 0, max*3)} }

// on sets what lies under the row; it comes before anything is drawn.
func (l *line) on(base style) *line {
	l.base = base
	return l
}

func (l *line) sgr(s style) {
	if l.over != "" {
		s = l.over
	}
	if l.styled && l.cur == s || !l.styled && s == "" && l.base == "" {
		return
	}
	l.b = append(l.b, "\x1b[0"...)
	if l.base != "" {
		l.b = append(append(l.b, ';'), l.base...)
	}
	if s != "" {
		l.b = append(append(l.b, ';'), s...)
	}
	l.b = append(l.b, 'm')
	l.cur, l.styled = s, true
}

// text draws t, cut with an ellipsis at the end of the row.
func (l *line) text(s style, t safe.Text) *line {
	t = t.Cut(l.max - l.w)
	if t.Width() > 0 {
		l.sgr(s)
		l.b = append(l.b, t.String()...)
		l.w += t.Width()
	}
	return l
}

// put draws our own words.
func (l *line) put(s style, t words) *line { return l.text(s, safe.Of(string(t))) }

// paints reports whether a space in this style differs from an empty cell.
func (s style) paints() bool {
	switch s {
	case "4", "7", "1;4", "1;7":
		return true
	}
	return strings.HasPrefix(string(s), "4;") || strings.HasPrefix(string(s), "1;4;") || strings.Contains(string(s), "48;")
}

// gap draws n spaces.
func (l *line) gap(n int) *line {
	if n = min(n, l.max-l.w); n <= 0 {
		return l
	}
	if l.over != "" || l.styled && l.cur.paints() || !l.styled && l.base != "" {
		l.sgr("")
	}
	for range n {
		l.b = append(l.b, ' ')
	}
	l.w += n
	return l
}

// back takes back the spaces drawn last, down to column c.
func (l *line) back(c int) {
	if n := l.w - c; n > 0 && len(l.b)-n >= l.trail {
		l.b = l.b[:len(l.b)-n]
		l.w = c
	}
}

// to draws spaces up to column c.
func (l *line) to(c int) *line { return l.gap(c - l.w) }

// left draws t in a column of w cells, on the left.
func (l *line) left(s style, t safe.Text, w int) *line {
	w = min(w, l.max-l.w)
	t = t.Cut(w)
	return l.text(s, t).gap(w - t.Width())
}

// right draws t in a column of w cells, on the right.
func (l *line) right(s style, t safe.Text, w int) *line {
	w = min(w, l.max-l.w)
	t = t.Cut(w)
	return l.gap(w-t.Width()).text(s, t)
}

// room is how many cells are left.
func (l *line) room() int { return l.max - l.w }

// end is the finished row.
func (l *line) end() string {
	l.gap(l.max - l.w)
	if l.styled {
		l.b = append(l.b, "\x1b[m"...)
	}
	return string(l.b)
}

// blank is an empty row.
func blank(w int) string { return strings.Repeat(" ", max(0, w)) }

// fill makes rows exactly h rows of w cells.
func fill(rows []string, w, h int) []string {
	if len(rows) > h {
		return rows[:max(0, h)]
	}
	for len(rows) < h {
		rows = append(rows, blank(w))
	}
	return rows
}

// wrap breaks t into rows of at most w cells, between words where that is possible.
func wrap(t safe.Text, w int) []safe.Text {
	w = max(w, 4)
	if t.Width() <= w {
		return []safe.Text{t}
	}
	var rows []safe.Text
	for part := range strings.SplitSeq(ansi.Wrap(t.String(), w, ""), "\n") {
		rows = append(rows, safe.Of(strings.TrimRight(part, " ")))
	}
	return rows
}
