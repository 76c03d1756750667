package hold

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
)

const (
	// DefaultPatience is how long a message waits for an answer before it goes on unchanged.
	DefaultPatience = 5 * time.Minute
	// DefaultMost is how many messages wait at once.
	DefaultMost = 100
)

// Verb is what becomes of a held message.
type Verb uint8

// The verbs.
const (
	Resume Verb = iota // it goes on: as Decision.Edited says, else as it came
	Drop               // it goes nowhere, and the client's connection is closed
)

// Why tells what made a Decision.
type Why uint8

// The reasons.
const (
	Free      Why = iota // it was not held
	Answered             // by a person
	TimedOut             // nobody answered in time
	Left                 // the person left, or took the breakpoints away
	Cancelled            // the client went away, or the proxy stops
	Full                 // too many wait already
)

// Decision is what becomes of a message.
type Decision struct {
	Verb Verb
	// Edited is the flow as it is to go on: of a request Scheme, Authority and
	// Request count, of a response Response. nil: as it came.
	Edited *flow.Flow
	Why    Why
}

// Held is a message that waits.
type Held struct {
	ID    flow.ID
	Stage filter.Phase // Requests or Responses
	// Flow is what is known of it, with the body of the message if it could be
	// read whole. It must not be changed.
	Flow *flow.Flow
	// NoBody says why the body of the message is not at hand: it goes on as it is. "": it is.
	NoBody string
	Since  time.Time
	Until  time.Time // when it goes on by itself
}

// ErrGone is the answer to an answer that came too late.
var ErrGone = errors.New("hold: this message does not wait any more")

// Gate holds messages. The zero Gate is not usable; New makes one.
type Gate struct {
	wants    atomic.Uint32 // bit 0 requests, bit 1 responses: somebody is attached and a point is on
	patience time.Duration
	most     int

	mu       sync.Mutex
	attached int
	points   []Point
	compiled []compiled
	waiting  []*waiting // oldest first
	changed  chan struct{}
}

type waiting struct {
	Held
	answer chan Decision // of one
	timer  *time.Timer
}

// New is a Gate where messages wait for patience, most of them at once; zeros
// are the defaults. Nobody is attached, and there are no breakpoints.
func New(patience time.Duration, most int) *Gate {
	if patience <= 0 {
		patience = DefaultPatience
	}
	if most <= 0 {
		most = DefaultMost
	}
	return &Gate{patience: patience, most: most, changed: make(chan struct{})}
}

func bit(stage filter.Phase) uint32 {
	if stage == filter.Requests {
		return 1
	}
	return 2
}

// Wants reports whether some message of a stage might be held. It is one atomic load. A nil Gate wants nothing.
func (g *Gate) Wants(stage filter.Phase) bool { return g != nil && g.wants.Load()&bit(stage) != 0 }

// NeedsBody reports whether a breakpoint of a stage looks into bodies.
func (g *Gate) NeedsBody(stage filter.Phase) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.compiled, func(c compiled) bool {
		e, on := c.at(stage)
		return on && e.UsesBody()
	})
}

// Match reports whether a breakpoint asks for the message of f at a stage.
func (g *Gate) Match(f *flow.Flow, stage filter.Phase, now time.Time) bool {
	g.mu.Lock()
	points := g.compiled
	g.mu.Unlock()
	return matches(points, f, stage, now)
}

// Attach tells the gate that somebody is there to answer. detach lets go of everything held.
func (g *Gate) Attach() (detach func()) {
	g.mu.Lock()
	g.attached++
	g.weigh()
	g.mu.Unlock()
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.attached--; g.attached == 0 {
			g.release(func(*waiting) bool { return true }, Decision{Why: Left})
		}
		g.weigh()
	})
}

// SetPoints replaces the breakpoints. On an error, which names the one at fault
// and the place in its expression, nothing changes. What waits at a stage that no
// breakpoint is left for goes on.
func (g *Gate) SetPoints(points []Point) error {
	list := make([]compiled, len(points))
	for i, p := range points {
		var err error
		if list[i], err = compile(i, p); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.points, g.compiled = slices.Clone(points), list
	g.weigh()
	g.release(func(w *waiting) bool { return g.wants.Load()&bit(w.Stage) == 0 }, Decision{Why: Left})
	g.tell()
	return nil
}

// Points are the breakpoints in their order.
func (g *Gate) Points() []Point {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.points)
}

// weigh finds out what the gate wants. g.mu is held.
func (g *Gate) weigh() {
	var bits uint32
	for i := range g.compiled {
		if g.attached == 0 {
			break
		}
		if g.compiled[i].atRequest {
			bits |= bit(filter.Requests)
		}
		if g.compiled[i].atResponse {
			bits |= bit(filter.Responses)
		}
	}
	g.wants.Store(bits)
}

// Ask holds the message of f at a stage and returns what is to become of it.
// noBody says why its body is not at hand, "" if it is. It waits until somebody
// answers, at most as long as the gate's patience, and no longer than ctx.
func (g *Gate) Ask(ctx context.Context, f *flow.Flow, stage filter.Phase, noBody string) Decision {
	w := &waiting{Held: Held{ID: f.ID, Stage: stage, Flow: f, NoBody: noBody, Since: time.Now()}, answer: make(chan Decision, 1)}
	w.Until = w.Since.Add(g.patience)
	g.mu.Lock()
	switch {
	case g.wants.Load()&bit(stage) == 0:
		g.mu.Unlock()
		return Decision{Why: Left}
	case len(g.waiting) >= g.most:
		g.mu.Unlock()
		return Decision{Why: Full}
	}
	w.timer = time.AfterFunc(g.patience, func() { g.settle(w, Decision{Why: TimedOut}) })
	g.waiting = append(g.waiting, w)
	g.tell()
	g.mu.Unlock()
	select {
	case d := <-w.answer:
		return d
	case <-ctx.Done():
		g.settle(w, Decision{Why: Cancelled})
		return <-w.answer
	}
}

// settle answers w, unless it was answered already.
func (g *Gate) settle(w *waiting, d Decision) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.release(func(o *waiting) bool { return o == w }, d) > 0
}

// release answers all that which picks, and reports how many there were. g.mu is held.
func (g *Gate) release(which func(*waiting) bool, d Decision) (n int) {
	g.waiting = slices.DeleteFunc(g.waiting, func(w *waiting) bool {
		if !which(w) {
			return false
		}
		w.timer.Stop()
		w.answer <- d
		n++
		return true
	})
	if n > 0 {
		g.tell()
	}
	return n
}

func (g *Gate) tell() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// Changed is closed when something was held, went on, or the breakpoints changed.
// Take it before looking.
func (g *Gate) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// Held is what waits, oldest first.
func (g *Gate) Held() []Held {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Held, len(g.waiting))
	for i, w := range g.waiting {
		list[i] = w.Held
	}
	return list
}

// Answer decides about a held message; ErrGone: it does not wait any more.
func (g *Gate) Answer(id flow.ID, stage filter.Phase, d Decision) error {
	d.Why = Answered
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.release(func(w *waiting) bool { return w.ID == id && w.Stage == stage }, d) == 0 {
		return ErrGone
	}
	return nil
}

// ResumeAll lets everything go on unchanged, and reports how many that were.
func (g *Gate) ResumeAll() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.release(func(*waiting) bool { return true }, Decision{Why: Answered})
}

// Extend gives a held message the gate's patience anew, from now on: somebody is at work on it.
func (g *Gate) Extend(id flow.ID, stage filter.Phase) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.waiting {
		if w.ID == id && w.Stage == stage {
			w.Until = time.Now().Add(g.patience)
			w.timer.Reset(g.patience)
			g.tell()
			return nil
		}
	}
	return ErrGone
}

// Words says in a few words, for Flow.Altered, what became of a held message; "" if nothing that one would ask about.
func (d Decision) Words(stage filter.Phase, held time.Duration) string {
	what := "the request"
	if stage == filter.Responses {
		what = "the response"
	}
	held = held.Round(100 * time.Millisecond)
	switch {
	case d.Why == Full:
		return fmt.Sprintf("did not hold %s: too many are held already", what)
	case d.Why == Free || d.Why == Cancelled:
		return ""
	case d.Verb == Drop:
		return fmt.Sprintf("held %s for %s, then you dropped it", what, held)
	case d.Edited != nil:
		return fmt.Sprintf("held %s for %s, then sent it on as you edited it", what, held)
	case d.Why == TimedOut:
		return fmt.Sprintf("held %s for %s, then sent it on: nobody answered", what, held)
	}
	return fmt.Sprintf("held %s for %s", what, held)
}

// Waited is how long a message was held according to what Words said of it, to a tenth of a second; 0: it says nothing of that.
func Waited(words string) time.Duration {
	for _, what := range []string{"the request", "the response"} {
		rest, ok := strings.CutPrefix(words, "held "+what+" for ")
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, ",")
		if d, err := time.ParseDuration(rest); err == nil && d > 0 {
			return d
		}
	}
	return 0
}
