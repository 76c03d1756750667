package decode

import (
	"hash/maphash"
	"slices"
)

// Meaning holds a number for every value of a JSON text that is the same for
// values that mean the same, in this and in other texts: escapes, blanks and the order of members
// do not count, the digits of a number do. An object in which a name stands
// twice is like another only if it is written the same. It is made in one pass, so
// that comparing costs nothing however deep a text is.
type Meaning struct {
	d    *JSON
	hash []uint64
	open []bool // the object has a name twice
}

// seed is the same for all texts of one run of the program, and different in the next.
var seed = maphash.MakeSeed()

// Meaning computes the numbers of all values.
func (d *JSON) Meaning() *Meaning {
	m := &Meaning{d: d, hash: make([]uint64, len(d.nodes)), open: make([]bool, len(d.nodes))}
	var names []uint64
	for i := len(d.nodes) - 1; i >= 0; i-- { // children stand behind their parents
		n := &d.nodes[i]
		raw := d.src[n.start:n.end]
		switch n.kind {
		case String:
			m.hash[i] = mix(uint64(String), maphash.String(seed, Value{d, int32(i)}.Text()))
		case Array:
			h := uint64(Array)
			for c := n.first; c >= 0; c = d.nodes[c].nxt {
				h = mix(h, m.hash[c])
			}
			m.hash[i] = h
		case Object:
			h := uint64(0)
			names = names[:0]
			for c := n.first; c >= 0; c = d.nodes[c].nxt {
				name := maphash.String(seed, Value{d, c}.Name())
				names = append(names, name)
				h += mix(name, m.hash[c]) // a sum does not know an order
			}
			slices.Sort(names)
			if m.open[i] = len(slices.Compact(names)) != int(n.count); m.open[i] {
				h = maphash.Bytes(seed, raw)
			}
			m.hash[i] = mix(uint64(Object), h)
		default:
			m.hash[i] = mix(uint64(n.kind), maphash.Bytes(seed, raw))
		}
	}
	return m
}

func mix(a, b uint64) uint64 {
	a ^= b * 0x9e3779b97f4a7c15
	a = (a ^ a>>32) * 0xd6e8feb86659fd93
	return a ^ a>>32
}

// Of is the number of a value of this text; 0 for one that is not there.
func (m *Meaning) Of(v Value) uint64 {
	if v.d != m.d || v.d == nil {
		return 0
	}
	return m.hash[v.i]
}

// Ambiguous reports whether v is an object in which a name stands twice: no path says which of the two is meant.
func (m *Meaning) Ambiguous(v Value) bool { return v.d == m.d && v.d != nil && m.open[v.i] }
