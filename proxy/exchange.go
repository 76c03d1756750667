package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// exchange is one request on its way, and its answer on the way back. The
// goroutine that serves the client owns it; what others touch is under mu.
type exchange struct {
	c         *client
	req       *wire.Request
	scheme    string
	target    string // host:port to connect to
	authority string // as recorded

	returned bool // from goproxy: it did not panic
	connect  bool // goproxy says that this is a CONNECT
	own      bool // goproxy says that this names no server
	socks    bool // a CONNECT of SOCKS5
	ignored  bool // not recorded: see Options.Ignore

	up     *wire.Upstream
	key    string        // of up in client.ups
	broken *wire.Trouble // why the proxy after us opened no tunnel
	body   *wire.Body    // of the request
	upload chan struct{} // closed when the goroutine that sends the body ends; nil: there is none
	sent   error         // why the body was not sent whole; read it after upload is closed

	resp     *wire.Response
	respBody *wire.Body
	answer   *answer // ours, instead of resp
	silent   bool    // the connection is closed instead of answering
	received error   // why the answer did not reach the client whole

	credentials           []byte // the client's, for a proxy after us
	came                  arrival
	relayedIn, relayedOut int64 // bytes of an upgraded or opaque connection, from and to the client

	kind    flow.Kind
	begin   func() flow.ID // records the beginning, once
	headOut bool           // the answer's head is recorded
	ended   bool
	conn    flow.Conn
	times   flow.Timings
	altered []string

	fidelity flow.Fidelity

	// What rules and breakpoints have made of the two messages.
	ahead, respAhead wire.Ahead // what was read of the bodies before they are sent on, or stands in their place
	restated         bool       // the request's head is another
	moved            bool       // the request goes to another server than the client asked
	continued        bool       // we have told the client to send its body
	garbled          error      // what is wrong with the answer's body

	mu      sync.Mutex
	failure *flow.Failure      // the first one stands
	live    *wire.Upstream     // closed when the client goes
	cancel  context.CancelFunc // of the dial under way
	half    *time.Timer        // runs since the client closed its sending side
	final   bool               // the client's connection cannot be used again
}

func (c *client) newExchange(start time.Time, q *wire.Request) *exchange {
	x := &exchange{c: c, req: q, body: q.Body(), conn: c.facts}
	x.times.Start = start
	switch {
	case c.inside:
		x.scheme, x.target, x.authority = c.scheme, c.target, c.authority
	case q.Method == http.MethodConnect:
		x.target = q.Authority
	case q.Scheme != "":
		x.scheme, x.target = q.Scheme, flow.HostPort(q.Scheme, q.Authority)
		x.authority = flow.Canonical(q.Scheme, q.Authority)
	}
	x.conn.Target = x.target
	x.conn.Upstream = c.way(x.target)
	x.ignored = c.s.ignores(x.target)
	if x.conn.Upstream != "" {
		x.credentials = credentialsOf(q.Head.Header)
	}
	if q.Blank > 0 {
		x.altered = append(x.altered, "left out an empty line before the request")
	}
	if c.reversed && c.s.opt.RewriteHost {
		if was, changed := q.SetHost(c.authority); changed {
			x.altered = append(x.altered, hostAltered(was, c.authority))
		}
	}
	x.identify()
	x.begin = sync.OnceValue(x.record)
	return x
}

// roundTrip gets the answer to x's request, from the origin or, if that fails,
// from us. What it returns is a view; the bytes move when its Body is copied.
func (x *exchange) roundTrip(r *http.Request) *http.Response {
	if p := x.intercede(r); p != nil {
		return p
	}
	for {
		reused, t := x.connectUpstream()
		if t != nil {
			return x.fail(t)
		}
		x.up.R.Cut()
		x.c.out.Begin(0)
		x.send()
		h, err := x.receive()
		if err == nil && x.up.Forwards && x.resp.Status == http.StatusProxyAuthRequired && !x.passes407() {
			return x.fail(x.refusedOnTheWay(h))
		}
		if err == nil {
			if p := x.intercedeBack(); p != nil {
				return p
			}
			return x.respond(r, x.resp.Head)
		}
		again, t := x.unanswered(h, err, reused)
		if !again {
			return x.fail(t)
		}
	}
}

// connectUpstream finds or makes the connection to send on.
func (x *exchange) connectUpstream() (reused bool, _ *wire.Trouble) {
	c := x.c
	if c.broken != nil && !x.moved { // the dial that came before the client's handshake failed a moment ago
		t := c.broken
		c.broken = nil
		x.begin()
		return false, t
	}
	x.key = x.lane()
	if u := c.ups[x.key]; u != nil {
		if u.Alive() {
			u.Forwards = x.forwarder() != nil
			x.adopt(u)
			return u.Uses > 1, nil
		}
		u.Close()
		delete(c.ups, x.key)
	}
	if c.login && !x.moved {
		x.silent = true
		x.begin()
		return false, c.onlyTheClient()
	}
	u, t := x.dial(x.scheme == "https")
	if t != nil {
		return false, t
	}
	c.put(x.key, u)
	x.adopt(u)
	return false, nil
}

// put adds a connection to those of the client.
func (c *client) put(key string, u *wire.Upstream) {
	if len(c.ups) >= maxUpstreams {
		c.dropOldest()
	}
	c.ups[key] = u
}

// dial makes a connection to x's target, until the client goes away.
func (x *exchange) dial(secure bool) (*wire.Upstream, *wire.Trouble) {
	x.begin() // it may take long: show the request now
	ctx, cancel := context.WithCancel(x.c.ctx)
	defer cancel()
	x.mu.Lock()
	x.cancel = cancel
	x.mu.Unlock()
	x.c.gone.start(watchDelay, x.clientGone)
	defer x.c.gone.stop()
	connect := x.c.s.dialer.Connect
	if x.forwarder() != nil {
		connect = x.c.s.dialer.Forward
	}
	u, t := connect(ctx, x.target)
	if t != nil || !secure {
		return u, t
	}
	hello := x.c.hello
	if hello == nil || x.moved {
		hello = helloFor(x.target)
	}
	if t := x.c.s.dialer.Secure(ctx, u, x.target, *hello); t != nil {
		return nil, t
	}
	return u, nil
}

// way is the URL of the proxy that target is reached through, without credentials; "": directly.
func (c *client) way(target string) string {
	if p := c.s.dialer.Way(target); p != nil && target != "" {
		return p.String()
	}
	return ""
}

func (c *client) dropOldest() {
	oldest := ""
	for k, u := range c.ups {
		if oldest == "" || u.Last.Before(c.ups[oldest].Last) {
			oldest = k
		}
	}
	c.ups[oldest].Close()
	delete(c.ups, oldest)
}

// adopt makes u the connection of x.
func (x *exchange) adopt(u *wire.Upstream) {
	x.up = u
	x.conn.Reused = u.Uses > 0
	if u.Uses == 0 {
		x.times.DNSDone, x.times.ConnectStart = u.Times.DNSDone, u.Times.ConnectStart
		x.times.ConnectDone, x.times.TLSDone = u.Times.ConnectDone, u.Times.TLSDone
		x.conn.Resolved, x.conn.Tried = u.Resolved, u.Tried
	}
	u.Uses++
	x.conn.Origin, x.conn.OriginTLS = u.RemoteAddr().String(), u.TLS
	x.mu.Lock()
	x.live = u
	x.mu.Unlock()
}

// drop closes x's connection to the origin for good.
func (x *exchange) drop() {
	if x.up == nil {
		return
	}
	x.up.Close()
	if x.c.ups[x.key] == x.up {
		delete(x.c.ups, x.key)
	}
}

// send sends the request. A body that has arrived whole goes out with the
// head; any other is sent by a goroutine of its own, so that an answer that
// does not wait for it is not kept waiting either.
func (x *exchange) send() {
	tape := x.tape(flow.RequestBody, x.begin)
	whole := x.body.Done()
	if !whole {
		whole, _ = x.body.Ahead(x.c.r)
	}
	if whole {
		x.sendAll(tape)
		x.begin()
		x.c.gone.start(watchDelay, x.clientGone)
		return
	}
	x.upload = make(chan struct{})
	go func() {
		defer close(x.upload)
		x.sendAll(tape)
		var ce *wire.CopyError
		switch {
		case x.sent == nil:
			x.c.gone.start(watchDelay, x.clientGone)
		case errors.As(x.sent, &ce) && ce.Side == wire.Malformed:
			x.malformed(ce.Err)
			x.up.Close() // wakes receive
		case errors.As(x.sent, &ce) && ce.Side == wire.Reading:
			x.clientGone(ce.Err)
		}
	}()
	x.begin()
}

func (x *exchange) sendAll(tape *wire.Tape) {
	head := x.head()
	x.came.depart(x, head)
	if len(x.ahead.Raw) > 0 {
		x.body.Follow(x.ahead.Content, tape)
		head = append(slices.Clip(head), x.ahead.Raw...)
	}
	if x.sent = x.body.Copy(x.up, x.c.r, head, tape); x.sent == nil {
		x.times.RequestSent = time.Now()
	}
}

// head is the request's head as it is sent.
func (x *exchange) head() []byte {
	if !x.up.Forwards {
		return x.req.Bytes()
	}
	target := x.req.Target
	if x.req.Scheme == "" {
		target = wire.Absolute(x.scheme, x.authority, x.req.Path)
	}
	return x.up.Head(x.req.Bytes(), target, x.login())
}

// receive reads heads until the final one, and passes the interim ones on.
func (x *exchange) receive() (*wire.Head, error) {
	for {
		if len(x.up.R.Buffered()) == 0 {
			x.up.R.Grow()
			if err := x.up.R.Fill(); err != nil {
				return nil, err
			}
		}
		x.times.FirstByte = time.Now()
		h, err := wire.ReadHead(x.up.R)
		if err != nil {
			return h, err
		}
		p, f := wire.ParseResponse(h, x.req.Method)
		if f != nil {
			return h, f
		}
		if !p.Interim() {
			x.resp, x.respBody = p, p.Body()
			return h, nil
		}
		if p.Status != http.StatusContinue || !x.continued { // else the client has heard that from us
			if _, err := x.c.out.Write(h.Raw); err != nil {
				x.clientGone(err)
				return nil, err
			}
		}
		x.store().Append(x.begin(), flow.Part{Kind: flow.InterimHead, At: time.Now(), Head: p.Message()})
	}
}

// respond is the view of the origin's answer.
func (x *exchange) respond(r *http.Request, h *wire.Head) *http.Response {
	p := x.resp
	header := http.Header{}
	if p.Status != http.StatusSwitchingProtocols { // else goproxy would relay the upgraded connection, less well than we do
		header = httpHeader(h.Header)
	}
	return &http.Response{Status: h.Start[min(len(h.Start), 9):], StatusCode: p.Status, Proto: p.Proto, ProtoMajor: 1, ProtoMinor: p.Minor,
		Header: header, ContentLength: -1, Body: x, Request: r}
}

// unanswered decides what becomes of a request to which no answer came: it is
// sent again (once, if that can do no harm), or there is trouble to report.
func (x *exchange) unanswered(h *wire.Head, err error, reused bool) (again bool, _ *wire.Trouble) {
	x.drop()
	x.stopUpload()
	x.c.gone.stop()
	x.blameHalfClose()
	if x.failed() != nil { // the client is gone, or its body was malformed
		return false, x.badBody()
	}
	t := wire.NoAnswer(x.target, h, err, x.up.TLS)
	if t.Reason == wire.BrokenUpstream && reused {
		if x.req.Framing == flow.NoBody && idempotent(x.req.Method) {
			x.altered = append(x.altered, "sent the request again on a new connection: the origin had closed the one kept alive")
			x.up = nil
			return true, nil
		}
		// The client knows what it may repeat, and is to see what it would see without us: a kept connection that went away.
		x.silent = true
	}
	return false, t
}

// refusedOnTheWay is the trouble when the proxy after us, which we were to
// authenticate to, answers a request itself. The client knows nothing of that proxy.
func (x *exchange) refusedOnTheWay(h *wire.Head) *wire.Trouble {
	t := x.up.ProxyWantsAuth(x.target, h.Start)
	x.drop()
	x.stopUpload()
	x.c.gone.stop()
	x.resp = nil
	return t
}

// idempotent methods may be sent again by a proxy (RFC 9110, 9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// WriteTo moves the answer to the client. goproxy's io.Copy calls it.
func (x *exchange) WriteTo(io.Writer) (int64, error) {
	if x.answer != nil {
		x.received = x.writeAnswer()
		return 0, x.received
	}
	if x.resp.Status == http.StatusSwitchingProtocols {
		x.received = x.upgrade()
		return 0, x.received
	}
	x.received = x.relayAnswer()
	if x.received != nil {
		x.cutShort()
	}
	return x.respBody.Size, x.received
}

// relayAnswer moves the answer's head and body, what was read of it ahead first.
func (x *exchange) relayAnswer() error {
	tape, head := x.tape(flow.ResponseBody, x.recordHead), x.resp.Bytes()
	if len(x.respAhead.Raw) > 0 {
		x.respBody.Follow(x.respAhead.Content, tape)
		head = append(slices.Clip(head), x.respAhead.Raw...)
	}
	src := wire.NewReader(nil) // an answer that no server gave has nothing behind it
	if x.up != nil {
		src = x.up.R
	}
	return x.respBody.Copy(&x.c.out, src, head, tape)
}

// Read is never called: io.Copy prefers WriteTo.
func (x *exchange) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing: settle decides about the connections.
func (x *exchange) Close() error { return nil }

// clientGone is told that the client's connection ended (io.EOF: cleanly) while the exchange is under way.
func (x *exchange) clientGone(err error) {
	if isTimeout(err) { // we wanted to stop reading
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.final = true
	if err == io.EOF && x.half == nil {
		// It will send no more, but may still read. The origin is told the same, as it would be without us.
		if x.live != nil {
			wire.CloseWrite(x.live.Conn)
		}
		x.half = time.AfterFunc(x.c.s.limits.half, func() { x.clientGone(io.ErrUnexpectedEOF) })
		return
	}
	x.failLocked("client", "abort", abandoned)
	if x.cancel != nil {
		x.cancel()
	}
	if x.live != nil {
		x.live.Close()
	}
}

func (x *exchange) malformed(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.final = true
	var f *wire.Fault
	if errors.As(err, &f) {
		x.failLocked("client", "parse", f.Text)
	}
}

// blameHalfClose notes that the client ended the exchange, if it closed its
// sending side and the origin took that for the end.
func (x *exchange) blameHalfClose() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.half != nil {
		x.failLocked("client", "abort", abandoned)
	}
}

const abandoned = "the client closed the connection before the answer was complete"

func (x *exchange) failLocked(side, op, text string) {
	if x.failure == nil {
		if x.c.ctx.Err() != nil { // every connection is being closed
			side, op, text = "why403", "abort", "why403 was stopped"
		}
		x.failure = &flow.Failure{Side: side, Op: op, Text: text}
	}
}

func (x *exchange) failed() *flow.Failure {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failure
}
