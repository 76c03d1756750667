package wire

import (
	"strings"

	"github.com/why403/why403/flow"
)

// Response is the head of a response that can be passed on.
type Response struct {
	*Head
	Proto  string
	Minor  int
	Status int
	Reason string

	Framing flow.Framing
	Length  int64

	unsafe bool   // framed so that the connection must not be used again
	sent   []byte // as it goes to the client; nil: Raw
}

// ParseResponse makes sense of the head of an answer to a request with method.
// It is more lenient than ParseRequest, for the answer goes to the one client
// that asked and would have read it itself.
func ParseResponse(h *Head, method string) (*Response, *Fault) {
	p := &Response{Head: h}
	proto, rest, _ := strings.Cut(h.Start, " ")
	var ok bool
	if p.Minor, ok = minorVersion(proto); !ok {
		return nil, fault(BadStatusLine, "%q is no status line of HTTP/1", clip(h.Start))
	}
	code, reason, _ := strings.Cut(rest, " ")
	if len(code) != 3 || !digits(code) || code < "100" {
		return nil, fault(BadStatusLine, "%q has no status of three digits", clip(h.Start))
	}
	p.Proto, p.Reason = proto, reason
	p.Status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	if f := h.check(false); f != nil {
		return nil, f
	}
	return p, p.frame(method)
}

// Interim reports whether another head follows (RFC 9110, 15.2). 101 is final: what follows is no longer HTTP/1.
func (p *Response) Interim() bool { return p.Status < 200 && p.Status != 101 }

// Persistent reports whether the connection that p came on can be used again.
func (p *Response) Persistent() bool {
	return !p.unsafe && p.Framing != flow.UntilClose && p.Status != 101 && persistent(p.Minor, p.Header)
}

// Message is the response for the recording.
func (p *Response) Message() *flow.Message {
	return &flow.Message{Proto: p.Proto, Status: p.Status, Reason: p.Reason, Header: p.Header, Head: p.Raw,
		Body: flow.Body{Framing: p.Framing}}
}
