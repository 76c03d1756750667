package export

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// rawFormat and rawRequestFormat are messages as HTTP/1 writes them: heads byte for
// byte where they were seen, bodies with their coding. What was chunked is one chunk;
// HTTP/2 is written with the fields of HTTP/1.
var (
	rawFormat        = Format{Name: "raw", Help: "request and answer as bytes", Ext: ".http.txt", write: writeRaw}
	rawRequestFormat = Format{Name: "raw-request", Help: "the request as bytes, ready for a socket", Ext: ".request.txt", write: writeRawRequest}
)

func writeRaw(w io.Writer, flows []*flow.Flow, _ Options) error {
	b := bufio.NewWriter(w)
	for i, f := range flows {
		if i > 0 {
			b.WriteString("\r\n") // between exchanges; RFC 9112, 2.2 lets readers skip it
		}
		writeMessage(b, f, f.Request)
		if f.Response != nil {
			if f.Request != nil && f.Request.Body.Size > 0 {
				b.WriteString("\r\n")
			}
			writeMessage(b, f, f.Response)
		}
	}
	return b.Flush()
}

func writeRawRequest(w io.Writer, flows []*flow.Flow, _ Options) error {
	b := bufio.NewWriter(w)
	for _, f := range flows {
		if f.Request == nil {
			return fmt.Errorf("flow %d has no request", f.ID)
		}
		if !f.Request.Body.Whole() {
			return fmt.Errorf("flow %d: only %d of the request body's %d bytes were kept", f.ID, len(f.Request.Body.Data), f.Request.Body.Size)
		}
		writeMessage(b, f, f.Request)
	}
	return b.Flush()
}

// writeMessage leaves errors to the writer, which keeps the first.
func writeMessage(b *bufio.Writer, f *flow.Flow, m *flow.Message) {
	if m == nil {
		return
	}
	if len(m.Head) > 0 {
		b.Write(m.Head)
	} else {
		b.WriteString(startLine(m))
		if m.Method != "" && !m.Header.Has("Host") {
			host := f.Authority
			if a := m.Header.Get(":authority"); a != "" { // of HTTP/2, where it says something else
				host = a
			}
			b.WriteString("Host: " + host + "\r\n")
		}
		for _, h := range m.Header {
			if strings.HasPrefix(h.Name, ":") {
				continue
			}
			b.WriteString(fieldLine(h))
		}
		if m.Body.Size > 0 && !m.Header.Has("Content-Length") && !m.Header.Has("Transfer-Encoding") {
			b.WriteString("Content-Length: " + strconv.FormatInt(m.Body.Size, 10) + "\r\n") // HTTP/2 needs none
		}
		b.WriteString("\r\n")
	}
	if !m.Header.HasToken("Transfer-Encoding", "chunked") {
		b.Write(m.Body.Data)
		return
	}
	if len(m.Body.Data) > 0 {
		b.WriteString(strconv.FormatInt(int64(len(m.Body.Data)), 16) + "\r\n")
		b.Write(m.Body.Data)
		b.WriteString("\r\n")
	}
	b.WriteString("0\r\n")
	for _, h := range m.Trailers {
		b.WriteString(fieldLine(h))
	}
	b.WriteString("\r\n")
}

func startLine(m *flow.Message) string {
	proto := m.Proto
	if proto != "HTTP/1.0" {
		proto = "HTTP/1.1"
	}
	if m.Method != "" {
		return m.Method + " " + m.Target + " " + proto + "\r\n"
	}
	return proto + " " + strconv.Itoa(m.Status) + " " + m.Reason + "\r\n"
}

// fieldLine is Line for a value that may come from a file and hold a line break:
// written as it is, it would become further fields.
func fieldLine(h flow.Field) string {
	if h.Raw == "" && strings.ContainsAny(h.Value, "\r\n") {
		h.Value = strings.NewReplacer("\r", " ", "\n", " ").Replace(h.Value)
	}
	return h.Line()
}
