package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
)

// wantsH2 reports whether req is to be sent over HTTP/2. Without TLS nobody
// agrees on a protocol: only a client that has spoken it so is followed.
func wantsH2(parent *flow.Flow, req *flow.Message) bool {
	if req == nil || !strings.HasPrefix(req.Proto, "HTTP/2") && !strings.HasPrefix(req.Proto, "HTTP/3") {
		return false
	}
	return parent.Scheme == "https" || parent.Conn.HTTP2 != ""
}

// buildH2 is m as it goes out over HTTP/2: its fields in their order, behind
// the pseudo-header fields in the order of the client that parent came from.
func buildH2(parent *flow.Flow, m *flow.Message) (*message, error) {
	if err := check(m); err != nil {
		return nil, err
	}
	opening, known := h2.ParseOpening(parent.Conn.HTTP2)
	order := opening.Order
	for _, c := range "msp" {
		if strings.Count(order, string(c)) != 1 {
			order, known = "masp", false // as Go and curl send them: m, a|p, s, p|a; any order is allowed
			break
		}
	}
	b := &message{method: m.Method, opening: opening, body: m.Body.Data}
	if len(opening.Settings) == 0 && !known {
		b.opening = h2.Opening{Settings: []h2.Setting{{ID: h2.SettingEnablePush}, {ID: h2.SettingInitialWindowSize, Value: ownWindow}}, Window: 1 << 24}
	}
	if !strings.HasPrefix(m.Proto, h2.Proto[:len("HTTP/2")]) {
		b.altered = append(b.altered, "sent over HTTP/2 instead of "+m.Proto)
	}
	fields, authority, err := fieldsH2(m.Header, parent.Authority, !known)
	if err != nil {
		return nil, err
	}
	target := m.Target
	if target == "" {
		target = "/"
	}
	scheme := parent.Scheme
	var pseudo flow.Header
	for _, f := range fields { // those that the recording has because they say something else
		switch f.Name {
		case ":authority":
			authority = f.Value
		case ":scheme":
			scheme = f.Value
		}
	}
	for _, c := range order {
		switch c {
		case 'm':
			pseudo.Add(":method", m.Method)
		case 'a':
			pseudo.Add(":authority", authority)
		case 's':
			pseudo.Add(":scheme", scheme)
		case 'p':
			pseudo.Add(":path", target)
		}
	}
	odd := slices.DeleteFunc(slices.Clone(fields), func(f flow.Field) bool { return f.Name[0] != ':' })
	fields = slices.DeleteFunc(fields, func(f flow.Field) bool { return f.Name[0] == ':' })
	b.fields = append(pseudo, fields...)
	for _, f := range m.Trailers {
		b.trailers.Add(strings.ToLower(f.Name), f.Value)
	}
	for _, f := range slices.Concat(b.fields, b.trailers) {
		if strings.ContainsAny(f.Name+f.Value, "\r\n\x00") { // RFC 9113, 8.2.1
			return nil, fmt.Errorf("replay: there is a line break in the field %q", f.Name)
		}
	}
	b.expects = len(b.body) > 0 && m.Header.HasToken("Expect", "100-continue")
	b.recorded = &flow.Message{Proto: h2.Proto, Method: m.Method, Target: target, Header: append(odd, fields...), Trailers: b.trailers}
	b.recorded.Body = flow.Body{Size: int64(len(b.body)), Kept: int64(len(b.body)), Data: b.body}
	if len(b.body) > 0 || m.Body.Framing != flow.NoBody && len(b.trailers) > 0 {
		b.recorded.Body.Framing = flow.UntilClose
	}
	return b, nil
}

// fieldsH2 are the fields of h as HTTP/2 can carry them. A Host field is the
// authority where nothing says that the client sent both.
func fieldsH2(h flow.Header, authority string, imported bool) (flow.Header, string, error) {
	out := make(flow.Header, 0, len(h))
	for _, f := range h {
		name := strings.ToLower(f.Name) // RFC 9113, 8.2.1
		switch {
		case name == "" || strings.ContainsAny(name, ": ") && name[0] != ':':
			return nil, "", errors.New("replay: a field has no proper name")
		case !h2.Carries(name, f.Value):
			continue
		case name == "host" && imported:
			authority = f.Value
			continue
		}
		out.Add(name, f.Value)
	}
	return out, authority, nil
}
