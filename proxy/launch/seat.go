package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is read and tried.
const (
	maxInstance = 64 << 10 // bytes of one PID.json
	maxSeats    = 64       // of one process: tests and the demo take several
	lockTries   = 20       // somebody else may be looking at the lock just now
	lockPause   = 2 * time.Millisecond
)

// Dir is where what lasts as long as a process is kept: $XDG_RUNTIME_DIR/why403,
// or, where the system has no such folder, run in our state folder. It need not exist.
func Dir() string { return Places()[0] }

// Places are Dir and where else a process of ours may have its seat: the folder
// of the system may have come, or the variable been set, after that one started.
func Places() []string {
	state := filepath.Join(stateDir(), "run")
	d := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(d) {
		return []string{state}
	}
	d = filepath.Join(d, "why403")
	if info, err := os.Stat(filepath.Dir(d)); err == nil && info.IsDir() {
		return []string{d, state}
	}
	return []string{state, d}
}

// stateDir is where programs keep what is no document (XDG Base Directory, XDG_STATE_HOME; the systems' own places elsewhere).
func stateDir() string {
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "why403")
	}
	home, err := os.UserHomeDir()
	switch {
	case err != nil:
		return filepath.Join(os.TempDir(), fmt.Sprintf("why403-%d", os.Getuid()))
	case runtime.GOOS == "windows":
		return filepath.Join(home, "AppData", "Local", "why403")
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support", "why403")
	}
	return filepath.Join(home, ".local", "state", "why403")
}

// Instance is what a running process tells others of itself.
type Instance struct {
	PID       int       `json:"pid"`
	Started   time.Time `json:"started"`
	Kind      string    `json:"kind"`      // the command: screen, capture, demo, run
	Addresses []string  `json:"addresses"` // host:port that the proxy listens on; none: it is no proxy
	CA        string    `json:"ca"`        // PEM file of the certificate authority
	Session   string    `json:"session"`   // file that is recorded into
	Reverse   bool      `json:"reverse"`   // it stands for one server, and is no proxy for clients
	Login     bool      `json:"login"`     // clients must log in
	Folder    string    `json:"folder"`    // of files for its clients; it goes with the process
}

// Seat is the place of this process in a folder: a file that it holds locked, and a folder of its own.
type Seat struct {
	file *os.File
	path string
}

// errHeld says that another process has the lock.
var errHeld = errors.New("in use")

// Take takes a seat in dir, which is made if need be, and sweeps out what dead processes left there.
func Take(dir string) (*Seat, error) {
	if err := private(dir); err != nil {
		return nil, err
	}
	Sweep(dir)
	if dir == Dir() {
		Sweep(Places()[1:]...)
	}
	for n := 1; n <= maxSeats; n++ {
		name := strconv.Itoa(os.Getpid())
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		s, err := take(filepath.Join(dir, name+".json"))
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return s, err
		}
	}
	return nil, fmt.Errorf("%s: this process has %d seats there already", dir, maxSeats)
}

func take(path string) (*Seat, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("runtime file: %w", err)
	}
	for range lockTries {
		if err = lockFile(f, false); err == nil {
			// A sweeper may have taken it for a dead one's before it was locked.
			mine, err1 := f.Stat()
			there, err2 := os.Lstat(path)
			if err1 == nil && err2 == nil && os.SameFile(mine, there) {
				return &Seat{file: f, path: path}, nil
			}
			err = fs.ErrExist
			break
		}
		time.Sleep(lockPause)
	}
	_ = f.Close()
	return nil, fmt.Errorf("runtime file %s: %w", path, err)
}

// folder is the seat's own, which need not exist.
func (s *Seat) folder() string { return strings.TrimSuffix(s.path, ".json") }

// Folder makes the folder of the seat, 0700, and gives its path.
func (s *Seat) Folder() (string, error) {
	dir := s.folder()
	return dir, private(dir)
}

// Announce tells others of this process. It may be called again.
func (s *Seat) Announce(i Instance) error {
	i.PID, i.Folder = os.Getpid(), s.folder()
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	// One write: a reader sees the old text, nothing, or the new one.
	if err := s.file.Truncate(0); err != nil {
		return fmt.Errorf("runtime file: %w", err)
	}
	if _, err := s.file.WriteAt(append(text, '\n'), 0); err != nil {
		return fmt.Errorf("runtime file: %w", err)
	}
	return nil
}

// Release gives the seat up and removes all that was laid into its folder.
func (s *Seat) Release() error {
	err := os.RemoveAll(s.folder())
	err = errors.Join(err, removeLocked(s.file, s.path))
	return err
}

// Sweep removes the seats of processes that are gone, and gives what it removed.
func Sweep(dirs ...string) (removed []string) {
	for _, dir := range dirs {
		removed = append(removed, sweep(dir)...)
	}
	return removed
}

func sweep(dir string) (removed []string) {
	for _, path := range seats(dir) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if lockFile(f, false) != nil {
			_ = f.Close()
			continue
		}
		folder := strings.TrimSuffix(path, ".json")
		if os.RemoveAll(folder) == nil && removeLocked(f, path) == nil {
			removed = append(removed, path)
		}
	}
	// A folder without its file: somebody removed that by hand.
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, err := os.Lstat(path + ".json"); e.IsDir() && isSeat(e.Name()) && errors.Is(err, fs.ErrNotExist) && os.RemoveAll(path) == nil {
			removed = append(removed, path)
		}
	}
	return removed
}

func seats(dir string) (paths []string) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	for _, path := range names {
		if isSeat(strings.TrimSuffix(filepath.Base(path), ".json")) {
			paths = append(paths, path)
		}
	}
	return paths
}

// isSeat reports whether name is one of ours: 4711 or 4711-2.
func isSeat(name string) bool {
	return name != "" && strings.Trim(name, "0123456789-") == "" && name[0] != '-'
}

// Instances are the living ones, the youngest first.
func Instances(dirs ...string) (all []Instance) {
	for _, dir := range dirs {
		for _, path := range seats(dir) {
			if i, ok := readInstance(path); ok {
				all = append(all, i)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Instance) int { return b.Started.Compare(a.Started) })
	return all
}

// readInstance reads the file of a process that lives.
func readInstance(path string) (i Instance, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return i, false
	}
	defer func() { _ = f.Close() }()
	if !errors.Is(lockFile(f, true), errHeld) {
		return i, false // its process is gone
	}
	text, err := io.ReadAll(io.LimitReader(f, maxInstance))
	if err != nil || json.Unmarshal(text, &i) != nil {
		return i, false
	}
	return i, true
}

// private makes dir for its owner alone, or checks the one that is there.
func private(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("runtime folder: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("runtime folder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("runtime folder: %w", err)
	}
	if !info.IsDir() || !ownedByUs(info) {
		return fmt.Errorf("runtime folder %s: not a folder of this user", dir)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder needs its x
			return fmt.Errorf("runtime folder: %w", err)
		}
	}
	return nil
}
