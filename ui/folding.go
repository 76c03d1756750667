package ui

import (
	"bytes"
	"sort"
	"strconv"
)

// unfolded is the depth at which everything is shown.
const unfolded = 0

// folds are the objects and arrays of an indented JSON text that are shown as
// one line: those at a depth and below, except what was opened or closed by hand.
type folds struct {
	depth int            // lines with this depth and an opening bracket are closed; unfolded: none is
	hand  map[int32]bool // by line: closed, or open
	// shown are the lines that are seen; nil: all of them. hidden are the lines
	// that follow a shown one and are not.
	shown []int32
}

// depthOf is how deep an indented line stands, from 0.
func depthOf(text []byte) int {
	n := 0
	for n < len(text) && text[n] == ' ' {
		n++
	}
	return n / 2
}

// opens reports whether a line of indented JSON ends in a bracket that is closed further down.
func opens(text []byte) bool {
	return len(text) > 0 && (text[len(text)-1] == '{' || text[len(text)-1] == '[')
}

// foldTo closes everything at depth and below; unfolded opens all. What was done by hand is undone.
func (d *textDoc) foldTo(depth int) {
	if !d.json || depth == d.folds.depth && d.folds.hand == nil {
		return
	}
	d.folds = folds{depth: depth}
	d.refold()
}

// toggle opens or closes what begins on row i of the last drawing; false: nothing does.
func (d *textDoc) toggle(i int) bool {
	if !d.json || d.w == 0 || i < 0 || i >= int(d.first[d.lines()]) {
		return false
	}
	at := int32(d.source(d.lineOf(i)))
	if !opens(d.text(int(at))) {
		return false
	}
	if d.folds.hand == nil {
		d.folds.hand = map[int32]bool{}
	}
	d.folds.hand[at] = !d.closed(at, depthOf(d.text(int(at))))
	d.refold()
	return true
}

// closed reports whether what begins on a line at that depth is shown as one line.
func (d *textDoc) closed(at int32, depth int) bool {
	if by, ok := d.folds.hand[at]; ok {
		return by
	}
	return d.folds.depth != unfolded && depth >= d.folds.depth
}

// refold finds the lines that are seen.
func (d *textDoc) refold() {
	d.w, d.lastLine, d.folds.shown = 0, -1, nil
	if d.folds.depth == unfolded && len(d.folds.hand) == 0 {
		return
	}
	shown := []int32{}
	for i := 0; i < len(d.start); i++ {
		shown = append(shown, int32(i))
		text := d.text(i)
		if !opens(text) {
			continue
		}
		depth := depthOf(text)
		if !d.closed(int32(i), depth) {
			continue
		}
		for i++; i < len(d.start); i++ { // up to its closing bracket
			if next := d.text(i); depthOf(next) <= depth {
				break
			}
		}
	}
	d.folds.shown = shown
}

// lines is how many lines are seen.
func (d *textDoc) lines() int {
	if d.folds.shown != nil {
		return len(d.folds.shown)
	}
	return len(d.start)
}

// source is the line of the text that is seen as line k.
func (d *textDoc) source(k int) int {
	if d.folds.shown != nil {
		return int(d.folds.shown[k])
	}
	return k
}

// seenAs is the line that shows line at of the text, or what it is folded into.
func (d *textDoc) seenAs(at int) int {
	if d.folds.shown == nil {
		return at
	}
	return max(0, sort.Search(len(d.folds.shown), func(k int) bool { return int(d.folds.shown[k]) > at })-1)
}

// lineOf is the line on whose rows row i is.
func (d *textDoc) lineOf(i int) int {
	return sort.Search(d.lines(), func(k int) bool { return int(d.first[k+1]) > i })
}

// hidden is how many lines are folded into line k, the one with the closing bracket included.
func (d *textDoc) hidden(k int) int {
	if d.folds.shown == nil {
		return 0
	}
	next := len(d.start)
	if k+1 < len(d.folds.shown) {
		next = int(d.folds.shown[k+1])
	}
	return next - int(d.folds.shown[k]) - 1
}

// line is line k as it is shown: with the rest of what is folded into it.
func (d *textDoc) line(k int) []byte {
	text := d.text(d.source(k))
	n := d.hidden(k)
	if n == 0 {
		return text
	}
	end := bytes.TrimLeft(d.text(d.source(k)+n), " ")
	out := make([]byte, 0, len(text)+len(end)+24)
	out = append(out, text...)
	out = append(out, " ... "...)
	out = strconv.AppendInt(out, int64(n-1), 10)
	if n == 2 {
		out = append(out, " line "...)
	} else {
		out = append(out, " lines "...)
	}
	return append(out, end...)
}

// deepest is how deep the deepest object or array that takes several lines begins.
func (d *textDoc) deepest() int {
	if d.deep < 0 {
		d.deep = 0
		for i := range d.start {
			if text := d.text(i); opens(text) {
				d.deep = max(d.deep, depthOf(text))
			}
		}
	}
	return d.deep
}

// foldable is a document whose parts can be shown as one line each.
type foldable interface {
	foldTo(depth int)
	toggle(row int) bool
	deepest() int
}

func (s *sequence) foldTo(depth int) {
	for _, d := range s.docs {
		if f, ok := d.(foldable); ok {
			f.foldTo(depth)
		}
	}
}

func (s *sequence) toggle(i int) bool {
	for _, d := range s.docs {
		n := d.rows(s.w)
		if i < n {
			f, ok := d.(foldable)
			return ok && f.toggle(i)
		}
		i -= n
	}
	return false
}

func (s *sequence) deepest() int {
	n := 0
	for _, d := range s.docs {
		if f, ok := d.(foldable); ok {
			n = max(n, f.deepest())
		}
	}
	return n
}

// body is the document of the open tab that can be folded; nil: none.
func (v *inspector) body() foldable {
	if v.d == nil {
		return nil
	}
	var doc document
	switch v.tab {
	case tabRequest:
		doc = v.d.request
	case tabResponse:
		doc = v.d.answer
	}
	f, _ := doc.(foldable)
	return f
}

// foldMore shows one level less of the JSON in the open tab, and foldLess one more.
func (m *model) foldMore() {
	v := &m.inspector
	f := v.body()
	switch {
	case f == nil:
		m.say(false, "only JSON in Request and Response is folded")
		return
	case v.fold == unfolded:
		v.fold = max(1, f.deepest())
	default:
		v.fold = max(1, v.fold-1)
	}
	v.applyFold()
}

func (m *model) foldLess() {
	v := &m.inspector
	f := v.body()
	if f == nil {
		m.say(false, "only JSON in Request and Response is folded")
		return
	}
	if v.fold++; v.fold == 1 || v.fold > f.deepest() {
		v.fold = unfolded
	}
	v.applyFold()
}

// applyFold brings the documents of the flow to the depth that was chosen.
func (v *inspector) applyFold() {
	if v.d == nil {
		return
	}
	for _, doc := range []document{v.d.request, v.d.answer} {
		if f, ok := doc.(foldable); ok {
			f.foldTo(v.fold)
		}
	}
}
