package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/why403/why403/flow"
)

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

// HistoryIDs is History for those who have most of the flows already: the IDs alone, a fraction of the work.
func (s *Store) HistoryIDs(ctx context.Context, endpoint string, before flow.ID, n int) ([]flow.ID, error) {
	if s.stale {
		rows, err := s.History(ctx, endpoint, before, n)
		return idsOf(rows), err
	}
	memory := s.memory(func(r *Row) bool { return r.ID < before && r.Endpoint == endpoint })
	return s.ids(ctx, memory, n, "endpoint = (SELECT id FROM endpoint WHERE key = ?)", endpoint, before)
}

// HistoryIDsOfHost is HistoryIDs for all flows to a scheme and authority.
func (s *Store) HistoryIDsOfHost(ctx context.Context, scheme, authority string, before flow.ID, n int) ([]flow.ID, error) {
	memory := s.memory(func(r *Row) bool { return r.ID < before && r.Scheme == scheme && r.Authority == authority })
	return s.ids(ctx, memory, n, "host = (SELECT id FROM host WHERE key = ?)", scheme+"://"+authority, before)
}

// ids are up to n IDs below before, newest first, of the rows of the file where key is so, and of memory.
// The index has them: no row is read.
func (s *Store) ids(ctx context.Context, memory []Row, n int, where, key string, before flow.ID) ([]flow.ID, error) {
	list := idsOf(memory)
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, "SELECT id FROM flow WHERE "+where+" AND id < ? ORDER BY id DESC LIMIT ?", func(r row) bool {
			list = append(list, flow.ID(r.int(0)))
			return true
		}, []byte(key), int64(before), int64(n))
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b flow.ID) int { return int(b - a) })
	list = slices.Compact(list)
	return list[:min(n, len(list))], nil
}

func idsOf(rows []Row) []flow.ID {
	ids := make([]flow.ID, len(rows), len(rows)+64)
	for i := range rows {
		ids[i] = rows[i].ID
	}
	return ids
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
