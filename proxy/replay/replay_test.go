package replay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

const patience = 10 * time.Second

// origin answers one connection after another by serve.
func origin(t *testing.T, config *tls.Config, serve func(c net.Conn, br *bufio.Reader)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if config != nil {
				c = tls.Server(c, config)
			}
			c.SetDeadline(time.Now().Add(patience))
			serve(c, bufio.NewReader(c))
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

func head(br *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := br.ReadString('\n')
		b.WriteString(line)
		if err != nil || strings.Trim(line, "\r\n") == "" {
			return b.String()
		}
	}
}

// memory keeps the one flow of a test.
type memory struct {
	mu    sync.Mutex
	begun *flow.Flow
	req   []byte
	resp  []byte
	heads []int // statuses, in order
	end   *flow.Outcome
	ends  int
}

func (m *memory) Begin(f *flow.Flow) flow.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun = f
	return 7
}

func (m *memory) Append(id flow.ID, p flow.Part) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch p.Kind {
	case flow.RequestBody:
		m.req = append(m.req, p.Data...)
	case flow.ResponseBody:
		m.resp = append(m.resp, p.Data...)
	default:
		m.heads = append(m.heads, p.Head.Status)
	}
}

func (m *memory) End(id flow.ID, o flow.Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end, m.ends = &o, m.ends+1
}

func recorded(raw string) *flow.Message {
	h := wire.ParseHead([]byte(raw[:strings.Index(raw, "\r\n\r\n")+4]))
	q, f := wire.ParseRequest(h, false)
	if f != nil {
		panic(f)
	}
	m := q.Message()
	m.SetBody([]byte(raw[len(h.Raw):]))
	return m
}

func parentOf(scheme, addr string) *flow.Flow {
	return &flow.Flow{ID: 3, Scheme: scheme, Authority: addr}
}

func TestSendWritesWhatWasRecorded(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		change    func(m *flow.Message)
		want      string // "": raw
	}{
		{name: "order, case and whitespace", raw: "GET //a%2Fb?x=%zz&y HTTP/1.1\r\nzeta:1\r\nhost: H\r\nX-A:  a \r\nx-a:\r\nX-Fold: a\r\n b\r\n\r\n"},
		{name: "HTTP/1.0", raw: "GET / HTTP/1.0\r\n\r\n"},
		{name: "body", raw: "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 3\r\n\r\nabc"},
		{name: "an edited value", raw: "GET / HTTP/1.1\r\nHost: H\r\nx-token:   old\r\nX-B:b\r\n\r\n",
			change: func(m *flow.Message) { m.Header.Set("X-Token", "new") },
			want:   "GET / HTTP/1.1\r\nHost: H\r\nx-token: new\r\nX-B:b\r\n\r\n"},
		{name: "an edited value with a raw line left over", raw: "GET / HTTP/1.1\r\nHost: H\r\nX: old\r\n\r\n",
			change: func(m *flow.Message) { m.Header[1].Value = "new" },
			want:   "GET / HTTP/1.1\r\nHost: H\r\nX: new\r\n\r\n"},
		{name: "a length that is wrong stays", raw: "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 1\r\n\r\na",
			change: func(m *flow.Message) { m.SetBody([]byte("ab")) },
			want:   "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 1\r\n\r\nab"},
		{name: "a body without a length gets one", raw: "POST / HTTP/1.1\r\nHost: H\r\n\r\n",
			change: func(m *flow.Message) { m.SetBody([]byte("ab")) },
			want:   "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 2\r\n\r\nab"},
		{name: "chunked with trailers", raw: "POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: Chunked\r\n\r\n",
			change: func(m *flow.Message) {
				m.SetBody([]byte("0123456789"))
				m.Trailers = flow.Header{{Name: "X-Sum", Value: "1", Raw: "X-Sum:1\r\n"}}
			},
			want: "POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: Chunked\r\n\r\na\r\n0123456789\r\n0\r\nX-Sum:1\r\n\r\n"},
		{name: "HTTP/2", raw: "POST / HTTP/1.1\r\n\r\n",
			change: func(m *flow.Message) {
				m.Proto = "HTTP/2.0"
				m.Header = flow.Header{{Name: ":method", Value: "POST"}, {Name: ":authority", Value: "x"}, {Name: "x-a", Value: "1"}}
			},
			want: "POST / HTTP/1.1\r\nHost: x\r\nx-a: 1\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan string, 1)
			addr := origin(t, nil, func(c net.Conn, br *bufio.Reader) {
				io.WriteString(c, "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok")
				b, _ := io.ReadAll(br)
				got <- string(b)
			})
			m := recorded(c.raw)
			if c.change != nil {
				c.change(m)
			}
			want := c.want
			if want == "" {
				want = c.raw
			}
			want = strings.ReplaceAll(want, "{A}", addr)
			tape := &memory{}
			f, err := New(Options{Recorder: tape}).Send(t.Context(), parentOf("http", addr), m)
			if err != nil {
				t.Fatal(err)
			}
			if g := <-got; g != want {
				t.Errorf("sent\n%q, want\n%q", g, want)
			}
			if f.ID != 7 || f.Parent != 3 || f.Origin != flow.FromReplay || f.Status() != 201 || string(f.Response.Body.Data) != "ok" || !f.Response.Body.Whole() {
				t.Errorf("returned %+v", f)
			}
			if h := string(f.Request.Head); !strings.HasPrefix(want, h) || !strings.HasSuffix(h, "\r\n\r\n") {
				t.Errorf("returned head %q", h)
			}
			if tape.begun.Parent != 3 || string(tape.req) != string(m.Body.Data) || string(tape.resp) != "ok" || tape.ends != 1 || tape.end.Response.Body.Size != 2 || tape.end.Times.RequestSent.IsZero() {
				t.Errorf("recorded %+v %q %q %+v", tape.begun, tape.req, tape.resp, tape.end)
			}
		})
	}
}

func TestSendOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := server.TLS.Clone()
	config.NextProtos = []string{"http/1.1"}
	names := make(chan string, 4)
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		names <- h.ServerName + " " + strings.Join(h.SupportedProtos, ",")
		return nil, nil
	}
	addr := origin(t, config, func(c net.Conn, br *bufio.Reader) {
		if head(br) != "" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n")
		}
	})
	req := recorded("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	// The client had connected to an address and asked for a name, as curl --resolve does.
	parent := &flow.Flow{ID: 1, Scheme: "https", Authority: "example.com"}
	parent.Conn.Target = addr
	parent.Conn.ClientTLS = &flow.TLS{ServerName: "example.com"}
	tape := &memory{}
	f, err := New(Options{Recorder: tape, Roots: roots}).Send(t.Context(), parent, req)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-names; got != "example.com http/1.1" {
		t.Errorf("asked for %q", got)
	}
	if !f.Conn.OriginTLS.Verified || f.Conn.Origin != addr || f.Response.Trailers.Get("X") != "1" || f.Times.TLSDone.IsZero() {
		t.Errorf("%+v %+v", f.Conn.OriginTLS, f.Response)
	}
	// Not trusted: no request is sent.
	f, err = New(Options{Recorder: &memory{}}).Send(t.Context(), parent, req)
	var failure *flow.Failure
	if !errors.As(err, &failure) || failure.Op != "tls" || f == nil || f.Err != failure || f.Response != nil {
		t.Errorf("untrusted: %v", err)
	}
	f, err = New(Options{Recorder: &memory{}, Insecure: true}).Send(t.Context(), parent, req)
	if err != nil || f.Conn.OriginTLS.Verified {
		t.Errorf("insecure: %v", err)
	}
}

func TestExpect(t *testing.T) {
	req := recorded("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")
	t.Run("agreed", func(t *testing.T) {
		addr := origin(t, nil, func(c net.Conn, br *bufio.Reader) {
			head(br)
			if br.Buffered() > 0 {
				t.Error("the body did not wait")
			}
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			b := make([]byte, 3)
			io.ReadFull(br, b)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%s", b)
		})
		tape := &memory{}
		f, err := New(Options{Recorder: tape}).Send(t.Context(), parentOf("http", addr), req)
		if err != nil || string(f.Response.Body.Data) != "abc" || len(f.Interim) != 1 || fmt.Sprint(tape.heads) != "[100 200]" {
			t.Errorf("%v %+v %v", err, f, tape.heads)
		}
	})
	t.Run("refused", func(t *testing.T) {
		rest := make(chan string, 1)
		addr := origin(t, nil, func(c net.Conn, br *bufio.Reader) {
			head(br)
			io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			b, _ := io.ReadAll(br)
			rest <- string(b)
		})
		f, err := New(Options{Recorder: &memory{}}).Send(t.Context(), parentOf("http", addr), req)
		if err != nil || f.Status() != 403 || !f.Times.RequestSent.IsZero() {
			t.Errorf("%v %+v", err, f)
		}
		if got := <-rest; got != "" {
			t.Errorf("the refused body was sent: %q", got)
		}
	})
}

func TestAnAnswerThatComesBeforeTheBodyIsThrough(t *testing.T) {
	req := recorded("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n")
	req.SetBody(make([]byte, 16<<20))
	done := make(chan bool)
	addr := origin(t, nil, func(c net.Conn, br *bufio.Reader) {
		head(br)
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		<-done
	})
	f, err := New(Options{Recorder: &memory{}}).Send(t.Context(), parentOf("http", addr), req)
	close(done)
	if err != nil || f.Status() != 413 || string(f.Response.Body.Data) != "no" {
		t.Errorf("%v %+v", err, f)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	ok := func() *flow.Message { return recorded("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc") }
	for _, c := range []struct {
		name   string
		parent *flow.Flow
		change func(m *flow.Message)
		want   string
	}{
		{"cut body", nil, func(m *flow.Message) { m.Body.Size, m.Body.Kept = 100, 3 }, "kept 3 of the 100 bytes"},
		{"body not loaded", nil, func(m *flow.Message) { m.Body.Size, m.Body.Kept = 100, 100 }, "only 3 of the 100 bytes"},
		{"line break in a value", nil, func(m *flow.Message) { m.Header.Set("X", "a\r\nY: b") }, "line break"},
		{"line break in a name", nil, func(m *flow.Message) { m.Header.Add("X\n", "a") }, "line break"},
		{"colon in a name", nil, func(m *flow.Message) { m.Header.Add("X:Y", "a") }, "proper name"},
		{"line break in the target", nil, func(m *flow.Message) { m.Target = "/ HTTP/1.1\r\nX: y" }, "line break"},
		{"CONNECT", nil, func(m *flow.Message) { m.Method = "CONNECT" }, "CONNECT"},
		{"no method", nil, func(m *flow.Message) { m.Method = "" }, "no request"},
		{"no URL", &flow.Flow{}, func(m *flow.Message) {}, "not known where"},
	} {
		m, parent, tape := ok(), c.parent, &memory{}
		c.change(m)
		if parent == nil {
			parent = parentOf("http", "127.0.0.1:1")
		}
		f, err := New(Options{Recorder: tape}).Send(t.Context(), parent, m)
		if f != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "replay: ") || tape.begun != nil {
			t.Errorf("%s: %v, recorded %v", c.name, err, tape.begun)
		}
	}
}

func TestFailuresAreRecorded(t *testing.T) {
	get := recorded("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	for _, c := range []struct {
		name, answer   string
		side, op, says string
	}{
		{"nothing", "", "origin", "read", "without an answer"},
		{"half a head", "HTTP/1.1 200 OK\r\n", "origin", "parse", "in the middle of the response head"},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "origin", "read", "ended after 3 bytes"},
		{"garbage", "hello\r\n\r\n", "origin", "parse", "no HTTP/1 response"},
		{"too much", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000), "why403", "read", "stopped reading"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := origin(t, nil, func(conn net.Conn, br *bufio.Reader) {
				head(br)
				br.Discard(3)
				io.WriteString(conn, c.answer)
			})
			tape := &memory{}
			f, err := New(Options{Recorder: tape, MaxAnswer: 1000}).Send(t.Context(), parentOf("http", addr), get)
			var failure *flow.Failure
			if !errors.As(err, &failure) || failure.Side != c.side || failure.Op != c.op || !strings.Contains(failure.Text, c.says) {
				t.Errorf("%v", err)
			}
			if f == nil || tape.ends != 1 || tape.end.Err == nil || string(tape.req) != "abc" {
				t.Errorf("recorded %+v %q", tape.end, tape.req)
			}
		})
	}
}

func TestSendCanBeStopped(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("waiting", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		addr := origin(t, nil, func(c net.Conn, br *bufio.Reader) {
			head(br)
			cancel()
			io.Copy(io.Discard, br)
		})
		f, err := New(Options{Recorder: &memory{}}).Send(ctx, parentOf("http", addr), recorded("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		var failure *flow.Failure
		if !errors.As(err, &failure) || failure.Op != "abort" || f == nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("in a stream", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		addr := origin(t, nil, func(c net.Conn, br *bufio.Reader) {
			head(br)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
			io.Copy(io.Discard, br)
		})
		tape := &memory{}
		go func() {
			defer cancel()
			for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
				tape.mu.Lock()
				seen := bytes.Contains(tape.resp, []byte("data: 1"))
				tape.mu.Unlock()
				if seen {
					return
				}
			}
		}()
		f, err := New(Options{Recorder: tape}).Send(ctx, parentOf("http", addr), recorded("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		if err == nil || f.Status() != 200 || string(f.Response.Body.Data) != "data: 1\n\n" {
			t.Errorf("%v %+v", err, f)
		}
	})
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines left", runtime.NumGoroutine()-before)
		}
	}
}
