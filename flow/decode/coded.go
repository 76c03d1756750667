package decode

import (
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/why403/why403/flow"
)

// coded undoes content codings while the bytes come in, and feeds what is under
// them to next. Decoders want to read; a coroutine lets them, one Feed at a time.
type coded struct {
	next    Splitter
	codings []string
	in      []byte // of the Feed at work, not read yet
	taken   int64  // bytes that came
	given   int64  // bytes that they became
	emit    func(flow.Frame)
	resume  func() (struct{}, bool)
	stop    func()
	over    bool
	closing bool
	wait    func(struct{}) bool
}

func newCoded(codings []string, next Splitter) *coded { return &coded{next: next, codings: codings} }

// Feed implements Splitter.
func (c *coded) Feed(p []byte, emit func(flow.Frame)) {
	if c.over || len(p) == 0 {
		return
	}
	if c.resume == nil {
		c.resume, c.stop = iter.Pull(c.run)
	}
	c.in, c.emit = p, emit
	c.taken += int64(len(p))
	if _, more := c.resume(); !more {
		c.over = true
	}
	c.in = nil
}

// Close implements Splitter.
func (c *coded) Close(emit func(flow.Frame)) {
	c.emit, c.closing, c.over = emit, true, true
	if c.stop != nil {
		c.stop()
	}
	c.next.Close(emit)
}

var errTooMany = errors.New("more codings than are undone")

// run decodes. It is suspended wherever it has read all that came.
func (c *coded) run(yield func(struct{}) bool) {
	c.wait = yield
	var r io.Reader = streamed{c}
	err := error(nil)
	if len(c.codings) > maxCodings {
		err = errTooMany
	}
	for _, coding := range slices.Backward(c.codings) {
		if err != nil {
			break
		}
		var done func()
		if r, done, err = openStream(coding, r); err == nil {
			defer done()
		}
	}
	buf := make([]byte, 8<<10)
	for err == nil {
		var n int
		n, err = r.Read(buf)
		c.given += int64(n)
		if n > 0 && !c.closing {
			c.next.Feed(buf[:n], c.emit)
		}
		if c.given > ratioFloor+maxRatio*c.taken {
			err = errBomb
		}
	}
	if !c.closing && err != io.EOF {
		c.emit(flow.Frame{Kind: flow.Remark, Data: []byte("no further messages: " + err.Error())})
	}
}

var errBomb = errors.New("the content coding makes more of the bytes than is believable")

// streamed reads what Feed was given, and waits for the next Feed.
type streamed struct{ c *coded }

func (s streamed) Read(p []byte) (int, error) {
	c := s.c
	for len(c.in) == 0 {
		if c.closing || !c.wait(struct{}{}) {
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}
