package diff

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// headers compares the fields apart from Cookie, whose cookies are compared one
// by one; then the spelling of names, then their order. Of a name that is there
// several times, fields count as left out only when the others are the same in
// value and spelling; otherwise they are compared in their order, so that an
// index means the same on both sides.
func (k *collector) headers(a, b *flow.Flow) {
	x, y := fields(a), fields(b)
	left, right := byField(x), byField(y)
	var spelling []flow.Change
	seen := map[string]bool{}
	for _, h := range []flow.Header{x, y} {
		for i := range h {
			name := strings.ToLower(h[i].Name)
			if !seen[name] {
				seen[name] = true
				spelling = append(spelling, k.fieldsOf(name, left[name], right[name])...)
			}
		}
	}
	k.list = append(k.list, spelling...)
	k.order(x, y)
}

func byField(h flow.Header) map[string][]flow.Field {
	m := map[string][]flow.Field{}
	for _, f := range h {
		name := strings.ToLower(f.Name)
		m[name] = append(m[name], flow.Field{Name: f.Name, Value: f.Value})
	}
	return m
}

// fieldsOf compares the fields of one name and returns the differences in spelling.
func (k *collector) fieldsOf(name string, a, b []flow.Field) (spelling []flow.Change) {
	cookie := name == "cookie"
	if !cookie {
		if out, ok := leftOut(a, b); ok {
			k.same[flow.InHeader] += len(b)
			for _, i := range out {
				k.add(flow.InHeader, a[i].Name, i, &a[i].Value, nil)
			}
			return nil
		}
		if in, ok := leftOut(b, a); ok {
			k.same[flow.InHeader] += len(a)
			for _, i := range in {
				k.add(flow.InHeader, b[i].Name, i, nil, &b[i].Value)
			}
			return nil
		}
	}
	for i := range max(len(a), len(b)) {
		switch {
		case i < len(a) && i < len(b):
			if a[i].Name != b[i].Name {
				spelling = append(spelling, flow.Change{Part: flow.InHeaderCase, Name: name, Index: i, Before: &a[i].Name, After: &b[i].Name})
			}
			if cookie {
				continue
			}
			if a[i].Value == b[i].Value {
				k.same[flow.InHeader]++
			} else {
				k.add(flow.InHeader, a[i].Name, i, &a[i].Value, &b[i].Value)
			}
		case cookie:
		case i < len(a):
			k.add(flow.InHeader, a[i].Name, i, &a[i].Value, nil)
		default:
			k.add(flow.InHeader, b[i].Name, i, nil, &b[i].Value)
		}
	}
	return spelling
}

// fields is the header with a Host that HTTP/2 says in another way.
func fields(f *flow.Flow) flow.Header {
	h := f.Request.Header
	if strings.HasPrefix(f.Request.Proto, "HTTP/2") && !h.Has("Host") && f.Authority != "" {
		host := f.Authority
		if i := h.Index(":authority", 0); i >= 0 { // a recording has it where it says something else
			host = h[i].Value
			h = slices.Delete(slices.Clone(h), i, i+1)
		}
		h = append(flow.Header{{Name: "host", Value: host}}, h...)
	}
	return h
}

// order compares the order of the names that both have; what is added or missing is no matter of order.
func (k *collector) order(x, y flow.Header) {
	both := func(h, other flow.Header) []string {
		seen := map[string]int{}
		var list []string
		for i := range h {
			name := strings.ToLower(h[i].Name)
			if nth := seen[name]; other.Index(name, nth) >= 0 {
				list = append(list, name)
			}
			seen[name]++
		}
		return list
	}
	if slices.Equal(both(x, y), both(y, x)) {
		k.same[flow.InHeaderOrder]++
		return
	}
	before, after := names(x), names(y)
	k.add(flow.InHeaderOrder, "", 0, &before, &after)
}

func names(h flow.Header) string {
	list := make([]string, len(h))
	for i := range h {
		list[i] = h[i].Name
	}
	return strings.Join(list, ", ")
}

// tokens compares the claims of tokens that stand at the same place.
func (k *collector) tokens(x, y flow.Header) {
	right := decode.Tokens(y)
	for _, t := range decode.Tokens(x) {
		i := slices.IndexFunc(right, func(s decode.Sent) bool { return strings.EqualFold(s.Where, t.Where) })
		if i < 0 || right[i].Raw == t.Raw {
			continue
		}
		k.claims(t.Where, t.Header, right[i].Header, "header ")
		k.claims(t.Where, t.Claims, right[i].Claims, "")
		right = slices.Delete(right, i, i+1)
	}
}

func (k *collector) claims(where string, a, b decode.Value, prefix string) {
	seen := map[string]bool{}
	x, y := a.Meaning(), b.Meaning()
	for _, side := range []decode.Value{a, b} {
		for m := range side.Children() {
			name := m.Name()
			if seen[name] {
				continue
			}
			seen[name] = true
			var before, after *string
			v, w := a.Get(name), b.Get(name)
			if v.Exists() {
				s := v.Raw()
				before = &s
			}
			if w.Exists() {
				s := w.Raw()
				after = &s
			}
			if v.Exists() && w.Exists() && x.Of(v) == y.Of(w) {
				k.same[flow.InJWT]++
				continue
			}
			k.add(flow.InJWT, where+" "+prefix+name, 0, before, after)
		}
	}
}
