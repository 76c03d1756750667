package proxy

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/why403/why403/flow"
)

// What is ignored goes through as if nobody were there: nothing is recorded, and TLS is the server's own.
func TestIgnoredHostsAreRelayedAndNotRecorded(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o, got := l.echoing(config)
		_, port, _ := net.SplitHostPort(o.addr)
		for _, addr := range []string{o.addr, "localhost:" + port} { // the second is known by its SNI alone
			var p *peer
			target := "http://" + addr + "/a|b%zz"
			if config == nil {
				if addr != o.addr {
					continue
				}
				p = l.dial()
			} else {
				c := tls.Client(l.connect(addr).Conn, &tls.Config{RootCAs: l.origins.pool, ServerName: "app.test"})
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				p, target = newPeer(c), "/a|b%zz"
			}
			p.send(oddRequest(target, addr))
			if m, _ := p.message(); m != oddAnswer {
				t.Errorf("the client got %q", m)
			}
			if m, want := <-got, oddRequest("/a|b%zz", addr); m != want {
				t.Errorf("the origin got %q, not %q", m, want)
			}
			p.Close()
		}
		l.stop()
		if n := l.tape.count(); n != 0 {
			t.Errorf("%d flows recorded", n)
		}
	}, func(o *Options) { o.Ignore = []string{"127.0.0.1", "app.test"} })
}

// A certificate that opens doors is not lent to other users of the machine.
func TestOtherUsersAreTurnedAway(t *testing.T) {
	if !CanTellUsers() {
		if _, err := New(Options{Store: newMemory(), CA: newLab(t).ca, SameUser: true}); err == nil {
			t.Error("a promise that cannot be kept is made")
		}
		t.Skip("this system does not tell users")
	}
	var answer atomic.Pointer[func(netip.AddrPort, netip.AddrPort) (int, bool)]
	real := userOf
	answer.Store(&real)
	l := newLab(t, func(o *Options) {
		o.SameUser = true
		o.userOf = func(client, local netip.AddrPort) (int, bool) { return (*answer.Load())(client, local) }
	})
	o := l.origin(nil, okOrigin)
	for _, c := range []struct {
		name   string
		uid    int
		known  bool
		answer string
	}{
		{"ourselves", os.Getuid(), true, "HTTP/1.1 200 "},
		{"root", 0, true, "HTTP/1.1 200 "},
		{"somebody else", os.Getuid() + 1, true, "HTTP/1.1 400 "},
		{"nobody knows", 0, false, "HTTP/1.1 400 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := func(netip.AddrPort, netip.AddrPort) (int, bool) { return c.uid, c.known }
			answer.Store(&said)
			id := flow.ID(l.tape.count() + 1)
			p := l.dial()
			p.send(get("http://"+o.addr, "/", o.addr))
			m, _ := p.message()
			f := l.tape.done(t, id).flow
			if !strings.HasPrefix(m, c.answer) || strings.Contains(c.answer, "400") != (f.Kind == flow.Rejected && strings.Contains(m, Mark+": "+string(otherUser))) {
				t.Errorf("got %q, recorded %s %v", m, f.Kind, f.Err)
			}
		})
	}
	answer.Store(&real)
	p := l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	if m, _ := p.message(); !strings.HasPrefix(m, "HTTP/1.1 200 ") {
		t.Errorf("the test itself is taken for somebody else: %q", m)
	}
}

// An exchange says which kind of tunnel it came through.
func TestTunnelIsNamed(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, okOrigin)
		for i, open := range []func() *peer{
			func() *peer { return l.connect(o.addr) },
			func() *peer { return l.socks(l.dial(), o.addr) },
		} {
			p := open()
			if config != nil {
				p = l.secure(p, "app.test", "http/1.1")
			}
			p.send(get("", "/", o.addr))
			p.message()
			f := l.tape.done(t, flow.ID(i+1)).flow
			if want := []string{"CONNECT", "SOCKS5"}[i]; f.Conn.Tunnel != want {
				t.Errorf("tunnel %q, want %q", f.Conn.Tunnel, want)
			}
		}
	})
}
