package openapi

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/why403/why403/flow/decode"
)

// Bounds of one comparison: contracts may refer to themselves, and bodies may be large.
const (
	maxSteps  = 50_000 // pairs of a schema and a value
	maxDepth  = 100
	maxFaults = 10
)

// fault is a place in a value that the schema does not allow.
type fault struct {
	path string // as decode.Value.Path
	text string // what is wrong with it: "must be a number, not a string"
	raw  string // the value as sent
}

// schemas compares values with schemas.
type schemas struct {
	d      *Doc
	found  []fault
	budget int
}

func (s *schemas) fault(v decode.Value, format string, args ...any) {
	if len(s.found) < maxFaults {
		s.found = append(s.found, fault{path: v.Path(), text: fmt.Sprintf(format, args...), raw: clip(v.Raw())})
	}
}

func clip(s string) string {
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "")
	}
	return s
}

// fits reports whether a value is allowed, without telling why not.
func (s *schemas) fits(schema any, v decode.Value, depth int) bool {
	try := &schemas{d: s.d, budget: s.budget}
	try.check(schema, v, depth)
	s.budget = try.budget
	return len(try.found) == 0
}

// check compares v with a schema. What it does not know allows everything.
func (s *schemas) check(schema any, v decode.Value, depth int) {
	if s.budget--; s.budget < 0 || depth > maxDepth || len(s.found) >= maxFaults {
		return
	}
	if schema == false {
		s.fault(v, "is not allowed")
		return
	}
	m := object(schema)
	if ref, ok := m["$ref"].(string); ok {
		s.check(s.d.at(ref), v, depth+1)
		if len(m) == 1 || strings.HasPrefix(str(s.d.root["openapi"]), "3.0") {
			return // beside a reference 3.0 ignores everything
		}
	}
	if m == nil || m["nullable"] == true && v.Kind() == decode.Null {
		return
	}
	if !s.kind(m, v) {
		return // the rest would only repeat it
	}
	s.value(m, v)
	switch v.Kind() {
	case decode.Number:
		s.number(m, v)
	case decode.String:
		s.string(m, v)
	case decode.Array:
		s.array(m, v, depth)
	case decode.Object:
		s.object(m, v, depth)
	}
	s.combined(m, v, depth)
}

// kind checks "type", which is a word or a list of words.
func (s *schemas) kind(m map[string]any, v decode.Value) bool {
	words := list(m["type"])
	if t, ok := m["type"].(string); ok {
		words = []any{t}
	}
	if len(words) == 0 || slices.ContainsFunc(words, func(w any) bool { return is(v, str(w)) }) {
		return true
	}
	var names []string
	for _, w := range words {
		names = append(names, article(str(w)))
	}
	s.fault(v, "must be %s, not %s", strings.Join(names, " or "), article(nameOf(v)))
	return false
}

func article(kind string) string {
	switch kind {
	case "null":
		return kind
	case "array", "object", "integer":
		return "an " + kind
	}
	return "a " + kind
}

func nameOf(v decode.Value) string {
	switch v.Kind() {
	case decode.Null:
		return "null"
	case decode.Number:
		return "number"
	case decode.String:
		return "string"
	case decode.Array:
		return "array"
	case decode.Object:
		return "object"
	}
	return "boolean"
}

func is(v decode.Value, kind string) bool {
	if kind == "integer" {
		f, ok := v.Float()
		return v.Kind() == decode.Number && ok && f == math.Trunc(f)
	}
	return nameOf(v) == kind
}

// value checks "enum" and "const".
func (s *schemas) value(m map[string]any, v decode.Value) {
	if c, ok := m["const"]; ok && !equal(c, v) {
		s.fault(v, "must be %v", c)
	}
	all := list(m["enum"])
	if len(all) == 0 || slices.ContainsFunc(all, func(e any) bool { return equal(e, v) }) {
		return
	}
	var names []string
	for i, e := range all {
		if i == 8 {
			names = append(names, "…")
			break
		}
		names = append(names, str(e))
	}
	s.fault(v, "must be one of %s", strings.Join(names, ", "))
}

// equal compares a plain value of the contract with v; lists and objects are taken as equal.
func equal(want any, v decode.Value) bool {
	switch w := want.(type) {
	case nil:
		return v.Kind() == decode.Null
	case string:
		return v.Kind() == decode.String && v.Text() == w
	case bool:
		return nameOf(v) == "boolean" && v.Text() == strconv.FormatBool(w)
	case []any, map[string]any:
		return true
	case time.Time: // YAML reads a bare date so
		return v.Kind() == decode.String
	}
	f, ok := number(want)
	g, is := v.Float()
	return ok && is && f == g && v.Kind() == decode.Number
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func (s *schemas) number(m map[string]any, v decode.Value) {
	f, ok := v.Float()
	if !ok {
		return
	}
	low, isLow := number(m["minimum"])
	high, isHigh := number(m["maximum"])
	switch {
	case isLow && (f < low || f == low && m["exclusiveMinimum"] == true):
		s.fault(v, "must be at least %v", m["minimum"])
	case isHigh && (f > high || f == high && m["exclusiveMaximum"] == true):
		s.fault(v, "must be at most %v", m["maximum"])
	}
	if x, ok := number(m["exclusiveMinimum"]); ok && f <= x {
		s.fault(v, "must be more than %v", m["exclusiveMinimum"])
	}
	if x, ok := number(m["exclusiveMaximum"]); ok && f >= x {
		s.fault(v, "must be less than %v", m["exclusiveMaximum"])
	}
	if x, ok := number(m["multipleOf"]); ok && x > 0 {
		if q := f / x; math.Abs(q-math.Round(q)) > 1e-9 {
			s.fault(v, "must be a multiple of %v", m["multipleOf"])
		}
	}
}

func (s *schemas) string(m map[string]any, v decode.Value) {
	text := v.Text()
	n := float64(utf8.RuneCountInString(text))
	if low, ok := number(m["minLength"]); ok && n < low {
		s.fault(v, "must have at least %v characters", m["minLength"])
	}
	if high, ok := number(m["maxLength"]); ok && n > high {
		s.fault(v, "must have at most %v characters", m["maxLength"])
	}
	if p := str(m["pattern"]); p != "" {
		if re := s.d.pattern(p); re != nil && !re.MatchString(text) {
			s.fault(v, "must match %s", clip(p))
		}
	}
	if f := str(m["format"]); f != "" && !hasFormat(f, text) {
		s.fault(v, "must be a %s", f)
	}
}

var uuid = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
})

// hasFormat judges the formats that servers check.
func hasFormat(format, text string) bool {
	switch format {
	case "date-time":
		_, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		return err == nil
	case "date":
		_, err := time.Parse(time.DateOnly, text)
		return err == nil
	case "uuid":
		return uuid().MatchString(text)
	case "email":
		at := strings.LastIndexByte(text, '@')
		return at > 0 && at < len(text)-1 && !strings.ContainsAny(text, " \t\r\n")
	}
	return true
}

func (s *schemas) array(m map[string]any, v decode.Value, depth int) {
	n := float64(v.Count())
	if low, ok := number(m["minItems"]); ok && n < low {
		s.fault(v, "must have at least %v items", m["minItems"])
	}
	if high, ok := number(m["maxItems"]); ok && n > high {
		s.fault(v, "must have at most %v items", m["maxItems"])
	}
	first := list(m["prefixItems"])
	i := 0
	seen := map[string]bool{}
	for e := range v.Children() {
		if s.budget < 0 {
			return
		}
		switch items, ok := m["items"]; {
		case i < len(first):
			s.check(first[i], e, depth+1)
		case ok:
			s.check(items, e, depth+1)
		}
		if m["uniqueItems"] == true && i < 1000 {
			if raw := e.Raw(); seen[raw] {
				s.fault(e, "stands in the list twice")
			} else {
				seen[raw] = true
			}
		}
		i++
	}
}

func (s *schemas) object(m map[string]any, v decode.Value, depth int) {
	properties := object(m["properties"])
	for _, r := range list(m["required"]) {
		name := str(r)
		if s.d.deref(properties[name])["readOnly"] == true {
			continue // belongs to answers alone
		}
		if !v.Get(name).Exists() {
			s.fault(v, "lacks %q", name)
		}
	}
	patterns := object(m["patternProperties"])
	extra, bounded := m["additionalProperties"]
	for e := range v.Children() {
		if s.budget < 0 {
			return
		}
		name := e.Name()
		known := false
		if p, ok := properties[name]; ok {
			known = true
			s.check(p, e, depth+1)
		}
		for p, schema := range patterns {
			if re := s.d.pattern(p); re == nil || re.MatchString(name) {
				known = true
				s.check(schema, e, depth+1)
			}
		}
		if !known && bounded {
			if extra == false {
				s.fault(e, "is not in the contract")
			} else {
				s.check(extra, e, depth+1)
			}
		}
	}
	if low, ok := number(m["minProperties"]); ok && float64(v.Count()) < low {
		s.fault(v, "must have at least %v members", m["minProperties"])
	}
	if high, ok := number(m["maxProperties"]); ok && float64(v.Count()) > high {
		s.fault(v, "must have at most %v members", m["maxProperties"])
	}
}

// combined checks allOf, anyOf, oneOf and not.
func (s *schemas) combined(m map[string]any, v decode.Value, depth int) {
	for _, part := range list(m["allOf"]) {
		s.check(part, v, depth+1)
	}
	if any := list(m["anyOf"]); len(any) > 0 {
		s.oneIn(m, any, v, depth, false)
	}
	if one := list(m["oneOf"]); len(one) > 0 {
		s.oneIn(m, one, v, depth, true)
	}
	if not, ok := m["not"]; ok && s.fits(not, v, depth+1) {
		s.fault(v, "is of a form that the contract excludes")
	}
}

// oneIn checks that one of the choices fits. Where none does and the value says
// which it means to be (a discriminator), or all but one are of another kind, that one tells why.
func (s *schemas) oneIn(m map[string]any, choices []any, v decode.Value, depth int, only bool) {
	if ref := s.chosen(m, v); ref != nil {
		s.check(ref, v, depth+1)
		return
	}
	fit := 0
	var close []any
	for _, c := range choices {
		if s.fits(c, v, depth+1) {
			fit++
		} else if (&schemas{d: s.d}).kind(s.d.deref(c), v) {
			close = append(close, c)
		}
	}
	switch {
	case s.budget < 0 || fit == 1 || fit > 1 && !only:
	case fit > 1:
		s.fault(v, "fits %d of the forms of which the contract wants one", fit)
	case len(close) == 1:
		s.check(close[0], v, depth+1)
	default:
		s.fault(v, "fits none of the %d forms of the contract", len(choices))
	}
}

// chosen is the schema that a discriminator names (OpenAPI 3.1.1, 4.8.25); nil is none.
func (s *schemas) chosen(m map[string]any, v decode.Value) any {
	d := object(m["discriminator"])
	value, ok := v.Get(str(d["propertyName"])).Str()
	if len(d) == 0 || !ok {
		return nil
	}
	ref := str(object(d["mapping"])[value])
	if ref == "" {
		ref = "#/components/schemas/" + value
	}
	if !strings.HasPrefix(ref, "#/") {
		ref = "#/components/schemas/" + ref
	}
	if s.d.at(ref) == nil {
		return nil
	}
	return map[string]any{"$ref": ref}
}

// text compares a parameter, whose values are text, with its schema, and gives the faults.
func (s *schemas) text(schema any, values []string, style string, explode any) []fault {
	m := s.d.deref(schema)
	if len(m) == 0 || m["type"] == "object" {
		return nil
	}
	raw := s.token(m, values[0])
	if m["type"] == "array" {
		if len(values) == 1 && explode != true && style != "form" || len(values) == 1 && explode == false {
			values = strings.Split(values[0], separatorOf(style))
		}
		var items []string
		for _, v := range values {
			items = append(items, s.token(s.d.deref(m["items"]), v))
		}
		raw = "[" + strings.Join(items, ",") + "]"
	}
	doc, err := decode.ParseJSON([]byte(raw))
	if err != nil {
		return nil
	}
	s.check(m, doc.Root(), 0)
	for i := range s.found {
		s.found[i].raw = values[0]
	}
	return s.found
}

func separatorOf(style string) string {
	switch style {
	case "spaceDelimited":
		return " "
	case "pipeDelimited":
		return "|"
	}
	return ","
}

// token is text as the JSON value that its schema wants, if it can be read so.
func (s *schemas) token(m map[string]any, text string) string {
	for _, kind := range append(list(m["type"]), m["type"]) {
		switch kind {
		case "integer", "number":
			if _, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789.eE+-") == "" && text[0] != '+' && text[0] != '.' {
				return text
			}
		case "boolean":
			if text == "true" || text == "false" {
				return text
			}
		case "null":
			if text == "" {
				return "null"
			}
		}
	}
	return decode.QuoteJSON(text)
}

// form compares an urlencoded body with the schema of an object.
func (s *schemas) form(schema any, data []byte) {
	properties := object(s.d.deref(schema)["properties"])
	values := map[string][]string{}
	for _, p := range decode.Form(data) {
		values[p.Name] = append(values[p.Name], p.Value)
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		m := s.d.deref(properties[name])
		token := s.token(m, values[name][0])
		if m["type"] == "array" {
			var items []string
			for _, v := range values[name] {
				items = append(items, s.token(s.d.deref(m["items"]), v))
			}
			token = "[" + strings.Join(items, ",") + "]"
		}
		members = append(members, decode.QuoteJSON(name)+":"+token)
	}
	if doc, err := decode.ParseJSON([]byte("{" + strings.Join(members, ",") + "}")); err == nil {
		s.check(schema, doc.Root(), 0)
	}
}
