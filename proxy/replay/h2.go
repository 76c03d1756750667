package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

const (
	ownWindow = 4 << 20    // bytes of an answer that may be on their way, where no client says otherwise
	stream    = 1          // the only one that we open
	firstSize = 64<<10 - 1 // RFC 9113, 6.9.2
)

// h2exchange is a Send over HTTP/2. One goroutine sends the request, the
// caller's reads; each write is of whole frames.
type h2exchange struct {
	*exchange
	u   *wire.Upstream
	enc *h2.Encoder

	writing sync.Mutex

	mu      sync.Mutex
	initial int64         // what the server grants a stream at first
	credit  int64         // that it has granted this one, less what was sent; may be negative
	pool    int64         // the same of the connection
	more    chan struct{} // of 1: credit has come

	answer *flow.Message
	tape   *wire.Tape
	got    int64 // of content
	done   bool
	failed error  // why the answer cannot go on
	reply  []byte // to be sent when a piece has been read
}

// runH2 sends the request over HTTP/2 on u, and reads the answer.
func (e *exchange) runH2(ctx context.Context, u *wire.Upstream) *wire.Trouble {
	x := &h2exchange{exchange: e, u: u, enc: h2.NewEncoder(), initial: firstSize, credit: firstSize, pool: firstSize, more: make(chan struct{}, 1)}
	x.tape = wire.NewTape(e, flow.ResponseBody, e.s.opt.MaxBody, func() flow.ID { return e.f.ID })
	stop := context.AfterFunc(ctx, func() { u.Close() })
	defer stop()
	e.f.Conn.HTTP2 = x.m.opening.String()
	goOn, over := make(chan struct{}), make(chan struct{})
	sent := make(chan time.Time, 1)
	opened := x.open() // before anything that the server says is replied to
	go func() { sent <- x.send(opened, goOn, over) }()
	err := x.receive(goOn)
	close(over)
	if x.answer != nil && err == nil {
		x.write(h2.AppendGoAway(nil, 0, h2.NoError, ""))
	}
	u.Close()
	e.f.Times.RequestSent = <-sent
	e.answer, e.answerSize = x.answer, x.got
	if err != nil {
		return x.trouble(ctx, err)
	}
	return nil
}

func (x *h2exchange) write(b []byte) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	_, err := x.u.Write(b)
	return err
}

// open writes what a connection begins with, and the head of the request.
func (x *h2exchange) open() error {
	m := x.m
	b := append([]byte(h2.Preface), h2.AppendSettings(nil, m.opening.Settings...)...)
	if m.opening.Window > 0 {
		b = h2.AppendWindowUpdate(b, 0, m.opening.Window)
	}
	return x.write(h2.AppendHeaders(b, stream, m.bare(), x.enc.Block(m.fields)))
}

// bare reports whether a request is its head alone.
func (m *message) bare() bool { return len(m.body) == 0 && len(m.trailers) == 0 }

// send writes the rest of the request and returns when that was done.
func (x *h2exchange) send(opened error, goOn, over <-chan struct{}) time.Time {
	m := x.m
	switch {
	case opened != nil:
		return time.Time{}
	case m.bare():
		return time.Now()
	}
	if m.expects {
		wait := time.NewTimer(continueFor)
		defer wait.Stop()
		select {
		case <-goOn:
		case <-wait.C:
		case <-over:
			return time.Time{}
		}
	}
	for rest := m.body; len(rest) > 0; {
		n := x.take(min(len(rest), h2.LeastMaxSize))
		if n == 0 {
			select {
			case <-x.more:
			case <-over:
				return time.Time{}
			}
			continue
		}
		flags := byte(0)
		if n == len(rest) && len(m.trailers) == 0 {
			flags = h2.FlagEndStream
		}
		if x.write(h2.AppendFrame(nil, h2.Data, flags, stream, rest[:n])) != nil {
			return time.Time{}
		}
		rest = rest[n:]
	}
	if len(m.trailers) > 0 && x.write(h2.AppendHeaders(nil, stream, true, x.enc.Block(m.trailers))) != nil {
		return time.Time{}
	}
	return time.Now()
}

// take takes up to n bytes off what may be sent.
func (x *h2exchange) take(n int) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n = int(max(0, min(int64(n), x.credit, x.pool)))
	x.credit -= int64(n)
	x.pool -= int64(n)
	return n
}

// grant is credit that came.
func (x *h2exchange) grant(give func()) {
	x.mu.Lock()
	give()
	x.mu.Unlock()
	select {
	case x.more <- struct{}{}:
	default:
	}
}

// receive reads the answer to its end.
func (x *h2exchange) receive(goOn chan<- struct{}) error {
	continued := sync.OnceFunc(func() { close(goOn) })
	p := h2.NewParser(false, func(e *h2.Event) { x.hear(e, continued) })
	for {
		x.u.R.Grow()
		if err := x.u.R.Fill(); err != nil {
			if err == io.EOF && x.answer != nil {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		b := x.u.R.Buffered()
		if x.answer == nil && len(b) >= 5 && string(b[:5]) == "HTTP/" {
			return errSpeaksHTTP1
		}
		p.Parse(b)
		x.u.R.Discard(len(b))
		if len(x.reply) > 0 {
			if err := x.write(x.reply); err != nil && !x.done {
				return err
			}
			x.reply = x.reply[:0]
		}
		if x.failed != nil || x.done {
			return x.failed
		}
	}
}

var errSpeaksHTTP1 = errors.New("it answered over HTTP/1")

// hear takes in one thing that the server says.
func (x *h2exchange) hear(e *h2.Event, continued func()) {
	if x.failed != nil || x.done {
		return
	}
	switch e.Kind {
	case h2.Lost:
		x.failed = e.Err
	case h2.Tune:
		x.reply = h2.AppendFrame(x.reply, h2.Settings, h2.FlagAck, 0, nil)
		for _, s := range e.Settings {
			if s.ID == h2.SettingInitialWindowSize {
				x.grant(func() { x.credit += int64(s.Value) - x.initial; x.initial = int64(s.Value) })
			}
		}
	case h2.Grant:
		switch e.Stream {
		case 0:
			x.grant(func() { x.pool += int64(e.Increment) })
		case stream:
			x.grant(func() { x.credit += int64(e.Increment) })
		}
	case h2.Echo:
		x.reply = h2.AppendFrame(x.reply, h2.Ping, h2.FlagAck, 0, e.Content)
	case h2.Push:
		x.reply = h2.AppendReset(x.reply, e.Stream, h2.Cancel)
	case h2.Away:
		if e.Last < stream || e.Code != h2.NoError {
			x.failed = fmt.Errorf("it ended the connection: GOAWAY %s%s", e.Code, quoted(e.Content))
		}
	case h2.Reset:
		if e.Stream == stream {
			x.failed = fmt.Errorf("it broke off this request (RST_STREAM %s)", e.Code)
		}
	case h2.Head:
		if e.Stream == stream {
			x.head(e, continued)
		}
	case h2.Content:
		x.content(e)
	}
}

func quoted(words []byte) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf(", %q", words[:min(len(words), 80)])
}

func (x *h2exchange) head(e *h2.Event, continued func()) {
	x.f.Times.FirstByte = time.Now()
	m := h2.ReadResponse(e.Fields)
	switch {
	case x.answer != nil:
		x.answer.Trailers = h2.ReadTrailers(e.Fields)
	case m.Status/100 == 1:
		x.f.Interim = append(x.f.Interim, m)
		x.s.opt.Recorder.Append(x.f.ID, flow.Part{Kind: flow.InterimHead, At: time.Now(), Head: m})
		if m.Status == 100 {
			continued()
		}
		return
	default:
		if !e.End {
			m.Body.Framing = flow.UntilClose
		}
		x.answer = m
		first := *m
		x.s.opt.Recorder.Append(x.f.ID, flow.Part{Kind: flow.ResponseHead, At: time.Now(), Head: &first})
	}
	x.done = e.End
}

// content takes content in, and grants as much again.
func (x *h2exchange) content(e *h2.Event) {
	if n := uint32(len(e.Content)); n > 0 {
		x.reply = h2.AppendWindowUpdate(x.reply, 0, n)
		if e.Stream == stream {
			x.reply = h2.AppendWindowUpdate(x.reply, stream, n)
		}
	}
	if e.Stream != stream || x.answer == nil {
		return
	}
	if x.got += int64(len(e.Content)); x.got > x.s.opt.MaxAnswer {
		x.failed = errTooLarge
		return
	}
	if len(e.Content) > 0 {
		x.tape.Add(e.Content)
	}
	x.done = e.End
}

// trouble says why the exchange did not come to its end.
func (x *h2exchange) trouble(ctx context.Context, err error) *wire.Trouble {
	t := &wire.Trouble{Reason: wire.BrokenUpstream, Failure: flow.Failure{Side: "origin", Op: "read"}}
	at := x.f.Conn.Target
	switch {
	case ctx.Err() != nil:
		t.Side, t.Op, t.Text = "why403", "abort", "the replay was stopped: "+context.Cause(ctx).Error()
	case errors.Is(err, errTooLarge):
		t.Side = "why403"
		t.Text = fmt.Sprintf("the replay stopped reading after %d bytes of the answer", x.s.opt.MaxAnswer)
	case x.answer != nil:
		t.Text = fmt.Sprintf("the answer ended after %d bytes: %s", x.got, wire.Readable(err))
	case errors.Is(err, errSpeaksHTTP1):
		t.Reason, t.Op, t.Text = wire.Garbage, "parse", at+" does not speak HTTP/2: "+err.Error()
	case x.failed != nil:
		t.Text = fmt.Sprintf("%s gave no answer: %s", at, err)
	default:
		return wire.NoAnswer(at, nil, err, x.f.Conn.OriginTLS)
	}
	return t
}
