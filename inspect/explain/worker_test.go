package explain

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

var start = time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC)

// play records one exchange, finished, and returns its id once it is on disk.
func play(t *testing.T, s *session.Store, parent flow.ID, at time.Duration, request, response string) flow.ID {
	t.Helper()
	head := func(text string) (string, flow.Header, []byte) {
		top, body, _ := strings.Cut(text, "\n\n")
		line, rest, _ := strings.Cut(top, "\n")
		var h flow.Header
		for l := range strings.SplitSeq(rest, "\n") {
			if n, v, ok := strings.Cut(l, ": "); ok {
				h.Add(n, v)
			}
		}
		return line, h, []byte(body)
	}
	line, h, body := head(request)
	p := strings.Fields(line)
	f := &flow.Flow{Parent: parent, Scheme: "https", Authority: "shop.test", Times: flow.Timings{Start: start.Add(at)}, Conn: flow.Conn{Client: "127.0.0.1:5000"}}
	if parent != 0 {
		f.Origin = flow.FromReplay
	}
	f.Request = &flow.Message{Proto: "HTTP/1.1", Method: p[0], Target: p[1], Header: h}
	if p[0] != "CONNECT" {
		f.Conn.Tunnel = "CONNECT"
	}
	id := s.Begin(f)
	if len(body) > 0 {
		s.Append(id, flow.Part{Kind: flow.RequestBody, Data: body})
	}
	line, h, body = head(response)
	m := &flow.Message{Proto: "HTTP/1.1", Header: h}
	for _, c := range strings.Fields(line)[0] {
		m.Status = m.Status*10 + int(c-'0')
	}
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: m})
	if len(body) > 0 {
		s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: body})
	}
	end := *m
	end.Body.Size = int64(len(body))
	s.End(id, flow.Outcome{Response: &end, Times: flow.Timings{Start: start.Add(at), End: start.Add(at + time.Millisecond)}, Conn: f.Conn})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Committed(ctx, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// until waits for the stored verdict of a flow to be as wanted.
func until(t *testing.T, s *session.Store, id flow.ID, what string, want func(inspect.Explained) bool) inspect.Explained {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var e inspect.Explained
	for {
		rev := s.Rev()
		a, err := s.Annotation(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict != nil {
			if e, err = One(ctx, s, id); err != nil {
				t.Fatal(err)
			}
			if want(e) {
				return e
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("flow %d: %s did not come; last: %+v", id, what, e)
		case <-s.Changed(rev):
		}
	}
}

func work(t *testing.T) *session.Store {
	t.Helper()
	return workWith(t, Options{})
}

func workWith(t *testing.T, o Options) *session.Store {
	t.Helper()
	s, err := session.Create(filepath.Join(t.TempDir(), "s.why403"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewWorker(s, o).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const (
	withoutToken = "POST /orders HTTP/1.1\nHost: shop.test\nCookie: csrftoken=aaaabbbb; sessionid=1\nContent-Type: application/json\n\n{\"a\":1}"
	withToken    = "POST /orders HTTP/1.1\nHost: shop.test\nCookie: csrftoken=aaaabbbb; sessionid=1\nContent-Type: application/json\nX-CSRFToken: aaaabbbb\n\n{\"a\":1}"
	refusal      = "403 Forbidden\nContent-Type: application/json\n\n{\"detail\":\"CSRF Failed: CSRF token missing or incorrect.\"}"
	success      = "201 Created\nContent-Type: application/json\n\n{\"ok\":true}"
)

func TestWorkerTellsTheStoryAsItGoesOn(t *testing.T) {
	s := work(t)
	id := play(t, s, 0, 0, withoutToken, refusal)
	e := until(t, s, id, "a verdict", func(e inspect.Explained) bool { return e.Refused })
	if e.Verdict.Cause != inspect.CSRFMissing || e.Verdict.Fix == nil || e.ComparedWith != nil || len(e.Checklist) != 21 {
		t.Fatalf("alone it is %+v", e)
	}
	row, err := s.Row(context.Background(), id)
	if err != nil || row.Verdict == nil || row.Verdict.Headline != "CSRF token missing" || row.Verdict.Ruleset != inspect.Ruleset {
		t.Errorf("row: %+v, %v", row.Verdict, err)
	}

	child := play(t, s, id, time.Second, withToken, success)
	e = until(t, s, id, "the replay", func(e inspect.Explained) bool { return len(e.FixedOnce) > 0 })
	if e.FixedOnce[0] != child || !strings.Contains(e.Verdict.Summary, "accepted once") || e.Verdict.Proven {
		t.Errorf("after an accepted replay it is %+v", e)
	}
	if e.ComparedWith == nil || e.ComparedWith.ID != child || len(e.ComparedWith.Changes) == 0 {
		t.Errorf("is not compared with the success that came: %+v", e.ComparedWith)
	}

	said := "The server refuses this request for want of the X-CSRFToken header."
	if err := s.Note(id, flow.Annotation{ProvenBy: &child, Comment: &said}); err != nil {
		t.Fatal(err)
	}
	e, err = One(t.Context(), s, id)
	again := e
	again.Verdict = &inspect.Verdict{Cause: inspect.UnknownCause}
	StoredProofs(t.Context(), s)(&again)
	switch {
	case err != nil || !e.Verdict.Proven || e.ProvenBy != child || e.Proof != said || e.Verdict.Sure() != "proven":
		t.Errorf("after an experiment it is %+v, %v", e, err)
	case strings.Contains(e.Verdict.Summary, "once") || !strings.Contains(e.Verdict.Summary, "proven"):
		t.Errorf("after an experiment it reads %q", e.Verdict.Summary)
	case len(again.Candidates) == 0 && (again.Verdict.Summary != said || !again.Verdict.Proven):
		t.Errorf("a proof of what was unknown: %+v", again.Verdict)
	}
}

func TestWorkerTakesBackAnAnsweredChallenge(t *testing.T) {
	s := work(t)
	asked := play(t, s, 0, 0, "GET /v2/ HTTP/1.1\nHost: shop.test", "401 Unauthorized\nWWW-Authenticate: Bearer realm=\"https://auth.test\"")
	until(t, s, asked, "a verdict", func(e inspect.Explained) bool { return e.Refused })
	play(t, s, 0, time.Second, "GET /v2/ HTTP/1.1\nHost: shop.test\nAuthorization: Bearer abc", "200 OK")
	until(t, s, asked, "the answer", func(e inspect.Explained) bool { return !e.Refused })
}

// What a proxy after us wants of a client is no refusal if the client then gets
// through, whatever the server says; if it does not, it is.
func TestWorkerTakesBackThe407OfAProxyThatLetsTheClientThrough(t *testing.T) {
	s := work(t)
	const ask, wants = "CONNECT shop.test:443 HTTP/1.1\nHost: shop.test:443", "407 Who Are You\nProxy-Authenticate: NTLM"
	first := play(t, s, 0, 0, ask, wants)
	second := play(t, s, 0, time.Second, ask+"\nProxy-Authorization: NTLM TlRMTVNTUAAB", wants+" TlRMTVNTUAAC")
	for _, id := range []flow.ID{first, second} {
		e := until(t, s, id, "a verdict", func(e inspect.Explained) bool { return e.Refused })
		if e.Verdict.Cause != inspect.ProxyAuthRequired || e.Verdict.Layer != "network-proxy" {
			t.Errorf("flow %d alone is %+v", id, e.Verdict)
		}
	}
	inside := play(t, s, 0, 2*time.Second, withoutToken, refusal)
	for _, id := range []flow.ID{first, second} {
		until(t, s, id, "the way through", func(e inspect.Explained) bool { return !e.Refused })
	}
	until(t, s, inside, "a verdict", func(e inspect.Explained) bool { return e.Refused })
	later := play(t, s, 0, time.Minute, ask, wants)
	until(t, s, later, "a verdict", func(e inspect.Explained) bool { return e.Refused })
}

func TestWorkerSeesRefusalsUnderOtherStatuses(t *testing.T) {
	s := work(t)
	soft := play(t, s, 0, 0, "POST /graphql HTTP/1.1\nHost: shop.test\nAuthorization: Bearer a\n\n{}", "200 OK\nContent-Type: application/json\n\n{\"errors\":[{\"message\":\"no\",\"extensions\":{\"code\":\"FORBIDDEN\"}}]}")
	plain := play(t, s, 0, time.Second, "GET /a.css HTTP/1.1\nHost: shop.test", "200 OK\nContent-Type: text/css\n\nb{}")
	until(t, s, soft, "a verdict", func(e inspect.Explained) bool { return e.Refused })
	last := play(t, s, 0, 2*time.Second, withoutToken, refusal)
	until(t, s, last, "a verdict", func(e inspect.Explained) bool { return e.Refused })
	// The worker goes in order: by now it has seen the style sheet, and had nothing to note.
	if a, err := s.Annotation(context.Background(), plain); err != nil || a.Verdict != nil {
		t.Errorf("a style sheet got a verdict: %+v, %v", a.Verdict, err)
	}
}

func TestOneWithoutANote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.why403")
	s, err := session.Create(path, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := play(t, s, 0, 0, withToken, success)
	bad := play(t, s, 0, time.Second, withoutToken, refusal)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = session.Open(path, session.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := One(context.Background(), s, bad)
	if err != nil || e.Verdict == nil || e.Verdict.Cause != inspect.CSRFMissing || e.ComparedWith == nil || e.ComparedWith.ID != good {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := One(context.Background(), s, 99); err == nil {
		t.Error("a flow that is not there is explained")
	}
	if err := NewWorker(s, Options{}).Run(context.Background()); !errors.Is(err, session.ErrReadOnly) {
		t.Errorf("a session that cannot be written: %v", err)
	}
}

func TestWorkerEndsWithTheStore(t *testing.T) {
	s, err := session.Create(filepath.Join(t.TempDir(), "s.why403"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	play(t, s, 0, 0, withToken, success)
	done := make(chan error, 1)
	go func() { done <- NewWorker(s, Options{}).Run(context.Background()) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, session.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the worker waits for a store that is closed")
	}
}

// lines stands for logs that are followed.
type lines struct {
	mu      sync.Mutex
	of      map[string][]inspect.Line // path → lines
	changed chan struct{}
}

func (l *lines) write(path string, more ...inspect.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[path] = append(l.of[path], more...)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lines) options() Options {
	return Options{
		Logs: func(f *flow.Flow) []inspect.Line {
			l.mu.Lock()
			defer l.mu.Unlock()
			return slices.Clone(l.of[f.Path()])
		},
		LogsChanged: func() <-chan struct{} {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.changed
		},
	}
}

func TestLinesThatComeLater(t *testing.T) {
	l := &lines{of: map[string][]inspect.Line{}, changed: make(chan struct{})}
	s := workWith(t, l.options())
	now := time.Since(start)
	refused := play(t, s, 0, now, "POST /orders\n\n{}", "403\nContent-Type: application/json\n\n{\"error\":\"forbidden\"}")
	until(t, s, refused, "it is explained", func(e inspect.Explained) bool { return e.Refused && len(e.Logs) == 0 })
	line := inspect.Line{Label: "db", N: 7, Text: "ERROR: permission denied for table orders", Tied: "request"}
	l.write("/orders", line)
	e := until(t, s, refused, "the line is read", func(e inspect.Explained) bool { return len(e.Logs) == 1 })
	if e.Verdict.Cause != inspect.DBPermission || e.Verdict.Evidence[0].Where != "log:db:7" {
		t.Errorf("got %+v", e.Verdict)
	}
	// What is gone from the log stays with the flow, whatever makes it be explained again.
	l.mu.Lock()
	delete(l.of, "/orders")
	l.mu.Unlock()
	play(t, s, 0, now+time.Second, "POST /orders\nAuthorization: Bearer abc\n\n{}", "201\nContent-Type: application/json\n\n{}")
	until(t, s, refused, "it is compared", func(e inspect.Explained) bool { return e.ComparedWith != nil && len(e.Logs) == 1 })
	// An accepted flow has lines, too, and one that names no request belongs to nobody when two were under way.
	l.write("/ok", inspect.Line{Label: "access", N: 1, Text: "POST /ok 200", Tied: "request"}, inspect.Line{Label: "app", N: 1, Text: "slow", Tied: "near"})
	ok := play(t, s, 0, now+time.Second, "POST /ok\n\n{}", "200\nContent-Type: application/json\n\n{}")
	e = until(t, s, ok, "it has its line", func(e inspect.Explained) bool { return len(e.Logs) > 0 })
	if e.Refused || len(e.Logs) != 1 || e.Logs[0].Label != "access" {
		t.Errorf("got %+v", e)
	}
}

// A flow that is deleted while it is explained takes nobody else's verdict with it, nor the worker.
func TestWorkerOutlivesADeletedFlow(t *testing.T) {
	s, err := session.Create(filepath.Join(t.TempDir(), "run.why403"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := NewWorker(s, Options{})
	var ids []flow.ID
	for range 3 {
		ids = append(ids, play(t, s, 0, 0, "POST /orders HTTP/1.1\nHost: shop.test\n", "403 Forbidden\nContent-Type: text/plain\n\ncsrf token missing"))
	}
	for _, id := range ids {
		if err := w.explain(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Remove(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	if err := w.write(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []flow.ID{ids[0], ids[2]} {
		if r, err := s.Row(t.Context(), id); err != nil || r.Verdict == nil || r.Verdict.Cause != string(inspect.CSRFMissing) {
			t.Errorf("flow %d: %+v %v", id, r, err)
		}
	}
	if err := w.write(); err != nil || len(w.notes) != 0 {
		t.Errorf("%v, %d notes are left", err, len(w.notes))
	}
}

// What is told as settled has its verdict on disk, also where many are refused at once, and comes in the order of its end.
func TestWorkerSettlesWhatIsWritten(t *testing.T) {
	s, err := session.Create(filepath.Join(t.TempDir(), "run.why403"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 2*maxNotes + 5
	for i := range n {
		answer := "403 Forbidden\nContent-Type: text/plain\n\ncsrf token missing"
		if i%3 == 0 {
			answer = "200 OK\nContent-Type: text/plain\n\nok"
		}
		play(t, s, 0, time.Duration(i)*time.Millisecond, "POST /orders HTTP/1.1\nHost: shop.test\n", answer)
	}
	ctx, stop := context.WithCancel(t.Context())
	var told []flow.ID
	w := NewWorker(s, Options{Settled: func(r session.Row) {
		if told = append(told, r.ID); r.Status == 403 && (r.Verdict == nil || r.Verdict.Cause != string(inspect.CSRFMissing)) {
			t.Errorf("flow %d is settled without its verdict: %+v", r.ID, r.Verdict)
		}
		if r.ID == n {
			stop()
		}
	}})
	if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(told) != n || !slices.IsSorted(told) {
		t.Errorf("told of %v", told)
	}
}
