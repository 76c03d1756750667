package ui

// Below these the screen says that it is too small.
const (
	minWidth  = 60
	minHeight = 15
)

// wide is the width from which list and inspector stand side by side.
const wide = 110

// rect is a part of the screen, in cells.
type rect struct{ x, y, w, h int }

func (r rect) has(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// layout is every rectangle of the screen. A pane that is not shown has no height.
type layout struct {
	small     bool
	head      rect // name, address, counts
	filter    rect // filter and presets
	ruleTop   int
	list      rect
	split     int // column of the line between the panes; 0: none
	inspector rect
	editor    rect
	ruleLow   int
	foot      rect
}

// arrange divides w×h cells. Narrow screens show one pane: the inspector if open, else the list.
// zoomed gives the focused pane everything.
func arrange(w, h int, open, editing, zoomed bool) layout {
	if w < minWidth || h < minHeight {
		return layout{small: true}
	}
	body := rect{0, 3, w, h - 5}
	l := layout{
		head: rect{0, 0, w, 1}, filter: rect{0, 1, w, 1}, ruleTop: 2,
		ruleLow: h - 2, foot: rect{0, h - 1, w, 1},
	}
	switch {
	case editing:
		l.editor = body
	case w >= wide && !zoomed:
		left := min(w*58/100, 150)
		l.list = rect{body.x, body.y, left, body.h}
		l.split = left
		l.inspector = rect{left + 1, body.y, w - left - 1, body.h}
	case open:
		l.inspector = body
	default:
		l.list = body
	}
	return l
}
