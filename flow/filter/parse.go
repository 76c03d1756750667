package filter

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of an expression.
const (
	maxLength = 4 << 10 // bytes
	maxDepth  = 64      // parentheses and negations
)

type parser struct {
	s     string
	pos   int
	phase Phase
	depth int
	err   *Error // the first; all goes to the end then
}

func (p *parser) fail(pos, end int, format string, args ...any) *node {
	if p.err == nil {
		p.err = errorAt(p.s, pos, min(end, len(p.s)), format, args...)
	}
	p.pos = len(p.s)
	return &node{}
}

func (p *parser) space() {
	for p.pos < len(p.s) {
		r, n := utf8.DecodeRuneInString(p.s[p.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		p.pos += n
	}
}

// wordEnd is where the word that begins at from ends: at whitespace or a parenthesis.
func (p *parser) wordEnd(from int) int {
	for i, r := range p.s[from:] {
		if unicode.IsSpace(r) || r == '(' || r == ')' {
			return from + i
		}
	}
	return len(p.s)
}

// peek is the word at the place, "" at the end or a parenthesis.
func (p *parser) peek() string { return p.s[p.pos:p.wordEnd(p.pos)] }

func isOperator(w string) bool { return strings.EqualFold(w, "and") || strings.EqualFold(w, "or") }

// or = and { "or" and }
func (p *parser) or() *node {
	list := []*node{p.and()}
	for {
		p.space()
		if !strings.EqualFold(p.peek(), "or") {
			return join(anyOf, list)
		}
		p.pos += len("or")
		list = append(list, p.and())
	}
}

// and = not { [ "and" ] not }
func (p *parser) and() *node {
	list := []*node{p.not()}
	for {
		p.space()
		switch w := p.peek(); {
		case p.pos >= len(p.s) || p.s[p.pos] == ')' || strings.EqualFold(w, "or"):
			return join(allOf, list)
		case strings.EqualFold(w, "and"):
			p.pos += len("and")
		}
		list = append(list, p.not())
	}
}

// not = "!" not | term
func (p *parser) not() *node {
	p.space()
	if p.pos >= len(p.s) || p.s[p.pos] != '!' {
		return p.term()
	}
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.pos, p.pos+1, "more than %d parentheses and negations in each other", maxDepth)
	}
	defer func() { p.depth-- }()
	p.pos++
	return &node{op: noneOf, kids: []*node{p.not()}}
}

func (p *parser) term() *node {
	p.space()
	from := p.pos
	if from >= len(p.s) {
		return p.fail(from, from, "the expression ends where a term is wanted")
	}
	switch p.s[from] {
	case '(':
		return p.group()
	case ')':
		if p.depth == 0 {
			return p.fail(from, from+1, "no ( belongs to this )")
		}
		return p.fail(from, from+1, "a term is wanted before )")
	case '"', '\'':
		if s, ok := p.quoted(); ok {
			return text(words, s)
		}
		return &node{}
	case '/':
		if end := p.regexpEnd(from); end > 0 {
			p.pos = end
			return p.regexp(words, from, end)
		}
	}
	end := p.wordEnd(from)
	word := p.s[from:end]
	if isOperator(word) {
		return p.fail(from, end, "%s joins two terms, and one is missing; to search for the word, write %q", strings.ToLower(word), word)
	}
	if name, value, ok := strings.Cut(word, ":"); ok && isKey(name) && !strings.HasPrefix(value, "//") {
		return p.keyed(from, strings.ToLower(name))
	}
	return p.word(from, end)
}

func (p *parser) group() *node {
	open := p.pos
	if p.depth++; p.depth > maxDepth {
		return p.fail(open, open+1, "more than %d parentheses and negations in each other", maxDepth)
	}
	defer func() { p.depth-- }()
	p.pos++
	n := p.or()
	p.space()
	if p.err != nil {
		return n
	}
	if p.pos >= len(p.s) {
		return p.fail(open, open+1, "no ) belongs to this (; to search for it, put it in quotes")
	}
	p.pos++
	return n
}

// isKey reports whether name looks like a key, known or not.
func isKey(name string) bool {
	for i := range len(name) {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] != '-' || i == 0) {
			return false
		}
	}
	return name != ""
}

func (p *parser) word(from, end int) *node {
	word := p.s[from:end]
	p.pos = end
	switch word {
	case "|", "||":
		return p.fail(from, end, `write "or"`)
	case "&", "&&":
		return p.fail(from, end, `write "and", or nothing at all`)
	}
	if i := strings.IndexAny(word, "<>="); i > 0 {
		if s := specOf(word[:i]); s != nil {
			op := strings.TrimPrefix(word[i:], "==")
			return p.fail(from+i, end, "a colon comes first: write %s:%s", s.Name, strings.TrimPrefix(op, "="))
		}
	}
	return text(words, word)
}

// quoted reads a text in quotes; ok is false after an error.
func (p *parser) quoted() (string, bool) {
	open := p.pos
	quote := p.s[open]
	var b strings.Builder
	for i := open + 1; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == quote:
			p.pos = i + 1
			return b.String(), true
		case c == '\\' && i+1 < len(p.s):
			i++
			switch e := p.s[i]; e {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case '"', '\'', '\\', '/':
				b.WriteByte(e)
			default: // as written: C:\Users
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	p.fail(open, open+1, "the quote is not closed")
	return "", false
}

// regexpEnd is where the regular expression that begins at from ends, -1 if it is
// none: it has no whitespace, and behind its last slash there is nothing but the
// closing parentheses of groups around it.
func (p *parser) regexpEnd(from int) int {
	for i := from + 1; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '\\':
			i++
		case c == ' ' || c == '\t' || c == '\n':
			return -1
		case c == '/' && i > from+1:
			rest := strings.TrimLeft(p.s[i+1:], ")")
			if r, _ := utf8.DecodeRuneInString(rest); rest == "" || unicode.IsSpace(r) {
				return i + 1
			}
		}
	}
	return -1
}

// regexp is the term for a regular expression between slashes at [from, end).
func (p *parser) regexp(f field, from, end int) *node {
	source := strings.ReplaceAll(p.s[from+1:end-1], `\/`, `/`)
	text, err := regexpPattern(source)
	if err != nil {
		what := err.Error()
		if e, ok := err.(*syntax.Error); ok {
			what = e.Code.String()
			if e.Expr != "" && !strings.HasPrefix(e.Expr, "(?i)") {
				what += ": " + e.Expr
			}
		}
		return p.fail(from, end, "the regular expression: %s", what)
	}
	return &node{op: holds, field: f, text: text, cost: costOf(f)}
}

// text is the term for a text that is to be found.
func text(f field, s string) *node {
	return &node{op: holds, field: f, text: textPattern(s), cost: costOf(f)}
}

// keyed reads "name:value" at from.
func (p *parser) keyed(from int, name string) *node {
	at := from + len(name) + 1
	s := specOf(name)
	if s == nil {
		end := p.wordEnd(from)
		m := meant(name)
		switch {
		case m != nil:
			return p.fail(from, at, "unknown key %s: use %s:, such as %s; to search for the text, put it in quotes", name, m.Name, firstExample(m))
		case end > at && strings.Trim(p.s[at:end], "0123456789") == "": // localhost:8080
			return p.word(from, end)
		}
		return p.fail(from, at, "unknown key %s; to search for the text, put it in quotes", name)
	}
	if !s.known.has(p.phase) {
		return p.fail(from, at, "%s: is not known for %s; it can be used for %s", s.Name, p.phase, elsewhere(s.known))
	}
	p.pos = at
	if at >= len(p.s) {
		return p.fail(at, at, "%s: wants a value, such as %s", s.Name, firstExample(s))
	}
	switch c := p.s[at]; {
	case c == '"' || c == '\'':
		value, ok := p.quoted()
		if !ok {
			return &node{}
		}
		return p.value(s, at, value)
	case c == '/' && (s.form == asText || s.form == asWord):
		end := p.regexpEnd(at)
		if end > 0 && (s.field != fPath && s.field != fURL || strings.ContainsAny(p.s[at:end], `\^$*+?()[]{}|`)) {
			p.pos = end
			return p.regexp(s.field, at, end)
		}
	}
	end := p.wordEnd(at)
	if end == at {
		return p.fail(at, at, "%s: wants a value right behind the colon, such as %s", s.Name, firstExample(s))
	}
	p.pos = end
	return p.value(s, at, p.s[at:end])
}

func firstExample(s *spec) string {
	e, _, _ := strings.Cut(s.Example, ", ")
	return e
}

// value is the term for a key and the text of its value, which stands at the given place.
func (p *parser) value(s *spec, at int, text string) *node {
	n := &node{op: holds, field: s.field, cost: s.cost}
	var wrong *valueError
	switch s.form {
	case asText:
		n.text = textPattern(text)
	case asWord:
		var list []*node
		for w := range strings.SplitSeq(text, ",") {
			if w == "" {
				wrong = &valueError{0, len(text), "a word is missing beside the comma"}
			}
			list = append(list, &node{op: holds, field: s.field, cost: s.cost, text: textPattern(w)})
		}
		n = join(anyOf, list)
	case asChoice:
		n, wrong = p.choice(s, text)
	case asNumber:
		n.spans, wrong = spans(text, true, number)
	case asStatus:
		n.spans, wrong = spans(text, true, status)
	case asDuration:
		n.spans, wrong = spans(text, false, duration)
	case asBytes:
		n.spans, wrong = spans(text, false, bytes)
	}
	if wrong != nil {
		return p.fail(at+wrong.at, at+wrong.end, "%s: %s", s.Name, wrong.text)
	}
	return n
}

func (p *parser) choice(s *spec, text string) (*node, *valueError) {
	var list []*node
	at := 0
	for w := range strings.SplitSeq(text, ",") {
		n := &node{op: holds, field: s.field}
		switch low := strings.ToLower(w); {
		case s.field != fIs && (low == "yes" || low == "y" || low == "true"):
			n.want = true
		case s.field != fIs && (low == "no" || low == "n" || low == "false"):
		case s.field == fIs && stateOf(low) != nil:
			st := stateOf(low)
			if !st.known.has(p.phase) {
				return nil, &valueError{at, at + len(w), low + " is not known for " + p.phase.String() + "; it can be used for " + elsewhere(st.known)}
			}
			n.is = st.is
		default:
			return nil, &valueError{at, at + len(w), "one of these is wanted: " + strings.Join(s.values(p.phase), ", ")}
		}
		list = append(list, n)
		at += len(w) + 1
	}
	return join(anyOf, list), nil
}

func stateOf(name string) *state {
	for i := range states {
		if states[i].name == name {
			return &states[i]
		}
	}
	return nil
}
