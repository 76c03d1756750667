package wire

import (
	"io"
	"sync"
)

const (
	idleSize   = 4 << 10  // buffer of a connection that waits for a head: most heads fit
	bufferSize = 64 << 10 // buffer while a body moves; four TLS records
)

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// Reader is a buffered reader whose buffer can be looked at, and is lent from
// a pool while it is needed. It never reads more than one Read of its source
// at a time, so whoever looks at Buffered first never waits for bytes that are
// there already.
type Reader struct {
	src   io.Reader
	buf   []byte
	large *[]byte // non-nil: buf is lent from the pool
	r, w  int
	err   error  // of the source, to be told when the buffer is empty
	sum   Sum    // of what Fill read since the last Cut
	batch *Batch // below src; nil: src is no TLS connection of ours
}

// NewReader is a Reader of src. It has no buffer until the first Fill.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, batch: batchOf(src)} }

// Buffered is what was read and not yet discarded. It is valid until the next Fill, Grow or Release.
func (r *Reader) Buffered() []byte { return r.buf[r.r:r.w] }

// Discard takes n bytes off the front of Buffered.
func (r *Reader) Discard(n int) {
	if r.r += n; r.r == r.w {
		r.r, r.w = 0, 0
	}
}

// Fill reads once and returns when there is at least one byte more in
// Buffered, or the source's error. An error that came together with bytes is
// told by the next Fill. A full buffer is not an error: Fill returns at once.
func (r *Reader) Fill() error {
	if r.err != nil {
		return r.err
	}
	if r.buf == nil {
		r.buf = make([]byte, idleSize)
	}
	if r.r > 0 && r.w == len(r.buf) {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	if r.w == len(r.buf) {
		return nil
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.w:])
		r.sum.add(r.buf[r.w : r.w+n])
		r.w += n
		if n > 0 {
			r.keep(err)
			return nil
		}
		if err != nil {
			r.keep(err)
			return err
		}
	}
	return io.ErrNoProgress
}

// FillFrom is Fill when at least so many bytes more are certain to come: of
// those, as many are read as fit and are there.
func (r *Reader) FillFrom(certain int64) error {
	if r.batch == nil || certain < 2*batchSize {
		return r.Fill()
	}
	r.batch.still = certain
	err := r.fillReady()
	r.batch.still = 0
	return err
}

// FillReady is Fill that takes along what came with it: of TLS, as many of the
// records that have been read already as fit.
func (r *Reader) FillReady() error {
	if r.batch == nil {
		return r.Fill()
	}
	return r.fillReady()
}

func (r *Reader) fillReady() error {
	if err := r.Fill(); err != nil || r.err != nil {
		return err
	}
	r.batch.now = true
	for len(r.buf)-r.w >= record {
		n, err := r.src.Read(r.buf[r.w:])
		r.sum.add(r.buf[r.w : r.w+n])
		r.w += n
		if err != nil {
			r.keep(err)
			break
		}
	}
	r.batch.now = false
	return nil
}

// keep remembers an error that is final: a passed deadline is not, for the
// connection goes on after it.
func (r *Reader) keep(err error) {
	if err != nil && !isTimeout(err) {
		r.err = err
	}
}

// Full reports whether Fill cannot add to Buffered.
func (r *Reader) Full() bool { return r.buf != nil && r.r == 0 && r.w == len(r.buf) }

// Grow makes the buffer as large as bodies want it.
func (r *Reader) Grow() {
	if r.large != nil {
		return
	}
	r.large = buffers.Get().(*[]byte)
	r.w = copy(*r.large, r.buf[r.r:r.w])
	r.r, r.buf = 0, *r.large
}

// Release gives the buffer back if nothing is in it. The Reader stays usable.
func (r *Reader) Release() {
	if r.r != r.w {
		return
	}
	if r.large != nil {
		buffers.Put(r.large)
		r.large, r.buf = nil, nil
	}
	r.r, r.w = 0, 0
}

// Read gives first what is buffered, then reads from the source directly.
func (r *Reader) Read(p []byte) (int, error) {
	if r.r < r.w {
		n := copy(p, r.buf[r.r:r.w])
		r.Discard(n)
		if r.r == r.w {
			r.Release()
		}
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.src.Read(p)
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}
