package proxy

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// The place answers through the proxy alone, without a name server, and leaves no row.
func TestThePlaceHandsOutTheCertificate(t *testing.T) {
	l := newLab(t, func(o *Options) {
		o.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
			t.Errorf("dialled %s", addr)
			return nil, net.ErrClosed
		}
	})
	block, _ := pem.Decode(l.ca.PEM())
	for _, c := range []struct {
		name, path, accept string
		kind, body         string
	}{
		{"the page", "/", "text/html,*/*", "text/html; charset=utf-8", "<h2>Firefox</h2>"},
		{"the page as text", "/?a=b", "*/*", "text/plain; charset=utf-8", "curl -x http://" + l.addr + " -o why403-ca.pem http://why403.test/ca.pem"},
		{"the fingerprint", "/", "*/*", "text/plain; charset=utf-8", l.ca.Info().SHA256},
		{"PEM", "/ca.pem", "*/*", "application/x-pem-file", string(l.ca.PEM())},
		{"DER", "/ca.crt", "*/*", "application/x-x509-ca-cert", string(block.Bytes)},
	} {
		for _, way := range []string{"proxy", "CONNECT", "SOCKS5"} {
			var p *peer
			prefix := ""
			switch way {
			case "proxy":
				p, prefix = l.dial(), "http://Why403.test"
			case "CONNECT":
				p = l.connect("why403.test:80")
			case "SOCKS5":
				p = l.socks(l.dial(), "why403.test:80")
			}
			p.send("GET " + prefix + c.path + " HTTP/1.1\r\nHost: why403.test\r\nAccept: " + c.accept + "\r\n\r\n")
			got := p.all()
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\nContent-Type: "+c.kind+"\r\n") || !strings.Contains(got, c.body) || !strings.Contains(got, Mark+": help\r\n") {
				t.Errorf("%s by %s: got %q", c.name, way, got)
			}
			if strings.HasPrefix(c.path, "/ca") && (!strings.HasSuffix(got, "\r\n\r\n"+c.body) || !strings.Contains(got, "attachment; filename=\"why403-"+c.path[1:])) {
				t.Errorf("%s by %s: not the certificate alone, or not to be saved", c.name, way)
			}
		}
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Error(err)
	}
	if n := l.tape.count(); n != 0 {
		t.Errorf("%d flows recorded", n)
	}
}

// What the place does not do, it says.
func TestThePlaceRefuses(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct{ name, sent, status, says string }{
		{"another Host", "GET http://why403.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", "421", `Host says "evil.test"`},
		{"no Host", "GET http://why403.test/ HTTP/1.0\r\n\r\n", "421", "only for why403.test"},
		{"another method", "POST http://why403.test/ HTTP/1.1\r\nHost: why403.test\r\nContent-Length: 0\r\n\r\n", "405", "only something to read"},
		{"another path", "GET http://why403.test/flows HTTP/1.1\r\nHost: why403.test\r\n\r\n", "404", "has only /, /ca.pem and /ca.crt"},
	} {
		p := l.dial()
		p.send(c.sent)
		if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") || !strings.Contains(got, c.says) || !strings.Contains(got, "\r\n"+Mark+": ") {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
	if n := l.tape.count(); n != 0 {
		t.Errorf("%d flows recorded", n)
	}
	p := l.dial()
	p.send("CONNECT why403.test:443 HTTP/1.1\r\nHost: why403.test:443\r\n\r\n")
	if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "plain HTTP only") || !strings.Contains(got, "http://why403.test/") {
		t.Errorf("CONNECT: got %q", got)
	}
	p = l.dial()
	p.send("\x05\x01\x00" + socksTo("why403.test:443"))
	if got := p.all(); got != "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00" {
		t.Errorf("SOCKS5: got %q", got)
	}
	for id := range flow.ID(2) {
		if f := l.tape.done(t, id+1).flow; f.Kind != flow.Rejected || f.URL() != "https://why403.test" && f.URL() != "https://why403.test/" || !strings.Contains(f.Err.Text, "this proxy itself") {
			t.Errorf("recorded %s %v", f.Kind, f.Err)
		}
	}
	p = l.dial() // the port itself is not the place, whatever a name server says
	p.send(get("", "/ca.pem", "why403.test"))
	if got := p.all(); strings.Contains(got, "BEGIN CERTIFICATE") || !strings.Contains(got, "Send traffic through it") {
		t.Errorf("the port itself: got %q", got)
	}
}
