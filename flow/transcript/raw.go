package transcript

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// readRaw reads messages one after the other. What stands before the first and
// between them (prompts, separators) is passed over.
func readRaw(text []byte) []piece {
	var found []piece
	for len(text) > 0 && len(found) < 2*maxFlows {
		m, n := readHead(text)
		if m == nil {
			_, text = cutLine(text)
			continue
		}
		text = text[n:]
		text = text[readBody(m, text):]
		found = append(found, piece{m: m})
	}
	return found
}

// readBody gives m the body at the beginning of text and says how many bytes it takes.
//
// Content-Length is believed where a message or nothing follows; in text that
// was edited or whose line ends were changed it does not fit, and the body goes
// on to the next start line.
func readBody(m *flow.Message, text []byte) int {
	if m.Header.HasToken("Transfer-Encoding", "chunked") {
		if data, trailers, n, ok := unchunk(text); ok {
			m.Trailers = trailers
			setBody(m, data, 0)
			return n
		}
	}
	length, known := contentLength(m)
	if known && length <= int64(len(text)) && ends(text[length:]) {
		setBody(m, text[:length:length], 0)
		return int(length)
	}
	n := nextStart(text)
	data := bytes.TrimRight(text[:n], "\r\n")
	data = data[:len(data):len(data)]
	switch {
	case !known:
		length = 0
	case length < int64(len(data)):
		// A pretty-printer was at work (httpie): JSON can be made what it was.
		var compact bytes.Buffer
		if json.Compact(&compact, data) == nil && int64(compact.Len()) == length {
			data = compact.Bytes()
		}
	}
	setBody(m, data, length)
	return n
}

func contentLength(m *flow.Message) (int64, bool) {
	v := m.Header.Get("Content-Length")
	if v == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil && n >= 0
}

// ends reports whether text is nothing, or another message.
func ends(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	line, _ := cutLine(text)
	return len(text) == 0 || separator(line) || begins(line)
}

// separator is a line between the requests of an HTTP file.
func separator(line []byte) bool { return bytes.HasPrefix(line, []byte("###")) }

// nextStart is where the next message begins in text; len(text) if there is none.
// A request line without a version counts only after an empty line.
func nextStart(text []byte) int {
	at, empty := 0, true
	for at < len(text) {
		line, _ := cutLine(text[at:])
		if separator(line) {
			return at
		}
		if begins(line) && (empty || bytes.Contains(line, []byte("HTTP/"))) {
			return at
		}
		empty = len(bytes.TrimSpace(line)) == 0
		at += len(line)
	}
	return at
}

// setBody gives m its content and framing (RFC 9112, 6.3). size is how many bytes
// it had on the wire where that is known to be more.
func setBody(m *flow.Message, data []byte, size int64) {
	data = recode(m, data)
	m.SetBody(data)
	if size > m.Body.Size && !m.Header.Has("Content-Encoding") || len(data) == 0 && size > 0 {
		m.Body.Size = size
	}
	switch {
	case m.Header.HasToken("Transfer-Encoding", "chunked"):
		m.Body.Framing = flow.Chunked
	case m.Header.Has("Content-Length"):
		m.Body.Framing = flow.ByLength
	case m.Body.Size == 0:
		m.Body.Framing = flow.NoBody
	case m.Status > 0 || !strings.HasPrefix(m.Proto, "HTTP/1"):
		m.Body.Framing = flow.UntilClose
	default:
		m.Body.Framing = flow.ByLength
	}
}

// recode gives content back the coding that its header names: curl --compressed
// and httpie show it without.
func recode(m *flow.Message, data []byte) []byte {
	if len(data) == 0 || len(decode.Codings(m.Header)) == 0 {
		return data
	}
	whole := &flow.Message{Header: m.Header}
	whole.SetBody(data)
	if text, cut, err := decode.Content(whole, 1<<16); err == nil && (len(text) > 0 || !cut) {
		return data // it has it
	}
	if out, err := decode.Encode(data, decode.Codings(m.Header)...); err == nil {
		return out
	}
	return data
}

// unchunk removes chunked framing (RFC 9112, 7.1) with CR LF or LF; false: it is none.
func unchunk(text []byte) (data []byte, trailers flow.Header, n int, ok bool) {
	rest := text
	for {
		line, next := cutLine(rest)
		digits, _, _ := strings.Cut(strings.TrimRight(string(line[:min(len(line), 200)]), " \t\r\n"), ";")
		size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 31)
		if err != nil || size > uint64(len(next)) {
			return nil, nil, 0, false
		}
		rest = next
		if size == 0 {
			break
		}
		data = append(data, rest[:size]...)
		rest = rest[size:]
		end, next := cutLine(rest)
		if len(bytes.Trim(end, "\r\n")) > 0 {
			return nil, nil, 0, false
		}
		rest = next
	}
	var end flow.Message
	for len(rest) > 0 && !begins(rest[:min(len(rest), 1<<12)]) {
		line, next := cutLine(rest)
		rest = next
		if !addField(&end, line) {
			break
		}
	}
	return data, end.Header, len(text) - len(rest), true
}
