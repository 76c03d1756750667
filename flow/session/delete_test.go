package session

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/why403/why403/flow"
)

// contains reports which of the files of a session hold text.
func contains(t *testing.T, path string, text []byte) (in []string) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, text) {
			in = append(in, filepath.Base(f))
		}
	}
	return in
}

func TestDeletedFlowLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	keep, gone := large(2*chunkSize+99), bytes.Repeat([]byte("a secret of the second flow! "), 2*chunkSize/20)
	note := "a comment on the second"
	one, two, three := recordLarge(s, keep), recordLarge(s, gone), recordLarge(s, keep)
	if err := s.Note(two, flow.Annotation{Comment: &note}); err != nil {
		t.Fatal(err)
	}
	if err := s.Committed(deadline(t), three); err != nil {
		t.Fatal(err)
	}
	if len(contains(t, path, gone[:200])) == 0 || s.Stats().Flows != 3 {
		t.Fatal("it was not there before")
	}
	rev := s.Rev()
	if err := s.Remove(deadline(t), two); err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{gone[:29], []byte(note)} {
		if in := contains(t, path, text); in != nil {
			t.Errorf("%q is still in %v", text, in)
		}
	}
	if _, err := s.Row(deadline(t), two); !errors.Is(err, ErrNoFlow) {
		t.Errorf("its row: %v", err)
	}
	if _, err := s.Flow(deadline(t), two); !errors.Is(err, ErrNoFlow) {
		t.Errorf("the flow: %v", err)
	}
	for _, id := range []flow.ID{one, three} {
		if got, err := readBody(t, s, id); err != nil || !bytes.Equal(got, keep) {
			t.Errorf("flow %d lost its body: %v", id, err)
		}
	}
	page, err := s.Page(deadline(t), 0, 10)
	if err != nil || !slices.Equal(ids(page), []flow.ID{one, three}) {
		t.Errorf("left are %v: %v", ids(page), err)
	}
	if st := s.Stats(); st.Flows != 2 || st.Refused != 2 {
		t.Errorf("counted: %+v", st)
	}
	select {
	case <-s.Changed(rev):
	default:
		t.Error("nobody is told")
	}

	// What is recorded next does not overwrite what is left.
	four := recordLarge(s, gone)
	if err := s.Committed(deadline(t), four); err != nil {
		t.Fatal(err)
	}
	if got, err := readBody(t, s, three); err != nil || !bytes.Equal(got, keep) {
		t.Errorf("flow 3 lost its body: %v", err)
	}
}

func TestClearKeepsWhatIsUnderWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	recordLarge(s, large(3*chunkSize))
	live := s.Begin(post())
	s.Append(live, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	s.Append(live, flow.Part{Kind: flow.ResponseBody, Data: []byte("half an answer")})
	for range removeStep + 10 { // more than one step
		id := s.Begin(post())
		s.End(id, flow.Outcome{Response: refusal()})
	}
	if err := s.Remove(deadline(t), live); !errors.Is(err, ErrUnderWay) {
		t.Errorf("a flow under way is deleted: %v", err)
	}
	n, err := s.Clear(deadline(t))
	if err != nil || n != removeStep+11 {
		t.Errorf("%d were deleted, want %d: %v", n, removeStep+11, err)
	}
	if st, err := os.Stat(path + spillSuffix); err != nil || st.Size() != 0 {
		t.Errorf("the file beside was not cut: %+v %v", st, err)
	}
	s.End(live, flow.Outcome{Response: refusal()})
	if err := s.Committed(deadline(t), live); err != nil {
		t.Fatal(err)
	}
	if got, err := readBody(t, s, live); err != nil || string(got) != "half an answer" {
		t.Errorf("the flow that went on has %q: %v", got, err)
	}
	if st := s.Stats(); st.Flows != 1 || st.Refused != 1 || st.Live != 0 {
		t.Errorf("counted: %+v", st)
	}
	if page, err := s.History(deadline(t), flow.Endpoint(post()), 1000, 10); err != nil || len(page) != 1 {
		t.Errorf("its endpoint has %v: %v", ids(page), err)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(deadline(t), live); !errors.Is(err, ErrReadOnly) {
		t.Errorf("deleted from a session that is open for reading: %v", err)
	}
}
