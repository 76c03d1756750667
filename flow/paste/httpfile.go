package paste

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// HTTPFile reads a .http file as Visual Studio Code's REST client and JetBrains' HTTP client
// write them: requests between lines of "###", comments, "@name = value" and "{{name}}".
func HTTPFile(text string, o Options) ([]*flow.Flow, []string, error) {
	r := &httpReader{o: o, vars: map[string]string{}}
	var flows []*flow.Flow
	var block []string
	line, start := 0, 1
	finish := func() error {
		f, err := r.request(block)
		if err != nil {
			return fmt.Errorf(".http file, line %d: %w", start, err)
		}
		if f != nil {
			f.ID = flow.ID(len(flows) + 1)
			flows = append(flows, f)
		}
		block, start = nil, line+1
		return nil
	}
	for l := range strings.Lines(text) {
		line++
		if strings.HasPrefix(l, "###") {
			if err := finish(); err != nil {
				return nil, r.warn, err
			}
			continue
		}
		block = append(block, l)
	}
	if err := finish(); err != nil {
		return nil, r.warn, err
	}
	if len(flows) == 0 {
		return nil, r.warn, ErrNothing
	}
	return flows, r.warn, nil
}

// maxVariable bounds a variable in bytes: one may be made of others many times over.
const maxVariable = 64 << 10

type httpReader struct {
	o    Options
	vars map[string]string
	warn []string
}

func (r *httpReader) warning(format string, args ...any) {
	if len(r.warn) < 50 {
		r.warn = append(r.warn, fmt.Sprintf(format, args...))
	}
}

// fill puts variables in; what is not known stays, with a warning.
func (r *httpReader) fill(s string) string {
	for range 10 { // a variable may name another
		start := strings.Index(s, "{{")
		if start < 0 {
			return s
		}
		var b strings.Builder
		changed := false
		for {
			start := strings.Index(s, "{{")
			if start < 0 {
				break
			}
			end := strings.Index(s[start:], "}}")
			if end < 0 {
				break
			}
			b.WriteString(s[:start])
			written := s[start : start+end+2]
			if v, ok := r.value(strings.TrimSpace(written[2 : len(written)-2])); ok && b.Len()+len(v) < maxText {
				b.WriteString(v)
				changed = true
			} else {
				b.WriteString(written)
			}
			s = s[start+end+2:]
		}
		s = b.String() + s
		if !changed {
			return s
		}
	}
	return s
}

func (r *httpReader) value(name string) (string, bool) {
	if v, ok := r.vars[name]; ok {
		return v, true
	}
	env, ok := strings.CutPrefix(name, "$processEnv ")
	if !ok {
		env, ok = strings.CutPrefix(name, "$env.")
	}
	if ok && r.o.Getenv != nil {
		if v, known := r.o.Getenv(strings.TrimPrefix(strings.TrimSpace(env), "%")); known {
			return v, true
		}
	}
	r.warning("{{%s}} is not known and stays as it is written", name)
	return "", false
}

// requestLine reads "METHOD URL HTTP/1.1", of which method and version may be missing.
func requestLine(line string) (method, url, proto string, ok bool) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", "", "", false
	}
	method, rest := "GET", words
	if len(words) > 1 && strings.ToUpper(words[0]) == words[0] && strings.Trim(words[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == "" {
		method, rest = words[0], words[1:]
	}
	if n := len(rest); n > 1 && strings.HasPrefix(rest[n-1], "HTTP/") {
		proto, rest = rest[n-1], rest[:n-1]
	}
	url = strings.Join(rest, " ")
	switch {
	case strings.HasPrefix(url, "http://"), strings.HasPrefix(url, "https://"), strings.HasPrefix(url, "{{"):
	case len(words) > 1 && method == words[0] && strings.HasPrefix(url, "/"):
		return method, url, proto, proto == "" // with a version it is a message as it went over the wire
	default:
		return "", "", "", false
	}
	return method, url, proto, true
}

// request reads one request; nil: the block holds none.
func (r *httpReader) request(lines []string) (*flow.Flow, error) {
	i := 0
	skip := func() string { return strings.TrimSpace(lines[i]) }
	for ; i < len(lines); i++ {
		l := skip()
		if name, value, ok := strings.Cut(strings.TrimPrefix(l, "@"), "="); ok && strings.HasPrefix(l, "@") {
			if value = r.fill(strings.TrimSpace(value)); len(value) <= maxVariable {
				r.vars[strings.TrimSpace(name)] = value
			}
			continue
		}
		if l != "" && !strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "//") {
			break
		}
	}
	if i == len(lines) {
		return nil, nil
	}
	start := skip()
	for i++; i < len(lines) && strings.TrimLeft(lines[i], " \t") != lines[i] && (strings.HasPrefix(skip(), "?") || strings.HasPrefix(skip(), "&")); i++ {
		start += skip()
	}
	method, raw, proto, ok := requestLine(r.fill(start))
	if !ok {
		return nil, fmt.Errorf("%q is no request: METHOD URL", start)
	}
	m := &flow.Message{Proto: "HTTP/1.1", Method: method}
	if strings.HasPrefix(proto, "HTTP/2") {
		m.Proto = "HTTP/2.0"
	} else if proto == "HTTP/1.0" {
		m.Proto = proto
	}
	for ; i < len(lines); i++ {
		l := strings.TrimRight(lines[i], "\r\n")
		if strings.TrimSpace(l) == "" {
			i++
			break
		}
		if strings.HasPrefix(l, "#") || strings.HasPrefix(l, "//") {
			continue
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%q is no header", l)
		}
		m.Header.Add(name, r.fill(strings.Trim(value, " \t")))
	}
	body, err := r.body(lines[min(i, len(lines)):])
	if err != nil {
		return nil, err
	}
	return r.flow(m, raw, body)
}

func (r *httpReader) body(lines []string) ([]byte, error) {
	var b strings.Builder
lines:
	for n, l := range lines {
		text := strings.TrimRight(l, "\r\n")
		switch {
		case strings.HasPrefix(text, "< ") && !strings.HasPrefix(text, "< {%"):
			data, err := readFile(r.o, strings.TrimSpace(text[2:]))
			if err != nil {
				return nil, err
			}
			b.Write(data)
			if n+1 < len(lines) {
				b.WriteString("\n")
			}
			continue
		case strings.HasPrefix(text, "> ") || strings.HasPrefix(text, "<> ") || strings.HasPrefix(text, "< {%"):
			r.warning("a script or the name of an answer is left out: %s", text)
			break lines
		}
		b.WriteString(l)
	}
	body := r.fill(b.String())
	if len(lines) > 0 && strings.HasSuffix(body, "\n\n") && !strings.HasSuffix(b.String(), lines[len(lines)-1]) {
		body = strings.TrimRight(body, "\r\n") // a script followed
	}
	// The line break before "###" is of the file.
	body = strings.TrimSuffix(strings.TrimSuffix(body, "\n"), "\r")
	if strings.TrimSpace(body) == "" {
		return nil, nil
	}
	return []byte(body), nil
}

func (r *httpReader) flow(m *flow.Message, raw string, body []byte) (*flow.Flow, error) {
	if strings.HasPrefix(raw, "/") {
		host := m.Header.Get("Host")
		if host == "" {
			return nil, fmt.Errorf("%q has neither a host nor a Host header", raw)
		}
		scheme := "https"
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name = host
		}
		if ip := net.ParseIP(name); name == "localhost" || ip != nil && ip.IsLoopback() {
			scheme = "http"
		}
		raw = scheme + "://" + host + raw
	}
	f := &flow.Flow{Kind: flow.Exchange, Origin: flow.FromImport, Request: m}
	target, _, err := place(f, raw)
	if err != nil {
		return nil, err
	}
	m.Target = escapeSpace(target)
	if !m.Header.Has("Host") && m.Proto != "HTTP/2.0" {
		m.Header = append(flow.Header{{Name: "Host", Value: f.Authority}}, m.Header...)
	}
	if len(body) > 0 {
		m.SetBody(body)
		if !m.Header.Has("Content-Length") && !m.Header.HasToken("Transfer-Encoding", "chunked") {
			m.Header.Add("Content-Length", strconv.Itoa(len(body)))
		}
	}
	return f, nil
}
