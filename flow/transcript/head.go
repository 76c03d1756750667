package transcript

import (
	"bytes"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// methods are those that begin a request line even where it names no version, as
// editors for HTTP files write it.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY", "PROPFIND", "REPORT"}

// startLine reads the first line of a message (RFC 9112, 3 and 4); nil: it is none.
func startLine(line string) *flow.Message {
	line = strings.TrimRight(line, "\r\n")
	if len(line) < 8 || line[0] < 'A' || line[0] > 'Z' {
		return nil
	}
	if strings.HasPrefix(line, "HTTP/") {
		return statusLine(line)
	}
	method, rest, ok := strings.Cut(line, " ")
	if !ok || len(method) > 24 || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return nil
	}
	rest = strings.TrimRight(rest, " \t")
	target, version := rest, ""
	if i := strings.LastIndexByte(rest, ' '); i >= 0 {
		target, version = strings.TrimRight(rest[:i], " "), rest[i+1:]
	}
	proto := protocol(version)
	if proto == "" {
		if strings.ContainsAny(rest, " \t") || !slices.Contains(methods, method) || !strings.HasPrefix(rest, "/") && !absolute(rest) {
			return nil
		}
		return &flow.Message{Method: method, Target: rest, Proto: "HTTP/1.1"}
	}
	if target == "" {
		return nil
	}
	return &flow.Message{Method: method, Target: target, Proto: proto}
}

func absolute(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

func statusLine(line string) *flow.Message {
	version, rest, ok := strings.Cut(line, " ")
	proto := protocol(version)
	rest = strings.TrimLeft(rest, " ")
	if !ok || proto == "" || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return nil
	}
	status := 0
	for _, c := range []byte(rest[:3]) {
		if c < '0' || c > '9' {
			return nil
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 {
		return nil
	}
	m := &flow.Message{Proto: proto, Status: status}
	if m.Reason = strings.TrimSpace(rest[3:]); proto == "HTTP/2.0" || proto == "HTTP/3.0" {
		m.Reason = ""
	}
	return m
}

// protocol is the version in the spelling of flow.Message, "" for what is none.
func protocol(version string) string {
	switch version {
	case "HTTP/1.1", "HTTP/1.0":
		return version
	case "HTTP/2", "HTTP/2.0":
		return "HTTP/2.0"
	case "HTTP/3", "HTTP/3.0":
		return "HTTP/3.0"
	case "HTTP/0.9":
		return "HTTP/1.0"
	}
	return ""
}

// readHead reads start line and fields at the beginning of text. n is how many
// bytes they take, the empty line included; a line that can be no field ends
// the head as well, for trackers swallow empty lines. nil: no start line stands there.
func readHead(text []byte) (m *flow.Message, n int) {
	line, rest := cutLine(text)
	if m = startLine(string(line)); m == nil {
		return nil, 0
	}
	exact := bytes.HasSuffix(line, []byte("\r\n"))
	for len(rest) > 0 {
		line, next := cutLine(rest)
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			rest = next
			exact = exact && bytes.Equal(line, []byte("\r\n"))
			break
		}
		if !addField(m, line) {
			exact = false
			break
		}
		exact = exact && bytes.HasSuffix(line, []byte("\r\n"))
		rest = next
	}
	n = len(text) - len(rest)
	if old := strings.HasPrefix(m.Proto, "HTTP/1"); exact && old && bytes.HasSuffix(text[:n], []byte("\r\n\r\n")) {
		m.Head = text[:n:n]
	} else {
		for i := range m.Header {
			m.Header[i].Raw = ""
		}
	}
	return m, n
}

// cutLine is the first line of text with its end, and what follows.
func cutLine(text []byte) (line, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1], text[i+1:]
	}
	return text, nil
}

// addField adds a line to the header of m; false: it is no field. A line that
// begins with a blank continues the one before (RFC 9112, 5.2).
func addField(m *flow.Message, raw []byte) bool {
	line := strings.TrimRight(string(raw), "\r\n")
	if line == "" || len(m.Header) >= maxFields {
		return false
	}
	if line[0] == ' ' || line[0] == '\t' {
		if len(m.Header) == 0 {
			return false
		}
		last := &m.Header[len(m.Header)-1]
		last.Raw += string(raw)
		last.Value = strings.TrimSpace(last.Value + " " + strings.Trim(line, " \t"))
		return true
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok && strings.HasSuffix(line, ";") { // as curl's -H writes an empty one
		name, ok = strings.TrimSuffix(line, ";"), true
	}
	name = strings.TrimRight(name, " \t")
	if !ok || !token(name) {
		return false
	}
	m.Header = append(m.Header, flow.Field{Name: name, Value: strings.Trim(value, " \t"), Raw: string(raw)})
	return true
}

// token reports whether s can be the name of a field (RFC 9110, 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
