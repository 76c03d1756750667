package ui

import (
	"context"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect/pinpoint"
)

// Experiment makes an experiment; it is pinpoint.Run.
type Experiment func(context.Context, pinpoint.Input, pinpoint.Sender, pinpoint.Options, pinpoint.State) pinpoint.Result

// Budgets of an experiment that is made from the screen.
const (
	labRequests = 12
	labMore     = 8
	labSure     = 24 // to rule out chance
	labMost     = 100
	labSpacing  = 500 * time.Millisecond
)

// lab is one experiment: its plan, then the table of its probes as they are sent. It goes on
// while it is not looked at.
type lab struct {
	row    session.Row
	in     pinpoint.Input
	opt    pinpoint.Options
	plan   pinpoint.Plan
	stage  labStage
	steps  []pinpoint.Step // the last one may be under way
	result pinpoint.Result
	state  pinpoint.State
	me     pinpoint.Me
	asks   bool               // whether it can be asked
	came   chan pinpoint.Step // steps as they come; closed at the end
	cancel context.CancelFunc
	brake  *brake
	cur    int // row of the table; -1: the newest
	began  time.Time
}

type labStage uint8

const (
	labReading labStage = iota
	labPlanned
	labRunning
	labDone
	labMe // the answer to "is it me?"
)

// Messages of an experiment. That of another one than is known comes late and is dropped.
type (
	labReadMsg struct {
		lab *lab
		in  pinpoint.Input
		err error
	}
	labStepMsg struct {
		lab  *lab
		step pinpoint.Step
	}
	labDoneMsg struct {
		lab    *lab
		result pinpoint.Result
		me     *pinpoint.Me // it was asked whether it is us
		err    error
	}
)

// pinpointable says why no experiment can be made with the flow under the cursor, "" if one can.
func (m *model) pinpointable() string {
	if why := m.sendable(); why != "" {
		return why
	}
	if r := m.list.current(); !r.Refused() {
		return "this request was not refused: there is nothing to find out"
	}
	return ""
}

// pinpoint shows the experiment on the flow under the cursor, or the one that is under way.
func (m *model) pinpoint() tea.Cmd {
	if l := m.lab; l != nil && (l.stage == labRunning || l.row.ID == m.list.cur && l.stage >= labDone) {
		m.push(l)
		return nil
	}
	if r := m.list.current(); m.o.Sender == nil && r != nil && r.Refused() && m.unsent("pinpoint") {
		return nil
	}
	if why := m.pinpointable(); why != "" {
		m.say(false, why)
		return nil
	}
	l := &lab{row: *m.list.current(), cur: -1, brake: &brake{}, asks: m.o.IsItMe != nil, opt: pinpoint.Options{Max: labRequests, Spacing: labSpacing}}
	l.opt.Sleep = l.brake.sleep
	m.lab = l
	m.push(l)
	var partner flow.ID
	if d := m.inspector.d; d != nil && d.row.ID == l.row.ID && d.partner != nil {
		partner = d.partner.ID
	}
	feed, explain, ctx := m.o.Feed, m.o.Explain, m.ctx
	return m.crew.cmd(func() tea.Msg {
		msg := labReadMsg{lab: l}
		msg.in, msg.err = gatherLab(ctx, feed, explain, &l.row, partner)
		return msg
	})
}

// gatherLab reads what an experiment is about. partner is 0 where nobody compares with anything.
func gatherLab(ctx context.Context, feed Feed, explain Explainer, r *session.Row, partner flow.ID) (in pinpoint.Input, err error) {
	if in.Refused, err = whole(ctx, feed, r.ID); err != nil {
		return in, err
	}
	if explain != nil {
		if in.Explained, err = explain(ctx, r.ID); err != nil {
			return in, err
		}
	}
	rows, err := feed.History(ctx, r.Endpoint, feed.Last()+1, 3*learnFrom)
	if err != nil {
		return in, err
	}
	if c := in.Explained.ComparedWith; c != nil && partner == 0 {
		partner = c.ID
	}
	for i := range rows {
		if !succeeded(&rows[i]) || rows[i].Parent != 0 {
			continue
		}
		if partner == 0 {
			partner = rows[i].ID
		}
		if len(in.Successes) == learnFrom || rows[i].ReqBytes > learnBytes {
			continue
		}
		if f, err := feed.Flow(ctx, rows[i].ID); err == nil {
			in.Successes = append(in.Successes, f)
		}
	}
	if partner != 0 {
		if pr, err := feed.Row(ctx, partner); err == nil && succeeded(&pr) {
			if in.Accepted, err = whole(ctx, feed, partner); err != nil {
				return in, err
			}
		}
	}
	in.Earlier = pagesBefore(ctx, feed, r)
	return in, nil
}

// Bounds of the pages in which the origin of a token is looked for.
const (
	pagesFrom = 200 // rows before the refused one
	pagesMost = 30
	pageBytes = 1 << 20 // of one page
)

// pagesBefore are the accepted GETs of the same host before a flow, oldest first.
func pagesBefore(ctx context.Context, feed Feed, r *session.Row) []*flow.Flow {
	rows, err := feed.Page(ctx, max(1, r.ID-pagesFrom), pagesFrom)
	if err != nil {
		return nil
	}
	var out []*flow.Flow
	for i := len(rows) - 1; i >= 0 && len(out) < pagesMost; i-- {
		p := &rows[i]
		if p.ID >= r.ID || p.Method != "GET" || p.Scheme != r.Scheme || p.Authority != r.Authority || !succeeded(p) || p.RespBytes > pageBytes {
			continue
		}
		if f, err := feed.Flow(ctx, p.ID); err == nil {
			out = append(out, f)
		}
	}
	slices.Reverse(out)
	return out
}

func (m *model) labRead(msg labReadMsg) {
	l := msg.lab
	if l != m.lab || l.stage != labReading {
		return
	}
	if msg.err != nil {
		m.closeLab(l)
		m.lab = nil
		m.fail("pinpoint", msg.err)
		return
	}
	l.in, l.stage = msg.in, labPlanned
	l.plan = pinpoint.MakePlan(l.in, l.opt)
}

// start sends the first request, or goes on where it stopped.
func (l *lab) start(m *model) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	l.cancel, l.stage, l.cur, l.began = cancel, labRunning, -1, m.now
	l.came = make(chan pinpoint.Step, 4*labMost) // the experiment never waits for the screen
	l.steps = nil
	opt := l.opt
	opt.Observe = func(s pinpoint.Step) { l.came <- s }
	m.running++
	o, in, state := m.o, l.in, l.state
	run := m.crew.cmd(func() tea.Msg {
		defer cancel()
		msg := labDoneMsg{lab: l}
		msg.result = o.Pinpoint(ctx, in, labSender{o}, opt, state)
		close(l.came)
		if r := msg.result; r.Outcome == pinpoint.Proven && r.FixedBy != 0 && !o.ReadOnly {
			a := flow.Annotation{ProvenBy: &r.FixedBy}
			if l.row.Comment == "" {
				a.Comment = &r.Reason
			}
			msg.err = o.Feed.Note(l.row.ID, a)
		}
		return msg
	})
	return tea.Batch(run, m.labListen(l))
}

// askMe sends the request as it was by other ways, to find out whether the interception is why.
func (l *lab) askMe(m *model) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	l.cancel, l.stage, l.steps = cancel, labRunning, nil
	m.running++
	ask, f := m.o.IsItMe, l.in.Refused
	return m.crew.cmd(func() tea.Msg {
		defer cancel()
		me := ask(ctx, f)
		return labDoneMsg{lab: l, me: &me}
	})
}

// labListen waits for the next step.
func (m *model) labListen(l *lab) tea.Cmd {
	came := l.came
	return m.crew.cmd(func() tea.Msg {
		s, more := <-came
		if !more {
			return nil
		}
		return labStepMsg{l, s}
	})
}

func (m *model) labStep(msg labStepMsg) tea.Cmd {
	l := msg.lab
	switch n := len(l.steps); {
	case l.stage == labDone: // the result has them all
	case n > 0 && l.steps[n-1].N == msg.step.N:
		l.steps[n-1] = msg.step
	default:
		l.steps = append(l.steps, msg.step)
	}
	return m.labListen(l)
}

func (m *model) labCame(msg labDoneMsg) {
	l := msg.lab
	m.running--
	if msg.me != nil {
		l.stage, l.me = labMe, *msg.me
		if !m.shows(l) {
			m.say(l.me.Blame != pinpoint.Unclear, l.me.Finding)
		}
		return
	}
	l.stage, l.result, l.steps = labDone, msg.result, msg.result.Steps
	l.state = msg.result.State(l.in)
	l.cur = -1
	if m.inspector.id == l.row.ID {
		m.loadedRev = 0
	}
	if msg.err != nil {
		m.fail("keep the proof", msg.err)
		return
	}
	if !m.shows(l) {
		m.say(l.result.Outcome == pinpoint.Proven, "experiment on #"+id(l.row.ID)+": "+string(l.result.Outcome)+". "+l.result.Reason)
	}
}

func (m *model) shows(l *lab) bool {
	for _, d := range m.dialogs {
		if d == dialog(l) {
			return true
		}
	}
	return false
}

func (m *model) closeLab(l *lab) {
	if n := len(m.dialogs); n > 0 && m.dialogs[n-1] == dialog(l) {
		m.pop()
	}
}

func (l *lab) name() words { return "Pinpoint" }

// key implements dialog.
func (l *lab) key(m *model, name, _ string) tea.Cmd {
	switch {
	case name == "esc" || name == "q":
		m.closeLab(l)
		if l.stage < labRunning {
			m.lab = nil
		}
		return nil
	case l.stage == labPlanned:
		return l.planKey(m, name)
	case l.stage == labRunning:
		switch name {
		case "ctrl+c", "x":
			l.brake.release()
			l.cancel()
		case "space":
			l.brake.toggle()
		}
	case l.stage == labMe:
		switch name {
		case "c":
			if l.me.Tunnel != "" {
				return m.copyText("option", "--tunnel "+l.me.Tunnel)
			}
		case "a", "ctrl+c":
			m.closeLab(l)
			m.lab = nil
			if name == "a" {
				return m.pinpoint()
			}
		}
		return nil
	case l.stage == labDone:
		if cmd, done := l.doneKey(m, name); done {
			return cmd
		}
	}
	switch lookup(inList, name) {
	case goDown:
		l.move(1)
	case goUp:
		l.move(-1)
	}
	return nil
}

func (l *lab) planKey(m *model, name string) tea.Cmd {
	switch name {
	case "enter":
		if l.plan.Against != "" {
			m.closeLab(l)
			m.lab = nil
			return nil
		}
		return l.start(m)
	case "+", "right":
		l.opt.Max = min(labMost, l.opt.Max+labMore)
	case "-", "left":
		l.opt.Max = max(4, l.opt.Max-labMore)
	case "1":
		l.opt.MaxAccepted = 1 - min(1, l.opt.MaxAccepted)
	case "m":
		if m.o.IsItMe != nil && l.plan.Against == "" {
			return l.askMe(m)
		}
	case "ctrl+c":
		m.closeLab(l)
		m.lab = nil
		return nil
	}
	l.plan = pinpoint.MakePlan(l.in, l.opt)
	return nil
}

func (l *lab) doneKey(m *model, name string) (tea.Cmd, bool) {
	switch name {
	case "enter":
		if s := l.at(); s != nil && s.Flow != 0 {
			m.closeLab(l)
			return m.goTo(s.Flow), true
		}
	case "+":
		if l.result.Outcome == pinpoint.Stopped || l.result.Outcome == pinpoint.FixedOnce {
			more := labMore
			if l.result.Outcome == pinpoint.FixedOnce { // what is left to show is that it is no chance
				l.opt.Sure, more = true, labSure
			}
			l.opt.Max = min(labMost, max(l.opt.Max, len(l.steps))+more)
			return l.start(m), true
		}
	case "a":
		m.closeLab(l)
		m.lab = nil
		return m.pinpoint(), true
	case "ctrl+c":
		m.closeLab(l)
		return nil, true
	}
	return nil, false
}

func (l *lab) move(by int) {
	n := len(l.steps)
	if n == 0 {
		return
	}
	at := l.cur
	if at < 0 {
		at = n - 1
	}
	if at = max(0, at+by); at >= n-1 {
		at = -1
	}
	l.cur = at
}

// at is the step under the cursor.
func (l *lab) at() *pinpoint.Step {
	switch n := len(l.steps); {
	case n == 0:
		return nil
	case l.cur < 0 || l.cur >= n:
		return &l.steps[n-1]
	}
	return &l.steps[l.cur]
}

// labSender sends probes by the screen's sender and reads what they became.
type labSender struct{ o Options }

func (s labSender) Send(ctx context.Context, p pinpoint.Probe) (*flow.Flow, error) {
	to := *p.Flow
	to.ID, to.Parent = p.Flow.Parent, 0
	child, err := s.o.Sender.Send(ctx, &to, p.Flow.Request)
	if child == 0 {
		return nil, err
	}
	f, readErr := s.o.Feed.Flow(ctx, child)
	if readErr != nil {
		return nil, readErr
	}
	return f, err
}

// brake holds an experiment between two requests.
type brake struct {
	mu   sync.Mutex
	held chan struct{} // closed when it goes on; nil: it is not held
}

// sleep is the pause between two requests, and as much longer as it is held.
func (b *brake) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	b.mu.Lock()
	held := b.held
	b.mu.Unlock()
	if held == nil {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-held:
		return ctx.Err() // stopping lets go of the brake too
	}
}

func (b *brake) on() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held != nil
}

func (b *brake) toggle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = make(chan struct{})
		return
	}
	close(b.held)
	b.held = nil
}

func (b *brake) release() {
	if b.on() {
		b.toggle()
	}
}
