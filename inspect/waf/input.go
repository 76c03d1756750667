package waf

import (
	"bytes"
	"net"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// input is a request as the rules get it.
type input struct {
	f      *flow.Flow
	target string
	proto  string
	server string
	header flow.Header
	body   []byte // without the content of files
	cut    bool
	places places
}

func newInput(f *flow.Flow) *input {
	m := f.Request
	in := &input{f: f, target: m.Target, proto: m.Proto}
	if in.proto == "" {
		in.proto = "HTTP/1.1"
	}
	if len(in.target) > maxTarget {
		in.target, in.cut = in.target[:maxTarget], true
	}
	in.server = f.Authority
	if host, _, err := net.SplitHostPort(f.Authority); err == nil {
		in.server = host
	}
	in.fields()
	data := m.Body.Data
	if len(data) > maxBody {
		data, in.cut = data[:maxBody], true
	}
	in.cut = in.cut || !m.Body.Whole()
	in.body = data
	if mediaType, params := decode.MediaType(m.Header); decode.IsMultipart(mediaType) {
		in.body = withoutFiles(data, params["boundary"])
	}
	return in
}

// fields takes the header over. What a file with recorded traffic often leaves
// out, and every server gets, is put in where the head was not seen as it was sent.
func (in *input) fields() {
	m := in.f.Request
	h2 := strings.HasPrefix(in.proto, "HTTP/2") || strings.HasPrefix(in.proto, "HTTP/3")
	if len(m.Head) == 0 || h2 {
		if !m.Header.Has("Host") {
			in.header = append(in.header, flow.Field{Name: "Host", Value: in.f.Authority})
		}
		if m.Body.Size > 0 && !m.Header.Has("Content-Length") && !m.Header.Has("Transfer-Encoding") {
			in.header = append(in.header, flow.Field{Name: "Content-Length", Value: strconv.FormatInt(m.Body.Size, 10)})
		}
		if m.Method == "POST" && m.Body.Size == 0 && !h2 && !m.Header.Has("Content-Length") && !m.Header.Has("Transfer-Encoding") {
			in.header = append(in.header, flow.Field{Name: "Content-Length", Value: "0"})
		}
	}
	size := 0
	for _, h := range m.Header {
		if len(in.header) == maxFields || size > maxHeader {
			in.cut = true
			break
		}
		if strings.HasPrefix(h.Name, ":") {
			continue // of HTTP/2: a rule set sees them as request line and Host
		}
		if len(h.Value) > maxField {
			h.Value, in.cut = h.Value[:maxField], true
		}
		size += len(h.Name) + len(h.Value)
		in.header = append(in.header, h)
	}
}

// withoutFiles empties the parts that have a file name. The rules look at the
// names of files alone, and Coraza would write the content to a temporary file.
func withoutFiles(data []byte, boundary string) []byte {
	parts, _ := decode.Multipart(data, boundary)
	var out []byte
	at := 0
	for _, p := range parts {
		// The name may be one that Coraza reads and we do not: a doubtful head counts as a file's.
		if p.Filename == "" && !bytes.Contains(bytes.ToLower(data[p.HeadStart:p.Start]), []byte("filename")) {
			continue
		}
		out = append(out, data[at:p.Start]...)
		at = p.End
	}
	return append(out, data[at:]...)
}

// score is a number that the rules counted up, 0 if there is none.
func score(tx plugintypes.TransactionState, name string) int {
	for _, v := range tx.Variables().TX().Get(name) {
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return 0
}
