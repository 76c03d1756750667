package session

import "github.com/why403/why403/flow"

// recentRows is how many committed rows are held in memory, beyond those of the flows under way.
const recentRows = 2048

// entry is a row that is held in memory: of a flow under way (live is set) or a recent one.
type entry struct {
	row        Row
	live       *live
	prev, next *entry
}

// changes is the list of entries in order of their row's Rev. The caller holds Store.mu.
type changes struct {
	of        map[flow.ID]*entry
	ring      entry         // sentinel: ring.next is the oldest, ring.prev the newest
	settled   int           // entries without live
	rev       Rev           // of the newest change
	forgotten Rev           // the newest change that is no longer in the list
	wait      chan struct{} // closed by the next change; nil: nobody waits
}

func (c *changes) init(rev Rev) {
	c.of = map[flow.ID]*entry{}
	c.ring.next, c.ring.prev = &c.ring, &c.ring
	c.rev, c.forgotten = rev, rev
}

// touch gives e the next revision.
func (c *changes) touch(e *entry) { c.place(e, c.rev+1) }

// place makes e the newest entry, with revision rev.
func (c *changes) place(e *entry, rev Rev) {
	if e.next != nil {
		e.unlink()
	}
	c.rev, e.row.Rev = rev, rev
	e.prev, e.next = c.ring.prev, &c.ring
	e.prev.next, e.next.prev = e, e
	if c.wait != nil {
		close(c.wait)
		c.wait = nil
	}
}

func (e *entry) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}

// settle says that e is no longer under way.
func (c *changes) settle(e *entry) {
	if e.live != nil {
		e.live = nil
		c.settled++
	}
	c.forget()
}

// forget keeps the number of settled entries within its bound.
func (c *changes) forget() {
	for o := c.ring.next; c.settled > recentRows && o != &c.ring; {
		next := o.next
		if o.live == nil {
			o.unlink()
			delete(c.of, o.row.ID)
			c.forgotten = max(c.forgotten, o.row.Rev)
			c.settled--
		}
		o = next
	}
}

// since is up to n rows changed after rev, oldest change first, and the revision up to which that is all.
// The caller has made sure that nothing after rev is forgotten.
func (c *changes) since(rev Rev, n int) ([]Row, Rev) {
	e, count := &c.ring, 0
	for e.prev != &c.ring && e.prev.row.Rev > rev {
		e = e.prev
		count++
	}
	rows := make([]Row, 0, min(count, n))
	for ; e != &c.ring; e = e.next {
		if len(rows) == n {
			return rows, rows[n-1].Rev
		}
		rows = append(rows, e.row)
	}
	return rows, max(rev, c.rev)
}

var ready = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
