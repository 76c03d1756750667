package pinpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/why403/why403/flow"
)

// halt is why an experiment goes no further.
type halt struct {
	outcome Outcome
	reason  string
	after   time.Time
}

// run is an experiment under way.
type run struct {
	ctx  context.Context
	in   Input
	o    Options
	send Sender
	g    gathered
	j    judge

	log      []Step // of an earlier run, not asked again
	steps    []Step
	accepted int
	heard    map[string]Class // last answer to each probe
	through  int              // status that counts as accepted, for the accepted request gets it now; 0: none
	noProto  bool             // the sender does not speak the other version of HTTP
	silent   int              // probes without an answer, in a row
	suspects int
	halt     *halt
	failure  *flow.Failure // of the last probe that came to no answer

	tokens  []token // of the accepted request, that are asked for anew before each probe which has one
	fetched int     // requests that asked for tokens
}

func (o Options) withDefaults() Options {
	if o.Max <= 0 {
		o.Max = defaultMax
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ID == nil {
		o.ID = newID
	}
	if o.Observe == nil {
		o.Observe = func(Step) {}
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// key tells probes apart.
func key(b Base, p flow.Patch) string {
	q := slices.Clone(p)
	slices.SortStableFunc(q, func(a, b flow.Change) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Index, b.Index))
	})
	text, _ := json.Marshal(q) // strings and numbers alone
	return string(b) + string(text)
}

// differs is said of a server by which nothing can be proven.
const differs = "not proven: the server answers differently to the same request"

func (x *run) stopped() bool { return x.halt != nil }

func (x *run) stop(outcome Outcome, format string, args ...any) {
	if x.halt == nil {
		x.halt = &halt{outcome: outcome, reason: fmt.Sprintf(format, args...)}
	}
}

// good reports whether a class is what is looked for: the request gets what the accepted one gets.
func (x *run) good(c Class, status int) bool {
	return c == WasAccepted || c == LetThrough && x.through != 0 && status == x.through
}

// works asks for a patch of the refused request, once.
func (x *run) works(p flow.Patch, why Purpose) bool {
	c := x.ask(Refused, p, why, false)
	return c == WasAccepted
}

// ask sends a probe, unless the answer is known and again is false, and says what
// became of it. A patch that cannot be made is refused without a request. Once
// the experiment is halted nothing is sent and nothing holds.
//
// In what ask returns, an answer as the accepted request gets it now is WasAccepted.
func (x *run) ask(base Base, p flow.Patch, why Purpose, again bool) Class {
	if x.noProto {
		p = slices.DeleteFunc(slices.Clone(p), func(c flow.Change) bool { return c.Part == flow.InProto })
	}
	k := key(base, p)
	before, known := x.heard[k]
	if known && !again {
		return before
	}
	if x.halt != nil {
		return NoAnswer
	}
	s, ok := x.recall(k, why)
	if !ok {
		from := x.in.Refused
		if base == Accepted {
			from = x.in.Accepted
		}
		f, err := build(from, p, x.o.ID)
		if notMade(err) {
			x.heard[k] = RefusedElsewise
			return RefusedElsewise
		}
		if err != nil {
			x.stop(Stopped, "the request cannot be made: %v", err)
			return NoAnswer
		}
		if (base == Accepted || len(p) > 0) && !x.freshen(f) {
			return NoAnswer
		}
		if s, ok = x.probe(Step{N: len(x.steps) + 1, Base: base, Patch: p, Purpose: why, Suspects: x.suspects}, f); !ok {
			return NoAnswer
		}
	}
	x.steps = append(x.steps, s)
	if s.Class == WasAccepted {
		x.accepted++
	}
	c := s.Class
	if x.good(c, s.Status) {
		c = WasAccepted
	}
	x.heard[k] = c
	if known && (before == WasAccepted) != (c == WasAccepted) && before != NoAnswer && c != NoAnswer {
		x.stop(Unstable, "%s: %s, then %s", differs, before, c)
	}
	return c
}

// recall takes the step from an earlier run, if it asked the same next.
func (x *run) recall(k string, why Purpose) (Step, bool) {
	n := len(x.steps)
	if n >= len(x.log) {
		return Step{}, false
	}
	if s := x.log[n]; key(s.Base, s.Patch) == k && s.Purpose == why {
		return s, true
	}
	x.log = x.log[:n] // it went another way: from here on everything is asked anew
	return Step{}, false
}

const (
	maxWait   = 2 * time.Minute // of a Retry-After that is obeyed by waiting
	maxSilent = 2               // probes without an answer before it is given up
)

// probe sends one request and reads the answer; false: the experiment is halted.
func (x *run) probe(s Step, f *flow.Flow) (Step, bool) {
	switch {
	case len(x.steps)+x.fetched >= x.o.Max:
		x.stop(Stopped, "the budget of %d requests is used up", x.o.Max)
		return s, false
	case !x.maySucceed(1) && s.Purpose != Control && s.Purpose != Confirm:
		x.stop(Stopped, "%d requests were accepted, which is as many as may be", x.accepted)
		return s, false
	}
	if len(x.steps) > 0 && x.o.Spacing > 0 {
		if x.o.Sleep(x.ctx, x.o.Spacing) != nil {
			x.stop(Stopped, "stopped by the user")
			return s, false
		}
	}
	s.Class = Sending
	x.o.Observe(s)
	for tries := 0; ; tries++ {
		if x.ctx.Err() != nil {
			x.stop(Stopped, "stopped by the user")
			return s, false
		}
		got, err := x.send.Send(x.ctx, Probe{N: s.N, Base: s.Base, Patch: s.Patch, Flow: f})
		if x.ctx.Err() != nil {
			x.stop(Stopped, "stopped by the user")
			return s, false
		}
		if got == nil {
			x.stop(Stopped, "the request could not be sent: %v", err)
			return s, false
		}
		wait, asked := retryAfter(got, x.o.Now())
		if got.Status() == 503 && asked && wait <= maxWait && tries == 0 {
			if x.o.Sleep(x.ctx, wait) != nil {
				x.stop(Stopped, "stopped by the user")
				return s, false
			}
			continue
		}
		x.heed(s, got, x.read(&s, got), wait)
		x.o.Observe(s)
		return s, true
	}
}

// read fills in what the answer is, and gives how it refuses.
func (x *run) read(s *Step, got *flow.Flow) refusal {
	class, r := x.j.class(got)
	s.Class, s.Status, s.Flow, s.Took = class, got.Status(), got.ID, got.Times.Duration()
	s.Says = says(*s, x.good(class, s.Status))
	if got.Err != nil {
		s.Says += ": " + got.Err.Text
	}
	for _, c := range s.Patch {
		if c.Part == flow.InProto && got.Request != nil && got.Request.Proto != *c.After {
			x.noProto = true // what was sent is the request without this change
			s.Patch = slices.DeleteFunc(slices.Clone(s.Patch), func(c flow.Change) bool { return c.Part == flow.InProto })
			break
		}
	}
	return r
}

// heed halts the experiment when the server wants no more requests.
func (x *run) heed(s Step, got *flow.Flow, r refusal, wait time.Duration) {
	if s.Class == NoAnswer {
		x.failure = got.Err
		if x.silent++; x.silent >= maxSilent {
			x.stop(Stopped, "the server does not answer: %v", got.Err)
		}
		return
	}
	x.silent = 0
	if s.Status == 429 || s.Status == 503 && wait > 0 {
		x.stop(Stopped, "the server asks for fewer requests (%d)", s.Status)
		if wait > 0 {
			x.halt.after = x.o.Now().Add(wait)
		}
		return
	}
	if s.Class == RefusedAgain || s.Class == RefusedElsewise || s.Status == 423 {
		if why := x.j.lockout(got, r); why != "" {
			x.stop(Stopped, "going on might lock the account: %s", why)
		}
	}
}

// maySucceed reports whether n more requests may be accepted.
func (x *run) maySucceed(n int) bool {
	return x.o.MaxAccepted <= 0 || !changesThings(x.in.Refused.Request.Method) || x.accepted+n <= x.o.MaxAccepted
}

// retryAfter is how long the server asks to wait (RFC 9110, 10.2.3).
func retryAfter(f *flow.Flow, now time.Time) (time.Duration, bool) {
	if f.Response == nil {
		return 0, false
	}
	v, ok := f.Response.Header.Lookup("Retry-After")
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now)), true
	}
	return 0, false
}

// says is what an answer means, in a few words.
func says(s Step, good bool) string {
	refused := s.Class == RefusedAgain || s.Class == RefusedElsewise
	switch {
	case s.Class == NoAnswer:
		return "no answer"
	case s.Class == RefusedElsewise && s.Purpose != Control:
		return "refused in another way"
	case s.Class == LetThrough && !good:
		return "let through, and not accepted"
	}
	switch s.Purpose {
	case Control, Confirm:
		switch {
		case s.Base == Refused && s.Class == RefusedAgain && s.Purpose == Confirm:
			return "refused again without it"
		case s.Base == Refused && s.Class == RefusedAgain:
			return "still refused, the same way"
		case s.Base == Refused && refused:
			return "refused, in another way than before"
		case s.Base == Refused:
			return "accepted now, without any change"
		case good:
			return "still accepted: both controls hold"
		}
		return "refused now too"
	case Guess:
		if good {
			return "fixed by this guess"
		}
		return "not by this alone"
	case Break:
		if good {
			return "accepted without it as well"
		}
		return "broken by this alone"
	case Repeat:
		if good {
			return "accepted"
		}
		return "the same once more"
	}
	switch {
	case good && len(s.Patch) == 1:
		return "fixed by this"
	case good:
		return "what decides is among these"
	}
	return "these are not enough"
}
