package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
)

// mirror answers with what came.
func mirror(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Was", r.Header.Get("X-A"))
	w.Header().Set("Trailer", "X-Sum")
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, b)
	w.Header().Set("X-Sum", fmt.Sprint(len(b)))
}

func ask(t testing.TB, c *http.ClientConn, method, path, body string) (*http.Response, string) {
	t.Helper()
	q := h2request(t, method, "https://app.test"+path, strings.NewReader(body))
	q.Header.Set("X-A", "1")
	resp, err := c.RoundTrip(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(b)
}

func TestRulesChangeWhatGoesOverHTTP2(t *testing.T) {
	l := newLab(t, ruled(t, `[{match: path:/edit, set-header: ["X-A: 2"], method: PUT, path: /edited, replace-body: [{find: ell, with: EL}]},
		{at: response, match: path:/answer, status: 403, set-header: ["X-B: b"], body: no},
		{at: response, match: path:/status, status: 403},
		{match: path:/file, answer: {status: 201, body: made, header: ["X-C: c"]}},
		{match: path:/away, to: "https://else.test"}]`))
	c := l.h2client(l.h2origin(mirror))
	resp, got := ask(t, c, "POST", "/edit", "hello")
	if got != "PUT /edited hELo" || resp.Header.Get("X-Was") != "2" || resp.Trailer.Get("X-Sum") != "4" {
		t.Errorf("edited: %q %v %v", got, resp.Header, resp.Trailer)
	}
	r := l.tape.done(t, 1)
	if f := r.flow; f.Request.Method != "PUT" || f.Request.Target != "/edited" || string(r.reqBody) != "hELo" || f.Request.Header.Get("x-a") != "2" || f.Err != nil ||
		len(f.Altered) != 2 || f.Altered[0] != reframed || f.Fidelity != (flow.Fidelity{}) {
		t.Errorf("recorded %+v %q %v", f.Request, f.Altered, f.Err)
	}
	if resp, got = ask(t, c, "GET", "/answer", ""); got != "no" || resp.StatusCode != 403 || resp.Header.Get("X-B") != "b" {
		t.Errorf("an answer: %d %q %v", resp.StatusCode, got, resp.Header)
	}
	if r := l.tape.done(t, 2); r.flow.Status() != 403 || string(r.respBody) != "no" {
		t.Errorf("recorded %+v %q", r.flow.Response, r.respBody)
	}
	if resp, got = ask(t, c, "POST", "/file", "sent"); got != "made" || resp.StatusCode != 201 {
		t.Errorf("in the server's place: %d %q %v", resp.StatusCode, got, resp.Header)
	}
	if r := l.tape.done(t, 3); string(r.reqBody) != "sent" || r.flow.Err != nil || string(r.respBody) != "made" {
		t.Errorf("recorded %v %q %q", r.flow.Err, r.reqBody, r.respBody)
	}
	if resp, got = ask(t, c, "POST", "/status", "sent"); got != "POST /status sent" || resp.StatusCode != 403 {
		t.Errorf("a status alone: %d %q %v", resp.StatusCode, got, resp.Header)
	}
	if resp, got = ask(t, c, "GET", "/away", ""); resp.StatusCode != 502 || !strings.Contains(got, "server of its connection") {
		t.Errorf("to another server: %d %q", resp.StatusCode, got)
	}
	if _, got = ask(t, c, "POST", "/else", "as it is"); got != "POST /else as it is" {
		t.Errorf("what no rule names: %q", got)
	}
}

func TestManyStreamsWhereSomeAreHeld(t *testing.T) {
	l, g := holding(t, hold.Point{Match: "path:/held", Requests: true})
	c := l.h2client(l.h2origin(mirror))
	var held sync.WaitGroup
	held.Go(func() {
		if _, got := ask(t, c, "POST", "/held", "hello"); got != "PUT /held edited" {
			t.Errorf("held: %q", got)
		}
	})
	h := next(t, g)
	if string(h.Flow.Request.Body.Data) != "hello" || h.NoBody != "" || h.Stage != filter.Requests {
		t.Fatalf("held %+v %q", h, h.NoBody)
	}
	var others sync.WaitGroup // pass meanwhile, with bodies larger than the windows
	for i := range 20 {
		others.Go(func() {
			body := strings.Repeat("x", i*15_000)
			if resp, got := ask(t, c, "POST", fmt.Sprint("/", i), body); got != fmt.Sprint("POST /", i, " ", body) || resp.Trailer.Get("X-Sum") != fmt.Sprint(len(body)) {
				t.Errorf("%d: %d bytes", i, len(got))
			}
		})
	}
	others.Wait()
	e := *h.Flow
	e.Request = e.Request.Clone()
	e.Request.Method = "PUT"
	e.Request.Header.Set("content-length", "6")
	e.Request.SetBody([]byte("edited"))
	if err := g.Answer(h.ID, filter.Requests, hold.Decision{Edited: &e}); err != nil {
		t.Fatal(err)
	}
	held.Wait()
	if r := l.tape.done(t, h.ID); string(r.reqBody) != "edited" || r.flow.Request.Method != "PUT" || r.flow.Err != nil {
		t.Errorf("recorded %+v %q %v", r.flow.Request, r.reqBody, r.flow.Err)
	}
}

func TestHeldHTTP2ThatIsDroppedOrGivenUp(t *testing.T) {
	l, g := holding(t, requests, responses)
	o := l.h2origin(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403); io.WriteString(w, "no") })
	c := l.h2client(o)
	failed := make(chan error, 1)
	post := func(q *http.Request) {
		_, err := c.RoundTrip(q)
		failed <- err
	}
	go post(h2request(t, "POST", "https://app.test/", strings.NewReader("x")))
	g.Answer(next(t, g).ID, filter.Requests, hold.Decision{Verb: hold.Drop})
	if err := receive(t, failed); err == nil {
		t.Error("a dropped request was answered")
	}
	if r := l.tape.done(t, 1); r.flow.Err == nil || r.flow.Err.Text != "dropped by you" || string(r.reqBody) != "x" {
		t.Errorf("recorded %v %q", r.flow.Err, r.reqBody)
	}
	go post(h2request(t, "GET", "https://app.test/", nil))
	h := next(t, g)
	if h.Stage != filter.Responses || string(h.Flow.Response.Body.Data) != "no" {
		t.Errorf("held %+v", h.Flow.Response)
	}
	g.Answer(h.ID, filter.Responses, hold.Decision{Verb: hold.Drop})
	if err := receive(t, failed); err == nil {
		t.Error("a dropped answer came")
	}
	ctx, leave := context.WithCancel(t.Context())
	go post(h2request(t, "POST", "https://app.test/", strings.NewReader("x")).WithContext(ctx))
	next(t, g)
	leave()
	receive(t, failed)
	if f := l.tape.done(t, 3).flow; f.Err == nil || f.Err.Side != "client" {
		t.Errorf("recorded %v", f.Err)
	}
	eventually(t, func() bool { return len(g.Held()) == 0 }, func() string { return "it is held still" })
}

// A relay of bytes makes way when somebody wants to look into the messages.
func TestABreakpointThatComesLater(t *testing.T) {
	l, g := holding(t)
	o := l.h2origin(mirror)
	c := l.h2client(o)
	ask(t, c, "POST", "/free", "")
	if f := l.tape.done(t, 1).flow; !f.Unaltered() {
		t.Errorf("recorded %q %v", f.Altered, f.Fidelity)
	}
	g.SetPoints([]hold.Point{requests})
	eventually(t, func() bool { return c.Err() != nil || c.Available() == 0 }, func() string { return "the client was not told to go on elsewhere" })
	c = l.h2client(o)
	answered := make(chan bool)
	go func() { ask(t, c, "POST", "/held", ""); close(answered) }()
	next(t, g)
	g.ResumeAll()
	receive(t, answered)
	if f := l.tape.done(t, 2).flow; !slices.Contains(f.Altered, reframed) {
		t.Errorf("recorded %q", f.Altered)
	}
}

func TestLargeBodiesAtTheDesk(t *testing.T) {
	l := newLab(t, ruled(t, "[{match: path:/x, body: short}, {at: response, match: path:/y, body: short}]"))
	large := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB
	c := l.h2client(l.h2origin(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-N", fmt.Sprint(n))
		w.Write(large)
	}))
	for i, path := range []string{"/x", "/y"} {
		resp, got := ask(t, c, "POST", path, string(large))
		if got != string(large) || resp.Header.Get("X-N") != fmt.Sprint(len(large)) {
			t.Fatalf("%s: %d bytes, %v", path, len(got), resp.Header)
		}
		f := l.tape.done(t, flow.ID(i+1)).flow
		if f.Request.Body.Size != int64(len(large)) || f.Response.Body.Size != int64(len(large)) || len(f.Altered) != 2 || !strings.Contains(f.Altered[1], "larger than 1 MiB") {
			t.Errorf("recorded %d and %d bytes, %q", f.Request.Body.Size, f.Response.Body.Size, f.Altered)
		}
	}
}

// Both sides still speak in turn where each message is passed on at once.
func TestBothWaysAtOnceAtTheDesk(t *testing.T) {
	short := hasty()
	short.ahead = 20 * time.Millisecond
	l := newLabWith(t, short, ruled(t, "[{match: path:/nothing, body: x}]"))
	c := l.h2client(l.h2origin(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		buf := make([]byte, 4)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				return
			}
			w.Write(buf)
			w.(http.Flusher).Flush()
		}
	}))
	body, feed := io.Pipe()
	resp, err := c.RoundTrip(h2request(t, "POST", "https://app.test/turns", body))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	for i := range 5 {
		m := fmt.Sprintf("m%03d", i)
		io.WriteString(feed, m)
		if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != m {
			t.Fatalf("got %q %v", buf, err)
		}
	}
	feed.Close()
	io.ReadAll(resp.Body)
	if r := l.tape.done(t, 1); len(r.reqBody) != 20 || len(r.respBody) != 20 || r.flow.Err != nil {
		t.Errorf("recorded %q %q %v", r.reqBody, r.respBody, r.flow.Err)
	}
}

func TestAnIDIsAddedToHTTP2(t *testing.T) {
	l := newLab(t, func(o *Options) { o.RequestID = func() string { return "id-1" } })
	c := l.h2client(l.h2origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Request-Id")) }))
	if _, got := ask(t, c, "GET", "/", ""); got != "id-1" {
		t.Errorf("the server got %q", got)
	}
	if f := l.tape.done(t, 1).flow; f.Request.Header.Get("x-request-id") != "id-1" || !slices.Contains(f.Altered, idAdded("id-1")) {
		t.Errorf("recorded %+v %q", f.Request.Header, f.Altered)
	}
}
