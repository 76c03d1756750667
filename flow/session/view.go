package session

import (
	"context"
	"fmt"
	"io"

	"github.com/why403/why403/flow"
)

// BodyPrefix is how much of a body Flow reads, in bytes; Body has the rest.
const BodyPrefix = 1 << 20

// Flow is one flow as it was recorded, or as it stands. Bodies have at most BodyPrefix bytes of content.
func (s *Store) Flow(ctx context.Context, id flow.ID) (*flow.Flow, error) {
	return s.Prefix(ctx, id, BodyPrefix, BodyPrefix)
}

// Prefix is Flow with at most so many bytes of the request's and of the response's body.
func (s *Store) Prefix(ctx context.Context, id flow.ID, request, response int64) (*flow.Flow, error) {
	limit := [2]int64{RequestSide: request, ResponseSide: response}
	v, err := s.view(ctx, id)
	if err != nil {
		return nil, err
	}
	defer v.release()
	f := v.flow
	f.ID = id
	for side, m := range []*flow.Message{RequestSide: f.Request, ResponseSide: f.Response} {
		if m == nil || m.Body.Kept == 0 || limit[side] == 0 {
			continue
		}
		b := &bodyReader{ctx: ctx, s: s, next: bodyKey(id, Side(side)), side: v.bodies[side], left: m.Body.Kept}
		m.Body.Data = make([]byte, min(m.Body.Kept, limit[side]))
		n, err := io.ReadFull(b, m.Body.Data)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		m.Body.Data = m.Body.Data[:n]
	}
	return f, nil
}

// view is a flow at one moment: what of its bodies is not on disk yet comes from memory.
type view struct {
	flow   *flow.Flow
	bodies [2]memoryBody
	s      *Store // that counts it; nil: nothing in it is in the store's memory
}

// release ends the look at what is in the store's memory.
func (v *view) release() {
	if v.s == nil {
		return
	}
	v.s.mu.Lock()
	v.s.viewing--
	v.s.mu.Unlock()
	v.s = nil
}

type memoryBody struct {
	from int64 // number of the first chunk in memory; before it, the file has them
	rest pieces
}

func (s *Store) view(ctx context.Context, id flow.ID) (*view, error) {
	v := &view{bodies: [2]memoryBody{{from: maxChunks}, {from: maxChunks}}}
	s.mu.Lock()
	if e := s.of[id]; e != nil && e.live != nil && !e.live.lost {
		l := e.live
		v.flow = l.snapshot()
		for side := range l.body {
			c := &l.body[side]
			m := &v.bodies[side]
			m.from = c.first
			for _, chunk := range c.queued {
				m.rest = append(m.rest, chunk...)
			}
			m.rest = append(m.rest, c.pending...)
		}
		v.s = s
		s.viewing++
		s.mu.Unlock()
		v.own()
		return v, nil
	} else if r := s.recents.of[id]; r != nil {
		s.mu.Unlock()
		return r.view(), nil
	} else if e != nil && (e.live != nil || e.row.State == NotKept) {
		s.mu.Unlock()
		return nil, ErrNotKept
	}
	s.mu.Unlock()
	open := false
	err := s.read(ctx, func(c *conn) error {
		fault := ErrNoFlow
		q := "SELECT data, open, NULL, NULL FROM flow LEFT JOIN record USING (id) WHERE id = ?"
		if s.version >= withTLS {
			q = "SELECT r.data, open, c.data, o.data FROM flow f LEFT JOIN record r USING (id) LEFT JOIN tls c ON c.id = r.client LEFT JOIN tls o ON o.id = r.origin WHERE f.id = ?"
		}
		err := c.query(ctx, q, func(r row) bool {
			if r[0] == nil {
				fault = ErrNotKept
				return false
			}
			if v.flow, fault = decodeRecord(r.text(0)); fault == nil {
				fault = secured(v.flow, r.text(2), r.text(3))
			}
			open = r.int(1) != 0
			return false
		}, int64(id))
		if err != nil {
			return err
		}
		return fault
	})
	switch {
	case err == ErrNotKept:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("flow %d: %w", id, err)
	}
	if open && !s.followed() {
		unfinished(v.flow)
	}
	return v, nil
}

// own makes the messages of the view's flow its own, so that their bodies can be filled in.
func (v *view) own() {
	for _, m := range []**flow.Message{&v.flow.Request, &v.flow.Response} {
		if *m != nil {
			c := **m
			*m = &c
		}
	}
}

// Body is the kept content of a body and its length. Reading ends with ctx.
func (s *Store) Body(ctx context.Context, id flow.ID, side Side) (io.ReadCloser, int64, error) {
	v, err := s.view(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	m := v.flow.Request
	if side == ResponseSide {
		m = v.flow.Response
	}
	b := &bodyReader{ctx: ctx, s: s, next: bodyKey(id, side), side: v.bodies[side&1], view: v}
	if m != nil {
		b.left = m.Body.Kept
	}
	return b, b.left, nil
}

// bodyReader reads a body chunk by chunk; it holds no connection in between.
type bodyReader struct {
	ctx   context.Context
	view  *view // to be released; nil: by somebody else
	s     *Store
	next  int64 // key of the next chunk
	side  memoryBody
	chunk []byte
	left  int64
}

func (b *bodyReader) Read(p []byte) (int, error) {
	for len(b.chunk) == 0 {
		if b.left <= 0 {
			return 0, io.EOF
		}
		if err := b.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.chunk)
	n = int(min(int64(n), b.left))
	b.chunk = b.chunk[n:]
	b.left -= int64(n)
	return n, nil
}

func (b *bodyReader) fetch() error {
	if b.next&(maxChunks-1) >= b.side.from {
		if len(b.side.rest) == 0 {
			return io.ErrUnexpectedEOF
		}
		b.chunk, b.side.rest = b.side.rest[0], b.side.rest[1:]
		return nil
	}
	found, far := false, place(0)
	err := b.s.read(b.ctx, func(c *conn) error {
		return c.query(b.ctx, "SELECT data FROM body WHERE key = ?", func(r row) bool {
			b.chunk, far, found = r.bytes(0), place(r.int(0)), true
			return false
		}, b.next)
	})
	if err == nil && !found {
		err = io.ErrUnexpectedEOF // the file has lost it
	}
	if err == nil && far != 0 {
		b.chunk, err = b.s.spilled.read(far)
	}
	b.next++
	return err
}

func (b *bodyReader) Close() error {
	b.left, b.chunk = 0, nil
	if b.view != nil {
		b.view.release()
		b.view = nil
	}
	return nil
}
