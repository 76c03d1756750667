package session

import "github.com/why403/why403/flow"

// recentRows is how many rows that are on disk are held in memory too, for those who ask what is new.
const recentRows = 2048

// entry is a row that is held in memory.
type entry struct {
	row        Row
	live       *live // nil: the row is on disk
	prev, next *entry
}

// ring is a list of entries in order of their row's Rev, oldest first. Its own
// entry is the sentinel: next is the oldest, prev the newest.
type ring struct {
	entry
	n int
}

func (r *ring) init() { r.next, r.prev = &r.entry, &r.entry }

func (r *ring) push(e *entry) {
	e.prev, e.next = r.prev, &r.entry
	e.prev.next, e.next.prev = e, e
	r.n++
}

func (r *ring) drop(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	r.n--
}

// all yields the entries, oldest first.
func (r *ring) all(yield func(*entry) bool) {
	for e := r.next; e != &r.entry; e = e.next {
		if !yield(e) {
			return
		}
	}
}

// changes are the rows in memory: all that are not on disk as they are, and
// the recent ones of those that are. The caller holds Store.mu.
type changes struct {
	of        map[flow.ID]*entry
	underWay  ring
	recent    ring
	rev       Rev           // of the newest change
	forgotten Rev           // the newest change that is in neither ring
	wait      chan struct{} // closed by the next change; nil: nobody waits
}

func (c *changes) init(rev Rev) {
	c.of = map[flow.ID]*entry{}
	c.underWay.init()
	c.recent.init()
	c.rev, c.forgotten = rev, rev
}

func (c *changes) ringOf(e *entry) *ring {
	if e.live != nil {
		return &c.underWay
	}
	return &c.recent
}

// touch gives e the next revision.
func (c *changes) touch(e *entry) { c.place(e, c.rev+1) }

// place makes e the newest entry, with revision rev.
func (c *changes) place(e *entry, rev Rev) {
	r := c.ringOf(e)
	if e.next != nil {
		r.drop(e)
	}
	c.rev, e.row.Rev = rev, rev
	c.of[e.row.ID] = e
	r.push(e)
	if r == &c.recent {
		c.forget()
	}
	c.wake()
}

// wake tells those who wait for a change.
func (c *changes) wake() {
	if c.wait != nil {
		close(c.wait)
		c.wait = nil
	}
}

// settle says that e is on disk; place follows.
func (c *changes) settle(e *entry) {
	if e.live != nil {
		c.underWay.drop(e)
		e.live = nil
	}
}

// forget keeps the recent entries within their bound.
func (c *changes) forget() {
	for c.recent.n > recentRows {
		e := c.recent.next
		c.recent.drop(e)
		delete(c.of, e.row.ID)
		c.forgotten = max(c.forgotten, e.row.Rev)
	}
}

// since is up to n rows changed after rev, oldest change first, and the
// revision up to which that is all. Nothing after rev is forgotten.
func (c *changes) since(rev Rev, n int) ([]Row, Rev) {
	after := func(r *ring) (*entry, int) {
		e, count := &r.entry, 0
		for e.prev != &r.entry && e.prev.row.Rev > rev {
			e = e.prev
			count++
		}
		return e, count
	}
	a, countA := after(&c.underWay)
	b, countB := after(&c.recent)
	rows := make([]Row, 0, min(countA+countB, n))
	for countA+countB > 0 {
		if len(rows) == n {
			return rows, rows[n-1].Rev
		}
		if countB == 0 || countA > 0 && a.row.Rev < b.row.Rev {
			rows = append(rows, a.row)
			a, countA = a.next, countA-1
		} else {
			rows = append(rows, b.row)
			b, countB = b.next, countB-1
		}
	}
	return rows, max(rev, c.rev)
}

// done is a channel that is closed already.
var done = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
