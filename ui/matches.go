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
	expr *filter.Expr // nil: everything
	// sorted is the order in which they are shown; nil: by number.
	sorted *order
	// deep filters look into headers and bodies: what arrives is tried in a command.
	deep bool
	// folded hides flows that are steps in the story of a later one; nil: it hides none.
	folded *stories
	// old are those up to border, newest first, as the scan finds them; live those above, oldest first.
	old, live []flow.ID
	border    flow.ID // newest flow when the filter was set
	next      flow.ID // the scan goes on at this id and downwards; 0: it is through
}

func newMatches(text string, expr *filter.Expr, s sorting, last flow.ID) *matches {
	m := &matches{text: text, expr: expr, border: last, next: last}
	if s != (sorting{}) {
		m.sorted = newOrder(s)
	}
	return m
}

func (m *matches) len() int {
	if m.sorted != nil {
		return m.sorted.len()
	}
	return len(m.old) + len(m.live)
}

func (m *matches) at(i int) flow.ID {
	if m.sorted != nil {
		return m.sorted.at(i)
	}
	if i < len(m.old) {
		return m.old[len(m.old)-1-i]
	}
	return m.live[i-len(m.old)]
}

// index is where id is, or would be, and whether it is there.
func (m *matches) index(id flow.ID) (int, bool) {
	if m.sorted != nil {
		return m.sorted.index(id)
	}
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

// found adds what a step of the scan found, newest first, with the keys to
// sort it by, if it is sorted; the scan goes on at next.
func (m *matches) found(ids []flow.ID, keys []sortKey, next flow.ID) {
	for i, id := range ids {
		if m.sorted != nil {
			m.sorted.put(id, keys[i])
			continue
		}
		m.set(id, true)
	}
	m.next = next
}

// passes reports whether the filter lets a row through.
func (m *matches) passes(r *session.Row, now time.Time) bool {
	if m.folded != nil && m.folded.hides(r.ID) {
		return false
	}
	return m.expr == nil || m.expr.Match(subject(r, now))
}

// arrived takes in a row that is new or has changed.
func (m *matches) arrived(r *session.Row, now time.Time) {
	if m.deep {
		return
	}
	if r.ID > m.border || r.ID > m.next {
		m.decide(r, m.passes(r, now))
	} // else the scan has yet to come by
}

// decide takes a row in, or out.
func (m *matches) decide(r *session.Row, in bool) {
	switch {
	case m.sorted == nil:
		m.set(r.ID, in)
	case in:
		m.sorted.put(r.ID, m.sorted.by.key(r))
	default:
		m.sorted.drop(r.ID)
	}
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
