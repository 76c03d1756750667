package wire

import (
	"io"
	"net"
	"sync"
)

// Batch is a connection below TLS. crypto/tls reads and writes one record (16
// KiB, RFC 8446, 5.1) at a time, each with a call to the system; the records of
// a large body go through a Batch four at a time.
//
// Reading and writing may happen at once, each from one goroutine.
type Batch struct {
	net.Conn
	src io.Reader // what is read: Conn, or what has read ahead of it

	in    []byte // read and not given yet
	room  *[]byte
	still int64 // bytes that will come for certain, whatever else does
	now   bool  // a Read does not wait

	out  *[]byte // what is written while it is held; nil: nothing is held
	fail error
}

const (
	batchSize = 64 << 10 // bytes of one call to the system
	record    = 16 << 10 // bytes of content in a record at most
)

var batches = sync.Pool{New: func() any { b := make([]byte, batchSize); return &b }}

// NewBatch is a Batch of c, whose bytes are read from src.
func NewBatch(c net.Conn, src io.Reader) *Batch { return &Batch{Conn: c, src: src} }

// errNotNow is what a Read returns that would have to wait. For crypto/tls it
// is a passing fault: a part of a record that has been read is kept.
var errNotNow error = notNow{}

type notNow struct{}

func (notNow) Error() string   { return "nothing to read now" }
func (notNow) Timeout() bool   { return true }
func (notNow) Temporary() bool { return true }

// Read reads ahead only as much as is certain to be the body's.
func (b *Batch) Read(p []byte) (int, error) {
	if len(b.in) == 0 {
		switch {
		case b.now:
			return 0, errNotNow
		case b.still < 2*batchSize || len(p) >= batchSize:
			return b.src.Read(p)
		}
		if b.room == nil {
			b.room = batches.Get().(*[]byte)
		}
		n, err := b.src.Read(*b.room)
		if b.in = (*b.room)[:n]; n == 0 {
			return 0, err
		} // an error that came with bytes comes again
	}
	n := copy(p, b.in)
	if b.in = b.in[n:]; len(b.in) == 0 && b.room != nil {
		batches.Put(b.room)
		b.room = nil
	}
	return n, nil
}

// Write keeps p while writing is held.
func (b *Batch) Write(p []byte) (int, error) {
	if b.out == nil {
		return b.Conn.Write(p)
	}
	if len(*b.out)+len(p) > cap(*b.out) {
		b.flush()
	}
	if b.fail != nil {
		return 0, b.fail
	}
	if len(p) > cap(*b.out) {
		return b.Conn.Write(p)
	}
	*b.out = append(*b.out, p...)
	return len(p), nil
}

func (b *Batch) flush() {
	if b.fail == nil && len(*b.out) > 0 {
		_, b.fail = b.Conn.Write(*b.out)
	}
	*b.out = (*b.out)[:0]
}

var outs = sync.Pool{New: func() any { b := make([]byte, 0, batchSize+4<<10); return &b }}

// together has w write p, and what that becomes leave in as few writes as can be.
func (b *Batch) together(w io.Writer, p []byte) (int, error) {
	if b == nil || len(p) <= record {
		return w.Write(p)
	}
	b.out = outs.Get().(*[]byte)
	n, err := w.Write(p)
	b.flush()
	outs.Put(b.out)
	b.out = nil
	if err == nil && b.fail != nil {
		n, err = 0, b.fail
	}
	return n, err
}

// CloseWrite ends our half of the connection.
func (b *Batch) CloseWrite() error { return CloseWrite(b.Conn) }

// Below is b; whoever embeds it passes this on.
func (b *Batch) Below() *Batch { return b }

// batchOf is the Batch below a TLS connection, nil if there is none.
func batchOf(c any) *Batch {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		if h, ok := t.NetConn().(interface{ Below() *Batch }); ok {
			return h.Below()
		}
	}
	return nil
}
