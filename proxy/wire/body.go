package wire

import (
	"io"
	"sync"

	"github.com/why403/why403/flow"
)

// Body is the body of one message while it moves. The zero Body is over before it begins.
type Body struct {
	Framing flow.Framing
	Size    int64 // bytes of content that have moved

	left   int64
	chunks chunks
	done   bool
}

// Body is the body that follows q.
func (q *Request) Body() *Body {
	return &Body{Framing: q.Framing, left: q.Length, done: q.Framing == flow.NoBody, chunks: chunks{strict: true}}
}

// Body is the body that follows p.
func (p *Response) Body() *Body {
	return &Body{Framing: p.Framing, left: p.Length, done: p.Framing == flow.NoBody}
}

// Done reports whether the whole body has moved.
func (b *Body) Done() bool { return b.done }

// Trailers are the fields after a chunked body, nil if there were none.
func (b *Body) Trailers() flow.Header {
	if b.Framing != flow.Chunked || !b.done {
		return nil
	}
	return b.chunks.trailers()
}

// take says how many bytes of raw belong to the body and hands their content to sink.
func (b *Body) take(raw []byte, sink func([]byte)) (int, *Fault) {
	switch b.Framing {
	case flow.ByLength:
		n := int(min(b.left, int64(len(raw))))
		b.left -= int64(n)
		b.done = b.left == 0
		sink(raw[:n])
		return n, nil
	case flow.Chunked:
		n, done, f := b.chunks.next(raw, sink)
		b.done = done && f == nil
		return n, f
	case flow.UntilClose:
		sink(raw)
		return len(raw), nil
	}
	return 0, nil
}

// Side tells which connection a copy failed on.
type Side uint8

// The sides of a copy.
const (
	Reading   Side = iota // src ended or failed
	Writing               // dst failed
	Malformed             // src sent what cannot be passed on; Err is a *Fault
)

// CopyError is why a body did not move to its end.
type CopyError struct {
	Side Side
	Err  error
}

func (e *CopyError) Error() string { return e.Err.Error() }

// Unwrap gives the error of the connection, or the *Fault.
func (e *CopyError) Unwrap() error { return e.Err }

var joints = sync.Pool{New: func() any { b := make([]byte, 0, bufferSize); return &b }}

// Copy moves head and then the body from src to dst, byte for byte, and gives
// the content to tape. What is there is written before it waits for more; head
// goes out in one write with as much of the body as has arrived. If the first
// bytes of the body are malformed, nothing is written at all.
//
// The tape is closed at the end. An error is a *CopyError. A body that is UntilClose ends well with src's io.EOF.
func (b *Body) Copy(dst io.Writer, src *Reader, head []byte, tape *Tape) error {
	if b.Framing != flow.NoBody {
		src.Grow()
	}
	defer tape.Close()
	sink := func(p []byte) {
		b.Size += int64(len(p))
		tape.add(p)
	}
	for {
		raw := src.Buffered()
		n, f := 0, (*Fault)(nil)
		if !b.done && len(raw) > 0 {
			n, f = b.take(raw, sink)
		}
		if f != nil {
			return &CopyError{Malformed, f}
		}
		if err := Write(dst, head, raw[:n]); err != nil {
			return &CopyError{Writing, err}
		}
		head = nil
		src.Discard(n)
		if b.done {
			tape.flush()
			return nil
		}
		if len(src.Buffered()) > 0 {
			continue
		}
		tape.flush()
		if err := src.FillFrom(b.certain()); err != nil {
			if b.Framing == flow.UntilClose && err == io.EOF {
				b.done = true
				return nil
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return &CopyError{Reading, err}
		}
	}
}

// certain is how many bytes of content are sure to follow those that were taken.
func (b *Body) certain() int64 {
	switch b.Framing {
	case flow.ByLength:
		return b.left
	case flow.Chunked:
		if b.chunks.state == inData {
			return b.chunks.left
		}
	}
	return 0
}

// Write sends head and data, in one write if they fit a buffer together.
func Write(dst io.Writer, head, data []byte) error {
	if len(head) > 0 && len(data) > 0 && len(head)+len(data) <= bufferSize {
		joint := joints.Get().(*[]byte)
		defer joints.Put(joint)
		data = append(append((*joint)[:0], head...), data...)
		head = nil
	}
	for _, p := range [2][]byte{head, data} {
		if len(p) == 0 {
			continue
		}
		if _, err := dst.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// Ahead looks at what has arrived behind the head and takes nothing of it.
// whole reports that this is the whole body, so that it can leave with the head
// in one write that waits for nobody. The *Fault is what is wrong with it.
func (b *Body) Ahead(src *Reader) (whole bool, _ *Fault) {
	switch b.Framing {
	case flow.NoBody:
		return true, nil
	case flow.ByLength:
		return b.left <= int64(len(src.Buffered())), nil
	case flow.Chunked:
		try := b.chunks
		try.tail = nil
		_, done, f := try.next(src.Buffered(), func([]byte) {})
		return done, f
	}
	return false, nil
}
