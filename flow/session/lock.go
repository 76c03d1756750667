package session

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// lock marks a session as written by this process: an advisory lock of the
// system on a file beside it, gone with the process however that ends. (On
// the session itself it would get into SQLite's way.)
type lock struct {
	f    *os.File
	path string
}

func lockPath(path string) string { return path + ".lock" }

// acquire takes the lock of the session at path, or fails with ErrInUse.
func acquire(path string) (*lock, error) {
	name := lockPath(path)
	for try := range 10 {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("session: lock: %w", err)
		}
		if err := tryLock(f, false); err != nil {
			_ = f.Close()
			if errors.Is(err, ErrInUse) {
				if try < 3 { // somebody may only be looking (held)
					time.Sleep(3 * time.Millisecond)
					continue
				}
				return nil, fmt.Errorf("session %s: %w", path, err)
			}
			return nil, fmt.Errorf("session: lock %s: %w", name, err)
		}
		// Whoever held it before may have removed the name: then ours is a lock on nothing.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(name)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return &lock{f: f, path: name}, nil
		}
		_ = f.Close()
	}
	return nil, fmt.Errorf("session %s: %w", path, ErrInUse)
}

// release lets go; the name goes first, so that nobody locks what is about to go.
func (l *lock) release() {
	_ = os.Remove(l.path) // windows removes it only once it is closed
	_ = l.f.Close()
	removeAfterClose(l.path)
}

// held reports whether a process writes the session at path. Nothing is created.
func held(path string) bool {
	f, err := os.Open(lockPath(path))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(tryLock(f, true), ErrInUse)
}
