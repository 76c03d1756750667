package logs

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wait waits until the feed's lines, all sources in one, are want.
func wait(t *testing.T, f *Feed, want ...string) []Source {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		changed := f.Changed()
		got := f.Between(time.Time{}, time.Now().Add(time.Hour))
		var lines []string
		for _, s := range got {
			lines = append(lines, s.Lines...)
		}
		if strings.Join(lines, "|") == strings.Join(want, "|") {
			return got
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the lines are %q, want %q", lines, want)
		}
	}
}

func write(t *testing.T, name, text string, flag int) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFileIsFollowedFromItsEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "error.log")
	write(t, name, "old 1\nold 2\n", 0)
	f, err := Start([]Spec{{Path: name}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(t, name, "new 1\r\nha", os.O_APPEND)
	s := wait(t, f, "new 1")
	if s[0].Label != "error.log" || s[0].Before != 2 {
		t.Errorf("source %q, lines before %d", s[0].Label, s[0].Before)
	}
	write(t, name, "lf\n", os.O_APPEND)
	wait(t, f, "new 1", "half")

	if runtime.GOOS == "windows" {
		return // an open file cannot be renamed there
	}
	// rotated by rename: what was written last into the old file counts
	write(t, name, "last\n", os.O_APPEND)
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, name, "first\n", 0)
	wait(t, f, "new 1", "half", "last", "first")
}

func TestTruncatedFileBeginsAnew(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	write(t, name, "a long line of an older day\n", 0)
	f, err := Start([]Spec{{Path: name, Label: "app"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(t, name, "short\n", os.O_TRUNC)
	if s := wait(t, f, "short"); s[0].Before != 0 || s[0].Label != "app" {
		t.Errorf("source %q, lines before %d", s[0].Label, s[0].Before)
	}
}

func TestCommandIsReadAndEnded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the command is for a Unix shell")
	}
	troubles := make(chan string, 1)
	f, err := Start([]Spec{{Command: "echo out; echo err >&2; exit 3"}, {Command: "echo here; sleep 1000 & wait"}, {Command: "echo last; exec sleep 1000"}}, func(s string) { troubles <- s })
	if err != nil {
		t.Fatal(err)
	}
	s := wait(t, f, "out", "err", "here", "last")
	if s[0].Label != "echo" || s[1].Label != "echo-2" {
		t.Errorf("labels %q, %q", s[0].Label, s[1].Label)
	}
	if got := <-troubles; !strings.Contains(got, "echo") || !strings.Contains(got, "exit status 3") {
		t.Errorf("the end of a command is told as %q", got)
	}
	f.Close() // does not return before all have ended
	select {
	case got := <-troubles:
		t.Errorf("a command that we ended is told of: %s", got)
	default:
	}
}

func TestMissingFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{filepath.Join(dir, "none.log"), dir} {
		if f, err := Start([]Spec{{Command: "echo"}, {Path: name}}, nil); err == nil {
			f.Close()
			t.Errorf("%s is followed", name)
		}
	}
}

func TestFeedIsBounded(t *testing.T) {
	f := &Feed{changed: make(chan struct{})}
	s := &followed{label: "a"}
	f.sources = append(f.sources, s)
	for range heardLines + 100 {
		f.add(s, "x")
	}
	if len(s.lines) != heardLines || s.lines[0].n != 101 {
		t.Errorf("%d lines from number %d", len(s.lines), s.lines[0].n)
	}
	for range 200 {
		f.add(s, strings.Repeat("y", maxLine))
	}
	if s.bytes > heardBytes {
		t.Errorf("%d bytes are held", s.bytes)
	}
}

func TestLinesWithoutTimesCountByWhenTheyCame(t *testing.T) {
	q := query()
	q.Sent, q.Done = at.Add(time.Hour), at.Add(time.Hour) // our clock and the server's differ
	src := Source{Label: "app", Before: 40, Lines: []string{"denied", "\tat x", "denied POST /orders", "denied GET /orders"},
		Came: []time.Time{at.Add(time.Hour - 3*time.Second), at.Add(time.Hour), at.Add(time.Hour), at.Add(time.Hour)}}
	got := Correlate([]Source{src}, q)
	if len(got) != 1 || got[0].N != 43 || got[0].Tied != "request" {
		t.Errorf("got %+v", got)
	}
}
