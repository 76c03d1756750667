package inspect

import (
	"iter"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// BodyLimit is how many bytes of a decoded body a Case holds at most. Refusals
// say what they have to say early.
const BodyLimit = 256 << 10

// Case is everything that the rules may know about one flow. Bodies of all its
// flows are a prefix of at most BodyLimit bytes with the content coding already
// removed, whatever Content-Encoding says. Nothing in it is changed.
// A Case is used by one goroutine.
type Case struct {
	Flow *flow.Flow
	// Success is the accepted flow of the same endpoint to compare with; nil: none.
	Success *flow.Flow
	// Changes is how Flow's request differs from Success's, the most suspicious first.
	Changes []flow.Change
	History History
	// Now is the Date of the answer, else the time it was received.
	Now      time.Time
	Logs     []Line
	WAF      *Simulation // nil: not run
	Contract []Breach

	facts facts
}

// History is what happened around a flow, bounded by who gathers it.
type History struct {
	// Before are earlier flows that have to do with this one: of the same host,
	// and redirects that lead to it. Oldest first.
	Before []*flow.Flow
	// After are later flows of the same endpoint, oldest first.
	After []*flow.Flow
	// Refused is package function Refused with a memory, for flows that are in
	// the history of many cases; nil: the case remembers for itself.
	Refused func(*flow.Flow) bool
}

// Line is one line of a server's log, with how well it fits the flow.
type Line struct {
	Label string    `json:"label"` // of the source
	N     int       `json:"line"`  // number in it, from 1
	Time  time.Time `json:"time,omitzero"`
	Text  string    `json:"text"`
	// Tied says how the line belongs to the flow: "id" (it holds an id of this
	// exchange), "request" (time, method and path), "near" (time alone).
	Tied string `json:"tied"`
}

// Breach is one way in which the request breaks the API's contract.
type Breach struct {
	Part    string // "path", "method", "header", "query", "cookie", "body", "content-type", "security"
	Name    string // of the parameter, the credential, or the place in the body
	Message string
	Where   string
	Quote   string
}

// Need is something costly that the rules would like to know. Whoever gathers
// cases runs it and explains again.
type Need string

// The needs.
const (
	NeedWAF      Need = "waf"      // the request through the Core Rule Set
	NeedContract Need = "contract" // the request against the OpenAPI document
)

// facts are what rules share, worked out at most once per case.
type facts struct {
	answer   *answer
	hits     []vendors.Hit
	hitsDone bool
	// texts are the values of the request that an answer may repeat.
	texts     []string
	textsDone bool
	claims    []Finding
	creds     map[*flow.Flow][]credential
	front     *answerer
	refused   map[*flow.Flow]bool
}

func (c *Case) req() *flow.Message {
	if c.Flow.Request == nil {
		return &flow.Message{}
	}
	return c.Flow.Request
}

func (c *Case) resp() *flow.Message {
	if c.Flow.Response == nil {
		return &flow.Message{}
	}
	return c.Flow.Response
}

// okReq is the request of the success, an empty one if there is none.
func (c *Case) okReq() *flow.Message {
	if c.Success == nil || c.Success.Request == nil {
		return &flow.Message{}
	}
	return c.Success.Request
}

// header is a field of the refused request.
func (c *Case) header(name string) string { return c.req().Header.Get(name) }

// unsafe reports whether the method may change something (RFC 9110, 9.2.1);
// CSRF checks concern only these.
func (c *Case) unsafe() bool { return unsafeMethod(c.req().Method) }

func unsafeMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "OPTIONS", "TRACE", "":
		return false
	}
	return true
}

// accepted yields the earlier flows that were accepted, newest first. The
// success, which may be later, comes first.
func (c *Case) accepted() iter.Seq[*flow.Flow] {
	return func(yield func(*flow.Flow) bool) {
		if c.Success != nil && !yield(c.Success) {
			return
		}
		for i := len(c.History.Before) - 1; i >= 0; i-- {
			f := c.History.Before[i]
			if f != c.Success && c.wasAccepted(f) && !yield(f) {
				return
			}
		}
	}
}

// wasAccepted reports whether the answer is one that a caller wanted: 2xx and
// no refusal in disguise, or 304.
func (c *Case) wasAccepted(f *flow.Flow) bool {
	s := f.Status()
	if s == 304 {
		return true
	}
	if s < 200 || s > 299 {
		return false
	}
	if c.History.Refused != nil {
		return !c.History.Refused(f)
	}
	r, known := c.facts.refused[f]
	if !known {
		r = Refused(f)
		if c.facts.refused == nil {
			c.facts.refused = map[*flow.Flow]bool{}
		}
		c.facts.refused[f] = r
	}
	return !r
}

// CauseSet is a set of causes.
type CauseSet func(Name) bool

// Not is every cause that is neither one of ids nor a wider one that includes
// it: an answer that says "invalid token" does not speak against "expired".
func Not(ids ...Name) CauseSet {
	return func(n Name) bool {
		for _, id := range ids {
			if covers(n, id) {
				return false
			}
		}
		return true
	}
}

// Any is one of ids.
func Any(ids ...Name) CauseSet {
	return func(n Name) bool {
		for _, id := range ids {
			if n == id {
				return true
			}
		}
		return false
	}
}

// AnswerSpeaksFor reports whether the answer or a log line of the server says,
// with some confidence, that the cause is one of want.
func (c *Case) AnswerSpeaksFor(want CauseSet) bool {
	for _, f := range c.facts.claims {
		if f.Confidence >= flow.Likely && f.Cause != UnknownCause && want(f.Cause) {
			return true
		}
	}
	return false
}

// AnswerHints is AnswerSpeaksFor with weak claims counted too.
func (c *Case) AnswerHints(want CauseSet) bool {
	for _, f := range c.facts.claims {
		if f.Cause != UnknownCause && want(f.Cause) {
			return true
		}
	}
	return false
}
