package ui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// Bounds of the list of endpoints.
const (
	maxEndpoints  = 5000   // more are counted together
	endpointsStep = 20_000 // flows that are counted between two looks at the screen
)

// endpoints are the flows by method, host and path template, with how many of
// them were refused: what is broken altogether, and what only for some.
type endpoints struct {
	of    map[string]*endpoint
	rest  int // flows of endpoints that are not listed, because there are too many
	next  flow.ID
	last  flow.ID
	list  []*endpoint // the most refused first
	cur   int
	top   int  // first one on the screen
	chose bool // the cursor was moved
	err   error
}

type endpoint struct {
	name           string // flow.Endpoint
	flows, refused int64
	headline       string // of the newest refusal
	newest         flow.ID
}

// endpointsMsg is a step of the count.
type endpointsMsg struct {
	into *endpoints
	rows []session.Row // what the count needs of them is copied
	next flow.ID
	err  error
}

func newEndpoints(m *model) (*endpoints, tea.Cmd) {
	e := &endpoints{of: map[string]*endpoint{}, next: 1, last: m.list.last}
	return e, m.count(e)
}

// count reads the next step of e.
func (m *model) count(e *endpoints) tea.Cmd {
	feed, ctx, next, last := m.o.Feed, m.ctx, e.next, e.last
	return m.crew.cmd(func() tea.Msg {
		msg := endpointsMsg{into: e, next: next}
		for len(msg.rows) < endpointsStep && msg.next <= last {
			page, err := feed.Page(ctx, msg.next, 1000)
			if msg.err = err; err != nil || len(page) == 0 {
				msg.next = last + 1
				break
			}
			msg.rows = append(msg.rows, page...)
			msg.next = page[len(page)-1].ID + 1
		}
		return msg
	})
}

// counted takes in a step, and asks for the next while the list is open.
func (m *model) counted(msg endpointsMsg) tea.Cmd {
	e := msg.into
	if !slices.Contains(m.dialogs, dialog(e)) {
		return nil
	}
	e.err = msg.err
	for i := range msg.rows {
		if msg.rows[i].ID <= e.last {
			e.add(&msg.rows[i])
		}
	}
	e.sort()
	if e.next = msg.next; e.next > e.last {
		return nil
	}
	return m.count(e)
}

func (e *endpoints) add(r *session.Row) {
	if r.Kind != flow.Exchange || r.Endpoint == "" {
		return
	}
	x := e.of[r.Endpoint]
	if x == nil {
		if len(e.of) >= maxEndpoints {
			e.rest++
			return
		}
		x = &endpoint{name: r.Endpoint}
		e.of[r.Endpoint] = x
		e.list = append(e.list, x)
	}
	x.flows++
	x.newest = r.ID
	if r.Refused() && ended(r) {
		x.refused++
		x.headline = strconv.Itoa(r.Status)
		if r.Verdict != nil && r.Verdict.Headline != "" {
			x.headline = r.Verdict.Headline
		}
	}
}

func (e *endpoints) sort() {
	var at *endpoint
	if e.cur < len(e.list) {
		at = e.list[e.cur]
	}
	slices.SortStableFunc(e.list, func(a, b *endpoint) int {
		return cmp.Or(cmp.Compare(b.refused, a.refused), cmp.Compare(b.flows, a.flows), strings.Compare(a.name, b.name))
	})
	if e.chose {
		e.cur = max(0, slices.Index(e.list, at))
	}
}

func (e *endpoints) name() words { return "Endpoints" }

func (e *endpoints) key(m *model, name, _ string) tea.Cmd {
	page := max(1, m.h/2)
	switch a := lookup(inList, name); {
	case name == "enter" && len(e.list) > 0:
		m.pop()
		return m.setFilter("endpoint:" + strconv.Quote(e.list[e.cur].name))
	case a == goDown:
		e.move(1)
	case a == goUp:
		e.move(-1)
	case a == goPageDown:
		e.move(page)
	case a == goPageUp:
		e.move(-page)
	case a == goTop:
		e.move(-len(e.list))
	case a == goEnd:
		e.move(len(e.list))
	case a == back, a == quit, a == listEndpoints:
		m.pop()
	}
	return nil
}

func (e *endpoints) move(by int) {
	e.chose = true
	e.cur = max(0, min(e.cur+by, len(e.list)-1))
}

func (e *endpoints) point(i int) bool {
	if i += e.top - 1; i < e.top || i >= len(e.list) {
		return false
	}
	e.cur, e.chose = i, true
	return true
}

func (e *endpoints) view(th *theme, w, h int) []string {
	w = min(w, 120)
	line := func() *line { return row(w).on(th.box) }
	out := []string{line().right(th.muted, safe.Of("refused"), 8).right(th.muted, safe.Of("of"), 8).right(th.muted, safe.Of("rate"), 6).gap(2).put(th.muted, "endpoint").end()}
	n := min(h-4, max(len(e.list), 1))
	top := max(0, min(e.cur-n+1, len(e.list)-n))
	e.top = top
	for i := top; i < min(len(e.list), top+n); i++ {
		out = append(out, e.list[i].row(th, w, i == e.cur))
	}
	if len(e.list) == 0 && e.next > e.last {
		out = append(out, line().gap(2).put(th.muted, "no exchange yet").end())
	}
	state := line()
	switch {
	case e.err != nil:
		state.put(th.bad, "reading: ").text(th.text, safe.Of(e.err.Error()))
	case e.next <= e.last:
		state.put(th.muted, "counting … ").text(th.muted, safe.Of(strconv.Itoa(int(100*(e.next-1)/e.last))+" %"))
	default:
		state.text(th.muted, safe.Of(plural(int64(len(e.list)), "endpoint")))
		if e.rest > 0 {
			state.text(th.muted, safe.Of(", and "+plural(int64(e.rest), "flow")+" of others"))
		}
	}
	return append(out, line().end(), state.end(), line().put(th.key, "enter ").put(th.muted, "show its flows   ").put(th.key, "esc ").put(th.muted, "back").end())
}

func (x *endpoint) row(th *theme, w int, cur bool) string {
	l := row(w).on(th.box)
	if cur {
		l = row(w).on(th.cursor)
	}
	refused, rate := style(th.muted), style(th.muted)
	if x.refused > 0 {
		refused, rate = th.bad, th.warn
	}
	l.right(refused, safe.Of(count(x.refused)), 8).right(th.text, safe.Of(count(x.flows)), 8)
	l.right(rate, safe.Of(strconv.FormatInt(100*x.refused/x.flows, 10)+" %"), 6).gap(2)
	name := safe.Of(x.name)
	room := w - 24
	column := max(room/2, name.Width()) // the path stands at its end: it comes before the reason
	if room > 80 {
		column = min(column, room-26)
	}
	if x.headline != "" && room-column > 14 {
		l.left(th.bright, name, column).gap(2).text(th.warn, safe.Of(x.headline))
	} else {
		l.text(th.bright, name)
	}
	return l.end()
}
