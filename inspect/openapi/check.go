package openapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Check compares a request with the contract; nil: nothing speaks against it.
// Contracts name the public host and are tried on others, so on another host only
// the paths of the contract, and those that nearly are, are judged. Bodies are looked at where they are
// whole and their content coding is removed.
func (d *Doc) Check(f *flow.Flow) []Breach {
	if f.Request == nil || !strings.HasPrefix(f.Request.Target, "/") {
		return nil
	}
	c := &check{d: d, f: f, m: f.Request}
	r, params, ok := d.find(f.Path())
	if !ok {
		c.unknownPath()
		return c.found
	}
	method := strings.ToLower(c.m.Method)
	op := object(r.item[method])
	if op == nil {
		c.unknownMethod(r)
		return c.found
	}
	c.op = c.m.Method + " " + r.template
	c.security(op)
	c.parameters(r, op, params)
	c.body(d.deref(op["requestBody"]))
	return c.found
}

// check is one request being compared.
type check struct {
	d     *Doc
	f     *flow.Flow
	m     *flow.Message
	op    string
	found []Breach
}

func (c *check) add(b Breach) {
	if len(c.found) < maxFound {
		c.found = append(c.found, b)
	}
}

// url adds a breach for which the path of the request stands.
func (c *check) url(part, name, format string, args ...any) {
	c.add(Breach{Part: part, Name: name, Message: fmt.Sprintf(format, args...), Where: "request.url", Quote: c.f.Path()})
}

func (c *check) unknownPath() {
	text := fmt.Sprintf("the contract has no path %s", c.f.Path())
	near := c.near()
	if near == "" && !c.d.names(c.f.Authority) {
		return
	}
	if near != "" {
		text += "; it has " + near
	}
	c.url("path", "", "%s", text)
}

// near is the path of the contract that was probably meant: it differs by a
// slash at the end, by case, or by a letter or two of one segment.
func (c *check) near() string {
	for _, p := range c.d.below(c.f.Path()) {
		for _, change := range []func(string) string{
			func(s string) string { return strings.TrimSuffix(s, "/") },
			func(s string) string { return s + "/" },
			func(s string) string { return strings.ReplaceAll(s, "//", "/") },
		} {
			if q := change(p); q != p {
				if r, _, ok := c.d.find(q); ok {
					return r.template
				}
			}
		}
		segments := strings.Split(p, "/")
		for i := range c.d.routes {
			if alike(c.d.routes[i].segments, segments) {
				return c.d.routes[i].template
			}
		}
	}
	return ""
}

// alike reports whether a path is a template's but for case or one mistyped segment.
func alike(template, path []string) bool {
	if len(template) != len(path) {
		return false
	}
	typos, cases := 0, 0
	for i, t := range template {
		switch {
		case t == path[i] || strings.Contains(t, "{") && path[i] != "":
		case strings.EqualFold(t, path[i]):
			cases++
		case typo(strings.ToLower(t), strings.ToLower(path[i])):
			typos++
		default:
			return false
		}
	}
	return typos+cases > 0 && typos <= 1
}

// typo reports whether one letter was left out, added, changed or swapped with its neighbour.
func typo(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return i == len(a) || a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

func (c *check) unknownMethod(r *route) {
	var known []string
	for _, m := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
		if r.item[m] != nil {
			known = append(known, strings.ToUpper(m))
		}
	}
	if len(known) == 0 || c.m.Method == "HEAD" && slices.Contains(known, "GET") || c.m.Method == "OPTIONS" {
		return // a preflight is seldom in a contract
	}
	c.url("method", c.m.Method, "the contract has %s for %s, not %s", strings.Join(known, ", "), r.template, c.m.Method)
}

// security checks that one of the alternatives is there; what a credential is
// worth is for the server to say (OpenAPI 3.1.1, 4.8.30).
func (c *check) security(op map[string]any) {
	needs, set := op["security"]
	if !set {
		needs = c.d.root["security"]
	}
	schemes := object(object(c.d.root["components"])["securitySchemes"])
	var missing []string
	for _, alternative := range list(needs) {
		lack := ""
		for _, name := range slices.Sorted(maps.Keys(object(alternative))) {
			if l := c.lacks(c.d.deref(schemes[name])); l != "" && lack == "" {
				lack = l
			}
		}
		if lack == "" {
			return
		}
		if !slices.Contains(missing, lack) {
			missing = append(missing, lack)
		}
	}
	if len(missing) == 0 {
		return
	}
	part := Breach{Part: "security", Name: missing[0], Message: "the contract asks for " + strings.Join(missing, " or "), Where: "request.url", Quote: c.f.Path()}
	if v := c.m.Header.Get("Authorization"); v != "" {
		scheme, _, _ := strings.Cut(v, " ")
		part.Message += "; the request's Authorization is of the scheme " + scheme
		part.Where, part.Quote = "request.header:Authorization", scheme
	}
	c.add(part)
}

// lacks names the credential that a scheme wants and the request has not; "" is nothing.
func (c *check) lacks(s map[string]any) string {
	authorization := c.m.Header.Get("Authorization")
	has := func(scheme string) bool {
		return len(authorization) > len(scheme) && strings.EqualFold(authorization[:len(scheme)+1], scheme+" ")
	}
	switch str(s["type"]) {
	case "http":
		if scheme := str(s["scheme"]); scheme != "" && !has(scheme) {
			return "Authorization: " + strings.ToUpper(scheme[:1]) + scheme[1:]
		}
	case "oauth2", "openIdConnect":
		if !has("Bearer") {
			return "Authorization: Bearer"
		}
	case "apiKey":
		name := str(s["name"])
		switch str(s["in"]) {
		case "header":
			if !c.m.Header.Has(name) {
				return "the header " + name
			}
		case "query":
			if _, ok := c.query()[name]; !ok {
				return "the query parameter " + name
			}
		case "cookie":
			if _, ok := c.cookies()[name]; !ok {
				return "the cookie " + name
			}
		}
	}
	return "" // mutualTLS and what is unknown cannot be seen here
}

func (c *check) query() map[string][]string {
	q, _ := url.ParseQuery(c.f.Query()) // what could be read
	return q
}

func (c *check) cookies() map[string][]string {
	out := map[string][]string{}
	for v := range c.m.Header.Values("Cookie") {
		for pair := range strings.SplitSeq(v, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			out[name] = append(out[name], value)
		}
	}
	return out
}

func (c *check) parameters(r *route, op map[string]any, path map[string]string) {
	seen := map[string]bool{}
	for _, of := range []map[string]any{op, r.item} { // the operation's override the path's
		for _, v := range list(of["parameters"]) {
			p := c.d.deref(v)
			name, in := str(p["name"]), str(p["in"])
			if name == "" || seen[in+"\x00"+name] {
				continue
			}
			seen[in+"\x00"+name] = true
			c.parameter(p, name, in, path)
		}
	}
}

func (c *check) parameter(p map[string]any, name, in string, path map[string]string) {
	var values []string
	where := "request.url"
	switch in {
	case "path":
		if v, ok := path[name]; ok {
			if u, err := url.PathUnescape(v); err == nil {
				v = u
			}
			values = []string{v}
		}
	case "query":
		values = c.query()[name]
		if values == nil && len(object(p["schema"])) > 0 && (str(p["style"]) == "deepObject" || c.d.deref(p["schema"])["type"] == "object") {
			return // spread over several names
		}
	case "cookie":
		values, where = c.cookies()[name], "request.header:Cookie"
	case "header":
		switch strings.ToLower(name) {
		case "accept", "content-type", "authorization":
			return // OpenAPI 3.1.1, 4.8.12.2: not described as parameters
		}
		values, where = slices.Collect(c.m.Header.Values(name)), "request.header:"+name
	default:
		return
	}
	if len(values) == 0 {
		if p["required"] == true && in != "path" {
			c.url(in, name, "the contract requires the %s %s", kindOf(in), name)
		}
		return
	}
	s := &schemas{d: c.d, budget: maxSteps}
	for _, f := range s.text(p["schema"], values, str(p["style"]), p["explode"]) {
		quote := f.raw
		if quote == "" || in == "path" || in == "query" {
			quote = c.f.Path()
			if in == "query" {
				quote = quoteOf(c.f.Query(), name)
			}
		}
		c.add(Breach{Part: in, Name: name, Message: fmt.Sprintf("the %s %s %s", kindOf(in), name, f.text), Where: where, Quote: quote})
	}
}

func kindOf(in string) string {
	if in == "header" || in == "cookie" {
		return in
	}
	return in + " parameter"
}

// quoteOf is a parameter of a query as it was sent.
func quoteOf(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		n, _, _ := strings.Cut(pair, "=")
		if u, err := url.QueryUnescape(n); n == name || err == nil && u == name {
			return pair
		}
	}
	return name
}

func (c *check) body(want map[string]any) {
	content := object(want["content"])
	if len(content) == 0 {
		return
	}
	if c.m.Body.Size == 0 {
		if want["required"] == true {
			c.url("body", "", "the contract requires a body for %s", c.op)
		}
		return
	}
	sent := c.m.Header.Get("Content-Type")
	mediaType, _ := decode.ParseMediaType(sent)
	media, ok := pick(content, mediaType)
	if !ok {
		b := Breach{Part: "content-type", Message: fmt.Sprintf("the contract takes %s, not %s", strings.Join(slices.Sorted(maps.Keys(content)), ", "), mediaType),
			Where: "request.header:Content-Type", Quote: sent}
		if sent == "" {
			b.Message, b.Where, b.Quote = strings.TrimSuffix(b.Message, ", not ")+"; the request has no Content-Type", "request.url", c.f.Path()
		}
		c.add(b)
		return
	}
	schema := object(media)["schema"]
	if schema == nil || !c.m.Body.Whole() {
		return
	}
	s := &schemas{d: c.d, budget: maxSteps}
	switch {
	case decode.IsJSON(mediaType):
		doc, err := decode.ParseJSON(c.m.Body.Data)
		if err != nil {
			return // another rule tells of a body that does not parse
		}
		s.check(schema, doc.Root(), 0)
	case mediaType == "application/x-www-form-urlencoded":
		s.form(schema, c.m.Body.Data)
	}
	for _, f := range s.found {
		where := f.path
		if where == "$" {
			where = "the body"
		}
		quote := f.raw
		if quote == "" || !strings.Contains(string(c.m.Body.Data), quote) {
			quote = string(c.m.Body.Data[:min(len(c.m.Body.Data), 80)])
		}
		c.add(Breach{Part: "body", Name: f.path, Message: where + " " + f.text, Where: "request.body", Quote: strings.ToValidUTF8(quote, "")})
	}
}

// pick is the description of a media type; the most exact range wins (OpenAPI 3.1.1, 4.8.13.1).
func pick(content map[string]any, mediaType string) (any, bool) {
	major, _, _ := strings.Cut(mediaType, "/")
	best, rank := any(nil), 0
	for key, v := range content {
		name, _, _ := strings.Cut(strings.ToLower(key), ";")
		name = strings.TrimSpace(name)
		n := 0
		switch name {
		case mediaType:
			n = 3
		case major + "/*":
			n = 2
		case "*/*", "*":
			n = 1
		}
		if n > rank {
			best, rank = v, n
		}
	}
	return best, rank > 0
}
