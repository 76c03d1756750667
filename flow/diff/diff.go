// Package diff compares two requests by meaning, makes requests out of
// differences, and chooses what to compare with.
//
// Compare lists what sets a refused request apart from an accepted one: each
// difference is a flow.Change that Apply can make on its own, or that says it
// is not applicable. Differences that mean nothing (dates, trace ids, lengths
// that follow the body) are muted with the reason, never dropped. The most
// suspicious stands first. Everything here is pure.
package diff

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Diff is what sets one request apart from another.
type Diff struct {
	Changes []flow.Change      // most suspicious first
	Muted   []Muted            // differences that mean nothing by themselves
	Same    map[flow.Place]int // how many parts of each kind are the same
}

// Muted is a difference with the reason why it is not shown among the others.
type Muted struct {
	flow.Change
	Reason string `json:"reason"`
}

// Applicable is the patch that turns the refused request into the accepted one, as far
// as meaning goes.
func (d Diff) Applicable() flow.Patch {
	var p flow.Patch
	for _, c := range d.Changes {
		if c.Applicable() {
			p = append(p, c)
		}
	}
	return p
}

// Empty reports whether nothing that matters differs.
func (d Diff) Empty() bool { return len(d.Changes) == 0 }

// Bounds of one comparison.
const (
	maxBodyChanges = 500     // changes inside one body; with more of them the body counts as one
	maxBody        = 8 << 20 // bytes of one body that are taken apart
)

// Compare lists the differences from refused to accepted. Bodies are compared as
// far as the flows hold them.
func Compare(refused, accepted *flow.Flow) Diff { return CompareWith(refused, accepted, nil) }

// CompareWith is Compare with what was learnt from further successes; learned may be nil.
func CompareWith(refused, accepted *flow.Flow, learned *Learned) Diff {
	all, same := changes(refused, accepted)
	d := Diff{Same: same}
	for _, c := range all {
		if reason := noise(c, refused, accepted); reason != "" {
			d.Muted = append(d.Muted, Muted{c, reason})
		} else if reason := learned.reason(c); reason != "" {
			d.Muted = append(d.Muted, Muted{c, reason})
		} else {
			d.Changes = append(d.Changes, c)
		}
	}
	slices.SortStableFunc(d.Changes, func(x, y flow.Change) int {
		return cmp.Compare(suspicion(y, learned), suspicion(x, learned))
	})
	return d
}

// collector gathers changes in the order in which they are met.
type collector struct {
	list []flow.Change
	same map[flow.Place]int
}

func (k *collector) add(part flow.Place, name string, index int, before, after *string) {
	k.list = append(k.list, flow.Change{Part: part, Name: name, Index: index, Before: before, After: after})
}

// pair compares one value that both have.
func (k *collector) pair(part flow.Place, name, before, after string) {
	if before == after {
		k.same[part]++
		return
	}
	k.add(part, name, 0, &before, &after)
}

func changes(a, b *flow.Flow) ([]flow.Change, map[flow.Place]int) {
	k := &collector{same: map[flow.Place]int{}}
	if a == nil || b == nil || a.Request == nil || b.Request == nil {
		return nil, k.same
	}
	k.pair(flow.InMethod, "", a.Request.Method, b.Request.Method)
	k.pair(flow.InScheme, "", a.Scheme, b.Scheme)
	k.pair(flow.InHost, "", a.Authority, b.Authority)
	k.pair(flow.InPath, "", a.Path(), b.Path())
	k.sequences(flow.InQuery, pairs(a.Query()), pairs(b.Query()))
	k.headers(a, b)
	k.sequences(flow.InCookie, cookies(a.Request.Header), cookies(b.Request.Header))
	k.tokens(a.Request.Header, b.Request.Header)
	k.body(a.Request, b.Request)
	k.pair(flow.InProto, "", a.Request.Proto, b.Request.Proto)
	if a.Origin == flow.FromClient && b.Origin == flow.FromClient {
		k.pair(flow.InConn, "reused", strconv.FormatBool(a.Conn.Reused), strconv.FormatBool(b.Conn.Reused))
	}
	return k.list, k.same
}

// item is one named value of a sequence such as the query.
type item struct {
	key   string // what names are compared by
	name  string // as shown
	value string
}

func pairs(raw string) []item {
	var list []item
	for _, p := range decode.Query(raw) {
		if p.RawName != "" || p.HasValue {
			list = append(list, item{p.Name, p.Name, p.RawValue})
		}
	}
	return list
}

func cookies(h flow.Header) []item {
	var list []item
	for _, c := range decode.Cookies(h) {
		list = append(list, item{c.Name, c.Name, c.Value})
	}
	return list
}

// sequences compares two lists of named values, name by name. Of a name that is
// there several times, values are compared in their order: when one side's are
// the other's with some left out, only these differ.
func (k *collector) sequences(part flow.Place, a, b []item) {
	left, right := map[string][]string{}, map[string][]string{}
	var names []item // each name once, in order of appearance
	for _, side := range []struct {
		list []item
		into map[string][]string
	}{{a, left}, {b, right}} {
		for _, it := range side.list {
			if left[it.key] == nil && right[it.key] == nil {
				names = append(names, it)
			}
			side.into[it.key] = append(side.into[it.key], it.value)
		}
	}
	for _, n := range names {
		k.values(part, n.name, left[n.key], right[n.key])
	}
}

func (k *collector) values(part flow.Place, name string, a, b []string) {
	if out, ok := leftOut(a, b); ok {
		k.same[part] += len(b)
		for _, i := range out {
			k.add(part, name, i, &a[i], nil)
		}
		return
	}
	if in, ok := leftOut(b, a); ok {
		k.same[part] += len(a)
		for _, i := range in {
			k.add(part, name, i, nil, &b[i])
		}
		return
	}
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			k.add(part, name, i, nil, &b[i])
		case i >= len(b):
			k.add(part, name, i, &a[i], nil)
		case a[i] != b[i]:
			k.add(part, name, i, &a[i], &b[i])
		default:
			k.same[part]++
		}
	}
}

// leftOut tells which of long to leave out to get short, if that is all it takes.
func leftOut[T comparable](long, short []T) (out []int, ok bool) {
	j := 0
	for i, v := range long {
		if j < len(short) && v == short[j] {
			j++
		} else {
			out = append(out, i)
		}
	}
	return out, j == len(short)
}

// body compares the contents, in the terms of what they are when both are the same kind.
func (k *collector) body(a, b *flow.Message) {
	x, xCut, errX := decode.Content(a, maxBody)
	y, yCut, errY := decode.Content(b, maxBody)
	if errX != nil && errY != nil && a.Body.Whole() && b.Body.Whole() { // a coding that nobody here knows: the bytes themselves
		if bytes.Equal(a.Body.Data, b.Body.Data) {
			k.same[flow.InBody]++
		} else {
			k.whole(a.Body.Data, b.Body.Data)
		}
		return
	}
	switch {
	case xCut || yCut || errX != nil || errY != nil:
		n := min(len(x), len(y))
		if !bytes.Equal(x[:n], y[:n]) || !xCut && !yCut && len(x) != len(y) {
			before, after := string(x), string(y)
			k.add(flow.InBody, fmt.Sprintf("first %d bytes", max(len(x), len(y))), 0, &before, &after)
		} else {
			k.same[flow.InBody]++
		}
		return
	case bytes.Equal(x, y):
		k.same[flow.InBody]++
		return
	}
	before := len(k.list)
	if !k.structured(a, b, x, y) {
		k.list = k.list[:before]
		k.whole(x, y)
		return
	}
	if n := len(k.list) - before; n == 0 || n > maxBodyChanges {
		k.list = k.list[:before]
		s, t := string(x), string(y)
		k.add(flow.InBody, "", 0, &s, &t)
	}
}

// structured compares JSON by path, forms by field, multipart by part; false: the bodies are not both the same of these.
func (k *collector) structured(a, b *flow.Message, x, y []byte) bool {
	typeA, paramsA := decode.MediaType(a.Header)
	typeB, paramsB := decode.MediaType(b.Header)
	switch {
	case len(x) == 0 || len(y) == 0:
		return false
	case decode.IsForm(typeA) && decode.IsForm(typeB):
		k.sequences(flow.InForm, pairs(string(x)), pairs(string(y)))
		return true
	case decode.IsMultipart(typeA) && decode.IsMultipart(typeB):
		return k.multipart(x, y, paramsA["boundary"], paramsB["boundary"])
	}
	return k.json(x, y)
}

// multipart compares part by part; the boundaries are of no account.
func (k *collector) multipart(x, y []byte, boundaryX, boundaryY string) bool {
	left, errX := decode.Multipart(x, boundaryX)
	right, errY := decode.Multipart(y, boundaryY)
	if errX != nil || errY != nil {
		return false
	}
	k.sequences(flow.InMultipart, partItems(left), partItems(right))
	return true
}

func partItems(parts []decode.MultiPart) []item {
	var list []item
	for _, p := range parts {
		list = append(list, item{p.Name, p.Name, partText(p)})
	}
	return list
}

const wholePart = "Content-Disposition:"

// partText is the content of a plain field; of any other part the whole, its
// disposition first. Content that looks like a whole part is shown as one.
func partText(p decode.MultiPart) string {
	disposition, ok := p.Header.Lookup("Content-Disposition")
	if !ok {
		disposition = plainDisposition(p.Name)
	}
	var b strings.Builder
	for _, f := range p.Header {
		if !strings.EqualFold(f.Name, "Content-Disposition") {
			b.WriteString(f.Name + ": " + f.Value + "\r\n")
		}
	}
	content := string(p.Data)
	if disposition == plainDisposition(p.Name) && b.Len() == 0 && !strings.HasPrefix(content, wholePart) {
		return content
	}
	return wholePart + " " + disposition + "\r\n" + b.String() + "\r\n" + content
}

// plainDisposition is that of a field which is no file. Names are escaped as browsers do.
func plainDisposition(name string) string {
	return `form-data; name="` + strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(name) + `"`
}

// whole adds a body that changes as one and, of texts, the lines that differ.
func (k *collector) whole(x, y []byte) {
	s, t := string(x), string(y)
	switch {
	case len(x) == 0:
		k.add(flow.InBody, "", 0, nil, &t)
		return
	case len(y) == 0:
		k.add(flow.InBody, "", 0, &s, nil)
		return
	}
	k.add(flow.InBody, "", 0, &s, &t)
	if bytes.IndexByte(x, 0) < 0 && bytes.IndexByte(y, 0) < 0 {
		k.lines(s, t)
	}
}

const maxLines = 100 // of one text that are listed

// lines lists what differs between the lines that two texts have in common at both ends.
func (k *collector) lines(x, y string) {
	a, b := strings.Split(x, "\n"), strings.Split(y, "\n")
	if len(a) < 2 && len(b) < 2 {
		return
	}
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	k.same[flow.InBody] += head + tail
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	for i := range min(max(len(a), len(b)), maxLines) {
		var before, after *string
		if i < len(a) {
			before = &a[i]
		}
		if i < len(b) {
			after = &b[i]
		}
		k.add(flow.InBody, "line "+strconv.Itoa(head+i+1), 0, before, after)
	}
}
