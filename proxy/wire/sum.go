package wire

import (
	"bytes"
	"hash/crc32"
	"io"
	"strings"
)

// Sum is the checksum of a stretch of bytes and its length. Two stretches with
// one Sum are the same but for one case in four thousand million; a change
// within four bytes next to each other never goes unseen (CRC-32C, RFC 3720,
// B.4: the processor computes it, 10 GB and more a second).
type Sum struct {
	crc uint32
	n   int64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SumOf is the Sum of p.
func SumOf(p []byte) (s Sum) { s.add(p); return s }

func (s *Sum) add(p []byte) {
	if len(p) > 0 {
		s.crc = crc32.Update(s.crc, castagnoli, p)
		s.n += int64(len(p))
	}
}

// unstep has, for the highest byte of a checksum, the entry of the table that put it there.
var unstep = func() (t [256]byte) {
	for i, v := range castagnoli {
		t[v>>24] = byte(i)
	}
	return t
}()

// remove takes p, the last bytes that were added, out again, a byte a step.
func (s *Sum) remove(p []byte) {
	crc := ^s.crc
	for i := len(p) - 1; i >= 0; i-- {
		k := unstep[crc>>24]
		crc = (crc^castagnoli[k])<<8 | uint32(k^p[i])
	}
	s.crc, s.n = ^crc, s.n-int64(len(p))
}

// Cut is the Sum of what was taken out of Buffered since the last Cut, as it
// was when the source gave it: what happened to the buffer since does not show.
// It is meaningless after Read.
func (r *Reader) Cut() Sum {
	s, rest := r.sum, r.Buffered()
	if s.n > 0 { // else nothing came since the last Cut
		s.remove(rest)
	}
	r.sum = SumOf(rest)
	return s
}

// Outlet is where messages leave: it sums what was written.
type Outlet struct {
	W    io.Writer
	head Sum // of the first bytes, as many as Begin was told
	rest Sum
	left int

	batch *Batch // below W, see NewOutlet
}

// NewOutlet is an Outlet to w.
func NewOutlet(w io.Writer) Outlet { return Outlet{W: w, batch: batchOf(w)} }

// Begin forgets what was written. The next head bytes are summed apart from those after them.
func (o *Outlet) Begin(head int) { *o = Outlet{W: o.W, batch: o.batch, left: head} }

// Write writes first and sums then.
func (o *Outlet) Write(p []byte) (int, error) {
	n, err := o.batch.together(o.W, p)
	o.add(p[:n])
	return n, err
}

func (o *Outlet) add(p []byte) {
	k := min(o.left, len(p))
	o.left -= k
	o.head.add(p[:k])
	o.rest.add(p[k:])
}

// Sums are those of the head and of what came behind it.
func (o *Outlet) Sums() (head, rest Sum) { return o.head, o.rest }

// Restated reports whether sent is the head raw with nothing changed but what
// a proxy has to: the form of the target (RFC 9112, 3.2.1 and 3.2.2) and the
// Proxy-* lines that are meant for the next proxy. It works on lines, not on
// what ParseHead made of them, so that the two can check each other.
func Restated(raw, sent []byte) bool {
	a, raw := cutLine(raw)
	b, sent := cutLine(sent)
	if !sameStart(a, b) {
		return false
	}
	for {
		a, raw = nextKept(raw)
		b, sent = nextKept(sent)
		if !bytes.Equal(a, b) {
			return false
		}
		if len(a) == 0 {
			return true
		}
	}
}

// sameStart reports whether two start lines differ in the form of the target alone.
func sameStart(a, b []byte) bool {
	i, k := bytes.IndexByte(a, ' '), bytes.LastIndexByte(a, ' ')
	j, l := bytes.IndexByte(b, ' '), bytes.LastIndexByte(b, ' ')
	if i < 0 || k == i || j < 0 || l == j || !bytes.Equal(a[:i], b[:j]) || !bytes.Equal(a[k:], b[l:]) {
		return false
	}
	long, short := string(a[i+1:k]), string(b[j+1:l])
	if len(long) < len(short) {
		long, short = short, long
	}
	return long == short || short == "*" || strings.HasSuffix(long, strings.TrimPrefix(short, "/"))
}

// nextKept is the first line of b that is not for a proxy, and what follows it.
func nextKept(b []byte) (line, rest []byte) {
	for {
		line, rest = cutLine(b)
		name, _, _ := bytes.Cut(line, []byte{':'})
		if !isHop(string(name)) {
			return line, rest
		}
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') { // its folded lines
			_, rest = cutLine(rest)
		}
		b = rest
	}
}

func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n') + 1
	if i == 0 {
		i = len(b)
	}
	return b[:i], b[i:]
}
