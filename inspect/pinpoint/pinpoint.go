// Package pinpoint finds by experiment which part of a refused request decides: it
// sends the request again with parts of the difference to an accepted one, until
// the smallest change is known that turns refused into accepted, and shows that
// without it the request is refused still.
//
// Run is sequential: one request at a time, spaced, within a budget that Plan tells
// before anything is sent. It knows no network: a Sender does that, and the time
// comes in by Options. What was asked and answered is a State, plain data; given
// to another Run it is not asked again. Everything else is pure. The same answers
// always lead to the same questions.
//
// The search supposes that a change which helps still helps among others
// (monotony) and tests what it concludes, so a wrong guess costs requests and is
// never told as a result. An answer that contradicts an earlier one to the same
// request ends the experiment: the server is not stable.
package pinpoint

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

// Sender sends a probe and gives the exchange that it became. An exchange that
// came to no answer is a flow with Err (and an error beside it); no flow at all
// means that nothing could be sent.
type Sender interface {
	Send(context.Context, Probe) (*flow.Flow, error)
}

// Base is which of the two requests a probe starts from.
type Base string

// The bases.
const (
	Refused  Base = "refused"
	Accepted Base = "accepted"
)

// Probe is one request of the experiment.
type Probe struct {
	N     int // from 1
	Base  Base
	Patch flow.Patch // made to the base; empty: the base again
	// Flow is what to send and where: Scheme, Authority, Conn and Request, with the flow that it replays as Parent.
	Flow *flow.Flow
}

// Input is what an experiment is about.
type Input struct {
	// Refused is the refused flow, with its whole request.
	Refused *flow.Flow
	// Accepted is the flow to compare with, with its whole request; nil: there is none.
	Accepted *flow.Flow
	// Explained is what is said of Refused: the fixes of its verdicts are tried first.
	Explained inspect.Explained
	// Successes are accepted flows of the endpoint, from which is learnt what varies; may be empty.
	Successes []*flow.Flow
	// Earlier are flows that came before, in which the origin of tokens is looked for; may be empty.
	Earlier []*flow.Flow
}

// Options of an experiment. The zero value is a good one.
type Options struct {
	Max int // requests, at most; 0 is 40
	// MaxAccepted is how many of the requests that may change something on the
	// server are accepted, at most; 0: as many as come to be.
	MaxAccepted int
	// Sure has what was found repeated, with and without, until it cannot be chance even
	// where three in ten answers are the wrong ones. A fix of several changes is proven so alone.
	Sure    bool
	Spacing time.Duration // between two requests; 0 is none
	// Sleep waits; nil is a timer.
	Sleep func(context.Context, time.Duration) error
	// Now is read for a Retry-After that is a date; nil is time.Now.
	Now func() time.Time
	// ID makes the value of a new Idempotency-Key; nil makes a random UUID.
	ID func() string
	// Observe is told of each step when it is sent (Class is Sending) and when it is answered; may be nil.
	Observe func(Step)
}

const defaultMax = 40

// Class is what became of a probe.
type Class string

// The classes.
const (
	Sending         Class = "sending"
	RefusedAgain    Class = "refused"           // the same way as the refused flow: status, cause and vendor
	RefusedElsewise Class = "refused-otherwise" // another refusal
	LetThrough      Class = "let-through"       // neither refused nor accepted: a 404, 409, 422, 5xx
	WasAccepted     Class = "accepted"
	NoAnswer        Class = "no-answer"
)

// Purpose is what a probe is for.
type Purpose string

// The purposes.
const (
	Control Purpose = "control" // is it still as it was?
	Guess   Purpose = "guess"   // a verdict's fix
	Search  Purpose = "search"  // is it among these?
	Confirm Purpose = "confirm" // refused again without the change?
	Break   Purpose = "break"   // does its absence break the accepted one?
	Repeat  Purpose = "repeat"  // the same once more, against chance
)

// Step is a probe with its answer.
type Step struct {
	N       int        `json:"n"`
	Base    Base       `json:"base"`
	Patch   flow.Patch `json:"patch,omitempty"`
	Purpose Purpose    `json:"purpose"`
	// Suspects is how many of the differences may still be what decides.
	Suspects int           `json:"suspects,omitempty"`
	Class    Class         `json:"class"`
	Status   int           `json:"status"`
	Flow     flow.ID       `json:"flow"`
	Took     time.Duration `json:"took_ns"`
	Says     string        `json:"says"` // what follows from it, a few words
}

// Outcome is how an experiment ended.
type Outcome string

// The outcomes (a contract of the command line).
const (
	Proven       Outcome = "proven"        // refused, accepted with Fixes, refused again the same way without
	FixedOnce    Outcome = "fixed-once"    // accepted with Fixes, and not shown to be refused without
	NothingFound Outcome = "nothing-found" // no change that could be made was accepted
	Unstable     Outcome = "unstable"      // the same request was answered this way and that, or the controls do not hold
	Stopped      Outcome = "stopped"       // by the budget, the server's wish, or the user
)

// Result is what the experiment found.
type Result struct {
	Outcome  Outcome    `json:"outcome"`
	Requests int        `json:"requests"`
	Accepted int        `json:"accepted"`
	Fixes    flow.Patch `json:"fixes"`  // the smallest change that turns refused into accepted
	Breaks   flow.Patch `json:"breaks"` // the smallest that turns accepted into refused, seen from the accepted request
	Reason   string     `json:"reason"`

	ComparedWith flow.ID    `json:"compared_with,omitempty"`
	FixedBy      flow.ID    `json:"fixed_by,omitempty"`  // the flow that was accepted with Fixes
	RuledOut     flow.Patch `json:"ruled_out,omitempty"` // made and still refused, or left out and still accepted
	NotTried     flow.Patch `json:"not_tried,omitempty"`
	// After is when an experiment that the server stopped may go on; zero: at any time.
	After time.Time `json:"after,omitzero"`
	Steps []Step    `json:"steps"`
	// Failure is why the last request that came to no answer did; nil: all were answered.
	Failure *flow.Failure `json:"-"`
}

// State is an experiment as far as it got. Give it to Run to go on.
type State struct {
	Refused  flow.ID `json:"refused"`
	Accepted flow.ID `json:"accepted"`
	Steps    []Step  `json:"steps"`
}

// State is what another Run goes on from. Requests that asked for tokens are not part of it.
func (r Result) State(in Input) State {
	s := State{Refused: in.Refused.ID, Steps: r.Steps}
	if in.Accepted != nil {
		s.Accepted = in.Accepted.ID
	}
	return s
}
