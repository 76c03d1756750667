package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// short is usual with one limit made short.
func short(change func(*limits)) limits {
	l := usual
	change(&l)
	return l
}

const moment = 20 * time.Millisecond

func TestAHeadThatTakesTooLong(t *testing.T) {
	l := newLabWith(t, short(func(l *limits) { l.head = moment }))
	p := l.dial()
	p.send("GET http://x/ HTTP/1.1\r\n")
	if got := p.all(); !strings.Contains(got, "X-Why403: head-incomplete\r\n") || !strings.Contains(got, "was not finished within 20ms") {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 1).flow; f.Kind != flow.Rejected || f.Err == nil {
		t.Errorf("recorded %s %v", f.Kind, f.Err)
	}
}

func TestAnIdleClientIsLetGo(t *testing.T) {
	l := newLabWith(t, short(func(l *limits) { l.idle, l.upstreamIdle = 2*moment, moment }))
	o := l.origin(nil, okOrigin)
	p := l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	if got := p.all(); !strings.HasSuffix(got, "ok") {
		t.Errorf("got %q", got)
	}
}

func TestAnIdleConnectionToAnOriginIsClosedBeforeItsClients(t *testing.T) {
	both(t, func(t *testing.T, _ *lab, config *tls.Config) {
		l := newLabWith(t, short(func(l *limits) { l.upstreamIdle = moment }))
		closed := make(chan bool, 2)
		o := l.origin(config, func(p *peer) { okOrigin(p); closed <- true })
		p, prefix := l.to(o)
		for range 2 {
			p.send(get(prefix, "/", o.addr))
			if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
				t.Errorf("got %q", m)
			}
			<-closed
		}
		if o.conns() != 2 {
			t.Errorf("%d connections", o.conns())
		}
	})
}

func TestAClientThatNeverSaysHello(t *testing.T) {
	l := newLabWith(t, short(func(l *limits) { l.hello = moment }))
	o := l.origin(l.origins.config(), okOrigin)
	p := l.connect(o.addr)
	p.send("\x16\x03\x01\x02\x00\x01")
	p.all()
	if f := l.tape.done(t, 1).flow; f.Kind != flow.Handshake || !strings.Contains(f.Err.Text, "did not finish") {
		t.Errorf("recorded %s %v", f.Kind, f.Err)
	}
}

// An origin that does not mind that the client ended its side may not hold the exchange for ever.
func TestAHalfClosedClientIsNotWaitedForForever(t *testing.T) {
	both(t, func(t *testing.T, _ *lab, config *tls.Config) {
		l := newLabWith(t, short(func(l *limits) { l.half = moment }))
		over := make(chan bool)
		o := l.origin(config, func(p *peer) {
			p.head()
			p.all() // the end of the client's side
			<-over
		})
		p, prefix := l.to(o)
		p.send(get(prefix, "/", o.addr))
		p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		f := l.tape.done(t, 1).flow
		close(over)
		if f.Err == nil || f.Err.Side != "client" || f.Err.Op != "abort" {
			t.Errorf("recorded %v", f.Err)
		}
	})
}

func TestAClientThatGoesAwayWhileWeDial(t *testing.T) {
	dialing, stopped := make(chan bool), make(chan bool)
	l := newLab(t, func(o *Options) {
		o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			close(dialing)
			<-ctx.Done()
			close(stopped)
			return nil, ctx.Err()
		}
	})
	p := l.dial()
	p.send(get("http://slow.test", "/", "slow.test"))
	<-dialing
	l.tape.wait(t, 1, func(r *recorded) bool { return true }) // shown while it waits
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
	<-stopped
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "client" || f.Err.Op != "abort" || f.Response != nil {
		t.Errorf("recorded %v %v", f.Err, f.Response)
	}
}

func TestAClientOfManyOriginsHoldsFewConnections(t *testing.T) {
	l := newLab(t)
	closed := make(chan error, maxUpstreams+1)
	p := l.dial()
	for range maxUpstreams + 1 {
		o := l.origin(nil, func(p *peer) {
			p.head()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			_, err := p.br.ReadByte()
			closed <- err
		})
		p.send(get("http://"+o.addr, "/", o.addr))
		if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
			t.Fatalf("got %q", m)
		}
	}
	if err := <-closed; err != io.EOF { // the oldest one's
		t.Errorf("no connection was closed: %v", err)
	}
}
