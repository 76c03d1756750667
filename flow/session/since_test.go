package session

import (
	"path/filepath"
	"testing"

	"github.com/why403/why403/flow"
)

// Settled wakes for what has ended or was noted, and is told of all that a file
// had when it was opened; a flow under way does not concern it.
func TestSettledWakesForWhatHasEnded(t *testing.T) {
	path := saved(t, filepath.Join(t.TempDir(), "run.why403"), 3)
	s, err := Open(path, Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	told := func(rev Rev) bool {
		select {
		case <-s.Settled(rev):
			return true
		default:
			return false
		}
	}
	rows, next := s.Since(0, 2)
	if len(rows) != 2 || !told(next) {
		t.Fatalf("after %d of 3 flows of the file, the third is not told of", len(rows))
	}
	_, next = s.Since(next, 2)
	if told(next) {
		t.Error("told of something after all that there is")
	}

	id := s.Begin(post())
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	_, next = s.Since(next, 100)
	wait := s.Settled(next)
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: []byte("no")})
	if told(next) {
		t.Error("told of a step of a flow under way")
	}
	s.End(id, flow.Outcome{Response: refusal()})
	if err := s.Committed(deadline(t), id); err != nil {
		t.Fatal(err)
	}
	<-wait
	rows, next = s.Since(next, 100)
	if len(rows) != 1 || rows[0].State != Done {
		t.Errorf("what has ended is %+v", rows)
	}

	wait = s.Settled(next)
	if err := s.Note(id, flow.Annotation{Mark: new(true)}); err != nil {
		t.Fatal(err)
	}
	<-wait
	_, next = s.Since(next, 100)
	wait = s.Settled(next)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-wait
	if !told(next) {
		t.Error("a closed store lets somebody wait")
	}
}
