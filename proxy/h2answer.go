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
				out = e.s.answerWith(out, enc, a, &t.Failure)
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

// answerWith appends the frames of a to out, and records the answer and why it is ours.
func (s *h2stream) answerWith(out []byte, enc *h2.Encoder, a *answer, why *flow.Failure) []byte {
	m := a.message(s.req.Method)
	m.Proto, m.Head, m.Reason = h2.Proto, nil, ""
	m.Header = a.headerH2()
	head := append(flow.Header{{Name: ":status", Value: fmt.Sprint(a.status)}}, m.Header...)
	out = h2.AppendHeaders(out, s.id, m.Body.Size == 0, enc.Block(head))
	if m.Body.Size > 0 {
		out = h2.AppendFrame(out, h2.Data, h2.FlagEndStream, s.id, m.Body.Data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reqBody.done {
		out = h2.AppendReset(out, s.id, h2.NoError) // RFC 9113, 8.1
	}
	body := m.Body.Data
	m.Body.Data = nil
	s.resp = m
	first := *m
	s.l.rec.Append(s.flow, flow.Part{Kind: flow.ResponseHead, At: time.Now(), Head: &first})
	s.content(&s.respBody, false, body)
	failure := *why
	s.end(&failure)
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
