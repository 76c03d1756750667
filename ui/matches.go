package ui

import (
	"slices"
	"strconv"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/session"
)

// matches are the ids that a filter lets through, 8 bytes each: found by a scan that walks back from
// the newest flow, and added as flows arrive.
type matches struct {
	text string
	expr *filter.Expr
	// deep filters look into headers and bodies: what arrives is tried in a command.
	deep bool
	// old are those up to border, newest first, as the scan finds them; live those above, oldest first.
	old, live []flow.ID
	border    flow.ID // newest flow when the filter was set
	next      flow.ID // the scan goes on at this id and downwards; 0: it is through
}

func newMatches(text string, expr *filter.Expr, last flow.ID) *matches {
	return &matches{text: text, expr: expr, border: last, next: last}
}

func (m *matches) len() int { return len(m.old) + len(m.live) }

func (m *matches) at(i int) flow.ID {
	if i < len(m.old) {
		return m.old[len(m.old)-1-i]
	}
	return m.live[i-len(m.old)]
}

// index is where id is, or would be, and whether it is there.
func (m *matches) index(id flow.ID) (int, bool) {
	if id > m.border {
		i, ok := slices.BinarySearch(m.live, id)
		return len(m.old) + i, ok
	}
	i, ok := slices.BinarySearchFunc(m.old, id, newestFirst)
	if ok {
		return len(m.old) - 1 - i, true
	}
	return len(m.old) - i, false
}

func newestFirst(a, b flow.ID) int { return int(b - a) }

// found adds what a step of the scan found, newest first; the scan goes on at next.
func (m *matches) found(ids []flow.ID, next flow.ID) {
	for _, id := range ids {
		m.set(id, true)
	}
	m.next = next
}

// arrived takes in a row that is new or has changed.
func (m *matches) arrived(r *session.Row, now time.Time) {
	if m.deep {
		return
	}
	if r.ID > m.border || r.ID > m.next {
		s := subject(r, now)
		m.set(r.ID, m.expr.Match(s))
	} // else the scan has yet to come by
}

func (m *matches) set(id flow.ID, in bool) {
	list, order := &m.live, func(a, b flow.ID) int { return int(a - b) }
	if id <= m.border {
		list, order = &m.old, newestFirst
	}
	i, ok := slices.BinarySearchFunc(*list, id, order)
	switch {
	case in && !ok:
		*list = slices.Insert(*list, i, id)
	case !in && ok:
		*list = slices.Delete(*list, i, i+1)
	}
}

// progress is how far the scan has come.
func (m *matches) progress() string {
	if m.border == 0 {
		return ""
	}
	return "looking: " + strconv.Itoa(int(100*(m.border-m.next)/m.border)) + " %"
}
