package h2

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/why403/why403/flow"
)

// Proto is how messages of HTTP/2 are recorded (see flow.Message).
const Proto = "HTTP/2.0"

// Request is a request as its header block says it. The pseudo-header fields
// (RFC 9113, 8.3.1) that a flow says in a way of its own are not in the Header:
// Scheme and Authority are here, for the caller to compare.
type Request struct {
	*flow.Message
	Scheme    string
	Authority string
	Protocol  string // of an extended CONNECT (RFC 8441, 4)
	Order     string // of the pseudo-header fields, by their first letters: "masp"
}

// ReadRequest makes sense of a header block, however little there is in it.
func ReadRequest(fields []hpack.HeaderField) Request {
	q := Request{Message: &flow.Message{Proto: Proto, Header: make(flow.Header, 0, len(fields))}}
	order := make([]byte, 0, 8)
	for _, f := range fields {
		if !f.IsPseudo() {
			q.Header = append(q.Header, flow.Field{Name: f.Name, Value: f.Value})
			continue
		}
		if len(f.Name) > 1 {
			order = append(order, f.Name[1])
		}
		switch f.Name {
		case ":method":
			q.Method = f.Value
		case ":path":
			q.Target = f.Value
		case ":scheme":
			q.Scheme = f.Value
		case ":authority":
			q.Authority = f.Value
		case ":protocol":
			q.Protocol = f.Value
			q.Header = append(q.Header, flow.Field{Name: f.Name, Value: f.Value})
		default:
			q.Header = append(q.Header, flow.Field{Name: f.Name, Value: f.Value})
		}
	}
	q.Order = string(order)
	return q
}

// ReadResponse makes sense of the header block of an answer; Status is 0 if there is none.
func ReadResponse(fields []hpack.HeaderField) *flow.Message {
	m := &flow.Message{Proto: Proto, Header: make(flow.Header, 0, len(fields))}
	for _, f := range fields {
		if f.Name == ":status" {
			m.Status, _ = strconv.Atoi(f.Value)
			continue
		}
		m.Header = append(m.Header, flow.Field{Name: f.Name, Value: f.Value})
	}
	return m
}

// ReadTrailers is a header block that ends a message (RFC 9113, 8.1).
func ReadTrailers(fields []hpack.HeaderField) flow.Header {
	h := make(flow.Header, 0, len(fields))
	for _, f := range fields {
		h = append(h, flow.Field{Name: f.Name, Value: f.Value})
	}
	return h
}

// HasStatus reports whether a header block is the head of an answer, and not trailers.
func HasStatus(fields []hpack.HeaderField) bool {
	return len(fields) > 0 && fields[0].Name == ":status"
}

// secret fields are never to be indexed by anybody on the way (RFC 7541, 7.1.3); it is what curl and nghttp2 do.
func secret(name string) bool { return name == "authorization" || name == "proxy-authorization" }

// Encoder compresses header blocks of one direction of a connection.
type Encoder struct {
	enc *hpack.Encoder
	buf strings.Builder
}

// NewEncoder is an Encoder with an empty table.
func NewEncoder() *Encoder {
	e := &Encoder{}
	e.enc = hpack.NewEncoder(&e.buf)
	return e
}

// Block is the header block with these fields, in this order.
func (e *Encoder) Block(h flow.Header) []byte {
	e.buf.Reset()
	for _, f := range h {
		e.enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value, Sensitive: secret(f.Name)})
	}
	return []byte(e.buf.String())
}

// Fields is the header block with these fields, as they came.
func (e *Encoder) Fields(list []hpack.HeaderField) []byte {
	e.buf.Reset()
	for _, f := range list {
		e.enc.WriteField(f)
	}
	return []byte(e.buf.String())
}

// Limit bounds the table to what the reader has announced.
func (e *Encoder) Limit(size uint32) { e.enc.SetMaxDynamicTableSizeLimit(size) }

// hopByHop are the fields that HTTP/2 has no place for (RFC 9113, 8.2.2): a reader has to refuse a message for them.
var hopByHop = []string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"}

// Carries reports whether a field can stand in a message of HTTP/2; name is in lower case.
func Carries(name, value string) bool {
	return !slices.Contains(hopByHop, name) && (name != "te" || strings.EqualFold(value, "trailers"))
}

// Lower makes h a header as HTTP/2 can carry it, and gives its fields without pseudo-header fields.
func Lower(h *flow.Header) []hpack.HeaderField {
	kept, out := make(flow.Header, 0, len(*h)), make([]hpack.HeaderField, 0, len(*h))
	for _, f := range *h {
		name := strings.ToLower(f.Name)
		if name == "" || !Carries(name, f.Value) {
			continue
		}
		kept.Add(name, f.Value)
		if name[0] != ':' {
			out = append(out, hpack.HeaderField{Name: name, Value: f.Value, Sensitive: secret(name)})
		}
	}
	*h = kept
	return out
}
