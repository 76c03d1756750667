package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// client is one client connection, or the inside of a tunnel on one.
type client struct {
	s    *Server
	ctx  context.Context // of Serve
	tcp  net.Conn        // as accepted
	conn net.Conn        // what answers are written to: tcp or the TLS on it
	out  wire.Outlet     // to conn: where answers of origins leave
	r    *wire.Reader    // of conn
	gone watch           // of conn

	// inside is set in a tunnel, and on a port that stands for a server: every request goes to target.
	inside    bool
	reversed  bool // inside, without a tunnel
	scheme    string
	target    string      // host:port to connect to
	authority string      // as recorded
	hello     *wire.Hello // for TLS to target
	broken    *wire.Trouble
	login     bool // the client logged in to the proxy after us itself, for the one tunnel that this is the inside of

	who     *inquiry  // which process the client is
	facts   flow.Conn // what all exchanges here have in common
	ups     map[string]*wire.Upstream
	asked   bool  // a request, or what was to be one, has come; in a tunnel: inside it
	readErr error // why await gave up
}

func newClient(s *Server, ctx context.Context, conn net.Conn) *client {
	c := &client{s: s, ctx: ctx, tcp: conn, ups: map[string]*wire.Upstream{}}
	c.facts.Client, c.facts.Local = conn.RemoteAddr().String(), conn.LocalAddr().String()
	c.who = s.procs.who(conn)
	c.speak(conn)
	return c
}

// speak makes conn, with a fresh Reader, what this client is spoken to on.
func (c *client) speak(conn net.Conn) {
	c.conn, c.r, c.out = conn, wire.NewReader(conn), wire.NewOutlet(conn)
	c.gone = watch{conn: conn, r: c.r}
}

func (c *client) close() {
	c.gone.stop()
	for _, u := range c.ups {
		u.Close()
	}
	c.conn.Close()
}

// serve serves requests until the connection cannot go on.
func (c *client) serve() {
	if !c.inside && (!c.await() || !c.door()) {
		return
	}
	for c.await() && c.one() {
	}
}

// await waits for the first byte of the next request.
func (c *client) await() bool {
	if len(c.r.Buffered()) > 0 {
		return true
	}
	c.r.Release()
	if !c.s.setIdle(c.tcp, true) {
		return false
	}
	ok := false
	for _, d := range []time.Duration{c.s.limits.upstreamIdle, c.s.limits.idle - c.s.limits.upstreamIdle} {
		c.conn.SetReadDeadline(time.Now().Add(d))
		c.readErr = c.r.Fill()
		if ok = c.readErr == nil; ok || !isTimeout(c.readErr) {
			break
		}
		c.dropIdle(time.Now())
	}
	c.conn.SetReadDeadline(time.Time{})
	return c.s.setIdle(c.tcp, false) && ok
}

func (c *client) dropIdle(now time.Time) {
	for k, u := range c.ups {
		if now.Sub(u.Last) >= c.s.limits.upstreamIdle {
			u.Close()
			delete(c.ups, k)
		}
	}
}

// one serves one request and reports whether another may follow.
func (c *client) one() bool {
	start := time.Now()
	if first := !c.asked; first {
		c.asked = true
		if c.prefaced() {
			return c.h2()
		}
		if c.agreed(protoH2) {
			c.notH2(start, errPreface)
			c.linger()
			return false
		}
	}
	c.facts.Process = c.who.known()
	c.r.Cut()
	head, err := c.readHead()
	if err != nil {
		return c.noHead(start, head, err)
	}
	q, fault := wire.ParseRequest(head, !c.inside)
	if fault != nil {
		return c.reject(start, head, fault, hintRejected)
	}
	if c.stranger(q) {
		return c.turnAway(start, q)
	}
	x := c.newExchange(start, q)
	x.came.head, x.came.raw = c.r.Cut(), head.Raw
	if x.scheme != "" && isPlace(x.target) {
		return c.atPlace(x)
	}
	if _, fault := x.body.Ahead(c.r); fault != nil { // what has arrived of the body is broken already
		return c.reject(start, head, fault, hintRejected)
	}
	defer x.leave()
	c.s.front.serve(&responseWriter{x: x}, x.view())
	x.returned = true
	switch {
	case x.connect:
		return c.tunnel(x)
	case x.own:
		return c.answerOwn(x)
	}
	return x.settle()
}

func (c *client) readHead() (*wire.Head, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.s.limits.head))
	head, err := wire.ReadHead(c.r)
	c.conn.SetReadDeadline(time.Time{})
	return head, err
}

// noHead ends a connection on which no whole head came. Nothing at all, or an
// empty line or two, is how connections end; an unfinished head is worth a row.
func (c *client) noHead(start time.Time, head *wire.Head, err error) bool {
	var f *wire.Fault
	switch {
	case errors.As(err, &f):
	case head == nil:
		return false
	case isTimeout(err):
		f = &wire.Fault{Reason: wire.HeadCut, Text: "the head was not finished within " + c.s.limits.head.String()}
	default:
		f = &wire.Fault{Reason: wire.HeadCut, Text: "the connection ended in the middle of the head"}
	}
	return c.reject(start, head, f, hintRejected)
}

const hintRejected = "nothing was sent to the server; the row in why403 shows the bytes as they came"

// reject answers what cannot be passed on by a marked 400, records it with its raw head, and ends the connection.
func (c *client) reject(start time.Time, head *wire.Head, f *wire.Fault, hint string) bool {
	a := refusal(http.StatusBadRequest, f.Reason, f.Text, hint)
	c.conn.Write(a.bytes(""))
	c.rejected(start, head, f, a.message(""))
	c.linger()
	return false
}

// rejected records what could not be passed on.
func (c *client) rejected(start time.Time, head *wire.Head, f *wire.Fault, answer *flow.Message) {
	fl := &flow.Flow{Kind: flow.Rejected, Scheme: "http", Conn: c.facts, Times: flow.Timings{Start: start}}
	if c.authority != "" {
		fl.Scheme, fl.Authority = c.scheme, c.authority
	}
	fl.Request = rawMessage(head)
	fl.Conn.Target = c.target
	o := flow.Outcome{Response: answer, Conn: fl.Conn, Times: fl.Times,
		Err: &flow.Failure{Side: "client", Op: "parse", Text: f.Text}}
	o.Times.End = time.Now()
	c.conclude(c.s.opt.Store, c.s.opt.Store.Begin(fl), o)
}

// rawMessage is as much of a request as can be made out of a head that is none.
func rawMessage(h *wire.Head) *flow.Message {
	if h == nil {
		return &flow.Message{}
	}
	m := &flow.Message{Header: h.Header, Head: h.Raw}
	m.Method, m.Target, _ = strings.Cut(h.Start, " ")
	if i := strings.LastIndexByte(m.Target, ' '); i >= 0 {
		m.Target, m.Proto = m.Target[:i], m.Target[i+1:]
	}
	return m
}

// view is the request as goproxy sees it. The bytes that are sent are not made from it.
func (x *exchange) view() *http.Request {
	q := x.req
	u := &url.URL{Scheme: x.scheme, Host: x.target}
	switch {
	case q.Method == http.MethodConnect:
	case x.scheme == "":
		u.Path = q.Path
	default:
		u.Opaque = "//" + x.authority + q.Path // String gives the bytes as sent, whatever is in them
		u.Path, _, _ = strings.Cut(q.Path, "?")
		u.RawQuery = strings.TrimPrefix(q.Path[len(u.Path):], "?")
	}
	r := &http.Request{Method: q.Method, URL: u, Proto: q.Proto, ProtoMajor: 1, ProtoMinor: q.Minor, Header: httpHeader(q.Header),
		Host: q.Header.Get("Host"), Body: http.NoBody, ContentLength: q.Length, RemoteAddr: x.c.facts.Client, RequestURI: q.Target}
	if q.Framing == flow.Chunked {
		r.ContentLength = -1
	}
	return r.WithContext(context.WithValue(x.c.ctx, exchangeKey{}, x))
}

// httpHeader is h as net/http has it, for looking at. All values share one array.
func httpHeader(h flow.Header) http.Header {
	m := make(http.Header, len(h))
	values := make([]string, 0, len(h))
	for i := range h {
		name := http.CanonicalHeaderKey(h[i].Name)
		if _, dup := m[name]; dup {
			m[name] = append(m[name], h[i].Value)
			continue
		}
		values = append(values, h[i].Value)
		m[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return m
}

// linger lets the client read our last answer although it is still sending:
// closing at once would reset the connection and may lose the answer (RFC 9112, 9.6).
func (c *client) linger() {
	wire.CloseWrite(c.conn)
	if c.conn != c.tcp {
		wire.CloseWrite(c.tcp)
	}
	c.tcp.SetReadDeadline(time.Now().Add(c.s.limits.linger))
	io.CopyN(io.Discard, c.tcp, lingerBytes)
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
