package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

// collect waits until content has come whole, as far as that is bounded.
func (s *h2held) collect(c *h2content, from *h2end, id *uint32, m *flow.Message) error {
	d := s.d
	late := false
	timer := time.AfterFunc(d.c.s.limits.ahead, func() {
		d.mu.Lock()
		late = true
		s.moved.Broadcast()
		d.mu.Unlock()
	})
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	s.await(func() bool {
		if n := int64(len(c.buf)) - c.ahead; n > 0 && !c.end && len(c.buf) <= bodyAhead { // the sender is not to wait for the receiver
			c.ahead = int64(len(c.buf))
			d.reply(from, func(b []byte) []byte {
				return h2.AppendWindowUpdate(h2.AppendWindowUpdate(b, 0, uint32(n)), *id, uint32(n))
			})
		}
		return c.end || c.lost || late || len(c.buf) > bodyAhead
	})
	c.seen = slices.Clone(c.buf)
	m.Body.Data = c.seen
	m.Body.Size = max(m.Body.Size, int64(len(c.buf)))
	m.Body.Kept = m.Body.Size
	switch {
	case len(c.buf) > bodyAhead:
		return fmt.Errorf("it is larger than %d MiB", bodyAhead>>20)
	case c.end:
		return nil
	case late:
		return fmt.Errorf("it did not come whole within %s", d.c.s.limits.ahead)
	}
	return errors.New("it did not come whole")
}

// facts is the stream as far as it has come, for filters and people.
func (s *h2held) facts(response *flow.Message) *flow.Flow {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	request := *s.rec.req.Message
	f := s.rec.at
	f.Request, f.Times, f.Altered = &request, s.rec.times, slices.Clone(s.rec.altered)
	size := func(m *flow.Message, moved int64) {
		if n, err := strconv.ParseInt(m.Header.Get("Content-Length"), 10, 64); err == nil && n >= 0 && m.Body.Framing != flow.NoBody {
			moved = n
		}
		m.Body.Size, m.Body.Kept = moved, moved
	}
	size(&request, s.rec.reqBody.size)
	if f.Response = response; response != nil {
		size(response, 0)
	}
	return &f
}

// prepare makes the changes to the request that are asked for whatever it is:
// the name of the server that the port stands for, and an id.
func (s *h2held) prepare() {
	c := s.d.c
	if is := c.authority; c.renames() {
		for i, f := range s.head.Fields {
			if f.Name == ":authority" && f.Value != is {
				s.rec.alter(hostAltered(f.Value, is))
				s.head.Fields[i].Value = is
				m := s.rec.req.Message.Clone()
				m.Header.Del(":authority")
				s.rec.restate(m)
			}
		}
	}
	if id := c.s.requestID(s.rec.req.Header); id != "" && s.rec.req.Method != http.MethodConnect {
		name := strings.ToLower(requestIDs[0])
		s.rec.alter(idAdded(id))
		s.head.Fields = append(s.head.Fields, hpack.HeaderField{Name: name, Value: id})
		m := s.rec.req.Message.Clone()
		m.Header.Add(name, id)
		s.rec.restate(m)
	}
}

// intercede lets rules and breakpoints see the request. Not ok: it is not to be sent.
func (s *h2held) intercede() (fields []hpack.HeaderField, ok bool) {
	g := &s.d.c.s.gate
	if !g.wants(filter.Requests) {
		return s.head.Fields, true
	}
	f := s.facts(nil)
	read := once(func(m *flow.Message) error { return s.collect(&s.ask, &s.d.near, &s.id, m) })
	got := g.rewrite(f, filter.Requests, read)
	s.rec.alter(got.altered...)
	fields, t := s.restate(f, got.flow, s.head.Fields)
	pause(s.ctx, got.delay)
	if got.answer != nil && t == nil {
		read(f.Request)
		s.drain()
		s.answerWith(got.answer, nil)
		return nil, false
	}
	if t == nil && s.ctx.Err() == nil {
		f = got.flow
		got = g.wait(s.ctx, f, filter.Requests, read, s.rec.show)
		s.rec.alter(got.altered...)
		if got.dropped {
			s.drain()
			s.drop()
			return nil, false
		}
		fields, t = s.restate(f, got.flow, fields)
	}
	if t != nil {
		s.drain()
		s.answerWith(nil, t)
		return nil, false
	}
	return fields, s.ctx.Err() == nil
}

// drain records the content that has come and will not be sent.
func (s *h2held) drain() {
	s.rec.show()
	s.d.mu.Lock()
	b, end := s.ask.buf, s.ask.end
	s.ask.buf, s.ask.own = nil, true
	s.d.mu.Unlock()
	s.rec.fromClient(&h2.Event{Kind: h2.Content, Content: b, End: end}, time.Now())
}

// drop ends the stream without an answer.
func (s *h2held) drop() {
	s.d.mu.Lock()
	if !s.over {
		s.over = true
		s.d.reply(&s.d.near, func(b []byte) []byte { return h2.AppendReset(b, s.id, h2.Cancel) })
		if s.oid != 0 {
			s.d.reply(&s.d.far, func(b []byte) []byte { return h2.AppendReset(b, s.oid, h2.Cancel) })
		}
		s.moved.Broadcast()
	}
	s.d.mu.Unlock()
	s.rec.fail("why403", "abort", "dropped by you")
}

// restate makes the request what f says, which was was before and went out as fields.
func (s *h2held) restate(was, f *flow.Flow, fields []hpack.HeaderField) ([]hpack.HeaderField, *wire.Trouble) {
	if f.Scheme != was.Scheme || f.Authority != was.Authority {
		return nil, unsendable("request", "over HTTP/2 it can only go to the server of its connection")
	}
	if f.Request == was.Request {
		return fields, nil
	}
	m := f.Request.Clone()
	m.Proto = h2.Proto
	if t := s.content(&s.ask, "request", m); t != nil {
		return nil, t
	}
	out := make([]hpack.HeaderField, 0, len(fields))
	for _, p := range fields {
		switch p.Name {
		case ":method":
			p.Value = m.Method
		case ":path":
			p.Value = m.Target
		case ":authority", ":scheme":
			if v, odd := m.Header.Lookup(p.Name); odd {
				p.Value = v
			}
		}
		if p.IsPseudo() {
			out = append(out, p)
		}
	}
	out = append(out, h2.Lower(&m.Header)...)
	s.rec.restate(m)
	return out, nil
}

// content makes c the content of m, if that says another.
func (s *h2held) content(c *h2content, what string, m *flow.Message) *wire.Trouble {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if bytes.Equal(m.Body.Data, c.seen) {
		return nil
	}
	if !c.end {
		return unsendable(what, "its body was not read whole, and cannot be replaced")
	}
	c.buf, c.seen, c.own = m.Body.Data, m.Body.Data, true
	if m.Body.Framing == flow.NoBody && len(c.buf) > 0 {
		m.Body.Framing = flow.UntilClose
	}
	return nil
}

// intercedeBack lets rules and breakpoints see the answer. Not ok: it is not to be passed on.
func (s *h2held) intercedeBack(e *h2.Event) (fields []hpack.HeaderField, ok bool) {
	g := &s.d.c.s.gate
	if !g.wants(filter.Responses) {
		return e.Fields, true
	}
	m := h2.ReadResponse(e.Fields)
	if !e.End {
		m.Body.Framing = flow.UntilClose
	}
	f := s.facts(m)
	read := once(func(m *flow.Message) error {
		if t, _ := decode.MediaType(m.Header); strings.EqualFold(t, "text/event-stream") {
			return errors.New("it is a stream of events without an end")
		}
		return s.collect(&s.back, &s.d.far, &s.oid, m)
	})
	got := g.rewrite(f, filter.Responses, read)
	s.rec.alter(got.altered...)
	fields, t := s.restateBack(f, got.flow, e.Fields)
	pause(s.ctx, got.delay)
	if t == nil && s.ctx.Err() == nil {
		f = got.flow
		got = g.wait(s.ctx, f, filter.Responses, read, s.rec.show)
		s.rec.alter(got.altered...)
		if got.dropped {
			s.drop()
			return nil, false
		}
		fields, t = s.restateBack(f, got.flow, fields)
	}
	if t != nil {
		s.answerWith(nil, t)
		return nil, false
	}
	return fields, s.ctx.Err() == nil
}

func (s *h2held) restateBack(was, f *flow.Flow, fields []hpack.HeaderField) ([]hpack.HeaderField, *wire.Trouble) {
	if f.Response == was.Response {
		return fields, nil
	}
	m := f.Response.Clone()
	if t := s.content(&s.back, "answer", m); t != nil {
		return nil, t
	}
	return append([]hpack.HeaderField{{Name: ":status", Value: strconv.Itoa(m.Status)}}, h2.Lower(&m.Header)...), nil
}

// answerWith answers in the server's place: as a rule says, or with what went wrong.
func (s *h2held) answerWith(m *flow.Message, t *wire.Trouble) {
	a := &answer{}
	var why *flow.Failure
	if t != nil {
		a, why = refusal(502, t.Reason, t.Text, t.Hint), &t.Failure
		m = a.message(s.rec.req.Method)
		m.Header = a.headerH2()
	} else {
		m = m.Clone()
		h2.Lower(&m.Header)
	}
	s.d.near.write(func(enc *h2.Encoder) []byte { return s.rec.answerWith(enc, m, why) })
	s.d.mu.Lock()
	s.over = true
	s.moved.Broadcast()
	if s.oid != 0 {
		s.d.reply(&s.d.far, func(b []byte) []byte { return h2.AppendReset(b, s.oid, h2.Cancel) })
	}
	s.d.mu.Unlock()
}
