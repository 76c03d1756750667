package proxy

import (
	"net"
	"strings"
	"sync"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

// h2stream is one exchange on an HTTP/2 connection, for the recording alone.
// What both directions touch is under mu, which is held while the recorder is
// told, so that it hears of a stream in order.
type h2stream struct {
	l   *h2relay
	id  uint32
	req h2.Request
	at  flow.Flow // as it begins

	mu       sync.Mutex
	flow     flow.ID
	begun    bool
	ended    bool
	resp     *flow.Message
	reqBody  h2body
	respBody h2body
	frames   bool   // a CONNECT that was agreed to: content is what the tunnel carries
	early    []byte // content of a CONNECT that was seen before its answer, at most earlyMost
	restated bool   // req is not what began
	times    flow.Timings
	altered  []string
}

const earlyMost = 64 << 10

// h2body is one side of a stream.
type h2body struct {
	watch    h2watch // of content; nil until some comes
	size     int64
	trailers flow.Header
	done     bool // END_STREAM was seen
}

// h2watch records content: a wire.Tape, or the messages of a WebSocket.
type h2watch interface {
	Add([]byte)
	Close()
}

func (b *h2body) close() {
	if b.watch != nil {
		b.watch.Close()
	}
}

// newStream is the stream that e, the head of a request, opens.
func (l *h2relay) newStream(e *h2.Event, reused bool) *h2stream {
	s := &h2stream{l: l, id: e.Stream, req: h2.ReadRequest(e.Fields)}
	s.times.Start = time.Now()
	s.at = flow.Flow{Kind: flow.Exchange, Scheme: l.c.scheme, Authority: l.c.authority, Conn: l.conn(), Times: s.times}
	if !l.c.inside { // on the proxy's own port: only the request says where it is to go
		s.at.Scheme, s.at.Authority = s.req.Scheme, flow.Canonical(s.req.Scheme, s.req.Authority)
		s.at.Conn.Target = flow.HostPort(s.at.Scheme, s.at.Authority)
	}
	s.at.Conn.Reused, s.at.Conn.HTTP2 = reused, l.opened
	if up := l.up; up != nil && !reused {
		s.times.DNSDone, s.times.ConnectStart = up.Times.DNSDone, up.Times.ConnectStart
		s.times.ConnectDone, s.times.TLSDone = up.Times.ConnectDone, up.Times.TLSDone
	}
	s.place()
	if !e.End {
		s.req.Body.Framing = flow.UntilClose
	}
	if e.Cut {
		s.altered = append(s.altered, "passed on whole, but recorded without its last fields: the header is too large")
	}
	s.at.Request, s.at.Altered = s.req.Message, s.altered
	return s
}

// place says where the request was meant to go. What the pseudo-header fields
// say beyond what the connection says already stays visible, in front of the header.
func (s *h2stream) place() {
	var odd flow.Header
	if q := s.req.Authority; q != "" {
		switch a := flow.Canonical(s.at.Scheme, q); {
		case a == s.at.Authority:
		case s.l.covers(a):
			s.at.Authority = a // one connection for several names (RFC 9113, 9.1.1)
		default:
			odd.Add(":authority", q)
		}
	}
	if s.req.Scheme != "" && s.req.Scheme != s.at.Scheme {
		odd.Add(":scheme", s.req.Scheme)
	}
	s.req.Header = append(odd, s.req.Header...)
}

// covers reports whether the connection is good for authority, too: same port,
// and a name in the origin's certificate.
func (l *h2relay) covers(authority string) bool {
	if l.up == nil || l.up.Leaf == nil {
		return false
	}
	host, port, err := net.SplitHostPort(flow.HostPort("https", authority))
	_, own, _ := net.SplitHostPort(l.c.target)
	return err == nil && port == own && l.up.Leaf.VerifyHostname(host) == nil
}

// fromClient records what the client said on the stream.
func (s *h2stream) fromClient(e *h2.Event, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	first := !s.begun
	s.begin()
	switch e.Kind {
	case h2.Head:
		if !first {
			s.reqBody.trailers = h2.ReadTrailers(e.Fields)
		}
	case h2.Content:
		if s.req.Method == "CONNECT" && s.resp == nil { // what it is, the answer says; that is recorded by the other direction
			s.early = append(s.early, e.Content[:min(len(e.Content), earlyMost-len(s.early))]...)
			break
		}
		s.content(&s.reqBody, true, e.Content)
	case h2.Reset:
		s.reset("client", e.Code)
		return
	}
	if e.End {
		s.reqBody.done = true
		s.times.RequestSent = now
		s.whole()
	}
}

// fromOrigin records what the origin said on the stream.
func (s *h2stream) fromOrigin(e *h2.Event, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.begin()
	switch e.Kind {
	case h2.Push:
		s.reqBody.done, s.times.RequestSent = true, now
		return
	case h2.Head:
		s.answered(e, now)
	case h2.Content:
		if s.resp != nil {
			s.content(&s.respBody, false, e.Content)
		}
	case h2.Reset:
		s.reset("origin", e.Code)
		return
	}
	if e.End {
		s.respBody.done = true
		s.whole()
	}
}

// answered records a header block of the origin: an interim or final head, or trailers.
func (s *h2stream) answered(e *h2.Event, now time.Time) {
	m := h2.ReadResponse(e.Fields)
	switch {
	case s.resp != nil:
		s.respBody.trailers = h2.ReadTrailers(e.Fields)
		return
	case m.Status >= 100 && m.Status < 200:
		s.l.rec.Append(s.flow, flow.Part{Kind: flow.InterimHead, At: now, Head: m})
		return
	}
	s.times.FirstByte = now
	s.resp = m
	if !e.End {
		m.Body.Framing = flow.UntilClose
	}
	if e.Cut {
		s.altered = append(s.altered, "the answer was passed on whole, but recorded without its last fields: its header is too large")
	}
	s.frames = s.req.Method == "CONNECT" && m.Status/100 == 2
	head := *m
	s.l.rec.Append(s.flow, flow.Part{Kind: flow.ResponseHead, At: now, Head: &head})
	s.content(&s.reqBody, true, s.early)
	s.early = nil
}

// content records a piece of content.
func (s *h2stream) content(b *h2body, fromClient bool, p []byte) {
	if len(p) == 0 {
		return
	}
	if b.watch == nil {
		b.watch = s.watch(fromClient)
	}
	b.watch.Add(p)
	if !s.frames {
		b.size += int64(len(p))
	}
}

// watch is what records the content from one side.
func (s *h2stream) watch(fromClient bool) h2watch {
	id := func() flow.ID { return s.flow }
	tape := func(kind flow.PartKind) *wire.Tape { return wire.NewTape(s.l.rec, kind, s.l.c.s.opt.MaxBody, id) }
	var t *wire.Tape
	switch {
	case s.frames && strings.EqualFold(s.req.Protocol, "websocket"): // RFC 8441, 5
		return wire.NewMessages(s.l.rec, decode.NewWebSocket(fromClient, s.resp.Header), id)
	case s.frames && fromClient:
		t = tape(flow.ClientFrame)
	case s.frames:
		t = tape(flow.OriginFrame)
	case fromClient:
		t = tape(flow.RequestBody)
		t.Watch(decode.Messages(s.req.Header, true))
	default:
		t = tape(flow.ResponseBody)
		t.Watch(decode.Messages(s.resp.Header, false))
	}
	return t
}

// fidelity tells whether what left is what came, as far as that is known: each
// piece that was moved had one checksum when it was read and when it was written.
func (s *h2stream) fidelity() (f flow.Fidelity) {
	result := func(w *h2way, b *h2body) flow.Sameness {
		switch {
		case s.l.up == nil || s.l.anew || !b.done:
			return flow.NotCompared
		case w.differs.Load():
			return flow.Differs
		}
		return flow.Same
	}
	f.Request = result(&s.l.client, &s.reqBody)
	if s.resp != nil {
		f.Response = result(&s.l.origin, &s.respBody)
	}
	return f
}

// begin tells the recorder that the stream has begun, once.
func (s *h2stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	f, request := s.at, *s.req.Message
	f.Request, f.Altered = &request, s.altered
	s.flow = s.l.rec.Begin(&f)
}

// reset ends a stream by an RST_STREAM. After a whole answer it only says that
// the rest of the request is not wanted (RFC 9113, 8.1).
func (s *h2stream) reset(side string, code h2.Code) {
	if s.respBody.done {
		s.end(nil)
		return
	}
	who, op := "client", "abort"
	if side == "origin" {
		who, op = "server", "read"
	}
	s.end(&flow.Failure{Side: side, Op: op, Text: "the " + who + " broke off this stream (RST_STREAM " + code.String() + ")"})
}

// whole ends the stream if both sides have said all.
func (s *h2stream) whole() {
	if s.reqBody.done && s.respBody.done {
		s.end(nil)
	}
}

// fail ends the stream before its end.
func (s *h2stream) fail(side, op, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.begin()
	if s.respBody.done { // the answer is whole, and stands
		s.end(nil)
		return
	}
	s.end(&flow.Failure{Side: side, Op: op, Text: text})
}

func (s *h2stream) alter(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.altered = append(s.altered, texts...)
}

// show records that the stream has begun, and gives its number.
func (s *h2stream) show() flow.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	return s.flow
}

// restate makes m the request that is sent.
func (s *h2stream) restate(m *flow.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Body.Data = nil
	s.req.Message, s.restated = m, true
}

// end completes the recording. s.mu is held.
func (s *h2stream) end(failure *flow.Failure) {
	s.ended = true
	s.times.End = time.Now()
	s.reqBody.close()
	s.respBody.close()
	o := flow.Outcome{Times: s.times, Conn: s.at.Conn, Altered: s.altered, Fidelity: s.fidelity(), Err: failure}
	if s.req.Body.Framing != flow.NoBody || s.restated {
		request := *s.req.Message
		request.Body.Size, request.Trailers = s.reqBody.size, s.reqBody.trailers
		o.Request = &request
	}
	if s.resp != nil {
		response := *s.resp
		response.Body.Size, response.Trailers = s.respBody.size, s.respBody.trailers
		o.Response = &response
	}
	s.l.c.conclude(s.l.rec, s.flow, o)
	s.l.remove(s.id)
}
