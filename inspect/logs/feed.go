package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Spec names a log to follow: a file, or a command that prints one.
type Spec struct {
	Label   string // "" is the file's name, or the command's
	Path    string
	Command string // run by the shell; its standard output and error are the log
}

// Bounds of what a Feed holds of one source: the newest lines.
const (
	heardLines = 20_000
	heardBytes = 8 << 20
	countBytes = 64 << 20 // a larger file's lines are numbered from where following began
	poll       = 150 * time.Millisecond
	grace      = 2 * time.Second // from the request to end to the end by force, of a command
)

// Feed follows logs from their present end. One goroutine for each source reads,
// started by Start and waited for by Close; a reader of the log is never blocked by
// those who ask for its lines. All methods may be called from any goroutine.
type Feed struct {
	stop    context.CancelFunc
	done    sync.WaitGroup
	mu      sync.Mutex
	sources []*followed
	changed chan struct{} // closed and replaced when a line comes
	trouble func(string)
}

// followed is one source: the ring of its newest lines.
type followed struct {
	label string
	lines []heard // oldest first
	bytes int
	n     int // number of the last line
}

// heard is a line and when it came.
type heard struct {
	at   time.Time
	n    int
	text string
}

// Start follows the logs until Close. A file that cannot be opened is an error at
// once; what goes wrong later is told to trouble, one line each.
func Start(specs []Spec, trouble func(string)) (*Feed, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Feed{stop: cancel, changed: make(chan struct{}), trouble: trouble}
	if trouble == nil {
		f.trouble = func(string) {}
	}
	for _, s := range specs {
		src := &followed{label: f.unique(s)}
		f.sources = append(f.sources, src)
		follow := func() error { return f.command(ctx, src, s.Command) }
		if s.Command == "" {
			t, err := newTail(s.Path)
			if err != nil {
				f.Close()
				return nil, err
			}
			src.n = t.before
			follow = func() error { return f.file(ctx, src, t) }
		}
		f.done.Go(func() {
			if err := follow(); err != nil && ctx.Err() == nil {
				f.trouble(fmt.Sprintf("the log %s is followed no more: %v", src.label, err))
			}
		})
	}
	return f, nil
}

// Close ends following, and commands with it.
func (f *Feed) Close() {
	f.stop()
	f.done.Wait()
}

// unique is the label of a source, with a number where it was given already.
func (f *Feed) unique(s Spec) string {
	base := s.Label
	switch {
	case base != "":
	case s.Command != "":
		word, _, _ := strings.Cut(strings.TrimSpace(s.Command), " ")
		base = filepath.Base(word)
	default:
		base = filepath.Base(s.Path)
	}
	label := base
	for n := 2; ; n++ {
		taken := false
		for _, o := range f.sources {
			taken = taken || o.label == label
		}
		if !taken {
			return label
		}
		label = base + "-" + strconv.Itoa(n)
	}
}

// Changed is closed when a line has come since the call.
func (f *Feed) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// Between is the lines that came in a span of time, as sources to correlate.
func (f *Feed) Between(from, to time.Time) []Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Source, 0, len(f.sources))
	for _, s := range f.sources {
		src := Source{Label: s.label}
		for i := len(s.lines) - 1; i >= 0 && !s.lines[i].at.Before(from); i-- {
			if s.lines[i].at.After(to) {
				continue
			}
			src.Lines = append(src.Lines, s.lines[i].text)
			src.Came = append(src.Came, s.lines[i].at)
			src.Before = s.lines[i].n - 1
		}
		reverse(src.Lines)
		reverse(src.Came)
		out = append(out, src)
	}
	return out
}

func reverse[T any](s []T) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

func (f *Feed) add(s *followed, text string) {
	text = strings.TrimRight(text, "\r\n")
	f.mu.Lock()
	defer f.mu.Unlock()
	s.n++
	s.lines = append(s.lines, heard{at: time.Now(), n: s.n, text: text})
	s.bytes += len(text)
	drop := 0
	for len(s.lines)-drop > heardLines || s.bytes > heardBytes && len(s.lines)-drop > 1 {
		s.bytes -= len(s.lines[drop].text)
		s.lines[drop].text = ""
		drop++
	}
	s.lines = s.lines[drop:]
	close(f.changed)
	f.changed = make(chan struct{})
}

// command reads what a command prints until it ends or ctx does.
func (f *Feed) command(ctx context.Context, s *followed, line string) error {
	cmd := shell(ctx, line)
	cmd.WaitDelay = grace
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %q: %w", line, err)
	}
	ended := make(chan error, 1)
	go func() { // ends with the command, which ends with ctx; waited for below
		err := cmd.Wait()
		w.Close() // a pipe's error is always nil
		ended <- err
	}()
	b := bufio.NewReaderSize(r, maxLine)
	for {
		text, err := readLine(b)
		if text != "" {
			f.add(s, text)
		}
		if err != nil {
			break
		}
	}
	err := <-ended
	var status *exec.ExitError
	switch {
	case err == nil:
		return fmt.Errorf("%q ended", line)
	case errors.As(err, &status):
		return fmt.Errorf("%q ended: %w", line, err)
	}
	return fmt.Errorf("run %q: %w", line, err)
}

// readLine reads a line; of one longer than maxLine the rest is dropped.
func readLine(b *bufio.Reader) (string, error) {
	text, err := b.ReadSlice('\n')
	line := string(text)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = b.ReadSlice('\n')
	}
	return line, err
}

// tail is a file that is read as it grows.
type tail struct {
	path   string
	file   *os.File
	at     int64
	before int    // lines before where following began
	rest   []byte // a line that has not ended yet
	buf    []byte
}

func newTail(path string) (*tail, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = errors.New(path + " is a folder")
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	t := &tail{path: path, file: file, at: info.Size(), buf: make([]byte, 64<<10)}
	if t.at <= countBytes && info.Mode().IsRegular() {
		for left := t.at; left > 0; {
			n, err := file.Read(t.buf[:min(left, int64(len(t.buf)))])
			t.before += bytes.Count(t.buf[:n], []byte("\n"))
			if left -= int64(n); err != nil {
				break
			}
		}
	}
	if info.Mode().IsRegular() {
		if _, err := file.Seek(t.at, io.SeekStart); err != nil {
			file.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return t, nil
}

func (f *Feed) file(ctx context.Context, s *followed, t *tail) error {
	defer func() { t.file.Close() }()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if err := f.grow(s, t); err != nil {
			return err
		}
		if f.turned(s, t) {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// grow takes what has been written since.
func (f *Feed) grow(s *followed, t *tail) error {
	for {
		n, err := t.file.Read(t.buf)
		t.at += int64(n)
		for data := t.buf[:n]; len(data) > 0; {
			line, rest, whole := bytes.Cut(data, []byte("\n"))
			data = rest
			if len(t.rest) < maxLine {
				t.rest = append(t.rest, line[:min(len(line), maxLine-len(t.rest))]...)
			}
			if whole {
				f.add(s, string(t.rest))
				t.rest = t.rest[:0]
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", t.path, err)
		}
	}
}

// turned reports whether the log was rotated: another file has the name (rename and
// create), or the file became shorter (copy and truncate). Reading goes on at its beginning.
func (f *Feed) turned(s *followed, t *tail) bool {
	mine, err := t.file.Stat()
	if err != nil {
		return false
	}
	if now, err := os.Stat(t.path); err == nil && !os.SameFile(mine, now) {
		if next, err := os.Open(t.path); err == nil {
			_ = f.grow(s, t) // what was written between the last look and the rename; an error here ends the old file anyway
			t.file.Close()
			t.file, t.at, t.rest = next, 0, t.rest[:0]
			f.restart(s)
			return true
		}
		return false // between rename and create; look again
	}
	if mine.Mode().IsRegular() && mine.Size() < t.at {
		if _, err := t.file.Seek(0, io.SeekStart); err == nil {
			t.at, t.rest = 0, t.rest[:0]
			f.restart(s)
			return true
		}
	}
	return false
}

func (f *Feed) restart(s *followed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.n = 0
}
