package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

func request(method, target, host string, more ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(more, "")
}

func get(prefix, path, host string) string { return request("GET", prefix+path, host, "\r\n") }

func TestOnlyTheStartLineAndProxyFieldsChange(t *testing.T) {
	l := newLab(t)
	got := make(chan string, 1)
	o := l.origin(nil, func(p *peer) {
		for {
			h := p.head()
			if h == "" {
				return
			}
			got <- h
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	p := l.dial()
	for i, c := range []struct{ sent, want string }{
		{"GET HTTP://{H}/a HTTP/1.1\r\nhost: {H}\r\nproxy-connection: keep-alive\r\nX-A: 1\r\nProxy-Authorization: Basic eDp5\r\nProxy-Other: stays\r\n\r\n",
			"GET /a HTTP/1.1\r\nhost: {H}\r\nX-A: 1\r\nProxy-Other: stays\r\n\r\n"},
		{"GET http://{H} HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"},
		{"GET http://{H}?q HTTP/1.1\nX: 1\n\n", "GET /?q HTTP/1.1\nX: 1\n\n"},
		{"OPTIONS http://{H} HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n"},
		{"GET ws://{H}/chat HTTP/1.1\r\n\r\n", "GET /chat HTTP/1.1\r\n\r\n"},
		{"\r\n\r\nGET http://{H}/blank HTTP/1.1\r\n\r\n", "GET /blank HTTP/1.1\r\n\r\n"},
	} {
		p.send(strings.ReplaceAll(c.sent, "{H}", o.addr))
		if g := <-got; g != strings.ReplaceAll(c.want, "{H}", o.addr) {
			t.Errorf("the origin got\n%q, want\n%q", g, c.want)
		}
		p.head()
		f := l.tape.done(t, flow.ID(i+1)).flow
		if f.Request.Header.Has("Proxy-Authorization") || f.Request.Header.Has("Proxy-Connection") {
			t.Errorf("recorded as sent: %v", f.Request.Header)
		}
		if blank := strings.HasPrefix(c.sent, "\r\n"); blank != (len(f.Altered) == 1) {
			t.Errorf("%q: altered %q", c.sent, f.Altered)
		}
	}
	if o.conns() != 1 {
		t.Errorf("%d connections to the origin, want 1", o.conns())
	}
}

// What a message inside a tunnel says to a proxy is for the server at its end.
func TestNothingIsTakenOutInsideATunnel(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		got := make(chan string, 1)
		o := l.origin(config, func(p *peer) { got <- p.head(); p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); p.head() })
		p := l.connect(o.addr)
		if o.tls {
			p = l.secure(p, "127.0.0.1", "http/1.1")
		}
		want := "GET http://other.test/x HTTP/1.1\r\nHost: " + o.addr + "\r\nProxy-Connection: keep-alive\r\n\r\n"
		p.send(want)
		if g := <-got; g != want {
			t.Errorf("the origin got %q", g)
		}
		p.head()
		f := l.tape.done(t, 1).flow
		if f.Kind != flow.Exchange || f.Authority != o.addr || f.Scheme != map[bool]string{true: "https", false: "http"}[o.tls] {
			t.Errorf("recorded %s %s://%s", f.Kind, f.Scheme, f.Authority)
		}
	})
}

func TestInterimAnswersPass(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		hints := "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
		processing := "HTTP/1.1 102 Processing\r\n\r\n"
		final := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		o := l.origin(config, func(p *peer) { p.head(); p.send(hints + processing + final); p.head() })
		p, prefix := l.to(o)
		p.send(get(prefix, "/", o.addr))
		if got := p.take(len(hints + processing + final)); got != hints+processing+final {
			t.Errorf("the client got %q", got)
		}
		f := l.tape.done(t, 1).flow
		if len(f.Interim) != 2 || f.Interim[0].Status != 103 || f.Interim[0].Header.Get("Link") != "</a>" || f.Interim[1].Status != 102 {
			t.Errorf("recorded %+v", f.Interim)
		}
	})
}

func TestExpectIsTheOriginsToAnswer(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		t.Run("agreed", func(t *testing.T) {
			o := l.origin(config, func(p *peer) {
				p.head()
				p.send("HTTP/1.1 100 Continue\r\n\r\n")
				p.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + p.take(3))
				p.head()
			})
			p, prefix := l.to(o)
			p.send(request("POST", prefix+"/", o.addr, "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"))
			if h := p.head(); h != "HTTP/1.1 100 Continue\r\n\r\n" {
				t.Fatalf("got %q", h)
			}
			p.send("abc")
			if m, _ := p.message(); !strings.HasSuffix(m, "abc") {
				t.Errorf("got %q", m)
			}
		})
		t.Run("refused", func(t *testing.T) {
			o := l.origin(config, func(p *peer) { p.head(); p.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); p.head() })
			p, prefix := l.to(o)
			p.send(request("POST", prefix+"/", o.addr, "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"))
			if m, _ := p.message(); !strings.HasPrefix(m, "HTTP/1.1 403 ") || !strings.HasSuffix(m, "no") {
				t.Errorf("got %q", m)
			}
		})
	})
}

func TestAnEarlyAnswerDoesNotWaitForTheUpload(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, c := range []struct{ name, field string }{{"closing", "Connection: close\r\n"}, {"staying", ""}} {
			t.Run(c.name, func(t *testing.T) {
				rest := make(chan string, 1)
				o := l.origin(config, func(p *peer) {
					p.head()
					p.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n" + c.field + "\r\nno")
					if c.field == "" { // it reads the body all the same, and goes on
						rest <- p.take(10)
						p.head()
						p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						p.head()
					}
				})
				p, prefix := l.to(o)
				p.send(request("POST", prefix+"/", o.addr, "Content-Length: 10\r\n\r\n01234"))
				if m, _ := p.message(); !strings.HasSuffix(m, "no") {
					t.Fatalf("got %q", m)
				}
				p.send("56789")
				id := flow.ID(l.tape.count())
				if c.field != "" {
					if got := p.all(); got != "" {
						t.Errorf("after the answer came %q", got)
					}
					l.tape.done(t, id)
					return
				}
				if got := <-rest; got != "0123456789" {
					t.Errorf("the origin got %q", got)
				}
				if f := l.tape.done(t, id).flow; f.Err != nil || f.Request.Body.Size != 10 {
					t.Errorf("recorded %+v %v", f.Request.Body, f.Err)
				}
				p.send(get(prefix, "/next", o.addr))
				if h := p.head(); !strings.HasPrefix(h, "HTTP/1.1 200") {
					t.Errorf("then %q", h)
				}
			})
		}
	})
}

func TestBodiesWithoutLength(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, c := range []struct{ name, request, answer, body string }{
			{"until close", "GET {P}/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello", "hello"},
			{"HTTP/1.0", "GET {P}/ HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello", "hello"},
			{"connection close", "GET {P}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "ok"},
			{"client asks to close", "GET {P}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
			{"both framings", "GET {P}/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"},
			{"unknown coding", "GET {P}/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzzz", "zzz"},
			{"space before a colon", "GET {P}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Odd : 1\r\nContent-Length: 2\r\n\r\nok", "ok"},
			{"chunked with LF", "GET {P}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \nok\n0\n\n", "ok"},
		} {
			t.Run(c.name, func(t *testing.T) {
				o := l.origin(config, func(p *peer) { p.head(); p.send(c.answer) })
				p, prefix := l.to(o)
				p.send(strings.ReplaceAll(c.request, "{P}", prefix))
				if got := p.all(); got != c.answer {
					t.Errorf("the client got %q, want %q", got, c.answer)
				}
				r := l.tape.done(t, flow.ID(l.tape.count()))
				if string(r.respBody) != c.body || r.flow.Err != nil {
					t.Errorf("recorded %q, error %v", r.respBody, r.flow.Err)
				}
			})
		}
	})
}

func TestAnswersWithoutBody(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, func(p *peer) {
			for {
				h := p.head()
				if h == "" {
					return
				}
				status := strings.Fields(h)[1]
				p.send("HTTP/1.1 " + status[len(status)-3:] + " X\r\nContent-Length: 5\r\nETag: x\r\n\r\n")
			}
		})
		p, prefix := l.to(o)
		for _, c := range []string{"HEAD 200", "GET 204", "GET 304", "HEAD 404"} {
			method, status, _ := strings.Cut(c, " ")
			p.send(request(method, prefix+"/"+status, o.addr, "\r\n"))
			if h := p.head(); h != "HTTP/1.1 "+status+" X\r\nContent-Length: 5\r\nETag: x\r\n\r\n" {
				t.Errorf("%s: %q", c, h)
			}
		}
		if o.conns() != 1 {
			t.Errorf("%d connections", o.conns())
		}
	})
}

func TestPipeliningKeepsTheOrder(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, func(p *peer) {
			for {
				m, err := p.message()
				if err != nil {
					return
				}
				path := strings.Fields(m)[1]
				p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path))
			}
		})
		p, prefix := l.to(o)
		var all strings.Builder
		for i := range 20 {
			if i%3 == 0 {
				all.WriteString(request("POST", fmt.Sprintf("%s/%d", prefix, i), o.addr, "Content-Length: 3\r\n\r\nabc"))
			} else {
				all.WriteString(get(prefix, fmt.Sprintf("/%d", i), o.addr))
			}
		}
		p.send(all.String())
		for i := range 20 {
			if m, _ := p.message(); !strings.HasSuffix(m, fmt.Sprintf("\r\n\r\n/%d", i)) {
				t.Fatalf("answer %d: %q", i, m)
			}
		}
	})
}

// Each piece must arrive before the next is sent: nothing is held back.
func TestStreamsAreNotDelayed(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, kind := range []string{"application/x-ndjson", "text/event-stream", "text/plain"} {
			t.Run(kind, func(t *testing.T) {
				next := make(chan bool)
				o := l.origin(config, func(p *peer) {
					p.head()
					p.send("HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\nTransfer-Encoding: chunked\r\n\r\n")
					for range next {
						p.send("6\r\nevent\n\r\n")
					}
					p.send("0\r\n\r\n")
					p.head()
				})
				p, prefix := l.to(o)
				p.send(get(prefix, "/", o.addr))
				p.head()
				id := flow.ID(l.tape.count())
				l.tape.wait(t, id, func(r *recorded) bool { return r.headPart != nil })
				for i := range 3 {
					next <- true
					if got := p.take(11); got != "6\r\nevent\n\r\n" {
						t.Fatalf("got %q", got)
					}
					l.tape.wait(t, id, func(r *recorded) bool { return len(r.respBody) == 6*(i+1) })
				}
				close(next)
				if got := p.take(5); got != "0\r\n\r\n" {
					t.Errorf("got %q", got)
				}
				l.tape.done(t, id)
			})
		}
	})
}

// An upload reaches the origin piece by piece, too.
func TestUploadsAreNotDelayed(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		got := make(chan string)
		o := l.origin(config, func(p *peer) {
			p.head()
			for range 3 {
				got <- p.take(8)
			}
			p.take(5)
			p.send("HTTP/1.1 204 X\r\n\r\n")
			p.head()
		})
		p, prefix := l.to(o)
		p.send(request("POST", prefix+"/", o.addr, "Transfer-Encoding: chunked\r\n\r\n"))
		for range 3 {
			p.send("3\r\nabc\r\n")
			if g := <-got; g != "3\r\nabc\r\n" {
				t.Fatalf("the origin got %q", g)
			}
		}
		p.send("0\r\n\r\n")
		p.head()
		if r := l.tape.done(t, 1); string(r.reqBody) != "abcabcabc" {
			t.Errorf("recorded %q", r.reqBody)
		}
	})
}

func TestEachClientHasItsOwnConnections(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, func(p *peer) {
			for p.head() != "" {
				p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		for range 2 {
			p, prefix := l.to(o)
			for range 5 {
				p.send(get(prefix, "/", o.addr))
				p.head()
			}
			p.Close()
		}
		if o.conns() != 2 {
			t.Errorf("%d connections for 2 clients", o.conns())
		}
		if f := l.tape.done(t, 1).flow; f.Conn.Reused {
			t.Error("the first exchange is recorded as on a reused connection")
		}
		if f := l.tape.done(t, 2).flow; !f.Conn.Reused || !f.Times.ConnectDone.IsZero() {
			t.Errorf("the second exchange is recorded as %+v %+v", f.Conn, f.Times)
		}
	})
}

// client is an ordinary Go client that uses the proxy.
func (l *lab) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: l.addr}),
		TLSClientConfig: &tls.Config{RootCAs: l.trusted},
	}}
}

func TestANetHTTPClientAndServer(t *testing.T) {
	l := newLab(t)
	body := strings.Repeat("0123456789", 100_000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		w.Write(b)
		w.Header().Set("X-Sum", r.Trailer.Get("X-In"))
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	secure.TLS = l.origins.config()
	secure.StartTLS()
	defer secure.Close()
	client := l.client()
	defer client.CloseIdleConnections()
	for i, url := range []string{plain.URL, secure.URL, plain.URL, secure.URL} {
		r, _ := http.NewRequest("POST", url+"/x", io.MultiReader(strings.NewReader(body)))
		r.Trailer = http.Header{"X-In": {"42"}}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != body || resp.Trailer.Get("X-Sum") != "42" {
			t.Errorf("%s: %d bytes, trailer %v, %v", url, len(got), resp.Trailer, err)
		}
		rec := l.tape.done(t, flow.ID(i+1))
		if string(rec.reqBody) != body || string(rec.respBody) != body ||
			rec.flow.Request.Trailers.Get("X-In") != "42" || rec.flow.Response.Trailers.Get("X-Sum") != "42" {
			t.Errorf("recorded %d and %d bytes, trailers %v and %v", len(rec.reqBody), len(rec.respBody), rec.flow.Request.Trailers, rec.flow.Response.Trailers)
		}
	}
}

func TestBodiesAreCutInTheRecordingAlone(t *testing.T) {
	l := newLab(t, func(o *Options) { o.MaxBody = 1000 })
	body := strings.Repeat("x", 100_000)
	o := l.origin(nil, func(p *peer) {
		for {
			m, err := p.message()
			if err != nil {
				return
			}
			p.send(m[strings.Index(m, "\r\n\r\n")+4:])
		}
	})
	p := l.dial()
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	go p.send(request("POST", "http://"+o.addr+"/", o.addr, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(answer), answer)))
	if m, _ := p.message(); m != answer {
		t.Errorf("the client got %d bytes", len(m))
	}
	r := l.tape.done(t, 1)
	if len(r.reqBody) != 1000 || len(r.respBody) != 1000 || r.sizes[flow.RequestBody] != int64(len(answer)) || r.sizes[flow.ResponseBody] != int64(len(body)) {
		t.Errorf("recorded %d and %d bytes, sizes %v", len(r.reqBody), len(r.respBody), r.sizes)
	}
}
