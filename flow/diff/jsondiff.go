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
	t := texts{k, a.Meaning(), b.Meaning()}
	t.value(a.Root(), b.Root(), 0)
	return true
}

func mayBeJSON(data []byte) bool {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
	return len(data) > 0 && (data[0] == '{' || data[0] == '[')
}

// texts are two JSON texts that are being compared.
type texts struct {
	*collector
	a, b *decode.Meaning
}

func (t texts) alike(v, w decode.Value) bool { return t.a.Of(v) == t.b.Of(w) }

// value compares two values at the same path. Objects are compared by name,
// whatever the order of members; one in which a name stands twice is compared as
// a whole, for then no path says which is meant.
func (t texts) value(a, b decode.Value, depth int) {
	switch {
	case t.full():
		return
	case t.alike(a, b):
		t.same[flow.InJSON]++
		return
	case depth < decode.WalkDepth && a.Kind() == decode.Object && b.Kind() == decode.Object && !t.a.Ambiguous(a) && !t.b.Ambiguous(b):
		t.object(a, b, depth)
		return
	case depth < decode.WalkDepth && a.Kind() == decode.Array && b.Kind() == decode.Array:
		t.array(a, b, depth)
		return
	}
	before, after := a.Raw(), b.Raw()
	t.add(flow.InJSON, a.Path(), 0, &before, &after)
}

// full reports that the texts are too different to be told in parts; the body counts as one then.
func (t texts) full() bool { return len(t.list) > 4*maxBodyChanges }

func (t texts) object(a, b decode.Value, depth int) {
	right := byName(b)
	for m := range a.Children() {
		if t.full() {
			return
		}
		if w, ok := right[m.Name()]; ok {
			t.value(m, w, depth+1)
			delete(right, m.Name())
			continue
		}
		before := m.Raw()
		t.add(flow.InJSON, m.Path(), 0, &before, nil)
	}
	for m := range b.Children() {
		if t.full() {
			return
		}
		if _, extra := right[m.Name()]; extra {
			after := m.Raw()
			t.add(flow.InJSON, m.Path(), 0, nil, &after)
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

// array compares by position, except that elements left out of one side are just that.
func (t texts) array(a, b decode.Value, depth int) {
	left, right := elements(a), elements(b)
	x, y := numbers(t.a, left), numbers(t.b, right)
	if out, ok := leftOut(x, y); ok {
		t.same[flow.InJSON] += len(right)
		for _, i := range out {
			before := left[i].Raw()
			t.add(flow.InJSON, left[i].Path(), 0, &before, nil)
		}
		return
	}
	if in, ok := leftOut(y, x); ok {
		t.same[flow.InJSON] += len(left)
		for _, i := range in {
			after := right[i].Raw()
			t.add(flow.InJSON, right[i].Path(), 0, nil, &after)
		}
		return
	}
	for i := range max(len(left), len(right)) {
		if t.full() {
			return
		}
		switch {
		case i >= len(left):
			after := right[i].Raw()
			t.add(flow.InJSON, right[i].Path(), 0, nil, &after)
		case i >= len(right):
			before := left[i].Raw()
			t.add(flow.InJSON, left[i].Path(), 0, &before, nil)
		default:
			t.value(left[i], right[i], depth+1)
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

func numbers(m *decode.Meaning, list []decode.Value) []uint64 {
	n := make([]uint64, len(list))
	for i := range list {
		n[i] = m.Of(list[i])
	}
	return n
}
