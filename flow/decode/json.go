package decode

import (
	"bytes"
	"fmt"
	"strconv"
)

// Bounds of the JSON tree.
const (
	maxNodes  = 2 << 20 // values in one document: some 80 MB of tree
	WalkDepth = 256     // levels below which paths are not followed: a path is as long as it is deep
)

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of RFC 8259, 3.
const (
	Null Kind = iota
	False
	True
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"null", "false", "true", "number", "string", "array", "object"}

func (k Kind) String() string { return kindNames[k] }

// JSON is a JSON text as a tree that keeps the order of members, duplicates, the
// text of numbers and the place of every value. It is one flat list of nodes:
// depth costs nothing, so that 100,000 levels are like any other text.
type JSON struct {
	src   []byte
	nodes []node
}

type node struct {
	kind             Kind
	start, end       int32 // of the value in src
	key, keyEnd      int32 // of the member's name with its quotes; key < 0: not a member
	parent           int32 // index, -1: the root
	first, last, nxt int32 // children in order; -1: none
	count            int32 // children
	pos              int32 // position among its siblings
}

// JSONError says where a text stops being JSON.
type JSONError struct {
	Offset       int // byte, from 0
	Line, Column int // from 1; the column in bytes
	What         string
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// ParseJSON reads a JSON text (RFC 8259; a byte order mark is skipped). On an error, which is a
// *JSONError, the tree holds what was read before it: open arrays and objects end
// where the text does. A tree without any value has a zero Root.
func ParseJSON(data []byte) (*JSON, error) {
	d := &JSON{src: data}
	if len(data) >= 1<<31-1 {
		return d, d.fail(0, "more than 2 GB")
	}
	p := parser{d: d, open: -1}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		p.i = 3
	}
	err := p.run()
	for p.open >= 0 { // cut off: what is open ends where reading did
		d.nodes[p.open].end = int32(min(p.i, len(data)))
		p.open = d.nodes[p.open].parent
	}
	return d, err
}

func (d *JSON) fail(at int, format string, args ...any) *JSONError {
	at = min(at, len(d.src))
	before := d.src[:at]
	return &JSONError{Offset: at, Line: 1 + bytes.Count(before, []byte("\n")), Column: at - bytes.LastIndexByte(before, '\n'), What: fmt.Sprintf(format, args...)}
}

// state is what the parser may meet next.
type state uint8

const (
	wantValue state = iota
	wantValueOrClose
	wantKey
	wantKeyOrClose
	wantComma
	wantEnd
)

// parser is a loop over tokens; open is the innermost open array or object.
type parser struct {
	d           *JSON
	i           int
	open        int32
	key, keyEnd int32
}

func (p *parser) run() error {
	src, st := p.d.src, wantValue
	p.key = -1
	for {
		for p.i < len(src) && (src[p.i] == ' ' || src[p.i] == '\n' || src[p.i] == '\t' || src[p.i] == '\r') {
			p.i++
		}
		if p.i >= len(src) {
			switch {
			case st == wantEnd:
				return nil
			case len(p.d.nodes) == 0:
				return p.d.fail(p.i, "no value")
			}
			return p.d.fail(p.i, "the text ends inside the %s that begins at byte %d", p.d.nodes[p.open].kind, p.d.nodes[p.open].start)
		}
		c := src[p.i]
		var err error
		switch {
		case st == wantEnd:
			return p.d.fail(p.i, "%s after the end of the value", shown(c))
		case c == '}' && st == wantKeyOrClose, c == ']' && st == wantValueOrClose:
			st = p.close()
		case st == wantKey || st == wantKeyOrClose:
			st, err = p.name(c)
		case st == wantValue || st == wantValueOrClose:
			st, err = p.value(c)
		default:
			st, err = p.comma(c)
		}
		if err != nil {
			return err
		}
	}
}

func (p *parser) close() state {
	p.i++
	n := &p.d.nodes[p.open]
	n.end = int32(p.i)
	if p.open = n.parent; p.open < 0 {
		return wantEnd
	}
	return wantComma
}

func (p *parser) comma(c byte) (state, error) {
	kind := p.d.nodes[p.open].kind
	switch {
	case c == ',' && kind == Array:
		p.i++
		return wantValue, nil
	case c == ',':
		p.i++
		return wantKey, nil
	case c == ']' && kind == Array, c == '}' && kind == Object:
		return p.close(), nil
	}
	return 0, p.d.fail(p.i, "%s where a comma or the end of the %s belongs", shown(c), kind)
}

func (p *parser) name(c byte) (state, error) {
	if c != '"' {
		return 0, p.d.fail(p.i, "%s where a name in double quotes belongs", shown(c))
	}
	start := p.i
	if err := p.text(); err != nil {
		return 0, err
	}
	p.key, p.keyEnd = int32(start), int32(p.i)
	src := p.d.src
	for p.i < len(src) && (src[p.i] == ' ' || src[p.i] == '\n' || src[p.i] == '\t' || src[p.i] == '\r') {
		p.i++
	}
	switch {
	case p.i >= len(src):
		return 0, p.d.fail(p.i, "the text ends after a name")
	case src[p.i] != ':':
		return 0, p.d.fail(p.i, "%s where a colon belongs", shown(src[p.i]))
	}
	p.i++
	return wantValue, nil
}

func (p *parser) value(c byte) (state, error) {
	start := p.i
	kind, next := Null, wantComma
	switch {
	case c == '{':
		p.i++
		kind, next = Object, wantKeyOrClose
	case c == '[':
		p.i++
		kind, next = Array, wantValueOrClose
	case c == '"':
		if err := p.text(); err != nil {
			return 0, err
		}
		kind = String
	case c == '-' || c >= '0' && c <= '9':
		if err := p.number(); err != nil {
			return 0, err
		}
		kind = Number
	case p.word("true"):
		kind = True
	case p.word("false"):
		kind = False
	case p.word("null"):
	default:
		return 0, p.d.fail(start, "%s where a value belongs", shown(c))
	}
	if len(p.d.nodes) >= maxNodes {
		return 0, p.d.fail(start, "more than %d values", maxNodes)
	}
	at := int32(len(p.d.nodes))
	n := node{kind: kind, start: int32(start), end: int32(p.i), key: p.key, keyEnd: p.keyEnd, parent: p.open, first: -1, last: -1, nxt: -1}
	if p.open >= 0 {
		up := &p.d.nodes[p.open]
		n.pos = up.count
		up.count++
		if up.first < 0 {
			up.first = at
		} else {
			p.d.nodes[up.last].nxt = at
		}
		up.last = at
	}
	p.d.nodes = append(p.d.nodes, n)
	p.key = -1
	switch {
	case kind == Array || kind == Object:
		p.open = at
	case p.open < 0:
		next = wantEnd
	}
	return next, nil
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.d.src[p.i:], []byte(w)) {
		return false
	}
	p.i += len(w)
	return true
}

// text reads a string (RFC 8259, 7).
func (p *parser) text() error {
	src, start := p.d.src, p.i
	for i := start + 1; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"':
			p.i = i + 1
			return nil
		case c < 0x20:
			return p.d.fail(i, "%s inside a string, where it has to be escaped", shown(c))
		case c == '\\':
			if i++; i >= len(src) {
				break
			}
			switch src[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i < len(src) && !isHex(src[i]) {
						return p.d.fail(i, "\\u needs four hex digits")
					}
				}
			default:
				return p.d.fail(i, "\\%s is no escape", printableByte(src[i]))
			}
		}
	}
	return p.d.fail(len(src), "the text ends inside the string that begins at byte %d", start)
}

// number reads a number (RFC 8259, 6).
func (p *parser) number() error {
	src, i := p.d.src, p.i
	digits := func() int {
		from := i
		for i < len(src) && src[i] >= '0' && src[i] <= '9' {
			i++
		}
		return i - from
	}
	if src[i] == '-' {
		i++
	}
	zero := i < len(src) && src[i] == '0'
	switch n := digits(); {
	case n == 0:
		return p.d.fail(i, "a digit belongs after the sign")
	case zero && n > 1:
		return p.d.fail(p.i, "a number does not begin with 0")
	}
	if i < len(src) && src[i] == '.' {
		i++
		if digits() == 0 {
			return p.d.fail(i, "a digit belongs after the point")
		}
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		if digits() == 0 {
			return p.d.fail(i, "a digit belongs in the exponent")
		}
	}
	p.i = i
	return nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func shown(c byte) string {
	if c > 0x20 && c < 0x7f {
		return strconv.QuoteRune(rune(c))
	}
	return "byte " + printableByte(c)
}

func printableByte(c byte) string {
	if c > 0x20 && c < 0x7f {
		return string(rune(c))
	}
	return fmt.Sprintf("0x%02X", c)
}
