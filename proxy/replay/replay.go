// Package replay sends a recorded request again, as it was or changed, and
// records the answer as a child of the flow that it came from.
//
// Each Send uses a connection of its own, never one of a client, and needs no
// other goroutine than the caller's and one that sends the body. Sends do not
// wait for each other. A Send lasts until the answer is complete, ctx is done,
// or the answer is larger than Options.MaxAnswer.
package replay

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

const (
	maxAnswer   = 256 << 20              // default of Options.MaxAnswer
	maxKept     = 16 << 20               // bytes of an answer's body in the flow that Send returns
	continueFor = 1 * time.Second        // how long a server may take to say 100 before the body is sent all the same (RFC 9110, 10.1.1; curl's figure)
	linger      = 100 * time.Millisecond // for the body's last bytes, when the answer came early
)

// Options configure a Sender.
type Options struct {
	Recorder wire.Recorder
	Roots    *x509.CertPool // nil: the system's
	Insecure bool
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: directly
	// Upstream is the proxy after us that every connection to an origin goes through; nil: none.
	Upstream *wire.Proxy
	// Identities are the certificates that origins get when they ask for one;
	// MinTLS and MaxTLS bound the versions that they are offered, 0 does not.
	Identities     wire.Identities
	MinTLS, MaxTLS uint16
	// MaxBody is how many bytes of a body are recorded; 0: all that the Recorder keeps.
	MaxBody int64
	// MaxAnswer is how many bytes of an answer's body are read; 0 is 256 MiB.
	MaxAnswer int64
}

// Sender sends requests again. It may be used by several goroutines.
type Sender struct {
	opt    Options
	dialer wire.Dialer
}

// New is a Sender.
func New(o Options) *Sender {
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = maxAnswer
	}
	return &Sender{o, wire.Dialer{Dial: o.Dial, Roots: o.Roots, Insecure: o.Insecure, Via: o.Upstream,
		Identities: o.Identities, MinTLS: o.MinTLS, MaxTLS: o.MaxTLS}}
}

// Send sends req to parent's scheme and authority and waits for the answer.
// What is sent is req: fields that still say what their raw line says go out
// as that line, the target and the order stay, a chunked body is sent chunked,
// and a Content-Length is sent as it stands. A request that came over HTTP/2
// goes out over HTTP/2, with the settings and the order of its client, unless
// the server does not agree to that.
//
// A request that cannot be sent gives an error and no flow, and nothing is
// recorded. An exchange that failed gives its flow and, as error, the flow's
// *flow.Failure. The flow's bodies are complete up to 16 MiB.
func (s *Sender) Send(ctx context.Context, parent *flow.Flow, req *flow.Message) (*flow.Flow, error) {
	if parent == nil || parent.Authority == "" || parent.Scheme != "http" && parent.Scheme != "https" {
		return nil, errors.New("replay: it is not known where to send the request: no http or https URL")
	}
	if _, _, ok := wire.SplitAuthority(parent.Authority); !ok { // it may come from somebody else's file
		return nil, fmt.Errorf("replay: %q is no host[:port]", parent.Authority)
	}
	m, err := build(req, parent.Authority)
	over1 := m
	if err != nil {
		return nil, err
	}
	if wantsH2(parent, req) {
		if m, err = buildH2(parent, req); err != nil {
			return nil, err
		}
	}
	e := &exchange{s: s, m: m, over1: over1, f: &flow.Flow{
		Parent: parent.ID, Kind: flow.Exchange, Origin: flow.FromReplay,
		Scheme: parent.Scheme, Authority: parent.Authority, Altered: m.altered,
	}}
	e.f.Times.Start = time.Now()
	e.f.Conn.Target = target(parent)
	if p := s.dialer.Way(e.f.Conn.Target); p != nil {
		e.f.Conn.Upstream = p.String()
	}
	e.begin()
	t := e.run(ctx)
	e.end(t)
	if e.f.Err != nil {
		return e.f, e.f.Err
	}
	return e.f, nil
}

// target is the address to connect to. A client that connected to an address
// and asked there for a name (curl --resolve) is followed.
func target(parent *flow.Flow) string {
	addr := flow.HostPort(parent.Scheme, parent.Authority)
	host, _, _ := net.SplitHostPort(addr)
	was, _, _ := net.SplitHostPort(parent.Conn.Target)
	if t := parent.Conn.ClientTLS; t != nil && t.ServerName == host && net.ParseIP(was) != nil {
		return parent.Conn.Target
	}
	return addr
}

// exchange is one Send under way.
type exchange struct {
	s     *Sender
	m     *message
	over1 *message // m, for a server that does not speak HTTP/2
	f     *flow.Flow

	restated bool   // m is over1, and was not at the beginning
	body     []byte // of the answer, at most maxKept
	size     int64

	resp     *wire.Response // over HTTP/1
	respBody *wire.Body

	answer     *flow.Message // over HTTP/2
	answerSize int64
}

func (e *exchange) begin() {
	e.f.Request = e.m.recorded
	first, request := *e.f, *e.m.recorded
	request.Body.Data = nil
	first.Request = &request
	e.f.ID = e.s.opt.Recorder.Begin(&first)
	data := e.m.recorded.Body.Data
	if len(data) == 0 {
		return
	}
	// Now, not when it is sent: also a request that found nobody is worth editing again.
	p := flow.Part{Kind: flow.RequestBody, At: time.Now(), Size: int64(len(data))}
	if keep := e.s.opt.MaxBody; keep > 0 && int64(len(data)) > keep {
		data = data[:keep]
	}
	p.Data = bytes.Clone(data)
	e.s.opt.Recorder.Append(e.f.ID, p)
}

// Append records a part and keeps the first of the answer's body for the flow that Send returns.
func (e *exchange) Append(id flow.ID, p flow.Part) {
	if p.Kind == flow.ResponseBody {
		e.size += max(p.Size, int64(len(p.Data)))
		e.body = append(e.body, p.Data[:min(len(p.Data), maxKept-len(e.body))]...)
	}
	e.s.opt.Recorder.Append(id, p)
}

func (e *exchange) Begin(*flow.Flow) flow.ID  { return e.f.ID }
func (e *exchange) End(flow.ID, flow.Outcome) {}

// run sends the request and reads the answer.
func (e *exchange) run(ctx context.Context) *wire.Trouble {
	connect := e.s.dialer.Connect
	if e.f.Scheme == "http" && e.m.fields == nil {
		connect = e.s.dialer.Forward
	}
	u, t := connect(ctx, e.f.Conn.Target)
	if t != nil {
		return t
	}
	if e.f.Scheme == "https" {
		host, _, _ := net.SplitHostPort(flow.HostPort("https", e.f.Authority))
		h := wire.Hello{Verify: host, Protocols: e.protocols()}
		if net.ParseIP(host) == nil {
			h.ServerName = host
		}
		if t := e.s.dialer.Secure(ctx, u, e.f.Conn.Target, h); t != nil {
			return t
		}
	}
	defer u.Close()
	e.f.Conn.Local, e.f.Conn.Origin, e.f.Conn.OriginTLS = u.LocalAddr().String(), u.RemoteAddr().String(), u.TLS
	e.f.Times.DNSDone, e.f.Times.ConnectStart = u.Times.DNSDone, u.Times.ConnectStart
	e.f.Times.ConnectDone, e.f.Times.TLSDone = u.Times.ConnectDone, u.Times.TLSDone
	if e.m.fields != nil {
		if e.f.Scheme == "http" || u.TLS.ALPN == protoH2 {
			return e.runH2(ctx, u)
		}
		e.m, e.restated = e.over1, true // which says so
		e.f.Request, e.f.Altered = e.m.recorded, e.m.altered
	}
	stop := context.AfterFunc(ctx, func() { u.Close() })
	defer stop()

	goOn := make(chan struct{}) // closed when the body may be sent
	sent := make(chan time.Time, 1)
	over := make(chan struct{}) // closed when nobody waits for the body any more
	go func() { sent <- e.send(u, goOn, over) }()
	h, err := e.receive(u, goOn)
	if e.resp == nil || e.resp.Status == 101 {
		u.Close()
	}
	select {
	case e.f.Times.RequestSent = <-sent:
	case <-time.After(linger): // the answer did not wait for the body
		close(over)
		u.Close()
		e.f.Times.RequestSent = <-sent
	}
	if err != nil {
		return e.trouble(ctx, h, err)
	}
	return nil
}

// protocols are what is offered to a server by ALPN.
func (e *exchange) protocols() []string {
	if e.m.fields != nil {
		return []string{protoH2, "http/1.1"}
	}
	return []string{"http/1.1"}
}

const protoH2 = "h2" // RFC 9113, 3.2

// send writes the request and returns when that was done.
func (e *exchange) send(u *wire.Upstream, goOn, over <-chan struct{}) time.Time {
	body, head := e.m.body, u.Head(e.m.head, wire.Absolute(e.f.Scheme, e.f.Authority, e.m.recorded.Target), "")
	if !e.m.expects {
		if err := wire.Write(u, head, body); err != nil {
			return time.Time{} // the answer, or its absence, tells
		}
		return time.Now()
	}
	if _, err := u.Write(head); err != nil {
		return time.Time{}
	}
	wait := time.NewTimer(continueFor)
	defer wait.Stop()
	select {
	case <-goOn:
	case <-wait.C:
	case <-over:
		return time.Time{}
	}
	if _, err := u.Write(body); err != nil {
		return time.Time{}
	}
	return time.Now()
}

// receive reads the answer to its end.
func (e *exchange) receive(u *wire.Upstream, goOn chan<- struct{}) (*wire.Head, error) {
	continued := false
	for {
		if len(u.R.Buffered()) == 0 {
			u.R.Grow()
			if err := u.R.Fill(); err != nil {
				return nil, err
			}
		}
		e.f.Times.FirstByte = time.Now()
		h, err := wire.ReadHead(u.R)
		if err != nil {
			return h, err
		}
		p, f := wire.ParseResponse(h, e.m.method)
		if f != nil {
			return h, f
		}
		if p.Interim() {
			e.f.Interim = append(e.f.Interim, p.Message())
			e.s.opt.Recorder.Append(e.f.ID, flow.Part{Kind: flow.InterimHead, At: time.Now(), Head: p.Message()})
			if p.Status == 100 && !continued {
				continued = true
				close(goOn)
			}
			continue
		}
		if u.Forwards && p.Status == 407 {
			return h, &refusedOnTheWay{u.ProxyWantsAuth(e.f.Conn.Target, h.Start)}
		}
		e.resp, e.respBody = p, p.Body()
		e.s.opt.Recorder.Append(e.f.ID, flow.Part{Kind: flow.ResponseHead, At: time.Now(), Head: p.Message()})
		tape := wire.NewTape(e, flow.ResponseBody, e.s.opt.MaxBody, func() flow.ID { return e.f.ID })
		return h, e.respBody.Copy(&limited{e.s.opt.MaxAnswer}, u.R, nil, tape)
	}
}

// refusedOnTheWay is a proxy after us that answered in the server's place.
type refusedOnTheWay struct{ trouble *wire.Trouble }

func (r *refusedOnTheWay) Error() string { return r.trouble.Text }

// limited throws away what it is given, up to a limit.
type limited struct{ left int64 }

var errTooLarge = errors.New("replay: the answer is too large")

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errTooLarge
	}
	return len(p), nil
}

// trouble says why the exchange did not come to its end.
func (e *exchange) trouble(ctx context.Context, h *wire.Head, err error) *wire.Trouble {
	if r := (*refusedOnTheWay)(nil); errors.As(err, &r) {
		return r.trouble
	}
	t := &wire.Trouble{Reason: wire.BrokenUpstream, Failure: flow.Failure{Side: "origin", Op: "read"}}
	switch {
	case ctx.Err() != nil:
		t.Side, t.Op, t.Text = "why403", "abort", "the replay was stopped: "+context.Cause(ctx).Error()
	case errors.Is(err, errTooLarge):
		t.Side = "why403"
		t.Text = fmt.Sprintf("the replay stopped reading after %d bytes of the answer", e.s.opt.MaxAnswer)
	case e.resp == nil:
		return wire.NoAnswer(e.f.Conn.Target, h, err, e.f.Conn.OriginTLS)
	default:
		t.Text = fmt.Sprintf("the answer ended after %d bytes: %s", e.respBody.Size, wire.Readable(err))
	}
	return t
}

// end completes the recording and the flow that Send returns.
func (e *exchange) end(t *wire.Trouble) {
	if t != nil {
		failure := t.Failure
		e.f.Err = &failure
	}
	e.f.Times.End = time.Now()
	o := flow.Outcome{Times: e.f.Times, Conn: e.f.Conn, Altered: e.f.Altered, Err: e.f.Err}
	if e.restated {
		request := *e.m.recorded
		request.Body.Data = nil
		o.Request = &request
	}
	switch {
	case e.answer != nil:
		o.Response = e.answer
		o.Response.Body.Size = e.answerSize
	case e.resp != nil:
		o.Response = e.resp.Message()
		o.Response.Body.Size, o.Response.Trailers = e.respBody.Size, e.respBody.Trailers()
	}
	if o.Response != nil {
		m := *o.Response
		m.Body.Data, m.Body.Kept = e.body, int64(len(e.body))
		e.f.Response = &m
	}
	e.s.opt.Recorder.End(e.f.ID, o)
}
