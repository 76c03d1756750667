package waf

import (
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// source is a text of the request that a rule may have looked at.
type source struct {
	name  string // of the argument, field or cookie as sent
	place string // for people
	where string // as evidence names it
	base  int    // byte offset of raw in where
	raw   string
	coded coding
	// change makes raw in the request another text; nil: not on its own.
	change func(raw string) *flow.Change
}

// places finds sources. What has to be parsed is parsed once.
type places struct {
	args []argument
	done bool
}

// argument is a source with the name that the rules know it by. label is the source of that name itself.
type argument struct {
	key   string
	value source
	label source
}

// of are the sources that a variable of the rule language stands for.
func (p *places) of(in *input, variable, key string) []source {
	switch variable {
	case "ARGS", "ARGS_GET", "ARGS_POST":
		return p.arguments(in, key, false)
	case "ARGS_NAMES", "ARGS_GET_NAMES", "ARGS_POST_NAMES":
		return p.arguments(in, key, true)
	case "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES":
		return p.names(in, key)
	case "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES":
		return in.cookies(key, variable == "REQUEST_COOKIES_NAMES")
	case "REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_LINE":
		return in.url("the URL", 0, len(in.f.Request.Target))
	case "REQUEST_FILENAME", "REQUEST_BASENAME":
		return in.url("the path", 0, len(in.f.Path()))
	case "QUERY_STRING":
		if q := in.f.Query(); q != "" {
			return in.url("the query", len(in.f.Request.Target)-len(q), len(in.f.Request.Target))
		}
	case "REQUEST_BODY":
		return in.content("the body")
	case "XML", "REQUEST_XML":
		return in.content("the XML body")
	case "FILES", "FILES_NAMES", "MULTIPART_FILENAME", "MULTIPART_NAME", "MULTIPART_PART_HEADERS":
		return in.partHeads()
	}
	return nil
}

func (p *places) arguments(in *input, key string, label bool) []source {
	if !p.done {
		p.args, p.done = in.arguments(), true
	}
	var out []source
	for _, a := range p.args {
		if !strings.EqualFold(a.key, key) {
			continue
		}
		if label {
			out = append(out, a.label)
		} else {
			out = append(out, a.value)
		}
	}
	return out
}

// names are the header fields called name.
func (p *places) names(in *input, name string) []source {
	var out []source
	for _, h := range in.f.Request.Header {
		if strings.EqualFold(h.Name, name) {
			out = append(out, source{name: h.Name, place: "the header " + h.Name, where: "request.header:" + h.Name, raw: h.Value})
		}
	}
	return out
}

func (in *input) cookies(name string, label bool) []source {
	var out []source
	header := in.f.Request.Header
	for _, c := range decode.Cookies(header) {
		if !strings.EqualFold(c.Name, name) {
			continue
		}
		s := source{name: c.Name, place: "the cookie " + c.Name, where: "request.header:" + header[c.Field].Name, base: c.End - len(c.Value), raw: c.Value}
		if label {
			s.place, s.base, s.raw = "the name of the cookie "+c.Name, c.Start, c.Name
		}
		out = append(out, s)
	}
	return out
}

// url is a part of the request target as it stands in the flow's URL.
func (in *input) url(place string, from, to int) []source {
	target := in.f.Request.Target
	if !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "?") || to <= from {
		return nil // a URL shows no other form
	}
	return []source{{place: place, where: "request.url", base: in.urlBase() + from, raw: target[from:to], coded: percent}}
}

// urlBase is where the target begins in the flow's URL.
func (in *input) urlBase() int { return len(in.f.URL()) - len(in.f.Request.Target) }

func (in *input) content(place string) []source {
	data := in.f.Request.Body.Data
	if len(data) == 0 {
		return nil
	}
	return []source{{place: place, where: "request.body", raw: string(data[:min(len(data), maxBody)])}}
}

// partHeads are the heads of the parts that have a file name.
func (in *input) partHeads() []source {
	m := in.f.Request
	_, params := decode.MediaType(m.Header)
	data := m.Body.Data[:min(len(m.Body.Data), maxBody)]
	parts, _ := decode.Multipart(data, params["boundary"])
	var out []source
	for _, p := range parts {
		place := "the head of the part " + p.Name
		if p.Filename != "" {
			place = "the name of the file " + shortened(p.Filename)
		}
		out = append(out, source{name: p.Name, place: place, where: "request.body", base: p.HeadStart, raw: string(data[p.HeadStart:p.Start])})
	}
	return out
}

// arguments are all of the query and of the body, in order.
func (in *input) arguments() []argument {
	m := in.f.Request
	var out []argument
	if q := in.f.Query(); q != "" && in.urlBase() >= 0 {
		base := in.urlBase() + len(m.Target) - len(q)
		out = pairs(out, q, "request.url", "query parameter", base, flow.InQuery)
	}
	data := m.Body.Data[:min(len(m.Body.Data), maxBody)]
	mediaType, params := decode.MediaType(m.Header)
	switch {
	case len(data) == 0:
	case decode.IsMultipart(mediaType):
		out = in.parts(out, data, params["boundary"])
	case decode.IsJSON(mediaType):
		out = in.json(out, data)
	default: // the rules take a body of no known kind for a form
		out = pairs(out, string(data), "request.body", "form field", 0, flow.InForm)
	}
	return out
}

// pairs adds those of a query or a form.
func pairs(out []argument, raw, where, kind string, base int, part flow.Place) []argument {
	seen := map[string]int{}
	for _, p := range decode.Query(raw) {
		if p.RawName == "" && !p.HasValue {
			continue
		}
		if len(out) == maxArgs {
			break
		}
		nth := seen[p.Name]
		seen[p.Name]++
		name, before := p.Name, p.RawValue
		out = append(out, argument{key: p.Name,
			value: source{name: p.Name, place: "the " + kind + " " + p.Name, where: where, base: base + p.End - len(p.RawValue), raw: p.RawValue, coded: form,
				change: func(after string) *flow.Change {
					return &flow.Change{Part: part, Name: name, Index: nth, Before: &before, After: &after}
				}},
			label: source{name: p.Name, place: "the name of the " + kind + " " + p.Name, where: where, base: base + p.Start, raw: p.RawName, coded: form},
		})
	}
	return out
}

// parts adds those of a multipart body that are no files.
func (in *input) parts(out []argument, data []byte, boundary string) []argument {
	parts, _ := decode.Multipart(data, boundary)
	seen := map[string]int{}
	for _, p := range parts {
		nth := seen[p.Name]
		seen[p.Name]++
		if p.Filename != "" {
			continue
		}
		if len(out) == maxArgs {
			break
		}
		name, before := p.Name, string(p.Data)
		out = append(out, argument{key: name,
			value: source{name: name, place: "the form field " + name, where: "request.body", base: p.Start, raw: before,
				change: func(after string) *flow.Change {
					return &flow.Change{Part: flow.InMultipart, Name: name, Index: nth, Before: &before, After: &after}
				}},
			label: source{name: name, place: "the name of the form field " + name, where: "request.body", base: p.HeadStart, raw: string(data[p.HeadStart:p.Start])},
		})
	}
	return out
}

// json adds the values of a JSON body under the names that Coraza gives them:
// "json.items.0.note".
func (in *input) json(out []argument, data []byte) []argument {
	doc, _ := decode.ParseJSON(data)
	return flatten(out, doc, doc.Root(), "json", 0)
}

func flatten(out []argument, doc *decode.JSON, v decode.Value, key string, depth int) []argument {
	if depth > decode.WalkDepth || len(out) >= maxArgs {
		return out
	}
	n := 0
	for c := range v.Children() {
		at := strconv.Itoa(n)
		n++
		if v.Kind() == decode.Object {
			at = c.Name()
		}
		if c.Kind() == decode.Array || c.Kind() == decode.Object {
			out = flatten(out, doc, c, key+"."+at, depth+1)
			continue
		}
		if len(out) >= maxArgs {
			break
		}
		out = append(out, leaf(doc, c, key+"."+at))
	}
	return out
}

func leaf(doc *decode.JSON, v decode.Value, key string) argument {
	path := v.Path()
	shown := strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")
	start, end := v.Span()
	name, _ := v.MemberSpan()
	a := argument{key: key,
		value: source{name: shown, place: "the JSON field " + shown, where: "request.body", base: start, raw: v.Raw()},
		label: source{name: shown, place: "the name of the JSON field " + shown, where: "request.body", base: name, raw: v.Slice(name, start)},
	}
	if _, text := v.Str(); !text {
		return a
	}
	before := v.Raw()
	a.value.base, a.value.raw, a.value.coded = start+1, v.Slice(start+1, end-1), jsonString
	// Of members with the same name a path names the first one.
	if from, _ := doc.Find(path).Span(); from == start {
		a.value.change = func(after string) *flow.Change {
			after = `"` + after + `"`
			return &flow.Change{Part: flow.InJSON, Name: path, Before: &before, After: &after}
		}
	}
	return a
}
