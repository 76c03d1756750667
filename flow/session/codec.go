package session

import (
	"encoding/binary"
	"errors"
	"time"
)

// The encoding inside the blobs of a session: unsigned and zigzag varints
// (encoding/binary), strings as length and bytes. Lists that may be nil carry
// their length plus one, 0 for nil, so that what is read equals what was written.
// Every blob begins with the version of its layout.

// errBlob is what reading a blob that is cut off, too long or of an unknown layout gives.
var errBlob = errors.New("damaged record")

type encoder struct{ b []byte }

func (e *encoder) byte(v byte)   { e.b = append(e.b, v) }
func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) str(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

// bytes keeps nil apart from empty.
func (e *encoder) bytes(b []byte) {
	if b == nil {
		e.uint(0)
		return
	}
	e.uint(uint64(len(b)) + 1)
	e.b = append(e.b, b...)
}

func (e *encoder) strs(list []string) {
	if list == nil {
		e.uint(0)
		return
	}
	e.uint(uint64(len(list)) + 1)
	for _, s := range list {
		e.str(s)
	}
}

// time keeps the instant to the nanosecond, for any year; the zone is not kept.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.byte(0)
		return
	}
	e.byte(1)
	e.int(t.Unix())
	e.uint(uint64(t.Nanosecond()))
}

// decoder reads what encoder wrote. It never panics whatever the bytes: after
// the first fault bad is set and every read gives zero. Strings are parts of s.
type decoder struct {
	s   string
	bad bool
}

func (d *decoder) err() error {
	if d.bad {
		return errBlob
	}
	return nil
}

func (d *decoder) byte() byte {
	if d.bad || d.s == "" {
		d.bad = true
		return 0
	}
	v := d.s[0]
	d.s = d.s[1:]
	return v
}

func (d *decoder) uint() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return v
		}
	}
	d.bad = true
	return 0
}

func (d *decoder) int() int64 {
	u := d.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) take(n uint64) string {
	if d.bad || n > uint64(len(d.s)) {
		d.bad = true
		return ""
	}
	v := d.s[:n]
	d.s = d.s[n:]
	return v
}

func (d *decoder) str() string { return d.take(d.uint()) }

// optional reads what bytes wrote, without a copy; false is nil.
func (d *decoder) optional() (string, bool) {
	n := d.uint()
	if n == 0 || d.bad {
		return "", false
	}
	return d.take(n - 1), !d.bad
}

// length reads the length of a list whose members take at least a byte each;
// -1 is nil. A length that the rest of the blob cannot hold is a fault, so that
// no blob makes us reserve more than a small multiple of its own size.
func (d *decoder) length() int {
	n := d.uint()
	if n == 0 || d.bad {
		return -1
	}
	if n-1 > uint64(len(d.s)) {
		d.bad = true
		return -1
	}
	return int(n - 1)
}

func (d *decoder) strs() []string {
	n := d.length()
	if n < 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.str()
	}
	return list
}

func (d *decoder) time() time.Time {
	if d.byte() == 0 {
		return time.Time{}
	}
	sec, nsec := d.int(), d.uint()
	if nsec >= uint64(time.Second) {
		d.bad = true
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec))
}
