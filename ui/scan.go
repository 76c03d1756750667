package ui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// Steps of a filter's scan, in flows: what is looked at before the screen shows what was found.
const (
	scanStep = 4000
	deepStep = 100 // each is read whole
)

// scan looks at flows from id next downwards, newest first.
func (m *model) scan(match *matches, next flow.ID) tea.Cmd {
	feed, ctx, version, now := m.o.Feed, m.ctx, m.scanning, m.now
	step := flow.ID(scanStep)
	if match.deep {
		step = deepStep
	}
	fits, sorted := match.fits(ctx, feed, now), match.sorted
	return m.crew.cmd(func() tea.Msg {
		msg := scanMsg{version: version}
		from := max(1, next-step+1)
		for at := from; at <= next; {
			page, err := feed.Page(ctx, at, min(1000, int(next-at)+1))
			if err != nil {
				msg.err = err
				return msg
			}
			if len(page) == 0 {
				break
			}
			for i := range page {
				if page[i].ID <= next && fits(&page[i]) {
					msg.ids = append(msg.ids, page[i].ID)
					msg.rows = append(msg.rows, page[i])
					if sorted != nil {
						msg.keys = append(msg.keys, sorted.by.key(&page[i]))
					}
				}
			}
			at = page[len(page)-1].ID + 1
		}
		slices.Reverse(msg.ids)
		slices.Reverse(msg.keys)
		msg.rows = msg.rows[max(0, len(msg.rows)-200):] // those that the screen may show next
		msg.next = from - 1
		return msg
	})
}

// fits is the filter as a function, for commands.
func (m *matches) fits(ctx context.Context, feed Feed, now time.Time) func(*session.Row) bool {
	expr, deep := m.expr, m.deep
	return func(r *session.Row) bool {
		if expr == nil {
			return true
		}
		s := subject(r, now)
		if deep {
			f, err := feed.Flow(ctx, r.ID)
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
	fits, version := match.fits(m.ctx, m.o.Feed, m.now), m.scanning
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
		return nil
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

// seek looks for the next refused flow from the cursor, downwards or upwards.
func (m *model) seek(down bool) tea.Cmd {
	m.seeking++
	if match := m.list.match; match != nil && match.sorted != nil {
		if id := match.sorted.next(m.list.cur, down); id != 0 {
			m.list.place(id)
		} else {
			m.say(true, "no further refusal this way")
		}
		return nil
	}
	feed, ctx, version := m.o.Feed, m.ctx, m.seeking
	from, last := m.list.cur, m.list.last
	fits := func(r *session.Row) bool { return r.Refused() && ended(r) }
	if match := m.list.match; match != nil {
		through := match.fits(ctx, feed, m.now)
		fits = func(r *session.Row) bool { return r.Refused() && ended(r) && through(r) }
	}
	const step = 1000
	return m.crew.cmd(func() tea.Msg {
		msg := seekMsg{version: version}
		for at := from; ; {
			lo := at + 1
			if !down {
				lo = max(1, at-step)
			}
			n := step
			if !down {
				n = int(at - lo)
			}
			if n <= 0 || lo > last && down {
				return msg
			}
			page, err := feed.Page(ctx, lo, n)
			if err != nil {
				msg.err = err
				return msg
			}
			for i := range page {
				r := &page[i]
				if !down {
					r = &page[len(page)-1-i]
					if r.ID >= at {
						continue
					}
				}
				if fits(r) {
					msg.row = r
					return msg
				}
			}
			if down {
				if len(page) == 0 {
					return msg
				}
				at = page[len(page)-1].ID
			} else {
				at = lo
			}
		}
	})
}

func (m *model) seekCame(s seekMsg) {
	switch {
	case s.version != m.seeking:
	case s.err != nil:
		m.fail("look for refusals", s.err)
	case s.row == nil:
		m.say(true, "no further refusal this way")
	default:
		m.list.rows.put(*s.row)
		m.list.place(s.row.ID)
	}
}
