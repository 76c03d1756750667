package demo

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that moves only when a test moves it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 8, 31, 4, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func startShop(t *testing.T) (*Server, *clock) {
	t.Helper()
	c := newClock()
	s := NewServer(c.now)
	s.Beat = time.Millisecond
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

// A tape is what went over the wire, in the order in which the requests began.
type tape struct {
	mu    sync.Mutex
	flows []*exchange
}

type exchange struct {
	request *http.Request
	body    string
	status  int
	header  http.Header
	answer  string
}

func (t *tape) around(rt http.RoundTripper) http.RoundTripper { return roundTripper{t, rt} }

type roundTripper struct {
	tape *tape
	next http.RoundTripper
}

func (rt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	x := &exchange{request: r.Clone(r.Context())}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		x.body = string(b)
		r.Body = io.NopCloser(bytes.NewReader(b))
	}
	rt.tape.mu.Lock()
	rt.tape.flows = append(rt.tape.flows, x)
	rt.tape.mu.Unlock()

	resp, err := rt.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(b))
	rt.tape.mu.Lock()
	x.status, x.header, x.answer = resp.StatusCode, resp.Header, string(b)
	rt.tape.mu.Unlock()
	return resp, err
}

// find is the last flow with a mark.
func (t *tape) find(m Mark) *exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.flows) - 1; i >= 0; i-- {
		if x := t.flows[i]; x.is(m) {
			return x
		}
	}
	return nil
}

func (x *exchange) is(m Mark) bool {
	return x.request.Method == m.Method && x.request.URL.String() == m.URL && x.status == m.Status
}

// again sends a recorded request once more, changed by edits with values of accepted.
func (x *exchange) again(t *testing.T, s *Server, accepted *exchange, edits []Edit) *exchange {
	t.Helper()
	r, body := x.request.Clone(t.Context()), x.body
	value := func(e Edit, of string) string {
		if name, ok := strings.CutPrefix(e.From, FromCookie); ok {
			c, err := r.Cookie(name)
			if err != nil {
				t.Fatalf("the refused request has no cookie %s", name)
			}
			return c.Value
		}
		return of
	}
	for _, e := range edits {
		switch e.Part {
		case "method":
			r.Method = value(e, accepted.request.Method)
		case "path":
			r.URL.Path = value(e, accepted.request.URL.Path)
		case "body":
			body = value(e, accepted.body)
		case "form":
			form, _ := url.ParseQuery(body)
			form.Set(e.Name, value(e, ""))
			body = form.Encode()
		case "header":
			v := value(e, field(accepted.request.Header, e.Name))
			for name := range r.Header {
				if strings.EqualFold(name, e.Name) {
					delete(r.Header, name)
				}
			}
			r.Header[e.Name] = []string{v}
		default:
			t.Fatalf("no test applies a change of %s", e.Part)
		}
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	c := &Client{Server: s}
	transports := c.transports()
	defer transports.close()
	var tp tape
	if _, err := tp.around(transports.curl).RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	return tp.flows[0]
}

// field finds a header field however it is spelled.
func field(h http.Header, name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	return ""
}

// leftovers waits until no goroutine but the caller's is in this package or in
// net/http, and returns the stacks of those that stay.
func leftovers() string {
	deadline := time.Now().Add(5 * time.Second)
	for {
		buf := make([]byte, 1<<20)
		var left []string
		for i, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if i > 0 && (strings.Contains(stack, "why403/demo.") && !strings.Contains(stack, "testing.(*T).Run(") || strings.Contains(stack, "net/http.")) {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
		runtime.Gosched()
	}
}
