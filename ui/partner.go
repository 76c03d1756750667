package ui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/session"
)

// partnerMsg is the flow that somebody chose to compare with.
type partnerMsg struct {
	id, partner flow.ID
	err         error
}

// partnersMost bounds how far back other partners are looked for, in flows of the same endpoint.
const partnersMost = 200

// lastSuccess is what d's flow is compared with: what the verdict was made with, of a replay what it
// came from, else the newest accepted flow of the same endpoint before it.
func lastSuccess(ctx context.Context, feed Feed, d *dossier) flow.ID {
	switch {
	case d.exp != nil && d.exp.ComparedWith != nil:
		return d.exp.ComparedWith.ID
	case d.row.Parent != 0:
		return d.row.Parent
	case d.row.Kind != flow.Exchange:
		return 0
	}
	rows, err := feed.History(ctx, d.row.Endpoint, d.row.ID, 20)
	if err != nil {
		return 0
	}
	for i := range rows {
		if accepted := &rows[i]; succeeded(accepted) {
			return accepted.ID
		}
	}
	return 0
}

func succeeded(r *session.Row) bool {
	return ended(r) && r.Status >= 200 && r.Status < 300 && !r.Refused()
}

// replays are the ids of the replays of a flow: those seen as they came, and those that the session
// holds of the same endpoint, oldest first.
func replays(ctx context.Context, feed Feed, r *session.Row, seen []flow.ID) []flow.ID {
	if r.Kind != flow.Exchange {
		return nil
	}
	rows, err := feed.History(ctx, r.Endpoint, feed.Last()+1, 50)
	if err != nil {
		return seen
	}
	for i := range rows {
		if rows[i].Parent == r.ID && !slices.Contains(seen, rows[i].ID) {
			seen = append(seen, rows[i].ID)
		}
	}
	slices.Sort(seen)
	return seen
}

// learnFrom bounds what the noise of an endpoint is learnt from: flows, and bytes of one body.
const (
	learnFrom  = 8
	learnBytes = 64 << 10
)

// learn finds what varies among accepted requests to the same endpoint, to be muted.
func learn(ctx context.Context, feed Feed, d *dossier) *diff.Learned {
	rows, err := feed.History(ctx, d.row.Endpoint, d.row.ID, 3*learnFrom)
	if err != nil {
		return nil
	}
	var flows []*flow.Flow
	for i := range rows {
		if !succeeded(&rows[i]) || rows[i].Parent != 0 || rows[i].ReqBytes > learnBytes || len(flows) == learnFrom {
			continue
		}
		if f, err := feed.Flow(ctx, rows[i].ID); err == nil {
			flows = append(flows, f)
		}
	}
	if len(flows) < 2 {
		return nil
	}
	return diff.Learn(flows)
}

// otherPartner compares with the next accepted flow of the endpoint, before or after the present one.
func (m *model) otherPartner(by int) tea.Cmd {
	d := m.inspector.d
	if d == nil || d.row.Kind != flow.Exchange {
		return nil
	}
	m.inspector.tab = tabDiff
	m.openInspector()
	feed, ctx, id, endpoint, end := m.o.Feed, m.ctx, d.row.ID, d.row.Endpoint, m.list.last+1
	now := flow.ID(0)
	if d.partner != nil {
		now = d.partner.ID
	}
	return m.crew.cmd(func() tea.Msg {
		msg := partnerMsg{id: id}
		rows, err := feed.History(ctx, endpoint, end, partnersMost)
		if err != nil {
			msg.err = err
			return msg
		}
		for i := range rows { // newest first: the last one after now is the next after it
			r := &rows[i]
			if !succeeded(r) || r.ID == id {
				continue
			}
			if by < 0 && r.ID < now || by < 0 && now == 0 {
				msg.partner = r.ID
				break
			}
			if by > 0 && r.ID > now {
				msg.partner = r.ID
			}
		}
		return msg
	})
}

func (m *model) partnerCame(p partnerMsg) {
	switch {
	case p.err != nil:
		m.fail("look for another success", p.err)
	case p.partner == 0:
		m.say(true, "no further accepted request to this endpoint this way")
	default:
		m.compareWith(p.id, p.partner)
	}
}

// compareWith makes Diff show flow id against partner.
func (m *model) compareWith(id, partner flow.ID) {
	if len(m.partners) >= keepRows {
		clear(m.partners)
	}
	m.partners[id] = partner
	m.loads++
	m.loadedRev = 0
	if m.inspector.id == id {
		m.inspector.d = nil
	}
}

// compareMarked opens Diff on two marked flows, on this one and a marked one, or on this one and its
// last success.
func (m *model) compareMarked() {
	m.inspector.tab = tabDiff
	m.openInspector()
	m.focus = inInspector
	m.arrange()
	a, b := m.list.cur, flow.ID(0)
	switch n := len(m.marks); {
	case n >= 2:
		a, b = m.marks[n-1], m.marks[n-2]
	case n == 1 && m.marks[0] != a:
		b = m.marks[0]
	default:
		return
	}
	// the refused one stands first
	ra, _ := m.list.rows.get(a)
	rb, _ := m.list.rows.get(b)
	if ra != nil && rb != nil && rb.Refused() && !ra.Refused() {
		a, b = b, a
	}
	if m.list.match != nil {
		m.rescan()
		m.sorting, m.folded = sorting{}, false
		m.list.filter(nil) // both may be hidden
	}
	m.list.place(a)
	m.inspector.show(a)
	m.compareWith(a, b)
}

// comparison is the difference of two flows in the form of the tab.
func comparison(f, partner *flow.Flow, learned *diff.Learned) compare {
	df := diff.CompareWith(f, partner, learned)
	c := compare{changes: df.Changes}
	for _, ch := range df.Changes {
		c.notes = append(c.notes, learned.Says(ch, partner.ID))
	}
	var muted, same []string
	for i, x := range df.Muted {
		if i == 12 {
			muted = append(muted, fmt.Sprintf("and %d more", len(df.Muted)-i))
			break
		}
		muted = append(muted, firstOf(x.Name, string(x.Part))+" ("+x.Reason+")")
	}
	for _, p := range []struct {
		place     flow.Place
		one, more string
	}{
		{flow.InMethod, "method", ""}, {flow.InHost, "host", ""}, {flow.InPath, "path", ""}, {flow.InQuery, "query parameter", "query parameters"},
		{flow.InHeader, "header", "headers"}, {flow.InCookie, "cookie", "cookies"}, {flow.InJWT, "token claim", "token claims"},
		{flow.InJSON, "JSON value", "JSON values"}, {flow.InForm, "form field", "form fields"}, {flow.InMultipart, "part", "parts"}, {flow.InBody, "body", ""},
	} {
		switch n := df.Same[p.place]; {
		case n == 0:
		case p.more == "":
			same = append(same, p.one)
		case n == 1:
			same = append(same, "1 "+p.one)
		default:
			same = append(same, strconv.Itoa(n)+" "+p.more)
		}
	}
	c.muted, c.same = strings.Join(muted, ", "), strings.Join(same, ", ")
	return c
}
