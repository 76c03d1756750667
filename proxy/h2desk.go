package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

const (
	deskStreams = 100      // that a client may have open
	deskWindow  = 1 << 20  // bytes that a client may send ahead on a stream: a body that is to be held comes whole
	deskPool    = 16 << 20 // the same on the connection
	deskControl = 1 << 20  // bytes of small frames that wait for a peer to read them
)

// h2desk is an HTTP/2 connection whose messages may be held and changed, while
// there are rules or breakpoints. Both connections end here: each has its own
// flow control, compression and numbers of streams, so that a stream can wait
// while others pass. The origin still gets the client's settings, and the
// fields in the client's order; but it is not the client's bytes that it gets,
// and each flow says so.
//
// Two goroutines read, two write small frames, and two serve each stream. A
// content waits in memory at most as large as the receiver's windows, which are
// the client's own, or bodyAhead where it is to be seen whole.
type h2desk struct {
	*h2relay
	near, far h2end // the client's side and the origin's

	mu       sync.Mutex
	byClient map[uint32]*h2held
	byOrigin map[uint32]*h2held
	next     uint32 // number of the next stream to the origin
	most     int    // streams that the origin allows at once
	begun    bool   // the origin's connection has begun
	leaving  bool   // the origin takes no new streams
	broken   bool   // the connections are over
	serving  sync.WaitGroup
}

// h2end is one of the two connections of an h2desk.
type h2end struct {
	conn net.Conn
	r    *wire.Reader
	p    *h2.Parser

	writing sync.Mutex // whole frames, and compression in their order; taken before h2desk.mu
	enc     *h2.Encoder
	table   atomic.Int64 // that the other end allows enc; -1: as it is

	// Under h2desk.mu:
	moved   *sync.Cond // control is not empty, or the connections are over
	control []byte     // small frames to be written
	pool    int64      // content that the other end grants on the connection
	initial int64      // that it grants a stream at first
}

func (c *client) newDesk(up *wire.Upstream) *h2desk {
	d := &h2desk{h2relay: c.newH2(up), byClient: map[uint32]*h2held{}, byOrigin: map[uint32]*h2held{}, next: 1, most: deskStreams}
	d.anew = true
	d.near.moved, d.far.moved = sync.NewCond(&d.mu), sync.NewCond(&d.mu)
	d.near.start(c.conn, c.r, h2.NewParser(true, d.hearClient))
	d.far.start(up.Conn, up.R, h2.NewParser(false, d.hearOrigin))
	d.near.control = h2.AppendSettings(nil, h2.Setting{ID: h2.SettingMaxStreams, Value: deskStreams}, h2.Setting{ID: h2.SettingInitialWindowSize, Value: deskWindow})
	d.near.control = h2.AppendWindowUpdate(d.near.control, 0, deskPool-h2.FirstWindow)
	return d
}

func (e *h2end) start(conn net.Conn, r *wire.Reader, p *h2.Parser) {
	e.conn, e.r, e.p, e.enc = conn, r, p, h2.NewEncoder()
	e.pool, e.initial = h2.FirstWindow, h2.FirstWindow
	e.table.Store(-1)
}

// interceded reports whether rules or breakpoints want to see messages.
func (c *client) interceded() bool {
	return c.s.gate.wants(filter.Requests) || c.s.gate.wants(filter.Responses)
}

// remakes reports whether every request is to be changed.
func (c *client) remakes() bool { return c.renames() || c.s.opt.RequestID != nil }

// renames reports whether requests are to name another host than the client does.
func (c *client) renames() bool { return c.reversed && c.s.opt.RewriteHost }

// run serves the connection to its end.
func (d *h2desk) run() {
	d.quiet(true)
	var all sync.WaitGroup
	all.Go(func() { d.writeControl(&d.near) })
	all.Go(func() { d.writeControl(&d.far) })
	all.Go(func() { d.clientLeft(d.read(&d.near)) })
	all.Go(func() { d.originLeft(d.read(&d.far)) })
	all.Wait()
	d.serving.Wait()
	d.up.Close()
	d.settle()
}

func (d *h2desk) read(e *h2end) error {
	for {
		if d.busy() {
			e.r.Grow()
		} else {
			e.r.Release()
		}
		if err := e.r.Fill(); err != nil {
			return err
		}
		d.mu.Lock()
		e.p.Parse(e.r.Buffered())
		e.r.Discard(len(e.r.Buffered()))
		over := d.broken
		d.mu.Unlock()
		if over {
			return errDeskOver
		}
	}
}

var errDeskOver = errors.New("proxy: this HTTP/2 connection is over")

// writeControl writes the small frames for e as they come. When the connection
// is over, it writes what is left and closes it.
func (d *h2desk) writeControl(e *h2end) {
	for {
		d.mu.Lock()
		for (len(e.control) == 0 || e == &d.far && !d.begun) && !d.broken {
			e.moved.Wait()
		}
		over := d.broken
		d.mu.Unlock()
		err := e.write(func(*h2.Encoder) []byte {
			d.mu.Lock()
			defer d.mu.Unlock()
			b := e.control
			if e.control = nil; e == &d.far && !d.begun { // nothing without a preface
				return nil
			}
			return b
		})
		switch {
		case over:
			if e == &d.near {
				d.c.linger()
				d.c.tcp.Close()
			}
			e.conn.Close()
			return
		case err != nil:
			d.end()
		}
	}
}

// write writes whole frames.
func (e *h2end) write(frames func(*h2.Encoder) []byte) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	if size := e.table.Swap(-1); size >= 0 {
		e.enc.Limit(uint32(size))
	}
	_, err := e.conn.Write(frames(e.enc))
	return err
}

// end ends both connections.
func (d *h2desk) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = true
	for _, s := range d.byClient {
		s.cancel()
	}
	d.c.tcp.SetReadDeadline(longAgo)
	d.up.SetReadDeadline(longAgo)
	d.wakeAll()
}

// wakeAll has all look again at what is under mu. d.mu is held.
func (d *h2desk) wakeAll() {
	d.near.moved.Broadcast()
	d.far.moved.Broadcast()
	for _, s := range d.byClient {
		s.moved.Broadcast()
	}
}

func (d *h2desk) clientLeft(err error) {
	if err != errDeskOver && !isTimeout(err) {
		d.over("client", "abort", abandoned)
	}
	d.end()
}

// originLeft lets what has come whole still go to the client.
func (d *h2desk) originLeft(err error) {
	text := "the server closed the connection before the answer was complete"
	if err != io.EOF {
		text += ": " + wire.Readable(err)
	}
	d.over("origin", "read", text)
	d.mu.Lock()
	d.leave("the server has closed its connection")
	for _, s := range d.byClient {
		s.ask.lost, s.back.lost = true, true
	}
	d.wakeAll()
	d.mu.Unlock()
}

// leave has the client open no more streams here. d.mu is held.
func (d *h2desk) leave(why string) {
	if d.leaving {
		return
	}
	d.leaving = true
	d.reply(&d.near, func(b []byte) []byte { return h2.AppendGoAway(b, d.highest, h2.NoError, why) })
	d.closeIfDone()
	d.wakeAll()
}

// closeIfDone ends the connections when no stream is left and none may come. d.mu is held.
func (d *h2desk) closeIfDone() {
	if d.leaving && len(d.byClient) == 0 && !d.broken {
		d.broken = true
		d.c.tcp.SetReadDeadline(longAgo)
		d.up.SetReadDeadline(longAgo)
		d.wakeAll()
	}
}

// reply adds a small frame. d.mu is held.
func (d *h2desk) reply(e *h2end, add func([]byte) []byte) {
	if len(e.control) > deskControl {
		d.broken = true
		d.wakeAll()
		return
	}
	e.control = add(e.control)
	e.moved.Signal()
}

// both are what is heard from either end. It reports whether that was all. d.mu is held.
func (d *h2desk) both(end *h2end, e *h2.Event, credit func(*h2held) *h2content) bool {
	switch e.Kind {
	case h2.Tune:
		for _, s := range e.Settings {
			switch s.ID {
			case h2.SettingInitialWindowSize:
				for _, held := range d.byClient {
					credit(held).credit += int64(s.Value) - end.initial
				}
				end.initial = int64(s.Value)
				d.wakeAll()
			case h2.SettingHeaderTableSize:
				end.table.Store(int64(s.Value))
			}
		}
		d.reply(end, func(b []byte) []byte { return h2.AppendFrame(b, h2.Settings, h2.FlagAck, 0, nil) })
	case h2.Echo:
		data := slices.Clone(e.Content)
		d.reply(end, func(b []byte) []byte { return h2.AppendFrame(b, h2.Ping, h2.FlagAck, 0, data) })
	case h2.Grant:
		if e.Stream != 0 {
			return false
		}
		if end.pool += int64(e.Increment); end.pool <= int64(e.Increment) { // somebody may have waited for it
			d.wakeAll()
		}
	case h2.Lost, h2.Malformed:
		side := "client"
		if end == &d.far {
			side = "origin"
		}
		d.over(side, "parse", "why403 lost track of the HTTP/2 connection: "+e.Err.Error())
		d.broken = true
		d.wakeAll()
	default:
		return false
	}
	return true
}

// hearClient takes in what the client says. d.mu is held.
func (d *h2desk) hearClient(e *h2.Event) {
	rec := d.streamOf(&d.client, e)
	if d.both(&d.near, e, func(s *h2held) *h2content { return &s.back }) {
		return
	}
	s := d.byClient[e.Stream]
	switch {
	case e.Kind == h2.Head && s == nil:
		switch {
		case rec == nil: // a stream that is over
		case d.leaving || len(d.byClient) >= 2*deskStreams:
			d.reply(&d.near, func(b []byte) []byte { return h2.AppendReset(b, e.Stream, h2.RefusedStream) })
			rec.fail("why403", "abort", "not taken: the connection is ending; the client may send the request again")
		default:
			d.admit(e, rec)
		}
	case s == nil:
	case e.Kind == h2.Grant:
		s.back.credit += int64(e.Increment)
	case e.Kind == h2.Reset:
		s.resetByClient(e.Code)
	default:
		s.ask.hear(d, &d.near, s.id, e)
	}
	if s != nil {
		s.moved.Broadcast()
	}
}

// hearOrigin takes in what the origin says. d.mu is held.
func (d *h2desk) hearOrigin(e *h2.Event) {
	if e.Kind == h2.Tune {
		for _, s := range e.Settings {
			if s.ID == h2.SettingMaxStreams {
				d.most = int(min(s.Value, deskStreams))
			}
		}
	}
	if d.both(&d.far, e, func(s *h2held) *h2content { return &s.ask }) {
		return
	}
	if e.Kind == h2.Away {
		d.goodbye = "GOAWAY " + e.Code.String()
		d.leave("the server is closing its connection")
		for id, s := range d.byOrigin {
			if id > e.Last {
				s.resetByOrigin(h2.RefusedStream)
				s.moved.Broadcast()
			}
		}
		return
	}
	s := d.byOrigin[e.Stream]
	switch {
	case s == nil:
	case e.Kind == h2.Grant:
		s.ask.credit += int64(e.Increment)
	case e.Kind == h2.Reset:
		s.resetByOrigin(e.Code)
	case e.Kind == h2.Head && !s.answered:
		s.answered = !interim(e.Fields)
		s.heads = append(s.heads, e)
		s.back.end = s.back.end || e.End
	default:
		s.back.hear(d, &d.far, s.oid, e)
	}
	if s != nil {
		s.moved.Broadcast()
	}
}

// admit begins to serve a stream. d.mu is held.
func (d *h2desk) admit(e *h2.Event, rec *h2stream) {
	s := &h2held{d: d, rec: rec, id: e.Stream, head: e, moved: sync.NewCond(&d.mu)}
	s.ctx, s.cancel = context.WithCancel(d.c.ctx)
	s.ask.end, s.back.credit = e.End, d.near.initial
	d.byClient[s.id] = s
	if !d.begun {
		d.begun = true
		b := append([]byte(h2.Preface), h2.AppendSettings(nil, withoutPush(d.opening.Settings)...)...)
		if w := d.opening.Window; w > 0 {
			b = h2.AppendWindowUpdate(b, 0, w)
		}
		d.far.control = append(b, d.far.control...)
		d.far.moved.Signal()
	}
	d.serving.Go(s.serve)
}

// withoutPush are the client's settings; what a server pushes could not be told from what it answers.
func withoutPush(list []h2.Setting) []h2.Setting {
	out := slices.DeleteFunc(slices.Clone(list), func(s h2.Setting) bool { return s.ID == h2.SettingEnablePush })
	return slices.Insert(out, min(1, len(out)), h2.Setting{ID: h2.SettingEnablePush})
}
