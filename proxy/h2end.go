package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

// over notes why the connection ended.
func (l *h2relay) over(side, op, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		if l.c.ctx.Err() != nil {
			side, op, text = "why403", "abort", "why403 was stopped"
		}
		l.failure = &flow.Failure{Side: side, Op: op, Text: text}
	}
}

// lastWords are how long an end may take to read what was sent to it before its connection is closed.
func (l *h2relay) lastWords(conn net.Conn, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	conn.SetReadDeadline(time.Now().Add(d))
}

// clientEnded is told how the direction from the client ended.
func (l *h2relay) clientEnded(err error) {
	var ce *wire.CopyError
	switch {
	case !errors.As(err, &ce): // not to be passed on
		l.up.Close()
	case ce.Side == wire.Writing: // the origin is gone, or reads no more; what it sent may still be on its way to the client
		l.over("origin", "write", "the server closed the connection: "+wire.Readable(ce.Err))
		io.Copy(io.Discard, l.c.conn)
		l.up.Close()
	case ce.Err == io.EOF:
		l.over("client", "abort", abandoned)
		wire.CloseWrite(l.up.Conn)
		l.up.SetReadDeadline(time.Now().Add(l.c.s.limits.half))
	default:
		l.over("client", "abort", abandoned)
		l.up.Close()
	}
}

// originEnded is told how the direction from the origin ended.
func (l *h2relay) originEnded(err error) {
	var ce *wire.CopyError
	switch {
	case !errors.As(err, &ce):
	case ce.Side == wire.Writing:
		l.over("client", "abort", abandoned)
	default:
		text := "the server closed the connection before the answer was complete"
		if l.goodbye != "" {
			text += " (" + l.goodbye + ")"
		}
		if ce.Err != io.EOF {
			text += ": " + wire.Readable(ce.Err)
		}
		l.over("origin", "read", text)
		if t, ok := l.c.tcp.(*net.TCPConn); ok && errors.Is(ce.Err, syscall.ECONNRESET) {
			t.SetLinger(0) // a reset for a reset
			break
		}
		wire.CloseWrite(l.c.conn)
		if l.c.conn != l.c.tcp {
			wire.CloseWrite(l.c.tcp)
		}
		l.lastWords(l.c.conn, l.c.s.limits.linger)
		return
	}
	l.c.tcp.Close()
}

// leaving is told of a GOAWAY: what the origin did not begin to process has ended (RFC 9113, 6.8).
func (l *h2relay) leaving(w *h2way, e *h2.Event) {
	if w == &l.client {
		return
	}
	words := "GOAWAY " + e.Code.String()
	if len(e.Content) > 0 {
		words += fmt.Sprintf(", %q", clip(string(e.Content)))
	}
	var dropped []*h2stream
	l.mu.Lock()
	if e.Code != h2.NoError || len(e.Content) > 0 {
		l.goodbye = words
	}
	for id, s := range l.streams {
		if id > e.Last && id%2 == 1 {
			dropped = append(dropped, s)
		}
	}
	l.mu.Unlock()
	for _, s := range dropped {
		s.fail("origin", "read", "the server did not process this request: it is closing the connection ("+words+"); the client may send it again")
	}
}

// settle ends what was not over when the connection ended.
func (l *h2relay) settle() {
	l.mu.Lock()
	var open []*h2stream
	for _, s := range l.streams {
		open = append(open, s)
	}
	failure, unread, uncounted, goodbye := l.failure, l.unread, l.uncounted, l.goodbye
	l.closing = true
	l.mu.Unlock()
	for _, s := range open {
		s.fail(failure.Side, failure.Op, failure.Text)
	}
	switch {
	case unread != nil:
		unread.end(l)
	case l.carried == 0 && goodbye != "":
		l.c.rejected(time.Now(), nil, &wire.Fault{Text: "the server ended the HTTP/2 connection before a request: " + goodbye}, nil)
	}
	if uncounted > 0 {
		l.c.s.opt.Log(fmt.Sprintf("%d requests to %s were passed on and not recorded: more than %d at once on one connection", uncounted, l.c.authority, maxStreams))
	}
}

// h2unread is what is recorded of a connection whose streams cannot be told apart any more.
type h2unread struct {
	id flow.ID
	f  flow.Flow
}

// lose records the streams that are open as far as they were read, and the rest of the connection as a tunnel.
func (l *h2relay) lose(w *h2way, err error) {
	side := "client"
	if w == &l.origin {
		side = "origin"
	}
	var open []*h2stream
	l.mu.Lock()
	first := l.unread == nil
	if first {
		l.unread = &h2unread{}
	}
	for _, s := range l.streams {
		open = append(open, s)
	}
	l.mu.Unlock()
	if !first {
		return
	}
	const passed = "not read to its end: passed on as it came, because why403 lost track of the HTTP/2 connection"
	for _, s := range open {
		s.alter(passed)
		s.fail(side, "parse", passed+": "+err.Error())
	}
	u := l.unread
	u.f = flow.Flow{Kind: flow.Tunnel, Scheme: l.c.scheme, Authority: l.c.authority, Conn: l.conn(), Times: flow.Timings{Start: time.Now()},
		Request: &flow.Message{Proto: h2.Proto, Method: "CONNECT", Target: l.c.target, Body: flow.Body{Framing: flow.UntilClose}},
		Altered: []string{"not read: from here on, why403 could not follow what the " + side + " sent: " + err.Error()}}
	u.id = l.rec.Begin(&u.f)
}

func (u *h2unread) end(l *h2relay) {
	o := flow.Outcome{Times: u.f.Times, Conn: u.f.Conn, Altered: u.f.Altered, Request: u.f.Request}
	o.Times.End = time.Now()
	o.Request.Body.Size = l.client.n
	o.Response = &flow.Message{Proto: h2.Proto, Status: 200, Body: flow.Body{Framing: flow.UntilClose, Size: l.origin.n}}
	l.c.conclude(l.rec, u.id, o)
}

// farewell has the client of a relay open its next stream on another
// connection, one with a desk, when rules or breakpoints have come meanwhile.
func (l *h2relay) farewell() {
	if l.parted || !l.c.interceded() || !l.origin.writing.TryLock() { // in the middle of a frame, or lost: later
		return
	}
	l.parted = true
	defer l.origin.writing.Unlock()
	l.c.conn.Write(h2.AppendGoAway(nil, h2.MaxStreamID, h2.NoError, fmt.Sprintf("why403 now looks into requests to %s", l.c.authority)))
}

// gateEvery is how often a relay looks whether there are rules or breakpoints now.
const gateEvery = 250 * time.Millisecond

// watchGate says farewell when it is time to, until stop is called.
func (l *h2relay) watchGate() (stop func()) {
	if g := &l.c.s.gate; g.rules == nil && g.hold == nil {
		return func() {}
	}
	var mu sync.Mutex
	over := false
	mu.Lock()
	defer mu.Unlock()
	var t *time.Timer
	t = time.AfterFunc(gateEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if l.farewell(); !l.parted {
			t.Reset(gateEvery)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		t.Stop()
	}
}
