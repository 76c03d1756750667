package rewrite

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/filter"
)

// maxFile bounds a file with a body, in bytes.
const maxFile = 16 << 20

// Set is rules made ready, those that are on. A nil Set changes nothing.
type Set struct {
	steps [2][]step // by stage: requests, responses
	dir   string
	read  func(string) ([]byte, error)
}

// step is one rule made ready.
type step struct {
	*Rule
	label          string
	expr           *filter.Expr
	scheme, host   string // of To
	set, add       []flow.Field
	query          [][2]string
	json           [][2]string
	finds          []find
	answer         []flow.Field
	body, readBody bool // it changes the body; it must see it
}

type find struct {
	text string
	re   *regexp.Regexp // nil: text
	with string
}

// Compile makes rules ready. Files that they name are relative to dir. An error
// names the rule and what is wrong with it; of rules from a file, the line too.
func Compile(rules []Rule, dir string) (*Set, error) {
	s := &Set{dir: dir, read: readFile}
	for i := range rules {
		r := rules[i]
		st, err := r.compile(i)
		if err != nil {
			return nil, &RuleError{Index: i, Line: r.line, Label: r.label(i), Err: err}
		}
		if !r.Disabled {
			s.steps[index(r.stage())] = append(s.steps[index(r.stage())], st)
		}
	}
	return s, nil
}

// RuleError is what is wrong with one rule.
type RuleError struct {
	Index int // of the rule, from 0
	Line  int // where it begins in its file, from 1; 0: not known
	Label string
	Err   error
}

func (e *RuleError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s: %v", e.Line, e.Label, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Label, e.Err)
}

// Unwrap gives what is wrong.
func (e *RuleError) Unwrap() error { return e.Err }

// Empty reports whether no rule is on.
func (s *Set) Empty() bool { return s == nil || len(s.steps[0])+len(s.steps[1]) == 0 }

// Wants reports whether a rule is on for messages of a stage.
func (s *Set) Wants(stage filter.Phase) bool { return s != nil && len(s.steps[index(stage)]) > 0 }

func index(stage filter.Phase) int {
	if stage == filter.Responses {
		return 1
	}
	return 0
}

func (r *Rule) stage() filter.Phase {
	if r.At == AtResponse {
		return filter.Responses
	}
	return filter.Requests
}

func (r *Rule) compile(i int) (step, error) {
	st := step{Rule: r, label: r.label(i)}
	if r.At != "" && r.At != AtRequest && r.At != AtResponse {
		return st, fmt.Errorf("at: %s is no message; write request or response", quoted(string(r.At)))
	}
	if err := r.belongs(); err != nil {
		return st, err
	}
	var err error
	if st.expr, err = filter.Compile(r.Match, r.stage()); err != nil {
		return st, fmt.Errorf("match: %w", err)
	}
	for _, part := range []func() error{st.where, st.headers, st.content, st.answers} {
		if err := part(); err != nil {
			return st, err
		}
	}
	if r.Delay < 0 || time.Duration(r.Delay) > 5*time.Minute {
		return st, errors.New("delay: between 0 and 5m")
	}
	if r.Does() == "" {
		return st, errors.New("it does nothing: give it set-header, to, answer, delay or another change")
	}
	st.body = r.Body != nil || r.BodyFile != "" || len(r.Replace)+len(r.SetJSON)+len(r.CutJSON) > 0
	st.readBody = st.body || st.expr.UsesBody()
	return st, nil
}

// belongs refuses what the rule's message does not have.
func (r *Rule) belongs() error {
	if r.stage() == filter.Requests {
		if r.Status != 0 {
			return errors.New("status: a request has none; write at: response")
		}
		return nil
	}
	for _, f := range []struct {
		name string
		used bool
	}{
		{"to", r.To != ""}, {"method", r.Method != ""}, {"path", r.Path != ""}, {"set-query", len(r.SetQuery) > 0},
		{"remove-query", len(r.CutQuery) > 0}, {"answer", r.Answer != nil},
	} {
		if f.used {
			return fmt.Errorf("%s: a response has none; leave at: response away, or the %s", f.name, f.name)
		}
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return fmt.Errorf("status: %d is none of a final answer, which has 200 to 599", r.Status)
	}
	return nil
}

// where reads what says where a request goes and what it asks for.
func (st *step) where() error {
	if st.To != "" {
		u, err := url.Parse(st.To)
		switch {
		case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https", u.Path != "" && u.Path != "/", u.RawQuery != "", u.User != nil:
			return fmt.Errorf("to: %s is no server; write https://host or http://host:port, and the path with path", quoted(st.To))
		}
		st.scheme, st.host = u.Scheme, flow.Canonical(u.Scheme, u.Host)
	}
	if st.KeepHost && st.To == "" {
		return errors.New("keep-host: goes with to")
	}
	if st.Method != "" && !token(st.Method) {
		return fmt.Errorf("method: %s is none", quoted(st.Method))
	}
	if st.Path != "" && (st.Path[0] != '/' || strings.ContainsAny(st.Path, "?# \t\r\n\x00")) {
		return fmt.Errorf("path: %s is none; it begins with / and has no ?, # or blank", quoted(st.Path))
	}
	for _, q := range st.SetQuery {
		name, value, ok := strings.Cut(q, "=")
		if !ok || name == "" {
			return fmt.Errorf("set-query: %s; write name=value", quoted(q))
		}
		st.query = append(st.query, [2]string{name, value})
	}
	return nil
}

// headers reads the lines of header fields.
func (st *step) headers() (err error) {
	if st.set, err = fields("set-header", st.SetHeader); err != nil {
		return err
	}
	if st.add, err = fields("add-header", st.AddHeader); err != nil {
		return err
	}
	for _, n := range st.CutHeader {
		if err := named("remove-header", n); err != nil {
			return err
		}
	}
	return nil
}

func fields(key string, lines []string) ([]flow.Field, error) {
	var list []flow.Field
	for _, l := range lines {
		name, value, ok := strings.Cut(l, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok {
			return nil, fmt.Errorf("%s: %s; write Name: value", key, quoted(l))
		}
		if err := named(key, name); err != nil {
			return nil, err
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("%s: the value of %s holds a line break or a NUL", key, name)
		}
		list = append(list, flow.Field{Name: name, Value: value})
	}
	return list, nil
}

// named refuses what is no name, and the fields that say where a body ends: they follow the body.
func named(key, name string) error {
	switch {
	case !token(name):
		return fmt.Errorf("%s: %s is no name of a header field", key, quoted(name))
	case strings.EqualFold(name, "Content-Length"), strings.EqualFold(name, "Transfer-Encoding"):
		return fmt.Errorf("%s: %s follows the body and is not set by a rule", key, name)
	}
	return nil
}

// content reads what is done to the body.
func (st *step) content() error {
	whole := 0
	for _, used := range []bool{st.Body != nil, st.BodyFile != "", len(st.Replace) > 0, len(st.SetJSON)+len(st.CutJSON) > 0} {
		if used {
			whole++
		}
	}
	if whole > 1 {
		return errors.New("body, body-file, replace-body and set-json exclude each other: write two rules, one after the other")
	}
	for _, r := range st.Replace {
		f := find{text: r.Find, with: r.With}
		if n := len(r.Find); n > 2 && r.Find[0] == '/' && r.Find[n-1] == '/' {
			re, err := regexp.Compile(r.Find[1 : n-1])
			if err != nil {
				return fmt.Errorf("replace-body: %w", err)
			}
			f.re = re
		}
		if r.Find == "" {
			return errors.New("replace-body: find is empty; to replace everything write body")
		}
		st.finds = append(st.finds, f)
	}
	for _, j := range st.SetJSON {
		path, value, ok := strings.Cut(j, "=")
		path, value = strings.TrimSpace(path), strings.TrimSpace(value)
		if !ok || !strings.HasPrefix(path, "$") {
			return fmt.Errorf("set-json: %s; write path = value, such as $.items[0].qty = 3", quoted(j))
		}
		if _, err := decode.ParseJSON([]byte(value)); err != nil {
			return fmt.Errorf("set-json: the value of %s is no JSON: %w (a text stands in quotes)", path, err)
		}
		st.json = append(st.json, [2]string{path, value})
	}
	for _, p := range st.CutJSON {
		if !strings.HasPrefix(p, "$") {
			return fmt.Errorf("remove-json: %s is no path; write one such as $.items[0]", quoted(p))
		}
	}
	return nil
}

func (st *step) answers() (err error) {
	a := st.Answer
	switch {
	case a == nil:
		return nil
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return fmt.Errorf("answer: status %d is none of a final answer, which has 200 to 599", a.Status)
	case a.Body != "" && a.File != "":
		return errors.New("answer: body and file exclude each other")
	}
	st.answer, err = fields("answer: header", a.Header)
	return err
}

func token(s string) bool { // RFC 9110, 5.6.2
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

// file reads what a rule names.
func (s *Set) file(name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.dir, name)
	}
	return s.read(name)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name) // a pipe would be waited for
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	return data, err
}
