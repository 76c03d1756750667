package wire

import (
	"bytes"

	"github.com/why403/why403/flow"
)

const (
	maxChunkLine = 16 << 10 // bytes of a chunk-size line with its extensions
	maxTrailers  = 64 << 10 // bytes of a trailer section
	maxHexDigits = 15       // of a chunk size: below 2^60
)

type chunkState uint8

const (
	inSize    chunkState = iota
	inSizeEnd            // between the digits and the line's end: whitespace and extensions
	inData
	inDataEnd // the CRLF after the data
	inTrailer
)

// chunks follows a chunked body (RFC 9112, 7.1) through any split of its bytes.
type chunks struct {
	strict bool // a request: refuse what not every parser reads alike
	state  chunkState
	digits int
	left   int64 // of the chunk's data
	line   int   // bytes of the current line
	ext    bool  // a ";" was seen on the size line
	pad    bool  // whitespace was seen on it, before any ";"
	last   byte  // the byte before
	tail   []byte
}

// next takes what belongs to the body off the front of raw, hands its content
// to sink and says how much that was and whether the body is over.
func (c *chunks) next(raw []byte, sink func([]byte)) (n int, done bool, _ *Fault) {
	for n < len(raw) {
		switch c.state {
		case inData:
			part := raw[n:min(len(raw), n+int(min(c.left, int64(len(raw)))))]
			sink(part)
			n += len(part)
			if c.left -= int64(len(part)); c.left == 0 {
				c.state, c.last = inDataEnd, 0
			}
		case inTrailer:
			b := raw[n]
			n++
			c.tail = append(c.tail, b)
			if len(c.tail) > maxTrailers {
				return n, false, fault(BadChunk, "the trailers are larger than %d bytes", maxTrailers)
			}
			if c.line++; b != '\n' {
				continue
			}
			if c.line == 1 || c.line == 2 && c.tail[len(c.tail)-2] == '\r' {
				return n, true, c.checkTail()
			}
			c.line = 0
		default:
			if f := c.control(raw[n]); f != nil {
				return n + 1, false, f
			}
			n++
		}
	}
	return n, false, nil
}

// control takes one byte of a size line or of the line end after the data.
func (c *chunks) control(b byte) *Fault {
	if c.state == inDataEnd {
		switch {
		case b == '\r' && c.last == 0:
			c.last = b
			return nil
		case b == '\n' && (c.last == '\r' || !c.strict):
			*c = chunks{strict: c.strict, tail: c.tail}
			return nil
		}
		return fault(BadChunk, "%q where the end of a chunk should be", b)
	}
	if c.line++; c.line > maxChunkLine {
		return fault(BadChunk, "a chunk-size line of more than %d bytes", maxChunkLine)
	}
	prev := c.last
	c.last = b
	if prev == '\r' && b != '\n' {
		return fault(BadChunk, "a carriage return in the middle of a chunk-size line")
	}
	if c.state == inSize {
		if v, ok := hexDigit(b); ok {
			if c.digits++; c.digits > maxHexDigits {
				return fault(BadChunk, "a chunk size of more than %d digits", maxHexDigits)
			}
			c.left = c.left<<4 | int64(v)
			return nil
		}
		if c.digits == 0 {
			return fault(BadChunk, "%q where a chunk size should be", b)
		}
		c.state = inSizeEnd
	}
	switch {
	case b == '\n':
		if c.strict && prev != '\r' {
			return fault(BadChunk, "a chunk-size line that ends without a carriage return")
		}
		if c.strict && !c.ext && c.pad {
			return fault(BadChunk, "whitespace after a chunk size")
		}
		c.state, c.line = inData, 0
		if c.left == 0 {
			c.state = inTrailer
		}
	case c.ext || b == '\r':
	case b == ';':
		c.ext = true
	case b == ' ' || b == '\t':
		c.pad = true
	default:
		return fault(BadChunk, "%q in a chunk size", b)
	}
	return nil
}

// checkTail refuses, in a request, trailers that could be read in two ways.
func (c *chunks) checkTail() *Fault {
	if !c.strict {
		return nil
	}
	h := ParseHead(append([]byte("x\r\n"), c.tail...))
	if f := h.check(true); f != nil {
		return fault(BadChunk, "trailers: %s", f.Text)
	}
	if bytes.Count(c.tail, []byte("\n")) != bytes.Count(c.tail, []byte("\r\n")) {
		return fault(BadChunk, "a trailer line that ends without a carriage return")
	}
	return nil
}

// trailers are the fields of the trailer section.
func (c *chunks) trailers() flow.Header {
	if len(c.tail) <= 2 {
		return nil
	}
	return ParseHead(append([]byte("x\r\n"), c.tail...)).Header
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
