package decode

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Value is one value in a JSON text. The zero Value is "not there": its Exists
// is false, and all its methods can be called.
type Value struct {
	d *JSON
	i int32
}

// Root is the whole of the text.
func (d *JSON) Root() Value {
	if d == nil || len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d, 0}
}

// Len is how many values the text holds.
func (d *JSON) Len() int { return len(d.nodes) }

// Meaning is that of the whole text in which the value stands.
func (v Value) Meaning() *Meaning {
	if v.d == nil {
		return &Meaning{}
	}
	return v.d.Meaning()
}

// Exists reports whether there is a value.
func (v Value) Exists() bool { return v.d != nil }

func (v Value) node() *node { return &v.d.nodes[v.i] }

// Kind is the kind of the value; Null also where there is none.
func (v Value) Kind() Kind {
	if v.d == nil {
		return Null
	}
	return v.node().kind
}

// Span is where the value stands in the text: [start, end).
func (v Value) Span() (start, end int) {
	if v.d == nil {
		return 0, 0
	}
	return int(v.node().start), int(v.node().end)
}

// MemberSpan is where the value stands, with its name if it is a member of an object.
func (v Value) MemberSpan() (start, end int) {
	start, end = v.Span()
	if v.d != nil && v.node().key >= 0 {
		start = int(v.node().key)
	}
	return start, end
}

// Raw is the value as it is written: numbers keep their digits, strings their escapes.
func (v Value) Raw() string {
	if v.d == nil {
		return ""
	}
	return string(v.d.src[v.node().start:v.node().end])
}

// Slice is a piece of the whole text.
func (v Value) Slice(start, end int) string {
	if v.d == nil {
		return ""
	}
	return string(v.d.src[start:end])
}

// Str is the text of a string; ok is false for other kinds.
func (v Value) Str() (text string, ok bool) {
	if v.Kind() != String {
		return "", false
	}
	return unescapeJSON(v.d.src[v.node().start+1 : v.node().end-1]), true
}

// Text is the text of a string, and of other values what is written.
func (v Value) Text() string {
	if s, ok := v.Str(); ok {
		return s
	}
	return v.Raw()
}

// Float is the value of a number, or of a string that is one.
func (v Value) Float() (float64, bool) {
	if k := v.Kind(); k != Number && k != String {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(v.Text()), 64)
	return f, err == nil
}

// Count is how many members or elements the value has.
func (v Value) Count() int {
	if v.d == nil {
		return 0
	}
	return int(v.node().count)
}

// Name is the name of a member, "" for what is none.
func (v Value) Name() string {
	if v.d == nil || v.node().key < 0 {
		return ""
	}
	return unescapeJSON(v.d.src[v.node().key+1 : v.node().keyEnd-1])
}

// Parent is the array or object that holds the value.
func (v Value) Parent() Value {
	if v.d == nil || v.node().parent < 0 {
		return Value{}
	}
	return Value{v.d, v.node().parent}
}

// Children yields the members or elements in order, duplicates included.
func (v Value) Children() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.d == nil {
			return
		}
		for i := v.node().first; i >= 0; i = v.d.nodes[i].nxt {
			if !yield(Value{v.d, i}) {
				return
			}
		}
	}
}

// Get is the first member called name.
func (v Value) Get(name string) Value { return v.member(name, 0) }

func (v Value) member(name string, nth int) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for c := range v.Children() {
		if c.named(name) {
			if nth == 0 {
				return c
			}
			nth--
		}
	}
	return Value{}
}

// named compares without making a string of a name that has no escapes.
func (v Value) named(name string) bool {
	n := v.node()
	if raw := v.d.src[n.key+1 : n.keyEnd-1]; bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == name
	}
	return v.Name() == name
}

// At is the element of an array at position n from 0.
func (v Value) At(n int) Value {
	if v.Kind() != Array || n < 0 || n >= v.Count() {
		return Value{}
	}
	for c := range v.Children() {
		if n == 0 {
			return c
		}
		n--
	}
	return Value{}
}

// Dig follows names of members downwards: Dig("error", "code").
func (v Value) Dig(names ...string) Value {
	for _, n := range names {
		v = v.Get(n)
	}
	return v
}

// Path is where the value stands, such as $.items[0].qty; a name that is no
// plain word is quoted: $["x-y"] (RFC 9535, 2.3.1). Values with the same name in one object have the
// same path.
func (v Value) Path() string {
	if v.d == nil {
		return ""
	}
	var steps []string
	for v.node().parent >= 0 {
		if v.node().key >= 0 {
			steps = append(steps, step(v.Name()))
		} else {
			steps = append(steps, "["+strconv.Itoa(int(v.node().pos))+"]")
		}
		v = v.Parent()
	}
	var b strings.Builder
	b.WriteByte('$')
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString(steps[i])
	}
	return b.String()
}

func step(name string) string {
	if plainName(name) {
		return "." + name
	}
	return "[" + QuoteJSON(name) + "]"
}

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// Leaves yields all values that have no children, in the order of the text, each with its
// path; empty arrays and objects are leaves, and so is what stands WalkDepth levels down.
func (d *JSON) Leaves() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if root := d.Root(); root.Exists() {
			leaves(root, "$", 0, yield)
		}
	}
}

func leaves(v Value, path string, depth int, yield func(string, Value) bool) bool {
	if v.Count() == 0 || depth >= WalkDepth {
		return yield(path, v)
	}
	isArray := v.Kind() == Array
	n := 0
	for c := range v.Children() {
		s := ""
		if isArray {
			s = "[" + strconv.Itoa(n) + "]"
		} else {
			s = step(c.Name())
		}
		if !leaves(c, path+s, depth+1, yield) {
			return false
		}
		n++
	}
	return true
}

// Find is the value at a path as Path writes it. Of members with the same name it is the first.
func (d *JSON) Find(path string) Value {
	v, rest, ok := d.Root(), "", false
	if rest, ok = strings.CutPrefix(path, "$"); !ok {
		return Value{}
	}
	for rest != "" && v.Exists() {
		var name string
		var pos int
		name, pos, rest, ok = nextStep(rest)
		switch {
		case !ok:
			return Value{}
		case pos >= 0:
			v = v.At(pos)
		default:
			v = v.Get(name)
		}
	}
	return v
}

// SplitPath separates the last step of a path from what leads to it: the name of
// a member, or a position (pos >= 0) in an array. ok is false for "$" and for what is no path.
func SplitPath(path string) (parent, name string, pos int, ok bool) {
	rest, found := strings.CutPrefix(path, "$")
	if !found || rest == "" {
		return "", "", -1, false
	}
	for {
		at := len(path) - len(rest)
		var next string
		if name, pos, next, ok = nextStep(rest); !ok {
			return "", "", -1, false
		}
		if next == "" {
			return path[:at], name, pos, true
		}
		rest = next
	}
}

// nextStep reads .name, ["name"], ['name'] or [3]; pos is -1 for a name.
func nextStep(s string) (name string, pos int, rest string, ok bool) {
	switch {
	case s[0] == '.':
		end := strings.IndexAny(s[1:], ".[")
		if end < 0 {
			return s[1:], -1, "", len(s) > 1
		}
		return s[1 : 1+end], -1, s[1+end:], end > 0
	case strings.HasPrefix(s, `["`), strings.HasPrefix(s, `['`):
		for i := 2; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case s[1]:
				if i+1 >= len(s) || s[i+1] != ']' {
					return "", -1, "", false
				}
				return unescapeJSON([]byte(s[2:i])), -1, s[i+2:], true
			}
		}
	case s[0] == '[':
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", -1, "", false
		}
		n, err := strconv.Atoi(s[1:end])
		return "", n, s[end+1:], err == nil && n >= 0
	}
	return "", -1, "", false
}

// QuoteJSON writes s as a JSON string. Only what has to be is escaped; bytes that are no
// UTF-8 stay as they are, so that what was taken from a text goes back unchanged.
func QuoteJSON(s string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

// unescapeJSON reads the inside of a string. Half a surrogate pair becomes U+FFFD.
func unescapeJSON(s []byte) string {
	i := 0
	for i < len(s) && s[i] != '\\' {
		i++
	}
	if i == len(s) {
		return string(s)
	}
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] != '\\' || i+1 >= len(s) {
			b = append(b, s[i])
			i++
			continue
		}
		c := s[i+1]
		i += 2
		switch c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hex4(s[i:])
			i = min(i+4, len(s))
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
					low = hex4(s[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i = min(i+6, len(s))
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hex4(s []byte) rune {
	if len(s) < 4 {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(s[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
