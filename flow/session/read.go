package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/why403/why403/flow"
)

// BodyPrefix is how much of a body Flow reads, in bytes; Body has the rest.
const BodyPrefix = 1 << 20

// read runs f with a connection for reading.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	err := s.readers.with(ctx, f)
	if err == nil || err == ErrNoFlow || err == ErrClosed || ctx.Err() != nil {
		return err
	}
	return explain(s.path, err)
}

func (s *Store) isUnderWay(id flow.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of[id]
	return e != nil && e.live != nil
}

// rowColumns are what a rowReader reads.
const rowColumns = "SELECT id, rev, endpoint * 2 + open, row, note FROM flow "

// rowReader turns the rows of one query into ours.
type rowReader struct {
	s *Store
	// endpoints are the keys that came by, by their number in the file; bounded by maxKnown.
	endpoints map[int64]string
}

func (s *Store) rowReader() *rowReader { return &rowReader{s: s, endpoints: map[int64]string{}} }

func (rr *rowReader) read(r row, to *Row) error {
	*to = Row{ID: flow.ID(r.int(0)), Rev: Rev(r.int(1))}
	n := r.int(2) >> 1
	known, ok := rr.endpoints[n]
	to.Endpoint = known
	if err := to.decode(r.text(3)); err != nil {
		return fmt.Errorf("flow %d: %w", to.ID, err)
	}
	if !ok && !rr.s.stale {
		if len(rr.endpoints) >= maxKnown {
			clear(rr.endpoints)
		}
		rr.endpoints[n] = to.Endpoint
	}
	if b := r.bytes(4); b != nil {
		a, err := decodeNote(string(b))
		if err != nil {
			return fmt.Errorf("note on flow %d: %w", to.ID, err)
		}
		to.annotate(&a)
	}
	if r.int(2)&1 != 0 && !rr.s.followed() {
		to.unfinished()
	}
	return nil
}

// rows reads rows from the file.
func (s *Store) rows(ctx context.Context, n int, where string, args ...driver.Value) (list []Row, err error) {
	values := make([]driver.Value, 0, len(args)+1)
	values = append(append(values, args...), int64(n))
	err = s.read(ctx, func(c *conn) error {
		var fault error
		rr := s.rowReader()
		list = make([]Row, 0, min(n, 256))
		err := c.query(ctx, rowColumns+where+" LIMIT ?", func(r row) bool {
			list = append(list, Row{})
			fault = rr.read(r, &list[len(list)-1])
			return fault == nil
		}, values...)
		if err == nil {
			err = fault
		}
		return err
	})
	return list, err
}

// Row is the row of one flow, under way or not.
func (s *Store) Row(ctx context.Context, id flow.ID) (Row, error) {
	s.mu.Lock()
	if e := s.of[id]; e != nil {
		r := e.row
		s.mu.Unlock()
		return r, nil
	}
	s.mu.Unlock()
	list, err := s.rows(ctx, 1, "WHERE id = ?", int64(id))
	if err == nil && len(list) == 0 {
		err = ErrNoFlow
	}
	if err != nil {
		return Row{}, err
	}
	return list[0], nil
}

// memory gives the rows that are not on disk as they are and that match, in order of their IDs.
func (s *Store) memory(match func(*Row) bool) []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Row
	for e := range s.underWay.all {
		if match(&e.row) {
			list = append(list, e.row)
		}
	}
	slices.SortFunc(list, func(a, b Row) int { return int(a.ID - b.ID) })
	return list
}

// join merges rows of the file and of memory by ID. The file was read later: a
// row of it that has ended counts, else memory's.
func join(file, memory []Row, descending bool, n int) []Row {
	if len(memory) > 0 {
		at := make(map[flow.ID]int, len(file))
		for i := range file {
			at[file[i].ID] = i
		}
		for _, r := range memory {
			if i, ok := at[r.ID]; !ok {
				file = append(file, r)
			} else if file[i].State < Done {
				file[i] = r
			}
		}
		slices.SortStableFunc(file, func(a, b Row) int {
			if descending {
				a, b = b, a
			}
			return int(a.ID - b.ID)
		})
	}
	return file[:min(n, len(file))]
}

// Page is up to n rows with IDs from from on, ascending, flows under way among them.
func (s *Store) Page(ctx context.Context, from flow.ID, n int) ([]Row, error) {
	memory := s.memory(func(r *Row) bool { return r.ID >= from })
	file, err := s.rows(ctx, n, "WHERE id >= ? ORDER BY id", int64(from))
	if err != nil {
		return nil, err
	}
	return join(file, memory, false, n), nil
}

// History is up to n rows of the flows of an endpoint (flow.Endpoint) with IDs below before, newest first.
func (s *Store) History(ctx context.Context, endpoint string, before flow.ID, n int) ([]Row, error) {
	memory := s.memory(func(r *Row) bool { return r.ID < before && r.Endpoint == endpoint })
	if s.stale {
		file, err := s.sift(ctx, endpoint, before, n)
		return join(file, memory, true, n), err
	}
	file, err := s.rows(ctx, n, "WHERE endpoint = (SELECT id FROM endpoint WHERE key = ?) AND id < ? ORDER BY id DESC", []byte(endpoint), int64(before))
	if err != nil {
		return nil, err
	}
	return join(file, memory, true, n), nil
}

// sift is the slow way to a history: for a file, open for reading, whose endpoints are of other rules than ours.
func (s *Store) sift(ctx context.Context, endpoint string, before flow.ID, n int) (list []Row, err error) {
	err = s.read(ctx, func(c *conn) error {
		var fault error
		rr := s.rowReader()
		err := c.query(ctx, rowColumns+"WHERE id < ? ORDER BY id DESC", func(r row) bool {
			var to Row
			if fault = rr.read(r, &to); fault == nil && to.Endpoint == endpoint {
				list = append(list, to)
			}
			return fault == nil && len(list) < n
		}, int64(before))
		return errors.Join(err, fault)
	})
	return list, err
}

// HistoryOfHost is History for all flows to a scheme and authority.
func (s *Store) HistoryOfHost(ctx context.Context, scheme, authority string, before flow.ID, n int) ([]Row, error) {
	memory := s.memory(func(r *Row) bool { return r.ID < before && r.Scheme == scheme && r.Authority == authority })
	file, err := s.rows(ctx, n, "WHERE host = (SELECT id FROM host WHERE key = ?) AND id < ? ORDER BY id DESC", []byte(scheme+"://"+authority), int64(before))
	if err != nil {
		return nil, err
	}
	return join(file, memory, true, n), nil
}

// Scan calls yield for every row, oldest first, until it says false. The row
// is only good until yield returns. Scan reads from one state of the file, which cannot be tidied before it ends.
func (s *Store) Scan(ctx context.Context, yield func(*Row) bool) error {
	memory := s.memory(func(*Row) bool { return true })
	stopped := false
	give := func(r *Row) bool {
		stopped = stopped || !yield(r)
		return !stopped
	}
	err := s.read(ctx, func(c *conn) error {
		var fault error
		var to Row
		rr := s.rowReader()
		err := c.query(ctx, rowColumns+"ORDER BY id", func(r row) bool {
			id := flow.ID(r.int(0))
			for len(memory) > 0 && memory[0].ID < id {
				if !give(&memory[0]) {
					return false
				}
				memory = memory[1:]
			}
			if fault = rr.read(r, &to); fault != nil {
				return false
			}
			if len(memory) > 0 && memory[0].ID == id {
				if to.State < Done { // else it has ended meanwhile
					to = memory[0]
				}
				memory = memory[1:]
			}
			return give(&to)
		})
		if err == nil {
			err = fault
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range memory {
		if stopped || !give(&memory[i]) {
			break
		}
	}
	return nil
}

// Flow is one flow as it was recorded, or as it stands. Bodies have at most BodyPrefix bytes of content.
func (s *Store) Flow(ctx context.Context, id flow.ID) (*flow.Flow, error) {
	v, err := s.view(ctx, id)
	if err != nil {
		return nil, err
	}
	f := v.flow
	f.ID = id
	for side, m := range []*flow.Message{RequestSide: f.Request, ResponseSide: f.Response} {
		if m == nil || m.Body.Kept == 0 {
			continue
		}
		b := &bodyReader{ctx: ctx, s: s, next: bodyKey(id, Side(side)), side: v.bodies[side], left: m.Body.Kept}
		m.Body.Data = make([]byte, min(m.Body.Kept, BodyPrefix))
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
		s.mu.Unlock()
		v.own()
		return v, nil
	} else if e != nil && (e.live != nil || e.row.State == NotKept) {
		s.mu.Unlock()
		return nil, ErrNotKept
	}
	s.mu.Unlock()
	open := false
	err := s.read(ctx, func(c *conn) error {
		fault := ErrNoFlow
		err := c.query(ctx, "SELECT data, open FROM flow LEFT JOIN record USING (id) WHERE id = ?", func(r row) bool {
			if r[0] == nil {
				fault = ErrNotKept
				return false
			}
			v.flow, fault = decodeRecord(r.text(0))
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
	b := &bodyReader{ctx: ctx, s: s, next: bodyKey(id, side), side: v.bodies[side&1]}
	if m != nil {
		b.left = m.Body.Kept
	}
	return b, b.left, nil
}

// bodyReader reads a body chunk by chunk; it holds no connection in between.
type bodyReader struct {
	ctx   context.Context
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
	found := false
	err := b.s.read(b.ctx, func(c *conn) error {
		return c.query(b.ctx, "SELECT data FROM body WHERE key = ?", func(r row) bool {
			b.chunk, found = r.bytes(0), true
			return false
		}, b.next)
	})
	if err == nil && !found {
		err = io.ErrUnexpectedEOF // the file has lost it
	}
	b.next++
	return err
}

func (b *bodyReader) Close() error {
	b.left, b.chunk = 0, nil
	return nil
}

// Since is up to most rows that changed after rev, the oldest change first, and
// the revision to ask with next. Flows under way are among them. A reader that
// is far behind, or begins at 0, walks through the whole session in order of
// last change; one that only wants what is new begins at Rev.
func (s *Store) Since(rev Rev, most int) ([]Row, Rev) {
	s.mu.Lock()
	if rev >= s.forgotten {
		defer s.mu.Unlock()
		return s.since(rev, most)
	}
	upTo := s.rev
	var memory []Row
	live := map[flow.ID]bool{}
	for e := range s.underWay.all {
		live[e.row.ID] = true
		if e.row.Rev > rev {
			memory = append(memory, e.row)
		}
	}
	s.mu.Unlock()
	file, err := s.rows(s.ctx, most, "WHERE rev > ? ORDER BY rev", int64(rev))
	if err != nil {
		s.mu.Lock()
		s.readFault = err
		s.mu.Unlock()
		return nil, upTo // what cannot be read cannot be waited for either
	}
	if len(file) == most {
		upTo = file[most-1].Rev
	} else if len(file) > 0 {
		upTo = max(upTo, file[len(file)-1].Rev)
	}
	// A flow under way that was written as it stood comes from memory.
	all := slices.DeleteFunc(file, func(r Row) bool { return live[r.ID] && r.State < Done })
	for _, r := range memory {
		if r.Rev <= upTo {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b Row) int {
		switch {
		case a.Rev < b.Rev:
			return -1
		case a.Rev > b.Rev:
			return 1
		}
		return 0
	})
	if len(all) > most {
		all = all[:most]
		upTo = all[most-1].Rev
	}
	return all, upTo
}

// Rev is the revision of the newest change.
func (s *Store) Rev() Rev {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rev
}

// Changed is closed when there is something after rev, or the store is closed.
func (s *Store) Changed(rev Rev) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rev > rev || s.closed {
		return done
	}
	if s.wait == nil {
		s.wait = make(chan struct{})
	}
	return s.wait
}
