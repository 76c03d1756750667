package pinpoint

import (
	"bytes"
	"html"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// token is a value of the accepted request that an earlier answer gave out, and that a
// server may take once only: a CSRF token, a nonce.
type token struct {
	value  string
	source *flow.Flow // whose answer had it
	before string     // what stood in front of it there; "" for a cookie
	after  byte       // what ended it
	cookie string     // name of the cookie that it came in
}

// Bounds of looking for tokens.
const (
	maxTokens    = 8
	minToken     = 8  // bytes; shorter values stand anywhere
	maxContext   = 48 // bytes in front of a value by which its place is found again
	maxFreshLen  = 4 << 10
	maxEarlier   = 200 // flows that are looked through, newest first
	maxFreshBody = 1 << 20
)

// tokensOf finds the tokens of a request that earlier answers gave out.
func tokensOf(f *flow.Flow, earlier []*flow.Flow) []token {
	var out []token
	for _, v := range tokenValues(f.Request) {
		if len(v) < minToken || len(out) == maxTokens || slices.ContainsFunc(out, func(t token) bool { return t.value == v }) {
			continue
		}
		for i := len(earlier) - 1; i >= max(0, len(earlier)-maxEarlier); i-- {
			g := earlier[i]
			if g.Request == nil || g.Response == nil || g.Request.Method != "GET" || g.Scheme != f.Scheme || g.Authority != f.Authority || g.Status() < 200 || g.Status() > 299 {
				continue // only what changes nothing is asked for again
			}
			if t, ok := givenBy(g, v); ok {
				out = append(out, t)
				break
			}
		}
	}
	return out
}

// sources counts the flows that gave out tokens.
func sources(list []token) int {
	seen := map[*flow.Flow]bool{}
	for _, t := range list {
		seen[t.source] = true
	}
	return len(seen)
}

// tokenValues are the values with names of CSRF tokens and nonces.
func tokenValues(m *flow.Message) []string {
	var out []string
	add := func(name, value string) {
		if decode.IsCSRFName(name) || strings.Contains(strings.ToLower(name), "nonce") {
			out = append(out, value)
		}
	}
	for _, h := range m.Header {
		add(h.Name, h.Value)
	}
	for _, c := range decode.Cookies(m.Header) {
		add(c.Name, c.Value)
	}
	_, query, _ := strings.Cut(m.Target, "?")
	pairs := decode.Query(query)
	if kind, _ := decode.MediaType(m.Header); decode.IsForm(kind) {
		pairs = append(pairs, decode.Form(m.Body.Data)...)
	}
	for _, p := range pairs {
		add(p.Name, p.Value)
	}
	return out
}

// givenBy finds a value in an answer: in a cookie it set, or in its text.
func givenBy(g *flow.Flow, value string) (token, bool) {
	for _, c := range decode.SetCookies(g.Response.Header) {
		if c.Value == value {
			return token{value: value, source: g, cookie: c.Name}, true
		}
	}
	text, _, _ := decode.Text(g.Response, maxFreshBody)
	for _, written := range []string{value, html.EscapeString(value)} {
		i := strings.Index(text, written)
		if i < 0 || i+len(written) >= len(text) {
			continue
		}
		return token{value: value, source: g, before: text[max(0, i-maxContext):i], after: text[i+len(written)]}, true
	}
	return token{}, false
}

// again finds the token's present value in a new answer of its source.
func (t token) again(g *flow.Flow) (string, bool) {
	if g == nil || g.Response == nil {
		return "", false
	}
	if t.cookie != "" {
		for _, c := range decode.SetCookies(g.Response.Header) {
			if c.Name == t.cookie {
				return c.Value, c.Value != ""
			}
		}
		return "", false
	}
	text, _, _ := decode.Text(g.Response, maxFreshBody)
	for from := t.before; len(from) >= minToken; from = from[1:] { // what stands further in front may have changed
		i := strings.Index(text, from)
		if i < 0 {
			continue
		}
		rest := text[i+len(from):]
		end := strings.IndexByte(rest, t.after)
		if end <= 0 || end > maxFreshLen {
			return "", false
		}
		return html.UnescapeString(rest[:end]), true
	}
	return "", false
}

// freshen gives a probe the present values of the accepted request's tokens: their
// sources are asked first, once each. It reports whether the experiment goes on.
func (x *run) freshen(f *flow.Flow) bool {
	asked := map[*flow.Flow]*flow.Flow{}
	for _, t := range x.tokens {
		if !holds(f.Request, t.value) {
			continue
		}
		g, done := asked[t.source]
		if !done {
			if len(x.steps)+x.fetched >= x.o.Max {
				x.stop(Stopped, "the budget of %d requests is used up", x.o.Max)
				return false
			}
			source, err := build(t.source, nil, x.o.ID)
			if err != nil {
				continue
			}
			x.fetched++
			g, _ = x.send.Send(x.ctx, Probe{Base: Accepted, Flow: source})
			asked[t.source] = g
			x.setCookies(f.Request, g)
		}
		if v, ok := t.again(g); ok && v != t.value {
			replace(f.Request, t.value, v)
		}
	}
	return true
}

// setCookies keeps a request's cookies as an answer sets them.
func (x *run) setCookies(m *flow.Message, g *flow.Flow) {
	if g == nil || g.Response == nil {
		return
	}
	for _, c := range decode.SetCookies(g.Response.Header) {
		if old, ok := decode.CookieValue(m.Header, c.Name); ok && old != c.Value && c.Value != "" {
			for i := range m.Header {
				if h := &m.Header[i]; strings.EqualFold(h.Name, "Cookie") {
					h.Value, h.Raw = strings.Replace(h.Value, c.Name+"="+old, c.Name+"="+c.Value, 1), ""
				}
			}
		}
	}
}

// forms are the ways in which a value is written in a request.
func forms(v string) []string {
	return slices.Compact([]string{v, decode.EscapeForm(v)})
}

func holds(m *flow.Message, v string) bool {
	for _, s := range forms(v) {
		if strings.Contains(m.Target, s) || bytes.Contains(m.Body.Data, []byte(s)) {
			return true
		}
		for _, h := range m.Header {
			if strings.Contains(h.Value, s) {
				return true
			}
		}
	}
	return false
}

// replace writes a value for another wherever it stands; the length follows.
func replace(m *flow.Message, old, v string) {
	as := forms(v)
	for i, s := range forms(old) {
		to := as[min(i, len(as)-1)]
		m.Target = strings.ReplaceAll(m.Target, s, to)
		for k := range m.Header {
			if h := &m.Header[k]; strings.Contains(h.Value, s) {
				h.Value, h.Raw = strings.ReplaceAll(h.Value, s, to), ""
			}
		}
		if bytes.Contains(m.Body.Data, []byte(s)) {
			m.SetBody(bytes.ReplaceAll(m.Body.Data, []byte(s), []byte(to)))
			if m.Header.Has("Content-Length") {
				m.Header.Set("Content-Length", itoa(len(m.Body.Data)))
			}
		}
	}
}
