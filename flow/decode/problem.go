package decode

import (
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// Problem is an error answer by RFC 9457, 3.1.
type Problem struct {
	Type, Title, Detail, Instance string
	Status                        int
	Whole                         Value // with the extension members
}

// ProblemDetails reads an application/problem+json body.
func ProblemDetails(mediaType string, body []byte) (Problem, bool) {
	if mediaType != "application/problem+json" {
		return Problem{}, false
	}
	d, _ := ParseJSON(body)
	root := d.Root()
	if root.Kind() != Object {
		return Problem{}, false
	}
	p := Problem{Whole: root}
	p.Type, _ = root.Get("type").Str()
	p.Title, _ = root.Get("title").Str()
	p.Detail, _ = root.Get("detail").Str()
	p.Instance, _ = root.Get("instance").Str()
	if f, ok := root.Get("status").Float(); ok && f >= 100 && f < 1000 {
		p.Status = int(f)
	}
	return p, true
}

// GRPC is the outcome of a gRPC call: the numeric status and its message,
// percent-decoded (gRPC over HTTP/2, "Responses"). They stand in the trailers, or in the head
// of an answer that has no body.
func GRPC(m *flow.Message) (status int, message string, ok bool) {
	if m == nil {
		return 0, "", false
	}
	for _, h := range []flow.Header{m.Trailers, m.Header} {
		if v, found := h.Lookup("Grpc-Status"); found {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				continue
			}
			message, _ = unescape(strings.ReplaceAll(h.Get("Grpc-Message"), "+", "%2B"))
			return n, message, true
		}
	}
	return 0, "", false
}
