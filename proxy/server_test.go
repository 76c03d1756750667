package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/certs"
)

func TestNewWantsWhatItNeeds(t *testing.T) {
	ca, err := certs.Ephemeral(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{CA: ca}, {Store: newMemory()}} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "proxy: no ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestServeOnSeveralListeners(t *testing.T) {
	l := newLab(t)
	second, third := listen(t), listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.server.Serve(ctx, second, third) }()
	o := l.origin(nil, okOrigin)
	for _, addr := range []string{l.addr, second.Addr().String(), third.Addr().String()} {
		l.addr = addr
		p := l.dial()
		p.send(get("http://"+o.addr, "/", o.addr))
		if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
			t.Errorf("%s: got %q", addr, m)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := second.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}

// deaf is a listener that breaks.
type deaf struct {
	net.Listener
	err error
}

func (d *deaf) Accept() (net.Conn, error) { return nil, d.err }

func TestServeTellsWhyItCannotGoOn(t *testing.T) {
	l := newLab(t)
	other, broken := listen(t), &deaf{listen(t), errors.New("as arranged")}
	err := l.server.Serve(t.Context(), other, broken)
	if err == nil || !strings.Contains(err.Error(), "as arranged") {
		t.Errorf("Serve: %v", err)
	}
	if _, err := other.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other listener is still open: %v", err)
	}
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	l := newLab(t)
	seen := make(chan bool)
	o := l.origin(nil, func(p *peer) { p.head(); seen <- true; p.all() })
	p := l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	<-seen
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "why403" {
		t.Errorf("recorded %v", f.Err)
	}
	if err := l.server.Serve(t.Context(), listen(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	l.stop = func() {}
}

// Clients that go away at any moment leave nothing behind; the lab looks for what is left.
func TestManyClientsThatGoAway(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, okOrigin)
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				c, err := net.Dial("tcp", l.addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				if i%2 == 0 {
					c.(*net.TCPConn).SetLinger(0)
				}
				whole := get("http://"+o.addr, "/", o.addr) + request("POST", "http://"+o.addr+"/", o.addr, "Content-Length: 100000\r\n\r\nabc")
				if config != nil {
					whole = "CONNECT " + o.addr + " HTTP/1.1\r\n\r\n\x16\x03\x01\x00\xff"
				}
				c.Write([]byte(whole[:len(whole)*(i+1)/60]))
				if i%3 == 0 {
					c.SetReadDeadline(time.Now().Add(moment))
					c.Read(make([]byte, 10))
				}
			})
		}
		all.Wait()
	})
}
