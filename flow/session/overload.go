package session

import (
	"time"

	"github.com/why403/why403/flow"
)

// room waits until need more bytes fit into the queue, up to headWait. Store.mu
// is held, and let go of while waiting. While the disk does not move, only
// the first waits; with nothing queued everything fits.
func (s *Store) room(need int64) bool {
	fits := func() bool { return s.queued+need <= s.o.QueueBytes || s.queued == 0 }
	if fits() {
		return true
	}
	if s.stalled {
		return false
	}
	s.hurry()
	timer := time.NewTimer(headWait)
	defer timer.Stop()
	for {
		moved := s.moved
		s.mu.Unlock()
		expired := false
		select {
		case <-moved:
		case <-timer.C:
			expired = true
		}
		s.mu.Lock()
		switch {
		case fits() && !s.closed:
			return true
		case expired:
			s.stalled = true
			return false
		case s.closed:
			return false
		}
	}
}

// headWait is how long a head waits for room in a full queue.
const headWait = 250 * time.Millisecond

// lose gives a flow up: only its row remains.
func (s *Store) lose(e *entry) {
	l := e.live
	l.lost = true
	s.totals.lost++
	s.queued -= l.charge
	l.charge = 0
	for side := range l.body {
		c := &l.body[side]
		s.queued -= int64(c.pending.size())
		c.pending = nil
	}
	for _, fr := range l.frames.pending {
		s.queued -= int64(len(fr.Data)) + frameCost
	}
	l.frames.pending = nil
	e.row.Err, e.row.ErrSide = "not kept: the disk did not keep up", "why403"
}

// bury ends a flow that was given up. Its row is written when there is room for that.
func (s *Store) bury(e *entry) {
	e.row.State = NotKept
	e.row.Err, e.row.ErrSide = "not kept: the disk did not keep up", "why403"
	l := e.live
	l.f = flow.Flow{}
	if l.done != nil {
		close(l.done)
	}
	if !s.closed && !s.readOnly && s.tombs < maxTombs {
		s.tombs++
		s.push(&job{kind: jobLost, id: e.row.ID, live: l, row: e.row})
	} else {
		s.settle(e)
	}
	s.touch(e)
}

// maxTombs is how many rows of flows not kept may wait for the disk: about 4 MB.
const maxTombs = 8192
