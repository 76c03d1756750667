package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/why403/why403/flow"
)

var verbatim = flow.Fidelity{Request: flow.Same, Response: flow.Same}

// clobbered is a connection whose Write spoils a byte of what it is given, as a
// buffer that is used twice at once would be spoiled between reading and writing.
type clobbered struct {
	net.Conn
	on   *atomic.Bool
	byte string // the text whose first byte changes
}

func (c *clobbered) Write(p []byte) (int, error) {
	if i := strings.Index(string(p), c.byte); i >= 0 && c.on.Load() {
		//lint:ignore SA1023 that it does what none may do is what it is for
		p[i] ^= 1
	}
	return c.Conn.Write(p)
}

// CloseWrite ends our half.
func (c *clobbered) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// clobbering is a listener of such connections.
type clobbering struct {
	net.Listener
	on   *atomic.Bool
	byte string
}

func (l *clobbering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clobbered{c, l.on, l.byte}, nil
}

// One byte that changes inside the relay is seen, whichever message and part it is in.
func TestFidelityGoesWithOneByte(t *testing.T) {
	for _, c := range []struct {
		name, byte string
		answer     bool
		want       flow.Fidelity
	}{
		{"head of the request", "user-AGENT", false, flow.Fidelity{Request: flow.Differs, Response: flow.Same}},
		{"body of the request", "abc", false, flow.Fidelity{Request: flow.Differs, Response: flow.Same}},
		{"head of the answer", "x-odd", true, flow.Fidelity{Request: flow.Same, Response: flow.Differs}},
		{"body of the answer", "ok", true, flow.Fidelity{Request: flow.Same, Response: flow.Differs}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var on atomic.Bool
			l := newLab(t, func(o *Options) {
				o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					if err != nil || c.answer {
						return conn, err
					}
					return &clobbered{conn, &on, c.byte}, nil
				}
			})
			addr := l.addr
			if c.answer {
				addr = l.second(&clobbering{listen(t), &on, c.byte})
			}
			o, got := l.echoing(nil)
			p := l.dialTo(addr)
			for id, want := range []flow.Fidelity{verbatim, c.want, verbatim} {
				on.Store(id == 1)
				p.send(oddRequest("http://"+o.addr+"/a|b%zz", o.addr))
				p.message()
				<-got
				f := l.tape.done(t, flow.ID(id+1)).flow
				if f.Fidelity != want || f.Unaltered() != (want == verbatim) {
					t.Errorf("request %d: %v %v", id+1, f.Fidelity, f.Unaltered())
				}
			}
		})
	}
}

// What a proxy has to change is no alteration; what it was told to change is listed.
func TestFidelityOfWhatProxiesChange(t *testing.T) {
	for _, c := range []struct{ name, sent string }{
		{"absolute form", "GET http://ADDR/a HTTP/1.1\r\nHost: ADDR\r\n\r\n"},
		{"no path", "GET http://ADDR?b HTTP/1.1\r\nHost: ADDR\r\n\r\n"},
		{"asterisk", "OPTIONS http://ADDR HTTP/1.1\r\nHost: ADDR\r\n\r\n"},
		{"fields for us", "GET http://ADDR/ HTTP/1.1\r\nProxy-Connection: keep-alive\r\nHost: ADDR\r\nproxy-authorization: Basic\r\n\tfolded\r\nA: b\r\n\r\n"},
		{"pipelined", strings.Repeat("POST http://ADDR/ HTTP/1.1\r\nHost: ADDR\r\nContent-Length: 3\r\n\r\nabc", 3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			o, got := l.echoing(nil)
			p := l.dial()
			sent := strings.ReplaceAll(c.sent, "ADDR", o.addr)
			p.send(sent)
			for i := range strings.Count(sent, "HTTP/1.1") {
				p.message()
				<-got
				if f := l.tape.done(t, flow.ID(i+1)).flow; !f.Unaltered() {
					t.Errorf("%d: %v, %q", i, f.Fidelity, f.Altered)
				}
			}
		})
	}
	t.Run("another host", func(t *testing.T) {
		var to string
		l := newLab(t, func(o *Options) {
			ln := listen(t)
			to = ln.Addr().String()
			ln.Close()
			o.Reverse, o.RewriteHost = &url.URL{Scheme: "http", Host: to}, true
		})
		ln, err := net.Listen("tcp", to)
		if err != nil {
			t.Skip(err)
		}
		l.originOn(ln, nil, okOrigin)
		p := l.dial()
		p.send(get("", "/", "other.test"))
		p.message()
		if f := l.tape.done(t, 1).flow; f.Fidelity != verbatim || f.Unaltered() {
			t.Errorf("%v, %q: want the same but for what is listed", f.Fidelity, f.Altered)
		}
	})
}

// Answers of every kind of framing over TLS, and what cannot be compared.
func TestFidelityOfAnswers(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		closes       bool
		want         flow.Sameness
	}{
		{"interim answers", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, flow.Same},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nT: 1\r\n\r\n", false, flow.Same},
		{"until it closes", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 100_000), true, flow.Same},
		{"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", true, flow.NotCompared},
	} {
		both(t, func(t *testing.T, l *lab, config *tls.Config) {
			o := l.origin(config, func(p *peer) {
				for p.head() != "" {
					p.send(c.answer)
					if c.closes {
						return
					}
				}
			})
			p, prefix := l.to(o)
			p.send(get(prefix, "/", o.addr))
			f := l.tape.done(t, 1).flow
			if want := (flow.Fidelity{Request: flow.Same, Response: c.want}); f.Fidelity != want {
				t.Errorf("%s: %v, want %v", c.name, f.Fidelity, want)
			}
			p.Close()
		})
	}
}
