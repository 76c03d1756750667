// Package openapi compares requests with an API's contract: an OpenAPI document
// of version 3.0 or 3.1, in JSON or YAML.
//
// It judges requests alone, and only what it understands: references to other
// files, and keywords that it does not know, forbid nothing. Its schema checker
// covers what contracts use of JSON Schema (2020-12, and the dialect of OpenAPI
// 3.0); a library for the whole of it took as long to start as all else together.
//
// A Doc does not change once loaded and may be used from any goroutine.
package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/why403/why403/flow"
)

// Breach is one way in which a request breaks the contract.
type Breach struct {
	Part    string // "path", "method", "header", "query", "cookie", "body", "content-type", "security"
	Name    string // of the parameter, the header or the place in the body; "" for the whole
	Message string
	Where   string // as evidence names it: request.url, request.body, request.header:NAME
	Quote   string // a verbatim part of Where
}

const (
	maxDoc    = 32 << 20 // bytes of a document
	maxFound  = 20       // breaches of one request that are told
	maxRoutes = 20_000
)

// Doc is a contract.
type Doc struct {
	Title  string
	root   map[string]any
	routes []route
	bases  []base
	// patterns are the regular expressions met so far, nil for what RE2 does not know.
	patterns sync.Map // string → *regexp.Regexp
}

// pattern is a regular expression of the contract, nil if it cannot be judged.
func (d *Doc) pattern(p string) *regexp.Regexp {
	if re, ok := d.patterns.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(p)
	if err != nil {
		re = nil
	}
	d.patterns.Store(p, re)
	return re
}

// route is a path of the contract with its methods.
type route struct {
	template string
	segments []string
	item     map[string]any
}

// base is where a server of the contract stands: "" is any host.
type base struct{ host, path string }

// Load reads a contract.
func Load(data []byte) (*Doc, error) {
	if len(data) > maxDoc {
		return nil, fmt.Errorf("the contract has more than %d MB", maxDoc>>20)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil { // JSON is YAML
		return nil, fmt.Errorf("the contract is neither JSON nor YAML: %w", err)
	}
	root, ok := textKeys(v, 0).(map[string]any)
	if !ok {
		return nil, errors.New("the contract is no object")
	}
	d := &Doc{root: root}
	version := str(root["openapi"])
	switch {
	case strings.HasPrefix(version, "3.0"), strings.HasPrefix(version, "3.1"):
	case version == "" && root["swagger"] != nil:
		return nil, fmt.Errorf("the contract is Swagger %v; OpenAPI 3.0 or 3.1 is wanted", root["swagger"])
	case version == "":
		return nil, errors.New(`the contract has no "openapi" version`)
	default:
		return nil, fmt.Errorf("the contract is OpenAPI %s; 3.0 or 3.1 is wanted", version)
	}
	d.Title = str(object(root["info"])["title"])
	paths := object(root["paths"])
	if len(paths) > maxRoutes {
		return nil, fmt.Errorf("the contract has %d paths, at most %d are read", len(paths), maxRoutes)
	}
	for template, item := range paths {
		if strings.HasPrefix(template, "/") {
			d.routes = append(d.routes, route{template, strings.Split(template, "/"), d.deref(item)})
		}
	}
	// What is spelled out goes before what is a parameter (OpenAPI 3.1.1, 4.8.8.2).
	slices.SortFunc(d.routes, func(a, b route) int {
		for i := range min(len(a.segments), len(b.segments)) {
			if x, y := strings.Contains(a.segments[i], "{"), strings.Contains(b.segments[i], "{"); x != y {
				if x {
					return 1
				}
				return -1
			}
		}
		return strings.Compare(a.template, b.template)
	})
	d.bases = serversOf(root)
	return d, nil
}

// textKeys makes all keys text, as in JSON: YAML reads 200 as a number.
func textKeys(v any, depth int) any {
	if depth > 1000 {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = textKeys(e, depth+1)
		}
		return v
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[fmt.Sprint(k)] = textKeys(e, depth+1)
		}
		return m
	case []any:
		for i := range v {
			v[i] = textKeys(v[i], depth+1)
		}
	}
	return v
}

func serversOf(of map[string]any) []base {
	var out []base
	for _, s := range list(of["servers"]) {
		u, err := url.Parse(str(object(s)["url"]))
		if err != nil || strings.Contains(str(object(s)["url"]), "{") {
			out = append(out, base{}) // a variable: anywhere
			continue
		}
		out = append(out, base{strings.ToLower(u.Host), strings.TrimSuffix(u.Path, "/")})
	}
	if len(out) == 0 {
		out = []base{{}}
	}
	return out
}

// names reports whether the contract is one for this host: it names no host, or this one.
func (d *Doc) names(authority string) bool {
	return slices.ContainsFunc(d.bases, func(b base) bool { return b.host == "" || b.host == strings.ToLower(authority) })
}

// Concerns reports whether the contract has something to say of a request: it names
// its host, or has its path or nearly so.
func (d *Doc) Concerns(f *flow.Flow) bool {
	if _, _, known := d.find(f.Path()); known || d.names(f.Authority) {
		return true
	}
	return (&check{d: d, f: f}).near() != ""
}

// find is the route of a path, with its path parameters as sent.
func (d *Doc) find(path string) (*route, map[string]string, bool) {
	for _, p := range d.below(path) {
		segments := strings.Split(p, "/")
		for i := range d.routes {
			if params, ok := match(d.routes[i].segments, segments); ok {
				return &d.routes[i], params, true
			}
		}
	}
	return nil, nil, false
}

// below is what a path is beneath the servers' paths; the path itself comes last.
func (d *Doc) below(path string) []string {
	var out []string
	for _, b := range d.bases {
		if rest, ok := strings.CutPrefix(path, b.path); ok && b.path != "" && strings.HasPrefix(rest, "/") {
			out = append(out, rest)
		}
	}
	return append(out, path)
}

func match(template, path []string) (map[string]string, bool) {
	if len(template) != len(path) {
		return nil, false
	}
	var params map[string]string
	for i, t := range template {
		before, rest, ok := strings.Cut(t, "{")
		if !ok {
			if t != path[i] {
				return nil, false
			}
			continue
		}
		name, after, ok := strings.Cut(rest, "}")
		value, fits := strings.CutPrefix(path[i], before)
		if !ok || !fits || strings.Contains(after, "{") {
			if ok && fits && path[i] != "" {
				continue // several parameters in one segment: whatever it is
			}
			return nil, false
		}
		if value, fits = strings.CutSuffix(value, after); !fits || value == "" {
			return nil, false
		}
		if params == nil {
			params = map[string]string{}
		}
		params[name] = value
	}
	return params, true
}

// deref follows references inside the document; others are an empty object, which forbids nothing.
func (d *Doc) deref(v any) map[string]any {
	m := object(v)
	for range 50 {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		m = object(d.at(ref))
	}
	return nil
}

// at is what a reference names, nil if it is not in this document (RFC 6901).
func (d *Doc) at(ref string) any {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	var v any = d.root
	for part := range strings.SplitSeq(pointer, "/") {
		if p, err := url.PathUnescape(part); err == nil {
			part = p
		}
		v = object(v)[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return v
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func str(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
