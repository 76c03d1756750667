package wire

import (
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Recorder takes down flows as they happen; session.Store is one. Begin and
// Append may block by the recorder's own overload policy, never for long.
type Recorder interface {
	Begin(*flow.Flow) flow.ID
	Append(flow.ID, flow.Part)
	End(flow.ID, flow.Outcome)
}

// Tape gives the content of one body to a Recorder, in parts that belong to
// the recorder. A nil Tape records nothing.
type Tape struct {
	rec   Recorder
	open  func() flow.ID // nil once called
	id    flow.ID
	kind  flow.PartKind
	limit int64 // bytes still kept; what comes after is counted
	data  []byte
	over  int64 // bytes counted and not kept since the last part

	messages *Messages // of the body; nil: it is not a sequence of messages
}

// NewTape records content as parts of kind. open gives the flow's id; it is
// called once, as soon as the first bytes are on their way to the other side,
// be they only those of a head. Of all content, at most limit bytes are kept;
// 0 is no limit.
func NewTape(rec Recorder, kind flow.PartKind, limit int64, open func() flow.ID) *Tape {
	if limit <= 0 {
		limit = 1<<63 - 1
	}
	return &Tape{rec: rec, open: open, kind: kind, limit: limit}
}

// Watch has the messages that s finds in the content recorded as they come; a
// nil s finds none. The Tape has to be closed then.
func (t *Tape) Watch(s decode.Splitter) {
	if t != nil && s != nil {
		t.messages = NewMessages(t.rec, s, func() flow.ID { t.begin(); return t.id })
	}
}

// Close says that no content comes any more.
func (t *Tape) Close() {
	if t != nil && t.messages != nil {
		t.messages.Close()
	}
}

// add takes a copy of p; flush hands over what add took.
func (t *Tape) add(p []byte) {
	if t == nil || len(p) == 0 {
		return
	}
	keep := int(min(t.limit, int64(len(p))))
	t.limit -= int64(keep)
	t.over += int64(len(p) - keep)
	if p = p[:keep]; keep == 0 {
		return
	}
	for len(t.data)+len(p) > flow.PartSize {
		n := flow.PartSize - len(t.data)
		t.put(p[:n])
		t.hand()
		p = p[n:]
	}
	t.put(p)
}

func (t *Tape) put(p []byte) {
	if t.data == nil && len(p) > flow.PartSize/2 {
		t.data = flow.Buffer()
	}
	t.data = append(t.data, p...)
}

// flush hands over what is pending.
func (t *Tape) flush() {
	switch {
	case t == nil:
	case len(t.data) > 0 || t.over > 0:
		t.hand()
	default:
		t.begin()
	}
}

// Add records p, which has gone to the other side, at once.
func (t *Tape) Add(p []byte) {
	t.add(p)
	t.flush()
}

func (t *Tape) begin() {
	if t.open != nil {
		t.id, t.open = t.open(), nil
	}
}

func (t *Tape) hand() {
	t.begin()
	part := flow.Part{Kind: t.kind, At: time.Now(), Data: t.data}
	if t.over > 0 {
		part.Size = int64(len(t.data)) + t.over
	}
	missing := t.over > 0
	t.data, t.over = nil, 0
	if t.messages == nil {
		t.rec.Append(t.id, part)
		return
	}
	found := t.messages.find(part.Data) // before the part is the recorder's
	t.rec.Append(t.id, part)
	t.messages.record(found)
	if missing {
		t.messages.end("the rest of the body is not kept, for it is larger than the limit")
	}
}
