package ui

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// Bounds of what a JSONPath shows; all values are counted.
const (
	pathValues = 10_000
	pathBytes  = 4 << 20
)

// pathFilter shows only those values of a JSON body that a JSONPath names. It
// stays in its tab while one goes from flow to flow.
type pathFilter struct {
	open  bool // being typed
	in    input
	tab   tab
	text  string // the path that holds, the last valid one; "" shows everything
	prior string // to come back to with esc
	off   int    // where the tab stood before there was a path
	err   *decode.PathError
	busy  bool // a command is at work

	// found is what text names in of, once a command has looked.
	found *pathFound
}

// pathFound is the answer of a command.
type pathFound struct {
	of     *textDoc // the body that was looked into
	tree   *decode.JSON
	text   string // the path
	doc    *textDoc
	n      int    // values that it names
	shown  int    // values in doc
	unread string // why tree does not hold the whole body, "" it does
	note   string // what else is to be said
}

// jsonIn is the JSON text in a document, the first of several; nil: there is none.
func jsonIn(doc document) *textDoc {
	switch d := doc.(type) {
	case *textDoc:
		if d != nil && d.json {
			return d
		}
	case *sequence:
		for _, part := range d.docs {
			if t := jsonIn(part); t != nil {
				return t
			}
		}
	}
	return nil
}

// whole is the document of the open tab as it is without a JSONPath; nil in tabs without one.
func (v *inspector) whole() document {
	if v.d == nil || v.d.err != nil {
		return nil
	}
	switch v.tab {
	case tabRequest:
		if h := v.held; h != nil && h.doc != nil && h.asks() {
			return h.doc
		}
		return v.d.request
	case tabResponse:
		if h := v.held; h != nil && h.doc != nil && !h.asks() {
			return h.doc
		}
		return v.d.answer
	case tabMessages:
		if v.messages.open != nil {
			return v.messages.open
		}
	}
	return nil
}

// narrowed is doc, the document of the open tab, or the values that the JSONPath names in it.
func (v *inspector) narrowed(th *theme, doc document) document {
	p := &v.path
	f := p.found
	if p.text == "" || p.tab != v.tab || f == nil || f.of != jsonIn(doc) {
		return doc
	}
	head := []piece{lit(th.muted, "JSONPath "), said(th.accent, f.text), said(th.muted, "  "+f.counted()), {"", space(2)},
		lit(th.key, keyOf(filterJSON)), lit(th.muted, " change  "), lit(th.key, keyOf(back)), lit(th.muted, " all")}
	rows := pieces{head}
	for _, note := range []string{f.unread, f.note} {
		if note != "" {
			rows = append(rows, []piece{said(th.warn, note)})
		}
	}
	return joined(&wrapped{list: rows}, pieces{nil}, f.doc)
}

// counted is how many values were found.
func (f *pathFound) counted() string {
	text := "no value"
	if f.n > 0 {
		text = plural(int64(f.n), "value")
	}
	if f.unread != "" {
		text += " in the part that was read"
	}
	if f.shown < f.n {
		text += ", the first " + count(int64(f.shown))
	}
	return text
}

// openPath opens the box for a JSONPath.
func (m *model) openPath() {
	v := &m.inspector
	if v.tab != tabRequest && v.tab != tabResponse && v.tab != tabMessages {
		m.say(false, "JSONPath is for bodies: "+string(keyOf(nextTab))+" goes to Request and Response")
		return
	}
	if jsonIn(v.whole()) == nil {
		m.say(false, "there is no JSON in this tab")
		return
	}
	p := &v.path
	if p.tab != v.tab {
		*p = pathFilter{}
	}
	p.open, p.tab, p.prior, p.err = true, v.tab, p.text, nil
	if p.text == "" {
		p.off = v.off[v.tab]
	}
	p.in = newInput(firstOf(p.text, "$"))
}

// pathKey routes a key while the box is open.
func (m *model) pathKey(name, text string) tea.Cmd {
	v := &m.inspector
	p := &v.path
	switch name {
	case "enter":
		if p.err == nil {
			p.open = false
		}
	case "esc", "ctrl+c":
		p.open, p.err = false, nil
		m.setPath(p.prior)
	case "down", "up", "pgdown", "pgup":
		m.walk(lookup(inInspector, name))
	default:
		if whole := strings.TrimSpace(text); name == "" && strings.HasPrefix(whole, "$") { // pasted: in the place of what stands there
			p.in, text = input{}, whole
		}
		if p.in.key(name, text) {
			m.setPath(p.in.s)
		}
	}
	return nil
}

// setPath has the tab show what text names; "" and "$" are everything, and an invalid path changes nothing.
func (m *model) setPath(text string) {
	v := &m.inspector
	p := &v.path
	p.err = nil
	if text = strings.TrimSpace(text); text == "" || text == "$" {
		if p.text != "" {
			p.text, p.found = "", nil
			v.off[p.tab], v.line[p.tab] = p.off, p.off
		}
		return
	}
	if _, err := decode.ParseJSONPath(text); err != nil {
		errors.As(err, &p.err)
		return
	}
	if p.text != text {
		p.text = text
		v.off[p.tab], v.line[p.tab] = 0, 0
	}
}

// dropPath shows the whole body again and reports whether there was a path.
func (m *model) dropPath() bool {
	v := &m.inspector
	if v.path.text == "" || v.path.tab != v.tab {
		return false
	}
	m.setPath("")
	return true
}

// wantsPath is the body that has to be looked into before the open tab can show what its path names; nil: none.
func (v *inspector) wantsPath() *textDoc {
	p := &v.path
	if p.text == "" || p.tab != v.tab || p.busy {
		return nil
	}
	t := jsonIn(v.whole())
	if t == nil || p.found != nil && p.found.of == t && p.found.text == p.text {
		return nil
	}
	return t
}

// pathMsg brings what a path names.
type pathMsg struct{ found *pathFound }

// findPath looks into t in a command: a large body takes its time to be parsed. What was parsed is kept for the next key.
func (m *model) findPath(t *textDoc) tea.Cmd {
	p := &m.inspector.path
	p.busy = true
	text, fold := p.text, m.inspector.fold
	var tree *decode.JSON
	unread := ""
	if f := p.found; f != nil && f.of == t {
		tree, unread = f.tree, f.unread
	}
	w := m.lay.inspector.w - 2
	return m.crew.cmd(func() tea.Msg {
		f := &pathFound{of: t, tree: tree, unread: unread, text: text}
		f.look(fold)
		if w > 0 {
			f.doc.rows(w)
		}
		return pathMsg{f}
	})
}

func (m *model) pathCame(msg pathMsg) {
	p := &m.inspector.path
	p.busy = false
	if p.text == "" {
		return
	}
	if v := &m.inspector; p.found == nil || p.found.text != msg.found.text {
		v.line[p.tab] = 2 // the first value, below what the path is
	}
	p.found = msg.found
}

// look finds the values and writes them one below the other, each behind its path.
func (f *pathFound) look(fold int) {
	if f.tree == nil {
		var err error
		if f.tree, err = decode.ParseJSON(f.of.data); err != nil {
			f.unread = "the body was read up to " + err.Error()
		}
	}
	q, err := decode.ParseJSONPath(f.text)
	if err != nil { // the box has refused it
		f.note, f.doc = err.Error(), newTextDoc(nil, true)
		return
	}
	var out []byte
	whole := q.Select(f.tree.Root(), func(v decode.Value) bool {
		f.n++
		if f.n > pathValues || len(out) > pathBytes {
			return true
		}
		f.shown = f.n
		out = append(out, v.Path()...)
		if v.Count() == 0 {
			out = append(append(out, "  "...), v.Raw()...)
		} else if pretty, ok := indentJSON([]byte(v.Raw())); ok {
			out = append(append(out, '\n'), pretty...)
		}
		out = append(out, '\n')
		return true
	})
	if !whole {
		f.note = "the path looks at more values than are tried; there may be more"
	}
	f.doc = newTextDoc(out, true)
	if fold != unfolded {
		f.doc.foldTo(fold)
	}
}

// pathLine is the footer while a path is typed.
func (m *model) pathLine(w int) string {
	th, p := m.th, &m.inspector.path
	l := row(w).put(th.key, "JSONPath ")
	p.in.draw(th, l, th.bright, min(w/2, max(24, len(p.in.s)+4)), true)
	switch f := p.found; {
	case p.err != nil:
		l.gap(1).put(th.bad, signNo+" ").text(th.warn, safe.Of("at "+strconv.Itoa(p.err.Pos+1)+": "+p.err.Text))
		return l.end()
	case p.text == "":
		l.gap(1).put(th.muted, ".name [0] [*] ..name")
	case f != nil && f.text == p.text:
		l.gap(1).text(th.muted, safe.Of(f.counted()))
	default:
		l.gap(1).put(th.muted, "looking …")
	}
	return l.gap(3).put(th.key, "enter ").put(th.muted, "keep   ").put(th.key, "esc ").put(th.muted, "back").end()
}

// pathPieces are the pieces of a line that begins with a path, as look writes it.
func pathPieces(th *theme, text []byte) []piece {
	end := pathEnd(text)
	ps := []piece{{th.accent, safe.Bytes(text[:end])}}
	if end < len(text) {
		ps = append(ps, jsonPieces(th, text[end:])...)
	}
	return ps
}

// pathEnd is where the path at the start of a line ends. Names in it may hold spaces, in quotes.
func pathEnd(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case ' ':
			return i
		}
	}
	return len(text)
}

// pathAbove is the path of the value in whose lines line at stands, "" if no path stands above it.
func (d *textDoc) pathAbove(at int) string {
	for ; at >= 0; at-- {
		if text := d.text(at); len(text) > 0 && text[0] == '$' {
			return string(text[:pathEnd(text)])
		}
	}
	return ""
}

// valueAt is the innermost value that stands at byte off of the text of tree.
func valueAt(tree *decode.JSON, off int) decode.Value {
	v := tree.Root()
	for {
		var inner decode.Value
		for c := range v.Children() {
			if from, to := c.MemberSpan(); from <= off && off < to {
				inner = c
				break
			}
		}
		if !inner.Exists() {
			return v
		}
		v = inner
	}
}

// node is the value that begins, or ends, on line at of an indented JSON text, and its path; "" if there is none.
func node(data []byte, at int) (text, path string) {
	tree, _ := decode.ParseJSON(data)
	if !tree.Root().Exists() {
		return "", ""
	}
	d := newTextDoc(data, true)
	if at >= len(d.start) {
		return "", ""
	}
	v := valueAt(tree, int(d.start[at])+2*depthOf(d.text(at)))
	return plainValue(v), v.Path()
}

// plainValue is a value to be pasted: the text of a string, other values as JSON.
func plainValue(v decode.Value) string {
	if v.Count() > 0 {
		if pretty, ok := indentJSON([]byte(v.Raw())); ok {
			return string(pretty)
		}
	}
	return v.Text()
}

// values are what f's path names, to be pasted: one is as plainValue has it, several are JSON, one a line.
func (f *pathFound) values(data []byte) (string, error) {
	q, err := decode.ParseJSONPath(f.text)
	if err != nil {
		return "", err
	}
	tree, _ := decode.ParseJSON(data)
	var list []decode.Value
	q.Select(tree.Root(), func(v decode.Value) bool {
		list = append(list, v)
		return true
	})
	switch len(list) {
	case 0:
		return "", nil
	case 1:
		return plainValue(list[0]), nil
	}
	var out []string
	for _, v := range list {
		out = append(out, compactJSON(v.Raw()))
	}
	return strings.Join(out, "\n"), nil
}

// compactJSON takes the whitespace between tokens out of a JSON text.
func compactJSON(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	out := make([]byte, 0, len(s))
	data := []byte(s)
	for i := 0; i < len(data); {
		switch c := data[i]; c {
		case ' ', '\t', '\r', '\n':
			i++
		case '"':
			end := stringEnd(data, i)
			out = append(out, data[i:end]...)
			i = end
		default:
			out = append(out, c)
			i++
		}
	}
	return string(slices.Clip(out))
}
