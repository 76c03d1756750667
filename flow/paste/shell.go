package paste

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shell reads the words of a POSIX shell's command line, as bash and zsh have it
// ($'…' too), as far as people use it around curl: pipes, groups and
// here-documents that give curl its input, made by printf, echo, cat and base64.
type shell struct {
	s     string
	i     int
	o     Options
	warn  []string
	depth int

	pending []*heredoc // to be read at the end of the line
}

type heredoc struct {
	tag     string
	literal bool
	text    string
}

// command is one simple command.
type command struct {
	words []string
	here  *heredoc
	file  string // "< file"
}

// found ends the reading at the curl command.
type found struct {
	args  []string
	stdin []byte
	fed   bool // something was piped into it
}

// posix reads the first curl command of a text.
func posix(text string, o Options) (*found, []string, error) {
	sh := &shell{s: strings.ReplaceAll(text, "\r\n", "\n"), o: o}
	_, hit, err := sh.list(false)
	if err != nil {
		return nil, sh.warn, err
	}
	if hit == nil {
		return nil, sh.warn, ErrNothing
	}
	return hit, sh.warn, nil
}

// list reads commands up to a closing brace or the end. It gives what they print.
func (sh *shell) list(group bool) (out []byte, hit *found, err error) {
	if sh.depth++; sh.depth > 20 {
		return nil, nil, errors.New("the groups stand too deep in each other")
	}
	defer func() { sh.depth-- }()
	for {
		sh.blank(true)
		if sh.i >= len(sh.s) {
			return out, nil, nil
		}
		if group && sh.s[sh.i] == '}' {
			sh.i++
			return out, nil, nil
		}
		before := sh.i
		printed, hit, err := sh.pipeline()
		if hit != nil || err != nil {
			return nil, hit, err
		}
		out = append(out, printed...)
		sh.blank(false)
		for sh.i < len(sh.s) && (sh.s[sh.i] == ';' || sh.s[sh.i] == '&' || sh.s[sh.i] == '|' || sh.s[sh.i] == ')') {
			sh.i++ // && and || alike: nothing is run, so nothing fails
		}
		if sh.i == before {
			sh.i++
		}
	}
}

func (sh *shell) pipeline() (out []byte, hit *found, err error) {
	var in []byte
	for first := true; ; first = false {
		sh.blank(!first)
		if strings.HasPrefix(sh.s[sh.i:], "{") && sh.i+1 < len(sh.s) && strings.IndexByte(" \t\n", sh.s[sh.i+1]) >= 0 {
			sh.i++
			out, hit, err = sh.list(true)
		} else {
			var c command
			if c, err = sh.simple(); err != nil {
				return nil, nil, err
			}
			out, hit, err = sh.evaluate(c, in, !first)
		}
		if hit != nil || err != nil {
			return nil, hit, err
		}
		sh.blank(false)
		if sh.i < len(sh.s) && sh.s[sh.i] == '|' && !strings.HasPrefix(sh.s[sh.i:], "||") {
			sh.i++
			in = out
			continue
		}
		return out, nil, nil
	}
}

// blank skips blanks, joined lines and comments; lines too.
func (sh *shell) blank(lines bool) {
	for sh.i < len(sh.s) {
		switch c := sh.s[sh.i]; {
		case c == ' ' || c == '\t' || c == '\r':
			sh.i++
		case c == '\\' && strings.HasPrefix(sh.s[sh.i+1:], "\n"):
			sh.i += 2
		case c == '\\' && strings.HasPrefix(sh.s[sh.i+1:], "\r\n"):
			sh.i += 3
		case c == '#' && (sh.i == 0 || strings.IndexByte(" \t\n;", sh.s[sh.i-1]) >= 0):
			for sh.i < len(sh.s) && sh.s[sh.i] != '\n' {
				sh.i++
			}
		case c == '\n' && lines:
			sh.i++
			sh.documents()
		default:
			return
		}
	}
}

// documents reads the here-documents that were announced on the line that ended.
func (sh *shell) documents() {
	for _, d := range sh.pending {
		var b strings.Builder
		for sh.i < len(sh.s) {
			line, rest, _ := strings.Cut(sh.s[sh.i:], "\n")
			sh.i = len(sh.s) - len(rest)
			if strings.TrimRight(line, "\r") == d.tag {
				break
			}
			b.WriteString(line + "\n")
		}
		d.text = b.String()
	}
	sh.pending = nil
}

// simple reads words up to an operator or the end of the line, whose here-documents it reads.
func (sh *shell) simple() (c command, err error) {
	for {
		sh.blank(false)
		if sh.i >= len(sh.s) {
			return c, nil
		}
		switch ch := sh.s[sh.i]; {
		case ch == '\n':
			sh.i++
			sh.documents()
			return c, nil
		case ch == '|' || ch == ';' || ch == '&' || ch == ')':
			if len(sh.pending) > 0 {
				sh.ahead()
			}
			return c, nil
		case strings.HasPrefix(sh.s[sh.i:], "<<<"):
			sh.i += 3
			sh.blank(false)
			w, err := sh.word()
			if err != nil {
				return c, err
			}
			c.here = &heredoc{literal: true, text: w + "\n"}
		case strings.HasPrefix(sh.s[sh.i:], "<<"):
			sh.i += 2
			sh.blank(false)
			quoted := sh.i < len(sh.s) && (sh.s[sh.i] == '\'' || sh.s[sh.i] == '"' || sh.s[sh.i] == '\\')
			w, err := sh.word()
			if err != nil {
				return c, err
			}
			c.here = &heredoc{tag: w, literal: quoted}
			sh.pending = append(sh.pending, c.here)
		case ch == '<':
			sh.i++
			sh.blank(false)
			if c.file, err = sh.word(); err != nil {
				return c, err
			}
		case ch == '>' || ch >= '0' && ch <= '9' && strings.HasPrefix(sh.s[sh.i+1:], ">"):
			sh.i += strings.IndexByte(sh.s[sh.i:], '>') + 1
			for sh.i < len(sh.s) && (sh.s[sh.i] == '>' || sh.s[sh.i] == '&') {
				sh.i++
			}
			sh.blank(false)
			if _, err := sh.word(); err != nil { // where the answer goes
				return c, err
			}
		case ch == '(':
			sh.i++
		default:
			w, err := sh.word()
			if err != nil {
				return c, err
			}
			c.words = append(c.words, w)
		}
	}
}

// ahead reads the here-documents of a line that goes on behind a pipe: they stand below the whole line.
func (sh *shell) ahead() {
	docs := sh.pending
	sh.pending = nil
	probe := &shell{s: sh.s, i: sh.i, o: Options{}}
	for probe.i < len(probe.s) && probe.s[probe.i] != '\n' { // to the end of the line, as the shell reads it
		before := probe.i
		if _, err := probe.simple2(); err != nil || probe.i == before {
			break
		}
	}
	end := probe.i
	rest := &shell{s: sh.s, i: min(end+1, len(sh.s)), pending: docs}
	rest.documents()
	if end < len(sh.s) && rest.i <= len(sh.s) {
		sh.s = sh.s[:end+1] + sh.s[rest.i:]
	}
}

// simple2 skips one word or operator of the present line.
func (sh *shell) simple2() (string, error) {
	sh.blank(false)
	if sh.i >= len(sh.s) || sh.s[sh.i] == '\n' {
		return "", nil
	}
	if strings.IndexByte("|;&()<>", sh.s[sh.i]) >= 0 {
		sh.i++
		return "", nil
	}
	return sh.word()
}

// word reads one word and takes its quotes away.
func (sh *shell) word() (string, error) {
	var b strings.Builder
	for sh.i < len(sh.s) {
		c := sh.s[sh.i]
		switch {
		case strings.IndexByte(" \t\n|;&<>()", c) >= 0 || c == '\r' && strings.HasPrefix(sh.s[sh.i+1:], "\n"):
			return b.String(), nil
		case c == '\'':
			end := strings.IndexByte(sh.s[sh.i+1:], '\'')
			if end < 0 {
				return "", errors.New("a quote ' is not closed")
			}
			b.WriteString(sh.s[sh.i+1 : sh.i+1+end])
			sh.i += end + 2
		case c == '"':
			sh.i++
			if err := sh.double(&b); err != nil {
				return "", err
			}
		case c == '$' && strings.HasPrefix(sh.s[sh.i:], "$'"):
			sh.i += 2
			if err := sh.ansi(&b); err != nil {
				return "", err
			}
		case c == '$':
			if err := sh.dollar(&b); err != nil {
				return "", err
			}
		case c == '\\' && sh.i+1 < len(sh.s):
			if sh.s[sh.i+1] != '\n' {
				b.WriteByte(sh.s[sh.i+1])
			}
			sh.i += 2
		default:
			b.WriteByte(c)
			sh.i++
		}
	}
	return b.String(), nil
}

// double reads up to the closing double quote.
func (sh *shell) double(b *strings.Builder) error {
	for sh.i < len(sh.s) {
		switch c := sh.s[sh.i]; {
		case c == '"':
			sh.i++
			return nil
		case c == '\\' && sh.i+1 < len(sh.s) && strings.IndexByte("\\$`\"\n", sh.s[sh.i+1]) >= 0:
			if sh.s[sh.i+1] != '\n' {
				b.WriteByte(sh.s[sh.i+1])
			}
			sh.i += 2
		case c == '$':
			if err := sh.dollar(b); err != nil {
				return err
			}
		default:
			b.WriteByte(c)
			sh.i++
		}
	}
	return errors.New("a quote \" is not closed")
}

// dollar reads a variable or what a command prints.
func (sh *shell) dollar(b *strings.Builder) error {
	rest := sh.s[sh.i+1:]
	switch {
	case strings.HasPrefix(rest, "("):
		return sh.substitution(b)
	case strings.HasPrefix(rest, "{"):
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return errors.New("a ${ is not closed")
		}
		name := rest[1:end]
		if i := strings.IndexAny(name, ":-?=+"); i >= 0 {
			name = name[:i]
		}
		sh.variable(b, name, "$"+rest[:end+1])
		sh.i += end + 2
		return nil
	}
	n := 0
	for n < len(rest) && (rest[n] == '_' || rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z' || n > 0 && rest[n] >= '0' && rest[n] <= '9') {
		n++
	}
	if n == 0 {
		b.WriteByte('$')
		sh.i++
		return nil
	}
	sh.variable(b, rest[:n], "$"+rest[:n])
	sh.i += n + 1
	return nil
}

func (sh *shell) variable(b *strings.Builder, name, written string) {
	if sh.o.Getenv != nil {
		if v, ok := sh.o.Getenv(name); ok {
			b.WriteString(v)
			return
		}
	}
	b.WriteString(written)
	sh.warning("%s is not set and stays as it is written", written)
}

func (sh *shell) warning(format string, args ...any) {
	if len(sh.warn) < 50 {
		sh.warn = append(sh.warn, fmt.Sprintf(format, args...))
	}
}

// substitution is $(printf …), which our own exports use for bytes that no clipboard keeps.
func (sh *shell) substitution(b *strings.Builder) error {
	end := strings.IndexByte(sh.s[sh.i:], ')')
	if end < 0 {
		return errors.New("a $( is not closed")
	}
	inner := &shell{s: sh.s[sh.i+2 : sh.i+end], o: sh.o, depth: sh.depth + 1}
	c, err := inner.simple()
	if err != nil || len(c.words) == 0 || c.words[0] != "printf" {
		return fmt.Errorf("%s is a command, and none is run; put in what it prints", sh.s[sh.i:sh.i+end+1])
	}
	out, _, err := inner.evaluate(c, nil, false)
	if err != nil {
		return err
	}
	b.WriteString(strings.TrimRight(string(out), "\n"))
	sh.i += end + 1
	return nil
}

// ansi reads up to the closing quote of $'…' (bash, "ANSI-C Quoting").
func (sh *shell) ansi(b *strings.Builder) error {
	start := sh.i
	for sh.i < len(sh.s) {
		switch c := sh.s[sh.i]; {
		case c == '\'':
			b.WriteString(unescape(sh.s[start:sh.i], false))
			sh.i++
			return nil
		case c == '\\' && sh.i+1 < len(sh.s):
			sh.i += 2
		default:
			sh.i++
		}
	}
	return errors.New("a quote $' is not closed")
}

var simpleEscapes = map[byte]byte{'a': 7, 'b': 8, 'e': 27, 'E': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11, '\\': '\\', '\'': '\'', '"': '"', '?': '?'}

// unescape undoes the escapes of $'…', or of printf's format.
func unescape(s string, printf bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		c := s[i]
		digits := func(most, base int) (uint64, bool) {
			n := i + 1
			if base == 8 {
				n = i
			}
			end := n
			for end < len(s) && end-n < most && strings.IndexByte("0123456789abcdefABCDEF"[:map[int]int{8: 8, 16: 22}[base]], s[end]) >= 0 {
				end++
			}
			v, err := strconv.ParseUint(s[n:end], base, 32)
			if err == nil {
				i = end - 1
			}
			return v, err == nil
		}
		if r, ok := simpleEscapes[c]; ok {
			b.WriteByte(r)
			continue
		}
		switch {
		case c == 'x':
			if v, ok := digits(2, 16); ok {
				b.WriteByte(byte(v))
				continue
			}
		case c == 'u' || c == 'U':
			most := 4
			if c == 'U' {
				most = 8
			}
			if v, ok := digits(most, 16); ok {
				b.Write(utf8.AppendRune(nil, rune(v)))
				continue
			}
		case c >= '0' && c <= '7':
			most := 3
			if printf && c == '0' {
				most = 4
			}
			if v, ok := digits(most, 8); ok {
				b.WriteByte(byte(v))
				continue
			}
		case c == 'c' && !printf && i+1 < len(s):
			i++
			b.WriteByte(s[i] & 0x1f)
			continue
		}
		b.WriteByte('\\')
		b.WriteByte(c)
	}
	return b.String()
}

// evaluate is what a command prints, for the few that are known; the curl command ends it all.
func (sh *shell) evaluate(c command, in []byte, fed bool) ([]byte, *found, error) {
	if c.here != nil {
		in, fed = []byte(c.here.text), true
		if !c.here.literal && strings.ContainsAny(c.here.text, "$`\\") {
			inner := &shell{s: c.here.text + `"`, o: sh.o}
			var b strings.Builder
			if err := inner.double(&b); err == nil {
				in = []byte(b.String())
			}
			sh.warn = append(sh.warn, inner.warn...)
		}
	}
	if c.file != "" {
		data, err := readFile(sh.o, c.file)
		if err != nil {
			return nil, nil, err
		}
		in, fed = data, true
	}
	words := c.words
	for len(words) > 0 && (words[0] == "$" || words[0] == "sudo" || words[0] == "time" || words[0] == "exec" || words[0] == "!" || assignment(words[0])) {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil, nil, nil
	}
	name := words[0]
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	args := words[1:]
	switch name {
	case "curl", "curl.exe":
		return nil, &found{args, in, fed}, nil
	case "printf":
		return printf(args), nil, nil
	case "echo":
		end := "\n"
		for len(args) > 0 && (args[0] == "-n" || args[0] == "-e" || args[0] == "-ne") {
			if strings.Contains(args[0], "n") {
				end = ""
			}
			args = args[1:]
		}
		return []byte(strings.Join(args, " ") + end), nil, nil
	case "base64":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(in)), ""))
		if err != nil {
			return nil, nil, fmt.Errorf("the base64 text cannot be decoded: %w", err)
		}
		return data, nil, nil
	case "cat":
		if len(args) == 0 || args[0] == "-" {
			return in, nil, nil
		}
		data, err := readFile(sh.o, args[0])
		return data, nil, err
	case ":", "set", "export", "cd", "true":
		return nil, nil, nil
	}
	if fed || !strings.Contains(sh.s[sh.i:], "curl") {
		return nil, nil, fmt.Errorf("%s is a command, and none is run", name)
	}
	return nil, nil, nil
}

func assignment(w string) bool {
	name, _, ok := strings.Cut(w, "=")
	return ok && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func printf(args []string) []byte {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return nil
	}
	text := unescape(args[0], true)
	for _, a := range args[1:] {
		text = strings.Replace(text, "%s", a, 1)
	}
	return []byte(strings.ReplaceAll(text, "%%", "%"))
}

func readFile(o Options, name string) ([]byte, error) {
	if o.ReadFile == nil {
		return nil, fmt.Errorf("its body comes from the file %s, which is not read without being asked to", name)
	}
	data, err := o.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("its body comes from a file: %w", err)
	}
	return data, nil
}
