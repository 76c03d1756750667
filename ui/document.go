package ui

import "github.com/why403/why403/ui/safe"

// document is something that is read by scrolling. It is asked only for the rows that are seen.
type document interface {
	// rows is how many rows it takes at w cells.
	rows(w int) int
	// draw draws row i.
	draw(th *theme, i int, l *line)
}

// piece is some text in one style.
type piece struct {
	style style
	text  safe.Text
}

// pieces is a short document made as a whole: rows of pieces that have been broken to one width.
type pieces [][]piece

func (p pieces) rows(int) int { return len(p) }

func (p pieces) draw(_ *theme, i int, l *line) {
	for _, x := range p[i] {
		l.text(x.style, x.text)
	}
}

// writer builds pieces of w cells.
type writer struct {
	out pieces
	w   int
	to  map[int]target // where rows lead to
}

// add ends a row.
func (p *writer) add(row ...piece) { p.out = append(p.out, row) }

func (p *writer) blank() { p.out = append(p.out, nil) }

// say adds t, wrapped; rows after the first are indented like the first one's start, which is
// drawn from head.
func (p *writer) say(head []piece, indent int, s style, t safe.Text) {
	for i, part := range wrap(t, p.w-indent) {
		switch {
		case i == 0:
			p.add(append(head, piece{s, part})...)
		default:
			p.add(piece{"", space(indent)}, piece{s, part})
		}
	}
}

// label is a muted name in a column of w cells.
func (p *writer) label(th *theme, name words, w int) []piece {
	t := safe.Of(string(name)).Cut(w - 1)
	return []piece{{"", space(1)}, {th.muted, t}, {"", space(w - 1 - t.Width())}}
}

const spaces = "                                                                                                                                "

func space(n int) safe.Text { return safe.Of(spaces[:max(0, min(n, len(spaces)))]) }

func lit(s style, w words) piece        { return piece{s, safe.Of(string(w))} }
func said(s style, text string) piece   { return piece{s, safe.Of(text)} }
func joined(docs ...document) *sequence { return &sequence{docs: docs} }

// sequence is documents one below the other.
type sequence struct {
	docs []document
	w    int // that rows was asked for last
}

func (s *sequence) rows(w int) int {
	s.w = w
	n := 0
	for _, d := range s.docs {
		n += d.rows(w)
	}
	return n
}

func (s *sequence) draw(th *theme, i int, l *line) {
	for _, d := range s.docs {
		n := d.rows(l.max)
		if i < n {
			d.draw(th, i, l)
			return
		}
		i -= n
	}
}

// wrapped is pieces whose rows are folded to the width of the screen.
type wrapped struct {
	list  pieces
	spans map[int][]citedSpan // what is quoted, in cells of a row of list
}

func (d *wrapped) rows(w int) int {
	n := 0
	for _, r := range d.list {
		n += len(fold(r, w))
	}
	return n
}

func (d *wrapped) draw(th *theme, i int, l *line) {
	for k, r := range d.list {
		for _, s := range d.spans[k] {
			r = restyle(r, s.from, s.to, th.cited)
		}
		rows := fold(r, l.max)
		if i < len(rows) {
			for _, x := range rows[i] {
				l.text(x.style, x.text)
			}
			return
		}
		i -= len(rows)
	}
}
