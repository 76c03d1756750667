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
			given[side] = theirs((*m).Body.Data)
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

// theirs is data that the caller goes on to look at: it is not to be recycled.
func theirs(data []byte) []byte {
	if cap(data) == flow.PartSize {
		data = append(make([]byte, 0, len(data)+1), data...)
	}
	return data
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
	if o.Authority != "" {
		f.Scheme, f.Authority = o.Scheme, o.Authority
	}
	f.Request = outcome(f.Request, o.Request, &l.body[RequestSide])
	f.Response = outcome(f.Response, o.Response, &l.body[ResponseSide])
	start := f.Times.Start
	f.Times, f.Conn, f.Altered, f.Fidelity, f.Err = o.Times, o.Conn, o.Altered, o.Fidelity, o.Err
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
