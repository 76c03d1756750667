package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/why403/why403/proxy/wire"
)

// gateway is a proxy after ours.
type gateway struct {
	*origin
	mu  sync.Mutex
	got []string // the heads, or SOCKS targets, that it was asked by
}

func (g *gateway) asked() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.got, "")
}

func (g *gateway) note(s string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got = append(g.got, s)
}

// join passes bytes both ways until both ends are through.
func join(a *peer, addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer c.Close()
	joinTo(a, c)
}

func joinTo(a *peer, c net.Conn) {
	var back sync.WaitGroup
	back.Go(func() { io.Copy(a, c); wire.CloseWrite(a.Conn) })
	io.Copy(c, a.br)
	wire.CloseWrite(c)
	back.Wait()
}

// httpGateway forwards and tunnels; no is what it answers instead, if not "".
func (l *lab) httpGateway(ln net.Listener, config *tls.Config, no string) *gateway {
	g := &gateway{}
	g.origin = l.originOn(ln, config, func(p *peer) {
		h := p.head()
		if h == "" {
			return
		}
		g.note(h)
		if no != "" {
			p.send(no)
			return
		}
		method, rest, _ := strings.Cut(h, " ")
		target, rest, _ := strings.Cut(rest, " ")
		if method == "CONNECT" {
			p.send("HTTP/1.1 200 go on\r\nX-Gateway: 1\r\n\r\n")
			join(p, target)
			return
		}
		host, path, _ := strings.Cut(strings.TrimPrefix(target, "http://"), "/")
		c, err := net.Dial("tcp", host)
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, method+" /"+path+" "+rest)
		joinTo(p, c)
	})
	return g
}

// socksGateway wants user and password if they are given.
func (l *lab) socksGateway(ln net.Listener, login string, reply byte) *gateway {
	g := &gateway{}
	g.origin = l.originOn(ln, nil, func(p *peer) {
		hello := p.take(2)
		if len(hello) < 2 {
			return
		}
		methods := p.take(int(hello[1]))
		if login == "" {
			p.send("\x05\x00")
		} else {
			if !strings.Contains(methods, "\x02") {
				p.send("\x05\xff")
				return
			}
			p.send("\x05\x02")
			n := p.take(2)
			user := p.take(int(n[1]))
			pass := p.take(int(p.take(1)[0]))
			if user+":"+pass != login {
				p.send("\x01\x01")
				return
			}
			p.send("\x01\x00")
		}
		r := p.take(4)
		host, port, err := wire.ReadSocksAddr(p.br, r[3])
		if err != nil {
			return
		}
		g.note(fmt.Sprintf("%x %s:%d\n", r[3], host, port))
		p.send("\x05" + string(reply) + "\x00\x01\x00\x00\x00\x00\x00\x00")
		if reply == 0 {
			join(p, net.JoinHostPort(host, fmt.Sprint(port)))
		}
	})
	return g
}

// labVia is a lab whose way out is a proxy that listens on ln; scheme may have credentials behind it.
func labVia(t *testing.T, scheme, except string) (*lab, net.Listener) {
	t.Helper()
	ln := listen(t)
	via := upstream(t, scheme+ln.Addr().String(), except)
	return newLab(t, func(o *Options) { o.Upstream = via }), ln
}

func upstream(t testing.TB, raw, except string) *wire.Proxy {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := wire.NewProxy(u, wire.ParseNoProxy(except))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const basic = "Proxy-Authorization: Basic bWU6czNjcmV0\r\n"

// Through each kind of proxy after us, plain and intercepted, the origin gets the bytes that the client sent.
func TestWaysOutKeepTheBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		secure bool // the origin
		make   func(l *lab, ln net.Listener) *gateway
	}{
		{"http", false, func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, nil, "") }},
		{"http", true, func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, nil, "") }},
		{"https", false, func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, l.origins.config(), "") }},
		{"https", true, func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, l.origins.config(), "") }},
		{"socks5", false, func(l *lab, ln net.Listener) *gateway { return l.socksGateway(ln, "me:s3cret", 0) }},
		{"socks5", true, func(l *lab, ln net.Listener) *gateway { return l.socksGateway(ln, "me:s3cret", 0) }},
	} {
		t.Run(fmt.Sprint(c.name, " secure ", c.secure), func(t *testing.T) {
			l, ln := labVia(t, c.name+"://me:s3cret@", "")
			var config *tls.Config
			if c.secure {
				config = l.origins.config()
			}
			got := make(chan string, 1)
			o := l.origin(config, func(p *peer) {
				for {
					m, err := p.message()
					if err != nil {
						return
					}
					got <- m
					p.send("HTTP/1.1 200 OK\r\nx-odd:  kept\r\nContent-Length: 2\r\n\r\nok")
				}
			})
			g := c.make(l, ln)
			p, prefix := l.to(o)
			for i := range 2 {
				rest := " HTTP/1.1\r\nuser-AGENT: x\r\nHost: " + o.addr + "\r\nX-A:  b \r\nContent-Length: 3\r\n\r\nabc"
				p.send("POST " + prefix + "/a|b%zz" + rest)
				want := "POST /a|b%zz" + rest
				if c.name != "socks5" && config == nil {
					want = "POST /a|b%zz HTTP/1.1\r\n" + basic + strings.TrimPrefix(rest, " HTTP/1.1\r\n")
					if i == 1 { // our gateway copies what follows its first head
						want = "POST " + prefix + "/a|b%zz HTTP/1.1\r\n" + basic + strings.TrimPrefix(rest, " HTTP/1.1\r\n")
					}
				}
				if m, _ := p.message(); m != "HTTP/1.1 200 OK\r\nx-odd:  kept\r\nContent-Length: 2\r\n\r\nok" {
					t.Fatalf("the client got %q", m)
				}
				if g := <-got; g != want {
					t.Errorf("the origin got %q, not %q", g, want)
				}
			}
			f := l.tape.done(t, 2).flow
			if f.Conn.Upstream != c.name+"://"+g.addr || f.Conn.Origin != g.addr || f.Conn.Target != o.addr || !f.Conn.Reused || len(f.Altered) > 0 {
				t.Errorf("recorded %+v, altered %q", f.Conn, f.Altered)
			}
			if strings.Contains(string(f.Request.Head)+f.Request.Header.Get("Proxy-Authorization"), "Basic") {
				t.Error("the credentials are in the recording")
			}
			switch asked := g.asked(); {
			case c.name == "socks5":
			case config != nil:
				if want := "CONNECT " + o.addr + " HTTP/1.1\r\nHost: " + o.addr + "\r\n" + basic + "\r\n"; asked != want {
					t.Errorf("the gateway was asked by %q", asked)
				}
			case !strings.HasPrefix(asked, "POST http://"+o.addr+"/a|b%zz HTTP/1.1\r\n"+basic+"user-AGENT: x\r\n"):
				t.Errorf("the gateway was asked by %q", asked)
			}
		})
	}
}

func TestNamesGoToTheProxyAfterUs(t *testing.T) {
	for _, c := range []struct{ scheme, want string }{{"socks5h", "3 localhost:"}, {"socks5", ":"}} {
		l, ln := labVia(t, c.scheme+"://", "")
		o := l.origin(nil, okOrigin)
		_, port, _ := net.SplitHostPort(o.addr)
		g := l.socksGateway(ln, "", 0)
		p := l.dial()
		p.send(get("http://localhost:"+port, "/", "localhost"))
		p.message()
		asked := g.asked()
		if !strings.Contains(asked, c.want) || c.scheme == "socks5" && strings.Contains(asked, "localhost") {
			t.Errorf("%s: the gateway was asked for %q", c.scheme, asked)
		}
	}
}

// A tunnel that is not looked into goes the same way, and so does a protocol in which the server speaks first, with what came behind the 200.
func TestTunnelsGoThroughTheProxyAfterUs(t *testing.T) {
	l, ln := labVia(t, "http://", "")
	g := &gateway{}
	g.origin = l.originOn(ln, nil, func(p *peer) {
		g.note(p.head())
		p.send("HTTP/1.1 200 OK\r\n\r\n220 hello\r\n")
		p.send("and " + p.take(4))
	})
	p := l.connect("mail.test:25")
	if got := p.take(len("220 hello\r\n")); got != "220 hello\r\n" {
		t.Errorf("got %q", got)
	}
	p.send("QUIT")
	if got := p.all(); got != "and QUIT" {
		t.Errorf("got %q", got)
	}
	p.Close()
	if f := l.tape.done(t, 1).flow; f.Conn.Upstream != "http://"+g.addr || f.Err != nil {
		t.Errorf("recorded %+v, %v", f.Conn, f.Err)
	}
	if got := g.asked(); !strings.HasPrefix(got, "CONNECT mail.test:25 ") {
		t.Errorf("asked by %q", got)
	}
}

// What a rule has made of a request is asked of the proxy after us in its form.
func TestRewrittenRequestsGoThroughTheProxyAfterUs(t *testing.T) {
	l, ln := labVia(t, "http://", "")
	g := l.httpGateway(ln, nil, "")
	asked, _ := l.echo(nil, fine)
	other, came := l.echo(nil, fine)
	o := l.server.opt
	ruled(t, "[{path: /new, to: http://"+other.addr+", set-header: [\"X: 2\"]}]")(&o)
	l.server.gate.rules = o.Rules
	p := l.dial()
	p.send("GET http://" + asked.addr + "/old?q HTTP/1.1\r\nHost:" + asked.addr + "\r\nX:1\r\n\r\n")
	if got, _ := p.message(); got != fine {
		t.Errorf("the client got %q", got)
	}
	if got := g.asked(); got != "GET http://"+other.addr+"/new?q HTTP/1.1\r\nHost: "+other.addr+"\r\nX: 2\r\n\r\n" {
		t.Errorf("the proxy after us was asked by %q", got)
	}
	if got := receive(t, came); !strings.HasPrefix(got, "GET /new?q ") {
		t.Errorf("the server got %q", got)
	}
	l.tape.done(t, 1)
}

func TestTheProxyAfterUsRefuses(t *testing.T) {
	forbidden := "HTTP/1.1 403 Not From Here\r\nContent-Length: 2\r\n\r\nno"
	wants := "HTTP/1.1 407 Who Are You\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
	for _, c := range []struct {
		name, scheme string
		make         func(l *lab, ln net.Listener) *gateway
		secure       bool // the client asks for https
		mark, quote  string
	}{
		{"403 to CONNECT", "http://", func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, nil, forbidden) }, true,
			"upstream-proxy-refused", "HTTP/1.1 403 Not From Here"},
		{"407 to CONNECT", "http://me:x@", func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, nil, wants) }, true,
			"upstream-proxy-refused", "HTTP/1.1 407 Who Are You"},
		{"407 to a request", "http://me:x@", func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, nil, wants) }, false,
			"upstream-proxy-refused", "HTTP/1.1 407 Who Are You"},
		{"no proxy", "http://", func(l *lab, ln net.Listener) *gateway { return l.httpGateway(ln, nil, "220 mail.test ready\r\n\r\n") }, true,
			"upstream-proxy", "220 mail.test ready"},
		{"not trusted", "https://", func(l *lab, ln net.Listener) *gateway {
			return l.httpGateway(ln, authorityNamed("nobody's").config(), "")
		}, true, "upstream-certificate", "does not trust"},
		{"wrong password", "socks5://me:x@", func(l *lab, ln net.Listener) *gateway { return l.socksGateway(ln, "me:s3cret", 0) }, false,
			"upstream-proxy-refused", "password are wrong (status 0x01)"},
		{"password wanted", "socks5://", func(l *lab, ln net.Listener) *gateway { return l.socksGateway(ln, "me:s3cret", 0) }, false,
			"upstream-proxy-refused", "method 0xFF"},
		{"not allowed", "socks5://", func(l *lab, ln net.Listener) *gateway { return l.socksGateway(ln, "", 2) }, true,
			"upstream-proxy-refused", "reply 0x02, not allowed by its rules"},
		{"not there", "http://", func(_ *lab, ln net.Listener) *gateway { ln.Close(); return nil }, true,
			"upstream-dial", "refused the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, ln := labVia(t, c.scheme, "")
			c.make(l, ln)
			p, target := l.dial(), "http://127.0.0.1:9/"
			if c.secure {
				p, target = l.secure(l.connect("127.0.0.1:9"), "127.0.0.1"), "/"
			}
			p.send(request("GET", target, "127.0.0.1:9", "\r\n"))
			got := p.all()
			if !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "X-Why403: "+c.mark+"\r\n") || !strings.Contains(got, c.quote) ||
				!strings.Contains(got, "why403: the upstream proxy "+strings.Split(c.scheme, "://")[0]+"://"+ln.Addr().String()) {
				t.Errorf("got %q", got)
			}
			f := l.tape.done(t, 1).flow
			if f.Err == nil || f.Err.Side != "upstream" || f.Status() != 502 || f.Conn.Upstream == "" || strings.Contains(got+f.Conn.Upstream, "me:x") {
				t.Errorf("recorded %v, status %d, %+v", f.Err, f.Status(), f.Conn)
			}
		})
	}
}

func TestExceptionsAreReachedDirectly(t *testing.T) {
	l, ln := labVia(t, "http://", "127.0.0.0/8")
	g := l.httpGateway(ln, nil, "HTTP/1.1 403 no\r\n\r\n")
	o := l.origin(nil, okOrigin)
	p := l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	if f := l.tape.done(t, 1).flow; f.Conn.Upstream != "" || g.conns() != 0 {
		t.Errorf("recorded %+v; %d connections to the gateway", f.Conn, g.conns())
	}
}

// What HTTPS_PROXY says in a shell that points at us already leads back to us.
func TestOurselvesAsTheProxyAfterUs(t *testing.T) {
	l := newLab(t)
	l.server.mu.Lock() // no exchange is under way
	l.server.dialer.Via = upstream(t, "http://"+l.addr, "")
	l.server.mu.Unlock()
	p := l.dial()
	p.send(get("http://192.0.2.1", "/", "192.0.2.1"))
	if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "X-Why403: loop\r\n") || !strings.Contains(got, "this proxy itself") {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "why403" {
		t.Errorf("recorded %v", f.Err)
	}
}

// A proxy after us that says nothing does not hold a client that goes away.
func TestAClientThatGoesAwayWhileTheProxyAfterUsIsSilent(t *testing.T) {
	for _, scheme := range []string{"http://", "https://", "socks5h://"} {
		l, ln := labVia(t, scheme, "")
		reached, closed := make(chan bool), make(chan bool)
		l.originOn(ln, nil, func(p *peer) {
			p.br.ReadByte()
			close(reached)
			p.all()
			close(closed)
		})
		p := l.dial()
		p.send(get("https://app.test", "/", "app.test"))
		<-reached
		p.Conn.(*net.TCPConn).SetLinger(0)
		p.Close()
		<-closed
		if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "client" || f.Err.Op != "abort" {
			t.Errorf("%s: recorded %v", scheme, f.Err)
		}
	}
}

// What the origin says behind the proxy's answer, in the same packet, is heard inside TLS too.
func TestAnAlertBehindTheAnswerToConnect(t *testing.T) {
	l, ln := labVia(t, "http://", "")
	l.originOn(ln, nil, func(p *peer) {
		p.head()
		p.send("HTTP/1.1 200 OK\r\n\r\n\x15\x03\x03\x00\x02\x02\x28") // handshake_failure (RFC 8446, 6)
		p.all()
	})
	p := l.secure(l.connect("app.test:443"), "app.test")
	p.send(get("", "/", "app.test"))
	if got := p.all(); !strings.Contains(got, "X-Why403: upstream-tls\r\n") || !strings.Contains(got, "refused the TLS handshake: handshake failure") {
		t.Errorf("got %q", got)
	}
}
