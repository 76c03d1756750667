package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
)

// lined reports whether the open tab has a cursor in its lines: Request, Response, an open message.
func (v *inspector) lined() bool {
	switch v.tab {
	case tabRequest, tabResponse:
		return true
	case tabMessages:
		return v.messages.open != nil
	}
	return false
}

// moveLine moves the cursor in the lines of the tab; the view follows it.
func (v *inspector) moveLine(by int) {
	at := max(0, min(v.line[v.tab]+by, v.rows-1))
	v.line[v.tab] = at
	off := &v.off[v.tab]
	if at >= *off+v.h {
		*off = at - v.h + 1
	}
	if at < *off {
		*off = at
	}
}

// spot is what stands in a row of a document.
type spot struct {
	text string   // the line as it is, without its end
	doc  *textDoc // nil: it is no line of a text
	line int      // of doc
	row  int      // the first row of doc
	head bool     // the line is one of a head
}

// at finds what stands in row i of doc, drawn at w cells.
func at(doc document, w, i int) spot {
	switch d := doc.(type) {
	case *sequence:
		first := 0
		for _, part := range d.docs {
			n := part.rows(w)
			if i < n {
				s := at(part, w, i)
				s.row += first
				return s
			}
			i, first = i-n, first+n
		}
		return spot{}
	case *textDoc:
		if i < d.rows(w) {
			line := d.source(d.lineOf(i))
			return spot{text: string(d.text(line)), doc: d, line: line}
		}
		return spot{}
	case *headDoc:
		if d.rows(w) > i && i < len(d.of) {
			return spot{text: strings.TrimRight(string(d.lines[d.of[i]]), "\r\n"), head: true}
		}
		return spot{}
	}
	if i >= doc.rows(w) {
		return spot{}
	}
	l := row(w)
	doc.draw(plain(), i, l)
	return spot{text: strings.TrimSpace(ansi.Strip(string(l.b)))}
}

// under is what stands under the cursor of the open tab.
func (m *model) under() spot {
	v := &m.inspector
	if !v.lined() {
		return spot{}
	}
	w := m.lay.inspector.w - 2
	return at(v.doc(m.th, w, true, m.now, m.o.Zone), w, v.line[v.tab])
}

// keepLine does something that folds or unfolds, and has the cursor stay on its line.
func (m *model) keepLine(do func()) {
	v, s := &m.inspector, m.under()
	w := m.lay.inspector.w - 2
	do()
	if s.doc == nil || !v.lined() {
		return
	}
	s.doc.rows(w)
	before := v.line[v.tab]
	v.line[v.tab] = s.row + int(s.doc.first[s.doc.seenAs(s.line)])
	v.off[v.tab] = max(0, v.off[v.tab]+v.line[v.tab]-before)
}

// underItems are what the copy menu offers of the line under the cursor, and of what a JSONPath names.
func (m *model) underItems() []copyItem {
	v := &m.inspector
	var items []copyItem
	if f := v.path.found; f != nil && v.path.tab == v.tab && v.path.text == f.text && f.of == jsonIn(v.whole()) {
		items = append(items, copyItem{"s", "values of the JSONPath", func(c copySource) (string, error) {
			return f.values(c.json(f.of.data))
		}})
	}
	s := m.under()
	switch {
	case s.text == "":
	case s.doc != nil && s.doc.json:
		items = append(items, copyItem{"n", "value under the cursor", func(c copySource) (string, error) {
			text, _ := s.value(c)
			return text, nil
		}}, copyItem{"N", "its JSONPath", func(c copySource) (string, error) {
			_, path := s.value(c)
			return path, nil
		}})
	default:
		items = append(items, copyItem{"n", "line under the cursor", func(c copySource) (string, error) { return s.masked(c), nil }})
	}
	return items
}

// value is the JSON value in whose lines the spot is, with its path; of no JSON it is the line.
func (s spot) value(c copySource) (text, path string) {
	if path := s.doc.pathAbove(s.line); path != "" { // what a JSONPath named
		from, to := s.line, s.line+1
		for !strings.HasPrefix(string(s.doc.text(from)), "$") {
			from--
		}
		for to < len(s.doc.start) && !strings.HasPrefix(string(s.doc.text(to)), "$") {
			to++
		}
		first := s.doc.text(from)
		lines := []string{strings.TrimSpace(string(first[pathEnd(first):]))}
		for i := from + 1; i < to; i++ {
			lines = append(lines, string(s.doc.text(i)))
		}
		raw := strings.TrimSpace(strings.Join(lines, "\n"))
		text, _ := node(c.json([]byte(raw)), 0)
		return text, path
	}
	if text, path = node(c.json(s.doc.data), s.line); path == "" {
		text = s.masked(c)
	}
	return text, path
}

// masked is the line, without its secrets if they are to be masked.
func (s spot) masked(c copySource) string {
	if c.mask == nil {
		return s.text
	}
	if name, value, ok := strings.Cut(s.text, ":"); ok && s.head {
		value = strings.TrimSpace(value)
		ch := c.mask.Change(flow.Change{Part: flow.InHeader, Name: name, After: &value})
		return name + ": " + *ch.After
	}
	return c.mask.Text(s.text)
}

// json is an indented JSON text, without its secrets if they are to be masked; it has the same lines.
func (c copySource) json(data []byte) []byte {
	if c.mask == nil {
		return data
	}
	if pretty, ok := indentJSON(c.mask.Body(data, "application/json")); ok {
		return pretty
	}
	return nil
}
