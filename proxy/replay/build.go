package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

// message is a request as it goes out.
type message struct {
	head     []byte
	body     []byte // with its chunk framing, if it is chunked
	expects  bool   // the server is to say whether it wants the body
	method   string
	recorded *flow.Message // what is recorded and returned
	altered  []string

	// Over HTTP/2, instead of head:
	fields   flow.Header // the pseudo-header fields first; nil: over HTTP/1
	trailers flow.Header
	opening  h2.Opening // what the connection begins with
}

// check refuses what cannot be sent again.
func check(m *flow.Message) error {
	switch {
	case m == nil || m.Method == "":
		return errors.New("replay: there is no request to send")
	case m.Method == "CONNECT":
		return errors.New("replay: a CONNECT opens a tunnel and cannot be replayed; replay a request inside it")
	case m.Body.Cut():
		return fmt.Errorf("replay: the recording kept %d of the %d bytes of the request body; capture it again with a larger --max-body", m.Body.Kept, m.Body.Size)
	case int64(len(m.Body.Data)) < m.Body.Size:
		return fmt.Errorf("replay: only %d of the %d bytes of the request body are loaded", len(m.Body.Data), m.Body.Size)
	}
	return nil
}

// build writes m as it was: the order and spelling of its fields, the raw
// target, its framing. authority is for a message that has no Host field
// because it came over HTTP/2.
func build(m *flow.Message, authority string) (*message, error) {
	if err := check(m); err != nil {
		return nil, err
	}
	b := &message{method: m.Method}
	proto, later := m.Proto, false
	if !strings.HasPrefix(proto, "HTTP/1.") {
		proto = "HTTP/1.1"
		if later = m.Proto != ""; later {
			b.altered = append(b.altered, "sent over HTTP/1.1 instead of "+m.Proto)
		}
	}
	target := m.Target
	if target == "" {
		target = "/"
	}
	start := m.Method + " " + target + " " + proto
	if strings.ContainsAny(start, "\r\n") {
		return nil, errors.New("replay: there is a line break in the method or the URL")
	}
	end := "\r\n"
	if len(m.Header) > 0 && strings.HasSuffix(m.Header[0].Raw, "\n") && !strings.HasSuffix(m.Header[0].Raw, "\r\n") {
		end = "\n" // it came with such line ends
	}
	var head strings.Builder
	head.WriteString(start + end)
	if later && !m.Header.Has("Host") {
		if a := m.Header.Get(":authority"); a != "" {
			authority = a
		}
		head.WriteString("Host: " + authority + end)
	}
	for _, f := range m.Header {
		if strings.HasPrefix(f.Name, ":") {
			continue // HTTP/2's, which the start line says already
		}
		line, err := fieldLine(f, end)
		if err != nil {
			return nil, err
		}
		head.WriteString(line)
	}
	chunked := m.Header.HasToken("Transfer-Encoding", "chunked")
	switch {
	case chunked:
		body, err := chunk(m)
		if err != nil {
			return nil, err
		}
		b.body = body
	default:
		b.body = m.Body.Data
		if len(b.body) > 0 && !m.Header.Has("Content-Length") {
			head.WriteString("Content-Length: " + strconv.Itoa(len(b.body)) + end)
			b.altered = append(b.altered, "added Content-Length")
		}
	}
	head.WriteString(end)
	b.head = []byte(head.String())
	b.expects = len(b.body) > 0 && m.Header.HasToken("Expect", "100-continue")

	sent := wire.ParseHead(b.head)
	b.recorded = &flow.Message{Proto: proto, Method: m.Method, Target: target, Header: sent.Header, Head: b.head}
	b.recorded.Body = flow.Body{Size: int64(len(m.Body.Data)), Kept: int64(len(m.Body.Data)), Data: m.Body.Data}
	switch {
	case chunked:
		b.recorded.Body.Framing, b.recorded.Trailers = flow.Chunked, m.Trailers
	case len(m.Body.Data) > 0:
		b.recorded.Body.Framing = flow.ByLength
	}
	return b, nil
}

// fieldLine is f's line as it was received, if f still says the same, else one made from name and value.
func fieldLine(f flow.Field, end string) (string, error) {
	if f.Raw != "" {
		was := wire.ParseHead([]byte("x\r\n" + f.Raw))
		if len(was.Header) == 1 && was.Header[0].Name == f.Name && was.Header[0].Value == f.Value && strings.HasSuffix(f.Raw, "\n") {
			return f.Raw, nil
		}
	}
	if strings.ContainsAny(f.Name, "\r\n:") || strings.ContainsAny(f.Value, "\r\n") || f.Name == "" {
		return "", fmt.Errorf("replay: the field %q has a line break in it, or no proper name", f.Name)
	}
	return f.Name + ": " + f.Value + end, nil
}

// chunk is the body of m in chunked coding (RFC 9112, 7.1), as one chunk: where
// the chunks began and ended was not recorded.
func chunk(m *flow.Message) ([]byte, error) {
	var b []byte
	if n := len(m.Body.Data); n > 0 {
		b = strconv.AppendInt(b, int64(n), 16)
		b = append(b, "\r\n"...)
		b = append(b, m.Body.Data...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "0\r\n"...)
	for _, f := range m.Trailers {
		line, err := fieldLine(f, "\r\n")
		if err != nil {
			return nil, err
		}
		b = append(b, line...)
	}
	return append(b, "\r\n"...), nil
}
