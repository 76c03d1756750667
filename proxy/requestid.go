package proxy

import (
	"net/http"

	"github.com/why403/why403/flow"
)

// requestIDs are fields by which servers already follow a request through
// their logs (W3C Trace Context for the third). One that is there is not joined by another.
var requestIDs = [...]string{"X-Request-Id", "X-Correlation-Id", "traceparent"}

// requestID is the X-Request-Id that a request with the fields h gets on its
// way; "": none, because it has an id of its own or none was asked for.
func (s *Server) requestID(h flow.Header) string {
	if s.opt.RequestID == nil {
		return ""
	}
	for _, name := range requestIDs {
		if h.Has(name) {
			return ""
		}
	}
	return s.opt.RequestID()
}

// identify gives x's request an id, if it is to have one.
func (x *exchange) identify() {
	if x.scheme == "" || x.req.Method == http.MethodConnect {
		return // not for a server
	}
	if id := x.c.s.requestID(x.req.Header); id != "" {
		x.req.AddField(requestIDs[0], id)
		x.altered = append(x.altered, idAdded(id))
	}
}

// idAdded says what was added, for the recording.
func idAdded(id string) string { return "added " + requestIDs[0] + ": " + id }
