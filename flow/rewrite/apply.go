package rewrite

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/filter"
)

// Result is what became of a message.
type Result struct {
	// Flow is the flow with the message as it is to go on; the one given if no rule changed it.
	Flow *flow.Flow
	// Answer is what the client gets without the server being asked; nil: it is asked.
	Answer *flow.Message
	// Delay is how long the message waits before it goes on.
	Delay time.Duration
	// Notes tell, a phrase each, which rule did what, or why it could not, for Flow.Altered.
	Notes []string
}

// Fetch makes the body of a message of the flow whole. An error says why it
// cannot be had; what is there of it then stays as it is. It is called at most
// once, and only if a rule needs the body.
type Fetch func(*flow.Message) error

// Apply does what the rules for a stage say to f's message, without changing f
// but for the body that load fills in.
func (s *Set) Apply(f *flow.Flow, stage filter.Phase, now time.Time, load Fetch) Result {
	w := work{Result: Result{Flow: f}, set: s, stage: stage, load: load}
	for i := range s.steps[index(stage)] {
		st := &s.steps[index(stage)][i]
		if st.expr.UsesBody() {
			w.whole()
		}
		if !st.expr.Match(filter.Of(w.Flow, nil, now)) {
			continue
		}
		w.st, w.did = st, nil
		w.step()
		if len(w.did) > 0 {
			w.Notes = append(w.Notes, st.label+": "+strings.Join(w.did, ", "))
		}
		if w.Answer != nil {
			break
		}
	}
	return w.Result
}

// work is one message on its way through the rules.
type work struct {
	Result
	set    *Set
	stage  filter.Phase
	load   Fetch
	loaded bool
	lack   error // why the body is not at hand

	st  *step
	did []string
}

func (w *work) note(format string, a ...any) { w.did = append(w.did, fmt.Sprintf(format, a...)) }

// whole has the body filled in.
func (w *work) whole() error {
	if !w.loaded {
		w.loaded = true
		w.lack = w.load(w.message())
	}
	return w.lack
}

func (w *work) message() *flow.Message {
	if w.stage == filter.Responses {
		return w.Flow.Response
	}
	return w.Flow.Request
}

// set puts m in the place of the message; the one before stays as it is.
func (w *work) put(m *flow.Message) {
	f := *w.Flow
	m.Head = w.message().Head // as it came
	if w.stage == filter.Responses {
		f.Response = m
	} else {
		f.Request = m
	}
	w.Flow = &f
}

// own is a copy of the message that may be changed.
func (w *work) own() *flow.Message {
	m := *w.message()
	m.Header = slices.Clone(m.Header)
	return &m
}

func (w *work) step() {
	if w.st.Delay > 0 {
		w.Delay += time.Duration(w.st.Delay)
		w.note("waited %s", time.Duration(w.st.Delay))
	}
	if w.st.Answer != nil {
		w.answer()
		return
	}
	if w.stage == filter.Requests {
		w.line()
	} else if s := w.st.Status; s != 0 && s != w.message().Status {
		m := w.own()
		w.note("status %d instead of %d", s, m.Status)
		m.Status, m.Reason = s, http.StatusText(s)
		w.put(m)
	}
	w.header()
	if w.st.body {
		w.content()
	}
}

// line changes where a request goes and what it asks for.
func (w *work) line() {
	st := w.st
	if st.host != "" && (st.scheme != w.Flow.Scheme || st.host != w.Flow.Authority) {
		w.note("sent to %s://%s instead of %s://%s", st.scheme, st.host, w.Flow.Scheme, w.Flow.Authority)
		f := *w.Flow
		f.Scheme, f.Authority, f.Conn.Target = st.scheme, st.host, flow.HostPort(st.scheme, st.host)
		w.Flow = &f
		if m := w.own(); !st.KeepHost && m.Header.Has("Host") && m.Header.Get("Host") != st.host {
			m.Header.Set("Host", st.host)
			w.put(m)
		}
	}
	if m := w.message(); st.Method != "" && st.Method != m.Method {
		w.note("method %s instead of %s", st.Method, m.Method)
		m = w.own()
		m.Method = st.Method
		w.put(m)
	}
	if was := w.Flow.Path(); st.Path != "" && st.Path != was {
		m := w.own()
		_, query, asked := strings.Cut(m.Target, "?")
		if m.Target = st.Path; asked {
			m.Target += "?" + query
		}
		w.note("path %s instead of %s", st.Path, was)
		w.put(m)
	}
	var p flow.Patch
	var names []string
	pairs := decode.Query(w.Flow.Query())
	change := func(name string, value *string) {
		n := 0
		for _, q := range pairs {
			if q.Name != name {
				continue
			}
			c := flow.Change{Part: flow.InQuery, Name: name, Index: n, Before: new(string)}
			if n == 0 {
				c.After = value
			}
			p = append(p, c)
			n++
		}
		if n == 0 && value != nil {
			p = append(p, flow.Change{Part: flow.InQuery, Name: name, After: value})
			n++
		}
		if n > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, q := range st.query {
		value := decode.EscapeForm(q[1])
		change(q[0], &value)
	}
	for _, name := range st.CutQuery {
		change(name, nil)
	}
	was := w.message().Target
	if w.patch(p) && w.message().Target != was {
		w.note("query %s", strings.Join(names, ", "))
	}
}

// patch makes changes that package diff knows how to make, on a message of either kind.
func (w *work) patch(p flow.Patch) bool {
	if len(p) == 0 {
		return false
	}
	m, err := diff.Apply(&flow.Flow{Scheme: w.Flow.Scheme, Authority: w.Flow.Authority, Request: w.message()}, p)
	if err != nil {
		w.note("did not apply: %v", err)
		return false
	}
	w.put(m)
	return true
}

// header changes lines of the header; the others keep their bytes.
func (w *work) header() {
	m := w.own()
	var names []string
	changed := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range w.st.CutHeader {
		if m.Header.Has(name) {
			m.Header.Del(name)
			changed(name)
		}
	}
	for _, f := range w.st.set {
		if m.Header.Count(f.Name) == 1 && m.Header.Get(f.Name) == f.Value {
			continue
		}
		m.Header.Set(f.Name, f.Value)
		changed(f.Name)
	}
	for _, f := range w.st.add {
		m.Header.Add(f.Name, f.Value)
		changed(f.Name)
	}
	if len(names) > 0 {
		w.put(m)
		w.note("header %s", strings.Join(names, ", "))
	}
}

// content changes the body.
func (w *work) content() {
	if err := w.whole(); err != nil {
		w.note("the body stayed as it was: %v", err)
		return
	}
	st, p := w.st, flow.Patch(nil)
	said := "body"
	replace := func(text string) {
		p = flow.Patch{{Part: flow.InBody, Before: new(string), After: &text}}
	}
	switch {
	case st.Body != nil:
		replace(*st.Body)
		said = "another body"
	case st.BodyFile != "":
		data, err := w.set.file(st.BodyFile)
		if err != nil {
			w.note("the body stayed as it was: %v", err)
			return
		}
		replace(string(data))
		said = "body from " + st.BodyFile
	case len(st.finds) > 0:
		text, cut, err := decode.Content(w.message(), 0)
		if cut && err == nil {
			err = fmt.Errorf("decoded, it is too large")
		}
		if err != nil {
			w.note("the body stayed as it was: %v", err)
			return
		}
		out, n := replaced(string(text), st.finds)
		if n == 0 {
			return
		}
		replace(out)
		said = fmt.Sprintf("body, %d replaced", n)
	default:
		text, _, err := decode.Content(w.message(), 0)
		if err != nil {
			w.note("the body stayed as it was: %v", err)
			return
		}
		doc, err := decode.ParseJSON(text)
		if err != nil {
			w.note("the body stayed as it was: it is no JSON: %v", err)
			return
		}
		var names []string
		for _, j := range st.json {
			c := flow.Change{Part: flow.InJSON, Name: j[0], After: &j[1]}
			if doc.Find(j[0]).Exists() {
				c.Before = new(string)
			}
			p, names = append(p, c), append(names, j[0])
		}
		for _, path := range st.CutJSON {
			if doc.Find(path).Exists() {
				p, names = append(p, flow.Change{Part: flow.InJSON, Name: path, Before: new(string)}), append(names, path)
			}
		}
		said = "JSON " + strings.Join(names, ", ")
	}
	before := w.message().Body.Data
	if w.patch(p) {
		w.framed()
		if !slices.Equal(before, w.message().Body.Data) {
			w.note("%s", said)
		}
	}
}

// framed says of a response that has become empty that it is: without a length it would end with the connection.
func (w *work) framed() {
	if m := w.message(); w.stage == filter.Responses && m.Body.Size == 0 && m.Body.Framing != flow.Chunked {
		m.Header.Set("Content-Length", "0")
		m.Body.Framing = flow.NoBody
	}
}

func replaced(text string, finds []find) (string, int) {
	n := 0
	for _, f := range finds {
		if f.re == nil {
			n += strings.Count(text, f.text)
			text = strings.ReplaceAll(text, f.text, f.with)
			continue
		}
		n += len(f.re.FindAllStringIndex(text, -1))
		text = f.re.ReplaceAllString(text, f.with)
	}
	return text, n
}

// answer makes the response that the client gets instead of the server's.
func (w *work) answer() {
	a := w.st.Answer
	m := &flow.Message{Proto: "HTTP/1.1", Status: a.status(), Reason: http.StatusText(a.status()), Header: slices.Clone(flow.Header(w.st.answer))}
	body := []byte(a.Body)
	if a.File != "" {
		data, err := w.set.file(a.File)
		if err != nil {
			w.note("did not answer: %v", err)
			return
		}
		body = data
	}
	if !m.Header.Has("Content-Type") && len(body) > 0 {
		m.Header.Add("Content-Type", mediaType(a.File, body))
	}
	if m.Status != http.StatusNoContent && m.Status != http.StatusNotModified {
		m.Header.Add("Content-Length", strconv.Itoa(len(body)))
		m.SetBody(body)
	}
	from := ""
	if a.File != "" {
		from = " from " + a.File
	}
	w.note("answered %d%s; the server was not asked", m.Status, from)
	w.Answer = m
}
