package wire

import (
	"strings"

	"github.com/why403/why403/flow"
)

// frame decides where the body of a request ends (RFC 9112, 6.3), and refuses
// every request that another parser might decide differently.
func (q *Request) frame() *Fault {
	length, hasLength, f := contentLength(q.Header)
	if f != nil {
		return f
	}
	codings := 0
	for v := range q.Header.Values("Transfer-Encoding") {
		if codings++; codings > 1 {
			return fault(BadEncoding, "more than one Transfer-Encoding field")
		}
		if !strings.EqualFold(v, "chunked") {
			return fault(BadEncoding, "Transfer-Encoding: %s; only \"chunked\" is read alike by everyone", clip(v))
		}
	}
	switch {
	case codings > 0 && hasLength:
		return fault(Ambiguous, "both Transfer-Encoding and Content-Length (RFC 9112, 6.1)")
	case codings > 0 && q.Minor == 0:
		return fault(BadEncoding, "Transfer-Encoding in an HTTP/1.0 request (RFC 9112, 6.1)")
	case codings > 0:
		q.Framing = flow.Chunked
	case hasLength && length > 0:
		q.Framing, q.Length = flow.ByLength, length
	}
	return nil
}

// frame decides where the body of a response ends. Both fields at once are
// read as RFC 9112, 6.3 says (the encoding wins), and the connection is not used again.
func (p *Response) frame(method string) *Fault {
	length, hasLength, f := contentLength(p.Header)
	last, some := "", false
	for t := range p.Header.Tokens("Transfer-Encoding") {
		if !strings.EqualFold(t, "identity") { // RFC 2616, 3.6: none
			last, some = t, true
		}
	}
	switch {
	case p.Status < 200, p.Status == 204, p.Status == 304, method == "HEAD", method == "CONNECT" && p.Status < 300:
		p.Framing = flow.NoBody
		return nil
	case some:
		p.unsafe = hasLength || f != nil || p.Minor == 0
		p.Framing = flow.UntilClose
		if strings.EqualFold(last, "chunked") {
			p.Framing = flow.Chunked
		}
		return nil
	case f != nil:
		return f
	case !hasLength:
		p.Framing = flow.UntilClose
	case length > 0:
		p.Framing, p.Length = flow.ByLength, length
	}
	return nil
}

// contentLength is the value of the Content-Length fields, which must all be
// the same run of digits. A list such as "5, 5" is refused: not every parser takes it for 5.
func contentLength(h flow.Header) (n int64, ok bool, _ *Fault) {
	text := ""
	for v := range h.Values("Content-Length") {
		if v == "" || !digits(v) {
			return 0, false, fault(BadLength, "Content-Length: %s is no number", clip(v))
		}
		if ok && v != text {
			return 0, false, fault(BadLength, "two lengths: Content-Length: %s and %s", clip(text), clip(v))
		}
		text, ok = v, true
	}
	significant := strings.TrimLeft(text, "0")
	if len(significant) > 18 { // below 10^18, which an int64 holds
		return 0, false, fault(BadLength, "Content-Length: %s is larger than anything", clip(text))
	}
	for _, c := range []byte(significant) {
		n = n*10 + int64(c-'0')
	}
	return n, ok, nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
