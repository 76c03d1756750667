package wire

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// Edit is q with the method, target and fields of m: lines that m has from q
// keep their bytes, and so does the start line if nothing of it changed. What
// was received stays what Message tells as Head. The *Fault is why such a
// request cannot be sent.
func (q *Request) Edit(m *flow.Message) (*Request, *Fault) {
	sent := q.Bytes()
	start := string(sent[:bytes.IndexByte(sent, '\n')+1])
	rest := start[len(bare(start))-len(q.Proto)-1:] // " HTTP/1.1\r\n"
	start = m.Method + " " + m.Target + rest
	h := ParseHead(restart(start, m.Header, sent))
	if f := h.holds(start, m.Header); f != nil {
		return nil, f
	}
	e, f := ParseRequest(h, false)
	if f != nil {
		return nil, f
	}
	if e.Method != m.Method || e.Target != m.Target {
		return nil, fault(BadRequestLine, "%q is not \"METHOD TARGET VERSION\"", clip(e.Start))
	}
	e.Head.Raw, e.Blank = q.Raw, q.Blank
	return e, nil
}

// Edit is p, the answer to a request with method, with the status, reason and
// fields of m, in the way of Request.Edit.
func (p *Response) Edit(m *flow.Message, method string) (*Response, *Fault) {
	sent := p.Bytes()
	start := string(sent[:bytes.IndexByte(sent, '\n')+1])
	if m.Status != p.Status || m.Reason != p.Reason {
		start = p.Proto + " " + strconv.Itoa(m.Status) + " " + m.Reason + start[len(bare(start)):]
	}
	raw := restart(start, m.Header, sent)
	h := ParseHead(raw)
	if f := h.holds(start, m.Header); f != nil {
		return nil, f
	}
	e, f := ParseResponse(h, method)
	if f != nil {
		return nil, f
	}
	if e.Interim() || e.Status == 101 {
		return nil, fault(BadStatusLine, "%d is no status of a final answer", e.Status)
	}
	e.sent, e.Head.Raw = raw, p.Raw
	e.unsafe = e.unsafe || !p.Persistent()
	return e, nil
}

// Bytes is the head as it is sent on. It must not be changed.
func (p *Response) Bytes() []byte {
	if p.sent != nil {
		return p.sent
	}
	return p.Raw
}

// holds reports a head that a reader takes for another than the one that was
// written: a name or value with a line break in it, say, would be two fields.
func (h *Head) holds(start string, fields flow.Header) *Fault {
	if h.Start != bare(start) {
		return fault(BadRequestLine, "%q is not one line", clip(start))
	}
	for i, f := range fields {
		if i >= len(h.Header) || h.Header[i].Name != f.Name || f.Raw == "" && !isToken(f.Name) || f.Raw == "" && h.Header[i].Value != strings.Trim(f.Value, " \t") {
			return fault(BadField, "%q is not one field", clip(f.Name+": "+f.Value))
		}
	}
	if len(h.Header) != len(fields) {
		return fault(BadField, "the fields are not as many as their lines")
	}
	return nil
}

// restart makes a head of a start line with its end and fields; line ends are those of the head before.
func restart(start string, fields flow.Header, before []byte) []byte {
	end := start[len(bare(start)):]
	b := make([]byte, 0, len(before)+64)
	b = append(b, start...)
	for _, f := range fields {
		if f.Raw != "" {
			b = append(b, f.Raw...)
			continue
		}
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), end...)
	}
	if strings.HasSuffix(string(before), "\r\n") {
		return append(b, "\r\n"...)
	}
	return append(b, '\n')
}
