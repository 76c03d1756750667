package session

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
)

// Side says which body of a flow is meant.
type Side uint8

// The sides.
const (
	RequestSide Side = iota
	ResponseSide
)

// live is a flow between its Begin and the commit of its End. Store.mu guards it.
type live struct {
	f       flow.Flow // our own copy; messages are replaced, never changed
	body    [2]content
	frames  frames // messages of an upgraded connection
	began   time.Time
	charge  int64 // bytes counted in Store.queued for the head, until it is on disk
	written bool  // a row of it is on disk or on the way there
	dirty   bool  // changed since
	ended   bool
	lost    bool
	done    chan struct{} // closed when it is on disk or lost; nil: nobody asked
}

// content is one body as it comes in: chunks [0, first) are on disk, queued
// ones follow, pending is the beginning of the next.
type content struct {
	size, kept int64
	cut        bool
	first      int64
	queued     []pieces
	pending    pieces
}

const (
	chunkSize = 256 << 10 // bytes of a body that make a chunk
	headCost  = 512       // bytes a flow takes in memory beside its head, about

	maxInterim = 64 // informational responses of a flow that are kept; who sends more than a few sends them without end
)

// cost is about how much memory the head of m takes.
func cost(m *flow.Message) int64 {
	if m == nil {
		return 0
	}
	return int64(len(m.Head) + 64*len(m.Header) + m.Header.Size() + len(m.Target))
}

// Begin records that a flow began and shows it; ID and body sizes of f are the
// store's business, the content of a body given with f is the body's
// beginning. The store keeps what f points to: it may be read but not changed
// by the caller. Begin sets f.ID and returns it.
func (s *Store) Begin(f *flow.Flow) flow.ID {
	need := headCost + cost(f.Request)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	f.ID = s.last
	l := &live{f: *f, began: s.o.Now()}
	if l.f.Times.Start.IsZero() {
		l.f.Times.Start = l.began
	}
	var given [2][]byte
	for side, m := range [...]**flow.Message{RequestSide: &l.f.Request, ResponseSide: &l.f.Response} {
		if *m != nil {
			given[side] = (*m).Body.Data
			*m = bare(*m)
		}
	}
	e := &entry{live: l, row: rowOf(&l.f)}
	if l.f.Response != nil {
		e.row.State = Streaming
	}
	s.touch(e)
	s.active++
	if s.readOnly || s.closed || !s.room(need) {
		s.lose(e)
		s.touch(e)
		return f.ID
	}
	l.charge = need
	s.queued += need
	for side, data := range given {
		if len(data) > 0 {
			s.body(l, Side(side), data, 0)
		}
	}
	e.row.sizes(l)
	return f.ID
}

// bare is m without a body.
func bare(m *flow.Message) *flow.Message {
	own := *m
	own.Body = flow.Body{Framing: m.Body.Framing}
	return &own
}

// sizes brings the sizes on the row up to date.
func (r *Row) sizes(l *live) {
	r.ReqBytes = l.body[RequestSide].size + l.frames.sent[RequestSide]
	r.RespBytes = l.body[ResponseSide].size + l.frames.sent[ResponseSide]
	r.Cut = l.body[RequestSide].cut || l.body[ResponseSide].cut || l.frames.cut
}

// Append records a part of a flow under way. A part of a flow that is not under way is dropped.
func (s *Store) Append(id flow.ID, p flow.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of[id]
	if e == nil || e.live == nil || e.live.ended {
		return
	}
	l := e.live
	switch p.Kind {
	case flow.RequestBody:
		s.body(l, RequestSide, p.Data, p.Size)
	case flow.ResponseBody:
		s.body(l, ResponseSide, p.Data, p.Size)
		e.row.State = Streaming
	case flow.ClientFrame:
		s.frame(l, RequestSide, p)
	case flow.OriginFrame:
		s.frame(l, ResponseSide, p)
	case flow.InterimHead:
		if p.Head != nil && !l.lost && len(l.f.Interim) < maxInterim {
			l.f.Interim = append(l.f.Interim[:len(l.f.Interim):len(l.f.Interim)], p.Head)
			l.charge += cost(p.Head)
			s.queued += cost(p.Head)
		}
	case flow.ResponseHead:
		if p.Head != nil {
			l.f.Response = bare(p.Head)
			e.row.answer(&l.f)
			e.row.State = Streaming
		}
	}
	e.row.sizes(l)
	l.dirty = true
	s.touch(e)
}

// End records how a flow ended. Its row is Done once that is on disk.
// A head that o does not give stays as it was appended; a body's size is the
// larger of what was appended and what o says.
func (s *Store) End(id flow.ID, o flow.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of[id]
	if e == nil || e.live == nil || e.live.ended {
		return
	}
	l := e.live
	l.ended = true
	s.active--
	l.complete(o)
	e.row.Start, e.row.Duration = l.f.Times.Start, l.f.Times.Duration()
	e.row.question(&l.f)
	e.row.answer(&l.f)
	if l.lost {
		s.bury(e)
		return
	}
	need := headCost + cost(l.f.Request) + cost(l.f.Response) - l.charge
	if s.closed || !s.room(need) {
		s.lose(e)
		s.bury(e)
		return
	}
	s.end(e, need)
}

// end queues a flow that is complete; need is what it takes of the queue beyond what is counted already.
func (s *Store) end(e *entry, need int64) {
	l := e.live
	s.queued += need
	j := &job{kind: jobDone, id: e.row.ID, live: l, row: e.row, flow: &l.f, cost: need + l.charge}
	j.row.State = Done
	l.charge = 0
	s.flushAll(l, j)
	s.push(j)
}

// complete puts o on the flow.
func (l *live) complete(o flow.Outcome) {
	f := &l.f
	f.Request = outcome(f.Request, o.Request, &l.body[RequestSide])
	f.Response = outcome(f.Response, o.Response, &l.body[ResponseSide])
	start := f.Times.Start
	f.Times, f.Conn, f.Altered, f.Err = o.Times, o.Conn, o.Altered, o.Err
	if f.Times.Start.IsZero() {
		f.Times.Start = start
	}
}

func outcome(m, final *flow.Message, c *content) *flow.Message {
	if final != nil {
		m = final
	}
	if m == nil {
		return nil
	}
	own := *m
	own.Body.Data = nil
	if final == nil {
		own.Body.Size = 0
	}
	own.Body.Size = max(own.Body.Size, c.size)
	own.Body.Kept = c.kept
	return &own
}

// snapshot is the flow as it stands, without the content of its bodies.
func (l *live) snapshot() *flow.Flow {
	f := l.f
	if !l.ended {
		f.Request = outcome(f.Request, nil, &l.body[RequestSide])
		f.Response = outcome(f.Response, nil, &l.body[ResponseSide])
	}
	return &f
}

// body takes in data as the next part of a body that went over the wire as
// sent bytes (0: as many as data has). The policy of the package comment
// decides what of it is kept.
func (s *Store) body(l *live, side Side, data []byte, sent int64) {
	c := &l.body[side]
	c.size += max(sent, int64(len(data)))
	if l.lost || c.cut {
		return
	}
	if room := s.o.MaxBody - c.kept; int64(len(data)) > room {
		data = data[:max(room, 0)]
		c.cut = true
	}
	limit := s.o.QueueBytes / 4 * 3
	if side == RequestSide {
		limit = s.o.QueueBytes / 8 * 7
	}
	if n := int64(len(data)); n > 0 {
		if s.queued+n > limit {
			c.cut = true
			return
		}
		s.queued += n
		c.kept += n
		c.pending.add(data)
		if c.pending.size() >= chunkSize {
			j := &job{kind: jobChunk, id: l.f.ID, live: l}
			s.flush(l, j, c, bodyKey(l.f.ID, side))
			s.push(j)
		}
	}
	if c.size > c.kept {
		c.cut = true // a part that was not given: what follows would not be a beginning
	}
}

// flush moves what is pending of c to j.
func (s *Store) flush(l *live, j *job, c *content, key int64) {
	for len(c.pending) > 0 {
		at := c.first + int64(len(c.queued))
		if at >= maxChunks { // 97 days of a body that brings a byte a second
			n := int64(c.pending.size())
			s.queued -= n
			c.kept -= n
			c.cut, c.pending = true, nil
			return
		}
		data := c.pending.cut(chunkSize)
		j.chunks = append(j.chunks, chunk{key: key + at, of: c, data: data})
		j.cost += int64(data.size())
		c.queued = append(c.queued, data)
	}
}

// flushAll moves everything that is pending of l to j.
func (s *Store) flushAll(l *live, j *job) {
	for side := range l.body {
		s.flush(l, j, &l.body[side], bodyKey(l.f.ID, Side(side)))
	}
	s.flushFrames(l, j)
}

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
		s.queued -= int64(len(fr.data)) + headCost/8
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

// Committed waits until the flow is on disk.
func (s *Store) Committed(ctx context.Context, id flow.ID) error {
	s.mu.Lock()
	if e := s.of[id]; e != nil && e.live != nil {
		l := e.live
		if l.done == nil {
			l.done = make(chan struct{})
		}
		done := l.done
		if l.ended {
			s.hurry()
		}
		s.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped:
		}
	} else {
		s.mu.Unlock()
	}
	r, err := s.Row(ctx, id)
	switch {
	case err != nil:
		return err
	case r.State == NotKept:
		return ErrNotKept
	case r.State != Done:
		return ErrClosed
	}
	return nil
}
