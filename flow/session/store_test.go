package session

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

func newSession(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "run.why403"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// post is an order as a client begins it.
func post() *flow.Flow {
	head := "POST /orders/17?x=1 HTTP/1.1\r\nHost: api.test\r\ncontent-TYPE:  application/json \r\nX-Odd: a\xffb\x00c\r\nX-Folded: one\r\n two\r\n\r\n"
	return &flow.Flow{
		Scheme: "https", Authority: "api.test",
		Request: &flow.Message{
			Proto: "HTTP/1.1", Method: "POST", Target: "/orders/17?x=1",
			Head: []byte(head),
			Header: flow.Header{
				{Name: "Host", Value: "api.test", Raw: "Host: api.test\r\n"},
				{Name: "content-TYPE", Value: "application/json", Raw: "content-TYPE:  application/json \r\n"},
				{Name: "X-Odd", Value: "a\xffb\x00c", Raw: "X-Odd: a\xffb\x00c\r\n"},
				{Name: "X-Folded", Value: "one two", Raw: "X-Folded: one\r\n two\r\n"},
			},
			Body: flow.Body{Framing: flow.ByLength},
		},
		Times: flow.Timings{Start: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)},
	}
}

func refusal() *flow.Message {
	return &flow.Message{
		Proto: "HTTP/1.1", Status: 403, Reason: "Forbidden",
		Head:   []byte("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\n"),
		Header: flow.Header{{Name: "Content-Type", Value: "text/plain", Raw: "Content-Type: text/plain\r\n"}},
		Body:   flow.Body{Framing: flow.Chunked},
	}
}

func TestRefusedPostFromBeginToDisk(t *testing.T) {
	s := newSession(t, Options{})
	ctx := deadline(t)

	id := s.Begin(post())
	rows, rev := s.Since(0, 10)
	if len(rows) != 1 || rows[0].State != Waiting || rows[0].Method != "POST" || rows[0].Endpoint != "POST https://api.test/orders/{}" {
		t.Fatalf("after Begin: %+v", rows)
	}
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: []byte(`{"qty":`)})
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: []byte(`1}`)})
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	rows, rev = s.Since(rev, 10)
	if len(rows) != 1 || rows[0].State != Streaming || rows[0].Status != 403 || rows[0].ReqBytes != 9 || !rows[0].Refused() {
		t.Fatalf("while streaming: %+v", rows)
	}
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: []byte("CSRF token missing")})

	underWay, err := s.Flow(ctx, id)
	if err != nil || string(underWay.Response.Body.Data) != "CSRF token missing" {
		t.Fatalf("under way: %v %+v", err, underWay)
	}

	end := post().Times.Start.Add(38 * time.Millisecond)
	s.End(id, flow.Outcome{Times: flow.Timings{Start: post().Times.Start, End: end}, Altered: []string{"Proxy-Connection removed"}})
	if err := s.Committed(ctx, id); err != nil {
		t.Fatal(err)
	}
	rows, _ = s.Since(rev, 10)
	if len(rows) != 1 || rows[0].State != Done || rows[0].Duration != 38*time.Millisecond || rows[0].RespBytes != 18 {
		t.Fatalf("done: %+v", rows)
	}

	want := post()
	want.ID = id
	want.Request.Body = flow.Body{Framing: flow.ByLength, Size: 9, Kept: 9, Data: []byte(`{"qty":1}`)}
	want.Response = refusal()
	want.Response.Body = flow.Body{Framing: flow.Chunked, Size: 18, Kept: 18, Data: []byte("CSRF token missing")}
	want.Times.End = end
	want.Altered = []string{"Proxy-Connection removed"}
	got, err := s.Flow(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the flow read differs from the one recorded (-want +got):\n%s", d)
	}
	if st := s.Stats(); st.Flows != 1 || st.Refused != 1 || st.Live != 0 || st.Queued != 0 {
		t.Errorf("stats: %+v", st)
	}
}

func TestNoteStandsBesideTheFlow(t *testing.T) {
	s := newSession(t, Options{})
	ctx := deadline(t)
	id := s.Begin(post())
	s.End(id, flow.Outcome{Response: refusal()})
	verdict := flow.Judgement{Ruleset: "1", Refused: true, Cause: "csrf-missing", Headline: "CSRF header missing", Confidence: flow.Certain, JSON: []byte(`{"cause":"csrf-missing"}`)}
	if err := s.Note(id, flow.Annotation{Verdict: &verdict}); err != nil {
		t.Fatal(err)
	}
	before := s.Rev()
	if err := s.Note(id, flow.Annotation{Mark: new(true), Comment: new("look here")}); err != nil {
		t.Fatal(err)
	}
	rows, _ := s.Since(before, 10)
	if len(rows) != 1 || !rows[0].Marked || rows[0].Comment != "look here" || rows[0].Verdict == nil || rows[0].Verdict.Cause != "csrf-missing" {
		t.Fatalf("row: %+v", rows)
	}
	got, err := s.Annotation(ctx, id)
	if d := cmp.Diff(flow.Annotation{Verdict: &verdict, Mark: new(true), Comment: new("look here")}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if err := s.Note(77, flow.Annotation{Mark: new(true)}); !errors.Is(err, ErrNoFlow) {
		t.Errorf("note on a flow that is not there: %v", err)
	}
}

func TestReopenedSessionHasEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	done, hanging := s.Begin(post()), s.Begin(post())
	s.End(done, flow.Outcome{Response: refusal()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, writable := range []bool{false, true} {
		s, err := Open(path, Options{Writable: writable})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.Page(deadline(t), 1, 10)
		if err != nil || len(rows) != 2 || rows[0].State != Done || rows[0].Err != "" || rows[1].ID != hanging || rows[1].Err != unfinishedText {
			t.Errorf("writable %t: %v %+v", writable, err, rows)
		}
		f, err := s.Flow(deadline(t), hanging)
		if err != nil || f.Err == nil || f.Err.Text != unfinishedText {
			t.Errorf("writable %t: %v %+v", writable, err, f)
		}
		if h, err := s.History(deadline(t), rows[0].Endpoint, hanging, 5); err != nil || len(h) != 1 || h[0].ID != done {
			t.Errorf("history: %v %+v", err, h)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
