package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// Requests whose end two parsers could see in two places, and others that
// cannot be passed on: a marked 400, a row with the raw head, the origin untouched.
func TestWhatCannotBePassedOnIsRefused(t *testing.T) {
	for _, c := range []struct{ name, raw, reason string }{
		{"length and encoding", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ambiguous-length"},
		{"two lengths", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "bad-length"},
		{"list of lengths", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", "bad-length"},
		{"signed length", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", "bad-length"},
		{"negative length", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "bad-length"},
		{"length in hex", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc", "bad-length"},
		{"empty length", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", "bad-length"},
		{"length too large", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "bad-length"},
		{"folded length", "POST {P}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n 0\r\n\r\nabc", "bad-field"},
		{"unknown encoding", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "bad-transfer-encoding"},
		{"encoding with vertical tab", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", "bad-transfer-encoding"},
		{"two encodings", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad-transfer-encoding"},
		{"list of encodings", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "bad-transfer-encoding"},
		{"encoding in HTTP/1.0", "POST {P}/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad-transfer-encoding"},
		{"space before the colon", "GET {P}/ HTTP/1.1\r\nHost: x\r\nX-A : 1\r\n\r\n", "bad-field"},
		{"tab before the colon", "GET {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\t: chunked\r\n\r\n", "bad-field"},
		{"name that looks like another", "POST {P}/ HTTP/1.1\r\nHost: x\r\n\x01Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad-field"},
		{"first line folded", "GET {P}/ HTTP/1.1\r\n Host: x\r\n\r\n", "bad-field"},
		{"bare CR", "GET {P}/ HTTP/1.1\r\nHost: x\r\nX-A: 1\rX-B: 2\r\n\r\n", "bad-field"},
		{"NUL", "GET {P}/ HTTP/1.1\r\nHost: x\r\nX-A: 1\x002\r\n\r\n", "bad-field"},
		{"version 2.0", "GET {P}/ HTTP/2.0\r\nHost: x\r\n\r\n", "bad-version"},
		{"version in lower case", "GET {P}/ http/1.1\r\nHost: x\r\n\r\n", "bad-version"},
		{"version 1.10", "GET {P}/ HTTP/1.10\r\nHost: x\r\n\r\n", "bad-version"},
		{"no version", "GET {P}/\r\nHost: x\r\n\r\n", "bad-request-line"},
		{"no target", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", "bad-request-line"},
		{"two spaces", "GET  {P}/ HTTP/1.1\r\nHost: x\r\n\r\n", "bad-request-line"},
		{"method that is no token", "G@T {P}/ HTTP/1.1\r\nHost: x\r\n\r\n", "bad-request-line"},
		{"chunk size no number", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad-chunk"},
		{"chunk size negative", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "bad-chunk"},
		{"chunk size too large", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "bad-chunk"},
		{"chunk size with prefix", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", "bad-chunk"},
		{"chunk size and LF", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", "bad-chunk"},
		{"chunk size and spaces", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", "bad-chunk"},
		{"chunk longer than its size", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "bad-chunk"},
		{"extension with LF", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n", "bad-chunk"},
		{"extension with CR", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n", "bad-chunk"},
		{"trailer with space", "POST {P}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n", "bad-chunk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, l *lab, config *tls.Config) {
				touched := make(chan string, 1)
				o := l.origin(config, func(p *peer) {
					if h := p.head(); h != "" {
						touched <- h
					}
				})
				p, prefix := l.to(o)
				raw := strings.ReplaceAll(c.raw, "{P}", prefix)
				p.send(raw)
				got := p.all()
				if !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") || !strings.Contains(got, "\r\nX-Why403: "+c.reason+"\r\n") ||
					!strings.Contains(got, "\r\nConnection: close\r\n") || !strings.Contains(got, "\nwhy403: hint: ") {
					t.Errorf("got %q", got)
				}
				r := l.tape.done(t, 1)
				head, _ := cutHead(raw)
				if r.flow.Kind != flow.Rejected || string(r.flow.Request.Head) != head || r.flow.Err == nil || r.flow.Err.Op != "parse" || r.flow.Status() != 400 {
					t.Errorf("recorded %s, head %q, error %v, status %d", r.flow.Kind, r.flow.Request.Head, r.flow.Err, r.flow.Status())
				}
				select {
				case h := <-touched:
					t.Errorf("the origin got %q", h)
				default:
				}
			})
		})
	}
}

func TestBadAuthorities(t *testing.T) {
	l := newLab(t)
	for i, c := range []struct{ raw, reason string }{
		{"CONNECT example.com HTTP/1.1\r\n\r\n", "bad-authority"},
		{"CONNECT example.com:0 HTTP/1.1\r\n\r\n", "bad-authority"},
		{"CONNECT example.com:99999 HTTP/1.1\r\n\r\n", "bad-authority"},
		{"CONNECT :443 HTTP/1.1\r\n\r\n", "bad-authority"},
		{"CONNECT user@example.com:443 HTTP/1.1\r\n\r\n", "bad-authority"},
		{"CONNECT [::1:443 HTTP/1.1\r\n\r\n", "bad-authority"},
		{"CONNECT example.com:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "ambiguous-length"},
		{"GET http:///path HTTP/1.1\r\n\r\n", "bad-authority"},
		{"GET http://user:pw@example.com/ HTTP/1.1\r\n\r\n", "bad-authority"},
		{"GET ftp://example.com/ HTTP/1.1\r\n\r\n", "bad-authority"},
		{"GET http://a b/ HTTP/1.1\r\n\r\n", "bad-authority"},
		{"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "not-a-proxy-request"},
	} {
		p := l.dial()
		p.send(c.raw)
		if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "X-Why403: "+c.reason+"\r\n") {
			t.Errorf("%q: got %q", c.raw, got)
		}
		if f := l.tape.done(t, flow.ID(i+1)).flow; f.Kind != flow.Rejected {
			t.Errorf("%q: recorded %s", c.raw, f.Kind)
		}
	}
}

// A chunk that turns out bad after the origin got the head: the client is told, the origin sees the connection close.
func TestABadChunkInTheMiddleOfAnUpload(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		first, end := make(chan bool), make(chan string, 1)
		o := l.origin(config, func(p *peer) { p.head(); p.take(8); close(first); end <- p.all() })
		p, prefix := l.to(o)
		p.send(request("POST", prefix+"/", o.addr, "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
		<-first
		p.send("oops\r\n")
		if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "X-Why403: bad-chunk\r\n") {
			t.Errorf("got %q", got)
		}
		if got := <-end; got != "" {
			t.Errorf("the origin got %q", got)
		}
		if f := l.tape.done(t, 1).flow; f.Kind != flow.Exchange || f.Err == nil || f.Err.Side != "client" || f.Err.Op != "parse" {
			t.Errorf("recorded %s %v", f.Kind, f.Err)
		}
	})
}

func TestGarbageFromTheOrigin(t *testing.T) {
	for _, c := range []struct{ name, answer, reason string }{
		{"another protocol", "220 mail ESMTP\r\n\r\n", "upstream-garbage"},
		{"no status", "HTTP/1.1 OK\r\n\r\n", "upstream-garbage"},
		{"version 2", "HTTP/2 200\r\n\r\n", "upstream-garbage"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", "upstream-garbage"},
		{"bare CR", "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 1\r\n\r\nok", "upstream-garbage"},
		{"space in the length", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", "upstream-garbage"},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-", "upstream-garbage"},
		{"bad first chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\noops\r\n", "upstream-garbage"},
		{"nothing", "", "upstream-closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, l *lab, config *tls.Config) {
				o := l.origin(config, func(p *peer) { p.head(); p.send(c.answer) })
				p, prefix := l.to(o)
				p.send(get(prefix, "/", o.addr))
				if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 Bad Gateway\r\n") || !strings.Contains(got, "\r\nX-Why403: "+c.reason+"\r\n") {
					t.Errorf("got %q", got)
				}
				r := l.tape.done(t, 1)
				if r.flow.Err == nil || r.flow.Err.Side != "origin" || r.flow.Status() != 502 || !strings.HasPrefix(string(r.respBody), "why403: ") {
					t.Errorf("recorded %v, status %d, body %q", r.flow.Err, r.flow.Status(), r.respBody)
				}
			})
		})
	}
}

// An answer that breaks off must not look whole to the client.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, c := range []struct{ name, answer string }{
			{"by length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
			{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
			{"bad chunk later", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
		} {
			t.Run(c.name, func(t *testing.T) {
				goOn := make(chan bool)
				o := l.origin(config, func(p *peer) {
					p.head()
					p.send(c.answer)
					<-goOn
					if c.name == "bad chunk later" {
						p.send("oops\r\n")
						p.all()
					}
				})
				p, prefix := l.to(o)
				p.send(get(prefix, "/", o.addr))
				got := p.take(len(c.answer))
				close(goOn)
				if got += p.all(); got != c.answer {
					t.Errorf("got %q, want %q", got, c.answer)
				}
				f := l.tape.done(t, flow.ID(l.tape.count())).flow
				if f.Err == nil || f.Err.Side != "origin" || f.Response == nil || f.Response.Body.Size != 3 {
					t.Errorf("recorded %v %+v", f.Err, f.Response)
				}
			})
		}
	})
}

func TestTheWayToTheOriginIsToldApart(t *testing.T) {
	closed := listen(t)
	refused := closed.Addr().String()
	closed.Close()
	plain := newLab(t)
	speaksHTTP := plain.origin(nil, func(p *peer) { p.br.ReadByte(); p.send("HTTP/1.1 400 Bad Request\r\n\r\n") })
	hangsUp := plain.origin(nil, func(p *peer) {})
	expired := plain.origin(&tls.Config{Certificates: []tls.Certificate{originAuthority().leaf(time.Now().Add(-time.Hour), "127.0.0.1")}}, func(p *peer) { p.all() })
	otherName := plain.origin(&tls.Config{Certificates: []tls.Certificate{originAuthority().leaf(time.Now().Add(time.Hour), "other.test")}}, func(p *peer) { p.all() })
	private := plain.origin(&tls.Config{Certificates: []tls.Certificate{unknownLeaf()}}, func(p *peer) { p.all() })
	wantsCert := originAuthority().config()
	wantsCert.ClientAuth, wantsCert.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
	mutual := plain.origin(wantsCert, func(p *peer) { p.all() })

	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		switch host {
		case "nowhere.test":
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
		case "slow-dns.test":
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}}
		case "silent.test":
			return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
		case "far.test":
			return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	for _, c := range []struct {
		name, target string
		tls          bool
		reason       wire.Reason
		op, says     string
	}{
		{"no such name", "nowhere.test:80", false, wire.CannotResolve, "resolve", "does not exist in DNS"},
		{"DNS is silent", "slow-dns.test:80", false, wire.CannotResolve, "resolve", "no DNS server answered"},
		{"refused", refused, false, wire.CannotDial, "dial", "refused the connection"},
		{"silent", "silent.test:443", false, wire.DialTimeout, "dial", "did not answer"},
		{"no route", "far.test:443", false, wire.CannotDial, "dial", "no route"},
		{"no such name, TLS", "nowhere.test:443", true, wire.CannotResolve, "resolve", "does not exist in DNS"},
		{"refused, TLS", refused, true, wire.CannotDial, "dial", "refused the connection"},
		{"no TLS there", speaksHTTP.addr, true, wire.HandshakeFailed, "tls", "does not speak TLS"},
		{"hangs up", hangsUp.addr, true, wire.HandshakeFailed, "tls", "closed the connection during the TLS handshake"},
		{"expired", expired.addr, true, wire.NotVerified, "tls", "expired"},
		{"other name", otherName.addr, true, wire.NotVerified, "tls", "other.test"},
		{"private authority", private.addr, true, wire.NotVerified, "tls", "does not trust"},
		{"wants a client certificate", mutual.addr, true, wire.HandshakeFailed, "tls", "refused the TLS handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, func(o *Options) { o.Dial = dial })
			p, prefix := l.dial(), "http://"+c.target
			if c.tls {
				host, _, _ := net.SplitHostPort(c.target)
				p, prefix = l.secure(l.connect(c.target), host, "h2", "http/1.1"), ""
			}
			p.send(request("POST", prefix+"/x", c.target, "Content-Length: 100000\r\n\r\nabc"))
			got := p.all()
			if !strings.HasPrefix(got, "HTTP/1.1 502 Bad Gateway\r\n") || !strings.Contains(got, fmt.Sprintf("\r\n%s: %s\r\n", Mark, c.reason)) ||
				!strings.Contains(got, c.says) || strings.Count(got[strings.Index(got, "\r\n\r\n"):], "\nwhy403: ") != 2 {
				t.Errorf("got %s", got)
			}
			f := l.tape.done(t, 1).flow
			if f.Kind != flow.Exchange || f.Err == nil || f.Err.Side != "origin" || f.Err.Op != c.op || !strings.Contains(f.Err.Text, c.says) || f.Status() != 502 {
				t.Errorf("recorded %s %v, status %d", f.Kind, f.Err, f.Status())
			}
		})
	}
}

// A client that is still sending when we answer must be able to read the answer.
func TestOurAnswerIsNotLostInAReset(t *testing.T) {
	closed := listen(t)
	nobody := closed.Addr().String()
	closed.Close()
	l := newLab(t)
	for range 5 {
		p := l.dial()
		const size = 500_000
		sent := make(chan error, 1)
		go func() {
			_, err := p.Write([]byte(request("POST", "http://"+nobody+"/", nobody, fmt.Sprintf("Content-Length: %d\r\n\r\n", size)) + strings.Repeat("x", size)))
			sent <- err
		}()
		if err := <-sent; err != nil {
			t.Errorf("the body was not taken: %v", err)
		}
		if got, err := io.ReadAll(p.br); err != nil || !strings.Contains(string(got), "X-Why403: upstream-dial\r\n") {
			t.Errorf("got %.40q, %v", got, err)
		}
		p.Close()
	}
}

func unknownLeaf() tls.Certificate {
	return authorityNamed("another CA").leaf(time.Now().Add(time.Hour), "127.0.0.1")
}

func TestInsecureGoesOnAndSaysSo(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Insecure = true })
	o := l.origin(&tls.Config{Certificates: []tls.Certificate{unknownLeaf()}}, func(p *peer) {
		p.head()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	p, _ := l.to(o)
	p.send(get("", "/", o.addr))
	if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
		t.Errorf("got %q", m)
	}
	f := l.tape.done(t, 1).flow
	if f.Conn.OriginTLS == nil || f.Conn.OriginTLS.Verified || f.Conn.OriginTLS.Issuer != "CN=another CA" {
		t.Errorf("recorded %+v", f.Conn.OriginTLS)
	}
}

func TestTheProxyDoesNotCallItself(t *testing.T) {
	l := newLab(t)
	_, port, _ := net.SplitHostPort(l.addr)
	for i, host := range []string{"127.0.0.1", "localhost", "0.0.0.0"} {
		target := net.JoinHostPort(host, port)
		p := l.dial()
		p.send(get("http://"+target, "/", target))
		if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "X-Why403: loop\r\n") {
			t.Errorf("%s: got %q", target, got)
		}
		if f := l.tape.done(t, flow.ID(2*i+1)).flow; f.Err == nil || f.Err.Side != "why403" {
			t.Errorf("%s: recorded %v", target, f.Err)
		}
		s := l.secure(l.connect(target), host, "http/1.1")
		s.send(get("", "/", target))
		if got := s.all(); !strings.Contains(got, "X-Why403: loop\r\n") {
			t.Errorf("%s in a tunnel: got %q", target, got)
		}
	}
}

func TestAPlainVisitIsAnsweredWithHelp(t *testing.T) {
	l := newLab(t)
	for accept, kind := range map[string]string{"text/html,*/*": "text/html; charset=utf-8", "*/*": "text/plain; charset=utf-8"} {
		p := l.dial()
		p.send("GET / HTTP/1.1\r\nHost: " + l.addr + "\r\nAccept: " + accept + "\r\n\r\n")
		if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\nContent-Type: "+kind+"\r\n") || !strings.Contains(got, "HTTPS_PROXY=http://"+l.addr) || !strings.Contains(got, Mark+": help\r\n") {
			t.Errorf("%s: got %q", accept, got)
		}
	}
	if n := l.tape.count(); n != 0 {
		t.Errorf("%d flows recorded", n)
	}
}

func TestOtherProxyProtocolsGetARow(t *testing.T) {
	l := newLab(t)
	for i, c := range []struct {
		first string
		kind  flow.Kind
	}{{"\x16\x03\x01\x00\x05hello", flow.Handshake}, {"\x04\x01\x00", flow.Rejected}} {
		p := l.dial()
		p.send(c.first)
		if got := p.all(); strings.Contains(got, "HTTP") {
			t.Errorf("got %q", got)
		}
		if f := l.tape.done(t, flow.ID(i+1)).flow; f.Kind != c.kind || f.Err == nil {
			t.Errorf("recorded %s %v", f.Kind, f.Err)
		}
	}
}

func TestAHeadThatIsNotFinished(t *testing.T) {
	l := newLab(t)
	p := l.dial()
	p.send("GET http://x/ HTTP/1.1\r\nHost: x\r\nX-")
	p.Conn.(*net.TCPConn).CloseWrite()
	if got := p.all(); !strings.Contains(got, "X-Why403: head-incomplete\r\n") {
		t.Errorf("got %q", got)
	}
	f := l.tape.done(t, 1).flow
	if f.Kind != flow.Rejected || string(f.Request.Head) != "GET http://x/ HTTP/1.1\r\nHost: x\r\nX-" || f.Request.Method != "GET" {
		t.Errorf("recorded %s %q", f.Kind, f.Request.Head)
	}
	l.dial().Close() // a connection without a word is no row
	if n := l.tape.count(); n != 1 {
		t.Errorf("%d flows", n)
	}
}

func TestAPanicEndsOneConnection(t *testing.T) {
	l := newLab(t, func(o *Options) {
		o.Dial = func(context.Context, string, string) (net.Conn, error) { panic("as arranged") }
	})
	p := l.dial()
	p.send(get("http://x.test", "/", "x.test"))
	if got := p.all(); got != "" {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "why403" {
		t.Errorf("recorded %v", f.Err)
	}
	l.stop()
	if got := l.logs.take(); !strings.Contains(got, "as arranged") {
		t.Errorf("logged %q", got)
	}
}

var errAny = errors.New("any")
