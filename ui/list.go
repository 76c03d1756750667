package ui

import (
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/session"
)

// list is the flows, one a row. Without a filter it is virtual: row i is flow i+1, and nothing is
// held but the rows near the view.
type list struct {
	rows  *rows
	last  flow.ID
	match *matches // nil: no filter
	cur   flow.ID  // the flow the keys act on; 0: none
	top   int      // index of the first row on the screen
	h     int      // rows on the screen
	// follow keeps the cursor on the newest row, until somebody moves it.
	follow  bool
	newer   int     // rows that came since the cursor was moved
	aim     flow.ID // where the cursor stood when the filter was set: it comes back when the scan finds it; 0: somebody has moved it
	w       int     // cells of a row when it was drawn last
	need    needs
	held    map[flow.ID]hold.Held // flows that wait for a person
	edited  map[flow.ID]bool      // flows that somebody edited in this run while they were held
	drawn   columns               // as they were drawn last
	shown   columnSet
	veil    *veil
	stories *stories
}

func newList() list {
	return list{rows: newRows(), follow: true, shown: usualColumns, edited: map[flow.ID]bool{}}
}

func (l *list) len() int {
	if l.match != nil {
		return l.match.len()
	}
	return int(l.last)
}

func (l *list) at(i int) flow.ID {
	switch {
	case i < 0 || i >= l.len():
		return 0
	case l.match != nil:
		return l.match.at(i)
	}
	return flow.ID(i + 1)
}

// index is the row of id; of a flow that is not shown: of the one that took its place.
func (l *list) index(id flow.ID) int {
	if l.match != nil {
		i, _ := l.match.index(id)
		return max(0, min(i, l.len()-1))
	}
	return max(0, min(int(id)-1, l.len()-1))
}

// add takes in a batch of new or changed rows.
func (l *list) add(batch []session.Row, last flow.ID, now time.Time) {
	before, curAt := l.len(), l.index(l.cur)
	for i := range batch {
		r := &batch[i]
		last = max(last, r.ID)
		l.rows.put(*r)
		if l.match != nil {
			l.match.arrived(r, now)
		}
	}
	l.last = max(l.last, last)
	l.grown(before, curAt)
}

// grown keeps place after rows came or went.
func (l *list) grown(before, curAt int) {
	switch n := l.len(); {
	case l.atTop():
		l.top, l.cur = 0, l.at(0)
	case l.follow:
		l.end()
	case l.cur == 0:
		l.cur = l.at(0)
	default:
		l.newer += max(0, n-before)
		i := l.index(l.cur)
		l.top = max(0, l.top+i-curAt) // rows found above do not move what is looked at
		l.cur = l.at(i)
		l.clamp()
	}
}

// filter shows only what m lets through; nil shows everything. The cursor stays if it can.
func (l *list) filter(m *matches) {
	l.match, l.need = m, needs{}
	switch {
	case l.follow:
		l.aim = 0
	case l.aim == 0:
		l.aim = l.cur
	}
	if l.atTop() {
		l.follow, l.newer = false, 0
		l.top, l.cur = 0, l.at(0)
		return
	}
	if l.follow {
		l.end()
		return
	}
	l.show()
}

// scanned takes in what a step of the filter's scan found.
func (l *list) scanned(ids []flow.ID, keys []sortKey, next flow.ID) {
	before, curAt := l.len(), l.index(l.cur)
	l.match.found(ids, keys, next)
	newer := l.newer
	l.grown(before, curAt)
	if l.aim != 0 && !l.follow && !l.atTop() {
		l.cur = l.at(l.index(l.aim))
		l.show()
	}
	l.newer = newer
}

// tried takes in which rows fit a filter that looks into flows, and which do not.
func (l *list) tried(in, out []session.Row) {
	before, curAt := l.len(), l.index(l.cur)
	for i := range in {
		l.match.decide(&in[i], true)
	}
	for i := range out {
		l.match.decide(&out[i], false)
	}
	l.grown(before, curAt)
}

// move moves the cursor by rows.
func (l *list) move(by int) {
	if l.len() == 0 {
		return
	}
	i := l.index(l.cur) + by
	l.place(l.at(max(0, min(i, l.len()-1))))
}

// place puts the cursor on a flow and stops following.
func (l *list) place(id flow.ID) {
	if id == 0 {
		return
	}
	l.aim = 0
	if l.follow {
		l.follow, l.newer = false, 0
	}
	if l.match != nil && l.match.sorted != nil {
		l.match.sorted.told = true
	}
	l.cur = id
	l.show()
}

// first puts the cursor on the first row.
func (l *list) first() { l.place(l.at(0)) }

// sorting is how the list is sorted.
func (l *list) sorting() sorting {
	if l.match == nil || l.match.sorted == nil {
		return sorting{}
	}
	return l.match.sorted.sorting
}

// atTop reports whether the list is sorted and nobody has moved the cursor
// since: then it stays on the first row, whatever comes to stand there.
func (l *list) atTop() bool { return l.match != nil && l.match.sorted != nil && !l.match.sorted.told }

// end puts the cursor on the newest row and follows; in a sorted list, on the last.
func (l *list) end() {
	if l.match != nil && l.match.sorted != nil {
		l.place(l.at(l.len() - 1))
		return
	}
	l.follow, l.newer = true, 0
	l.cur = l.at(l.len() - 1)
	l.top = max(0, l.len()-l.h)
}

// resize tells how many rows fit.
func (l *list) resize(h int) {
	if h == l.h {
		return
	}
	l.h = h
	if l.follow {
		l.top = max(0, l.len()-h)
		return
	}
	l.show()
}

// show scrolls as little as needed to have the cursor on the screen, with two rows around it.
func (l *list) show() {
	i := l.index(l.cur)
	l.cur = l.at(i)
	around := min(2, (l.h-1)/2)
	if i < l.top+around {
		l.top = i - around
	}
	if i >= l.top+l.h-around {
		l.top = i - l.h + 1 + around
	}
	l.clamp()
}

// scroll moves the view and leaves the cursor where it is.
func (l *list) scroll(by int) {
	if l.follow && by < 0 && l.len() > l.h {
		l.follow, l.newer = false, 0
	}
	l.top += by
	l.clamp()
}

func (l *list) clamp() { l.top = max(0, min(l.top, l.len()-l.h)) }

// want is the range of ids on the screen that are not in memory; with a filter they may be far apart.
func (l *list) want() []flow.ID {
	var ids []flow.ID
	for i := l.top; i < min(l.top+l.h, l.len()); i++ {
		if _, ok := l.rows.get(l.at(i)); !ok {
			ids = append(ids, l.at(i))
		}
	}
	return ids
}

// trim bounds the rows in memory.
func (l *list) trim() {
	if l.match == nil {
		l.rows.trim(l.at(l.top), max(l.at(l.top+l.h-1), l.at(l.top)))
		return
	}
	if len(l.rows.have) > keepRows { // ids on the screen may span everything: start anew from what is seen
		keep := newRows()
		for i := l.top; i < min(l.top+l.h, l.len()); i++ {
			if r, ok := l.rows.get(l.at(i)); ok && r != nil {
				keep.put(*r)
			}
		}
		l.rows = keep
	}
}

// current is the row under the cursor, nil while it is not in memory.
func (l *list) current() *session.Row {
	r, _ := l.rows.get(l.cur)
	return r
}
