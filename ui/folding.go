package ui

import (
	"bytes"
	"sort"
	"strconv"

	tea "charm.land/bubbletea/v2"
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

// foldTo closes everything at depth and below; unfolded opens all. Another depth undoes what was done by hand.
func (d *textDoc) foldTo(depth int) {
	if !d.json && !d.markup || depth == d.folds.depth {
		return
	}
	d.folds = folds{depth: depth}
	d.refold()
}

// toggle opens or closes what begins on row i of the last drawing; false: nothing does.
func (d *textDoc) toggle(i int) bool {
	if !d.json && !d.markup || d.w == 0 || i < 0 || i >= int(d.first[d.lines()]) {
		return false
	}
	at := int32(d.source(d.lineOf(i)))
	if !d.opensAt(int(at)) {
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
		if !d.opensAt(i) {
			continue
		}
		depth := depthOf(text)
		if !d.closed(int32(i), depth) {
			continue
		}
		for i++; i < len(d.start); i++ { // up to its closing bracket
			if next := d.text(i); depthOf(next) <= depth {
				if depthOf(next) < depth || !d.closes(next) {
					i-- // an element of HTML that has no end tag
				}
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
	last := d.text(d.source(k) + n)
	end := bytes.TrimLeft(last, " ")
	if n--; depthOf(last) != depthOf(text) || !d.closes(last) {
		end = nil
		n++
	}
	out := make([]byte, 0, len(text)+len(end)+24)
	out = append(out, text...)
	out = append(out, " ... "...)
	out = strconv.AppendInt(out, int64(n), 10)
	if n == 1 {
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
			if d.opensAt(i) {
				d.deep = max(d.deep, depthOf(d.text(i)))
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
	number(on bool)
	// layered reports whether there may be something to fold, without looking for it.
	layered() bool
}

func (d *textDoc) layered() bool { return (d.json || d.markup) && len(d.start) > 3 }

func (s *sequence) layered() bool {
	for _, d := range s.docs {
		if f, ok := d.(foldable); ok && f.layered() {
			return true
		}
	}
	return false
}

func (s *sequence) foldTo(depth int) {
	for _, d := range s.docs {
		if f, ok := d.(foldable); ok {
			f.foldTo(depth)
		}
	}
}

func (s *sequence) number(on bool) {
	for _, d := range s.docs {
		if f, ok := d.(foldable); ok {
			f.number(on)
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

// opensAt reports whether line i is the first of several that fold into one.
func (d *textDoc) opensAt(i int) bool {
	text := d.text(i)
	if d.markup {
		t := bytes.TrimLeft(text, " ")
		return len(t) > 1 && t[0] == '<' && t[1] != '/' && i+1 < len(d.start) && depthOf(d.text(i+1)) > depthOf(text)
	}
	return opens(text)
}

// closes reports whether a line ends what a line of the same depth above it has begun.
func (d *textDoc) closes(text []byte) bool {
	return !d.markup || bytes.HasPrefix(bytes.TrimLeft(text, " "), []byte("</"))
}

// number puts the numbers of lines before them, or takes them away.
func (d *textDoc) number(on bool) {
	if d.numbered != on {
		d.numbered, d.w, d.lastLine = on, 0, -1
	}
}

// body is the document of the open tab that can be folded; nil: none.
func (v *inspector) body() foldable {
	doc := v.whole()
	if f := v.path.found; f != nil && v.path.text != "" && v.path.tab == v.tab && f.of == jsonIn(doc) {
		return f.doc
	}
	f, _ := doc.(foldable)
	if f == nil || v.tab == tabMessages && v.messages.open == nil {
		return nil
	}
	return f
}

// foldMore shows one level less of the JSON in the open tab, and foldLess one more.
func (m *model) foldMore() {
	v := &m.inspector
	f := v.body()
	switch {
	case f == nil:
		m.say(false, onlyBodies)
		return
	case v.fold == unfolded:
		v.fold = max(1, f.deepest())
	default:
		v.fold = max(1, v.fold-1)
	}
	m.keepLine(v.applyFold)
}

func (m *model) foldLess() {
	v := &m.inspector
	f := v.body()
	if f == nil {
		m.say(false, onlyBodies)
		return
	}
	if v.fold++; v.fold == 1 || v.fold > f.deepest() {
		v.fold = unfolded
	}
	m.keepLine(v.applyFold)
}

// numberLines puts numbers before the lines of bodies, or takes them away.
func (m *model) numberLines() {
	v := &m.inspector
	v.nums = !v.nums
	m.keepLine(v.applyFold)
}

// unfoldHere opens or closes what begins under the cursor.
func (m *model) unfoldHere() {
	if f := m.inspector.body(); f != nil {
		s := m.under()
		if s.doc != nil {
			m.keepLine(func() { s.doc.toggle(m.inspector.line[m.inspector.tab] - s.row) })
		}
	}
}

// clicked puts the cursor on row i of the open tab, and opens or closes what begins there.
func (m *model) clicked(i int) tea.Cmd {
	v := &m.inspector
	switch {
	case i >= v.rows:
	case v.tab == tabWhy:
		v.line[v.tab] = i
		cmd, _ := m.follow()
		return cmd
	case v.lined():
		v.line[v.tab] = i
		m.unfoldHere()
	case v.tab == tabAttempts && v.d != nil && i < len(v.d.tries):
		v.try = i
	case v.tab == tabMessages && v.d != nil && v.d.messages != nil:
		s := v.d.messages
		if n := int64(i) - int64((&messageList{messages: s}).head()); n >= 0 {
			v.messages.move(s, int(s.first+n-v.messages.cur))
		}
	}
	return nil
}

const onlyBodies = "only JSON, XML and HTML bodies are folded"

// applyFold brings the documents of the flow to the depth that was chosen, with or without numbers of lines.
func (v *inspector) applyFold() {
	if v.d == nil {
		return
	}
	docs := []document{v.d.request, v.d.answer, v.messages.open}
	if f := v.path.found; f != nil {
		docs = append(docs, f.doc)
	}
	if h := v.held; h != nil {
		docs = append(docs, h.doc)
	}
	for _, doc := range docs {
		if f, ok := doc.(foldable); ok {
			f.foldTo(v.fold)
			f.number(v.nums)
		}
	}
}
