package ui

import (
	"cmp"
	"slices"
	"sort"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// sortBy is what the list is sorted by.
type sortBy uint8

const (
	byNumber sortBy = iota // as flows began; what is not sorted otherwise
	byMethod
	byStatus
	byHost
	byPath
	byTook
	bySize
	byType
	byWhy
)

// sorts are the ways to sort, in the order of the columns.
var sorts = []struct {
	by   sortBy
	key  words // in the menu
	name words
	down bool // what one looks for stands at the end
}{
	{byNumber, "#", "number", false},
	{byMethod, "m", "method", false},
	{byStatus, "s", "status", true},
	{byHost, "h", "host", false},
	{byPath, "p", "path", false},
	{byTook, "t", "time taken", true},
	{bySize, "b", "bytes of the answer", true},
	{byType, "c", "content type", false},
	{byWhy, "w", "why it was refused", true},
}

// sorting is a choice of them.
type sorting struct {
	by   sortBy
	down bool
}

// sortKey is what a row is sorted by: number first, then text.
type sortKey struct {
	n       int64
	s       string
	refused bool // for those who look for the next refusal in this order
}

// key is r's.
func (by sortBy) key(r *session.Row) sortKey {
	k := sortKey{refused: r.Refused() && ended(r)}
	switch by {
	case byMethod:
		k.s = r.Method
	case byStatus:
		k.n = int64(r.Status)
	case byHost:
		k.s = r.Authority
	case byPath:
		k.s = pathOf(r)
	case byTook:
		k.n = int64(r.Duration)
		if !ended(r) {
			k.n = 1<<63 - 1 // it takes longer than any that ended
		}
	case bySize:
		k.n = r.RespBytes
	case byType:
		k.s = r.ContentType
	case byWhy:
		if k.refused {
			k.n = 1
			if v := r.Verdict; v != nil {
				k.n, k.s = 1+int64(v.Confidence), v.Cause
			}
		}
	}
	return k
}

// order is the flows of a list sorted by something else than their number. It
// holds all of them: about 50 bytes each and the texts that they are sorted by.
// Changes are collected, and merged when somebody looks.
type order struct {
	sorting
	ids     []flow.ID
	keys    []sortKey
	pending map[flow.ID]*sortKey // nil: it goes
	spare   struct {             // room for the next merge
		ids  []flow.ID
		keys []sortKey
	}
	found int  // where a flow was found last
	told  bool // the cursor was moved: it no longer stays on the first row
}

func newOrder(s sorting) *order { return &order{sorting: s, pending: map[flow.ID]*sortKey{}} }

// put adds a flow, or moves it to where it belongs now.
func (o *order) put(id flow.ID, k sortKey) { o.pending[id] = &k }

// drop takes a flow out.
func (o *order) drop(id flow.ID) { o.pending[id] = nil }

func (o *order) len() int {
	o.merge()
	return len(o.ids)
}

func (o *order) at(i int) flow.ID {
	o.merge()
	return o.ids[i]
}

// index is where id is, and whether it is there.
func (o *order) index(id flow.ID) (int, bool) {
	o.merge()
	if o.found < len(o.ids) && o.ids[o.found] == id {
		return o.found, true
	}
	i := slices.Index(o.ids, id)
	if i >= 0 {
		o.found = i
	}
	return max(0, i), i >= 0
}

// next is the nearest refused flow after the one at id, or before it, and whether it lies past the
// end of the list, from its other end on; 0: none is refused.
func (o *order) next(id flow.ID, down bool) (to flow.ID, around bool) {
	at, _ := o.index(id)
	n := len(o.ids)
	for k := 1; k <= n; k++ {
		i := at + k
		if !down {
			i = at - k
		}
		around = i < 0 || i >= n
		if i = (i + n) % n; o.keys[i].refused {
			return o.ids[i], around || k == n
		}
	}
	return 0, true
}

type placed struct {
	id flow.ID
	sortKey
}

func (o *order) compare(a, b placed) int {
	c := cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.s, b.s))
	if o.down {
		c = -c
	}
	if o.by == byNumber && o.down {
		return cmp.Compare(b.id, a.id)
	}
	return cmp.Or(c, cmp.Compare(a.id, b.id))
}

// merge brings the order up to date: as much work as a copy of it, whatever has changed.
func (o *order) merge() {
	if len(o.pending) == 0 {
		return
	}
	var add []placed
	low, high := flow.ID(1<<63-1), flow.ID(0) // what changes is mostly young, and the rest need not be looked up
	for id, k := range o.pending {
		low, high = min(low, id), max(high, id)
		if k != nil {
			add = append(add, placed{id, *k})
		}
	}
	slices.SortFunc(add, o.compare)
	ids, keys := slices.Grow(o.spare.ids[:0], len(o.ids)+len(add)), slices.Grow(o.spare.keys[:0], len(o.ids)+len(add))
	from := 0 // those from here to where the next one is put, or goes, are copied in one go
	upTo := func(i int) {
		ids, keys = append(ids, o.ids[from:i]...), append(keys, o.keys[from:i]...)
		from = i
	}
	put := func(before int) { // those of add that belong before a place
		for len(add) > 0 {
			at := from + sort.Search(before-from, func(i int) bool { return o.compare(add[0], placed{o.ids[from+i], o.keys[from+i]}) < 0 })
			if at == before && before < len(o.ids) {
				return
			}
			upTo(at)
			ids, keys = append(ids, add[0].id), append(keys, add[0].sortKey)
			add = add[1:]
		}
	}
	for i, id := range o.ids {
		if id < low || id > high {
			continue
		}
		if _, changed := o.pending[id]; changed {
			put(i)
			upTo(i)
			from = i + 1
		}
	}
	put(len(o.ids))
	upTo(len(o.ids))
	o.spare.ids, o.spare.keys = o.ids, o.keys
	o.ids, o.keys = ids, keys
	clear(o.pending)
}
