package wire

import (
	"io"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// TestMessagesOfABodyFollowItsParts: the bytes are recorded, then the events in
// them; beyond the limit of a body no events are made up, and that is said.
func TestMessagesOfABodyFollowItsParts(t *testing.T) {
	one := "data: 0123456789\n\n"
	for _, c := range []struct {
		limit  int64
		events int
		remark string
	}{
		{0, 20, ""},
		{int64(5*len(one) + 3), 5, "no further messages: the rest of the body is not kept"},
	} {
		m := &memory{}
		tape := m.tape(c.limit)
		tape.Watch(decode.Messages(flow.Header{{Name: "Content-Type", Value: "text/event-stream"}}, false))
		b := &Body{Framing: flow.UntilClose}
		src := NewReader(&stepper{[]byte(strings.Repeat(one, 20)), len(one)})
		if err := b.Copy(io.Discard, src, nil, tape); err != nil {
			t.Fatal(err)
		}
		events, bytes, remark := 0, 0, ""
		for _, p := range m.parts {
			switch {
			case p.Kind == flow.ResponseBody:
				bytes += len(p.Data)
			case p.Frame == flow.ServerEvent && !p.Cut:
				if events++; bytes < events*len(one) {
					t.Errorf("event %d is recorded before its bytes", events)
				}
			case p.Frame == flow.Remark:
				remark += string(p.Data)
			}
		}
		if events != c.events || !strings.HasPrefix(remark, c.remark) || c.remark == "" && remark != "" {
			t.Errorf("limit %d: %d events, %q", c.limit, events, remark)
		}
	}
}
