package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// NotApplicable says which change of a patch cannot be made, and why.
type NotApplicable struct {
	Change flow.Change
	Why    string
}

func (e *NotApplicable) Error() string {
	what := string(e.Change.Part)
	if e.Change.Name != "" {
		what += " " + e.Change.Name
	}
	if e.Change.Index > 0 {
		what += fmt.Sprintf(" (number %d)", e.Change.Index+1)
	}
	return "change of " + what + " cannot be made: " + e.Why
}

// ErrTarget is the reason why Apply refuses a change of scheme or host: a message does not
// say where it goes. ApplyTo makes such changes.
const ErrTarget = "it changes where the request goes, not the request"

// Apply makes the request that f's becomes by the patch. What the patch does not
// touch keeps its bytes: raw header lines, cookies beside a changed one, the rest
// of a JSON text. Lengths and framing follow the body; a coded body is decoded,
// edited and coded again. The first change that cannot be made is the error, a *NotApplicable.
func Apply(f *flow.Flow, p flow.Patch) (*flow.Message, error) {
	for _, c := range p {
		if c.Part == flow.InScheme || c.Part == flow.InHost {
			return nil, &NotApplicable{c, ErrTarget}
		}
	}
	g, err := ApplyTo(f, p)
	if err != nil {
		return nil, err
	}
	return g.Request, nil
}

// ApplyTo is Apply with changes of scheme and host: a flow with nothing but
// Scheme, Authority, Conn.Target and Request, and f as its Parent.
func ApplyTo(f *flow.Flow, p flow.Patch) (*flow.Flow, error) {
	if f == nil || f.Request == nil {
		return nil, errors.New("apply: there is no request to change")
	}
	g := &flow.Flow{Parent: f.ID, Kind: f.Kind, Scheme: f.Scheme, Authority: f.Authority, Request: f.Request.Clone()}
	g.Conn.Target = f.Conn.Target
	by := map[flow.Place][]flow.Change{}
	for _, c := range p {
		if !c.Applicable() {
			return nil, &NotApplicable{c, notAlone(c)}
		}
		by[c.Part] = append(by[c.Part], c)
	}
	for _, step := range []struct {
		parts []flow.Place
		do    func(*flow.Flow, []flow.Change) error
	}{
		{[]flow.Place{flow.InMethod, flow.InScheme, flow.InHost, flow.InPath}, applyLine},
		{[]flow.Place{flow.InQuery}, applyQuery},
		{[]flow.Place{flow.InHeaderCase}, applySpelling},
		{[]flow.Place{flow.InHeader}, applyHeaders},
		{[]flow.Place{flow.InCookie}, applyCookies},
		{[]flow.Place{flow.InHeaderOrder}, applyOrder},
	} {
		var list []flow.Change
		for _, part := range step.parts {
			list = append(list, by[part]...)
		}
		if len(list) == 0 {
			continue
		}
		if err := step.do(g, list); err != nil {
			return nil, err
		}
	}
	return g, applyBody(f.Request, g.Request, by)
}

func notAlone(c flow.Change) string {
	switch c.Part {
	case flow.InJWT:
		return "a claim stands inside a signed token; change the whole token"
	case flow.InConn, flow.InProto:
		return "it is decided when the connection is made"
	case flow.InBody:
		return "a line is changed with the whole body"
	}
	return "it is not a change that can be made on its own"
}

func applyLine(g *flow.Flow, list []flow.Change) error {
	for _, c := range list {
		if c.After == nil || *c.After == "" && c.Part != flow.InPath {
			return &NotApplicable{c, "a request cannot be without it"}
		}
		v := *c.After
		if strings.ContainsAny(v, " \t\r\n\x00") {
			return &NotApplicable{c, "the new value has a blank or a line break in it"}
		}
		switch c.Part {
		case flow.InMethod:
			g.Request.Method = v
		case flow.InScheme:
			if v != "http" && v != "https" {
				return &NotApplicable{c, "only http and https are spoken"}
			}
			g.Scheme, g.Conn.Target = v, ""
		case flow.InHost:
			g.Authority, g.Conn.Target = strings.ToLower(v), ""
		case flow.InPath:
			if strings.Contains(v, "?") {
				return &NotApplicable{c, "a path has no question mark"}
			}
			_, query, asked := strings.Cut(g.Request.Target, "?")
			g.Request.Target = v
			if asked {
				g.Request.Target += "?" + query
			}
		}
	}
	return nil
}

// entry is one item of a sequence that is being changed.
type entry struct {
	name  string // what changes address
	value string
	from  int // position in the original, -1: new
}

// edit makes the changes of one kind of sequence. Entries that stay keep their place; new
// ones go behind the last of their name, in front of the one whose index they take,
// or to the end.
func edit(list []entry, changes []flow.Change, same func(a, b string) bool) ([]entry, error) {
	gone := make([]bool, len(list))
	touched := map[int]bool{}
	var fresh []flow.Change
	for _, c := range changes {
		if c.Before == nil && c.After == nil {
			return nil, &NotApplicable{c, "it says neither what was nor what shall be"}
		}
		if c.Before == nil {
			fresh = append(fresh, c)
			continue
		}
		i := nth(list, c.Name, c.Index, same)
		switch {
		case i < 0:
			return nil, &NotApplicable{c, "the request has none of that name"}
		case touched[i]:
			return nil, &NotApplicable{c, "another change of the patch is about the same place"}
		case c.After == nil:
			gone[i] = true
		default:
			list[i].value = *c.After
		}
		touched[i] = true
	}
	out := list[:0:0]
	for i := range list {
		if !gone[i] {
			out = append(out, list[i])
		}
	}
	slices.SortStableFunc(fresh, func(a, b flow.Change) int { return a.Index - b.Index })
	for _, c := range fresh {
		e := entry{name: c.Name, value: *c.After, from: -1}
		if i := nth(out, c.Name, c.Index, same); i >= 0 {
			out = slices.Insert(out, i, e)
		} else if i := nth(out, c.Name, c.Index-1, same); c.Index > 0 && i >= 0 {
			out = slices.Insert(out, i+1, e)
		} else {
			out = append(out, e)
		}
	}
	return out, nil
}

func nth(list []entry, name string, n int, same func(a, b string) bool) int {
	for i := range list {
		if same(list[i].name, name) {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

func exact(a, b string) bool { return a == b }

func applyQuery(g *flow.Flow, list []flow.Change) error {
	path, query, _ := strings.Cut(g.Request.Target, "?")
	query, err := editPairs(query, list)
	if err != nil {
		return err
	}
	if g.Request.Target = path; query != "" {
		g.Request.Target += "?" + query
	}
	return nil
}

// editPairs changes a query or a form; pairs that are not touched keep their bytes.
func editPairs(raw string, changes []flow.Change) (string, error) {
	pairs := decode.Query(raw)
	var list []entry
	for i, p := range pairs {
		if p.RawName != "" || p.HasValue {
			list = append(list, entry{p.Name, p.RawValue, i})
		}
	}
	list, err := edit(list, changes, exact)
	if err != nil {
		return "", err
	}
	var pieces []string
	for _, e := range list {
		switch {
		case e.from < 0:
			pieces = append(pieces, decode.EscapeForm(e.name)+"="+legal(e.value))
		case e.value == pairs[e.from].RawValue:
			pieces = append(pieces, raw[pairs[e.from].Start:pairs[e.from].End])
		default:
			pieces = append(pieces, pairs[e.from].RawName+"="+legal(e.value))
		}
	}
	return strings.Join(pieces, "&"), nil
}

// legal escapes what would end a value or the request line; all else is meant as written.
func legal(v string) string {
	if strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '&' || r == '#' }) < 0 {
		return v
	}
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c >= 0x7f || c == '&' || c == '#' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func applyHeaders(g *flow.Flow, changes []flow.Change) error {
	h := g.Request.Header
	var list []entry
	for i, f := range h {
		list = append(list, entry{f.Name, f.Value, i})
	}
	for _, c := range changes {
		if why := badField(c); why != "" {
			return &NotApplicable{c, why}
		}
	}
	list, err := edit(list, changes, strings.EqualFold)
	if err != nil {
		return err
	}
	out := make(flow.Header, 0, len(list))
	for _, e := range list {
		if e.from >= 0 && h[e.from].Value == e.value {
			out = append(out, h[e.from])
		} else {
			out = append(out, flow.Field{Name: e.name, Value: e.value})
		}
	}
	g.Request.Header = out
	return nil
}

// badField is why a field cannot be written (RFC 9110, 5.1 and 5.5).
func badField(c flow.Change) string {
	if c.Name == "" || strings.ContainsAny(c.Name, " \t\r\n\x00:") {
		return "that is no name of a header field"
	}
	if c.After != nil && strings.ContainsAny(*c.After, "\r\n\x00") {
		return "the new value has a line break or a NUL in it"
	}
	return ""
}

func applySpelling(g *flow.Flow, changes []flow.Change) error {
	for _, c := range changes {
		i := g.Request.Header.Index(c.Name, c.Index)
		switch {
		case i < 0:
			return &NotApplicable{c, "the request has none of that name"}
		case c.After == nil || !strings.EqualFold(*c.After, c.Name):
			return &NotApplicable{c, "the new spelling is another name"}
		}
		f := &g.Request.Header[i]
		if f.Name != *c.After {
			f.Name, f.Raw = *c.After, respell(f.Raw, len(f.Name), *c.After)
		}
	}
	return nil
}

// respell keeps everything of a raw line but its name.
func respell(raw string, n int, name string) string {
	if len(raw) < n {
		return ""
	}
	return name + raw[n:]
}

// applyOrder sorts the fields by a list of names; what is not in it stays behind its neighbour.
func applyOrder(g *flow.Flow, changes []flow.Change) error {
	for _, c := range changes {
		if c.After == nil {
			return &NotApplicable{c, "it names no order"}
		}
		h := slices.Clone(g.Request.Header)
		var out flow.Header
		used := make([]bool, len(h))
		take := func(i int) {
			out, used[i] = append(out, h[i]), true
		}
		wanted := map[string]bool{}
		for name := range strings.SplitSeq(*c.After, ",") {
			wanted[strings.ToLower(strings.TrimSpace(name))] = true
		}
		follow := func(i int) { // the fields behind i that the list does not know
			for i++; i < len(h) && !wanted[strings.ToLower(h[i].Name)]; i++ {
				if !used[i] {
					take(i)
				}
			}
		}
		follow(-1)
		for name := range strings.SplitSeq(*c.After, ",") {
			name = strings.TrimSpace(name)
			if i := slices.IndexFunc(h, func(f flow.Field) bool { return strings.EqualFold(f.Name, name) }); i >= 0 {
				for i < len(h) && (used[i] || !strings.EqualFold(h[i].Name, name)) {
					i++
				}
				if i < len(h) {
					take(i)
					follow(i)
				}
			}
		}
		for i := range h { // more of a name than the list has
			if !used[i] {
				take(i)
			}
		}
		g.Request.Header = out
	}
	return nil
}

// applyCookies edits inside the Cookie lines: what is not touched keeps its bytes and blanks.
func applyCookies(g *flow.Flow, changes []flow.Change) error {
	h := g.Request.Header
	cookies := decode.Cookies(h)
	var list []entry
	for i, c := range cookies {
		list = append(list, entry{c.Name, c.Value, i})
	}
	for _, c := range changes {
		if strings.ContainsAny(c.Name, ";=\r\n\x00") || c.After != nil && strings.ContainsAny(*c.After, ";\r\n\x00") {
			return &NotApplicable{c, "a cookie cannot hold a semicolon or a line break"}
		}
	}
	list, err := edit(list, changes, exact)
	if err != nil {
		return err
	}
	lines := map[int][]string{} // field -> its pairs
	field := h.Index("Cookie", 0)
	for _, e := range list {
		text := e.name + "=" + e.value
		if e.from >= 0 {
			c := cookies[e.from]
			field = c.Field
			if c.Value == e.value {
				text = h[c.Field].Value[c.Start:c.End]
			} else if c.Name == "" {
				text = e.value
			}
		}
		lines[field] = append(lines[field], text)
	}
	var out flow.Header
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Cookie") {
			out = append(out, h[i])
			continue
		}
		v := strings.Join(lines[i], "; ")
		switch {
		case len(lines[i]) == 0 && len(decode.Cookies(flow.Header{h[i]})) > 0: // its cookies are all gone
		case len(lines[i]) == 0 || v == h[i].Value:
			out = append(out, h[i])
		default:
			out = append(out, flow.Field{Name: h[i].Name, Value: v})
		}
	}
	if len(lines[-1]) > 0 {
		out = append(out, flow.Field{Name: "Cookie", Value: strings.Join(lines[-1], "; ")})
	}
	g.Request.Header = out
	return nil
}
