package filter

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// Expr is a compiled expression. A nil *Expr matches everything.
type Expr struct {
	source string
	root   *node // nil: everything
	clock  bool
}

// Compile reads an expression for use in a phase. An empty one matches
// everything. An error is an *Error, with the place of what is wrong.
func Compile(expr string, phase Phase) (*Expr, error) {
	if len(expr) > maxLength {
		return nil, errorAt(expr, 0, len(expr), "the expression is longer than %d bytes", maxLength)
	}
	p := parser{s: expr, phase: phase}
	p.space()
	if p.pos == len(expr) {
		return &Expr{source: expr}, nil
	}
	root := p.or()
	if p.space(); p.err == nil && p.pos < len(expr) { // or stops at a parenthesis alone
		p.fail(p.pos, p.pos+1, "no ( belongs to this )")
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{source: expr, root: root, clock: root.looksAtClock()}, nil
}

// String is the expression as it was written.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	return e.source
}

// UsesClock reports whether the answer for one subject can change as time goes by.
func (e *Expr) UsesClock() bool { return e != nil && e.clock }

// UsesBody reports whether the answer depends on the content of a body.
func (e *Expr) UsesBody() bool { return e != nil && e.root != nil && e.root.looksAtBody() }

// Sought are the texts, in lower case, that the expression looks for in bodies,
// so that they can be pointed out there. What must not be there is not among
// them, and neither are regular expressions.
func (e *Expr) Sought() []string {
	if e == nil || e.root == nil {
		return nil
	}
	return e.root.sought(nil)
}

func (n *node) sought(list []string) []string {
	switch {
	case n.op == holds && n.field == fBody && n.text.re == nil && n.text.lower != "":
		return append(list, n.text.lower)
	case n.op == allOf || n.op == anyOf:
		for _, k := range n.kids {
			list = k.sought(list)
		}
	}
	return list
}

// Match reports whether s is what the expression asks for.
func (e *Expr) Match(s Subject) bool {
	return e == nil || e.root == nil || e.root.match(&s)
}

type op uint8

const (
	never  op = iota // what stands after an error
	holds            // of one field
	allOf            // kids
	anyOf            // kids
	noneOf           // kids
)

// node is one operation. Its evaluation is a plain switch, so that a subject stays on the stack.
type node struct {
	op    op
	kids  []*node
	field field
	text  pattern
	spans []span
	is    condition // is:
	want  bool      // yes or no
	cost  int
}

// join makes one node of several, cheap ones first: what holds does not depend on the order.
func join(o op, list []*node) *node {
	if len(list) == 1 {
		return list[0]
	}
	n := &node{op: o, kids: list}
	for _, k := range list {
		n.cost = max(n.cost, k.weight())
	}
	slices.SortStableFunc(n.kids, func(a, b *node) int { return cmp.Compare(a.weight(), b.weight()) })
	return n
}

func (n *node) weight() int {
	if n.op == noneOf {
		return n.kids[0].weight()
	}
	if n.text.re != nil {
		return n.cost + 1
	}
	return n.cost
}

func costOf(f field) int {
	for i := range specs {
		if specs[i].field == f {
			return specs[i].cost
		}
	}
	return 1
}

func (n *node) looksAtClock() bool {
	return n.op == holds && (n.field == fTime || n.field == fDur) || slices.ContainsFunc(n.kids, (*node).looksAtClock)
}

func (n *node) looksAtBody() bool {
	return n.op == holds && n.field == fBody || slices.ContainsFunc(n.kids, (*node).looksAtBody)
}

func (n *node) match(s *Subject) bool {
	switch n.op {
	case holds:
		return n.holds(s)
	case allOf:
		for _, k := range n.kids {
			if !k.match(s) {
				return false
			}
		}
		return true
	case anyOf:
		for _, k := range n.kids {
			if k.match(s) {
				return true
			}
		}
		return false
	case noneOf:
		return !n.kids[0].match(s)
	}
	return false
}

func (n *node) holds(s *Subject) bool {
	switch n.field {
	case words:
		return n.inWords(s)
	case fMethod:
		return n.text.whole(s.Method)
	case fStatus:
		return within(n.spans, int64(s.Status))
	case fHost:
		return n.text.in(s.Authority)
	case fPath:
		path, _, _ := strings.Cut(s.Target, "?")
		return n.text.in(path)
	case fEndpoint:
		path, _, _ := strings.Cut(s.Target, "?")
		return n.text.in(s.Method + " " + s.Scheme + "://" + s.Authority + flow.Template(path))
	case fQuery:
		_, query, there := strings.Cut(s.Target, "?")
		return there && n.text.in(query)
	case fURL:
		return n.inURL(s)
	case fScheme:
		return n.text.whole(s.Scheme)
	case fType:
		return n.text.in(s.ContentType)
	case fRefused:
		return s.Refused == n.want
	case fIs:
		return n.is.of(s)
	case fCause:
		return n.text.in(s.Cause)
	case fLayer:
		return n.text.in(s.Layer)
	case fVendor:
		return n.text.in(s.Vendor)
	case fMarked:
		return s.Marked == n.want
	case fComment:
		return n.text.in(s.Comment)
	case fID:
		return within(n.spans, int64(s.ID))
	case fTime:
		return !s.Start.IsZero() && within(n.spans, max(0, int64(s.Now.Sub(s.Start))))
	case fDur:
		return within(n.spans, int64(s.duration()))
	case fSize:
		return within(n.spans, s.ResponseBytes)
	case fUpload:
		return within(n.spans, s.RequestBytes)
	case fProcess:
		return n.text.in(s.Process)
	case fHeader:
		return n.inHeaders(s)
	case fBody:
		return n.text.in(s.body(0)) || n.text.in(s.body(1))
	}
	return false
}

// inWords looks where a reader of the list would: what a row shows.
func (n *node) inWords(s *Subject) bool {
	p := &n.text
	var digits [20]byte
	return n.inURL(s) || p.in(s.Method) || p.in(s.Headline) || p.in(s.Cause) || p.in(s.Vendor) || p.in(s.ContentType) || p.in(s.Err) || p.in(s.Comment) ||
		s.Status > 0 && p.inStatus(strconv.AppendInt(digits[:0], int64(s.Status), 10))
}

// inStatus reports whether a status begins with the pattern: 40 finds 403, and 3 does not.
func (p *pattern) inStatus(digits []byte) bool {
	if p.re != nil {
		return p.re.MatchString(string(digits))
	}
	return len(digits) >= len(p.lower) && string(digits[:len(p.lower)]) == p.lower
}

// inURL looks into the URL without building it where that is not needed: only a
// text with a slash in it can reach over from one part into the next.
func (n *node) inURL(s *Subject) bool {
	p := &n.text
	if p.re == nil {
		if p.in(s.Target) || p.in(s.Authority) || p.in(s.Scheme) {
			return true
		}
		if !strings.ContainsAny(p.lower, ":/") {
			return false
		}
	}
	if strings.HasPrefix(s.Target, "/") {
		return p.in(s.Scheme + "://" + s.Authority + s.Target)
	}
	return p.in(s.Scheme + "://" + s.Authority)
}

// inHeaders looks at each field, as the line "Name: value", of both messages and of what came before and after them.
func (n *node) inHeaders(s *Subject) bool {
	for _, m := range s.messages() {
		if m != nil && (n.inFields(m.Header) || n.inFields(m.Trailers)) {
			return true
		}
	}
	if s.Flow == nil {
		return false
	}
	return slices.ContainsFunc(s.Flow.Interim, func(m *flow.Message) bool { return n.inFields(m.Header) })
}

func (n *node) inFields(h flow.Header) bool {
	line := n.text.re != nil || strings.Contains(n.text.lower, ":")
	for _, f := range h {
		if n.text.re == nil && (n.text.in(f.Name) || n.text.in(f.Value)) || line && n.text.in(f.Name+": "+f.Value) {
			return true
		}
	}
	return false
}
