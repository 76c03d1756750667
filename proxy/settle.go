package proxy

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/proxy/wire"
)

// settle ends the exchange after its answer has moved as far as it could, and
// reports whether the client's connection can carry another.
func (x *exchange) settle() bool {
	if x.upload != nil {
		if x.received == nil && x.answer == nil && x.resp != nil && x.resp.Persistent() {
			x.awaitUpload()
		} else {
			x.drop()
			x.stopUpload()
		}
	}
	c := x.c
	c.gone.stop()
	keep := x.received == nil && x.answer == nil && x.resp != nil && x.resp.Persistent() &&
		x.sent == nil && x.body.Done() && x.req.Persistent()
	x.mu.Lock()
	keep = keep && !x.final
	x.mu.Unlock()
	x.compare()
	x.end()
	switch {
	case keep:
		if x.up != nil {
			c.keep(x.key, x.up)
		}
	case x.silent || x.received != nil:
	case !x.body.Done() || len(c.r.Buffered()) > 0:
		c.linger()
	}
	return keep
}

// keep puts u by for the next request.
func (c *client) keep(key string, u *wire.Upstream) {
	if len(u.R.Buffered()) > 0 { // more than was asked for: whose answer would that be?
		u.Close()
		delete(c.ups, key)
		return
	}
	u.R.Release()
	u.Last = time.Now()
	if len(c.ups) > 1 {
		c.dropIdle(u.Last)
	}
}

// awaitUpload lets the body of the request go on after an early answer, as it
// would without us, until it is through, one of the two ends closes, or the
// limit for an idle client is over.
func (x *exchange) awaitUpload() {
	origin := watch{conn: x.up.Conn, r: x.up.R}
	origin.start(0, func(error) { x.c.conn.SetReadDeadline(longAgo) })
	idle := time.AfterFunc(x.c.s.limits.idle, func() { x.c.conn.SetReadDeadline(longAgo) })
	<-x.upload
	idle.Stop()
	origin.stop()
	x.c.conn.SetReadDeadline(time.Time{})
}

// stopUpload stops the goroutine that sends the body, if there is one, and waits for it.
func (x *exchange) stopUpload() {
	if x.upload == nil {
		return
	}
	x.c.conn.SetReadDeadline(longAgo)
	<-x.upload
	x.c.conn.SetReadDeadline(time.Time{})
}

// cutShort notes why the answer did not reach the client whole, and lets the client see that it did not.
func (x *exchange) cutShort() {
	var ce *wire.CopyError
	if !errors.As(x.received, &ce) {
		return
	}
	switch ce.Side {
	case wire.Writing:
		x.note("client", "abort", abandoned)
		return
	case wire.Malformed:
		if !x.headOut { // nothing has been written yet
			x.fail(x.brokenBody(ce.Err))
			x.received = x.writeAnswer()
			return
		}
		x.note("origin", "parse", fmt.Sprintf("the body of the answer is broken: %s", ce.Err))
	default:
		x.blameHalfClose()
		text := fmt.Sprintf("the answer ended after %d bytes", x.respBody.Size)
		if x.resp.Framing == flow.ByLength {
			text += fmt.Sprintf(" of %d", x.resp.Length)
		}
		x.note("origin", "read", text+": "+wire.Readable(ce.Err))
	}
	// The client must not take what it got for the whole: no close_notify inside TLS, and a reset for a reset.
	if t, ok := x.c.tcp.(*net.TCPConn); ok && errors.Is(ce.Err, syscall.ECONNRESET) {
		t.SetLinger(0)
	}
	x.c.tcp.Close()
}

// brokenBody is the trouble with an answer whose body is not framed as it must be.
func (x *exchange) brokenBody(err error) *wire.Trouble {
	t := &wire.Trouble{Reason: wire.Garbage, Failure: flow.Failure{Side: "origin", Op: "parse"},
		Hint: "the server or something in front of it breaks the chunked coding (RFC 9112, 7.1)"}
	t.Text = fmt.Sprintf("%s sent a broken body: %s", x.target, err)
	return t
}

func (x *exchange) note(side, op, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failLocked(side, op, text)
}

// leave is deferred: also when serving the exchange panics, its recording must end.
func (x *exchange) leave() {
	if !x.returned {
		x.note("why403", "abort", "a fault in why403 ended this exchange")
		x.end()
	}
}

// record tells the recorder that the exchange has begun. See begin.
func (x *exchange) record() flow.ID {
	return x.store().Begin(&flow.Flow{
		Kind:      x.kind,
		Scheme:    x.scheme,
		Authority: x.authority,
		Request:   x.req.Message(),
		Times:     flow.Timings{Start: x.times.Start},
		Conn:      x.conn,
		Altered:   x.altered,
	})
}

// recordHead records the head of the origin's answer, once.
func (x *exchange) recordHead() flow.ID {
	id := x.begin()
	if !x.headOut {
		x.headOut = true
		x.store().Append(id, flow.Part{Kind: flow.ResponseHead, At: time.Now(), Head: x.resp.Message()})
	}
	return id
}

func (x *exchange) tape(kind flow.PartKind, open func() flow.ID) *wire.Tape {
	t := wire.NewTape(x.store(), kind, x.c.s.opt.MaxBody, open)
	switch kind {
	case flow.RequestBody:
		t.Watch(decode.Messages(x.req.Header, true))
	case flow.ResponseBody:
		t.Watch(decode.Messages(x.resp.Header, false))
	}
	return t
}

// end completes the recording, once, and lets go of what outlives the goroutine.
func (x *exchange) end() {
	if x.ended {
		return
	}
	x.ended = true
	x.mu.Lock()
	if x.half != nil {
		x.half.Stop()
	}
	x.live = nil
	failure := x.failure
	x.mu.Unlock()

	id := x.begin()
	o := flow.Outcome{Times: x.times, Conn: x.conn, Altered: x.altered, Fidelity: x.fidelity, Err: failure}
	o.Times.End = time.Now()
	if x.moved {
		o.Scheme, o.Authority = x.scheme, x.authority
	}
	if x.req.Framing != flow.NoBody || x.restated {
		o.Request = x.req.Message()
		o.Request.Body.Size, o.Request.Trailers = x.body.Size, x.body.Trailers()
	}
	switch {
	case x.kind == flow.Tunnel && x.answer == nil:
		o.Request = x.req.Message()
		o.Request.Body = flow.Body{Framing: flow.UntilClose, Size: x.relayedIn}
		o.Response = &flow.Message{Proto: "HTTP/1.1", Status: 200, Reason: "Connection established",
			Body: flow.Body{Framing: flow.UntilClose, Size: x.relayedOut}}
		if x.socks {
			o.Response.Proto, o.Response.Reason = x.req.Proto, "succeeded"
		}
	case x.answer != nil:
		if !x.silent {
			o.Response = x.answer.message(x.req.Method)
		}
	case x.resp != nil:
		o.Response = x.resp.Message()
		o.Response.Body.Size, o.Response.Trailers = x.respBody.Size, x.respBody.Trailers()
	}
	x.c.conclude(x.store(), id, o)
}
