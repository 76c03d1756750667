package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// seekMsg is the refusal that was looked for.
type seekMsg struct {
	row    *session.Row // nil: there is none
	around bool         // it was found past the end of the list
	down   bool
	err    error
}

// maxSeeks bounds the presses that wait, as of a key that is held down.
const maxSeeks = 20

// seek goes to the next refused flow from the cursor, downwards or upwards, and past the end of the
// list on from its other end. Presses while it looks are carried out one after the other.
func (m *model) seek(down bool) tea.Cmd {
	if m.seeking {
		if down {
			m.seeks = min(m.seeks+1, maxSeeks)
		} else {
			m.seeks = max(m.seeks-1, -maxSeeks)
		}
		return nil
	}
	if match := m.list.match; match != nil && match.sorted != nil {
		id, around := match.sorted.next(m.list.cur, down)
		m.found(id, around, down)
		return nil
	}
	m.seeking = true
	feed, ctx := m.o.Feed, m.ctx
	from, last := m.list.cur, m.list.last
	fits := func(r *session.Row) bool { return r.Refused() && ended(r) }
	if match := m.list.match; match != nil {
		through := match.fits(ctx, feed, m.now)
		fits = func(r *session.Row) bool { return r.Refused() && ended(r) && through(r) }
	}
	return m.crew.cmd(func() tea.Msg {
		msg := seekMsg{down: down}
		if down {
			msg.row, msg.err = firstFit(ctx, feed, from+1, last, fits)
		} else {
			msg.row, msg.err = lastFit(ctx, feed, 1, from-1, fits)
		}
		if msg.row != nil || msg.err != nil {
			return msg
		}
		msg.around = true
		if down {
			msg.row, msg.err = firstFit(ctx, feed, 1, from, fits)
		} else {
			msg.row, msg.err = lastFit(ctx, feed, from, last, fits)
		}
		return msg
	})
}

// seekPage is how many rows are read at once while a refusal is looked for.
const seekPage = 1000

// firstFit is the first of the flows from one id to another that fits; nil: none does.
func firstFit(ctx context.Context, feed Feed, from, to flow.ID, fits func(*session.Row) bool) (*session.Row, error) {
	for from <= to {
		page, err := feed.Page(ctx, from, seekPage)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		for i := range page {
			if r := &page[i]; r.ID <= to && fits(r) {
				return r, nil
			}
		}
		from = page[len(page)-1].ID + 1
	}
	return nil, nil
}

// lastFit is the last of the flows from one id to another that fits; nil: none does.
func lastFit(ctx context.Context, feed Feed, from, to flow.ID, fits func(*session.Row) bool) (*session.Row, error) {
	for to >= from && to > 0 {
		lo := max(from, to-seekPage+1, 1)
		page, err := feed.Page(ctx, lo, int(to-lo)+1)
		if err != nil {
			return nil, err
		}
		for i := len(page) - 1; i >= 0; i-- {
			if r := &page[i]; r.ID <= to && fits(r) {
				return r, nil
			}
		}
		to = lo - 1
	}
	return nil, nil
}

func (m *model) seekCame(s seekMsg) tea.Cmd {
	m.seeking = false
	switch {
	case s.err != nil:
		m.seeks = 0
		m.fail("look for refusals", s.err)
	case s.row == nil:
		m.seeks = 0
		m.found(0, true, s.down)
	default:
		m.list.rows.put(*s.row)
		m.found(s.row.ID, s.around, s.down)
	}
	switch {
	case m.seeks > 0:
		m.seeks--
		return m.seek(true)
	case m.seeks < 0:
		m.seeks++
		return m.seek(false)
	}
	return nil
}

// found puts the cursor on a refused flow, 0: there is none, opens why it was refused, and says where the search went on.
func (m *model) found(id flow.ID, around, down bool) {
	where := ""
	if m.filterText() != "" {
		where = " among the flows shown"
	}
	switch {
	case id == 0:
		m.say(true, "no refusal"+where)
		return
	case around && id == m.list.cur:
		m.say(true, "this is the only refusal"+where)
	case around && down:
		m.say(true, "past the last refusal: from the top again")
	case around:
		m.say(true, "past the first refusal: from the bottom again")
	}
	m.list.place(id)
	if m.inspector.tab == m.seekTab { // else another one was chosen meanwhile
		m.inspector.turnTo(tabWhy)
	}
}
