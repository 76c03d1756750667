package transcript

import (
	"bytes"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/why403/why403/flow"
)

// marked is the mark of a line of curl -v: '>' sent, '<' received, '*' a note,
// '}' and '{' data that is not shown; 0: the line has none (src/tool_cb_dbg.c).
func marked(line []byte) byte {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 1 && (line[0] == '>' || line[0] == '<') {
		return line[0] // the blank behind it went lost
	}
	if len(line) < 2 || line[1] != ' ' {
		return 0
	}
	switch line[0] {
	case '>', '<', '*':
		return line[0]
	case '{', '}':
		if bytes.HasPrefix(line[1:], []byte(" [")) && bytes.HasSuffix(line, []byte(" bytes data]")) {
			return line[0]
		}
	}
	return 0
}

// verbose reports whether text is the output of curl -v: it holds a start line
// with its mark.
func verbose(text []byte) bool {
	for _, mark := range []string{"> ", "< "} {
		for rest := text; ; {
			i := bytes.Index(rest, []byte(mark))
			if i < 0 {
				break
			}
			at := len(text) - len(rest) + i
			rest = rest[i+2:]
			if at > 0 && text[at-1] != '\n' {
				continue
			}
			line, _ := cutLine(rest)
			if startLine(string(line[:min(len(line), 1<<16)])) != nil {
				return true
			}
		}
	}
	return false
}

// listener takes the lines of curl -v one by one.
type listener struct {
	found []piece
	state state
	body  []byte // of the answer that was received last
	seen  int64  // bytes of it that curl told of

	host     string // that curl said it goes to
	address  string
	tls      bool
	tunnel   string            // host:port of the CONNECT that succeeded on this connection
	schemes  map[string]string // of hosts that were connected to before
	scheme   string            // of the next request, where curl said it
	announce string            // authority of the next request, where curl said it
}

type state int

const (
	between   state = iota
	sending         // the head of a request
	waiting         // its answer
	receiving       // the head of an answer
	content         // its body
)

func readVerbose(text []byte) []piece {
	l := &listener{schemes: map[string]string{}}
	for len(text) > 0 && len(l.found) < 2*maxFlows {
		var line []byte
		line, text = cutLine(text)
		l.line(line)
	}
	l.end()
	return l.found
}

func (l *listener) line(line []byte) {
	mark := marked(line)
	rest := line
	if mark != 0 {
		rest = bytes.TrimPrefix(line[1:], []byte(" "))
	}
	switch mark {
	case '>':
		l.sent(line, rest)
	case '<':
		l.received(line, rest)
	case '*':
		if note := string(bytes.TrimRight(rest, "\r\n")); l.state != content || isNote(note) {
			l.note(note)
		} else {
			l.text(line)
		}
	case '{', '}':
		l.data(mark, string(rest))
	default:
		l.text(line)
	}
}

func (l *listener) sent(line, rest []byte) {
	if l.state != sending {
		m := startLine(string(rest))
		if m == nil || m.Method == "" {
			l.text(line)
			return
		}
		l.end()
		l.state = sending
		l.found = append(l.found, piece{m: m, scheme: l.scheme, authority: l.announce})
		l.scheme, l.announce = "", ""
		return
	}
	if m := l.last().m; len(bytes.TrimSpace(rest)) == 0 || !addField(m, rest) {
		l.sentHead()
	}
}

// sentHead completes a request: its body is not in the text, its length may be.
func (l *listener) sentHead() {
	l.state = waiting
	p := l.last()
	wire(p.m)
	size, _ := contentLength(p.m)
	setBody(p.m, nil, size)
	p.address = l.address
	switch {
	case p.m.Method == "CONNECT":
		p.scheme = "https"
	case p.scheme != "":
	case l.tls || l.tunnel != "":
		p.scheme = "https"
	case l.host != "":
		p.scheme = l.schemes[l.host]
		if p.scheme == "" {
			p.scheme = "http"
		}
	}
	l.schemes[l.host] = p.scheme
}

// wire makes of the fields that curl shows those that it sends: in HTTP/2 names
// are lower case and Host is :authority (RFC 9113, 8.2 and 8.3.1). The bytes of the
// head are known only as far as they are shown.
func wire(m *flow.Message) {
	for i := range m.Header {
		m.Header[i].Raw = ""
	}
	if strings.HasPrefix(m.Proto, "HTTP/1") {
		return
	}
	for i := range m.Header {
		if !strings.EqualFold(m.Header[i].Name, "host") {
			m.Header[i].Name = strings.ToLower(m.Header[i].Name)
		}
	}
}

func (l *listener) received(line, rest []byte) {
	switch l.state {
	case sending:
		l.sentHead()
	case receiving:
		m := l.last().m
		if len(bytes.TrimSpace(rest)) == 0 {
			wire(m)
			l.state = content
			l.body, l.seen = nil, 0
			if m.Status < 200 && m.Status != 101 {
				setBody(m, nil, 0)
				l.state = waiting
			}
		} else if !addField(m, rest) {
			l.text(line)
		}
		return
	}
	m := startLine(string(rest))
	switch {
	case m != nil && m.Status > 0:
		l.end()
		l.state = receiving
		l.found = append(l.found, piece{m: m})
	case l.state == content && len(l.found) > 0 && addTrailer(l.last().m, rest):
	default:
		l.text(line)
	}
}

// addTrailer adds a field that came behind the body; curl shows it like one of the head.
func addTrailer(m *flow.Message, rest []byte) bool {
	t := flow.Message{Header: m.Trailers}
	if !addField(&t, rest) {
		return len(bytes.TrimSpace(rest)) == 0
	}
	m.Trailers = t.Header
	m.Trailers[len(m.Trailers)-1].Raw = ""
	return true
}

func (l *listener) last() *piece { return &l.found[len(l.found)-1] }

// text is a line without a mark: content, or with -i the head a second time.
func (l *listener) text(line []byte) {
	if why, ok := bytes.CutPrefix(line, []byte("curl: (")); ok {
		l.failed(string(bytes.TrimRight(why, "\r\n")))
		return
	}
	if l.state != content || bytes.HasPrefix(line, []byte("Note: ")) {
		return
	}
	if loc := tail().FindIndex(line); loc != nil {
		// A body that ends without a line end has the next note in its last line.
		l.body = append(l.body, line[:loc[0]]...)
		l.line(line[loc[0]:])
		return
	}
	l.body = append(l.body, line...)
}

func (l *listener) failed(why string) {
	if len(l.found) > 0 && l.last().m.Method != "" {
		_, what, _ := strings.Cut(why, ") ")
		l.last().trouble = what
	}
}

// data counts what curl received and did not show.
func (l *listener) data(mark byte, rest string) {
	if mark == '{' && l.state == content {
		n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(rest), "["), " bytes data]")), 10, 64)
		if !l.tls { // of TLS it counts records, too
			l.seen += n
		}
	}
}

// end completes the message that was under way.
func (l *listener) end() {
	if l.state == sending {
		l.sentHead()
	}
	if l.state != content && l.state != receiving {
		return
	}
	l.state = between
	m := l.last().m
	wire(m)
	again := false
	if body := bytes.TrimLeft(l.body, "\r\n"); begins(body) {
		again = l.repeated(body)
	}
	if !again {
		l.setContent(m, l.body)
	}
	l.body = nil
	if i := len(l.found) - 2; i >= 0 && l.found[i].m.Method == "CONNECT" && m.Status/100 == 2 {
		l.tunnel, l.tls = l.found[i].m.Target, false
		l.found = l.found[:i] // the way to the server, no exchange with it
	}
}

func (l *listener) setContent(m *flow.Message, body []byte) {
	size, known := contentLength(m)
	if known && int64(len(body)) > size && len(bytes.TrimRight(body[size:], "\r\n")) == 0 {
		body = body[:size:size]
	} else if !known {
		body = bytes.TrimRight(body, "\r\n")
		body = body[:len(body):len(body)]
		size = l.seen
		if len(body) > 0 {
			size = 0
		}
	}
	if i := len(l.found) - 2; m.Status == 204 || m.Status == 304 || i >= 0 && l.found[i].m.Method == "HEAD" {
		size = 0
	}
	setBody(m, body, size)
}

// repeated reads what -i adds where the output went to a file: the heads of all
// answers a second time, then the content. false: it is content that looks so.
func (l *listener) repeated(body []byte) bool {
	again := readRaw(body)
	n := 0
	for i := len(l.found) - 1; i >= 0 && n < len(again); i-- {
		m := l.found[i].m
		if m.Status == 0 {
			continue
		}
		if n++; m.Status != again[len(again)-n].m.Status {
			return false
		}
	}
	if n < len(again) {
		return false
	}
	n = 0
	for i := len(l.found) - 1; i >= 0 && n < len(again); i-- {
		if m := l.found[i].m; m.Status > 0 {
			n++
			m.Body, m.Trailers = again[len(again)-n].m.Body, again[len(again)-n].m.Trailers
		}
	}
	return true
}

// note takes what curl says about the connection.
func (l *listener) note(s string) {
	s = strings.TrimSpace(s)
	for _, mark := range []string{"[HTTP/2] ", "h2h3 ", "h2 ", "[HTTP/3] "} {
		if rest, ok := strings.CutPrefix(s, mark); ok {
			l.pseudo(rest)
			return
		}
	}
	switch {
	case strings.HasPrefix(s, "Connected to "), strings.HasPrefix(s, "Established connection to "):
		if m := connected().FindStringSubmatch(s); m != nil {
			l.host, l.address = m[1], net.JoinHostPort(m[2], m[3])
		}
		l.tls, l.tunnel = false, ""
	case strings.HasPrefix(s, "SSL connection using "), strings.HasPrefix(s, "ALPN"), strings.HasPrefix(s, "TLSv"), strings.HasPrefix(s, "schannel:"):
		l.tls = true
	case strings.HasPrefix(s, "Issue another request to this URL: "):
		if u := strings.Trim(strings.TrimPrefix(s, "Issue another request to this URL: "), "'"); absolute(u) {
			l.scheme, _, _ = strings.Cut(u, "://")
		}
	}
}

// pseudo reads a pseudo field of HTTP/2 as curl 7.8x to 8.x shows it before the
// request: "[1] [:scheme: https]", "[:scheme: https]", "OPENED stream for https://…".
func (l *listener) pseudo(s string) {
	if i := strings.Index(s, "[:"); i >= 0 {
		name, value, _ := strings.Cut(strings.TrimSuffix(s[i+2:], "]"), ": ")
		switch name {
		case "scheme":
			l.scheme = value
		case "authority":
			l.announce = value
		}
	}
}

var (
	connected = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?:Connected|Established connection) to (\S+) \((\S+?)\)? port (\d+)`)
	})
	tail = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\* (?:Connection #\d+ to host \S+ left intact|Closing connection(?: #?\d+)?|  Trying \S+\.\.\.|Host \S+ was resolved\.|Re-?using existing .*|Found bundle .*|Issue another request .*|Uses proxy .*|shutting down .*)\s*$`)
	})
)

// isNote tells the notes that curl writes while or after it receives content from
// content that happens to begin with "* ".
func isNote(s string) bool {
	return slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(s, n) })
}

var notes = []string{"Connection #", "Closing connection", "Issue another request", "TLSv", "  Trying ", "Trying ", "Host ", "IPv4: ", "IPv6: ", "Re-using existing", "Reusing existing", "Found bundle",
	"Connected to ", "Established connection", "ALPN", "SSL ", "Server certificate:", " subject", " start date", " expire date", " issuer", " SSL ", "  Certificate level", "using HTTP", "Using HTTP", "[HTTP/", "h2h3 ", "h2 [", "Using Stream",
	"Mark bundle", "We are completely", "upload completely", "old SSL session", "Ignoring the response-body", "Please rewind", "Keep sending", "HTTP error before", "we are done", "Request completely sent",
	"shutting down connection", "Excess found", "transfer closed", "Server auth using", "Authentication problem", "Added cookie", "Replaced cookie", "The requested URL returned error", "abort upload", "Copying HTTP/2",
	"Switched from", "Clear auth", "CONNECT ", "Establish HTTP proxy", "Proxy ", "Uses proxy", "processing: ", "Hostname ", "Expire cleared", "multi_done", "schannel", "Could not", "Failed to", "Failure", "Send failure", "Recv failure",
	"OpenSSL", "HTTP/2 stream", "HTTP 1.0, assume close", "Connection state changed", "Curl_", "Leftovers after", "stopped the pause", "response reading failed", "Simulate a HTTP 304", "NTLM", "Negotiate", "Operation timed out"}
