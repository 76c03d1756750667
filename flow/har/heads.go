package har

import (
	"bytes"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// heads takes the bytes of the heads from the note that why403 writes. They count
// only where they say the same as the lists of headers: a file may have been edited.
func heads(f *flow.Flow, note decode.Value) {
	if !note.Exists() {
		return
	}
	adopt(f.Request, headBytes(note, "requestHead"))
	adopt(f.Response, headBytes(note, "responseHead"))
	cut(f.Request, integer(note.Get("requestCut")))
	cut(f.Response, integer(note.Get("responseCut")))
	for v := range note.Get("altered").Children() {
		f.Altered = append(f.Altered, text(v))
	}
}

// cut says that the body was larger than what the file has of it.
func cut(m *flow.Message, size int64) {
	if m != nil && size > m.Body.Size {
		m.Body.Size = size
	}
}

func headBytes(note decode.Value, name string) []byte {
	if v := note.Get(name + "Base64"); v.Exists() {
		return unbase64([]byte(text(v)))
	}
	return []byte(text(note.Get(name)))
}

func adopt(m *flow.Message, head []byte) {
	if m == nil || len(head) == 0 {
		return
	}
	h, ok := ParseHead(head)
	if !ok || len(h) != len(m.Header) {
		return
	}
	for i := range h {
		if valid(h[i].Name) != m.Header[i].Name || valid(h[i].Value) != m.Header[i].Value {
			return
		}
	}
	m.Header, m.Head = h, head
}

// valid is what JSON makes of bytes that are no UTF-8.
func valid(s string) string {
	var b strings.Builder
	for _, r := range s { // each bad byte is one U+FFFD, as encoding/json writes it
		b.WriteRune(r)
	}
	return b.String()
}

// ParseHead takes the fields out of a head: start line, field lines, empty line.
// A line that begins with a blank continues the one before (RFC 9112, 5.2). false: a line is no field.
func ParseHead(head []byte) (flow.Header, bool) {
	_, rest, ok := bytes.Cut(head, []byte("\n"))
	if !ok {
		return nil, false
	}
	var h flow.Header
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		raw := string(rest[:end])
		rest = rest[end:]
		line := strings.TrimRight(raw, "\r\n")
		if line == "" {
			return h, len(rest) == 0
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(h) == 0 {
				return nil, false
			}
			last := &h[len(h)-1]
			last.Raw += raw
			last.Value = strings.TrimSpace(last.Value + " " + strings.Trim(line, " \t"))
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, false
		}
		h = append(h, flow.Field{Name: strings.TrimRight(name, " \t"), Value: strings.Trim(value, " \t"), Raw: raw})
	}
	return h, true
}
