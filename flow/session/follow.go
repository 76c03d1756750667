package session

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/why403/why403/flow"
)

// followEvery is how often a session that is open for reading is looked at for changes.
const followEvery = 100 * time.Millisecond

// openReading opens a session without changing anything in it or, if nobody
// writes it and it is none of ours, beside it.
func openReading(path string, o Options) (_ *Store, err error) {
	s := newStore(path, o)
	s.readOnly = true
	s.alive.Store(held(path))
	how := quiet(path)
	if inside(path, Dir()) {
		how = reading // it may be written again while we read
	}
	c, err := connect(path, how)
	if err != nil {
		return nil, explain(path, err)
	}
	defer func() {
		if err != nil {
			_ = c.close()
		}
	}()
	if err := check(s.ctx, c, path, false); err != nil {
		return nil, err
	}
	version, err := c.number(s.ctx, "PRAGMA user_version")
	if err == nil {
		err = s.load(c)
	}
	if err != nil {
		return nil, explain(path, err)
	}
	s.version = int(version)
	s.readers = newPool(readers, func() (*conn, error) { return connect(path, how) })
	go s.follow(c, how == readingFrozen)
	return s, nil
}

// followed reports whether rows that are not ended may still come to an end: the session's writer lives.
func (s *Store) followed() bool { return !s.readOnly || s.alive.Load() }

// follow owns c and looks for what another process has written.
func (s *Store) follow(c *conn, frozen bool) {
	defer close(s.stopped)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	if frozen {
		tick.Stop()
	}
	version := int64(-1)
	for {
		select {
		case <-s.ctx.Done():
			s.closeErr = c.close()
			return
		case <-tick.C:
		}
		died := false
		if s.alive.Load() != held(s.path) {
			died = s.alive.Swap(!s.alive.Load())
			s.mu.Lock()
			s.wake() // no row is another, but Stats are
			s.mu.Unlock()
		}
		v, err := c.number(s.ctx, "PRAGMA data_version")
		if err == nil && (v != version || died) {
			version = v
			if err = s.refresh(c); err == nil && died {
				err = s.orphans(c)
			}
		}
		if err != nil && s.ctx.Err() == nil {
			s.mu.Lock()
			s.readFault = err
			s.mu.Unlock()
		}
	}
}

// orphans makes it a change that the writer has died: the flows that it had under way read differently now.
func (s *Store) orphans(c *conn) error {
	var list []Row
	var fault error
	rr := s.rowReader()
	err := c.query(s.ctx, rowColumns+"WHERE open = 1", func(r row) bool {
		list = append(list, Row{})
		fault = rr.read(r, &list[len(list)-1])
		return fault == nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range list {
		e := s.of[r.ID]
		if e == nil {
			e = &entry{}
		}
		e.row = r
		s.touch(e)
	}
	return errors.Join(err, fault)
}

// refresh brings the hub's numbers up to the file.
func (s *Store) refresh(c *conn) error {
	return c.query(s.ctx, "SELECT flows, refused, lost, (SELECT max(id) FROM flow), (SELECT max(rev) FROM flow) FROM session", func(r row) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.totals = totals{flows: r.int(0), refused: r.int(1), lost: r.int(2)}
		s.last = flow.ID(r.int(3))
		s.readFault = nil
		if rev := Rev(r.int(4)); rev > s.rev {
			s.rev, s.forgotten = rev, rev
			s.wake()
		}
		return false
	})
}

// inside reports whether path lies in dir.
func inside(path, dir string) bool {
	abs, err := filepath.Abs(path)
	return err == nil && filepath.Dir(abs) == filepath.Clean(dir)
}
