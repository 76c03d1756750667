package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// wholeLimit bounds a body that is replayed from the screen, in bytes.
const wholeLimit = 64 << 20

type (
	// editorMsg opens the editor on a flow read whole.
	editorMsg struct {
		f       *flow.Flow
		row     session.Row
		partner *flow.Flow
		compare compare
		// accepted are further accepted requests to the endpoint, to offer what they have
		accepted []*flow.Flow
		err      error
	}
	// fixMsg is a verdict's fix applied to its flow, to be shown and sent.
	fixMsg struct {
		f     *flow.Flow
		req   *flow.Message
		patch flow.Patch
		title words
		text  string
		err   error
	}
	// sentMsg is an exchange of ours that ended.
	sentMsg struct {
		editor *editor // nil: sent from the list
		n      int     // index of the attempt in the editor
		parent flow.ID
		was    int
		f      *flow.Flow
		took   time.Duration
		answer document
		err    error
	}
)

// whole reads a flow with the complete body of its request.
func whole(ctx context.Context, feed Feed, id flow.ID) (*flow.Flow, error) {
	f, err := feed.Flow(ctx, id)
	if err != nil {
		return nil, err
	}
	if f.Request == nil {
		return nil, errors.New("holds no request")
	}
	b := &f.Request.Body
	if b.Whole() || b.Cut() {
		return f, nil
	}
	if b.Size > wholeLimit {
		return nil, fmt.Errorf("its body of %s is too large to be sent from the screen; why403 replay sends it", size(b.Size))
	}
	r, _, err := feed.Body(ctx, id, session.RequestSide)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, wholeLimit))
	if err != nil {
		return nil, err
	}
	c := *f
	c.Request = f.Request.Clone()
	c.Request.Head = f.Request.Head
	c.Request.Body.Data = data
	return &c, nil
}

// noSender is why nothing can be sent from a session that was opened to be read.
const noSender = "nothing is sent from a session opened to be read"

// sendable says why the flow under the cursor cannot be sent, "" if it can.
func (m *model) sendable() string {
	r := m.list.current()
	switch {
	case m.o.Sender == nil:
		return noSender
	case r == nil:
		return "there is no flow to send"
	case r.Kind != flow.Exchange:
		return "this row is no request that could be sent"
	}
	return ""
}

// unsent says why the flow under the cursor is not sent, false if it can be. Where a session was opened
// to be read, it offers the command that sends it.
func (m *model) unsent(command string, flags ...string) bool {
	why := m.sendable()
	r, path := m.list.current(), m.o.SessionPath
	switch {
	case why == "":
		return false
	case m.o.Sender != nil || r == nil || r.Kind != flow.Exchange || path == "" || path == "-":
		m.say(false, why)
		return true
	}
	text := strings.Join(append([]string{"why403", command, quote(path), id(r.ID)}, flags...), " ")
	m.push(&confirm{title: "In a shell", text: "Nothing is sent from a session opened to be read. This command does it, and records the exchange in a session of its own:",
		rows: []piece{{"", safe.Text{}}, said(m.th.accent, text)}, yes: "copy the command", do: func(m *model) tea.Cmd { return m.copyText("command", text) }})
	return true
}

func (m *model) askEditor() tea.Cmd {
	if m.unsent("replay", "--header", "'Name: value'") {
		return nil
	}
	feed, ctx, id := m.o.Feed, m.ctx, m.list.cur
	msg := editorMsg{row: *m.list.current()}
	if d := m.inspector.d; d != nil && d.row.ID == id {
		msg.partner, msg.compare = d.partner, d.compare
	}
	return m.crew.cmd(func() tea.Msg {
		if msg.f, msg.err = whole(ctx, feed, id); msg.err == nil {
			msg.accepted = acceptedLike(ctx, feed, &msg.row)
		}
		return msg
	})
}

// acceptedLike are the newest accepted requests to the endpoint of a row, at most learnFrom.
func acceptedLike(ctx context.Context, feed Feed, r *session.Row) []*flow.Flow {
	rows, err := feed.History(ctx, r.Endpoint, feed.Last()+1, 3*learnFrom)
	if err != nil {
		return nil
	}
	var flows []*flow.Flow
	for i := range rows {
		if len(flows) < learnFrom && succeeded(&rows[i]) && rows[i].ID != r.ID {
			if f, err := feed.Flow(ctx, rows[i].ID); err == nil && f.Request != nil {
				flows = append(flows, f)
			}
		}
	}
	return flows
}

func (m *model) openEditor(msg editorMsg) {
	if msg.err != nil {
		m.fail("edit", msg.err)
		return
	}
	m.editor = newEditor(msg.f, msg.f.Request.Body.Data, msg.row, msg.partner, msg.compare)
	m.editor.veil = m.veil
	m.editor.accepted = msg.accepted
	if p := msg.partner; p != nil && p.Request != nil && !slices.ContainsFunc(msg.accepted, func(f *flow.Flow) bool { return f.ID == p.ID }) {
		m.editor.accepted = append([]*flow.Flow{p}, msg.accepted...)
	}
	m.arrange()
}

func (m *model) closeEditor() {
	m.editor = nil
	m.arrange()
}

// editorKey routes a key while the editor is open: its own keys first, then the field under the cursor.
func (m *model) editorKey(name, text string) tea.Cmd {
	e := m.editor
	m.atWork()
	a := lookup(inEditor, name)
	if e.raw != nil && m.rawKey(a, name, text) {
		return nil
	}
	switch a {
	case editRaw:
		e.toggleRaw()
	case editWhole:
		return m.externalWhole()
	case editParts:
		m.openParts()
	case editSend:
		if !e.fromRaw() {
			return nil
		}
		if e.held != nil {
			return m.sendHeld()
		}
		return m.sendEdited()
	case editReset:
		e.reset()
	case editClose:
		if e.held != nil && e.changed() {
			m.push(&confirm{title: "Close the editor?", text: "What you changed is lost; the message stays held.", yes: "close", do: func(m *model) tea.Cmd { m.closeEditor(); return nil }})
			return nil
		}
		if !e.changed() || len(e.tries) > 0 {
			m.closeEditor()
			return nil
		}
		m.push(&confirm{title: "Close the editor?", text: "What you changed has not been sent.", yes: "close", do: func(m *model) tea.Cmd { m.closeEditor(); return nil }})
	case editNext:
		e.next(1)
	case editPrev:
		e.next(-1)
	case editAdd:
		e.add()
	case editDouble:
		e.double()
	case editDelete:
		e.remove()
	case editToggle:
		e.toggle()
	case editRaise:
		e.shift(-1)
	case editLower:
		e.shift(1)
	case editUndo:
		e.takeBack()
	case editTake:
		m.takeValue()
	case editExternal:
		if e.raw != nil {
			return m.externalWhole()
		}
		return m.external()
	case editShow:
		if n := len(e.tries); n > 0 && e.tries[n-1].id != 0 {
			id := e.tries[n-1].id
			m.closeEditor()
			return m.goTo(id)
		}
	default:
		switch {
		case e.at.part == partBody && name == "up" && (!e.asText || e.body.first()):
			e.vertical(-1)
		case e.at.part != partBody && (name == "up" || name == "down" || name == "enter"):
			e.vertical(map[string]int{"up": -1, "down": 1, "enter": 1}[name])
		case name == "ctrl+c":
			return m.leave()
		case (name == "pgdown" || name == "pgup") && e.at.part != partBody:
			e.scroll(map[string]int{"pgdown": 5, "pgup": -5}[name])
		default:
			e.typed(name, text)
		}
	}
	return nil
}

// takeValue brings a value of the accepted flow into the form.
func (m *model) takeValue() {
	e := m.editor
	if e.partner == nil || len(e.compare.changes) == 0 {
		m.say(false, "there is no accepted request to take a value from")
		return
	}
	if ch, ok := e.wanted(); ok {
		if err := e.take(ch); err != nil {
			m.fail("take the value", err)
		}
		return
	}
	m.push(newTakeBox(e, m.veil))
}

// sendEdited sends the form as a child of the flow it came from.
func (m *model) sendEdited() tea.Cmd {
	e := m.editor
	to, req, err := e.request()
	if err != nil {
		e.problem = err.Error()
		return nil
	}
	e.problem = ""
	e.tries = append(e.tries, try{began: m.now})
	return m.send(to, req, e, len(e.tries)-1, e.row.Status)
}

// send lets the sender do its work; what comes back is an exchange of its own.
func (m *model) send(to *flow.Flow, req *flow.Message, e *editor, n, was int) tea.Cmd {
	m.running++
	began, o, ctx, th, veil := m.now, m.o, m.ctx, m.th, m.veil
	return m.crew.cmd(func() tea.Msg {
		msg := sentMsg{editor: e, n: n, parent: to.ID, was: was}
		msg.exchange(ctx, o, th, veil, began, to, req)
		return msg
	})
}

// exchange sends req and reads what came of it.
func (msg *sentMsg) exchange(ctx context.Context, o Options, th *theme, veil *veil, began time.Time, to *flow.Flow, req *flow.Message) {
	child, err := o.Sender.Send(ctx, to, req)
	msg.err, msg.took = err, o.Now().Sub(began)
	if child == 0 {
		return
	}
	f, err := o.Feed.Flow(ctx, child)
	if err != nil {
		msg.err = err
		return
	}
	msg.f = f
	if d := f.Times.Duration(); d > 0 {
		msg.took = d
	}
	if f.Response != nil {
		f = veil.flow(f)
		msg.answer = messageDoc(th, f, f.Response, false)
	}
}

func (m *model) sent(s sentMsg) tea.Cmd {
	m.running--
	m.now = m.o.Now()
	t := try{took: s.took, done: true}
	if s.f != nil {
		t.id, t.status = s.f.ID, s.f.Status()
		if s.f.Response != nil {
			t.reason = s.f.Response.Reason
		}
		if s.f.Err != nil {
			t.err = s.f.Err.Error()
		}
	}
	if s.err != nil {
		t.err = s.err.Error()
	}
	if s.editor != nil && s.n < len(s.editor.tries) {
		t.began = s.editor.tries[s.n].began
		s.editor.tries[s.n] = t
		if s.answer != nil {
			s.editor.answer, s.editor.answered = s.answer, 0
		}
	}
	if s.editor == nil || s.editor != m.editor {
		what := "replay of " + id(s.parent) + ": "
		switch {
		case t.status == 0:
			m.say(false, what+firstOf(t.err, "no answer"))
		default:
			good := t.status >= 200 && t.status < 300
			text := what + strconv.Itoa(t.status) + " " + t.reason + " in " + span(t.took)
			if s.was != 0 {
				text += ", was " + strconv.Itoa(s.was)
			}
			m.say(good, text)
		}
	}
	return nil
}

// replay sends the flow under the cursor again, unchanged.
func (m *model) replay() tea.Cmd {
	if m.unsent("replay") {
		return nil
	}
	feed, ctx, id, was := m.o.Feed, m.ctx, m.list.cur, m.list.current().Status
	m.running++
	o, th, veil, began := m.o, m.th, m.veil, m.now
	m.say(true, "sending "+m.list.current().Method+" "+veil.url(m.list.current().Target)+" again")
	return m.crew.cmd(func() tea.Msg {
		msg := sentMsg{parent: id, was: was}
		f, err := whole(ctx, feed, id)
		if err == nil && f.Request.Body.Cut() {
			err = errors.New("its body was not kept whole: it cannot be sent again")
		}
		if err != nil {
			msg.err = err
			return msg
		}
		req := f.Request.Clone()
		req.Head = f.Request.Head
		msg.exchange(ctx, o, th, veil, began, f, req)
		return msg
	})
}

// askFix shows the verdict's change before it is sent.
func (m *model) askFix() tea.Cmd {
	if m.o.Sender == nil && !m.fixable() {
		m.say(false, "the verdict knows no change that would be accepted")
		return nil
	}
	if m.unsent("replay", "--apply-fix") {
		return nil
	}
	if !m.fixable() {
		m.say(false, "the verdict knows no change that would be accepted; e edits by hand")
		return nil
	}
	fix := m.inspector.d.exp.Verdict.Fix
	return m.patched("Send with the fix?", fix.Summary, fix.Patch)
}

// replayTicked shows the ticked differences before the request is sent with them.
func (m *model) replayTicked() tea.Cmd {
	if why := m.sendable(); why != "" {
		m.say(false, why)
		return nil
	}
	d := m.inspector.d
	if d == nil || d.partner == nil {
		return nil
	}
	p := d.compare.patch()
	if len(p) == 0 {
		m.say(false, "tick a difference with space first")
		return nil
	}
	return m.patched("Send with these?", "#"+id(d.row.ID)+" with the values of #"+id(d.partner.ID), p)
}

func (m *model) patched(title words, text string, p flow.Patch) tea.Cmd {
	feed, ctx, id := m.o.Feed, m.ctx, m.list.cur
	return m.crew.cmd(func() tea.Msg {
		msg := fixMsg{title: title, text: text, patch: p}
		if msg.f, msg.err = whole(ctx, feed, id); msg.err != nil {
			return msg
		}
		to, err := diff.ApplyTo(msg.f, p)
		if err != nil {
			msg.err = err
			return msg
		}
		changed := *msg.f
		changed.Scheme, changed.Authority = to.Scheme, to.Authority
		msg.f, msg.req = &changed, to.Request
		return msg
	})
}

func (m *model) fixCame(msg fixMsg) {
	if msg.err != nil {
		m.fail("apply the change", msg.err)
		return
	}
	th := m.th
	rows := []piece{{"", safe.Text{}}}
	for _, ch := range m.veil.changes(msg.patch) {
		name := string(ch.Part) + " " + ch.Name
		if ch.Before != nil {
			rows = append(rows, said(th.bad, "- "+name+": "+*ch.Before))
		}
		if ch.After != nil {
			rows = append(rows, said(th.good, "+ "+name+": "+*ch.After))
		} else {
			rows = append(rows, said(th.muted, "  "+name+" is left out"))
		}
	}
	m.push(&confirm{title: msg.title, text: msg.text, rows: rows, yes: "send", do: func(m *model) tea.Cmd {
		return m.send(msg.f, msg.req, nil, 0, msg.f.Status())
	}})
}
