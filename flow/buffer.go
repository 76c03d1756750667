package flow

import "sync"

// PartSize is how many bytes of content a Part of a body that comes without
// pause has: one TLS record (RFC 8446, 5.1).
const PartSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([PartSize]byte) }}

// Buffer is room for the content of a Part: no bytes, PartSize of capacity,
// whatever stands in it.
func Buffer() []byte { return buffers.Get().(*[PartSize]byte)[:0] }

// Recycle takes a full Buffer back that nobody looks at any more; other slices
// it leaves alone. A body of many megabytes then moves through the same few
// buffers, where it would otherwise take fresh memory throughout.
func Recycle(b []byte) {
	if len(b) == PartSize && cap(b) == PartSize {
		buffers.Put((*[PartSize]byte)(b))
	}
}
