package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/why403/why403/flow"
)

// Options of a Store; the zero value is a good one.
type Options struct {
	MaxBody    int64  // bytes of one body that are kept; 0: 64 MiB
	QueueBytes int64  // bytes that may wait for the disk; 0: 64 MiB
	Source     string // of a new session: the file that its flows come from
	Writable   bool   // Open for writing too: only for sessions of one's own
	Now        func() time.Time
}

func (o *Options) defaults() {
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Store is a session: its file and the hub in front of it. All methods may be called from any goroutine.
type Store struct {
	path     string
	o        Options
	readOnly bool
	version  int // of the file, see migrations
	created  time.Time
	source   string
	stale    bool  // the file's endpoints are of other rules than flow.TemplateVersion, and cannot be written anew
	lock     *lock // nil: reading only
	readers  *pool
	spilled  spillReader
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	remove   func() error // what goes with the store; nil: nothing
	signal   chan struct{}
	stopped  chan struct{} // closed when the goroutine that owns the writing (or following) connection has ended
	closeErr error         // valid after stopped
	alive    atomic.Bool   // reading only: another process writes

	hangAfter, retryAfter time.Duration
	beforeCommit          func() error // for tests: runs before each commit, whose error is that of the commit

	mu sync.Mutex
	changes
	recents   recents
	viewing   int // views of flows in memory that are looked at
	last      flow.ID
	active    int64 // flows begun and not ended
	queued    int64 // bytes of memory that wait for the disk
	jobs      []*job
	jobBytes  int64 // of queued: in jobs
	urgent    bool
	stalled   bool          // somebody has waited headWait in vain since the last commit
	moved     chan struct{} // closed by the next commit
	settled   Rev           // of the last commit's newest change
	totals    totals        // as committed; lost as it is
	tombs     int
	fault     error // why the last commit did not succeed
	readFault error
	closed    bool
	drained   bool

	committed struct { // handed from the commit to what makes it known; the writer's own
		totals
		rev Rev
	}
}

// Create makes a new session. The file must not exist; it is created with mode 0600.
func Create(path string, o Options) (*Store, error) { return create(path, o, nil) }

func create(path string, o Options, prepare func(*Store)) (*Store, error) {
	o.defaults()
	if err := privateDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("session %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("session: create: %w", err)
	}
	// SQLite must open it itself; it opens what we made, for the name is taken.
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("session: create %s: %w", path, err)
	}
	s, err := openWriting(path, o, prepare, func(ctx context.Context, c *conn) error {
		if err := c.script(ctx, forWriting); err != nil {
			return err
		}
		if err := migrate(ctx, c, migrations); err != nil {
			return err
		}
		return c.exec(ctx, "INSERT INTO session (one, created, source, template, flows, refused, lost) VALUES (1, ?, ?, ?, 0, 0, 0)",
			o.Now().UnixNano(), []byte(o.Source), int64(flow.TemplateVersion))
	})
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return s, nil
}

// Open opens an existing session, for reading only unless o.Writable. A file
// that another process writes can be read, and is followed. Nothing in a file
// opened for reading is changed.
func Open(path string, o Options) (*Store, error) {
	o.defaults()
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("session %s: is a folder", path)
	}
	if !o.Writable {
		return openReading(path, o)
	}
	return openWriting(path, o, nil, func(ctx context.Context, c *conn) error {
		if err := check(ctx, c, path, true); err != nil {
			return err
		}
		if err := c.script(ctx, forWriting); err != nil {
			return err
		}
		if err := migrate(ctx, c, migrations); err != nil {
			return err
		}
		return rederive(ctx, c)
	})
}

func newStore(path string, o Options) *Store {
	s := &Store{
		path: path, o: o, signal: make(chan struct{}, 1), stopped: make(chan struct{}), moved: make(chan struct{}),
		hangAfter: hangAfter, retryAfter: retryAfter, spilled: spillReader{path: path + spillSuffix},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

const readers = 4

func openWriting(path string, o Options, prepare func(*Store), first func(context.Context, *conn) error) (_ *Store, err error) {
	s := newStore(path, o)
	if s.lock, err = acquire(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.lock.release()
		}
	}()
	c, err := connect(path, writing)
	if err != nil {
		return nil, explain(path, err)
	}
	defer func() {
		if err != nil {
			_ = c.close()
		}
	}()
	if err := first(s.ctx, c); err != nil {
		return nil, explainOnce(path, err)
	}
	if err := s.load(c); err != nil {
		return nil, explainOnce(path, err)
	}
	if err := s.closeOpenRows(c); err != nil {
		return nil, explainOnce(path, err)
	}
	s.version = schemaVersion()
	s.readers = newPool(readers, func() (*conn, error) { return connect(path, reading) })
	if prepare != nil {
		prepare(s)
	}
	go s.write(c)
	return s, nil
}

func explainOnce(path string, err error) error {
	for _, known := range []error{ErrNotSession, ErrNoLog, ErrNewer, ErrOlder, ErrCorrupt, ErrInUse} {
		if errors.Is(err, known) {
			return err
		}
	}
	return explain(path, err)
}

// load reads what the hub needs to know of the file.
func (s *Store) load(c *conn) error {
	var rev Rev
	err := c.query(s.ctx, "SELECT created, source, flows, refused, lost, (SELECT max(id) FROM flow), (SELECT max(rev) FROM flow), template FROM session", func(r row) bool {
		s.stale = r.int(7) != flow.TemplateVersion
		s.created, s.source = time.Unix(0, r.int(0)), r.text(1)
		s.totals = totals{flows: r.int(2), refused: r.int(3), lost: r.int(4)}
		s.last, rev = flow.ID(r.int(5)), Rev(r.int(6))
		return false
	})
	if err != nil {
		return err
	}
	s.changes.init(rev)
	s.settled = rev
	return nil
}

// closeOpenRows says of the flows that had not ended when the process before died that they did not.
func (s *Store) closeOpenRows(c *conn) error {
	type open struct {
		row  Row
		host int64
		flow *flow.Flow
	}
	var list []open
	var fault error
	err := c.query(s.ctx, "SELECT id, row, data, host FROM flow JOIN record USING (id) WHERE open = 1", func(r row) bool {
		o := open{row: Row{ID: flow.ID(r.int(0))}, host: r.int(3)}
		if fault = o.row.decode(r.text(1)); fault != nil {
			return false
		}
		o.row.unfinished()
		if o.flow, fault = decodeRecord(r.text(2)); fault != nil {
			return false
		}
		unfinished(o.flow)
		list = append(list, o)
		return true
	})
	if err = errors.Join(err, fault); err != nil || len(list) == 0 {
		return err
	}
	if err := c.exec(s.ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	rev := (s.rev>>32 + 1) << 32
	w := &writer{c: c, secures: map[secure]int64{}}
	for i := range list {
		rev++
		o := &list[i]
		if err = c.exec(s.ctx, "UPDATE flow SET rev = ?, open = 0, row = ? WHERE id = ?", int64(rev), o.row.encode(), int64(o.row.ID)); err != nil {
			break
		}
		if err = w.rewrite(s.ctx, o.row.ID, o.host, o.flow); err != nil {
			break
		}
		s.totals.flows++
		if o.row.Refused() {
			s.totals.refused++
		}
	}
	if err == nil {
		err = c.exec(s.ctx, "UPDATE session SET flows = ?, refused = ?", s.totals.flows, s.totals.refused)
	}
	if err != nil {
		_ = c.exec(s.ctx, "ROLLBACK") // the fault before it is the one to tell
		return err
	}
	s.changes.init(rev)
	s.settled = rev
	return c.exec(s.ctx, "COMMIT")
}

const unfinishedText = "why403 ended before this exchange did"

// unfinished says of a flow that was written under way that it did not end.
func unfinished(f *flow.Flow) {
	if f.Err == nil {
		f.Err = &flow.Failure{Side: "why403", Op: "abort", Text: unfinishedText}
	}
}

func (r *Row) unfinished() {
	r.State = Done
	if r.Err == "" {
		r.Err, r.ErrSide = unfinishedText, "why403"
	}
}

// Last is the highest ID, 0 when there are no flows.
func (s *Store) Last() flow.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Stats are the numbers of a session.
type Stats struct {
	Path      string
	Source    string // the file that its flows come from, "" for none
	Created   time.Time
	Flows     int64  // done
	Live      int64  // under way
	Refused   int64  // of those done
	NotKept   int64  // flows that the disk did not keep up with
	Queued    int64  // bytes that wait for the disk
	Bytes     int64  // size on disk
	Err       string // why the disk cannot be written or read at the moment; "": it can
	Elsewhere bool   // it is only read here, and another process records into it
}

// Stats counts.
func (s *Store) Stats() Stats {
	size := fileSize(s.path)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Path: s.path, Source: s.source, Created: s.created, Bytes: size,
		Flows: s.totals.flows, Refused: s.totals.refused, NotKept: s.totals.lost,
		Live: s.active, Queued: s.queued, Elsewhere: s.readOnly && s.alive.Load(),
	}
	for _, err := range []error{s.readFault, s.fault} {
		if err != nil {
			st.Err = explain(s.path, err).Error()
		}
	}
	return st
}

// Close writes what is queued and closes the file. Flows under way are
// written as they stand. It waits for calls under way; later ones do nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.stopped
		return nil
	}
	s.closed = true
	s.kick()
	close(s.moved)
	s.moved = make(chan struct{})
	s.wake()
	s.mu.Unlock()
	if s.readOnly {
		s.cancel()
	}
	<-s.stopped
	s.cancel()
	err := errors.Join(s.closeErr, s.spilled.close())
	if s.readOnly {
		err = errors.Join(err, s.readers.close())
	}
	if s.lock != nil {
		s.lock.release()
	}
	if s.remove != nil {
		err = errors.Join(err, s.remove())
	}
	if err != nil {
		return fmt.Errorf("session %s: close: %w", s.path, err)
	}
	return nil
}

func (s *Store) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
