package proxy

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

// maxStreams is how many streams of one connection are recorded at once. No
// known server allows more than 1000; more are relayed all the same, and counted.
const maxStreams = 4096

// h2relay is an HTTP/2 connection of a client, joined to one with the origin.
// Each direction has a goroutine that reads, looks at what it read, writes it
// as it is, and then records it; so flow control, settings and compression stay
// between the two ends. Nobody waits for the other direction but where one
// stream is recorded.
type h2relay struct {
	c   *client
	up  *wire.Upstream
	rec Recorder

	client, origin h2way

	mu        sync.Mutex
	streams   map[uint32]*h2stream // that are not over
	highest   uint32               // stream that the client opened
	carried   int                  // streams seen
	uncounted int                  // of these, not recorded: there were too many at once
	opening   h2.Opening
	opened    string        // opening, when the first request has come
	failure   *flow.Failure // why the connection ended; the first one stands
	goodbye   string        // of the origin: why it ends the connection
	closing   bool          // no more than what is under way is delivered
	unread    *h2unread     // what is recorded once the streams cannot be told apart any more

	parted bool // the client was told to go on elsewhere; watchGate's
	anew   bool // an h2desk: what is sent is not the bytes that came
}

// h2way is one direction of an h2relay.
type h2way struct {
	l    *h2relay
	r    *wire.Reader
	out  wire.Outlet
	p    *h2.Parser
	said []h2said // by the bytes that are being moved
	n    int64    // bytes moved

	writing sync.Mutex  // held in the middle of a frame
	fault   error       // not to be passed on
	differs atomic.Bool // what was written is not what was read
}

// h2said is an event and the stream that it belongs to, if that is recorded.
type h2said struct {
	*h2.Event
	s *h2stream
}

func (c *client) newH2(up *wire.Upstream) *h2relay {
	l := &h2relay{c: c, up: up, rec: unrecorded{c.s.opt.Store, c.s, c.target}, streams: map[uint32]*h2stream{}}
	l.client.l, l.client.r = l, c.r
	l.client.p = h2.NewParser(true, l.client.take)
	if up != nil {
		l.client.out = wire.NewOutlet(up.Conn)
		l.origin.l, l.origin.r, l.origin.out = l, up.R, wire.NewOutlet(c.conn)
		l.origin.p = h2.NewParser(false, l.origin.take)
	}
	return l
}

// run moves both directions until both have ended. It closes the connections.
func (l *h2relay) run() {
	l.quiet(true)
	var both sync.WaitGroup
	both.Go(func() { l.origin.serve(l.originEnded) })
	stop := l.watchGate()
	l.client.serve(l.clientEnded)
	both.Wait()
	l.up.Close()
	l.c.tcp.Close() // a farewell that is being written ends
	stop()
	l.settle()
}

// serve moves one direction to its end, and says how it ended.
func (w *h2way) serve(ended func(error)) {
	defer func() {
		if p := recover(); p != nil { // the other direction must not go on alone
			w.l.c.s.opt.Log(fmt.Sprintf("panic while serving %s: %v\n%s", w.l.c.facts.Client, p, debug.Stack()))
			w.l.over("why403", "abort", "a fault in why403 ended this connection")
			w.l.c.tcp.Close()
			w.l.up.Close()
		}
	}()
	ended(w.move())
}

// move passes on what comes, until that cannot go on.
func (w *h2way) move() error {
	w.r.Cut()
	midway := false // in a frame, with writing held
	defer func() {
		if midway {
			w.writing.Unlock()
		}
	}()
	for {
		b := w.r.Buffered()
		if len(b) == 0 {
			if err := w.fill(); err != nil {
				return &wire.CopyError{Side: wire.Reading, Err: err}
			}
			continue
		}
		w.p.Parse(b)
		if w.fault != nil {
			return w.fault
		}
		if !midway {
			w.writing.Lock()
		}
		w.out.Begin(0)
		_, err := w.out.Write(b)
		w.n += int64(len(b))
		w.r.Discard(len(b))
		if _, left := w.out.Sums(); w.r.Cut() != left && err == nil {
			w.differs.Store(true)
		}
		if midway = !w.p.Between(); !midway {
			w.writing.Unlock()
		}
		w.tell() // the buffer is not touched before the next fill
		if err != nil {
			return &wire.CopyError{Side: wire.Writing, Err: err}
		}
	}
}

// fill waits for more. While no stream is open, no large buffer is held.
func (w *h2way) fill() error {
	if w.l.busy() {
		w.r.Grow()
		return w.r.FillReady() // frames that came together leave together
	}
	w.r.Release()
	return w.r.Fill()
}

// take is given the events of a piece before it is written, so that the other
// direction finds the streams that it opens.
func (w *h2way) take(e *h2.Event) {
	if e.Kind == h2.Malformed {
		w.fault = e.Err
		return
	}
	w.said = append(w.said, h2said{e, w.l.streamOf(w, e)})
}

// tell records what the piece said that was just written.
func (w *h2way) tell() {
	now := time.Now()
	for i, e := range w.said {
		w.l.record(w, e, now)
		w.said[i] = h2said{}
	}
	w.said = w.said[:0]
}

// record tells one event to those that it concerns.
func (l *h2relay) record(w *h2way, e h2said, now time.Time) {
	switch {
	case e.Kind == h2.Lost:
		l.lose(w, e.Err)
	case e.Kind == h2.Away:
		l.leaving(w, e.Event)
	case e.s == nil:
	case w == &l.client:
		e.s.fromClient(e.Event, now)
	default:
		e.s.fromOrigin(e.Event, now)
	}
}

// streamOf is the stream that e belongs to; nil where nothing is recorded of it.
func (l *h2relay) streamOf(w *h2way, e *h2.Event) *h2stream {
	fromClient := w == &l.client
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.unread != nil:
		return nil
	case fromClient && l.opened == "":
		l.open(e)
	}
	switch e.Kind {
	case h2.Head:
		if fromClient && e.Stream > l.highest {
			l.highest = e.Stream
			return l.begin(e)
		}
	case h2.Push:
		if !fromClient {
			return l.begin(e)
		}
	case h2.Content, h2.Reset:
	default:
		return nil
	}
	return l.streams[e.Stream]
}

// open notes what the client says before its first request.
func (l *h2relay) open(e *h2.Event) {
	switch {
	case e.Kind == h2.Tune && l.opening.Settings == nil:
		l.opening.Settings = e.Settings
	case e.Kind == h2.Grant && e.Stream == 0 && l.opening.Window == 0:
		l.opening.Window = e.Increment
	case e.Kind == h2.Head:
		l.opening.Priorities = e.Weighted
		l.opening.Order = h2.ReadRequest(e.Fields).Order
		l.opened = l.opening.String()
	}
}

// begin makes the stream that e opens. l.mu is held.
func (l *h2relay) begin(e *h2.Event) *h2stream {
	l.carried++
	if len(l.streams) >= maxStreams {
		l.uncounted++
		return nil
	}
	s := l.newStream(e, l.carried > 1)
	l.streams[e.Stream] = s
	if len(l.streams) == 1 {
		l.quiet(false)
	}
	return s
}

// remove forgets a stream that is over.
func (l *h2relay) remove(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, id)
	if len(l.streams) == 0 {
		l.quiet(true)
	}
}

func (l *h2relay) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams) > 0
}

// quiet is told when the first of the open streams begins and when the last
// ends: a connection without any is closed after limits.idle, and at once by
// Shutdown.
func (l *h2relay) quiet(idle bool) {
	var until time.Time
	if idle {
		until = time.Now().Add(l.c.s.limits.idle)
	}
	if !l.c.s.setIdle(l.c.tcp, idle) && idle {
		until = longAgo
	}
	if !l.closing {
		l.c.conn.SetReadDeadline(until)
	}
}

// conn is what the exchanges on the two connections have in common.
func (l *h2relay) conn() flow.Conn {
	f := l.c.facts
	f.Process = l.c.who.known()
	f.Target, f.Upstream = l.c.target, l.c.way(l.c.target)
	if l.up != nil {
		f.Origin, f.OriginTLS = l.up.RemoteAddr().String(), l.up.TLS
	}
	return f
}

// serveH2 serves a client that began an HTTP/2 connection.
func (c *client) serveH2() {
	key := c.scheme + " " + c.target
	up, t := c.ups[key], c.broken
	delete(c.ups, key)
	switch {
	case up != nil || t != nil:
	case c.login:
		t = c.onlyTheClient()
	default:
		up, t = c.dialH2()
	}
	if t != nil {
		c.answerH2(t)
		return
	}
	if c.interceded() || c.remakes() {
		c.newDesk(up).run()
		return
	}
	c.newH2(up).run()
}

// dialH2 makes a connection to the target that can speak HTTP/2.
func (c *client) dialH2() (*wire.Upstream, *wire.Trouble) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.gone.start(watchDelay, func(error) { cancel() })
	defer c.gone.stop()
	up, t := c.s.dialer.Connect(ctx, c.target)
	if t != nil || c.scheme != "https" {
		return up, t
	}
	hello := helloFor(c.target)
	hello.Protocols = []string{protoH2}
	if t := c.s.dialer.Secure(ctx, up, c.target, *hello); t != nil {
		return nil, t
	}
	if up.TLS.ALPN != protoH2 {
		up.Close()
		return nil, wire.NoH2(c.target)
	}
	return up, nil
}
