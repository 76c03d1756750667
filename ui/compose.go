package ui

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// request is the message as the form says, and the flow with where it goes.
func (e *editor) request() (*flow.Flow, *flow.Message, error) {
	if e.held == nil && e.noBody != "" && string(e.content()) == string(e.original()) {
		return nil, nil, errors.New(e.noBody)
	}
	method := e.method.s
	if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, nil, fmt.Errorf("method %q: letters without spaces, such as POST", method)
	}
	scheme, authority, target, err := splitURL(e.url.s)
	if err != nil {
		return nil, nil, err
	}
	to := *e.parent
	to.Scheme, to.Authority = scheme, flow.Canonical(scheme, authority)
	if scheme == e.parent.Scheme && authority == e.parent.Authority {
		to.Authority = e.parent.Authority
	}
	m := e.parent.Request.Clone()
	m.Method, m.Target = method, target
	if err := e.compose(m, to.Authority); err != nil {
		return nil, nil, err
	}
	return &to, m, nil
}

// response is the held answer as the form says.
func (e *editor) response() (*flow.Message, error) {
	status, err := strconv.Atoi(e.method.s)
	if err != nil || status < 200 || status > 599 {
		return nil, fmt.Errorf("status %q: a number from 200 to 599", e.method.s)
	}
	if strings.ContainsAny(e.url.s, "\r\n\x00") {
		return nil, errors.New("the reason phrase holds no line break")
	}
	m := e.parent.Response.Clone()
	m.Status, m.Reason = status, e.url.s
	return m, e.compose(m, "")
}

// compose gives m the header and the body of the form. host is where it goes.
func (e *editor) compose(m *flow.Message, host string) error {
	body := e.content()
	m.Header = nil
	length, chunked := false, false
	for i := range e.heads {
		h := &e.heads[i]
		if h.off {
			continue
		}
		f, err := h.field(e.parent.Authority, host)
		if err != nil {
			return fmt.Errorf("header %d: %w", i+1, err)
		}
		switch strings.ToLower(f.Name) {
		case "content-length":
			length = true
			if n := strconv.Itoa(len(body)); h.auto && f.Value != n {
				f = flow.Field{Name: f.Name, Value: n}
			}
		case "transfer-encoding":
			chunked = true
		}
		m.Header = append(m.Header, f)
	}
	if e.held != nil && e.noBody != "" { // it goes on as it is
		m.Body = e.message().Body
		return nil
	}
	m.Body.Framing = flow.ByLength
	switch {
	case chunked:
		m.Body.Framing = flow.Chunked
	case !length && len(body) > 0:
		m.Header.Add("Content-Length", strconv.Itoa(len(body)))
	case !length:
		m.Body.Framing = flow.NoBody
	}
	m.Body.Data, m.Body.Size, m.Body.Kept = body, int64(len(body)), int64(len(body))
	return nil
}

// message is what the form was made of.
func (e *editor) message() *flow.Message {
	if e.answers {
		return e.parent.Response
	}
	return e.parent.Request
}

// field is the row as a field. One that was not changed keeps the bytes it came with.
func (h *head) field(was, is string) (flow.Field, error) {
	name, value := h.name.s, h.value.s
	if name == h.orig.Name && value == h.orig.Value {
		if strings.EqualFold(name, "Host") && was != is && value == was {
			return flow.Field{Name: name, Value: is}, nil // the URL now names another host
		}
		return h.orig, nil
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }) {
		return flow.Field{}, fmt.Errorf("name %q: letters, digits and dashes", name)
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return flow.Field{}, fmt.Errorf("%s: a value holds no line break", name)
	}
	return flow.Field{Name: name, Value: value}, nil
}

// fault is what is wrong with a row as it stands, in few words; "" nothing. What came over the wire is not judged.
func (h *head) fault() words {
	name, value := h.name.s, h.value.s
	switch {
	case name == h.orig.Name && value == h.orig.Value:
	case name == "" && value == "": // not written yet
	case name == "":
		return signNo + " name"
	case strings.ContainsFunc(name, func(r rune) bool { return !tokenRune(r) }):
		return signNo + " name"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return signNo + " value"
	case value != strings.Trim(value, " \t"):
		return signTrouble + " blank"
	}
	return ""
}

// tokenRune reports whether r may stand in the name of a field (RFC 9110, 5.6.2 "token").
func tokenRune(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// splitURL takes an absolute URL apart without changing a byte of it.
func splitURL(s string) (scheme, authority, target string, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return "", "", "", fmt.Errorf("URL %q: begins with http:// or https://", s)
	}
	i := strings.IndexAny(rest, "/?#*")
	if i < 0 {
		i = len(rest)
	}
	authority, target = rest[:i], rest[i:]
	target, _, _ = strings.Cut(target, "#") // never sent (RFC 9110, 7.1)
	if target == "" || target[0] == '?' {
		target = "/" + target
	}
	if authority == "" || strings.ContainsAny(authority, " \t\r\n") {
		return "", "", "", fmt.Errorf("URL %q: names no host", s)
	}
	if strings.ContainsAny(target, " \r\n\x00") {
		return "", "", "", errors.New("URL: a space is written %20")
	}
	return scheme, authority, target, nil
}
