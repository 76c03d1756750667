package flow

import "time"

// PartKind tells what a Part adds to a flow that is under way.
type PartKind uint8

// The kinds of part.
const (
	RequestBody  PartKind = iota // Data: content of the request, in order
	InterimHead                  // Head: a 1xx response
	ResponseHead                 // Head: the final response's head
	ResponseBody                 // Data: content of the response, in order
	ClientFrame                  // Data: a message on an upgraded connection or in a body, from the client
	OriginFrame                  // Data: the same, from the origin
)

// Part is something that happened to a flow under way.
type Part struct {
	Kind PartKind
	At   time.Time
	// Data belongs to the receiver of the part: the sender does not touch it again.
	Data []byte
	// Size is how many bytes went over the wire where that is not len(Data):
	// the rest was not kept, or a message was compressed; 0 means len(Data).
	Size int64
	Head *Message // without body
	// Frame, Packed and Cut are of a ClientFrame or OriginFrame: see Frame.
	Frame       FrameKind
	Packed, Cut bool
}

// FramePart is f as a part of a flow under way.
func FramePart(f Frame) Part {
	p := Part{Kind: OriginFrame, At: f.At, Data: f.Data, Size: f.Size, Frame: f.Kind, Packed: f.Packed, Cut: f.Cut}
	if f.FromClient {
		p.Kind = ClientFrame
	}
	return p
}

// Outcome completes a flow: what was not yet known at its beginning.
type Outcome struct {
	Scheme, Authority string   // where the request went after all; "": as it began
	Request           *Message // replaces the request's head and trailers, body size and framing; nil: as it began. Body.Data is ignored
	Response          *Message // head, trailers, body size and framing; nil: none. Body.Data is ignored
	Times             Timings
	Conn              Conn
	Altered           []string
	Fidelity          Fidelity
	Err               *Failure
}

// Confidence is how sure a verdict is.
type Confidence uint8

// The confidences, weakest first.
const (
	Possible Confidence = iota + 1
	Likely
	Certain
)

var confidenceNames = [...]string{"", "possible", "likely", "certain"}

func (c Confidence) String() string {
	if int(c) < len(confidenceNames) {
		return confidenceNames[c]
	}
	return "unknown"
}

// MarshalText gives the word used in JSON.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the word used in JSON; an unknown word is Possible, the weakest claim.
func (c *Confidence) UnmarshalText(b []byte) error {
	*c = Possible
	for i, n := range confidenceNames {
		if i > 0 && n == string(b) {
			*c = Confidence(i)
		}
	}
	return nil
}

// Annotation is what stands beside a finished flow. Storing one replaces the
// fields that are set and leaves the others.
type Annotation struct {
	Verdict  *Judgement
	Mark     *bool
	Comment  *string
	ProvenBy *ID // the replay that proved the verdict
}

// Judgement is a verdict in the form in which it is stored: the short words
// that lists show and filters ask for, and the whole in JSON.
type Judgement struct {
	Ruleset    string // version of the rules that made it
	Refused    bool
	Cause      string // id; "" when not refused
	Layer      string
	Vendor     string
	Confidence Confidence
	Headline   string // a few words for the row of a list, such as "CSRF header missing"
	JSON       []byte // the verdict's whole, as inspect.Report encodes it
}
