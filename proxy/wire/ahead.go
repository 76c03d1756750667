package wire

import (
	"fmt"
	"io"

	"github.com/why403/why403/flow"
)

// Ahead is as much of a body as was read before any of it was sent on.
type Ahead struct {
	Raw     []byte // as it came, chunk framing and trailers included
	Content []byte // without framing
}

// ReadAhead takes the body off src until it is over or its content exceeds
// most bytes, and then leaves the rest where it is: a Copy goes on from there.
// A nil error does not mean that the body is over; Done says that. An error is
// a *CopyError, as of Copy, except that one of a passed deadline is returned as
// it is and spoils nothing.
func (b *Body) ReadAhead(src *Reader, most int) (a Ahead, _ error) {
	sink := func(p []byte) { a.Content = append(a.Content, p...) }
	for !b.done && len(a.Content) <= most {
		if raw := src.Buffered(); len(raw) > 0 {
			n, f := b.take(raw, sink)
			if f != nil {
				return a, &CopyError{Malformed, f}
			}
			a.Raw = append(a.Raw, raw[:n]...)
			src.Discard(n)
			continue
		}
		if err := src.Fill(); err != nil {
			switch {
			case isTimeout(err):
				return a, err
			case b.Framing == flow.UntilClose && err == io.EOF:
				b.done = true
				return a, nil
			case err == io.EOF:
				err = io.ErrUnexpectedEOF
			}
			return a, &CopyError{Reading, err}
		}
	}
	return a, nil
}

// Follow notes content that has moved to the other side ahead of a Copy.
func (b *Body) Follow(content []byte, tape *Tape) {
	b.Size += int64(len(content))
	for len(content) > 0 {
		n := min(len(content), flow.PartSize)
		tape.add(content[:n])
		content = content[n:]
	}
}

// Replace makes content the body, which must be over: its raw bytes in the
// given framing are returned. Trailers stay.
func (b *Body) Replace(framing flow.Framing, content []byte) (raw []byte) {
	b.Size = 0
	if framing != flow.Chunked {
		b.Framing, b.chunks = framing, chunks{}
		return content
	}
	if len(content) > 0 {
		raw = fmt.Appendf(raw, "%x\r\n", len(content))
		raw = append(append(raw, content...), "\r\n"...)
	}
	raw = append(raw, "0\r\n"...)
	if b.Framing == flow.Chunked && len(b.chunks.tail) > 0 {
		raw = append(raw, b.chunks.tail...)
	} else {
		raw = append(raw, "\r\n"...)
	}
	b.Framing = framing
	return raw
}
