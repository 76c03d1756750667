package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

func okOrigin(p *peer) {
	for p.head() != "" {
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// joined sends the CONNECT and what follows it in one write, and takes the answer off what it reads.
type joined struct {
	net.Conn
	first string
	read  bool
}

func (j *joined) Write(b []byte) (int, error) {
	_, err := j.Conn.Write(append([]byte(j.first), b...))
	j.first = ""
	return len(b), err
}

func (j *joined) Read(b []byte) (int, error) {
	if !j.read {
		j.read = true
		if _, err := io.ReadFull(j.Conn, make([]byte, len(established))); err != nil {
			return 0, err
		}
	}
	return j.Conn.Read(b)
}

func TestConnectAndHelloInOnePacket(t *testing.T) {
	l := newLab(t)
	o := l.origin(l.origins.config(), okOrigin)
	p := l.dial()
	p.Conn = &joined{Conn: p.Conn, first: "CONNECT " + o.addr + " HTTP/1.1\r\nHost: x\r\n\r\n"}
	p = l.secure(p, "127.0.0.1")
	p.send(get("", "/", o.addr))
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	// curl sends a plain request behind the CONNECT it has an answer to; some do not wait.
	plain := l.origin(nil, okOrigin)
	q := l.dial()
	q.send("CONNECT " + plain.addr + " HTTP/1.1\r\n\r\n" + get("", "/", plain.addr))
	q.take(len(established))
	if m, _ := q.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
}

func TestNamesInATunnel(t *testing.T) {
	l := newLab(t)
	names := make(chan string, 1)
	config := l.origins.config()
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		names <- fmt.Sprintf("%q %v", h.ServerName, h.SupportedProtos)
		return nil, nil
	}
	o := l.origin(config, okOrigin)
	_, port, _ := net.SplitHostPort(o.addr)
	for i, c := range []struct{ connect, sni, alpn, want, authority string }{
		{o.addr, "app.test", "http/1.1", `"app.test" [http/1.1]`, "app.test:" + port},
		{o.addr, "", "http/1.1", `"" [http/1.1]`, o.addr},
		{"localhost:" + port, "localhost", "", `"localhost" []`, "localhost:" + port},
		{"localhost:" + port, "", "http/1.1", `"" [http/1.1]`, "localhost:" + port},
		{o.addr, "app.test", "h2,http/1.1", `"app.test" [h2 http/1.1]`, "app.test:" + port},
	} {
		tunnel := l.connect(c.connect)
		cfg := &tls.Config{RootCAs: l.trusted, ServerName: c.sni}
		if host, _, _ := net.SplitHostPort(c.connect); c.sni == "" { // crypto/tls sends no name then, and does not know what to verify
			cfg.InsecureSkipVerify = true
			cfg.VerifyConnection = func(s tls.ConnectionState) error { return s.PeerCertificates[0].VerifyHostname(host) }
		}
		if c.alpn != "" {
			cfg.NextProtos = strings.Split(c.alpn, ",")
		}
		s := tls.Client(tunnel.Conn, cfg)
		if err := s.Handshake(); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if got := <-names; got != c.want {
			t.Errorf("%+v: the origin was asked for %s", c, got)
		}
		fmt.Fprint(s, get("", "/", "x"))
		io.ReadFull(s, make([]byte, 20))
		f := l.tape.done(t, flow.ID(i+1)).flow
		if f.Authority != c.authority || f.Conn.Target != c.connect || f.Conn.ClientTLS.ServerName != c.sni {
			t.Errorf("%+v: recorded %s, %+v, %+v", c, f.Authority, f.Conn, f.Conn.ClientTLS)
		}
		if leaf := s.ConnectionState().PeerCertificates[0]; len(leaf.DNSNames) < 2 { // the origin's are taken over
			t.Errorf("%+v: certificate for %v", c, leaf.DNSNames)
		}
		s.Close()
	}
}

func TestAnAddressInBrackets(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	l := newLab(t)
	o := l.originOn(ln, l.origins.config(), okOrigin)
	p := l.secure(l.connect(o.addr), "::1", "http/1.1")
	p.send(get("", "/", o.addr))
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	if f := l.tape.done(t, 1).flow; f.Authority != o.addr {
		t.Errorf("recorded %s", f.Authority)
	}
	q := l.dial()
	plain, _ := net.Listen("tcp", "[::1]:0")
	po := l.originOn(plain, nil, okOrigin)
	q.send(get("http://"+po.addr, "/", po.addr))
	if m, _ := q.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
}

func TestAHostThatIsLeftAlone(t *testing.T) {
	for _, pattern := range []string{"127.0.0.1", "app.test", "*.test"} {
		t.Run(pattern, func(t *testing.T) {
			l := newLab(t, func(o *Options) { o.Tunnel = []string{pattern} })
			o := l.origin(l.origins.config(), okOrigin)
			c := tls.Client(l.connect(o.addr).Conn, &tls.Config{RootCAs: l.origins.pool, ServerName: "app.test"}) // the real certificate
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, get("", "/", "x"))
			io.ReadFull(c, make([]byte, 40))
			c.Close()
			f := l.tape.done(t, 1).flow
			if f.Kind != flow.Tunnel || f.Scheme != "https" || f.Request.Body.Size < 300 || f.Response.Body.Size < 100 || f.Err != nil {
				t.Errorf("recorded %s %s, %d and %d bytes, error %v", f.Kind, f.URL(), f.Request.Body.Size, f.Response.Body.Size, f.Err)
			}
		})
	}
	t.Run("that is not there", func(t *testing.T) {
		gone := listen(t)
		gone.Close()
		l := newLab(t, func(o *Options) { o.Tunnel = []string{gone.Addr().String()} })
		p := l.dial()
		p.send("CONNECT " + gone.Addr().String() + " HTTP/1.1\r\n\r\n")
		if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, Mark+": "+string(wire.CannotDial)) {
			t.Errorf("got %q", got)
		}
		if f := l.tape.done(t, 1).flow; f.Kind != flow.Tunnel || f.Err == nil {
			t.Errorf("recorded %s %v", f.Kind, f.Err)
		}
	})
}

// A client of another protocol is passed through, from its first byte on.
func TestAClientWithoutHTTPIsLeftAlone(t *testing.T) {
	l := newLab(t)
	config := l.origins.config()
	config.NextProtos = []string{"mqtt"}
	o := l.origin(config, func(p *peer) { p.send(p.take(4)) })
	c := tls.Client(l.connect(o.addr).Conn, &tls.Config{RootCAs: l.origins.pool, ServerName: "app.test", NextProtos: []string{"mqtt"}})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "ping")
	if got, _ := io.ReadAll(c); string(got) != "ping" {
		t.Errorf("got %q", got)
	}
	c.Close()
	if f := l.tape.done(t, 1).flow; f.Kind != flow.Tunnel || len(f.Altered) != 1 {
		t.Errorf("recorded %s %q", f.Kind, f.Altered)
	}
}

func TestOtherProtocolsInATunnel(t *testing.T) {
	for _, c := range []struct {
		name        string
		serverFirst bool
		client      string
	}{
		{"binary", false, "\x00\x01\x02 hello"},
		{"SSH", false, "SSH-2.0-OpenSSH_9 x\r\n"},
		{"redis", false, "*1\r\n$4\r\nPING\r\n"},
		{"server first", true, "EHLO x\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			o := l.origin(nil, func(p *peer) {
				if c.serverFirst {
					p.send("220 hello\r\n")
				}
				p.send("<" + p.take(len(c.client)) + ">")
				p.all()
				p.send("bye")
			})
			p := l.connect(o.addr)
			if c.serverFirst && p.take(11) != "220 hello\r\n" {
				t.Fatal("the server's first words are missing")
			}
			p.send(c.client)
			if got := p.take(len(c.client) + 2); got != "<"+c.client+">" {
				t.Fatalf("got %q", got)
			}
			p.Conn.(*net.TCPConn).CloseWrite()
			if got := p.all(); got != "bye" {
				t.Errorf("got %q", got)
			}
			f := l.tape.done(t, 1).flow
			if f.Kind != flow.Tunnel || f.Request.Body.Size != int64(len(c.client)) || f.Scheme != "http" {
				t.Errorf("recorded %s %s, %d bytes", f.Kind, f.URL(), f.Request.Body.Size)
			}
		})
	}
}

func TestASilentTunnelThenHTTPS(t *testing.T) {
	l := newLab(t)
	accepted := make(chan bool, 4)
	config := l.origins.config()
	ln := listen(t)
	o := l.originOn(&noting{ln, accepted}, config, okOrigin)
	p := l.connect(o.addr)
	<-accepted // the client said nothing, so the origin was asked
	p = l.secure(p, "127.0.0.1", "http/1.1")
	p.send(get("", "/", o.addr))
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	if o.conns() != 1 {
		t.Errorf("%d connections", o.conns())
	}
}

type noting struct {
	net.Listener
	accepted chan bool
}

func (n *noting) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		n.accepted <- true
	}
	return c, err
}

func TestAClientThatDoesNotTrustUs(t *testing.T) {
	for _, c := range []struct {
		name, says string
		version    uint16
	}{{"TLS 1.3", "does not trust", tls.VersionTLS13}, {"TLS 1.2", "does not trust", tls.VersionTLS12}} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			o := l.origin(l.origins.config(), okOrigin)
			s := tls.Client(l.connect(o.addr).Conn, &tls.Config{RootCAs: l.origins.pool, ServerName: "app.test", MaxVersion: c.version, NextProtos: []string{"http/1.1"}})
			if err := s.Handshake(); err == nil {
				t.Fatal("trusted")
			}
			s.Close()
			f := l.tape.done(t, 1).flow
			if f.Kind != flow.Handshake || f.Err == nil || f.Err.Side != "client" || f.Err.Op != "tls" || !strings.Contains(f.Err.Text, c.says) ||
				f.Conn.ClientTLS == nil || f.Conn.ClientTLS.ServerName != "app.test" || !strings.HasPrefix(f.Authority, "app.test:") {
				t.Errorf("recorded %s %s %v %+v", f.Kind, f.Authority, f.Err, f.Conn.ClientTLS)
			}
		})
	}
	t.Run("hangs up without a word", func(t *testing.T) {
		l := newLab(t)
		o := l.origin(l.origins.config(), okOrigin)
		tunnel := l.connect(o.addr)
		s := tls.Client(tunnel.Conn, &tls.Config{ServerName: "app.test", InsecureSkipVerify: true,
			VerifyConnection: func(tls.ConnectionState) error { tunnel.Close(); return errAny }})
		s.Handshake()
		f := l.tape.done(t, 1).flow
		if f.Kind != flow.Handshake || !strings.Contains(f.Err.Text, "closed the connection when it saw ours") {
			t.Errorf("recorded %s %v", f.Kind, f.Err)
		}
	})
}

func TestAClientThatHangsUpAfterTheHandshake(t *testing.T) {
	l := newLab(t)
	o := l.origin(l.origins.config(), okOrigin)
	p := l.secure(l.connect(o.addr), "127.0.0.1", "http/1.1")
	p.Close()
	f := l.tape.done(t, 1).flow
	if f.Kind != flow.Handshake || f.Err.Side != "client" || !strings.Contains(f.Err.Text, "GnuTLS") {
		t.Errorf("recorded %s %v", f.Kind, f.Err)
	}
}

// OpenSSL sends its alert in the clear, which crypto/tls takes for a broken record.
func TestAClientThatBreaksOffAsOpenSSLDoes(t *testing.T) {
	l := newLab(t)
	o := l.origin(l.origins.config(), okOrigin)
	tunnel := l.connect(o.addr)
	s := tls.Client(tunnel.Conn, &tls.Config{ServerName: "app.test", InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		VerifyConnection: func(tls.ConnectionState) error {
			tunnel.send("\x15\x03\x03\x00\x02\x02\x30") // fatal, unknown_ca (RFC 8446, 6)
			tunnel.all()
			return errAny
		}})
	s.Handshake()
	if f := l.tape.done(t, 1).flow; f.Kind != flow.Handshake || !strings.Contains(f.Err.Text, "does not trust") {
		t.Errorf("recorded %s %v", f.Kind, f.Err)
	}
}

// Some clients ask for https:// URLs without a tunnel.
func TestAnHTTPSURLOnThePlainPort(t *testing.T) {
	l := newLab(t)
	o := l.origin(l.origins.config(), okOrigin)
	p := l.dial()
	p.send(get("https://"+o.addr, "/x", o.addr))
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	if f := l.tape.done(t, 1).flow; f.Scheme != "https" || f.Conn.ClientTLS != nil || !f.Conn.OriginTLS.Verified || f.Request.Target != "/x" {
		t.Errorf("recorded %s %+v", f.URL(), f.Conn)
	}
}

func TestABrokenTunnelIsNoted(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Tunnel = []string{"127.0.0.1"} })
	o := l.origin(nil, func(p *peer) {
		p.take(4)
		p.Conn.(*net.TCPConn).SetLinger(0)
	})
	p := l.connect(o.addr)
	p.send("ping")
	p.all()
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "origin" || f.Request.Body.Size != 4 {
		t.Errorf("recorded %v %+v", f.Err, f.Request.Body)
	}
}

// A proxy behind a tunnel is asked, as it would be without us.
func TestConnectInsideATunnel(t *testing.T) {
	l := newLab(t)
	got := make(chan string, 1)
	o := l.origin(l.origins.config(), func(p *peer) {
		got <- p.head()
		p.send("HTTP/1.1 200 Connection established\r\n\r\n")
		p.send(p.take(4))
	})
	p, _ := l.to(o)
	want := "CONNECT inner.test:22 HTTP/1.1\r\nHost: inner.test:22\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
	p.send(want + "ping")
	if g := <-got; g != want {
		t.Errorf("the inner proxy got %q", g)
	}
	if g := p.all(); g != "HTTP/1.1 200 Connection established\r\n\r\nping" {
		t.Errorf("got %q", g)
	}
	p.Close()
	if r := l.tape.done(t, 1); string(r.frames[flow.ClientFrame]) != "ping" {
		t.Errorf("recorded %q", r.frames)
	}
}

func TestGuess(t *testing.T) {
	for first, want := range map[string]protocol{
		"\x16\x03\x01":                   speaksTLS,
		"\x16\x02":                       unknown,
		"GET":                            nothing,
		"GET /":                          speaksHTTP,
		"GET http://x/ HTTP/1.1\r\n":     speaksHTTP,
		"FROB /x HTTP/1.1\r\n":           speaksHTTP,
		"FROB /x":                        nothing,
		"FROB /x\r\n":                    unknown,
		"GET / HTTP/9.9\r\n":             speaksHTTP, // to be refused, not passed on unread
		"PRI * HTTP/2.0\r\n\r\nSM\r\n":   nothing,
		h2.Preface:                       speaksHTTP,
		"PRI * HT":                       nothing,
		"*1\r\n":                         unknown,
		"\x00\x00":                       unknown,
		strings.Repeat("a", 64):          unknown,
		"\r\nGET / HTTP/1.1":             speaksHTTP,
		"SSH-2.0-OpenSSH_9.0 Debian\r\n": unknown,
	} {
		if got := guess([]byte(first), false); got != want {
			t.Errorf("%q: %d, want %d", first, got, want)
		}
	}
}
