package session

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// large is content of n bytes that does not repeat.
func large(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// withLarge is a closed session of one flow whose answer has the content.
func withLarge(t *testing.T, path string, content []byte) {
	t.Helper()
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	recordLarge(s, content)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func recordLarge(s *Store, content []byte) flow.ID {
	id := s.Begin(post())
	for len(content) > 0 {
		n := min(len(content), 30_000)
		s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: content[:n]})
		content = content[n:]
	}
	s.End(id, flow.Outcome{Response: refusal()})
	return id
}

func readBody(t *testing.T, s *Store, id flow.ID) ([]byte, error) {
	t.Helper()
	r, _, err := s.Body(deadline(t), id, ResponseSide)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestLargeBodiesLieBesideTheSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	content := large(3*chunkSize + 12_345)
	withLarge(t, path, content)
	beside, err := os.Stat(path + spillSuffix)
	if err != nil || beside.Size() < 2*chunkSize || beside.Size() >= int64(len(content)) || beside.Mode().Perm() != 0o600 {
		t.Fatalf("the file beside: %v, %+v", err, beside)
	}
	if st, err := os.Stat(path); err != nil || st.Size() > 2*chunkSize {
		t.Errorf("the session itself has %d bytes: %v", st.Size(), err)
	}
	if n := fileSize(path); n < int64(len(content)) {
		t.Errorf("the size on disk is said to be %d", n)
	}

	s, err := Open(path, Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	second := recordLarge(s, content[chunkSize:]) // goes behind what is there
	if err := s.Committed(deadline(t), second); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[flow.ID][]byte{1: content, second: content[chunkSize:]} {
		if got, err := readBody(t, s, id); err != nil || !bytes.Equal(got, want) {
			t.Errorf("flow %d: %d bytes, want %d: %v", id, len(got), len(want), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := readBody(t, s, 1); err != nil || !bytes.Equal(got, content) {
		t.Errorf("opened for reading: %d bytes, want %d: %v", len(got), len(content), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + spillSuffix); !os.IsNotExist(err) {
		t.Errorf("it outlives its session: %v", err)
	}
}

func TestSmallBodiesNeedNoFileBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	withLarge(t, path, large(chunkSize-1))
	if _, err := os.Stat(path + spillSuffix); !os.IsNotExist(err) {
		t.Errorf("it is there: %v", err)
	}
}

func TestBodiesThatWereNotMovedAlong(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(beside string) error
		want   string
	}{
		{"left behind", os.Remove, "moved together"},
		{"cut off", func(p string) error { return os.Truncate(p, 10) }, "unexpected EOF"},
		{"a link elsewhere", func(p string) error {
			if err := os.Rename(p, p+".real"); err != nil {
				return err
			}
			return os.Symlink(p+".real", p)
		}, "not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "run.why403")
			withLarge(t, path, large(2*chunkSize))
			if err := c.damage(path + spillSuffix); err != nil {
				t.Skip(err)
			}
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if r, err := s.Row(deadline(t), 1); err != nil || r.RespBytes != 2*chunkSize {
				t.Errorf("the row is there all the same: %v %+v", err, r)
			}
			if _, err := readBody(t, s, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to speak of %q", err, c.want)
			}
		})
	}
}

func TestAFileThatLiesBesideIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "run.why403"), filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path+spillSuffix); err != nil {
		t.Skip(err)
	}
	w := spillWriter{path: path + spillSuffix}
	if _, err := w.write(pieces{large(chunkSize)}); err == nil {
		t.Error("it wrote through a link")
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "mine" {
		t.Errorf("the link's target has %d bytes: %v", len(b), err)
	}
}
