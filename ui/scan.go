package ui

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// Steps of a filter's scan: what is looked at before the screen shows what was found. The first is
// small, so that there is something to see at once; the others are large, for each costs a frame.
const (
	scanFirst = 4000 // flows
	scanStep  = 20_000
	scanRows  = 200 // of those found, brought along

	// of a filter that looks into flows
	deepFlows = 5000
	deepFirst = 4 << 20 // bytes of bodies
	deepStep  = 48 << 20
)

// searchBody is how much of one body is looked through, in bytes: what a session keeps of it unless
// it was told to keep more.
const searchBody = 64 << 20

// rescan begins with another filter: what is still looked at for the one before is given up.
func (m *model) rescan() {
	if m.stopScan != nil {
		m.stopScan()
	}
	m.scanning++
	m.inspector.sought = nil
	m.scanCtx, m.stopScan = context.WithCancel(m.ctx)
}

// scan looks at flows from id next downwards, newest first.
func (m *model) scan(match *matches, next flow.ID) tea.Cmd {
	look := lookAtRows
	if match.deep {
		look = lookIntoFlows
		m.inspector.sought = match.expr.Sought()
	}
	feed, ctx, version, now := m.o.Feed, m.scanCtx, m.scanning, m.now
	return m.crew.cmd(func() tea.Msg {
		msg := look(ctx, feed, match, next, now)
		msg.version = version
		return msg
	})
}

// take adds what fits, newest first.
func (msg *scanMsg) take(match *matches, r *session.Row) {
	msg.ids = append(msg.ids, r.ID)
	if len(msg.rows) < scanRows { // those that the screen may show next
		msg.rows = append(msg.rows, *r)
	}
	if match.sorted != nil {
		msg.keys = append(msg.keys, match.sorted.by.key(r))
	}
}

func lookAtRows(ctx context.Context, feed Feed, match *matches, next flow.ID, now time.Time) (msg scanMsg) {
	step := flow.ID(scanStep)
	if next == match.border {
		step = scanFirst
	}
	msg.next = max(0, next-step)
	if step == scanFirst {
		msg.look(ctx, feed, match, msg.next, next, now)
		return msg
	}
	// Two look at once: where a filter finds nothing until its end, that is how long it takes.
	var older scanMsg
	middle := next - (next-msg.next)/2
	var half sync.WaitGroup
	half.Go(func() { older.look(ctx, feed, match, msg.next, middle, now) })
	msg.look(ctx, feed, match, middle, next, now)
	half.Wait()
	msg.join(&older)
	return msg
}

// look takes what fits of the flows above after, up to next.
func (msg *scanMsg) look(ctx context.Context, feed Feed, match *matches, after, next flow.ID, now time.Time) {
	msg.err = feed.RowsBack(ctx, after+1, next, func(r *session.Row) bool {
		if match.passes(r, now) && !match.hidden(ctx, feed, r, now) {
			msg.take(match, r)
		}
		return true
	})
}

// join adds what was found among older flows.
func (msg *scanMsg) join(older *scanMsg) {
	msg.ids = append(msg.ids, older.ids...)
	msg.keys = append(msg.keys, older.keys...)
	msg.rows = append(msg.rows, older.rows[:min(len(older.rows), scanRows-len(msg.rows))]...)
	msg.err = errors.Join(msg.err, older.err)
}

func lookIntoFlows(ctx context.Context, feed Feed, match *matches, next flow.ID, now time.Time) (msg scanMsg) {
	budget, most := int64(deepStep), int64(0)
	if next == match.border {
		budget = deepFirst
	}
	if match.expr.UsesBody() {
		most = searchBody
	}
	msg.next = max(0, next-deepFlows)
	msg.err = feed.Back(ctx, msg.next+1, next, most, func(r *session.Row, f *flow.Flow) bool {
		s := subject(r, now)
		s.Flow, s.Process = f, f.Conn.Process
		if match.expr.Match(s) && !match.hidden(ctx, feed, r, now) {
			msg.take(match, r)
		}
		for _, m := range []*flow.Message{f.Request, f.Response} {
			if m != nil {
				budget -= int64(len(m.Body.Data))
			}
		}
		if budget <= 0 {
			msg.next = r.ID - 1
		}
		return budget > 0
	})
	return msg
}

// hidden reports whether a row is folded away: it is a step in the story of a later one.
func (m *matches) hidden(ctx context.Context, feed Feed, r *session.Row, now time.Time) bool {
	if m.folded == nil || !leads(r) {
		return false
	}
	st, _ := m.folded.resolve(ctx, feed, r.ID, feed.Last(), now)
	return st.to != 0
}

// fits is the filter as a function, for commands that look at single rows.
func (m *matches) fits(ctx context.Context, feed Feed, now time.Time) func(*session.Row) bool {
	expr, deep := m.expr, m.deep
	return func(r *session.Row) bool {
		if m.hidden(ctx, feed, r, now) {
			return false
		}
		if expr == nil {
			return true
		}
		s := subject(r, now)
		if deep {
			most := int64(0)
			switch {
			case !expr.UsesBody():
			case ended(r):
				most = searchBody
			default: // it comes again and again
				most = session.BodyPrefix
			}
			f, err := feed.Prefix(ctx, r.ID, most, most)
			if err != nil {
				return false
			}
			s.Flow, s.Process = f, f.Conn.Process
		}
		return expr.Match(s)
	}
}

// deepMsg says which of the rows that came fit a filter that looks into flows.
type deepMsg struct {
	version int
	in, out []session.Row
}

// tryDeep looks into rows that came.
func (m *model) tryDeep(batch []session.Row) tea.Cmd {
	match := m.list.match
	if match == nil || !match.deep || len(batch) == 0 {
		return nil
	}
	fits, version := match.fits(m.scanCtx, m.o.Feed, m.now), m.scanning
	rows := slices.Clone(batch)
	return m.crew.cmd(func() tea.Msg {
		msg := deepMsg{version: version}
		for i := range rows {
			if fits(&rows[i]) {
				msg.in = append(msg.in, rows[i])
			} else {
				msg.out = append(msg.out, rows[i])
			}
		}
		return msg
	})
}

func (m *model) deepCame(d deepMsg) {
	if d.version != m.scanning || m.list.match == nil {
		return
	}
	m.list.tried(d.in, d.out)
}

func (m *model) scanCame(s scanMsg) tea.Cmd {
	if s.version != m.scanning || m.list.match == nil {
		return nil
	}
	if s.err != nil {
		m.fail("filter", s.err)
		if !errors.Is(s.err, session.ErrNoBody) {
			return nil
		}
	}
	for i := range s.rows {
		m.list.rows.put(s.rows[i])
	}
	m.list.scanned(s.ids, s.keys, s.next)
	m.list.trim()
	if s.next > 0 {
		return m.scan(m.list.match, s.next)
	}
	return nil
}
