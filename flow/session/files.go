package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// suffix is that of session files.
const suffix = ".why403"

// Bounds of what is kept of old sessions (Prune).
const (
	KeepAge   = 7 * 24 * time.Hour
	KeepBytes = 2 << 30
)

// stateDir is where programs keep what survives a restart but is no document
// (XDG Base Directory, XDG_STATE_HOME; the systems' own places elsewhere).
func stateDir() string {
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "why403")
	}
	switch runtime.GOOS {
	case "windows":
		if d := os.Getenv("LOCALAPPDATA"); d != "" {
			return filepath.Join(d, "why403")
		}
	case "darwin":
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, "Library", "Application Support", "why403")
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("why403-%d", os.Getuid()))
	}
	return filepath.Join(home, ".local", "state", "why403")
}

// Dir is the folder of one's own sessions. It need not exist.
func Dir() string { return filepath.Join(stateDir(), "sessions") }

func temporaryDir() string { return filepath.Join(stateDir(), "temporary") }

// NewPath is a name in Dir for a session that begins now; no file has it yet.
func NewPath(now time.Time) string { return freePath(Dir(), now) }

func freePath(dir string, now time.Time) string {
	stem := filepath.Join(dir, now.Format("2006-01-02T15-04-05"))
	path := stem + suffix
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || n > 10_000 {
			return path
		}
		path = fmt.Sprintf("%s-%d%s", stem, n, suffix)
	}
}

// privateDir makes our own folders, for their owner alone. Others are left as they are.
func privateDir(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if abs != Dir() && abs != temporaryDir() {
		return nil
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return err
	}
	return os.Chmod(abs, 0o700) //nolint:gosec // a folder needs its x
}

// Temporary makes a session that goes when it is closed. Its file lies in a
// private folder; what a kill left behind there is removed.
func Temporary(o Options) (*Store, error) {
	dir, drop := temporaryDir(), func() error { return nil }
	if err := privateDir(dir); err == nil {
		sweep(dir)
	} else if dir, err = os.MkdirTemp("", "why403-"); err == nil { // no home, or not ours
		drop = func() error { return os.Remove(dir) }
	} else {
		return nil, fmt.Errorf("session: temporary folder: %w", err)
	}
	now := time.Now()
	for try := 0; ; try++ {
		s, err := Create(freePath(dir, now), o)
		if err == nil {
			s.remove = func() error { return errors.Join(Remove(s.path), drop()) }
			return s, nil
		}
		if !errors.Is(err, fs.ErrExist) || try > 100 {
			return nil, errors.Join(err, drop())
		}
	}
}

// sweep removes what nobody uses.
func sweep(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	for _, path := range names {
		_ = Remove(path) // in use: it goes with its store
	}
}

// Info is a session as a list of sessions shows it.
type Info struct {
	Path     string
	Size     int64 // bytes on disk
	Created  time.Time
	Modified time.Time
	Flows    int64
	Refused  int64
	NotKept  int64
	Source   string
	InUse    bool   // a process writes it
	Err      string // why it cannot be read; "": it can
}

// List is the sessions in dir, newest first. A file that cannot be read is listed with the reason.
func List(dir string) ([]Info, error) {
	list, err := outside(dir)
	for i := range list {
		list[i].look()
	}
	return list, err
}

// outside is List without a look into the files.
func outside(dir string) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	var list []Info
	for _, e := range entries {
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != suffix {
			continue
		}
		st, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		path := filepath.Join(dir, e.Name())
		in := Info{Path: path, Size: fileSize(path), Created: st.ModTime(), Modified: st.ModTime()}
		if wal, err := os.Stat(path + "-wal"); err == nil && wal.ModTime().After(in.Modified) {
			in.Modified = wal.ModTime()
		}
		list = append(list, in)
	}
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(b.Modified.Compare(a.Modified), strings.Compare(b.Path, a.Path))
	})
	return list, nil
}

// look fills in what stands in the file.
func (in *Info) look() {
	in.InUse = held(in.Path)
	ctx := context.Background()
	c, err := connect(in.Path, quiet(in.Path))
	if err == nil {
		err = check(ctx, c, in.Path, false)
		if err == nil {
			err = c.query(ctx, "SELECT created, source, flows, refused, lost FROM session", func(r row) bool {
				in.Created, in.Source = time.Unix(0, r.int(0)), r.text(1)
				in.Flows, in.Refused, in.NotKept = r.int(2), r.int(3), r.int(4)
				return false
			})
		}
		_ = c.close() // it was only read
	}
	if err != nil {
		in.Err = explainOnce(in.Path, err).Error()
	}
}

// quiet is how to open for a short look: a session that nobody writes needs no files beside it for that.
func quiet(path string) access {
	if wal, err := os.Stat(path + "-wal"); (err != nil || wal.Size() == 0) && !held(path) {
		return readingFrozen
	}
	return reading
}

// fileSize is what the session takes on disk.
func fileSize(path string) (n int64) {
	for _, name := range []string{path, path + "-wal", path + spillSuffix} {
		if st, err := os.Stat(name); err == nil {
			n += st.Size()
		}
	}
	return n
}

// Newest is the session in dir that was written last. One that was made of another
// file, by a replay or an experiment, counts only where there is no other: what is sent again
// does not take the place of what it came from.
func Newest(dir string) (string, error) {
	list, err := outside(dir)
	if err != nil {
		return "", err
	}
	child := ""
	for _, in := range list {
		switch in.look(); {
		case in.Err != "":
		case in.Source == "":
			return in.Path, nil
		case child == "":
			child = in.Path
		}
	}
	if child != "" {
		return child, nil
	}
	return "", fmt.Errorf("no session in %s: %w", dir, fs.ErrNotExist)
}

// Remove deletes a session and what lies beside it. One that a process has open stays, with ErrInUse.
func Remove(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return fmt.Errorf("session: remove: %w", err)
	}
	l, err := acquire(path)
	if err != nil {
		return err
	}
	defer l.release()
	if err := alone(path); err != nil {
		return err
	}
	var all error
	for _, name := range []string{path, path + "-wal", path + "-shm", path + spillSuffix} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// alone makes sure that no process has the session open: SQLite gives up
// write-ahead logging only to the sole user of a file. What is no database has no user.
func alone(path string) error {
	c, err := connect(path, writing)
	if err == nil {
		ctx := context.Background()
		if err = c.script(ctx, "PRAGMA busy_timeout = 0"); err == nil {
			err = c.query(ctx, "PRAGMA journal_mode = DELETE", func(row) bool { return false })
		}
		err = errors.Join(err, c.close())
	}
	if err = explainOnce(path, err); errors.Is(err, ErrInUse) {
		return err
	}
	return nil
}

// Prune removes sessions in dir that nobody uses and that were last written more than
// maxAge before now, and then the oldest until all take at most maxBytes.
func Prune(dir string, now time.Time, maxAge time.Duration, maxBytes int64) error {
	list, err := outside(dir)
	if err != nil {
		return err
	}
	var total int64
	var all error
	for _, in := range list { // newest first
		total += in.Size
		if now.Sub(in.Modified) <= maxAge && total <= maxBytes {
			continue
		}
		switch err := Remove(in.Path); {
		case err == nil:
			total -= in.Size
		case !errors.Is(err, ErrInUse):
			all = errors.Join(all, err)
		}
	}
	return all
}
