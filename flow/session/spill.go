package session

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// Bodies that are larger than a chunk would go through SQLite three times: into
// its pages, into the log, and from there into the file. That costs 2 to 5 ms of
// processor time a megabyte, ten times what moving it between client and server
// does. So full chunks of bodies are appended to a file beside the session, and
// the table has only their place; what follows the last full chunk is an
// ordinary row again. Like a write-ahead log, the file belongs to the session:
// it is made, counted and removed with it.
//
// A chunk is in the file before the row that names it is committed. A kill in
// between leaves bytes that nobody names.

// spillSuffix is added to the session's path.
const spillSuffix = "-bodies"

// place is where a chunk lies: offset<<spillBits | size.
type place int64

const spillBits = 20 // of the size; a chunk is smaller than 1 MiB

func (p place) offset() int64 { return int64(p) >> spillBits }
func (p place) size() int     { return int(p & (1<<spillBits - 1)) }

// spillWriter appends chunks. The writer owns it.
type spillWriter struct {
	path string
	f    *os.File // nil: nothing spilled yet
	end  int64
}

// write appends data and says where it lies.
func (w *spillWriter) write(data pieces) (place, error) {
	if w.f == nil {
		if err := w.open(); err != nil {
			return 0, err
		}
	}
	at := w.end
	for _, p := range data {
		n, err := w.f.WriteAt(p, w.end)
		w.end += int64(n)
		if err != nil {
			return 0, fmt.Errorf("body: %w", err)
		}
	}
	return place(at<<spillBits | int64(data.size())), nil
}

func (w *spillWriter) open() error {
	if err := regular(w.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return errors.Join(fmt.Errorf("body: %w", err), f.Close())
	}
	w.f, w.end = f, end
	return nil
}

func (w *spillWriter) close() error {
	if w.f == nil {
		return nil
	}
	return w.f.Close()
}

// spillReader reads chunks; any goroutine may.
type spillReader struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

func (r *spillReader) read(p place) ([]byte, error) {
	f, err := r.open()
	if err != nil {
		return nil, err
	}
	b := make([]byte, p.size())
	if _, err := f.ReadAt(b, p.offset()); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // cut off by a crash of the machine, or not the session's own
		}
		return nil, fmt.Errorf("body: %s: %w", r.path, err)
	}
	return b, nil
}

func (r *spillReader) open() (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f != nil {
		return r.f, nil
	}
	err := regular(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("body: the large bodies of this session lie in %s, which is not there: a session is moved together with it", r.path)
	} else if err != nil {
		return nil, err
	}
	if r.f, err = os.Open(r.path); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return r.f, nil
}

func (r *spillReader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}

// regular refuses what is no file of its own: nothing that lies beside a foreign session is followed elsewhere.
func regular(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("body: %s is not a regular file", path)
	}
	return nil
}
