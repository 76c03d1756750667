package har

import (
	"encoding/base64"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// entryFlow makes a flow of an entry; nil for what is no HTTP.
func entryFlow(e decode.Value) *flow.Flow {
	req := e.Get("request")
	if req.Kind() != decode.Object {
		return nil
	}
	f := &flow.Flow{Origin: flow.FromImport, Request: &flow.Message{}}
	m := f.Request
	m.Method = text(req.Get("method"))
	if m.Method == "" {
		m.Method = "GET"
	}
	var ok bool
	if f.Scheme, f.Authority, m.Target, ok = splitURL(text(req.Get("url"))); !ok {
		return nil
	}
	m.Proto = proto(text(req.Get("httpVersion")))
	m.Header = headers(req.Get("headers"))
	if !m.Header.Has("Cookie") {
		if line := cookieLine(req.Get("cookies")); line != "" {
			m.Header.Add("Cookie", line)
		}
	}
	requestBody(m, req)
	f.Response, f.Err = response(e)
	if m.Method == "CONNECT" && f.Status() >= 200 && f.Status() < 300 {
		f.Kind = flow.Tunnel
	}
	f.Times = times(e)
	f.Conn.Origin = origin(e, f)
	heads(f, e.Get("_why403"))
	f.Frames = frames(e)
	return f
}

// text is a string, or what stands for one in files that write numbers or null.
func text(v decode.Value) string {
	if v.Kind() == decode.Null {
		return ""
	}
	return v.Text()
}

func integer(v decode.Value) int64 {
	n, ok := v.Float()
	if !ok || math.IsNaN(n) || math.Abs(n) > 1<<53 {
		return 0
	}
	return int64(n)
}

// splitURL takes an absolute URL apart without changing its bytes, but for those
// that no request line can hold: they are percent-encoded.
func splitURL(s string) (scheme, authority, target string, ok bool) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		host := s[:len(s)-len(strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:"))]
		if host == "" || strings.HasPrefix(s, "data:") || strings.HasPrefix(s, "blob:") || strings.HasPrefix(s, "about:") || strings.HasPrefix(s, "javascript:") {
			return "", "", "", false
		}
		scheme, rest = "http", s // a host alone, as some tools write it
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "http", "https":
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	default:
		return "", "", "", false
	}
	rest, _, _ = strings.Cut(rest, "#")
	authority, target = rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, target = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return scheme, flow.Canonical(scheme, authority), sendable(target), authority != ""
}

func sendable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0 {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// proto is the version in the spelling of flow.Message; files have HTTP/2, h2, http/1.1, "unknown".
func proto(s string) string {
	switch s = strings.ToLower(strings.TrimSpace(s)); {
	case s == "http/1.0", s == "http/0.9":
		return "HTTP/1.0"
	case strings.HasPrefix(s, "h2"), strings.HasPrefix(s, "http/2"), s == "spdy":
		return "HTTP/2.0"
	case strings.HasPrefix(s, "h3"), strings.HasPrefix(s, "http/3"), strings.Contains(s, "quic"):
		return "HTTP/3.0"
	}
	return "HTTP/1.1"
}

// headers keeps order and spelling. HTTP/2's pseudo fields go, for they are said
// elsewhere; a Set-Cookie of several lines is several fields, as Chrome joins
// them. A line break in any other value is the client's fault, and shown.
func headers(list decode.Value) flow.Header {
	var h flow.Header
	for v := range list.Children() {
		name := text(v.Get("name"))
		if name == "" || strings.HasPrefix(name, ":") {
			continue
		}
		value := strings.Trim(text(v.Get("value")), " \t")
		if !strings.EqualFold(name, "Set-Cookie") {
			h.Add(name, value)
			continue
		}
		for line := range strings.SplitSeq(value, "\n") {
			if line = strings.Trim(line, " \t\r"); line != "" {
				h.Add(name, line)
			}
		}
	}
	return h
}

func cookieLine(list decode.Value) string {
	var pairs []string
	for v := range list.Children() {
		if name := text(v.Get("name")); name != "" {
			pairs = append(pairs, name+"="+text(v.Get("value")))
		}
	}
	return strings.Join(pairs, "; ")
}

func requestBody(m *flow.Message, req decode.Value) {
	post := req.Get("postData")
	t := post.Get("text")
	data := []byte(text(t))
	if isBase64(post.Get("encoding")) || isBase64(post.Get("_encoding")) {
		data = unbase64(data)
	}
	if len(data) == 0 && post.Get("params").Count() > 0 {
		mediaType, _ := decode.ParseMediaType(text(post.Get("mimeType")))
		if !decode.IsMultipart(mediaType) {
			data = formOf(post.Get("params"))
		}
	}
	body(m, data, lost(m, integer(req.Get("bodySize")), len(data)))
}

// lost is the size of a body that the file does not have; 0: it has it, or there was none.
func lost(m *flow.Message, bodySize int64, have int) int64 {
	if have > 0 {
		return 0
	}
	if n, err := strconv.ParseInt(m.Header.Get("Content-Length"), 10, 64); err == nil && n > 0 {
		return n
	}
	if m.Header.Has("Content-Length") || m.Status == 304 || m.Status == 204 {
		return 0
	}
	return max(0, bodySize)
}

func formOf(params decode.Value) []byte {
	var pairs []string
	for p := range params.Children() {
		pairs = append(pairs, decode.EscapeForm(text(p.Get("name")))+"="+decode.EscapeForm(text(p.Get("value"))))
	}
	return []byte(strings.Join(pairs, "&"))
}

func isBase64(v decode.Value) bool { return strings.EqualFold(text(v), "base64") }

// unbase64 decodes as much as there is: some tools break lines or leave the padding off.
func unbase64(data []byte) []byte {
	clean := data[:0:0]
	for _, c := range data {
		switch {
		case c == '-':
			c = '+'
		case c == '_':
			c = '/'
		case c <= ' ' || c == '=':
			continue
		}
		clean = append(clean, c)
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean) // on an error: what came before it
	return out[:n]
}

// body puts content into m and sets its framing (RFC 9112, 6.3).
func body(m *flow.Message, data []byte, lost int64) {
	m.SetBody(data)
	if lost > 0 {
		m.Body.Data, m.Body.Size, m.Body.Kept = nil, lost, 0
	}
	switch {
	case m.Header.HasToken("Transfer-Encoding", "chunked"):
		m.Body.Framing = flow.Chunked
	case m.Header.Has("Content-Length"):
		m.Body.Framing = flow.ByLength
	case m.Body.Size == 0:
		m.Body.Framing = flow.NoBody
	case m.Status > 0 || strings.HasPrefix(m.Proto, "HTTP/2"):
		m.Body.Framing = flow.UntilClose
	default:
		m.Body.Framing = flow.ByLength
	}
}

// response reads the answer; a status of 0 or less is how browsers write that there was none.
func response(e decode.Value) (*flow.Message, *flow.Failure) {
	res := e.Get("response")
	status := int(integer(res.Get("status")))
	if status <= 0 || status > 999 {
		why := text(res.Get("_error"))
		for _, v := range []decode.Value{e.Get("_error"), res.Get("statusText"), res.Get("comment")} {
			if why == "" {
				why = text(v)
			}
		}
		if why == "" && res.Get("_charlesStatus").Exists() { // elsewhere the comment is the request's name
			why = text(e.Get("comment"))
		}
		return nil, failure(why)
	}
	m := &flow.Message{Status: status, Reason: text(res.Get("statusText")), Proto: proto(text(res.Get("httpVersion")))}
	m.Header = headers(res.Get("headers"))
	m.Trailers = headers(res.Get("_trailers"))
	content := res.Get("content")
	data := []byte(text(content.Get("text")))
	if isBase64(content.Get("encoding")) {
		data = unbase64(data)
	}
	if strings.HasPrefix(m.Proto, "HTTP/2") || strings.HasPrefix(m.Proto, "HTTP/3") {
		m.Reason = ""
	}
	missing := lost(m, max(integer(res.Get("bodySize")), integer(content.Get("size"))), len(data))
	if method := text(e.Dig("request", "method")); method == "HEAD" || method == "CONNECT" {
		missing = 0
	}
	body(m, recode(m.Header, data), missing)
	return m, nil
}

// recode gives content back the coding that its header names, unless it has it.
func recode(h flow.Header, data []byte) []byte {
	codings := decode.Codings(h)
	if len(data) == 0 || len(codings) == 0 || coded(codings[len(codings)-1], data) {
		return data
	}
	if out, err := decode.Encode(data, codings...); err == nil {
		return out
	}
	return data
}

// coded reports whether data begins as the outermost coding does (RFC 1952, 2.3.1; RFC 8878, 3.1.1).
func coded(coding string, data []byte) bool {
	switch coding {
	case "gzip", "x-gzip":
		return len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b
	case "zstd":
		return len(data) > 3 && string(data[:4]) == "\x28\xb5\x2f\xfd"
	}
	return false
}

// failure sorts the words of browsers for an exchange that came to nothing.
func failure(why string) *flow.Failure {
	f := &flow.Failure{Side: "origin", Op: "read", Text: why}
	if why == "" {
		f.Text = "no response in the file"
	}
	up := strings.ToUpper(why)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(up, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("ERR_BLOCKED", "ERR_ABORTED", "NS_BINDING_ABORTED", "CANCEL", "NS_ERROR_ABORT"):
		f.Side, f.Op = "client", "abort"
	case has("NAME_NOT_RESOLVED", "UNKNOWN_HOST", "DNS"):
		f.Op = "resolve"
	case has("CERT", "SSL", "TLS"):
		f.Op = "tls"
	case has("CONNECTION_REFUSED", "CONNECTION REFUSED", "ECONNREFUSED", "CONNECT TO REMOTE HOST", "CONNECTION_TIMED_OUT", "ADDRESS_UNREACHABLE", "INTERNET_DISCONNECTED"):
		f.Op = "dial"
	}
	return f
}

// times adds up the phases, which are milliseconds; -1 is "did not happen".
func times(e decode.Value) flow.Timings {
	var t flow.Timings
	start, ok := timestamp(text(e.Get("startedDateTime")))
	if !ok {
		return t
	}
	phase := func(name string) time.Duration { return millis(e.Dig("timings", name)) }
	t.Start = start
	at := start.Add(phase("blocked"))
	if d := phase("dns"); d > 0 {
		at = at.Add(d)
		t.DNSDone = at
	}
	if d := phase("connect"); d > 0 { // includes ssl
		t.ConnectStart = at
		at = at.Add(d)
		t.ConnectDone = at
		if s := phase("ssl"); s > 0 {
			t.ConnectDone, t.TLSDone = at.Add(-min(s, d)), at
		}
	}
	if e.Get("timings").Count() > 0 {
		t.RequestSent = at.Add(phase("send"))
		t.FirstByte = t.RequestSent.Add(phase("wait"))
		t.End = t.FirstByte.Add(phase("receive"))
	}
	if d := millis(e.Get("time")); d > 0 {
		t.End = start.Add(d)
	}
	if t.FirstByte.After(t.End) {
		t.FirstByte = t.End
	}
	return t
}

func millis(v decode.Value) time.Duration {
	ms, ok := v.Float()
	if !ok || !(ms > 0) || ms > 1e10 {
		return 0
	}
	return time.Duration(ms * float64(time.Millisecond))
}

func timestamp(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// origin is the server's address. Firefox writes its port as "connection", Chrome a number of its own.
func origin(e decode.Value, f *flow.Flow) string {
	ip := strings.Trim(text(e.Get("serverIPAddress")), "[]")
	if net.ParseIP(ip) == nil {
		return ""
	}
	_, port, err := net.SplitHostPort(flow.HostPort(f.Scheme, f.Authority))
	if err != nil {
		return ""
	}
	return net.JoinHostPort(ip, port)
}
