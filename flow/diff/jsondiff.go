package diff

import (
	"bytes"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// json compares two JSON texts by path; false: one of them is none, or both are mere words.
func (k *collector) json(x, y []byte) bool {
	if !mayBeJSON(x) || !mayBeJSON(y) {
		return false
	}
	a, errA := decode.ParseJSON(x)
	b, errB := decode.ParseJSON(y)
	if errA != nil || errB != nil {
		return false
	}
	k.value(a.Root(), b.Root(), 0)
	return true
}

func mayBeJSON(data []byte) bool {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
	return len(data) > 0 && (data[0] == '{' || data[0] == '[')
}

// value compares two values at the same path. Objects are compared by name,
// whatever the order of members; one in which a name stands twice is compared as
// a whole, for then no path says which is meant.
func (k *collector) value(a, b decode.Value, depth int) {
	if len(k.list) > 4*maxBodyChanges {
		return // too different to be told in parts
	}
	switch {
	case a.Kind() != b.Kind() || depth >= decode.WalkDepth:
		if same(a, b, depth) {
			k.same[flow.InJSON]++
			return
		}
	case a.Kind() == decode.Object && unique(a) && unique(b):
		k.object(a, b, depth)
		return
	case a.Kind() == decode.Array:
		k.array(a, b, depth)
		return
	case same(a, b, depth):
		k.same[flow.InJSON]++
		return
	}
	before, after := a.Raw(), b.Raw()
	k.add(flow.InJSON, a.Path(), 0, &before, &after)
}

func (k *collector) object(a, b decode.Value, depth int) {
	right := byName(b)
	for m := range a.Children() {
		if w, ok := right[m.Name()]; ok {
			k.value(m, w, depth+1)
			delete(right, m.Name())
			continue
		}
		before := m.Raw()
		k.add(flow.InJSON, m.Path(), 0, &before, nil)
	}
	for m := range b.Children() {
		if _, extra := right[m.Name()]; extra {
			after := m.Raw()
			k.add(flow.InJSON, m.Path(), 0, nil, &after)
		}
	}
}

func byName(v decode.Value) map[string]decode.Value {
	m := make(map[string]decode.Value, v.Count())
	for c := range v.Children() {
		m[c.Name()] = c
	}
	return m
}

func unique(v decode.Value) bool { return len(byName(v)) == v.Count() }

// array compares by position, except that elements left out of one side are just that.
func (k *collector) array(a, b decode.Value, depth int) {
	left, right := elements(a), elements(b)
	if out, ok := leftOutOf(left, right, depth); ok {
		k.same[flow.InJSON] += len(right)
		for _, i := range out {
			before := left[i].Raw()
			k.add(flow.InJSON, left[i].Path(), 0, &before, nil)
		}
		return
	}
	if in, ok := leftOutOf(right, left, depth); ok {
		k.same[flow.InJSON] += len(left)
		for _, i := range in {
			after := right[i].Raw()
			k.add(flow.InJSON, right[i].Path(), 0, nil, &after)
		}
		return
	}
	for i := range max(len(left), len(right)) {
		switch {
		case i >= len(left):
			after := right[i].Raw()
			k.add(flow.InJSON, right[i].Path(), 0, nil, &after)
		case i >= len(right):
			before := left[i].Raw()
			k.add(flow.InJSON, left[i].Path(), 0, &before, nil)
		default:
			k.value(left[i], right[i], depth+1)
		}
	}
}

func elements(v decode.Value) []decode.Value {
	list := make([]decode.Value, 0, v.Count())
	for c := range v.Children() {
		list = append(list, c)
	}
	return list
}

func leftOutOf(long, short []decode.Value, depth int) (out []int, ok bool) {
	if len(long) < len(short) {
		return nil, false
	}
	j := 0
	for i, v := range long {
		if j < len(short) && same(v, short[j], depth+1) {
			j++
		} else {
			out = append(out, i)
		}
	}
	return out, j == len(short)
}

// same reports whether two values mean the same: escapes, blanks and the order
// of members do not count, the digits of a number do.
func same(a, b decode.Value, depth int) bool {
	switch {
	case a.Kind() != b.Kind() || a.Count() != b.Count():
		return false
	case a.Kind() == decode.String:
		return a.Text() == b.Text()
	case a.Kind() < decode.Array:
		return a.Raw() == b.Raw()
	case depth >= decode.WalkDepth || a.Kind() == decode.Object && (!unique(a) || !unique(b)):
		return a.Raw() == b.Raw()
	case a.Kind() == decode.Array:
		x, y := elements(a), elements(b)
		for i := range x {
			if !same(x[i], y[i], depth+1) {
				return false
			}
		}
		return true
	}
	right := byName(b)
	for m := range a.Children() {
		w, ok := right[m.Name()]
		if !ok || !same(m, w, depth+1) {
			return false
		}
	}
	return true
}
