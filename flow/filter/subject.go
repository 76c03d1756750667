package filter

import (
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Subject is what a filter looks at: plain words that whoever has a row or a
// flow fills in. What is not known stays zero.
type Subject struct {
	// Now is what ages and the durations of unfinished flows are counted to.
	Now time.Time

	ID       flow.ID
	Kind     flow.Kind
	Origin   flow.Origin
	Live     bool // not ended yet
	Start    time.Time
	Duration time.Duration // 0 while Live

	Method, Scheme, Authority, Target string
	Status                            int   // 0: no final response
	RequestBytes, ResponseBytes       int64 // of the bodies
	ContentType                       string
	WebSocket                         bool
	Cut                               bool // a body was not kept whole

	Err     string // why the exchange did not come to a proper end
	Refused bool
	Marked  bool
	Proven  bool
	Comment string

	Cause, Layer, Vendor, Headline string // of the verdict

	// What a list does not hold.
	Process string
	Flow    *flow.Flow // for header: and body:

	bodies [2]string // decoded, of Flow, once read
	read   bool
}

// Of is the subject of a whole flow, or of one under way as far as it has come,
// with what stands beside it (nil: nothing).
func Of(f *flow.Flow, note *flow.Annotation, now time.Time) Subject {
	s := Subject{
		Now: now, ID: f.ID, Kind: f.Kind, Origin: f.Origin, Live: f.Times.End.IsZero() && f.Err == nil && f.Origin != flow.FromImport,
		Start: f.Times.Start, Duration: f.Times.Duration(), Scheme: f.Scheme, Authority: f.Authority,
		Status: f.Status(), Refused: flow.RefusedByStatus(f.Status()), Process: f.Conn.Process, Flow: f,
	}
	if m := f.Request; m != nil {
		s.Method, s.Target, s.RequestBytes, s.Cut = m.Method, m.Target, m.Body.Size, m.Body.Cut()
		s.ContentType = m.Header.Get("Content-Type")
		s.WebSocket = m.Header.HasToken("Upgrade", "websocket")
	}
	if m := f.Response; m != nil {
		s.ResponseBytes, s.Cut = m.Body.Size, s.Cut || m.Body.Cut()
		s.ContentType = m.Header.Get("Content-Type")
		s.WebSocket = s.WebSocket && m.Status == 101 || s.Kind == flow.Exchange && WebSocketOverH2(s.Method, s.Target, m.Status) && s.asksForWebSocket()
	}
	if f.Err != nil {
		s.Err = f.Err.Error()
	}
	if note == nil {
		return s
	}
	if v := note.Verdict; v != nil {
		s.Refused, s.Cause, s.Layer, s.Vendor, s.Headline = v.Refused, v.Cause, v.Layer, v.Vendor, v.Headline
	}
	s.Marked = note.Mark != nil && *note.Mark
	s.Proven = note.ProvenBy != nil && *note.ProvenBy != 0
	if note.Comment != nil {
		s.Comment = *note.Comment
	}
	return s
}

// WebSocketOverH2 reports whether a CONNECT has opened a WebSocket in HTTP/2 or
// HTTP/3 (RFC 8441, 4): it has a path, where any other names a host and a port.
func WebSocketOverH2(method, target string, status int) bool {
	return method == "CONNECT" && strings.HasPrefix(target, "/") && status/100 == 2
}

// asksForWebSocket reports whether nothing says that the CONNECT is for another protocol (RFC 9298 has one).
func (s *Subject) asksForWebSocket() bool {
	p, told := s.Flow.Request.Header.Lookup(":protocol")
	return !told || strings.EqualFold(p, "websocket")
}

// messages are the request and the response of the flow, nil where there is none.
func (s *Subject) messages() [2]*flow.Message {
	if s.Flow == nil {
		return [2]*flow.Message{}
	}
	return [2]*flow.Message{s.Flow.Request, s.Flow.Response}
}

// bodyMost is how much of a decoded body is looked at, in bytes.
const bodyMost = 64 << 20

// body is the decoded text of the request's (0) or the response's (1) body, as far as it can be read.
func (s *Subject) body(i int) string {
	if !s.read {
		s.read = true
		for i, m := range s.messages() {
			if m != nil {
				s.bodies[i], _, _ = decode.Text(m, bodyMost)
			}
		}
	}
	return s.bodies[i]
}

func (s *Subject) mediaType() string {
	media, _, _ := strings.Cut(s.ContentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// duration is how long the exchange took, or has taken so far.
func (s *Subject) duration() time.Duration {
	if s.Live && !s.Start.IsZero() && !s.Now.IsZero() {
		return max(0, s.Now.Sub(s.Start))
	}
	return s.Duration
}
