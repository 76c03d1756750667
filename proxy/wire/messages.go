package wire

import (
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Messages records the messages of one direction. It looks at bytes that have
// gone to the other side already, and never touches them.
type Messages struct {
	rec   Recorder
	open  func() flow.ID
	split decode.Splitter // nil once closed
	found []flow.Frame
}

// NewMessages records what s tells apart. open gives the flow's id.
func NewMessages(rec Recorder, s decode.Splitter, open func() flow.ID) *Messages {
	return &Messages{rec: rec, open: open, split: s}
}

// Add looks at the next bytes.
func (m *Messages) Add(p []byte) { m.record(m.find(p)) }

// Close says that no more bytes come. What was not complete is recorded, and said to be cut.
func (m *Messages) Close() {
	if m.split == nil {
		return
	}
	m.split.Close(m.take)
	m.split = nil
	m.record(m.found)
}

// end is Close, with a word about why what comes is not told apart.
func (m *Messages) end(why string) {
	if m.split != nil {
		m.Close()
		m.record([]flow.Frame{{Kind: flow.Remark, Data: []byte("no further messages: " + why)}})
	}
}

func (m *Messages) take(f flow.Frame) { m.found = append(m.found, f) }

func (m *Messages) find(p []byte) []flow.Frame {
	if m.split != nil {
		m.split.Feed(p, m.take)
	}
	return m.found
}

func (m *Messages) record(list []flow.Frame) {
	m.found = nil
	if len(list) == 0 {
		return
	}
	id, now := m.open(), time.Now()
	for _, f := range list {
		f.At = now
		m.rec.Append(id, flow.FramePart(f))
	}
}
