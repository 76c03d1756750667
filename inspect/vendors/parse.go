package vendors

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

func parse(id, text string) (*Vendor, error) {
	v := &Vendor{ID: id}
	data := text
	if i := strings.Index(text, "\n-- "); i >= 0 {
		data, v.Examples = text[:i], text[i+1:]
	}
	var sec *Section
	n := 0
	for line := range strings.SplitSeq(data, "\n") {
		n++
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		word, rest, _ := strings.Cut(trimmed, " ")
		rest = strings.TrimSpace(rest)
		var err error
		if line[0] != ' ' {
			sec, err = v.top(word, rest)
		} else if sec == nil {
			err = fmt.Errorf("indented line outside a section")
		} else {
			err = sec.line(word, rest)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	for _, s := range v.Decisions {
		s.bodyAlone = s.onBody()
		s.quotes = slices.ContainsFunc(s.Conds, func(c *Cond) bool {
			return c.Kind == "body" && !c.Not && (strings.Contains(c.expr, `"`) || slices.ContainsFunc(c.Values, func(v string) bool { return strings.Contains(v, `"`) }))
		})
	}
	for _, s := range slices.Concat(v.Decisions, v.Answered) {
		if i := slices.IndexFunc(s.Conds, func(c *Cond) bool { return c.Kind == "body" && c.Op != "" && !c.Not }); i >= 0 {
			s.text = s.Conds[i]
		}
	}
	if v.Name == "" || v.Layer == "" {
		return nil, fmt.Errorf("name and layer are needed")
	}
	return v, nil
}

// top reads a line that is not indented; it returns the section that it opens.
func (v *Vendor) top(word, rest string) (*Section, error) {
	switch word {
	case "name":
		v.Name = rest
	case "layer":
		v.Layer = rest
	case "site":
		v.Site = rest
	case "log":
		v.Log = rest
	case "setting":
		v.Setting = rest
	case "support":
		v.Support = rest
	case "id":
		kind, args, _ := strings.Cut(rest, " ")
		c, err := condition(kind, strings.TrimSpace(args))
		if err != nil {
			return nil, err
		}
		v.IDs = append(v.IDs, ID{c})
	case "server":
		c, err := condition("header", "Server ~ "+rest)
		if err != nil {
			return nil, err
		}
		v.Server = c
	case "at":
		c, err := condition("host", "~ "+rest)
		if err != nil {
			return nil, err
		}
		v.At = c
	case "csrf":
		s, err := scheme(rest)
		if err != nil {
			return nil, err
		}
		v.CSRF = append(v.CSRF, s)
	case "answered":
		s := &Section{Vendor: v}
		v.Answered = append(v.Answered, s)
		return s, nil
	case "decision":
		f := strings.Fields(rest)
		if len(f) != 2 || f[1] != "possible" && f[1] != "likely" && f[1] != "certain" {
			return nil, fmt.Errorf("decision wants a cause and possible, likely or certain, not %q", rest)
		}
		s := &Section{Vendor: v, Cause: f[0], Confidence: f[1], Basis: "sentence"}
		v.Decisions = append(v.Decisions, s)
		return s, nil
	default:
		return nil, fmt.Errorf("unknown word %q", word)
	}
	return nil, nil
}

func (s *Section) line(word, rest string) error {
	switch word {
	case "from":
		s.From = rest
	case "checked":
		s.Checked = rest
	case "unverified":
		s.Unverified = true
	case "say":
		s.Say = rest
	case "next":
		s.Next = rest
	case "title":
		s.Title = rest
	case "layer":
		s.Layer = rest
	case "vendor":
		s.Other = rest
	case "basis":
		s.Basis = rest
	case "common":
		s.Common = true
	case "items":
		for f := range strings.FieldsSeq(rest) {
			n, err := strconv.Atoi(f)
			if err != nil || n < 1 || n > 21 {
				return fmt.Errorf("items: %q is no check", f)
			}
			s.Items = append(s.Items, n)
		}
	default:
		c, err := condition(word, rest)
		if err != nil {
			return err
		}
		s.Conds = append(s.Conds, c)
		switch {
		case c.Not:
		case c.Kind == "status":
			s.AnyStatus = true
		case c.Kind == "log":
			s.Logged = true
		case c.Kind == "trailer", c.Kind == "json", c.Kind == "header" && !plain[strings.ToLower(c.Name)]:
			s.Basis = "code"
		}
	}
	return nil
}

func scheme(rest string) (Scheme, error) {
	var s Scheme
	for f := range strings.FieldsSeq(rest) {
		k, v, _ := strings.Cut(f, "=")
		list := strings.Split(v, ",")
		switch k {
		case "cookie":
			s.Cookies = list
		case "header":
			s.Headers = list
		case "field":
			s.Fields = list
		case "same":
			s.Same = true
		case "unescape":
			s.Unescape = true
		default:
			return s, fmt.Errorf("csrf: unknown word %q", f)
		}
	}
	return s, nil
}

// Cond is one condition on an exchange.
type Cond struct {
	Not    bool
	Kind   string // see kinds
	Name   string // of a header, a JSON path …
	Op     string // "" present, "has" contains, "is" equals, "like" regular expression
	Values []string
	expr   string // of "like"
	last   string // of a path in JSON, see jsonKey
	re     func() *regexp.Regexp
	need   func() []string // texts of which re's matches hold one, see needed
}

// Check compiles the expressions of all files, for the test: a broken one would
// otherwise show only where it is needed.
func Check() error {
	for _, v := range All() {
		conds := []*Cond{v.Server, v.At}
		for _, id := range v.IDs {
			conds = append(conds, id.Cond)
		}
		for _, s := range append(slices.Clone(v.Answered), v.Decisions...) {
			conds = append(conds, s.Conds...)
		}
		for _, c := range conds {
			if c == nil || c.expr == "" {
				continue
			}
			if _, err := regexp.Compile(c.expr); err != nil {
				return fmt.Errorf("%s: %w", v.ID, err)
			}
		}
	}
	return nil
}

// kinds tells for each kind of condition whether it takes a name.
var kinds = map[string]bool{"status": false, "header": true, "trailer": true, "body": false, "title": false, "json": true, "log": false,
	"request-header": true, "request-cookie": true, "request-body": false, "method": false, "path": false, "host": false, "url": false, "reason": false}

func condition(word, rest string) (*Cond, error) {
	c := &Cond{}
	if word == "not" {
		c.Not = true
		word, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
	}
	named, ok := kinds[word]
	if !ok {
		return nil, fmt.Errorf("unknown condition %q", word)
	}
	c.Kind = word
	if named {
		c.Name, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
		if c.Name == "" {
			return nil, fmt.Errorf("%s wants a name", word)
		}
	}
	if word == "json" {
		c.last = jsonKey(c.Name)
	}
	switch {
	case word == "status" || word == "method":
		c.Op, c.Values = "is", strings.Fields(rest)
	case rest == "":
		if !named && word != "body" {
			return nil, fmt.Errorf("%s wants a value", word)
		}
	case strings.HasPrefix(rest, "~"):
		c.Op = "like"
		expr := "(?i)" + strings.TrimSpace(rest[1:])
		// Compiled when it is first needed: most never are. Check compiles them all.
		c.expr = expr
		c.re = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
		c.need = sync.OnceValue(func() []string { return needed(expr) })
	default:
		c.Op = "has"
		if strings.HasPrefix(rest, "=") {
			c.Op, rest = "is", strings.TrimSpace(rest[1:])
		}
		var err error
		if c.Values, err = quoted(rest); err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
	}
	return c, nil
}

// quoted reads `"a" | "b"` (a backslash escapes a quote).
func quoted(s string) ([]string, error) {
	var out []string
	for {
		if !strings.HasPrefix(s, `"`) {
			return nil, fmt.Errorf("want a quoted text at %q", s)
		}
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		u, err := strconv.Unquote(q)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
		s = strings.TrimSpace(s[len(q):])
		if s == "" {
			return out, nil
		}
		if s[0] != '|' {
			return nil, fmt.Errorf("want | at %q", s)
		}
		s = strings.TrimSpace(s[1:])
	}
}

// plain fields are set by everybody: they say who is there, not what was decided.
var plain = map[string]bool{"server": true, "content-type": true, "via": true, "x-powered-by": true, "vary": true, "set-cookie": true, "location": true}
