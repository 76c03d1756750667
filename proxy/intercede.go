package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/proxy/wire"
)

// notSendable is the Reason of a message that cannot be sent as somebody has edited it.
const notSendable wire.Reason = "edited"

// intercede lets rules and breakpoints see the request before it is sent. An
// answer is what the client gets instead; nil: it is sent, as x now has it.
func (x *exchange) intercede(r *http.Request) *http.Response {
	g := &x.c.s.gate
	if !g.wants(filter.Requests) {
		return nil
	}
	ctx, cancel := x.untilGone()
	defer cancel()
	f := x.facts()
	read := once(x.readRequest)
	got := g.rewrite(f, filter.Requests, read)
	x.altered = append(x.altered, got.altered...)
	t := x.restate(f, got.flow)
	if got.delay > 0 && x.failed() == nil {
		x.c.gone.start(0, x.clientGone)
		pause(ctx, got.delay)
		x.c.gone.stop()
	}
	if got.answer != nil && t == nil && x.failed() == nil {
		return x.answerFor(r, got.answer, read)
	}
	if t == nil && x.failed() == nil && g.hold.Wants(filter.Requests) {
		f = got.flow
		got = g.wait(ctx, f, filter.Requests, read, func() flow.ID {
			x.c.gone.start(0, x.clientGone) // the body has been read by now
			return x.begin()
		})
		x.c.gone.stop()
		x.altered = append(x.altered, got.altered...)
		if got.dropped {
			return x.droppedByUser()
		}
		t = x.restate(f, got.flow)
	}
	switch {
	case x.failed() != nil:
		return x.fail(x.badBody())
	case t != nil:
		return x.fail(t)
	}
	return nil
}

// untilGone is a context that ends when the client goes away.
func (x *exchange) untilGone() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(x.c.ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel = cancel
	if x.failure != nil {
		cancel()
	}
	return ctx, cancel
}

// facts is the exchange as far as it has come, for filters and people.
func (x *exchange) facts() *flow.Flow {
	f := &flow.Flow{Kind: x.kind, Scheme: x.scheme, Authority: x.authority, Request: x.req.Message(), Conn: x.conn, Times: x.times, Altered: slices.Clone(x.altered)}
	length(f.Request, x.req.Length)
	if x.resp != nil {
		f.Response = x.resp.Message()
		length(f.Response, x.resp.Length)
		if b := &f.Request.Body; x.upload == nil {
			b.Size, b.Kept = x.body.Size, x.body.Size
		}
	}
	return f
}

// length says how large a body will be, where its head says it.
func length(m *flow.Message, n int64) {
	if m.Body.Framing == flow.ByLength {
		m.Body.Size, m.Body.Kept = n, n
	}
}

// readRequest reads the request's body ahead, into m.
func (x *exchange) readRequest(m *flow.Message) error {
	if x.body.Done() {
		return nil
	}
	conn := x.c.conn
	if whole, _ := x.body.Ahead(x.c.r); !whole && x.req.Minor > 0 && x.req.Header.HasToken("Expect", "100-continue") {
		// The body comes only after this (RFC 9110, 10.1.1); the server's own will not be passed on.
		x.altered = append(x.altered, "answered Expect: 100-continue in the server's place, to see the body")
		x.continued = true
		if _, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			x.clientGone(err)
			return err
		}
	}
	conn.SetReadDeadline(time.Now().Add(x.c.s.limits.ahead))
	a, err := x.body.ReadAhead(x.c.r, bodyAhead)
	conn.SetReadDeadline(time.Time{})
	x.ahead = a
	m.Body.Data = a.Content
	m.Body.Size = max(m.Body.Size, int64(len(a.Content)))
	m.Body.Kept = m.Body.Size
	var ce *wire.CopyError
	switch {
	case errors.As(err, &ce) && ce.Side == wire.Malformed:
		x.malformed(ce.Err)
	case errors.As(err, &ce):
		x.clientGone(ce.Err)
	}
	return x.lack(x.body, a, err)
}

// lack says why a body is not whole.
func (x *exchange) lack(b *wire.Body, a wire.Ahead, err error) error {
	switch {
	case err != nil && isTimeout(err):
		return fmt.Errorf("it did not come whole within %s", x.c.s.limits.ahead)
	case err != nil:
		return err
	case !b.Done(), len(a.Content) > bodyAhead:
		return fmt.Errorf("it is larger than %d MiB", bodyAhead>>20)
	}
	return nil
}

// restate makes x what f says, which was was before. The trouble is why that cannot be sent.
func (x *exchange) restate(was, f *flow.Flow) *wire.Trouble {
	if f.Scheme != x.scheme || f.Authority != x.authority {
		x.scheme, x.authority = f.Scheme, f.Authority
		x.target = flow.HostPort(f.Scheme, f.Authority)
		x.conn.Target, x.conn.Upstream = x.target, x.c.way(x.target)
		x.moved = true
	}
	if f.Request == was.Request {
		return nil
	}
	q, fault := x.req.Edit(f.Request)
	if fault != nil {
		return unsendable("request", fault.Text)
	}
	data := f.Request.Body.Data
	if !bytes.Equal(data, x.ahead.Content) || q.Framing != x.req.Framing {
		if !x.body.Done() {
			return unsendable("request", "its body was not read whole, and cannot be framed in another way")
		}
		x.ahead = wire.Ahead{Raw: x.body.Replace(q.Framing, data), Content: data}
	}
	if x.body.Done() && q.Framing == flow.ByLength && q.Length != int64(len(data)) {
		x.last() // a length that is wrong on purpose: where the next request begins, nobody knows
	}
	x.req, x.restated = q, true
	return nil
}

func unsendable(what, why string) *wire.Trouble {
	return &wire.Trouble{Reason: notSendable, Failure: flow.Failure{Side: "why403", Op: "parse", Text: fmt.Sprintf("the %s cannot be sent as it was edited: %s", what, why)},
		Hint: "edit it again, or let it go as it came"}
}

// last makes this the last exchange of the client's connection.
func (x *exchange) last() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.final = true
}

// droppedByUser ends the exchange without an answer.
func (x *exchange) droppedByUser() *http.Response {
	x.stopUpload()
	x.c.gone.stop()
	switch { // what was held is worth keeping
	case x.resp == nil && x.body.Done():
		x.body.Copy(io.Discard, x.c.r, nil, x.taped())
	case x.resp != nil && x.respBody.Done():
		tape := x.tape(flow.ResponseBody, x.recordHead)
		x.respBody.Follow(x.respAhead.Content, tape)
		x.respBody.Copy(io.Discard, x.up.R, nil, tape)
	}
	x.drop()
	x.silent = true
	t := &wire.Trouble{Failure: flow.Failure{Side: "why403", Op: "abort", Text: "dropped by you"}}
	return x.fail(t)
}

// answerFor makes m the answer, without asking a server.
func (x *exchange) answerFor(r *http.Request, m *flow.Message, read bodyReader) *http.Response {
	read(x.req.Message()) // the client is to have sent it all, and it is worth keeping
	x.sent = x.body.Copy(io.Discard, x.c.r, nil, x.taped())
	if x.failed() != nil || x.sent != nil {
		x.note("client", "abort", abandoned)
		return x.fail(x.badBody())
	}
	head := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", m.Status, m.Reason)
	for _, f := range m.Header {
		head = append(head, f.Line()...)
	}
	h := wire.ParseHead(append(head, "\r\n"...))
	p, fault := wire.ParseResponse(h, x.req.Method)
	if fault != nil {
		return x.fail(unsendable("answer", fault.Text))
	}
	x.resp, x.respBody = p, (&wire.Response{}).Body()
	if p.Framing != flow.NoBody {
		x.respAhead = wire.Ahead{Raw: x.respBody.Replace(p.Framing, m.Body.Data), Content: m.Body.Data}
	}
	x.times.FirstByte = time.Now()
	return x.respond(r, h)
}

// taped is the tape of the request's body, with what was read ahead on it.
func (x *exchange) taped() *wire.Tape {
	tape := x.tape(flow.RequestBody, x.begin)
	x.body.Follow(x.ahead.Content, tape)
	return tape
}

// intercedeBack lets rules and breakpoints see the answer before the client
// gets it. A response is what the client gets instead; nil: it gets what x now has.
func (x *exchange) intercedeBack() *http.Response {
	g := &x.c.s.gate
	if !g.wants(filter.Responses) || x.resp.Status == http.StatusSwitchingProtocols {
		return nil
	}
	ctx, cancel := x.untilGone()
	defer cancel()
	f := x.facts()
	read := once(x.readResponse)
	got := g.rewrite(f, filter.Responses, read)
	x.altered = append(x.altered, got.altered...)
	t := x.restateBack(f, got.flow, read)
	pause(ctx, got.delay)
	if t == nil && x.failed() == nil && g.hold.Wants(filter.Responses) {
		f = got.flow
		got = g.wait(ctx, f, filter.Responses, read, x.recordHead)
		x.altered = append(x.altered, got.altered...)
		if got.dropped {
			return x.droppedByUser()
		}
		t = x.restateBack(f, got.flow, read)
	}
	if f := x.failed(); f != nil && f.Side == "client" {
		x.giveUp()
		return x.fail(x.badBody())
	}
	if t == nil && x.garbled != nil {
		t = x.brokenBody(x.garbled)
	}
	if t != nil {
		x.giveUp()
		return x.fail(t)
	}
	return nil
}

// giveUp lets go of the origin's side.
func (x *exchange) giveUp() {
	x.drop()
	x.stopUpload()
	x.c.gone.stop()
}

// readResponse reads the answer's body ahead, into m.
func (x *exchange) readResponse(m *flow.Message) error {
	switch {
	case x.req.Method == http.MethodHead, x.resp.Status == http.StatusNoContent, x.resp.Status == http.StatusNotModified:
		return errors.New("an answer to HEAD, and 204 and 304, have none")
	case x.respBody.Done():
		return nil
	}
	if t, _ := decode.MediaType(x.resp.Header); strings.EqualFold(t, "text/event-stream") {
		return errors.New("it is a stream of events without an end")
	}
	x.up.Conn.SetReadDeadline(time.Now().Add(x.c.s.limits.ahead))
	a, err := x.respBody.ReadAhead(x.up.R, bodyAhead)
	x.up.Conn.SetReadDeadline(time.Time{})
	x.respAhead = a
	m.Body.Data = a.Content
	m.Body.Size = max(m.Body.Size, int64(len(a.Content)))
	m.Body.Kept = m.Body.Size
	var ce *wire.CopyError
	if errors.As(err, &ce) && ce.Side == wire.Malformed {
		x.garbled = ce.Err
	}
	return x.lack(x.respBody, a, err)
}

// restateBack makes x's answer what f says, which was was before.
func (x *exchange) restateBack(was, f *flow.Flow, read bodyReader) *wire.Trouble {
	if f.Response == was.Response {
		return nil
	}
	p, fault := x.resp.Edit(f.Response, x.req.Method)
	if fault != nil {
		return unsendable("answer", fault.Text)
	}
	data := f.Response.Body.Data
	if p.Framing == flow.UntilClose && x.resp.Framing == flow.NoBody && len(data) == 0 { // a status that now may have a body has none
		m := *f.Response
		m.Header = append(slices.Clone(m.Header), flow.Field{Name: "Content-Length", Value: "0"})
		if p, fault = x.resp.Edit(&m, x.req.Method); fault != nil {
			return unsendable("answer", fault.Text)
		}
	}
	if !bytes.Equal(data, x.respAhead.Content) || p.Framing != x.resp.Framing {
		if !x.respBody.Done() {
			if err := read(f.Response); err != nil {
				return unsendable("answer", "its body cannot be framed in another way: "+err.Error())
			}
			data = f.Response.Body.Data
		}
		if p.Framing == flow.NoBody {
			data = nil
		}
		x.respAhead = wire.Ahead{Raw: x.respBody.Replace(p.Framing, data), Content: data}
	}
	if x.respBody.Done() && p.Framing == flow.ByLength && p.Length != int64(len(data)) {
		x.last()
	}
	x.resp = p
	return nil
}
