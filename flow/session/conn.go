package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with a file. Errors of Open and Create match one of these or are of the system.
var (
	ErrNotSession = errors.New("not a why403 session")
	ErrNoLog      = errors.New("holds no session yet: what was recorded lies beside the original, in the file with -wal at the end of its name")
	ErrNewer      = errors.New("written by a newer why403: update to read it")
	ErrOlder      = errors.New("written by an older why403: copy it and open the copy for writing to bring it up to date")
	ErrCorrupt    = errors.New("damaged: not a whole SQLite file")
	ErrInUse      = errors.New("in use by another process")
	ErrReadOnly   = errors.New("session is open for reading only")
	ErrClosed     = errors.New("session is closed")
	ErrNoFlow     = errors.New("no such flow")
	ErrNoBody     = errors.New("a body cannot be read whole")
	ErrNotKept    = errors.New("flow was not kept: the disk did not keep up")
)

// conn is one connection with its prepared statements, used by one goroutine
// at a time. It speaks to the driver directly: database/sql would add a third
// to the cost of a flow.
type conn struct {
	c     driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// access says how a file is opened.
type access int

const (
	writing access = iota
	reading
	readingFrozen // nobody writes and nothing may be created beside the file: no locks, no -shm
)

func connect(path string, how access) (*conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	abs = filepath.ToSlash(abs)
	if runtime.GOOS == "windows" {
		abs = "/" + abs
	}
	// The order matters (a page size counts only before the first page is written), so we send the pragmas ourselves.
	q, pragmas := url.Values{}, common
	switch how {
	case writing:
		q.Set("mode", "rw") // forWriting comes once it is known that the file is ours
	case reading:
		q.Set("mode", "ro")
		pragmas += forReading
	case readingFrozen:
		q.Set("mode", "ro")
		q.Set("immutable", "1")
		pragmas += forReading
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	d, err := (&sqlite.Driver{}).Open(u.String())
	if err != nil {
		return nil, err
	}
	c := &conn{c: d, stmts: map[string]driver.Stmt{}}
	if err := c.script(context.Background(), pragmas); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// The settings of our connections (https://www.sqlite.org/pragma.html).
const (
	common = `
PRAGMA busy_timeout = 2000;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA temp_store = MEMORY;`
	forReading = `
PRAGMA query_only = ON;`
	// With WAL and synchronous = NORMAL a commit outlives the process without
	// an fsync; a power cut may take the last ones, but leaves the file whole.
	forWriting = `
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
PRAGMA cache_size = -4000;
PRAGMA wal_autocheckpoint = 1000;
PRAGMA journal_size_limit = 33554432;`
)

func (c *conn) close() error {
	for _, s := range c.stmts {
		_ = s.Close() // frees memory; closing the connection reports what is wrong
	}
	return c.c.Close()
}

func (c *conn) prepare(text string) (driver.Stmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	s, err := c.c.Prepare(text)
	if err != nil {
		return nil, err
	}
	c.stmts[text] = s
	return s, nil
}

func (c *conn) bind(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// exec runs one statement. Arguments are int64, []byte or nil.
func (c *conn) exec(ctx context.Context, text string, args ...driver.Value) error {
	_, err := c.run(ctx, text, args...)
	return err
}

// run is exec that gives the number of rows changed.
func (c *conn) run(ctx context.Context, text string, args ...driver.Value) (int64, error) {
	s, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	r, err := s.(driver.StmtExecContext).ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// script runs several statements, once.
func (c *conn) script(ctx context.Context, text string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(ctx, text, nil)
	return err
}

// row is one row of an answer. A column of another type than asked for reads as zero: the file may be foreign.
type row []driver.Value

func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) bytes(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}

func (r row) text(i int) string {
	switch v := r[i].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// query calls yield for each row of the answer until it says false.
func (c *conn) query(ctx context.Context, text string, yield func(row) bool, args ...driver.Value) (err error) {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	r := make(row, len(rows.Columns()))
	for n := 0; ; n++ {
		if n&63 == 63 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch err := rows.Next(r); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case !yield(r):
			return nil
		}
	}
}

// number is the first column of the first row, 0 when there is none.
func (c *conn) number(ctx context.Context, text string, args ...driver.Value) (n int64, err error) {
	err = c.query(ctx, text, func(r row) bool {
		n = r.int(0)
		return false
	}, args...)
	return n, err
}

// explain turns SQLite's word on a file into ours.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("session %s: %w", path, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w", path, ErrNotSession)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%s: %w", path, ErrCorrupt)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s: %w", path, ErrInUse)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY:
		// SQLite does not say why; the system does.
		f, cause := os.Open(path)
		if cause == nil {
			_ = f.Close()
			return fmt.Errorf("session %s: cannot be read where it lies; copy it to a folder of yours: %w", path, err)
		}
		var p *fs.PathError
		if errors.As(cause, &p) {
			cause = p.Err
		}
		return fmt.Errorf("session %s: %w", path, cause)
	}
	return fmt.Errorf("session %s: %w", path, err)
}

// pool hands out up to n connections for reading. The one that came back last is
// handed out first: its pages are still in memory, and others are opened only
// for those who read at the same time.
type pool struct {
	open   func() (*conn, error)
	slots  chan struct{} // connections that may be in use at the same time
	closed chan struct{}

	mu   sync.Mutex
	idle []*conn
}

func newPool(n int, open func() (*conn, error)) *pool {
	p := &pool{open: open, slots: make(chan struct{}, n), closed: make(chan struct{})}
	for range n {
		p.slots <- struct{}{}
	}
	return p
}

// with runs f with a connection of its own.
func (p *pool) with(ctx context.Context, f func(*conn) error) error {
	c, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer p.give(c)
	return f(c)
}

func (p *pool) take(ctx context.Context) (*conn, error) {
	select {
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	default:
	}
	select {
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.slots:
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := p.open()
	if err != nil {
		p.slots <- struct{}{}
	}
	return c, err
}

func (p *pool) give(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	p.slots <- struct{}{}
}

// close refuses further use, waits for the connections in use and closes all.
func (p *pool) close() error {
	close(p.closed)
	for range cap(p.slots) {
		<-p.slots
	}
	var all error
	for _, c := range p.idle {
		all = errors.Join(all, c.close())
	}
	return all
}
