package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// oddBody is a request that nothing but a careful proxy leaves alone, without its start line's target.
func oddRequest(target, host string) string {
	return "POST " + target + " HTTP/1.1\r\nuser-AGENT: x\r\nX-B:  1 \r\nHost: " + host + "\r\nX-A: 2\r\nx-a: 3\r\n" +
		"Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
}

const oddAnswer = "HTTP/1.1 200 Fine by me\r\nx-odd:  kept\r\ncontent-length: 2\r\n\r\nok"

// echoing is an origin that tells what it got.
func (l *lab) echoing(config *tls.Config) (*origin, chan string) {
	got := make(chan string, 8)
	return l.origin(config, func(p *peer) {
		for {
			m, err := p.message()
			if err != nil {
				return
			}
			got <- m
			p.send(oddAnswer)
		}
	}), got
}

// unaltered sends two requests on p and looks at both ends.
func unaltered(t *testing.T, p *peer, target, host string, got <-chan string) {
	t.Helper()
	for range 2 {
		p.send(oddRequest(target, host))
		if m, _ := p.message(); m != oddAnswer {
			t.Fatalf("the client got %q", m)
		}
		if m, want := <-got, oddRequest("/a|b%zz", host); m != want {
			t.Errorf("the origin got %q, not %q", m, want)
		}
	}
}

// socksTo is the request for addr.
func socksTo(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	tail := string([]byte{byte(n >> 8), byte(n)})
	if ip := net.ParseIP(host); ip.To4() != nil {
		return "\x05\x01\x00\x01" + string(ip.To4()) + tail
	} else if ip != nil {
		return "\x05\x01\x00\x04" + string(ip) + tail
	}
	return "\x05\x01\x00\x03" + string(rune(len(host))) + host + tail
}

const socksDone = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

// socks opens a tunnel to addr by SOCKS5 on p.
func (l *lab) socks(p *peer, addr string) *peer {
	l.t.Helper()
	p.send("\x05\x01\x00")
	if got := p.take(2); got != "\x05\x00" {
		l.t.Fatalf("method: %q", got)
	}
	p.send(socksTo(addr))
	if got := p.take(len(socksDone)); got != socksDone {
		l.t.Fatalf("reply: %q", got)
	}
	return p
}

func TestSOCKS5KeepsTheBytes(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o, got := l.echoing(config)
		_, port, _ := net.SplitHostPort(o.addr)
		for i, addr := range []string{o.addr, "localhost:" + port} {
			p := l.socks(l.dial(), addr)
			scheme := "http"
			if config != nil {
				host, _, _ := net.SplitHostPort(addr)
				p, scheme = l.secure(p, host, "http/1.1"), "https"
			}
			unaltered(t, p, "/a|b%zz", addr, got)
			f := l.tape.done(t, flow.ID(2*i+2)).flow
			if f.URL() != scheme+"://"+addr+"/a|b%zz" || f.Conn.Target != addr || len(f.Altered) > 0 || f.Err != nil {
				t.Errorf("recorded %s, %+v, %q, %v", f.URL(), f.Conn, f.Altered, f.Err)
			}
		}
	})
}

// Greeting, request and what goes through the tunnel in one packet.
func TestSOCKS5InOnePacket(t *testing.T) {
	l := newLab(t)
	o := l.origin(nil, okOrigin)
	p := l.dial()
	p.send("\x05\x02\x00\x02" + socksTo(o.addr) + get("", "/", o.addr))
	if got := p.take(2 + len(socksDone)); got != "\x05\x00"+socksDone {
		t.Errorf("got %q", got)
	}
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
}

// A tunnel that is not looked into is told from one of CONNECT, and is only granted when it stands.
func TestSOCKS5TunnelsThatAreNotRead(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Tunnel = []string{"127.0.0.1"} })
	o := l.origin(l.origins.config(), okOrigin)
	p := l.socks(l.dial(), o.addr)
	c := tls.Client(p.Conn, &tls.Config{RootCAs: l.origins.pool, ServerName: "app.test"}) // sees the origin's own certificate
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	f := l.tape.done(t, 1).flow
	if f.Kind != flow.Tunnel || f.Request.Proto != "SOCKS5" || f.Response.Proto != "SOCKS5" || f.Authority != o.addr || f.Err != nil {
		t.Errorf("recorded %s %q %q, %v", f.Kind, f.Request.Proto, f.Authority, f.Err)
	}
	nobody := listen(t)
	nobody.Close()
	p = l.dial()
	p.send("\x05\x01\x00" + socksTo(nobody.Addr().String()))
	if got := p.all(); got != "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00" {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 2).flow; f.Kind != flow.Tunnel || f.Err == nil || f.Err.Side != "origin" || f.Response != nil {
		t.Errorf("recorded %s, %v, %v", f.Kind, f.Err, f.Response)
	}
}

func TestSOCKS5Logins(t *testing.T) {
	const login, other = "\x01\x02me\x06s3cret", "\x01\x02me\x05wrong"
	for _, c := range []struct {
		name, auth string
		send, want string
		says       string // of the row; "": served
	}{
		{"right", "me:s3cret", "\x05\x02\x00\x02" + login, "\x05\x02\x01\x00", ""},
		{"wrong", "me:s3cret", "\x05\x02\x00\x02" + other, "\x05\x02\x01\x01", "another user name or password"},
		{"not offered", "me:s3cret", "\x05\x01\x00", "\x05\xff", "did not offer"},
		{"not wanted", "", "\x05\x01\x02" + login, "\x05\x02\x01\x00", ""},
		{"unknown method", "", "\x05\x01\x01", "\x05\xff", "offers no SOCKS5 authentication"},
		{"UDP", "", "\x05\x01\x00\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x09", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "command 3"},
		{"address type", "", "\x05\x01\x00\x05\x01\x00\x02\x7f", "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", "address type 0x02"},
		{"port 0", "", "\x05\x01\x00" + socksTo("127.0.0.1:0"), "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "is no host:port"},
		{"name with a line break", "", "\x05\x01\x00" + socksTo("a\r\nb:1"), "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "is no host:port"},
		{"version", "", "\x05\x01\x00\x04\x01\x00\x01", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "version 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, func(o *Options) { o.ProxyAuth = c.auth })
			o := l.origin(nil, okOrigin)
			p := l.dial()
			p.send(c.send)
			if c.says == "" {
				p.send(socksTo(o.addr) + get("", "/", o.addr))
				if got := p.take(len(c.want) + len(socksDone)); got != c.want+socksDone {
					t.Errorf("got %q", got)
				}
				if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
					t.Errorf("got %q", m)
				}
				return
			}
			if got := p.all(); got != c.want {
				t.Errorf("got %q", got)
			}
			if f := l.tape.done(t, 1).flow; f.Kind != flow.Rejected || f.Err == nil || !strings.Contains(f.Err.Text, c.says) || f.Status() != 0 {
				t.Errorf("recorded %s %v", f.Kind, f.Err)
			}
			if o.conns() > 0 {
				t.Error("the origin was touched")
			}
		})
	}
}

// A proxy that is spoken to by TLS is the same one inside.
func TestTLSToTheProxy(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o, got := l.echoing(config)
		for i, name := range []string{"why403.test", "127.0.0.1"} {
			p := l.secure(l.dial(), name, "http/1.1")
			if alpn := p.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; alpn != "http/1.1" {
				t.Errorf("ALPN %q", alpn)
			}
			target := "http://" + o.addr
			if config != nil {
				p.send("CONNECT " + o.addr + " HTTP/1.1\r\n\r\n")
				p.take(len(established))
				p, target = l.secure(p, "127.0.0.1", "http/1.1"), ""
			}
			unaltered(t, p, target+"/a|b%zz", o.addr, got)
			f := l.tape.done(t, flow.ID(2*i+1)).flow
			if f.Conn.Target != o.addr || (f.Conn.ClientTLS != nil) != (config != nil) || len(f.Altered) > 0 {
				t.Errorf("recorded %+v, %q", f.Conn, f.Altered)
			}
		}
	})
	t.Run("not trusted", func(t *testing.T) {
		l := newLab(t)
		p := l.dial()
		if err := tls.Client(p.Conn, &tls.Config{ServerName: "why403.test"}).Handshake(); err == nil {
			t.Fatal("a certificate of an unknown authority was accepted")
		}
		f := l.tape.done(t, 1).flow
		if f.Kind != flow.Handshake || !strings.Contains(f.Err.Text, "does not trust") || !strings.Contains(f.Err.Text, "http://") || !strings.HasPrefix(f.Authority, "why403.test:") {
			t.Errorf("recorded %s %q %v", f.Kind, f.Authority, f.Err)
		}
	})
	t.Run("socks inside", func(t *testing.T) {
		l := newLab(t)
		o, got := l.echoing(nil)
		unaltered(t, l.socks(l.secure(l.dial(), "why403.test"), o.addr), "/a|b%zz", o.addr, got)
	})
	t.Run("TLS inside", func(t *testing.T) {
		l := newLab(t)
		p := l.secure(l.dial(), "why403.test")
		p.send("\x16\x03\x01")
		if got := p.all(); got != "" {
			t.Errorf("got %q", got)
		}
		if f := l.tape.done(t, 1).flow; f.Kind != flow.Rejected || !strings.Contains(f.Err.Text, "inside") {
			t.Errorf("recorded %s %v", f.Kind, f.Err)
		}
	})
}

// reversed is a lab that stands for a server on ln.
func reversed(t *testing.T, scheme string, change ...func(*Options)) (*lab, net.Listener) {
	t.Helper()
	ln := listen(t)
	return newLab(t, append(change, func(o *Options) { o.Reverse = &url.URL{Scheme: scheme, Host: ln.Addr().String()} })...), ln
}

func TestReverseKeepsTheBytes(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, front := range []string{"http", "https"} {
			t.Run(front+" to "+scheme, func(t *testing.T) {
				l, ln := reversed(t, scheme)
				var config *tls.Config
				if scheme == "https" {
					config = l.origins.config()
				}
				got := make(chan string, 4)
				l.originOn(ln, config, func(p *peer) {
					for {
						m, err := p.message()
						if err != nil {
							return
						}
						got <- m
						p.send(oddAnswer)
					}
				})
				p := l.dial()
				if front == "https" {
					p = l.secure(p, "localhost", "http/1.1")
				}
				unaltered(t, p, "/a|b%zz", "localhost:1234", got)
				// What would be for a proxy is the server's here.
				whole := "GET http://other.test/x HTTP/1.1\r\nProxy-Connection: keep-alive\r\nHost: other.test\r\n\r\n"
				p.send(whole)
				p.message()
				if m := <-got; m != whole {
					t.Errorf("the origin got %q", m)
				}
				f := l.tape.done(t, 1).flow
				if f.URL() != scheme+"://"+ln.Addr().String()+"/a|b%zz" || f.Conn.Target != ln.Addr().String() || len(f.Altered) > 0 || (f.Conn.ClientTLS != nil) != (front == "https") {
					t.Errorf("recorded %s, %+v, %q", f.URL(), f.Conn, f.Altered)
				}
			})
		}
	}
}

func TestReverseRewritesTheHost(t *testing.T) {
	l, ln := reversed(t, "http", func(o *Options) { o.RewriteHost = true })
	got := make(chan string, 4)
	o := l.originOn(ln, nil, func(p *peer) {
		for {
			m, err := p.message()
			if err != nil {
				return
			}
			got <- m
			p.send(oddAnswer)
		}
	})
	p := l.dial()
	for i, c := range []struct{ host, altered string }{
		{"localhost:1234", "Host: " + o.addr + " instead of localhost:1234"},
		{o.addr, ""},
	} {
		p.send(oddRequest("/x", c.host))
		p.message()
		if m, want := <-got, oddRequest("/x", o.addr); m != want {
			t.Errorf("the origin got %q, not %q", m, want)
		}
		f := l.tape.done(t, flow.ID(i+1)).flow
		if strings.Join(f.Altered, ";") != c.altered || f.Request.Header.Get("Host") != o.addr || !strings.Contains(string(f.Request.Head), "Host: "+c.host+"\r\n") {
			t.Errorf("recorded %q, %q, %q", f.Altered, f.Request.Header.Get("Host"), f.Request.Head)
		}
	}
}

func TestReverseThroughAProxyAfterUs(t *testing.T) {
	ln := listen(t)
	via := upstream(t, "http://me:s3cret@"+ln.Addr().String(), "")
	l := newLab(t, func(o *Options) {
		o.Upstream, o.Reverse = via, &url.URL{Scheme: "http", Host: "app.test"}
	})
	g := l.httpGateway(ln, nil, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	for _, target := range []string{"/x?y", "*"} {
		p := l.dial()
		p.send("OPTIONS " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		p.message()
	}
	want := "OPTIONS http://app.test/x?y HTTP/1.1\r\n" + basic + "Host: localhost\r\n\r\nOPTIONS http://app.test HTTP/1.1\r\n" + basic + "Host: localhost\r\n\r\n"
	if got := g.asked(); got != want {
		t.Errorf("the gateway was asked by %q", got)
	}
}

func TestReversePortsSayWhatTheyAreNot(t *testing.T) {
	l, ln := reversed(t, "http")
	ln.Close()
	p := l.dial()
	p.send("\x05\x01\x00")
	if got := p.all(); got != "" {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 1).flow; f.Kind != flow.Rejected || !strings.Contains(f.Err.Text, "stands for http://"+ln.Addr().String()) {
		t.Errorf("recorded %s %v", f.Kind, f.Err)
	}
	p = l.dial()
	p.send(get("", "/", "x"))
	if got := p.all(); !strings.Contains(got, "X-Why403: upstream-dial\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestProxyAuth(t *testing.T) {
	l := newLab(t, func(o *Options) { o.ProxyAuth = "me:s3cret" })
	o, got := l.echoing(nil)
	id := flow.ID(0)
	for _, c := range []struct {
		field string
		ok    bool
	}{
		{"", false},
		{basic, true},
		{"proxy-authorization: bAsIc  bWU6czNjcmV0\r\n", true},
		{"Proxy-Authorization: Basic bWU6d3Jvbmc=\r\n", false},
		{"Proxy-Authorization: Basic bWU6czNjcmV0eA==\r\n", false},
		{"Proxy-Authorization: Basic %%%\r\n", false},
		{"Proxy-Authorization: Bearer bWU6czNjcmV0\r\n", false},
		{"Authorization: Basic bWU6czNjcmV0\r\n", false},
	} {
		for _, start := range []string{"GET http://" + o.addr + "/ HTTP/1.1\r\n", "CONNECT " + o.addr + " HTTP/1.1\r\n"} {
			id++
			p := l.dial()
			p.send(start + "Host: " + o.addr + "\r\n" + c.field + "\r\n")
			h := p.head()
			if !c.ok {
				body := p.all()
				if !strings.HasPrefix(h, "HTTP/1.1 407 ") || !strings.Contains(h, "\r\nX-Why403: proxy-auth\r\n") || !strings.Contains(h, "\r\nProxy-Authenticate: Basic realm=\"why403\"") || strings.Contains(h+body, "s3cret") {
					t.Errorf("%q: got %q %q", c.field, h, body)
				}
				if f := l.tape.done(t, id).flow; f.Kind != flow.Rejected || f.Response != nil || f.Err == nil || !strings.Contains(f.Err.Text, "407") || len(f.Request.Head) == 0 {
					t.Errorf("%q: recorded %s %v %v", c.field, f.Kind, f.Response, f.Err)
				}
				continue
			}
			if !strings.HasPrefix(h, "HTTP/1.1 200 ") {
				t.Errorf("%q: got %q", c.field, h)
			}
			if strings.HasPrefix(start, "CONNECT") {
				p.send(get("", "/", o.addr)) // needs no more
				p.message()
			}
			if m := <-got; m != get("", "/", o.addr) {
				t.Errorf("the origin got %q", m)
			}
		}
	}
	p := l.dial() // the page that explains is for everybody
	p.send(get("", "/", l.addr))
	if got := p.all(); !strings.Contains(got, Mark+": help\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestNewRefusesDoorsThatCannotBeOpened(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct{ reverse, auth, says string }{
		{"ftp://x", "", "no server"},
		{"http://", "", "no server"},
		{"http://me:x@app.test", "", "no server"},
		{"http://app.test/path", "", "has a path"},
		{"http://app.test?x", "", "has a path"},
		{"http://app.test", "me:x", "exclude"},
		{"", "me", "user:password"},
		{"", "me:", "user:password"},
		{"", ":x", "user:password"},
		{"", "me:" + strings.Repeat("x", 256), "255"},
	} {
		o := Options{Store: l.tape, CA: l.ca, ProxyAuth: c.auth}
		if c.reverse != "" {
			o.Reverse, _ = url.Parse(c.reverse)
		}
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(fmt.Sprint(err), ":x@") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
