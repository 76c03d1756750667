package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/why403/why403/flow"
)

const (
	ntlmHello = "Proxy-Authorization: NTLM TlRMTVNTUAABAAAA\r\n"
	ntlmProof = "Proxy-Authorization: NTLM TlRMTVNTUAADAAAA\r\n"
)

// ntlmGateway is a proxy that logs in connections (MS-NTHT, 1.3; RFC 4559, 6):
// the proof counts only on the connection on which its challenge was given, and
// then for all that follows there. Each answer of its own says on which connection it is.
func (l *lab) ntlmGateway(ln net.Listener) *gateway {
	g := &gateway{}
	var count atomic.Int64
	g.origin = l.originOn(ln, nil, func(p *peer) {
		number, step := count.Add(1), 0
		for {
			h := p.head()
			if h == "" {
				return
			}
			g.note(fmt.Sprintf("%d %s", number, h))
			wants := func(more string) {
				p.send(fmt.Sprintf("HTTP/1.1 407 Who Are You\r\nProxy-Authenticate: NTLM%s\r\nx-connection: %d\r\nContent-Length: 3\r\n\r\nno\n", more, number))
			}
			switch {
			case step == 0 && strings.Contains(h, "\r\n"+ntlmHello):
				step = 1
				wants(" TlRMTVNTUAACAAAA")
				continue
			case step == 1 && strings.Contains(h, "\r\n"+ntlmProof):
				step = 2
			case step < 2:
				step = 0
				wants("")
				continue
			}
			method, rest, _ := strings.Cut(h, " ")
			target, _, _ := strings.Cut(rest, " ")
			if method == "CONNECT" {
				p.send("HTTP/1.1 200 in\r\n\r\n")
				join(p, target)
				return
			}
			p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nx-connection: %d\r\nContent-Length: 2\r\n\r\nin", number))
		}
	})
	return g
}

func connection(m string) string {
	_, n, _ := strings.Cut(m, "x-connection: ")
	n, _, _ = strings.Cut(n, "\r\n")
	return n
}

// The client logs in to the proxy after us, which has no login of ours: the
// steps stay on one connection, which serves all hosts of that client, and nobody else.
func TestAClientLogsInToTheProxyAfterUs(t *testing.T) {
	l, ln := labVia(t, "http://", "")
	g := l.ntlmGateway(ln)
	ask := func(p *peer, host, login string) (status, number string) {
		t.Helper()
		p.send("GET http://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n" + login + "Proxy-Connection: keep-alive\r\n\r\n")
		m, err := p.message()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(m)[1], connection(m)
	}
	p := l.dial()
	for i, step := range []struct{ host, login, want string }{
		{"one.test", "", "407"},
		{"one.test", ntlmHello, "407"},
		{"one.test", ntlmProof, "200"},
		{"two.test", "", "200"},
	} {
		if status, number := ask(p, step.host, step.login); status != step.want || number != "1" {
			t.Errorf("step %d: %s on connection %s, want %s on 1", i, status, number, step.want)
		}
	}
	if status, number := ask(l.dial(), "one.test", ""); status != "407" || number == "1" {
		t.Errorf("another client got %s on connection %s: it rides on the first one's login", status, number)
	}
	f := l.tape.done(t, 1).flow
	if f.Status() != 407 || f.Response.Header.Has(Mark) || !f.Unaltered() || f.Conn.Upstream != "http://"+g.addr || f.Err != nil {
		t.Errorf("recorded %d, %v, altered %q, %+v, %v", f.Status(), f.Fidelity, f.Altered, f.Conn, f.Err)
	}
	if f := l.tape.done(t, 4).flow; !f.Conn.Reused || !f.Unaltered() || f.Authority != "two.test" {
		t.Errorf("recorded reused %v, %v, %s", f.Conn.Reused, f.Fidelity, f.Authority)
	}
	l.tape.done(t, 5)
	if got, want := g.asked(), "1 GET http://one.test/ HTTP/1.1\r\n"+ntlmProof+"Host: one.test\r\n\r\n"; !strings.Contains(got, want) {
		t.Errorf("the proxy after us was asked by %q", got)
	}
}

// The same for tunnels: the client's CONNECT goes on as it came, and what is inside is read as ever.
func TestAClientLogsInToTheProxyAfterUsForATunnel(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure ", secure), func(t *testing.T) {
			l, ln := labVia(t, "http://", "")
			g := l.ntlmGateway(ln)
			var config *tls.Config
			if secure {
				config = l.origins.config()
			}
			over := make(chan bool)
			o := l.origin(config, func(p *peer) {
				for range 2 {
					if p.head() == "" {
						return
					}
					p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
				p.Close()
				close(over)
			})
			p := l.dial()
			for i, step := range []struct{ login, want string }{{"", "407"}, {ntlmHello, "407"}, {ntlmProof, "200"}} {
				p.send("CONNECT " + o.addr + " HTTP/1.1\r\nHost: " + o.addr + "\r\nuser-AGENT: x\r\n" + step.login + "Proxy-Connection: Keep-Alive\r\n\r\n")
				m := p.head()
				if step.want == "407" {
					m, _ = p.rest(m)
					if connection(m) != "1" || !strings.HasSuffix(m, "no\n") || !strings.Contains(m, "407 Who Are You") {
						t.Errorf("step %d: %q", i, m)
					}
				}
				if strings.Fields(m)[1] != step.want {
					t.Fatalf("step %d: %q", i, m)
				}
			}
			if got, want := g.asked(), "1 CONNECT "+o.addr+" HTTP/1.1\r\nHost: "+o.addr+"\r\nuser-AGENT: x\r\n"+ntlmProof+"Proxy-Connection: Keep-Alive\r\n\r\n"; !strings.HasSuffix(got, want) {
				t.Errorf("the proxy after us was asked by %q", got)
			}
			if secure {
				p = l.secure(p, "127.0.0.1", "http/1.1")
			}
			for i := range 2 {
				p.send(get("", "/", o.addr))
				if m, err := p.message(); !strings.HasSuffix(m, "ok") {
					t.Fatalf("request %d: %q, %v", i, m, err)
				}
			}
			<-over
			// Only the client can have another tunnel opened: it has to see that this one is gone.
			eventually(t, func() bool { p.send(get("", "/", o.addr)); return p.all() == "" }, func() string { return "the tunnel's end does not show" })
			for id, want := range map[flow.ID]int{1: 407, 2: 407, 3: 200, 4: 200} {
				f := l.tape.done(t, id).flow
				if f.Status() != want || f.Authority != strings.TrimSuffix(o.addr, ":443") || want == 407 && (f.Request.Method != "CONNECT" || !f.Unaltered()) {
					t.Errorf("flow %d: %s %s, %d, %v", id, f.Request.Method, f.Authority, f.Status(), f.Fidelity)
				}
			}
			if f := l.tape.done(t, 3).flow; f.Conn.Reused || f.Times.ConnectDone.IsZero() || f.Conn.Tunnel != "CONNECT" {
				t.Errorf("recorded %+v, %+v", f.Conn, f.Times)
			}
			if g.conns() != 1 {
				t.Errorf("%d connections to the proxy after us", g.conns())
			}
			l.tape.done(t, 5)
		})
	}
}

// A login that is meant for us goes no further.
func TestOurOwnLoginIsNotPassedOn(t *testing.T) {
	ln := listen(t)
	via := upstream(t, "http://"+ln.Addr().String(), "")
	l := newLab(t, func(o *Options) { o.Upstream, o.ProxyAuth = via, "me:s3cret" })
	g := l.ntlmGateway(ln)
	p := l.dial()
	p.send("GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\n" + basic + "\r\n")
	if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "X-Why403: upstream-proxy-refused\r\n") {
		t.Errorf("got %q", got)
	}
	if strings.Contains(g.asked(), "Basic") {
		t.Errorf("the proxy after us was asked by %q", g.asked())
	}
	l.tape.done(t, 1)
}

// A tunnel that is passed through unread is opened by the client's login too.
func TestAClientLogsInForATunnelThatIsNotRead(t *testing.T) {
	ln := listen(t)
	via := upstream(t, "http://"+ln.Addr().String(), "")
	l := newLab(t, func(o *Options) { o.Upstream, o.Tunnel = via, []string{"127.0.0.1"} })
	l.ntlmGateway(ln)
	o := l.origin(nil, func(p *peer) { p.send("got " + p.take(4)) })
	p := l.dial()
	for _, login := range []string{ntlmHello, ntlmProof} {
		p.send("CONNECT " + o.addr + " HTTP/1.1\r\n" + login + "\r\n")
		p.rest(p.head())
	}
	p.send("ping")
	if got := p.all(); got != "got ping" {
		t.Errorf("got %q", got)
	}
	p.Close()
	if f := l.tape.done(t, 2).flow; f.Kind != flow.Tunnel || f.Err != nil || f.Request.Body.Size != 4 || f.Response.Body.Size != 8 {
		t.Errorf("recorded %s, %v, %d and %d bytes", f.Kind, f.Err, f.Request.Body.Size, f.Response.Body.Size)
	}
}
