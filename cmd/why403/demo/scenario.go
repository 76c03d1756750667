package demo

import "context"

// A Scenario is one way to be refused: an accepted request to compare with,
// then the same with one mistake.
type Scenario struct {
	Name    string // the cause, unless two scenarios share it
	Title   string // what went wrong, in a few words
	Feature string // what of why403 it shows
	Client  string // who sends it: browser, curl, requests, node

	Cause  string   // the id that the verdict has to give
	Also   []string // ids that are right as well
	Vendor string   // "" where the answer speaks for no product
	Item   int      // of the checklist

	Accepted Mark // the last success to compare with
	Refused  Mark
	Fix      Fix
	Edits    []Edit // the smallest change that the server accepts; none for Wait

	play func(context.Context, *visit, Scenario) error // the Scenario is itself
}

// A Mark finds a scenario's flows in recorded traffic. Within one session each
// Refused mark belongs to one scenario, however often that is played.
type Mark struct {
	Method, URL string
	Status      int
}

// Fix says what makes the refused request pass.
type Fix string

const (
	// FixPatch is a change that follows from the recorded traffic; the changed request gets a 2xx.
	FixPatch Fix = "patch"
	// FixGrant is a right that somebody has to give. The credential of the
	// accepted request shows the difference and passes too (Edits), so a
	// verdict may offer it as a patch, or leave it at a next step.
	FixGrant Fix = "grant"
	// FixWait is time: the same request passes after Retry-After.
	FixWait Fix = "wait"
)

// An Edit is one part of the smallest change, in the words of flow.Change
// (Part, Name), and where the value comes from: FromAccepted, or FromCookie and a name.
type Edit struct {
	Part, Name string
	From       string
}

// Origins of an Edit's value.
const (
	FromAccepted = "accepted" // the same part of the accepted request
	FromCookie   = "cookie:"  // followed by the name of a cookie of the refused request
)

// Scenarios are all of them, in the order in which the client plays them.
func Scenarios() []Scenario {
	return []Scenario{
		csrfMissing, expiredToken, contentType, trailingSlash, insufficientScope,
		csrfMismatch, missingRole, originMismatch, wrongMethod, postBecameGet,
		missingToken, malformedToken, wrongAudience, ownership, malformedBody,
		missingHeader, rateLimit,
	}
}
