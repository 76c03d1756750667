package ui

import (
	"bytes"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// headDoc is the head of a message line by line, as it was on the wire where that was seen.
type headDoc struct {
	lines  [][]byte
	first  bool // the first line is a start line
	w      int
	th     *theme
	out    pieces
	of     []int       // the line of each row
	spans  []citedSpan // what is quoted, in the lines of spanOf
	spanOf []int
}

func newHeadDoc(m *flow.Message) *headDoc {
	d := &headDoc{}
	switch {
	case m == nil:
		return d
	case len(m.Head) > 0:
		d.first = m.Proto != ""
		d.lines = bytes.SplitAfter(m.Head, []byte("\n"))
		if n := len(d.lines); len(d.lines[n-1]) == 0 {
			d.lines = d.lines[:n-1]
		}
		if n := len(d.lines); n > 1 && len(bytes.TrimRight(d.lines[n-1], "\r\n")) == 0 {
			d.lines = d.lines[:n-1] // the empty line that ends the head
		}
		return d
	}
	d.first = true
	d.lines = append(d.lines, []byte(startLine(m)+"\r\n"))
	for _, h := range m.Header {
		d.lines = append(d.lines, bytes.SplitAfter([]byte(h.Line()), []byte("\n"))...)
	}
	return d
}

func startLine(m *flow.Message) string {
	if m.Status != 0 {
		s := m.Proto + " " + strconv.Itoa(m.Status)
		if m.Reason != "" {
			s += " " + m.Reason
		}
		return s
	}
	return m.Method + " " + m.Target + " " + m.Proto
}

func (d *headDoc) layout(th *theme, w int) {
	if d.w == w && d.th == th {
		return
	}
	d.th = th
	d.w, d.out, d.of = w, nil, nil
	for i, line := range d.lines {
		if len(line) == 0 {
			continue
		}
		text := bytes.TrimSuffix(line, []byte("\n"))
		crlf := bytes.HasSuffix(text, []byte("\r"))
		text = bytes.TrimSuffix(text, []byte("\r"))
		var ps []piece
		name, value, ok := bytes.Cut(text, []byte(":"))
		switch {
		case i == 0 && d.first:
			ps = []piece{{th.bright, safe.Bytes(text)}}
		case ok:
			ps = []piece{{th.accent, safe.Bytes(name)}, lit(th.muted, ":"), {th.text, safe.Bytes(value)}}
		default:
			ps = []piece{{th.text, safe.Bytes(text)}}
		}
		for n, s := range d.spans {
			if d.spanOf[n] == i {
				ps = restyle(ps, safe.Bytes(text[:s.from]).Width(), safe.Bytes(text[:s.to]).Width(), th.cited)
			}
		}
		if !crlf && len(line) != len(text) {
			ps = append(ps, lit(th.warn, `\n`)) // a bare line feed ends the line: some parsers read it differently
		}
		d.out = append(d.out, fold(ps, w)...)
		for len(d.of) < len(d.out) {
			d.of = append(d.of, i)
		}
	}
}

func (d *headDoc) rows(w int) int {
	if d.w != w {
		d.layout(plain(), w) // heights do not depend on the colours, which come with draw
	}
	return len(d.out)
}

func (d *headDoc) draw(th *theme, i int, l *line) {
	d.layout(th, l.max)
	d.out.draw(th, i, l)
}

// messageDoc is one message: interim answers, head, body, trailers. It is made in a command.
func messageDoc(th *theme, f *flow.Flow, m *flow.Message, raw bool) document {
	var docs []document
	if m != nil && m.Status != 0 {
		for _, i := range f.Interim {
			docs = append(docs, newHeadDoc(i), pieces{nil})
		}
	}
	if m == nil {
		if f.Err != nil || !f.Times.End.IsZero() {
			return pieces{{lit(th.muted, "nothing came")}}
		}
		return pieces{{lit(th.muted, "nothing yet")}}
	}
	docs = append(docs, headDocs(th, m, raw)...)
	docs = append(docs, pieces{nil}, bodyDoc(th, m, raw))
	if m.Status == 0 && !raw {
		docs = append(docs, &wrapped{list: readings(th, f)})
		if op, ok := operation(f); ok && op.Query != "" && op.Query != string(m.Body.Data) {
			docs = append(docs, newTextDoc([]byte(op.Query), false))
		}
	}
	if len(m.Trailers) > 0 {
		docs = append(docs, pieces{nil, {lit(th.muted, "trailers")}}, newHeadDoc(&flow.Message{Head: trailers(m)}))
	}
	return joined(docs...)
}

func trailers(m *flow.Message) []byte {
	var b []byte
	for _, t := range m.Trailers {
		b = append(b, t.Line()...)
	}
	return b
}

// bodyMsg is a message with its whole body, ready to be shown.
type bodyMsg struct {
	d    *dossier
	side session.Side
	doc  document
	err  error
}

// complete reads the whole body of a message of which the inspector has the beginning.
func (m *model) complete(side session.Side) tea.Cmd {
	d, feed, ctx, th, veil := m.inspector.d, m.o.Feed, m.ctx, m.th, m.veil
	w := m.lay.inspector.w - 2
	return m.crew.cmd(func() tea.Msg {
		msg := bodyMsg{d: d, side: side}
		read := func() (*flow.Flow, error) {
			if side == session.RequestSide {
				return whole(ctx, feed, d.row.ID)
			}
			return wholeAnswer(ctx, feed, d.flow)
		}
		f, err := read()
		if err != nil {
			msg.err = err
			return msg
		}
		f = veil.flow(f)
		one := f.Request
		if side == session.ResponseSide {
			one = f.Response
		}
		msg.doc = messageDoc(th, f, one, d.raw)
		if w > 0 {
			msg.doc.rows(w) // broken into rows here, not while a frame is drawn
		}
		if side == session.RequestSide {
			d.pointOut(msg.doc, nil)
		} else {
			d.pointOut(nil, msg.doc)
		}
		return msg
	})
}

func (m *model) bodyCame(b bodyMsg) {
	d := m.inspector.d
	switch {
	case d == nil || d.row.ID != b.d.row.ID || d.raw != b.d.raw || (d.shown == nil) != (b.d.shown == nil):
	case b.err != nil:
		m.fail("read the body", b.err)
	case b.side == session.RequestSide:
		d.request = b.doc
	default:
		d.answer = b.doc
	}
	m.inspector.applyFold() // what is read whole is folded as its beginning was
	m.showCite()
	m.searchOn()
}
