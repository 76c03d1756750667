package pinpoint

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
)

// Run makes the experiment, or goes on with the one of which st is the state.
// Whatever happens it gives a result; ctx stops it.
func Run(ctx context.Context, in Input, s Sender, o Options, st State) Result {
	x := &run{ctx: ctx, in: in, o: o.withDefaults(), send: s, heard: map[string]Class{}}
	if why := against(in); why != "" {
		return Result{Outcome: Stopped, Reason: sentence(why), Steps: []Step{}}
	}
	if st.Refused == in.Refused.ID && (in.Accepted == nil && st.Accepted == 0 || in.Accepted != nil && st.Accepted == in.Accepted.ID) {
		x.log = st.Steps
	}
	x.j, x.g = newJudge(in.Refused), gather(in)
	x.o.Max = MakePlan(in, o).Requests // what was told is kept to, whatever the server answers
	if x.o.MaxAccepted > 0 && in.Accepted == nil {
		x.o.MaxAccepted = max(x.o.MaxAccepted, 1)
	}
	return x.result(x.experiment())
}

// found is what the experiment came to.
type found struct {
	fix       flow.Patch
	set       []int // fix as places in the gathered changes; nil: it is of a guess
	breaks    flow.Patch
	confirmed bool
	sure      bool // seen so often, with and without, that it is no chance
	rough     bool // not narrowed to the smallest
	why       string
}

func (x *run) experiment() found {
	var f found
	x.suspects = x.g.ranked
	usable, why := x.controls()
	if x.stopped() {
		return f
	}
	if !x.guesses(&f) && usable && !x.stopped() {
		if len(x.g.changes) == 0 && len(x.g.never) == 0 && x.heard[key(Accepted, nil)] == WasAccepted {
			x.stop(Unstable, "%s: the two do not differ, one was refused and the same request was accepted", differs)
			return f
		}
		x.search(&f)
	}
	if f.fix == nil {
		f.why = why
		if why != "" && !x.stopped() {
			x.stop(Unstable, "%s", why)
		}
		return f
	}
	x.suspects = len(f.fix)
	fixed := len(x.steps)
	if len(f.fix) == 1 || f.rough {
		f.confirmed = x.confirm()
		if usable && f.confirmed && !x.stopped() {
			x.breaks(&f)
		}
	} else {
		if usable {
			x.breaks(&f)
		}
		x.necessary(&f)
		f.confirmed = x.refusedSince(fixed) || x.confirm()
	}
	f.sure = x.o.Sure && f.confirmed && !f.rough && x.beyondChance(&f)
	return f
}

// rounds is how often a fix is tried, and left out, to rule out chance. Where three in ten
// answers are the wrong ones, a false fix is accepted and the request without it
// refused in all of them about once in ten thousand times, and it has to be taken for one first.
const rounds = 6

// beyondChance tries the fix and what lacks a part of it by turns, and reports whether
// they were answered as before each time. A part without which it is accepted is no part of it.
func (x *run) beyondChance(f *found) bool {
	for round := 0; round < rounds; round++ {
		x.suspects = len(f.fix)
		for i := range f.fix {
			rest := slices.Concat(f.fix[:i], f.fix[i+1:])
			c := x.ask(Refused, rest, Repeat, true)
			if x.stopped() {
				return false
			}
			switch {
			case c == RefusedAgain || len(rest) > 0 && (c == RefusedElsewise || c == LetThrough):
				continue
			case c == WasAccepted:
				f.fix, f.set, round = rest, nil, -1
			case c == NoAnswer:
				x.stop(Stopped, "it was not answered when it was sent once more")
				return false
			default:
				x.stop(Unstable, "%s: refused, then in another way", differs)
				return false
			}
			break
		}
		if round >= 0 && x.ask(Refused, f.fix, Repeat, true) != WasAccepted || x.stopped() {
			return false
		}
	}
	return true
}

// controls sends both requests again as they were. usable is false, with the reason,
// when there is no accepted request to go by.
func (x *run) controls() (usable bool, why string) {
	c := x.ask(Refused, nil, Control, false)
	if x.stopped() {
		return false, ""
	}
	switch last := x.steps[len(x.steps)-1]; c {
	case RefusedAgain:
	case RefusedElsewise:
		if last.Status == x.in.Refused.Status() && !x.in.Refused.Response.Body.Whole() {
			break // what it said at the time is not known
		}
		x.stop(Unstable, "the refused request is refused in another way now (%d instead of %s): something else changed since, such as an expired session", last.Status, x.j.was)
		return false, ""
	case NoAnswer:
		x.stop(Stopped, "the refused request was not answered when it was sent again%s", x.whyNot())
		return false, ""
	default:
		also := ""
		for _, name := range onceOnly {
			if x.in.Refused.Request.Header.Has(name) {
				also = "; it was sent with a new " + name
			}
		}
		x.stop(Unstable, "the refused request is not refused any more (%d)%s", last.Status, also)
		return false, ""
	}
	if x.in.Accepted == nil {
		return false, ""
	}
	if b := x.in.Accepted.Request.Body; b.Cut() || !b.Whole() {
		return false, "the body of the accepted request was not kept whole, so it cannot be sent again: compare with another one"
	}
	if x.o.MaxAccepted == 1 && changesThings(x.in.Refused.Request.Method) {
		return true, "" // the one that may succeed is kept for the fix
	}
	return x.acceptedControl()
}

func (x *run) acceptedControl() (usable bool, why string) {
	c := x.ask(Accepted, nil, Control, false)
	if x.stopped() || c == WasAccepted {
		return !x.stopped(), ""
	}
	last := x.steps[len(x.steps)-1]
	if c == LetThrough && last.Status >= 400 && last.Status < 500 {
		x.through = last.Status // past what refused; it complains about being there already, or the like
		x.heard[key(Accepted, nil)] = WasAccepted
		return true, ""
	}
	if c == RefusedAgain || c == RefusedElsewise {
		if x.tokens = tokensOf(x.in.Accepted, x.in.Earlier); len(x.tokens) > 0 {
			// It may have been taken once only. With a new one it is another request, so it is asked as such.
			delete(x.heard, key(Accepted, nil))
			if x.ask(Accepted, nil, Control, true) == WasAccepted {
				return !x.stopped(), ""
			}
			x.tokens = nil
		}
	}
	x.ask(Accepted, nil, Repeat, true) // should it be accepted now, that is noticed
	if c == NoAnswer {
		return false, "the accepted request was not answered when it was sent again" + x.whyNot()
	}
	return false, fmt.Sprintf("the accepted request is not accepted any more (%d): log in again, make a new success, and compare with that", last.Status)
}

// whyNot is the reason of the last failure, behind a colon.
func (x *run) whyNot() string {
	if x.failure == nil {
		return ""
	}
	return ": " + x.failure.Error()
}

// guesses tries what the verdicts suggest, or without a success what servers often want.
func (x *run) guesses(f *found) bool {
	for _, g := range x.g.guesses {
		if x.stopped() {
			return false
		}
		if !x.works(g.patch, Guess) {
			continue
		}
		f.fix, f.why = g.patch, g.why
		if len(g.patch) > 1 && x.maySucceed(2) {
			set, ok := smallest(len(g.patch), 0, nil, func(s []int) bool { return x.works(pick(g.patch, s), Search) }, x.stopped)
			if ok {
				f.fix = pick(g.patch, set)
			}
			f.rough = !ok
		}
		return true
	}
	return false
}

func pick(p flow.Patch, set []int) flow.Patch {
	out := make(flow.Patch, 0, len(set))
	for _, i := range set {
		out = append(out, p[i])
	}
	return out
}

// search looks for the fix among the differences, then among those that mean nothing by themselves as well.
func (x *run) search(f *found) {
	all := x.g.changes
	works := func(s []int) bool {
		x.suspects = min(x.suspects, max(len(s), 1))
		return x.works(pick(all, s), Search)
	}
	if !x.maySucceed(bits.Len(uint(len(all))) + 1) {
		x.oneByOne(f)
		return
	}
	n := x.g.ranked
	set, ok := []int(nil), false
	if n > 0 {
		set, ok = smallest(n, x.g.first, nil, works, x.stopped)
	}
	if !ok && !x.stopped() && n < len(all) {
		n = len(all)
		x.suspects = n
		set, ok = smallest(n, 0, nil, works, x.stopped)
	}
	if ok {
		f.fix, f.set = pick(all, set), set
	} else if x.stopped() {
		f.fix, f.set = x.best()
		f.rough = f.fix != nil
	}
}

// oneByOne tries the differences each by itself, for hardly any request may be
// accepted; then all together.
func (x *run) oneByOne(f *found) {
	for i := range x.g.ranked {
		if x.works(pick(x.g.changes, []int{i}), Search) {
			f.fix, f.set = pick(x.g.changes, []int{i}), []int{i}
			return
		}
	}
	all := with(x.g.ranked, nil)
	if !x.stopped() && x.g.ranked > 1 && x.works(pick(x.g.changes, all), Search) {
		f.fix, f.set, f.rough = pick(x.g.changes, all), all, true
	}
}

// best is the smallest patch that was accepted so far.
func (x *run) best() (flow.Patch, []int) {
	var p flow.Patch
	for _, s := range x.steps {
		if s.Base == Refused && len(s.Patch) > 0 && x.good(s.Class, s.Status) && (p == nil || len(s.Patch) < len(p)) {
			p = s.Patch
		}
	}
	return p, nil
}

// confirm sends the refused request again without any change.
func (x *run) confirm() bool {
	if x.stopped() {
		return false
	}
	return x.ask(Refused, nil, Confirm, true) == RefusedAgain
}

// refusedSince reports whether, from the nth step on, the refused request was
// refused the same way with a part of the fix: then it is without any of it.
func (x *run) refusedSince(n int) bool {
	return !x.stopped() && slices.ContainsFunc(x.steps[n:], func(s Step) bool {
		return s.Base == Refused && s.Purpose == Repeat && s.Class == RefusedAgain
	})
}

// breaks looks for the smallest change that gets the accepted request refused: the
// fix taken away or, where something else lets it through as well, that too.
func (x *run) breaks(f *found) {
	set := f.set
	if set == nil { // a guess: what of the difference is about the same
		for i, c := range x.g.changes {
			if slices.ContainsFunc(f.fix, func(p flow.Change) bool { return p.Part == c.Part && strings.EqualFold(p.Name, c.Name) }) {
				set = append(set, i)
			}
		}
	}
	if len(set) == 0 || !x.maySucceed(1) {
		return
	}
	refused := func(s []int) bool {
		c := x.ask(Accepted, x.undo(s), Break, false)
		return c == RefusedAgain || c == RefusedElsewise
	}
	if refused(set[:1]) {
		f.breaks = x.undo(set[:1])
		return
	}
	if len(set) > 1 && refused(set) {
		f.breaks = x.undo(set)
		return
	}
	x.alternative(f, set, refused)
}

// alternative looks for what else lets the accepted request through.
func (x *run) alternative(f *found, set []int, refused func([]int) bool) {
	if x.stopped() || !x.maySucceed(bits.Len(uint(x.g.ranked))) {
		return
	}
	// The fix's changes stand behind all others, so that a row of the others is what is asked for.
	var order []int
	for i := range x.g.ranked {
		if !slices.Contains(set, i) {
			order = append(order, i)
		}
	}
	others := len(order)
	order = append(order, set...)
	needed := make([]int, len(set))
	for i := range set {
		needed[i] = others + i
	}
	x.suspects = others
	holds := func(s []int) bool {
		real := make([]int, len(s))
		for i, p := range s {
			real[i] = order[p]
		}
		slices.Sort(real)
		x.suspects = min(x.suspects, max(1, len(real)-len(set)))
		return refused(real)
	}
	got, ok := smallest(others, 0, needed, holds, x.stopped)
	if ok {
		var real []int
		for _, p := range got {
			real = append(real, order[p])
		}
		slices.Sort(real)
		f.breaks = x.undo(real)
		return
	}
	if !x.stopped() && x.becomesTheRefused() {
		x.stop(Unstable, "%s: the accepted one with all that the refused one has instead is the refused one, and it was accepted", differs)
	}
	for i := 0; i < rounds && !x.stopped(); i++ { // nothing gets it refused: was the refused one so by chance?
		x.ask(Refused, nil, Repeat, true)
	}
}

// becomesTheRefused reports whether the accepted request with all its differences
// undone is the refused one: then the server cannot accept it and refuse the other.
func (x *run) becomesTheRefused() bool {
	f, err := build(x.in.Accepted, x.undo(with(x.g.ranked, nil)), func() string { return "" })
	if err != nil {
		return false
	}
	f.Origin, f.Conn = flow.FromReplay, flow.Conn{} // the connection is another one each time
	d := diff.Compare(f, x.in.Refused)
	return d.Empty() && len(d.Muted) == 0
}

func (x *run) undo(set []int) flow.Patch { return undone(pick(x.g.changes, set), x.g.back) }

// enough is how often each part of a fix of several is seen to be needed. It makes a part
// too many rare and does not rule it out: a search takes many ways, and one refusal by
// chance leads it onto a wrong one. So such a fix is proven by beyondChance alone.
const enough = 2

// necessary shows of each change of a fix of several that the others alone do not do it.
func (x *run) necessary(f *found) {
	for i := 0; i < len(f.fix) && len(f.fix) > 1 && !x.stopped(); {
		rest := slices.Concat(f.fix[:i], f.fix[i+1:])
		if x.lacking(f.fix[i], rest) >= enough {
			i++
			continue
		}
		c := x.ask(Refused, rest, Repeat, true)
		if c == WasAccepted && !x.stopped() { // it never was refused: it only stood in the row
			f.fix, i = rest, 0
			if f.set != nil {
				f.set = nil
			}
		}
	}
}

// lacking counts how often what had all of rest and not c was not accepted.
func (x *run) lacking(c flow.Change, rest flow.Patch) int {
	has := func(p flow.Patch, c flow.Change) bool {
		return slices.ContainsFunc(p, func(d flow.Change) bool {
			return d.Part == c.Part && strings.EqualFold(d.Name, c.Name) && d.Index == c.Index
		})
	}
	n := 0
	for _, s := range x.steps {
		if s.Class == NoAnswer || x.good(s.Class, s.Status) {
			continue
		}
		ok := s.Base == Refused && !has(s.Patch, c) || s.Base == Accepted && has(s.Patch, c)
		for _, r := range rest {
			ok = ok && has(s.Patch, r) == (s.Base == Refused)
		}
		if ok {
			n++
		}
	}
	return n
}
