package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/why403/why403/flow"
)

// Back calls yield for the flows with IDs from to up to from, newest first, until
// it says false: each with its row and with up to most bytes of each of its
// bodies, but without its TLS connections. What yield gets is good until it
// returns. A flow of which there is no more than a row is left out. A body that
// cannot be read ends where that is so; the first such fault is returned at the
// end, as ErrNoBody.
//
// It is for those who look through everything: the flows come out of the file
// in one go, which is several times as fast as asking for each. Between two
// flows under way, and no longer, one state of the file is read from.
func (s *Store) Back(ctx context.Context, to, from flow.ID, most int64, yield func(*Row, *flow.Flow) bool) error {
	memory := s.memory(func(r *Row) bool { return r.ID >= to && r.ID <= from && r.State != NotKept })
	b := &backward{s: s, most: most, yield: yield, rows: s.rowReader()}
	for i := len(memory) - 1; i >= 0 && !b.stopped; i-- {
		r := &memory[i]
		if err := b.read(ctx, r.ID+1, from); err != nil {
			return err
		}
		from = r.ID - 1
		if b.stopped {
			break
		}
		f, err := s.Prefix(ctx, r.ID, most, most)
		switch {
		case errors.Is(err, ErrNoFlow), errors.Is(err, ErrNotKept): // it went meanwhile
		case err != nil:
			return err
		default:
			b.stopped = !yield(r, f)
		}
	}
	if !b.stopped {
		if err := b.read(ctx, to, from); err != nil {
			return err
		}
	}
	return b.hole
}

// RowsBack calls yield for the rows with IDs from to up to from, newest first,
// until it says false. The row is only good until yield returns. It reads from
// one state of the file.
func (s *Store) RowsBack(ctx context.Context, to, from flow.ID, yield func(*Row) bool) error {
	memory := s.memory(func(r *Row) bool { return r.ID >= to && r.ID <= from })
	stopped := false
	// above gives the rows in memory that stand above id, and tells which one stands at it.
	above := func(id flow.ID) *Row {
		for n := len(memory); n > 0 && memory[n-1].ID >= id && !stopped; n-- {
			r := &memory[n-1]
			memory = memory[:n-1]
			if r.ID == id {
				return r
			}
			stopped = !yield(r)
		}
		return nil
	}
	var fault error
	var read Row
	rr := s.rowReader()
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, rowColumns+"WHERE id >= ? AND id <= ? ORDER BY id DESC", func(r row) bool {
			live := above(flow.ID(r.int(0)))
			if stopped {
				return false
			}
			if fault = rr.read(r, &read); fault != nil {
				return false
			}
			one := &read
			if live != nil && read.State < Done { // else it has ended meanwhile
				one = live
			}
			stopped = !yield(one)
			return !stopped
		}, int64(to), int64(from))
	})
	if err = errors.Join(err, fault); err == nil && !stopped {
		above(0)
	}
	return err
}

// backward puts the rows of one answer together to flows: a row for each chunk of its bodies.
type backward struct {
	s       *Store
	most    int64
	yield   func(*Row, *flow.Flow) bool
	stopped bool
	rows    *rowReader

	row  Row
	flow *flow.Flow // under construction; nil: none
	long [2][]byte  // room for bodies of several chunks

	err  error // ends the reading
	hole error // why a body could not be read whole
}

// The order of chunks is that of their keys: the request's first, each body from its beginning.
const (
	backRows   = "SELECT f.id, f.rev, f.endpoint * 2 + f.open, f.row, f.note, r.data"
	backBodies = ", b.key, b.data"
	backFrom   = " FROM flow f JOIN record r ON r.id = f.id"
	backJoin   = " LEFT JOIN body b ON b.key >= f.id << 24 AND b.key < (f.id + 1) << 24"
	backWhere  = " WHERE f.id >= ? AND f.id <= ? ORDER BY f.id DESC"
)

// read yields what the file has of the flows from from down to to.
func (b *backward) read(ctx context.Context, to, from flow.ID) error {
	if to > from {
		return nil
	}
	text := backRows + backFrom + backWhere
	if b.most > 0 {
		text = backRows + backBodies + backFrom + backJoin + backWhere + ", b.key"
	}
	err := b.s.read(ctx, func(c *conn) error {
		return c.query(ctx, text, func(r row) bool {
			if b.flow == nil || b.row.ID != flow.ID(r.int(0)) {
				if !b.finish() || !b.begin(r) {
					return false
				}
			}
			if b.most > 0 && r[6] != nil {
				b.chunk(r)
			}
			return b.err == nil
		}, int64(to), int64(from))
	})
	if err == nil && b.err == nil && !b.stopped {
		b.finish()
	}
	b.flow = nil
	return errors.Join(err, b.err)
}

// begin takes in the first row of a flow.
func (b *backward) begin(r row) bool {
	if b.err = b.rows.read(r[:5], &b.row); b.err != nil {
		return false
	}
	if b.flow, b.err = decodeRecord(r.text(5)); b.err != nil {
		b.err = fmt.Errorf("flow %d: %w", b.row.ID, b.err)
		return false
	}
	b.flow.ID = b.row.ID
	if r.int(2)&1 != 0 && !b.s.followed() {
		unfinished(b.flow)
	}
	return true
}

// chunk takes in one of a body, as far as it is wanted.
func (b *backward) chunk(r row) {
	key := r.int(6)
	side := Side(key >> 23 & 1)
	m := b.flow.Request
	if side == ResponseSide {
		m = b.flow.Response
	}
	if m == nil {
		return
	}
	room := min(b.most, m.Body.Kept) - int64(len(m.Body.Data))
	if room <= 0 {
		return
	}
	data, ok := r[7].([]byte)
	if !ok {
		var err error
		if data, err = b.s.spilled.read(place(r.int(7))); err != nil {
			if b.hole == nil {
				b.hole = fmt.Errorf("flow %d: %w: %w", b.row.ID, ErrNoBody, err)
			}
			return
		}
	}
	data = data[:min(int64(len(data)), room)]
	switch {
	case key&(maxChunks-1) == 0 && m.Body.Data == nil:
		m.Body.Data = data
		return
	case key&(maxChunks-1) == 1: // it does not end with its first chunk
		b.long[side] = append(b.long[side][:0], m.Body.Data...)
	}
	b.long[side] = append(b.long[side], data...)
	m.Body.Data = b.long[side]
}

// finish yields the flow that is put together, and reports whether to go on.
func (b *backward) finish() bool {
	if b.flow == nil {
		return true
	}
	b.stopped = !b.yield(&b.row, b.flow)
	b.flow = nil
	return !b.stopped
}
