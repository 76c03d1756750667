package proxy

import (
	"context"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/why403/why403/proxy/h2"
)

// h2held is a stream of an h2desk: a request that rules and breakpoints see
// before it is sent on, and its answer.
type h2held struct {
	d      *h2desk
	rec    *h2stream
	id     uint32 // of the client
	head   *h2.Event
	ctx    context.Context // ends when the client gives the stream up
	cancel context.CancelFunc

	// Under h2desk.mu:
	moved     *sync.Cond // something below has changed
	oid       uint32     // of the origin; 0: not sent yet
	ask, back h2content
	heads     []*h2.Event // of the origin, to be looked at
	answered  bool        // the final one has come
	over      bool        // nothing more is sent on either side
}

// h2content is the content of one side while it moves.
type h2content struct {
	buf      []byte // that has come and not gone on
	end      bool   // all has come
	lost     bool   // no more comes, though it is not all
	seen     []byte // of it, by rules and people; nil: they have not asked
	own      bool   // buf is ours, not the sender's
	trailers []hpack.HeaderField
	credit   int64 // that its receiver grants the stream
	ahead    int64 // bytes of buf that the sender was granted again already
}

// hear takes in content and trailers. d.mu is held.
func (c *h2content) hear(d *h2desk, from *h2end, id uint32, e *h2.Event) {
	switch e.Kind {
	case h2.Head:
		c.trailers = e.Fields
	case h2.Content:
		if c.own { // replaced already
			d.grant(from, id, c, int64(len(e.Content)))
		} else {
			c.buf = append(c.buf, e.Content...)
		}
		if e.Padding > 0 {
			d.reply(from, func(b []byte) []byte {
				return h2.AppendWindowUpdate(h2.AppendWindowUpdate(b, 0, uint32(e.Padding)), id, uint32(e.Padding))
			})
		}
	default:
		return
	}
	c.end = c.end || e.End
}

// grant lets the sender of c send n bytes more. d.mu is held.
func (d *h2desk) grant(from *h2end, id uint32, c *h2content, n int64) {
	paid := min(n, c.ahead)
	c.ahead -= paid
	if n -= paid; n <= 0 {
		return
	}
	d.reply(from, func(b []byte) []byte {
		if b = h2.AppendWindowUpdate(b, 0, uint32(n)); !c.end {
			b = h2.AppendWindowUpdate(b, id, uint32(n))
		}
		return b
	})
}

func interim(fields []hpack.HeaderField) bool {
	return len(fields) > 0 && fields[0].Name == ":status" && len(fields[0].Value) == 3 && fields[0].Value[0] == '1'
}

const reframed = "framed anew for HTTP/2, so that it could be looked into: compression, padding and stream numbers are why403's"

// serve serves the stream to its end.
func (s *h2held) serve() {
	defer s.leave()
	s.rec.alter(reframed)
	s.prepare()
	fields, ok := s.intercede()
	if !ok || !s.send(fields) {
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() { s.move(&s.ask, &s.d.near, s.id, &s.d.far, s.oid, s.rec.fromClient) })
	if s.answer() {
		s.move(&s.back, &s.d.far, s.oid, &s.d.near, s.id, s.rec.fromOrigin)
	}
	asking.Wait()
}

// leave forgets the stream.
func (s *h2held) leave() {
	d := s.d
	s.cancel()
	d.mu.Lock()
	delete(d.byClient, s.id)
	delete(d.byOrigin, s.oid)
	if s.back.end && !s.ask.end && !s.over { // the answer did not wait for the request
		d.reply(&d.near, func(b []byte) []byte { return h2.AppendReset(b, s.id, h2.NoError) })
	}
	if !s.back.end && !s.over {
		d.reply(&d.near, func(b []byte) []byte { return h2.AppendReset(b, s.id, h2.Cancel) })
	}
	d.closeIfDone()
	d.wakeAll()
	d.mu.Unlock()
	s.rec.fail("origin", "read", "the server closed the connection before the answer was complete")
}

// resetByClient ends the stream for the origin, too. d.mu is held.
func (s *h2held) resetByClient(code h2.Code) {
	if s.over {
		return
	}
	s.over = true
	s.cancel()
	if s.oid != 0 {
		s.d.reply(&s.d.far, func(b []byte) []byte { return h2.AppendReset(b, s.oid, code) })
	}
	s.rec.fromClient(&h2.Event{Kind: h2.Reset, Code: code}, time.Now())
}

// resetByOrigin ends the stream for the client, too; after a whole answer it
// only says that the rest of the request is not wanted. d.mu is held.
func (s *h2held) resetByOrigin(code h2.Code) {
	s.ask.lost = true
	if s.over || s.back.end {
		return
	}
	s.over = true
	s.d.reply(&s.d.near, func(b []byte) []byte { return h2.AppendReset(b, s.id, code) })
	s.rec.fromOrigin(&h2.Event{Kind: h2.Reset, Code: code}, time.Now())
}

// await waits until ready, or there is nothing to wait for any more. d.mu is held.
func (s *h2held) await(ready func() bool) bool {
	for !ready() {
		if s.over || s.d.broken {
			return false
		}
		s.moved.Wait()
	}
	return !s.over && !s.d.broken
}

// move passes content on as the receiver grants it, and its end.
func (s *h2held) move(c *h2content, from *h2end, fromID uint32, to *h2end, toID uint32, tell func(*h2.Event, time.Time)) {
	d := s.d
	for done := c == &s.ask && s.bare(); !done; {
		d.mu.Lock()
		allowed := func() int { return int(min(int64(len(c.buf)), c.credit, to.pool, h2.LeastMaxSize)) }
		if !s.await(func() bool { return allowed() > 0 || len(c.buf) == 0 && (c.end || c.lost) }) || len(c.buf) == 0 && !c.end {
			d.mu.Unlock()
			return
		}
		n := max(0, allowed())
		piece := c.buf[:n:n]
		c.buf = c.buf[n:]
		c.credit -= int64(n)
		to.pool -= int64(n)
		done = c.end && len(c.buf) == 0
		trailers := c.trailers
		if !c.own {
			d.grant(from, fromID, c, int64(n))
		}
		d.mu.Unlock()
		err := to.write(func(enc *h2.Encoder) []byte {
			flags := byte(0)
			if done && trailers == nil {
				flags = h2.FlagEndStream
			}
			var b []byte
			if n > 0 || flags != 0 {
				b = h2.AppendFrame(b, h2.Data, flags, toID, piece)
			}
			if done && trailers != nil {
				b = h2.AppendHeaders(b, toID, true, enc.Fields(trailers))
			}
			return b
		})
		if err != nil {
			d.end()
			return
		}
		now := time.Now()
		if n > 0 {
			tell(&h2.Event{Kind: h2.Content, Content: piece, End: done && trailers == nil}, now)
		}
		switch {
		case done && trailers != nil:
			tell(&h2.Event{Kind: h2.Head, Fields: trailers, End: true}, now)
		case done && n == 0:
			tell(&h2.Event{Kind: h2.Content, End: true}, now)
		}
	}
}

// bare reports whether the request went out with its head.
func (s *h2held) bare() bool {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.reqBody.done
}

// send opens the stream to the origin.
func (s *h2held) send(fields []hpack.HeaderField) bool {
	d := s.d
	d.mu.Lock()
	ok := s.await(func() bool { return len(d.byOrigin) < d.most || d.leaving })
	if d.leaving && ok {
		d.reply(&d.near, func(b []byte) []byte { return h2.AppendReset(b, s.id, h2.RefusedStream) })
		ok = false
	}
	d.mu.Unlock()
	if !ok {
		return false
	}
	end := false
	err := d.far.write(func(enc *h2.Encoder) []byte {
		d.mu.Lock()
		defer d.mu.Unlock()
		s.oid = d.next
		d.next += 2
		d.byOrigin[s.oid] = s
		s.ask.credit = d.far.initial
		end = s.ask.end && len(s.ask.buf) == 0 && s.ask.trailers == nil
		before := d.far.control // the preface, if this is the first
		d.far.control = nil
		return h2.AppendHeaders(before, s.oid, end, enc.Fields(fields))
	})
	if err != nil {
		d.end()
		return false
	}
	s.rec.show()
	if end {
		s.rec.fromClient(&h2.Event{Kind: h2.Content, End: true}, time.Now())
	}
	return true
}

// answer waits for the origin's heads and passes them on, the final one after
// rules and breakpoints have seen it. It reports whether content is to follow.
func (s *h2held) answer() bool {
	for {
		s.d.mu.Lock()
		if !s.await(func() bool { return len(s.heads) > 0 || s.back.lost }) || len(s.heads) == 0 {
			s.d.mu.Unlock()
			return false
		}
		e := s.heads[0]
		s.heads = s.heads[1:]
		s.d.mu.Unlock()
		if interim(e.Fields) {
			s.pass(e)
			continue
		}
		fields, ok := s.intercedeBack(e)
		if !ok {
			return false
		}
		s.d.mu.Lock()
		end := s.back.end && len(s.back.buf) == 0 && s.back.trailers == nil
		s.d.mu.Unlock()
		return s.pass(&h2.Event{Kind: h2.Head, Fields: fields, End: end, Cut: e.Cut}) && !end
	}
}

// pass sends a head to the client.
func (s *h2held) pass(e *h2.Event) bool {
	err := s.d.near.write(func(enc *h2.Encoder) []byte { return h2.AppendHeaders(nil, s.id, e.End, enc.Fields(e.Fields)) })
	if err != nil {
		s.d.end()
		return false
	}
	s.rec.fromOrigin(e, time.Now())
	return true
}
