package session

import "github.com/why403/why403/flow"

// Bounds of what is kept in memory of flows that are on disk already.
const (
	recentBytes = 4 << 20
	recentBody  = 64 << 10 // bytes of the bodies of one flow at most
)

// recents are the flows that ended last, for those who look at each as it
// ends: reading it back from the file costs several times what writing it did.
// Store.mu guards it.
type recents struct {
	of    map[flow.ID]*recent
	order []flow.ID // oldest first
	bytes int64
}

type recent struct {
	flow   *flow.Flow // immutable, without the content of its bodies
	bodies [2]pieces
	size   int64
}

// remember adds a flow whose End was committed, if all of its bodies came with that commit.
func (s *Store) remember(j *job) {
	r := &recent{flow: j.flow, size: headCost + cost(j.flow.Request) + cost(j.flow.Response)}
	body := int64(0)
	for i := range j.chunks {
		c := &j.chunks[i]
		side := RequestSide
		if c.of == &j.live.body[ResponseSide] {
			side = ResponseSide
		}
		r.bodies[side] = append(r.bodies[side], c.data...)
		body += int64(c.data.size())
	}
	for _, m := range []*flow.Message{j.flow.Request, j.flow.Response} {
		if m != nil {
			body -= m.Body.Kept
		}
	}
	if body != 0 { // a part of them is on disk
		return
	}
	for side := range r.bodies {
		for _, p := range r.bodies[side] {
			r.size += int64(cap(p))
		}
	}
	if r.size > recentBody {
		return
	}
	k := &s.recents
	if k.of == nil {
		k.of = map[flow.ID]*recent{}
	}
	k.of[j.id] = r
	k.order = append(k.order, j.id)
	k.bytes += r.size
	for k.bytes > recentBytes {
		old := k.order[0]
		k.order = k.order[1:]
		k.bytes -= k.of[old].size
		delete(k.of, old)
	}
}

// view is what a reader of the flow gets to see.
func (r *recent) view() *view {
	f := *r.flow
	v := &view{flow: &f}
	for side := range r.bodies {
		v.bodies[side].rest = r.bodies[side]
	}
	v.own()
	return v
}
