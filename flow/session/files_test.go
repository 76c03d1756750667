package session

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// state makes a state folder of its own the user's.
func state(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
}

// saved is a closed session of n refused flows.
func saved(t *testing.T, path string, n int) string {
	t.Helper()
	s, err := Create(path, Options{Source: "old.har"})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		id := s.Begin(post())
		s.End(id, flow.Outcome{Response: refusal()})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// alter runs SQL on a closed session.
func alter(t *testing.T, path, sql string) {
	t.Helper()
	c, err := connect(path, writing)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.script(context.Background(), sql), c.close()); err != nil {
		t.Fatal(err)
	}
}

func TestFilesArePrivateFromTheirFirstMoment(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are those of unix")
	}
	state(t)
	s, err := Create(NewPath(time.Now()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := record(s, 1)
	if err := s.Committed(deadline(t), id); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(Dir(), "*"))
	if err != nil || len(names) < 4 {
		t.Fatalf("file, -wal, -shm, lock: %v %v", err, names)
	}
	for _, name := range append(names, Dir()) {
		st, err := os.Stat(name)
		if err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", name, err, st.Mode())
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if names, _ := filepath.Glob(filepath.Join(Dir(), "*")); len(names) != 1 {
		t.Errorf("after Close one file remains: %v", names)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("file became %q", b)
	}
}

func TestFilesThatAreNoSessions(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	session := func(name, sql string) string {
		path := saved(t, filepath.Join(dir, name), 3)
		alter(t, path, sql)
		return path
	}
	cut := func() string {
		path := saved(t, filepath.Join(dir, "cut"), 300)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return write("cut", b[:len(b)/3])
	}
	for _, c := range []struct {
		name, path string
		want       error
	}{
		{"missing", filepath.Join(dir, "missing"), fs.ErrNotExist},
		{"folder", dir, nil},
		{"empty", write("empty", nil), ErrNotSession},
		{"text", write("text", bytes.Repeat([]byte("hello "), 5000)), ErrNotSession},
		{"other database", session("other", "PRAGMA application_id = 1"), ErrNotSession},
		{"newer", session("newer", "PRAGMA user_version = 99"), ErrNewer},
		{"cut off", cut(), ErrCorrupt},
		{"with a view in place of a table", session("view", "ALTER TABLE record RENAME TO r; CREATE VIEW record AS SELECT * FROM r"), ErrNotSession},
		{"with a trigger", session("trigger", "CREATE TRIGGER x AFTER UPDATE ON flow BEGIN DELETE FROM body; END"), ErrNotSession},
		{"with a virtual table", session("virtual", "DROP TABLE frame; CREATE VIRTUAL TABLE frame USING fts5(at, size, data)"), ErrNotSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, _ := os.ReadFile(c.path)
			for _, o := range []Options{{}, {Writable: true}} {
				s, err := Open(c.path, o)
				if err == nil {
					_, err = s.Page(deadline(t), 1, 1000)
					_ = s.Close()
				}
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("writable %t: got %v, want %v", o.Writable, err, c.want)
				}
				if err != nil && (!strings.Contains(err.Error(), c.path) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("the error should be one line that names the file: %v", err)
				}
			}
			if after, _ := os.ReadFile(c.path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestForeignSessionIsReadWithoutATrace(t *testing.T) {
	dir := t.TempDir()
	path := saved(t, filepath.Join(dir, "given.why403"), 3)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := s.Since(0, 10)
	if st := s.Stats(); len(rows) != 3 || st.Flows != 3 || st.Refused != 3 || st.Source != "old.har" || s.Last() != 3 {
		t.Errorf("%d rows, %+v", len(rows), st)
	}
	if err := s.Note(1, flow.Annotation{Mark: new(true)}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("note: %v", err)
	}
	err = s.read(deadline(t), func(c *conn) error { return c.exec(context.Background(), "DELETE FROM flow") })
	if err == nil {
		t.Error("a reader's connection can write")
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("files beside it while open: %v", names)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after, _ := os.ReadFile(path)
	if names, _ := os.ReadDir(dir); len(names) != 1 || !bytes.Equal(before, after) {
		t.Errorf("a trace was left: %v", names)
	}
}

func TestSecondProcessFollowsTheFirst(t *testing.T) {
	state(t)
	w, err := Create(NewPath(time.Now()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.path, Options{Writable: true}); !errors.Is(err, ErrInUse) {
		t.Errorf("two writers: %v", err)
	}
	r, err := Open(w.path, Options{}) // in another process it would be the same: no memory is shared
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var rev Rev
	seen := map[flow.ID]bool{}
	for i := range 8 {
		id := record(w, i)
		if i == 4 {
			if err := w.Note(3, flow.Annotation{Comment: new("followed")}); err != nil {
				t.Fatal(err)
			}
		}
		for !seen[id] {
			select {
			case <-r.Changed(rev):
			case <-ctx.Done():
				t.Fatalf("flow %d never reached the follower", id)
			}
			var rows []Row
			rows, rev = r.Since(rev, 7)
			for _, row := range rows {
				seen[row.ID] = row.State == Done
				if row.Comment != "" && row.ID != 3 {
					t.Errorf("comment on %d", row.ID)
				}
			}
		}
	}
	if row := rowFor(t, r, 3); row.Comment != "followed" || r.Last() != 8 || r.Stats().Flows != 8 {
		t.Errorf("%+v %+v", row, r.Stats())
	}
	// A flow under way when its writer ends is a change: it did not end.
	hanging := w.Begin(post())
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for text := ""; text != unfinishedText; {
		select {
		case <-r.Changed(rev):
		case <-ctx.Done():
			t.Fatal("the follower never learns that the writer is gone")
		}
		var rows []Row
		rows, rev = r.Since(rev, 7)
		for _, row := range rows {
			if row.ID == hanging {
				text = row.Err
			}
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestListRemoveAndPrune(t *testing.T) {
	state(t)
	if list, err := List(Dir()); err != nil || len(list) != 0 {
		t.Fatalf("no folder yet: %v %v", list, err)
	}
	now := time.Date(2026, 3, 10, 9, 30, 0, 0, time.Local)
	aged := func(path string, age time.Duration) string {
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := aged(saved(t, NewPath(now), 1), 8*24*time.Hour)
	recent := aged(saved(t, NewPath(now), 2), time.Hour)
	if filepath.Base(recent) != "2026-03-10T09-30-00-2.why403" {
		t.Errorf("a second session of the same second is %s", recent)
	}
	live, err := Create(NewPath(now), Options{})
	if err != nil {
		t.Fatal(err)
	}
	damaged := NewPath(now)
	if err := os.WriteFile(damaged, []byte("no session"), 0o600); err != nil {
		t.Fatal(err)
	}
	aged(damaged, 2*time.Hour)

	list, err := List(Dir())
	if err != nil || len(list) != 4 {
		t.Fatalf("%v %+v", err, list)
	}
	if l := list[0]; l.Path != live.path || !l.InUse {
		t.Errorf("newest: %+v", l)
	}
	if l := list[1]; l.Path != recent || l.Flows != 2 || l.Refused != 2 || l.InUse || l.Err != "" || l.Size == 0 || l.Source != "old.har" {
		t.Errorf("second: %+v", l)
	}
	if l := list[2]; l.Path != damaged || l.Err == "" {
		t.Errorf("third: %+v", l)
	}
	if n, err := Newest(Dir()); err != nil || n != live.path {
		t.Errorf("newest: %s %v", n, err)
	}
	if err := Remove(live.path); !errors.Is(err, ErrInUse) {
		t.Errorf("remove a session that is written: %v", err)
	}
	reader, err := Open(recent, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Remove(recent); !errors.Is(err, ErrInUse) {
		t.Errorf("remove a session that is read: %v", err)
	}
	if rows, err := reader.Page(deadline(t), 1, 10); err != nil || len(rows) != 2 {
		t.Errorf("its reader still reads: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}

	if err := Prune(Dir(), now, KeepAge, KeepBytes); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("older than a week: %v", err)
	}
	if err := Prune(Dir(), now.Add(30*24*time.Hour), 365*24*time.Hour, 1); err != nil {
		t.Error(err)
	}
	list, err = List(Dir())
	if err != nil || len(list) != 1 || list[0].Path != live.path {
		t.Errorf("beyond the bound only what is in use stays: %v %+v", err, list)
	}
	if err := live.Close(); err != nil {
		t.Error(err)
	}
	if err := Remove(live.path); err != nil {
		t.Error(err)
	}
	if names, _ := os.ReadDir(Dir()); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
	if _, err := Newest(Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("newest of none: %v", err)
	}
}

func TestTemporarySessionGoesWithItsStore(t *testing.T) {
	state(t)
	// One that a kill left behind.
	left, err := Temporary(Options{})
	if err != nil {
		t.Fatal(err)
	}
	left.remove = nil
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := Temporary(Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Temporary(Options{}) // does not sweep a away
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{a, b} {
		id := record(s, 1)
		if err := s.Committed(deadline(t), id); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if names, _ := os.ReadDir(temporaryDir()); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

func TestTemporarySessionWithoutAHome(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(file, "below")) // cannot be made
	t.Setenv("TMPDIR", t.TempDir())
	s, err := Temporary(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if names, _ := os.ReadDir(os.Getenv("TMPDIR")); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

func TestEndpointsOfOtherRulesAreMadeAnew(t *testing.T) {
	path := saved(t, filepath.Join(t.TempDir(), "run.why403"), 5)
	alter(t, path, "UPDATE session SET template = 0; UPDATE endpoint SET key = CAST('by other rules' AS BLOB)")
	key := flow.Endpoint(post())
	for n, o := range []Options{{}, {Writable: true}, {}} {
		s, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := s.History(deadline(t), key, 5, 3); err != nil || len(rows) != 3 || rows[0].ID != 4 || rows[0].Endpoint != key {
			t.Errorf("writable %t: %v %+v", o.Writable, err, rows)
		}
		if s.stale != (n == 0) {
			t.Errorf("opened for the %dth time: stale is %t", n, s.stale)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
