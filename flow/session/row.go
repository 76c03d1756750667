package session

import (
	"slices"
	"time"

	"github.com/why403/why403/flow"
)

// Rev counts the changes of a session's rows: see the package comment. 0 is before the first.
type Rev uint64

// State is how far a flow has come.
type State uint8

// The states of a row.
const (
	Waiting   State = iota // no head of the final response yet
	Streaming              // the response has begun
	Done                   // ended, and on disk
	NotKept                // ended, and not on disk, because the disk did not keep up: the row is all there is
)

var stateNames = [...]string{"waiting", "streaming", "done", "not kept"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Row is one flow as a list shows it. Strings longer than the bounds below are
// cut in a row; the flow itself has them whole.
type Row struct {
	ID, Parent flow.ID
	Rev        Rev
	Kind       flow.Kind
	Origin     flow.Origin
	State      State
	Start      time.Time
	Duration   time.Duration // 0 until it ended

	Method, Scheme, Authority, Target string
	Status                            int // 0: no final response
	ReqBytes, RespBytes               int64
	ContentType                       string // of the response
	Cut                               bool   // a body was not kept whole

	Err     string // why the exchange did not come to a proper end; "": it did, or has not yet
	ErrSide string // flow.Failure's Side

	Verdict  *flow.Judgement // nil: not judged yet. JSON is left out
	Marked   bool
	Comment  string
	ProvenBy flow.ID
	Endpoint string // flow.Endpoint
}

// Bounds of the strings of a row, in bytes.
const (
	maxTarget  = 8 << 10
	maxName    = 1 << 10 // method, authority, content type
	maxText    = 1 << 10 // error
	maxComment = 4 << 10
)

// Refused reports whether the flow was refused: the verdict's word if there is one, else the status'.
func (r *Row) Refused() bool {
	if r.Verdict != nil {
		return r.Verdict.Refused
	}
	return flow.RefusedByStatus(r.Status)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// rowOf is the row of f as it stands; State, Rev and sizes are the caller's.
func rowOf(f *flow.Flow) Row {
	r := Row{
		ID: f.ID, Parent: f.Parent, Kind: f.Kind, Origin: f.Origin,
		Start: f.Times.Start, Duration: f.Times.Duration(),
		Scheme: f.Scheme, Authority: clip(f.Authority, maxName),
	}
	r.question(f)
	r.answer(f)
	return r
}

// question brings what r says about the request of f up to date.
func (r *Row) question(f *flow.Flow) {
	method, target := r.Method, r.Target
	if m := f.Request; m != nil {
		r.Method, r.Target = clip(m.Method, maxName), clip(m.Target, maxTarget)
		r.ReqBytes = max(r.ReqBytes, m.Body.Size)
		r.Cut = r.Cut || m.Body.Cut()
	}
	if r.Endpoint == "" || r.Method != method || r.Target != target {
		r.Endpoint = r.endpoint(f.Request != nil)
	}
}

// answer brings what r says about the response and the error of f up to date.
func (r *Row) answer(f *flow.Flow) {
	if m := f.Response; m != nil {
		r.Status = m.Status
		r.ContentType = clip(m.Header.Get("Content-Type"), maxName)
		r.RespBytes = max(r.RespBytes, m.Body.Size)
		r.Cut = r.Cut || m.Body.Cut()
	}
	if f.Err != nil {
		r.Err, r.ErrSide = clip(f.Err.Text, maxText), f.Err.Side
		if r.Err == "" {
			r.Err = f.Err.Op
		}
	}
}

// endpoint is flow.Endpoint of the row's flow, from what the row holds of it.
func (r *Row) endpoint(request bool) string {
	f := flow.Flow{Scheme: r.Scheme, Authority: r.Authority}
	if request {
		f.Request = &flow.Message{Method: r.Method, Target: r.Target}
	}
	return flow.Endpoint(&f)
}

// rowVersion is the layout of the blobs in column flow.row, noteVersion of those in flow.note.
const (
	rowVersion  = 1
	noteVersion = 1
)

func (r *Row) encode() []byte { return r.append(nil) }

// append appends it to b.
func (r *Row) append(b []byte) []byte {
	e := &encoder{b: slices.Grow(b, 80+len(r.Method)+len(r.Authority)+len(r.Target)+len(r.ContentType)+len(r.Err))}
	e.byte(rowVersion)
	e.byte(byte(r.Kind))
	e.byte(byte(r.Origin))
	e.byte(byte(r.State))
	e.bool(r.Endpoint != r.Scheme+"://"+r.Authority) // there was a request
	e.bool(r.Cut)
	e.int(int64(r.Parent))
	e.time(r.Start)
	e.int(int64(r.Duration))
	e.str(r.Method)
	e.str(r.Scheme)
	e.str(r.Authority)
	e.str(r.Target)
	e.int(int64(r.Status))
	e.int(r.ReqBytes)
	e.int(r.RespBytes)
	e.str(r.ContentType)
	e.str(r.Err)
	e.str(r.ErrSide)
	return e.b
}

// decode fills r from a row's blob. The strings are parts of blob. It leaves
// ID, Rev and the note alone, and an endpoint that is known.
func (r *Row) decode(blob string) error {
	d := decoder{s: blob}
	if d.byte() != rowVersion {
		return errBlob
	}
	r.Kind, r.Origin, r.State = flow.Kind(d.byte()), flow.Origin(d.byte()), State(d.byte())
	request := d.bool()
	r.Cut = d.bool()
	r.Parent = flow.ID(d.int())
	r.Start, r.Duration = d.time(), time.Duration(d.int())
	r.Method, r.Scheme, r.Authority, r.Target = d.str(), d.str(), d.str(), d.str()
	r.Status, r.ReqBytes, r.RespBytes = int(d.int()), d.int(), d.int()
	r.ContentType, r.Err, r.ErrSide = d.str(), d.str(), d.str()
	if r.Endpoint == "" {
		r.Endpoint = r.endpoint(request)
	}
	return d.err()
}

// annotate puts a note's words on the row.
func (r *Row) annotate(a *flow.Annotation) {
	r.Verdict, r.Marked, r.Comment, r.ProvenBy = nil, false, "", 0
	if a.Verdict != nil {
		j := *a.Verdict
		j.JSON = nil
		r.Verdict = &j
	}
	if a.Mark != nil {
		r.Marked = *a.Mark
	}
	if a.Comment != nil {
		r.Comment = clip(*a.Comment, maxComment)
	}
	if a.ProvenBy != nil {
		r.ProvenBy = *a.ProvenBy
	}
}

// merge puts the fields that are set in b over those of a.
func merge(a, b flow.Annotation) flow.Annotation {
	if b.Verdict != nil {
		a.Verdict = b.Verdict
	}
	if b.Mark != nil {
		a.Mark = b.Mark
	}
	if b.Comment != nil {
		a.Comment = b.Comment
	}
	if b.ProvenBy != nil {
		a.ProvenBy = b.ProvenBy
	}
	return a
}

// encodeNote is a note without its verdict's JSON, which has a table of its own.
func encodeNote(a *flow.Annotation) []byte {
	e := &encoder{b: make([]byte, 0, 128)}
	e.byte(noteVersion)
	e.bool(a.Verdict != nil)
	if v := a.Verdict; v != nil {
		e.str(v.Ruleset)
		e.bool(v.Refused)
		e.str(v.Cause)
		e.str(v.Layer)
		e.str(v.Vendor)
		e.byte(byte(v.Confidence))
		e.str(v.Headline)
	}
	e.bool(a.Mark != nil)
	if a.Mark != nil {
		e.bool(*a.Mark)
	}
	e.bool(a.Comment != nil)
	if a.Comment != nil {
		e.str(*a.Comment)
	}
	e.bool(a.ProvenBy != nil)
	if a.ProvenBy != nil {
		e.int(int64(*a.ProvenBy))
	}
	return e.b
}

func decodeNote(blob string) (a flow.Annotation, err error) {
	if blob == "" {
		return a, nil
	}
	d := decoder{s: blob}
	if d.byte() != noteVersion {
		return a, errBlob
	}
	if d.bool() {
		a.Verdict = &flow.Judgement{
			Ruleset: d.str(), Refused: d.bool(), Cause: d.str(), Layer: d.str(), Vendor: d.str(),
			Confidence: flow.Confidence(d.byte()), Headline: d.str(),
		}
	}
	if d.bool() {
		a.Mark = new(d.bool())
	}
	if d.bool() {
		a.Comment = new(d.str())
	}
	if d.bool() {
		a.ProvenBy = new(flow.ID(d.int()))
	}
	return a, d.err()
}
