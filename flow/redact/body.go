package redact

import (
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// asItIs leaves a field alone.
func asItIs(_, v string) (string, bool) { return v, true }

// Learn makes known what is secret in f, so that it is masked in whatever comes later.
func (m *Masker) Learn(f *flow.Flow) {
	learn := func(msg *flow.Message, request bool) {
		if msg == nil {
			return
		}
		for _, h := range []flow.Header{msg.Header, msg.Trailers} {
			for i := range h {
				m.field(h[i].Name, h[i].Value)
			}
		}
		if request {
			m.url(msg.Target)
		}
		m.head(msg.Head, asItIs, false)
		if text, _, ok := content(msg); ok {
			m.body(text, msg.Header, request)
		}
	}
	learn(f.Request, true)
	for _, i := range f.Interim {
		learn(i, false)
	}
	learn(f.Response, false)
	for i := range f.Frames {
		m.frame(&f.Frames[i])
	}
}

// frame is the data of a message with its secrets masked.
func (m *Masker) frame(f *flow.Frame) string {
	if f.Kind == flow.ServerEvent {
		return m.content(string(f.Data), eventStream, nil, false)
	}
	return m.content(string(f.Data), "", nil, f.FromClient)
}

const eventStream = "text/event-stream"

// mask is a deep copy of f with all that is known masked.
func (m *Masker) mask(f *flow.Flow) *flow.Flow {
	g := *f
	g.Authority = m.known(f.Authority)
	g.Request = m.message(f, f.Request, "request")
	g.Response = m.message(f, f.Response, "response")
	g.Interim = nil
	for _, i := range f.Interim {
		g.Interim = append(g.Interim, m.message(f, i, "interim response"))
	}
	g.Frames = nil
	for _, fr := range f.Frames {
		fr.Data = []byte(m.frame(&fr))
		g.Frames = append(g.Frames, fr)
	}
	g.Altered = nil
	for _, a := range f.Altered {
		g.Altered = append(g.Altered, m.Text(a))
	}
	if f.Err != nil {
		e := *f.Err
		e.Text = m.Text(e.Text)
		g.Err = &e
	}
	c := &g.Conn
	for _, p := range []*string{&c.Client, &c.Local, &c.Origin, &c.Target, &c.Process} {
		*p = m.known(*p)
	}
	c.Upstream = m.Text(c.Upstream)
	c.ClientTLS, c.OriginTLS = m.tls(c.ClientTLS), m.tls(c.OriginTLS)
	return &g
}

func (m *Masker) tls(t *flow.TLS) *flow.TLS {
	if t == nil {
		return nil
	}
	c := *t
	c.ServerName, c.Subject, c.Issuer = m.known(t.ServerName), m.known(t.Subject), m.known(t.Issuer)
	c.Offered, c.SANs = nil, nil
	for _, o := range t.Offered {
		c.Offered = append(c.Offered, m.known(o))
	}
	for _, s := range t.SANs {
		c.SANs = append(c.SANs, m.known(s))
	}
	return &c
}

// known masks only what is known already: for places where a name or a number stands.
func (m *Masker) known(s string) string { return m.replace(s, nil) }

func (m *Masker) message(f *flow.Flow, msg *flow.Message, which string) *flow.Message {
	if msg == nil {
		return nil
	}
	g := *msg
	uncoded := m.maskBody(f, msg, &g, which)
	size, resized := strconv.FormatInt(msg.Body.Size, 10), g.Body.Whole() && g.Body.Size != msg.Body.Size
	fix := func(name, v string) (string, bool) {
		switch {
		case uncoded && strings.EqualFold(name, "Content-Encoding"):
			return "", false
		case resized && strings.EqualFold(name, "Content-Length") && v == size:
			return strconv.FormatInt(g.Body.Size, 10), true
		}
		return v, true
	}
	g.Method, g.Reason = m.known(msg.Method), m.known(msg.Reason)
	g.Target = m.replace(msg.Target, m.url(msg.Target))
	g.Header, g.Trailers = m.header(msg.Header, fix), m.header(msg.Trailers, asItIs)
	g.Head = m.head(msg.Head, fix, true)
	return &g
}

// head masks a head as received: a start line, fields, an empty line.
func (m *Masker) head(head []byte, fix func(name, v string) (string, bool), write bool) []byte {
	if head == nil {
		return nil
	}
	line, rest, _ := strings.Cut(string(head), "\n")
	end := ""
	if len(line) < len(head) {
		end = "\n"
	}
	method, target, version := line, "", ""
	if i, j := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' '); i >= 0 && i < j && !strings.HasPrefix(line, "HTTP/") {
		method, target, version = line[:i], line[i:j], line[j:]
	}
	first := m.Text(method) + m.replace(target, m.url(target)) + m.known(version)
	fields := m.lines(rest, fix)
	if !write {
		return nil
	}
	return []byte(first + end + fields)
}

// content is the body of a message as text, content coding undone. ok is false when it cannot be looked into.
func content(msg *flow.Message) (text string, whole, ok bool) {
	data, truncated, err := decode.Content(msg, maxBody)
	if err != nil && len(decode.Codings(msg.Header)) > 0 {
		return "", false, false
	}
	return string(data), !truncated, true
}

// maskBody puts the masked body of msg into g, and reports whether its content coding is gone.
func (m *Masker) maskBody(f *flow.Flow, msg, g *flow.Message, which string) (uncoded bool) {
	if len(msg.Body.Data) == 0 {
		g.Body.Data = nil
		return false
	}
	coded := len(decode.Codings(msg.Header)) > 0
	text, whole, ok := content(msg)
	if !ok {
		g.Body.Data, g.Body.Kept = nil, 0
		m.note(f, "%s: the body is left out, for its content coding (%s) cannot be undone to look for secrets", which, m.known(strings.Join(decode.Codings(msg.Header), ", ")))
		return false
	}
	masked := m.body(text, msg.Header, which == "request")
	if masked == text && (whole || !coded && len(text) == len(msg.Body.Data)) {
		g.Body.Data = append([]byte(nil), msg.Body.Data...)
		return false
	}
	wasWhole := whole && msg.Body.Whole()
	g.Body.Data = []byte(masked)
	n := int64(len(masked))
	if wasWhole {
		g.Body.Size, g.Body.Kept = n, n
	} else {
		g.Body.Size = max(msg.Body.Size, n+1) // it stays a part
		g.Body.Kept = min(max(msg.Body.Kept, n), g.Body.Size)
		if int64(len(msg.Body.Data)) == msg.Body.Size {
			g.Body.Kept = n
			m.note(f, "%s: only the first %d bytes of the body were masked and kept", which, n)
		}
	}
	if coded {
		m.note(f, "%s: the body stands without its content coding (%s), because secrets in it are masked", which, strings.Join(decode.Codings(msg.Header), ", "))
	}
	return coded
}

// Body is content of the given media type (such as a WebSocket message or a part of a body) with its secrets masked.
func (m *Masker) Body(data []byte, contentType string) []byte {
	return []byte(m.body(string(data), flow.Header{{Name: "Content-Type", Value: contentType}}, false))
}

func (m *Masker) body(text string, h flow.Header, request bool) string {
	kind, params := decode.MediaType(h)
	if converted, name := decode.UTF8([]byte(text[:min(len(text), 1024)]), h.Get("Content-Type")); strings.HasPrefix(name, "utf-16") && len(converted) > 0 {
		whole, _ := decode.UTF8([]byte(text), h.Get("Content-Type"))
		if masked := m.content(string(whole), kind, params, request); masked != string(whole) {
			return masked
		}
		return text
	}
	return m.content(text, kind, params, request)
}

func (m *Masker) content(text, kind string, params map[string]string, request bool) string {
	spans := m.parts(text, kind, params, request, 0)
	return m.replace(text, append(spans, m.find(text)...))
}

// parts finds secrets by the structure of a body.
func (m *Masker) parts(text, kind string, params map[string]string, request bool, depth int) spanList {
	switch {
	case decode.IsForm(kind):
		return m.query(text, 0, len(text))
	case kind == eventStream && depth < 3:
		return m.events(text, request, depth)
	case decode.IsMultipart(kind) && depth < 3:
		return m.multipart(text, params["boundary"], request, depth)
	case decode.IsJSON(kind) || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		return m.json(text, request)
	}
	return nil
}

// events looks into the data of server-sent events, a line at a time.
func (m *Masker) events(text string, request bool, depth int) (list spanList) {
	at := 0
	for line := range strings.Lines(text) {
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			data = strings.TrimLeft(data, " ")
			inside := spanList(m.parts(strings.TrimRight(data, "\r\n"), "", nil, request, depth+1))
			list = append(list, inside.shift(at+len(line)-len(data))...)
		}
		at += len(line)
	}
	return list
}

func (m *Masker) multipart(text, boundary string, request bool, depth int) spanList {
	var list spanList
	all, _ := decode.Multipart([]byte(text), boundary)
	for _, p := range all {
		if (isSecretParameter(p.Name) || isToken(p.Name, text[p.Start:p.End])) && p.Filename == "" {
			list = append(list, m.value(text, p.Start, p.End, "part "+p.Name, false)...)
			continue
		}
		kind, params := decode.ParseMediaType(p.Type)
		list = append(list, spanList(m.parts(text[p.Start:p.End], kind, params, request, depth+1)).shift(p.Start)...)
	}
	return list
}

// json finds the values of secret members, where a tree can be made of the text; find does the rest.
func (m *Masker) json(text string, request bool) spanList {
	if len(text) > maxTree {
		return nil
	}
	tree, _ := decode.ParseJSON([]byte(text))
	var list spanList
	for _, v := range tree.Leaves() {
		name := v.Name()
		if parent := v.Parent(); parent.Kind() == decode.Array {
			name = parent.Name()
		} else if name == "value" {
			name, _ = parent.Get("name").Str()
		}
		start, end := v.Span()
		plain, isText := v.Str()
		if v.Kind() == decode.Number && isCard(v.Text()) {
			list = append(list, span{start: start, end: end, of: m.add(v.Text(), "card number"), quote: true})
			continue
		}
		if len(name) < 2 || !isSecret(name) && !isToken(name, plain) {
			continue
		}
		switch {
		case isText && (request && !trivial(plain) || credible("", plain)):
			if end-start > 2 {
				list = append(list, m.value(text, start+1, end-1, "field "+name, true)...)
			}
		case v.Kind() == decode.Number && isStrong(name):
			list = append(list, span{start: start, end: end, of: m.add(v.Text(), "field "+name), quote: true})
		}
	}
	return list
}
