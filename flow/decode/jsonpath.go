package decode

import (
	"fmt"
	"strconv"
	"strings"
)

// JSONPath is an expression (RFC 9535) of names, indexes, slices, wildcards
// and descendants. Filters and functions are not part of it.
type JSONPath struct {
	steps []pathStep
}

// pathStep is one segment; deep looks at all descendants.
type pathStep struct {
	deep bool
	sel  []selector
}

type selectorKind uint8

const (
	byName selectorKind = iota
	byIndex
	bySlice
	byAll
)

type selector struct {
	kind           selectorKind
	name           string
	index          int
	from, to, by   int
	hasFrom, hasTo bool
}

// PathError says where a path cannot be read.
type PathError struct {
	Pos  int // byte offset
	Text string
}

func (e *PathError) Error() string { return e.Text }

// ParseJSONPath reads a path. "$" may be left out: "items[0].id" is "$.items[0].id".
func ParseJSONPath(s string) (*JSONPath, error) {
	q := &JSONPath{}
	i := 0
	switch {
	case strings.HasPrefix(s, "$"):
		i = 1
	case s != "" && s[0] != '.' && s[0] != '[':
		end := nameEnd(s, 0)
		if end == 0 {
			return nil, &PathError{0, "a path begins with $, . or a name"}
		}
		if s[:end] == "*" {
			q.steps = append(q.steps, pathStep{sel: []selector{{kind: byAll}}})
		} else {
			q.steps = append(q.steps, pathStep{sel: []selector{{name: s[:end]}}})
		}
		i = end
	}
	for i < len(s) {
		var st pathStep
		switch {
		case strings.HasPrefix(s[i:], ".."):
			st.deep = true
			i += 2
		case s[i] == '.':
			i++
		case s[i] != '[':
			return nil, &PathError{i, fmt.Sprintf("a . or [ is wanted before %q", s[i:])}
		}
		if i < len(s) && s[i] == '[' {
			sel, end, err := selectors(s, i)
			if err != nil {
				return nil, err
			}
			st.sel, i = sel, end
		} else {
			end := nameEnd(s, i)
			switch {
			case end == i:
				return nil, &PathError{i, "a name or * is wanted here"}
			case s[i:end] == "*":
				st.sel = []selector{{kind: byAll}}
			default:
				st.sel = []selector{{name: s[i:end]}}
			}
			i = end
		}
		q.steps = append(q.steps, st)
	}
	return q, nil
}

func nameEnd(s string, i int) int {
	for i < len(s) && strings.IndexByte(".[]'\"() \t,?", s[i]) < 0 {
		i++
	}
	return i
}

// selectors reads what stands between brackets, of which the first is at i.
func selectors(s string, i int) (list []selector, end int, err error) {
	for i++; ; {
		for i < len(s) && s[i] == ' ' {
			i++
		}
		if i == len(s) {
			return nil, 0, &PathError{i, "a ] is missing"}
		}
		var one selector
		switch c := s[i]; {
		case c == '?':
			return nil, 0, &PathError{i, "filters [?…] are not supported: names, indexes, slices, * and .. are"}
		case c == '*':
			one.kind = byAll
			i++
		case c == '\'' || c == '"':
			var b strings.Builder
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				b.WriteByte(s[i])
			}
			if i == len(s) {
				return nil, 0, &PathError{i, "a quote is missing"}
			}
			i++
			one.name = b.String()
		default:
			stop := i
			for stop < len(s) && s[stop] != ']' && s[stop] != ',' {
				stop++
			}
			if err := one.number(strings.TrimSpace(s[i:stop])); err != "" {
				return nil, 0, &PathError{i, err}
			}
			i = stop
		}
		list = append(list, one)
		for i < len(s) && s[i] == ' ' {
			i++
		}
		switch {
		case i == len(s):
			return nil, 0, &PathError{i, "a ] is missing"}
		case s[i] == ']':
			return list, i + 1, nil
		case s[i] != ',':
			return nil, 0, &PathError{i, fmt.Sprintf("a , or ] is wanted before %q", s[i:])}
		}
		i++
	}
}

// number reads an index or a slice a:b:step; what is wrong comes back, "" nothing.
func (x *selector) number(s string) string {
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Sprintf("%q is no index: a number, a:b, * or a name in quotes", s)
		}
		x.kind, x.index = byIndex, n
		return ""
	}
	x.kind, x.by = bySlice, 1
	for i, p := range parts {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		n, err := strconv.Atoi(p)
		if err != nil || i > 2 || i == 2 && n <= 0 {
			return fmt.Sprintf("%q is no slice: a:b, or a:b:step with a step above 0", s)
		}
		switch i {
		case 0:
			x.from, x.hasFrom = n, true
		case 1:
			x.to, x.hasTo = n, true
		case 2:
			x.by = n
		}
	}
	return ""
}

// Single reports whether the path can name one value at most.
func (q *JSONPath) Single() bool {
	for _, s := range q.steps {
		if s.deep || len(s.sel) != 1 || s.sel[0].kind > byIndex {
			return false
		}
	}
	return true
}

// pathVisits bounds how many values one Select looks at: several ".." in a row multiply.
const pathVisits = 4 << 20

// Select gives the values that the path names, in order, until yield says false.
// It reports whether it came to the end: it gives up after pathVisits values.
func (q *JSONPath) Select(root Value, yield func(Value) bool) (whole bool) {
	left := pathVisits
	q.walk(root, 0, func(v Value, found bool) bool {
		if left--; left < 0 {
			return false
		}
		return !found || yield(v)
	})
	return left >= 0
}

func (q *JSONPath) walk(v Value, n int, see func(v Value, found bool) bool) bool {
	if !see(v, n == len(q.steps)) {
		return false
	}
	if n == len(q.steps) {
		return true
	}
	st := &q.steps[n]
	for i := range st.sel {
		if !st.sel[i].of(v, func(c Value) bool { return q.walk(c, n+1, see) }) {
			return false
		}
	}
	if st.deep {
		for c := range v.Children() {
			if !q.walk(c, n, see) {
				return false
			}
		}
	}
	return true
}

// of gives the children of v that the selector names.
func (x *selector) of(v Value, yield func(Value) bool) bool {
	switch x.kind {
	case byName:
		if v.Kind() == Object {
			if c := v.Get(x.name); c.Exists() {
				return yield(c)
			}
		}
	case byIndex:
		n := x.index
		if n < 0 && v.Kind() == Array {
			n += v.Count()
		}
		if v.Kind() == Array && n >= 0 && n < v.Count() {
			return yield(v.At(n))
		}
	case byAll:
		for c := range v.Children() {
			if !yield(c) {
				return false
			}
		}
	case bySlice:
		if v.Kind() != Array {
			return true
		}
		count := v.Count()
		place := func(n int, has bool, otherwise int) int {
			if !has {
				return otherwise
			}
			if n < 0 {
				n += count
			}
			return max(0, min(n, count))
		}
		from, to, i := place(x.from, x.hasFrom, 0), place(x.to, x.hasTo, count), 0
		for c := range v.Children() {
			if i >= from && i < to && (i-from)%x.by == 0 && !yield(c) {
				return false
			}
			i++
		}
	}
	return true
}
