package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

// answerH2 answers a client that speaks HTTP/2 in the place of an origin that
// was not reached: every request that comes gets the marked answer, and the
// connection ends with it.
func (c *client) answerH2(t *wire.Trouble) {
	status := http.StatusBadGateway
	if t.Side == "client" {
		status = http.StatusBadRequest
	}
	a := refusal(status, t.Reason, t.Text, t.Hint)
	l := c.newH2(nil)
	out := h2.AppendSettings(nil)
	enc := h2.NewEncoder()
	answered := false
	c.conn.SetReadDeadline(time.Now().Add(c.s.limits.head))
	for !answered {
		if len(c.r.Buffered()) == 0 {
			if err := c.r.Fill(); err != nil {
				break
			}
		}
		b := c.r.Buffered()
		l.client.p.Parse(b)
		now := time.Now()
		for _, e := range l.client.said {
			if e.Kind == h2.Tune {
				out = h2.AppendFrame(out, h2.Settings, h2.FlagAck, 0, nil)
			}
			if e.s == nil {
				continue
			}
			e.s.fromClient(e.Event, now)
			if e.Kind == h2.Head && !e.s.answeredByUs() {
				m := a.message(e.s.req.Method)
				m.Header = a.headerH2()
				out = append(out, e.s.answerWith(enc, m, &t.Failure)...)
				answered = true
			}
		}
		l.client.said = l.client.said[:0]
		if answered {
			out = h2.AppendGoAway(out, l.highest, h2.NoError, "")
		}
		if _, err := c.conn.Write(out); err != nil {
			break
		}
		out = out[:0]
		c.r.Discard(len(b))
		if l.client.fault != nil {
			c.notH2(now, l.client.fault)
			break
		}
	}
	l.over(t.Side, t.Op, t.Text)
	l.settle()
	c.linger()
}

func (s *h2stream) answeredByUs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// answerWith is the frames of an answer of ours, which it records. why is what
// went wrong; nil: nothing.
func (s *h2stream) answerWith(enc *h2.Encoder, m *flow.Message, why *flow.Failure) []byte {
	m.Proto, m.Head, m.Reason = h2.Proto, nil, ""
	body := m.Body.Data
	head := append(flow.Header{{Name: ":status", Value: fmt.Sprint(m.Status)}}, m.Header...)
	out := h2.AppendHeaders(nil, s.id, len(body) == 0, enc.Block(head))
	for rest := body; len(rest) > 0; {
		n, flags := min(len(rest), h2.LeastMaxSize), byte(0)
		if n == len(rest) {
			flags = h2.FlagEndStream
		}
		out = h2.AppendFrame(out, h2.Data, flags, s.id, rest[:n])
		rest = rest[n:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.begin()
	if !s.reqBody.done {
		out = h2.AppendReset(out, s.id, h2.NoError) // RFC 9113, 8.1
	}
	m.Body.Data = nil
	s.resp = m
	first := *m
	s.times.FirstByte = time.Now()
	s.l.rec.Append(s.flow, flow.Part{Kind: flow.ResponseHead, At: s.times.FirstByte, Head: &first})
	s.content(&s.respBody, false, body)
	s.respBody.done = true
	if why != nil {
		failure := *why
		why = &failure
	}
	s.end(why)
	return out
}

// notH2 records, and tells the client, that it agreed on HTTP/2 and speaks something else.
func (c *client) notH2(start time.Time, err error) {
	out := h2.AppendSettings(nil)
	c.conn.Write(h2.AppendGoAway(out, 0, h2.ProtocolError, err.Error()))
	b := c.r.Buffered()
	head := wire.ParseHead(append([]byte(nil), b[:min(len(b), 4<<10)]...))
	c.rejected(start, head, &wire.Fault{Reason: wire.BadVersion, Text: "the client agreed on HTTP/2 (ALPN h2): " + err.Error()}, nil)
}

var errPreface = errors.New("the connection does not begin as HTTP/2 does (RFC 9113, 3.4)")

// prefaced reports whether the client begins an HTTP/2 connection. It reads no
// further than to where that is clear.
func (c *client) prefaced() bool {
	c.conn.SetReadDeadline(time.Now().Add(c.s.limits.head))
	defer c.conn.SetReadDeadline(time.Time{})
	for {
		b := c.r.Buffered()
		n := min(len(b), len(h2.Preface))
		if string(b[:n]) != h2.Preface[:n] {
			return false
		}
		if n == len(h2.Preface) {
			return true
		}
		if c.r.Fill() != nil {
			return false
		}
	}
}

// agreed reports whether the client and we agreed on protocol when TLS began.
func (c *client) agreed(protocol string) bool {
	return c.conn != c.tcp && c.facts.ClientTLS != nil && c.facts.ClientTLS.ALPN == protocol
}

// h2 serves an HTTP/2 connection.
func (c *client) h2() bool {
	if c.inside {
		c.serveH2()
		return false
	}
	t := &wire.Trouble{Reason: notProxied, Failure: flow.Failure{Side: "client", Op: "parse", Text: "the client speaks HTTP/2 to the proxy's port itself"},
		Hint: "have it open a tunnel (CONNECT; curl: --proxytunnel), or start why403 with --mode reverse:URL"}
	c.answerH2(t)
	return false
}
