package ui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// Rows reach the screen in batches, at most one in batchEvery (see pace), of at most batchMax.
const (
	batchEvery = 33 * time.Millisecond
	batchMax   = 2048
)

// Answers of the commands.
type (
	rowsMsg struct {
		rows  []session.Row
		rev   session.Rev
		last  flow.ID
		stats session.Stats
	}
	pageMsg struct {
		asked []flow.ID
		rows  []session.Row
		err   error
	}
	scanMsg struct {
		version int
		ids     []flow.ID // newest first
		keys    []sortKey // of ids, if the list is sorted
		rows    []session.Row
		next    flow.ID
		err     error
	}
	dossierMsg struct {
		version int
		id      flow.ID
		rev     session.Rev
		d       *dossier
	}
	tickMsg  time.Time
	toastMsg struct {
		good bool
		text string
	}
)

// listen waits for something new and takes it, a batch at a time.
func (m *model) listen() tea.Cmd {
	feed, rev, ctx := m.o.Feed, m.rev, m.ctx
	return m.crew.cmd(func() tea.Msg {
		select {
		case <-feed.Changed(rev):
		case <-ctx.Done():
			return nil
		}
		rows, next := feed.Since(rev, batchMax)
		return rowsMsg{rows, next, feed.Last(), feed.Stats()}
	})
}

// later is listen after the pause between two batches.
func (m *model) later(pause time.Duration) tea.Cmd {
	next, ctx := m.listen(), m.ctx
	return m.crew.cmd(func() tea.Msg {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
			return next()
		case <-ctx.Done():
			return nil
		}
	})
}

// trustMsg says whether the system trusts our CA.
type trustMsg bool

func (m *model) askTrust() tea.Cmd {
	ask := m.o.CA.Ask
	if ask == nil {
		return nil
	}
	return m.crew.cmd(func() tea.Msg { return trustMsg(ask()) })
}

// tick tells the time after a while.
func (m *model) tick(every time.Duration) tea.Cmd {
	ctx := m.ctx
	return m.crew.cmd(func() tea.Msg {
		t := time.NewTimer(every)
		defer t.Stop()
		select {
		case now := <-t.C:
			return tickMsg(now)
		case <-ctx.Done():
			return nil
		}
	})
}

func (m *model) rowsCame(b rowsMsg) tea.Cmd {
	m.now = m.o.Now()
	m.rev = b.rev
	for i := range b.rows {
		r := &b.rows[i]
		m.spark.add(r, m.now)
		m.seen.add(r)
		m.note(r)
	}
	m.list.add(b.rows, b.last, m.now)
	m.list.trim()
	m.stats = b.stats
	return tea.Batch(m.later(m.pace.next(len(b.rows))), m.tryDeep(b.rows), m.foldArrived(b.rows))
}

// note keeps what rows say about each other.
func (m *model) note(r *session.Row) {
	if r.Parent == 0 {
		return
	}
	if r.Parent == m.inspector.id {
		m.loadedRev = 0 // its attempts are shown there
	}
	known := m.tries[r.Parent]
	for _, t := range known {
		if t == r.ID {
			return
		}
	}
	if len(m.tries) < keepRows {
		m.tries[r.Parent] = append(known, r.ID)
	}
}

// fetch reads the rows ids, which are in order. Neighbours are read in one go, with some around them.
func (m *model) fetch(ids []flow.ID) tea.Cmd {
	feed, ctx := m.o.Feed, m.ctx
	near := m.list.match == nil
	return m.crew.cmd(func() tea.Msg {
		msg := pageMsg{asked: ids}
		if near {
			from := max(1, ids[0]-64)
			msg.rows, msg.err = feed.Page(ctx, from, int(ids[len(ids)-1]-from)+65)
			return msg
		}
		for _, id := range ids {
			r, err := feed.Row(ctx, id)
			if err == nil {
				msg.rows = append(msg.rows, r)
			} else if ctx.Err() != nil {
				msg.err = err
				break
			}
		}
		return msg
	})
}

func (m *model) pageCame(p pageMsg) {
	m.fetching = false
	if p.err != nil {
		m.fail("read flows", p.err)
	}
	for i := range p.rows {
		m.list.rows.put(p.rows[i])
		m.note(&p.rows[i])
		m.seen.add(&p.rows[i])
	}
	for _, id := range p.asked {
		m.list.rows.missing(id)
	}
	m.list.trim()
}

// load gathers what the inspector shows of a flow.
func (m *model) load(id flow.ID) tea.Cmd {
	o, ctx, raw, th, veil := m.o, m.ctx, m.inspector.raw, m.th, m.veil
	tries := append([]flow.ID(nil), m.tries[id]...)
	partner, version := m.partners[id], m.loads
	stories, now := m.stories, m.now
	var known *messages
	if d := m.inspector.d; d != nil && d.row.ID == id {
		known = d.messages
	}
	return m.crew.cmd(func() tea.Msg {
		d := &dossier{raw: raw}
		msg := dossierMsg{version: version, id: id, d: d}
		d.row.ID = id
		if d.row, d.err = o.Feed.Row(ctx, id); d.err != nil {
			d.row.ID = id
			return msg
		}
		msg.rev = d.row.Rev
		if d.flow, d.err = o.Feed.Flow(ctx, id); d.err != nil {
			return msg
		}
		if d.row.Parent != 0 {
			if p, err := o.Feed.Row(ctx, d.row.Parent); err == nil {
				d.parent = &p
			}
		}
		for _, t := range replays(ctx, o.Feed, &d.row, tries) {
			if r, err := o.Feed.Row(ctx, t); err == nil {
				d.tries = append(d.tries, r)
				if d.fixedBy == 0 && ended(&r) && r.Status >= 200 && r.Status < 300 && !r.Refused() {
					d.fixedBy = t
				}
			}
		}
		if o.Explain != nil && ended(&d.row) && (d.row.Verdict != nil || d.row.Refused()) {
			if e, err := o.Explain(ctx, id); err == nil {
				d.exp = &e
			}
		}
		if partner == 0 {
			partner = lastSuccess(ctx, o.Feed, d)
		}
		if partner != 0 {
			if f, err := o.Feed.Flow(ctx, partner); err == nil {
				d.partner = f
				d.compare = comparison(d.flow, f, learn(ctx, o.Feed, d))
			}
		}
		show := d.flow
		if d.shown = veil.dossier(d); d.shown != nil {
			show = d.shown.flow
		}
		d.request = messageDoc(th, show, show.Request, raw)
		d.answer = messageDoc(th, show, show.Response, raw)
		d.pointOut(d.request, d.answer)
		d.messages = gather(ctx, o.Feed, d.flow, known)
		d.story = stories.chain(ctx, o.Feed, &d.row, now)
		return msg
	})
}

func (m *model) dossierCame(d dossierMsg) {
	m.loading = false
	if d.id != m.inspector.id || d.version != m.loads {
		return // something else is asked for by now
	}
	if errors.Is(d.d.err, context.Canceled) {
		return
	}
	m.inspector.load(d.d)
	m.loadedRev, m.loadedAt = d.rev, m.now
	if d.d.row.ID != 0 && d.d.err == nil {
		m.list.rows.put(d.d.row)
		m.seen.look(d.d.flow)
	}
}
