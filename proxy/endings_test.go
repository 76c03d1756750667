package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/why403/why403/flow"
)

func TestAClientThatGoesAwayIsNoticed(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, c := range []struct {
			name  string
			leave func(p *peer)
		}{
			{"closes", func(p *peer) { p.Close() }},
			{"resets", func(p *peer) {
				if s, ok := p.Conn.(*tls.Conn); ok {
					s.NetConn().(*net.TCPConn).SetLinger(0)
					s.NetConn().Close()
					return
				}
				p.Conn.(*net.TCPConn).SetLinger(0)
				p.Close()
			}},
		} {
			t.Run(c.name, func(t *testing.T) {
				seen, gone := make(chan bool), make(chan error, 1)
				o := l.origin(config, func(p *peer) {
					p.head()
					seen <- true
					_, err := p.br.ReadByte()
					gone <- err
				})
				p, prefix := l.to(o)
				p.send(get(prefix, "/", o.addr))
				<-seen
				c.leave(p)
				if err := <-gone; err == nil || isTimeout(err) {
					t.Errorf("the origin saw %v", err)
				}
				f := l.tape.done(t, flow.ID(l.tape.count())).flow
				if f.Err == nil || f.Err.Side != "client" || f.Err.Op != "abort" || f.Response != nil {
					t.Errorf("recorded error %v, answer %v", f.Err, f.Response)
				}
			})
		}
	})
}

func TestAClientThatGoesAwayDuringADownloadOrUpload(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		t.Run("download", func(t *testing.T) {
			gone := make(chan bool)
			o := l.origin(config, func(p *peer) {
				p.head()
				p.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
				p.br.ReadByte()
				close(gone)
			})
			p, prefix := l.to(o)
			p.send(get(prefix, "/", o.addr))
			p.head()
			p.take(3)
			p.Close()
			<-gone
			f := l.tape.done(t, flow.ID(l.tape.count())).flow
			if f.Err == nil || f.Err.Op != "abort" || f.Response == nil || f.Response.Body.Size != 3 {
				t.Errorf("recorded %v %+v", f.Err, f.Response)
			}
		})
		t.Run("upload", func(t *testing.T) {
			gone := make(chan bool)
			o := l.origin(config, func(p *peer) { p.head(); io.Copy(io.Discard, p.br); close(gone) })
			p, prefix := l.to(o)
			id := flow.ID(l.tape.count() + 1)
			p.send(request("POST", prefix+"/", o.addr, "Content-Length: 1000000\r\n\r\nabc"))
			l.tape.wait(t, id, func(r *recorded) bool { return len(r.reqBody) == 3 })
			p.Close()
			<-gone
			f := l.tape.done(t, flow.ID(l.tape.count())).flow
			if f.Err == nil || f.Err.Op != "abort" || f.Request.Body.Size != 3 {
				t.Errorf("recorded %v %+v", f.Err, f.Request.Body)
			}
		})
	})
}

// A client that has nothing more to say may still listen.
func TestAHalfClosedClientGetsItsAnswer(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, func(p *peer) {
			p.head()
			p.br.ReadByte() // the end of the client's side
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		})
		p, prefix := l.to(o)
		p.send(get(prefix, "/", o.addr))
		p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		if got := p.all(); !strings.HasSuffix(got, "\r\n\r\nok") {
			t.Errorf("got %q", got)
		}
		if f := l.tape.done(t, 1).flow; f.Err != nil {
			t.Errorf("recorded %v", f.Err)
		}
	})
}

// The origin closes the kept connection; the next request must not be lost on it.
func TestAStaleConnectionLosesNothing(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		closed := make(chan bool, 10)
		o := l.origin(config, func(p *peer) {
			m, err := p.message()
			if err != nil {
				return
			}
			p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(m), m))
			p.Close() // without having said so
			closed <- true
		})
		p, prefix := l.to(o)
		for i := range 3 {
			p.send(request("POST", prefix+"/", o.addr, fmt.Sprintf("Content-Length: 1\r\n\r\n%d", i)))
			if m, err := p.message(); err != nil || !strings.HasSuffix(m, fmt.Sprint(i)) {
				t.Fatalf("answer %d: %q %v", i, m, err)
			}
			<-closed
		}
		if o.conns() != 3 {
			t.Errorf("%d connections, want 3", o.conns())
		}
	})
}

// The origin takes the second request and closes without a word: a GET is sent
// again, a POST is not, and the client sees what it would see without us.
func TestARequestIsSentTwiceOnlyIfThatDoesNoHarm(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method, func(t *testing.T) {
				var n atomic.Int32
				o := l.origin(config, func(p *peer) {
					for {
						m, err := p.message()
						if err != nil || n.Add(1) == 2 {
							return
						}
						path := strings.Fields(m)[1]
						p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path))
					}
				})
				p, prefix := l.to(o)
				p.send(get(prefix, "/1", o.addr))
				p.message()
				p.send(request(method, prefix+"/2", o.addr, map[string]string{"GET": "\r\n", "POST": "Content-Length: 1\r\n\r\nx"}[method]))
				m, _ := p.message()
				f := l.tape.done(t, flow.ID(l.tape.count())).flow
				if method == "GET" {
					if !strings.HasSuffix(m, "/2") || len(f.Altered) != 1 || f.Err != nil {
						t.Errorf("got %q, altered %q, error %v", m, f.Altered, f.Err)
					}
					return
				}
				if m != "" || n.Load() != 2 || f.Err == nil || f.Err.Side != "origin" || f.Response != nil {
					t.Errorf("got %q after %d requests, error %v, answer %v", m, n.Load(), f.Err, f.Response)
				}
			})
		}
	})
}

func TestShutdownLetsExchangesEnd(t *testing.T) {
	l := newLab(t)
	seen, goOn := make(chan bool), make(chan bool)
	o := l.origin(nil, func(p *peer) {
		p.head()
		seen <- true
		<-goOn
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		p.head()
	})
	idle, p := l.dial(), l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	<-seen
	down := make(chan error, 1)
	go func() { down <- l.server.Shutdown(t.Context()) }()
	if got := idle.all(); got != "" { // closed at once
		t.Errorf("an idle client got %q", got)
	}
	close(goOn)
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	l.stop = func() {}
}

func TestStoppingEndsWhatIsUnderWay(t *testing.T) {
	l := newLab(t)
	seen := make(chan bool)
	o := l.origin(nil, func(p *peer) { p.head(); seen <- true; p.all() })
	p := l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	<-seen
	l.stop()
	f := l.tape.done(t, 1).flow
	if f.Err == nil || f.Err.Side != "why403" {
		t.Errorf("recorded %v", f.Err)
	}
}
