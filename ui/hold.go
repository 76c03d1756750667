package ui

import (
	"fmt"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/ui/safe"
)

// Gate is where messages wait for a person. hold.Gate is one. No method waits.
type Gate interface {
	Attach() (detach func())
	Held() []hold.Held
	Changed() <-chan struct{}
	Answer(flow.ID, filter.Phase, hold.Decision) error
	Extend(flow.ID, filter.Phase) error
	ResumeAll() int
	Points() []hold.Point
	SetPoints([]hold.Point) error
}

// heldMsg is what is held, and what to wait for next.
type heldMsg struct {
	list    []hold.Held
	changed <-chan struct{}
}

// watchHeld tells what is held as soon as that changes.
func (m *model) watchHeld(changed <-chan struct{}) tea.Cmd {
	gate, ctx := m.o.Hold, m.ctx
	if gate == nil {
		return nil
	}
	return m.crew.cmd(func() tea.Msg {
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
		next := gate.Changed() // before looking: what comes between is told again
		return heldMsg{gate.Held(), next}
	})
}

// firstHeld looks at once.
func (m *model) firstHeld() tea.Cmd {
	now := make(chan struct{})
	close(now)
	return m.watchHeld(now)
}

func (m *model) heldCame(msg heldMsg) tea.Cmd {
	m.now = m.o.Now()
	m.keepHeld(msg.list)
	return m.watchHeld(msg.changed)
}

// keepHeld takes note of what is held. An editor whose message went on is told.
func (m *model) keepHeld(list []hold.Held) {
	m.held = list
	m.list.held = make(map[flow.ID]hold.Held, len(list))
	for _, h := range list {
		m.list.held[h.ID] = h
	}
	e := m.editor
	if e == nil || e.held == nil {
		return
	}
	for i := range list {
		if list[i].ID == e.held.ID && list[i].Stage == e.held.Stage {
			e.held = &list[i]
			return
		}
	}
	if e.answers {
		m.closeEditor()
		m.say(false, "the answer to #"+id(e.held.ID)+" went on as it came: it was held no longer")
		return
	}
	e.held = nil
	e.problem = "it went on as it came meanwhile; " + string(keyOf(editSend)) + " sends this as a new request"
}

// heldHere is the held message of the flow under the cursor.
func (m *model) heldHere() (hold.Held, bool) {
	h, ok := m.list.held[m.list.cur]
	return h, ok
}

// pointsOn is how many breakpoints are at work.
func (m *model) pointsOn() int {
	n := 0
	if m.o.Hold != nil {
		for _, p := range m.o.Hold.Points() {
			if !p.Off {
				n++
			}
		}
	}
	return n
}

// holdable says why nothing can be held, "" if something can.
func (m *model) holdable() string {
	if m.o.Hold == nil {
		return "nothing can be held from here: this session was opened without a proxy"
	}
	return ""
}

// answerHeld decides about a held message, and reports whether it was held yet.
func (m *model) answerHeld(h hold.Held, d hold.Decision) bool {
	err := m.o.Hold.Answer(h.ID, h.Stage, d)
	m.keepHeld(m.o.Hold.Held())
	switch {
	case err != nil:
		m.say(false, what(h)+" is not held any more")
	case d.Verb == hold.Drop:
		m.say(true, what(h)+" is dropped; the client's connection was closed")
	case d.Edited != nil:
		m.say(true, what(h)+" was sent on as edited")
	default:
		m.say(true, what(h)+" was sent on as it came")
	}
	return err == nil
}

func what(h hold.Held) string {
	if h.Stage == filter.Responses {
		return "the answer to #" + id(h.ID)
	}
	return "request #" + id(h.ID)
}

// decideHere decides about the flow under the cursor.
func (m *model) decideHere(d hold.Decision) {
	h, ok := m.heldHere()
	switch {
	case m.holdable() != "":
		m.say(false, m.holdable())
	case ok:
		m.answerHeld(h, d)
	case len(m.held) > 0:
		m.say(false, "this flow is not held; "+string(keyOf(showHeld))+" lists what is")
	default:
		m.say(false, "nothing is held; "+string(keyOf(showPoints))+" sets a breakpoint")
	}
}

func (m *model) resumeAll() {
	if why := m.holdable(); why != "" {
		m.say(false, why)
		return
	}
	n := m.o.Hold.ResumeAll()
	m.keepHeld(m.o.Hold.Held())
	m.say(n > 0, plural(int64(n), "held message")+" sent on")
}

// editHeld opens the editor on a held message.
func (m *model) editHeld(h hold.Held) {
	m.dialogs = nil
	if m.list.cur != h.ID {
		m.list.place(h.ID)
	}
	m.o.Hold.Extend(h.ID, h.Stage) // should it be gone, the next look tells
	var partner *flow.Flow
	var c compare
	if d := m.inspector.d; d != nil && d.row.ID == h.ID && h.Stage == filter.Requests {
		if partner = d.partner; partner != nil {
			c = comparison(h.Flow, partner, nil) // the session has not seen its body yet
		}
	}
	m.editor = newHeldEditor(h, partner, c)
	m.editor.extended, m.editor.touched, m.editor.veil = m.now, m.now, m.veil
	if r := m.list.current(); r != nil {
		m.editor.row = *r
	}
	m.arrange()
}

const (
	// editPatience is how long a held message is kept waiting after the last key in its editor; then
	// the time of the gate begins.
	editPatience = 30 * time.Minute
	// keepEvery is how often it is kept waiting.
	keepEvery = 5 * time.Second
)

// atWork notes that somebody is at work on what is held.
func (m *model) atWork() {
	if e := m.editor; e != nil {
		e.touched = m.now
		m.keepWaiting()
	}
}

// keepWaiting keeps what is edited from going on by itself, as long as somebody may be at work on it.
func (m *model) keepWaiting() {
	if e := m.editor; e != nil && e.held != nil && e.tended(m.now) && m.now.Sub(e.extended) >= keepEvery {
		e.extended = m.now
		m.o.Hold.Extend(e.held.ID, e.held.Stage)
	}
}

// tended reports whether what is edited is kept waiting.
func (e *editor) tended(now time.Time) bool { return now.Sub(e.touched) < editPatience }

// besideEditor keeps what is held waiting until done is closed, at most for editPatience: while
// $EDITOR has the terminal no tick comes by.
func (m *model) besideEditor(done <-chan struct{}) tea.Cmd {
	e := m.editor
	if e == nil || e.held == nil {
		return nil
	}
	gate, h, ctx := m.o.Hold, *e.held, m.ctx
	return m.crew.cmd(func() tea.Msg {
		every, over := time.NewTicker(keepEvery), time.NewTimer(editPatience)
		defer every.Stop()
		defer over.Stop()
		for {
			select {
			case <-every.C:
				if gate.Extend(h.ID, h.Stage) != nil {
					return nil
				}
			case <-done:
				return nil
			case <-over.C:
				return nil
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// sendHeld lets the message go on as the form says.
func (m *model) sendHeld() tea.Cmd {
	e := m.editor
	f := *e.parent
	if e.answers {
		a, err := e.response()
		if err != nil {
			e.problem = err.Error()
			return nil
		}
		f.Response = a
	} else {
		to, req, err := e.request()
		if err != nil {
			e.problem = err.Error()
			return nil
		}
		f.Scheme, f.Authority, f.Request = to.Scheme, to.Authority, req
	}
	d := hold.Decision{Edited: &f}
	if !e.changed() {
		d.Edited = nil
	}
	h := *e.held
	m.closeEditor()
	if m.answerHeld(h, d) && d.Edited != nil {
		m.list.edited[h.ID] = true
	}
	return nil
}

// newHeldEditor edits a message that waits.
func newHeldEditor(h hold.Held, partner *flow.Flow, c compare) *editor {
	e := &editor{parent: h.Flow, held: &h, answers: h.Stage == filter.Responses, partner: partner, compare: c}
	if h.NoBody != "" {
		e.noBody = "the body goes on as it is: " + h.NoBody
	}
	e.form = e.fresh()
	e.at = fieldID{partHeader, 0, 1}
	if len(e.heads) == 0 {
		e.at = fieldID{part: partURL}
	}
	return e
}

// left is how long a message waits yet, as minutes and seconds.
func left(h hold.Held, now time.Time) string {
	s := max(0, int(h.Until.Sub(now).Round(time.Second)/time.Second))
	return strconv.Itoa(s/60) + ":" + pad2(s%60)
}

// heldReason is what the last column says of a flow that waits.
func heldReason(th *theme, h hold.Held, now time.Time) (style, safe.Text) {
	side := "request"
	if h.Stage == filter.Responses {
		side = "answer"
	}
	return th.warn, safe.Of(signHeld + " " + side + " held " + left(h, now))
}

// heldView is what the inspector knows of a flow that waits.
type heldView struct {
	hold.Held
	doc document // the message, once it was drawn
	th  *theme
	raw bool
}

// asks reports whether it is the request that waits.
func (v *heldView) asks() bool { return v.Stage == filter.Requests }

// message is the held message: its body is not in the session yet.
func (v *heldView) message(th *theme, veil *veil, raw bool) document {
	if v.doc == nil || v.th != th || v.raw != raw {
		f := veil.flow(v.Flow)
		m := f.Request
		if v.Stage == filter.Responses {
			m = f.Response
		}
		v.doc, v.th, v.raw = messageDoc(th, f, m, raw), th, raw
	}
	return v.doc
}

// why is the tab Why of a flow that waits.
func (v *heldView) why(th *theme, w int, now time.Time) document {
	p := &writer{w: w}
	title := "Held before it is sent to the server"
	if v.Stage == filter.Responses {
		title = "Held before the client gets the answer"
	}
	p.say(nil, 0, th.bright, safe.Of(title))
	p.blank()
	p.say(p.label(th, "goes on", labelWidth), labelWidth, th.text, safe.Of("by itself in "+left(v.Held, now)+", as it came"))
	if v.NoBody != "" {
		p.say(p.label(th, "body", labelWidth), labelWidth, th.warn, safe.Of("goes on as it is: "+v.NoBody))
	}
	p.blank()
	for _, k := range []struct {
		do   action
		what words
	}{
		{resumeHeld, "let it go on as it came"}, {editReplay, "edit it, then let it go on"}, {dropHeld, "drop it and close the client's connection"},
		{showHeld, "all that is held, and more time"}, {showPoints, "the breakpoints"},
	} {
		p.out = append(p.out, []piece{said(th.key, string(keyOf(k.do))+"  "), lit(th.muted, k.what)})
	}
	return p.out
}

// showHeldIn tells the inspector whether its flow waits.
func (m *model) showHeldIn(v *inspector) {
	h, ok := m.heldHere()
	switch {
	case !ok:
		v.held = nil
	case v.held == nil || v.held.ID != h.ID || v.held.Stage != h.Stage || v.held.Flow != h.Flow:
		v.held = &heldView{Held: h}
	default:
		v.held.Until = h.Until
	}
}

// heldCount is what header and footer say.
func heldCount(n int) string { return fmt.Sprintf(signHeld+" %d held", n) }

// heldKeys names the keys for what is held, first of all in the footer.
func (m *model) heldKeys(l *line) {
	if len(m.held) == 0 || m.editor != nil {
		return
	}
	th := m.th
	l.text(th.warn, safe.Of(heldCount(len(m.held)))).gap(2)
	keys := []action{showHeld, resumeHeld, dropHeld, resumeHeldAll}
	if _, ok := m.heldHere(); !ok {
		keys = []action{showHeld, resumeHeldAll}
	}
	for _, a := range keys {
		l.put(th.key, keyOf(a)).gap(1).put(th.muted, nameOf(a)).gap(2)
	}
}
