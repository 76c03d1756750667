package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/why403/why403/flow"
)

// blocked is a session whose disk stands still until release is called.
func blocked(t *testing.T, o Options) (s *Store, release func()) {
	t.Helper()
	gate := make(chan struct{})
	s, err := create(filepath.Join(t.TempDir(), "run.why403"), o, func(s *Store) { s.beforeCommit = func() error { <-gate; return nil } })
	if err != nil {
		t.Fatal(err)
	}
	open := false
	release = func() {
		if !open {
			open = true
			close(gate)
		}
	}
	t.Cleanup(func() {
		release()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, release
}

func rowFor(t *testing.T, s *Store, id flow.ID) Row {
	t.Helper()
	r, err := s.Row(deadline(t), id)
	if err != nil {
		t.Fatalf("row %d: %v", id, err)
	}
	return r
}

func TestWithTheDiskBlockedResponsesAreCutThenRequestsThenFlowsNotKept(t *testing.T) {
	const queue = 1 << 20
	s, release := blocked(t, Options{QueueBytes: queue})
	part := func() []byte { return make([]byte, 64<<10) }
	refused := func() *flow.Message { m := refusal(); return m }

	down := s.Begin(post())
	s.Append(down, flow.Part{Kind: flow.ResponseHead, Head: refused()})
	for range 32 {
		s.Append(down, flow.Part{Kind: flow.ResponseBody, Data: part()})
	}
	if r := rowFor(t, s, down); !r.Cut || r.RespBytes != 2<<20 {
		t.Fatalf("a response beyond the queue is cut, and its size still counted: %+v", r)
	}
	if q := s.Stats().Queued; q > queue*3/4 {
		t.Fatalf("responses fill %d of %d", q, queue)
	}

	up := s.Begin(post())
	s.Append(up, flow.Part{Kind: flow.RequestBody, Data: part()})
	if r := rowFor(t, s, up); r.Cut {
		t.Fatal("there was room for a request's body")
	}
	for range 32 {
		s.Append(up, flow.Part{Kind: flow.RequestBody, Data: part()})
	}
	if r := rowFor(t, s, up); !r.Cut || r.ReqBytes != 33*64<<10 {
		t.Fatalf("a request beyond the queue is cut: %+v", r)
	}

	var kept, lost []flow.ID
	for len(lost) < 50 && len(kept) < 10_000 {
		id := s.Begin(post())
		s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refused()})
		s.End(id, flow.Outcome{})
		if rowFor(t, s, id).Err == "" {
			kept = append(kept, id)
		} else {
			lost = append(lost, id)
		}
	}
	if len(lost) != 50 || len(kept) == 0 {
		t.Fatalf("kept %d, not kept %d", len(kept), len(lost))
	}
	st := s.Stats()
	if st.NotKept != 50 || st.Queued > queue {
		t.Errorf("stats: %+v", st)
	}
	if r := rowFor(t, s, lost[0]); r.State != NotKept || r.Status != 403 || r.Err == "" {
		t.Errorf("the row of a flow that was not kept: %+v", r)
	}
	if r := rowFor(t, s, kept[0]); r.State == Done {
		t.Error("shown as done before it is on disk")
	}

	release()
	s.End(down, flow.Outcome{})
	s.End(up, flow.Outcome{})
	ctx := deadline(t)
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for _, id := range append(kept, down, up) {
		if r := rowFor(t, s, id); r.State != Done || r.Err != "" {
			t.Fatalf("flow %d: %+v", id, r)
		}
	}
	f, err := s.Flow(ctx, down)
	if err != nil || !f.Response.Body.Cut() || f.Response.Body.Size != 2<<20 || f.Response.Body.Kept == 0 {
		t.Errorf("the cut is marked in the flow: %v %+v", err, f.Response.Body)
	}
	if _, err := s.Flow(ctx, lost[0]); !errors.Is(err, ErrNotKept) {
		t.Errorf("reading a flow that was not kept: %v", err)
	}
	if err := s.Committed(ctx, lost[1]); !errors.Is(err, ErrNotKept) {
		t.Errorf("waiting for a flow that was not kept: %v", err)
	}
	if rows, err := s.Page(ctx, lost[0], 1); err != nil || len(rows) != 1 || rows[0].State != NotKept {
		t.Errorf("once there is room its row is on disk: %v %+v", err, rows)
	}
	// The disk keeps up again: so does the session.
	after := record(s, 1)
	if err := s.Committed(ctx, after); err != nil {
		t.Error(err)
	}
}

func TestFlowUnderWayIsReadFromMemoryWhileTheDiskIsBlocked(t *testing.T) {
	s, release := blocked(t, Options{})
	id := s.Begin(post())
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	var sent bytes.Buffer
	for i := range 3000 {
		part := bytes.Repeat([]byte{byte(i)}, 300+i)
		sent.Write(part)
		s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: part})
	}
	compare := func(when string) {
		t.Helper()
		b, n, err := s.Body(deadline(t), id, ResponseSide)
		if err != nil || n != int64(sent.Len()) {
			t.Fatalf("%s: %v, %d bytes of %d", when, err, n, sent.Len())
		}
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, sent.Bytes()) {
			t.Fatalf("%s: %v, %d bytes of %d, or other ones", when, err, len(got), sent.Len())
		}
		f, err := s.Flow(deadline(t), id)
		if err != nil || !bytes.Equal(f.Response.Body.Data, sent.Bytes()[:BodyPrefix]) {
			t.Fatalf("%s: %v, prefix differs", when, err)
		}
	}
	compare("blocked")
	release()
	if err := s.Flush(deadline(t)); err != nil {
		t.Fatal(err)
	}
	compare("partly on disk")
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: []byte("end")})
	sent.WriteString("end")
	s.End(id, flow.Outcome{})
	compare("ended")
	if err := s.Committed(deadline(t), id); err != nil {
		t.Fatal(err)
	}
	compare("done")
}

func TestBodyBeyondItsBoundIsCutAndCounted(t *testing.T) {
	s := newSession(t, Options{MaxBody: 10})
	id := s.Begin(post())
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: []byte("0123456")})
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: []byte("789abc")})
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: []byte("def")})
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: []byte("01"), Size: 5}) // the sender did not keep three bytes
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: []byte("56")})          // so this is no continuation
	s.End(id, flow.Outcome{})
	if err := s.Committed(deadline(t), id); err != nil {
		t.Fatal(err)
	}
	f, err := s.Flow(deadline(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if b := f.Request.Body; string(b.Data) != "0123456789" || b.Size != 16 || b.Kept != 10 {
		t.Errorf("request: %+v", b)
	}
	if b := f.Response.Body; string(b.Data) != "01" || b.Size != 7 || b.Kept != 2 {
		t.Errorf("response: %+v", b)
	}
	if r := rowFor(t, s, id); !r.Cut || r.ReqBytes != 16 || r.RespBytes != 7 {
		t.Errorf("row: %+v", r)
	}
}

func TestFullDiskIsToldAndRetried(t *testing.T) {
	tries, told := 0, ""
	var early State
	s, err := create(filepath.Join(t.TempDir(), "run.why403"), Options{}, func(s *Store) {
		s.retryAfter = 0
		s.beforeCommit = func() error {
			if tries++; tries == 1 {
				return errors.New("disk is full")
			}
			told, early = s.Stats().Err, rowFor(t, s, 1).State
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	id := record(s, 1)
	if err := s.Committed(deadline(t), id); err != nil {
		t.Errorf("it is tried again: %v", err)
	}
	if told == "" || early == Done {
		t.Errorf("before the second try: told %q, row %v", told, early)
	}
	if st := s.Stats(); st.Err != "" || st.NotKept != 0 || st.Queued != 0 {
		t.Errorf("stats: %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestMessagesThatTheDiskDidNotKeepUpWithAreCounted(t *testing.T) {
	s, release := blocked(t, Options{QueueBytes: 1 << 20})
	ctx := deadline(t)
	id := s.Begin(post())
	say := func() {
		s.Append(id, flow.Part{Kind: flow.OriginFrame, Data: make([]byte, 64<<10), Frame: flow.BinaryMessage})
	}
	for range 30 {
		say()
	}
	n, err := s.FrameCount(ctx, id)
	if err != nil || n == 0 || n > 12 {
		t.Fatalf("%d messages of 64 kB wait in a queue of 1 MB, %v", n, err)
	}
	release()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	say()
	list, err := s.Frames(ctx, id, n, 10, 0)
	if want := fmt.Sprintf("%d messages were not kept: the disk did not keep up", 30-n); err != nil || len(list) != 2 || list[0].Kind != flow.Remark || string(list[0].Data) != want || list[1].Size != 64<<10 {
		t.Errorf("%v: after them come %d, first %q", err, len(list), list[0].Data)
	}
	if r := rowFor(t, s, id); r.RespBytes != 31*64<<10 || !r.Cut {
		t.Errorf("the row: %d bytes, cut %v", r.RespBytes, r.Cut)
	}
}
