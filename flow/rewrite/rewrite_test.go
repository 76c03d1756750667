package rewrite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/rewrite"
)

// message reads a head and a body as they stand on the wire.
func message(text string) *flow.Message {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	m := &flow.Message{Proto: "HTTP/1.1", Head: []byte(head)}
	first := strings.SplitN(lines[0], " ", 3)
	if n := 0; strings.HasPrefix(lines[0], "HTTP/") {
		fmt.Sscan(first[1], &n)
		m.Status, m.Reason = n, first[2]
	} else {
		m.Method, m.Target = first[0], first[1]
	}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		m.Header = append(m.Header, flow.Field{Name: name, Value: strings.TrimSpace(value), Raw: l + "\r\n"})
	}
	m.SetBody([]byte(body))
	return m
}

func show(m *flow.Message) string {
	var b strings.Builder
	if m.Status != 0 {
		fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", m.Status, m.Reason)
	} else {
		fmt.Fprintf(&b, "%s %s\n", m.Method, m.Target)
	}
	for _, f := range m.Header {
		b.WriteString(strings.TrimRight(f.Line(), "\r\n") + "\n")
	}
	return b.String() + "\n" + string(m.Body.Data)
}

const order = `POST /v1/orders?page=2&debug=1&page=3
host:  api.shop.test
X-Odd:kept   as it is
Cookie: a=1
Content-Type: application/json
Content-Length: 20

{"qty": 2, "sku":1 }`

const refused = `HTTP/1.1 403 Forbidden
Content-Type: text/plain
Set-Cookie: a=1
Set-Cookie: b=2
Content-Length: 12

not for you!`

// TestRules has for each rule what becomes of a message, and what is said about it.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name, rule, in string
		want           []string // lines that are there
		not            []string // that are not
		notes          string
	}{
		{"a header set in its place", "set-header: [\"X-ODD: new\", \"X-New: yes\"]", order,
			[]string{"host:  api.shop.test\nX-Odd: new\nCookie: a=1\n", "Content-Length: 20\nX-New: yes\n"}, nil, "header X-ODD, X-New"},
		{"a header that is so already", "set-header: [\"X-Odd: kept   as it is\"]", order, []string{"X-Odd:kept   as it is\n"}, nil, ""},
		{"a header removed", "remove-header: [cookie, x-none]", order, nil, []string{"Cookie"}, "header cookie"},
		{"a header added once more", "add-header: [\"Cookie: b=2\"]", order, []string{"Cookie: a=1\n", "Cookie: b=2\n"}, nil, "header Cookie"},
		{"the method", "method: PUT", order, []string{"PUT /v1/orders"}, nil, "method PUT instead of POST"},
		{"the path", "path: /v2/orders", order, []string{"POST /v2/orders?page=2&debug=1&page=3\n"}, nil, "path /v2/orders instead of /v1/orders"},
		{"the query", "set-query: [\"page=7 8\", new=1]\nremove-query: [debug, none]", order,
			[]string{"POST /v1/orders?page=7+8&new=1\n"}, []string{"debug"}, "query page, new, debug"},
		{"another server", "to: http://127.0.0.1:8080", order, []string{"host: 127.0.0.1:8080\n"}, nil,
			"sent to http://127.0.0.1:8080 instead of https://api.shop.test"},
		{"another server, under the name of the first", "to: https://staging.shop.test\nkeep-host: true", order, []string{"host:  api.shop.test\n"}, nil,
			"sent to https://staging.shop.test instead of https://api.shop.test"},
		{"the same server", "to: https://api.shop.test:443", order, []string{"host:  api.shop.test\n"}, nil, ""},
		{"text in the body", "replace-body: [{find: '\"qty\"', with: '\"quantity\"'}]", order,
			[]string{"Content-Length: 25\n", "\n{\"quantity\": 2, \"sku\":1 }"}, nil, "body, 1 replaced"},
		{"a regular expression", "replace-body: [{find: '/(\\w+)\": 2/', with: '$1\": 3'}]", order, []string{"{\"qty\": 3, \"sku\":1 }"}, nil, "body, 1 replaced"},
		{"text that is not there", "replace-body: [{find: none, with: x}]", order, []string{"Content-Length: 20\n", "{\"qty\": 2, \"sku\":1 }"}, nil, ""},
		{"the whole body", "body: '{}'", order, []string{"Content-Length: 2\n", "\n\n{}"}, nil, "another body"},
		{"no body", "body: ''", order, []string{"Content-Length: 0\n"}, []string{"qty"}, "another body"},
		{"JSON", "set-json: ['$.qty = 30', '$.new = \"a\"']\nremove-json: [$.sku, $.none]", order, []string{"\n{\"qty\": 30, \"new\": \"a\" }"}, nil, "JSON $.qty, $.new, $.sku"},
		{"JSON that is none", "set-json: ['$.qty = 30']", strings.Replace(order, "{", "[", 1), []string{"[\"qty\""}, nil, "the body stayed as it was: it is no JSON"},
		{"a wait", "delay: 300ms", order, nil, nil, "waited 300ms"},
		{"what the filter leaves out", "match: method:get\nmethod: PUT", order, []string{"POST /"}, nil, ""},
		{"what the filter finds in the body", "match: body:qty\nmethod: PUT", order, []string{"PUT /"}, nil, "method PUT"},

		{"a status", "at: response\nstatus: 200", refused, []string{"HTTP/1.1 200 OK\n", "not for you!"}, nil, "status 200 instead of 403"},
		{"headers of a response", "at: response\nmatch: status:403\nset-header: [\"Set-Cookie: c=3\"]", refused,
			[]string{"Content-Type: text/plain\nSet-Cookie: c=3\nContent-Length: 12\n"}, []string{"a=1", "b=2"}, "header Set-Cookie"},
		{"text of a response", "at: response\nreplace-body: [{find: not, with: is}]", refused, []string{"Content-Length: 11\n", "\nis for you!"}, nil, "body, 1 replaced"},
		{"a response made empty", "at: response\nbody: ''", refused, []string{"Content-Length: 0\n"}, []string{"for you"}, "another body"},
		{"a response that does not match", "at: response\nmatch: status:404\nstatus: 200", refused, []string{"403 Forbidden"}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, stage := flowOf(c.in)
			before := show(part(f, stage))
			got := set(t, c.rule).Apply(f, stage, time.Time{}, have)
			text := show(part(got.Flow, stage))
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("lacks %q:\n%s", w, text)
				}
			}
			for _, w := range c.not {
				if strings.Contains(text, w) {
					t.Errorf("still has %q:\n%s", w, text)
				}
			}
			notes := strings.Join(got.Notes, " | ")
			if c.notes == "" && notes != "" || !strings.Contains(notes, c.notes) || notes != "" && !strings.HasPrefix(notes, "rule 1: ") {
				t.Errorf("says %q", notes)
			}
			if after := show(part(f, stage)); after != before {
				t.Errorf("the flow that was given changed:\n%s", cmp.Diff(before, after))
			}
			if c.notes == "" && got.Flow != f {
				t.Error("an unaffected flow was copied")
			}
			if m := part(got.Flow, stage); string(m.Head) != string(part(f, stage).Head) {
				t.Error("the head as it came is lost")
			}
		})
	}
}

func flowOf(text string) (*flow.Flow, filter.Phase) {
	f := &flow.Flow{Scheme: "https", Authority: "api.shop.test"}
	if strings.HasPrefix(text, "HTTP/") {
		f.Request, f.Response = message("GET /\nhost: api.shop.test\n\n"), message(text)
		return f, filter.Responses
	}
	f.Request = message(text)
	return f, filter.Requests
}

func part(f *flow.Flow, stage filter.Phase) *flow.Message {
	if stage == filter.Responses {
		return f.Response
	}
	return f.Request
}

func have(*flow.Message) error { return nil }

func set(t *testing.T, rules ...string) *rewrite.Set {
	t.Helper()
	var list []rewrite.Rule
	for _, text := range rules {
		r, err := rewrite.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	s, err := rewrite.Compile(list, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRulesBuildOnEachOther(t *testing.T) {
	f, stage := flowOf(order)
	s := set(t, "name: one\nmethod: PUT", "match: method:put\nset-header: [\"X-Seen: put\"]", "match: method:post\nset-header: [\"X-Seen: post\"]")
	got := s.Apply(f, stage, time.Time{}, have)
	if got.Flow.Request.Header.Get("X-Seen") != "put" {
		t.Error(show(got.Flow.Request))
	}
	if d := cmp.Diff([]string{`rule "one": method PUT instead of POST`, "rule 2: header X-Seen"}, got.Notes); d != "" {
		t.Error(d)
	}
}

func TestACodedBodyIsCodedAgain(t *testing.T) {
	f, stage := flowOf(refused)
	packed, err := decode.Encode([]byte("not for you!"), "gzip")
	if err != nil {
		t.Fatal(err)
	}
	f.Response.SetBody(packed)
	f.Response.Header.Set("Content-Length", fmt.Sprint(len(packed)))
	f.Response.Header.Add("Content-Encoding", "gzip")
	got := set(t, "at: response\nreplace-body: [{find: not, with: is}]").Apply(f, stage, time.Time{}, have).Flow.Response
	text, _, err := decode.Content(got, 0)
	if err != nil || string(text) != "is for you!" || got.Header.Get("Content-Length") != fmt.Sprint(len(got.Body.Data)) {
		t.Errorf("%q %v %s", text, err, got.Header.Get("Content-Length"))
	}
}

func TestABodyThatCannotBeHadStays(t *testing.T) {
	f, stage := flowOf(order)
	calls := 0
	got := set(t, "method: PUT\nbody: x", "body: y").Apply(f, stage, time.Time{}, func(*flow.Message) error {
		calls++
		return errors.New("it is larger than 1 MiB")
	})
	if got.Flow.Request.Method != "PUT" || string(got.Flow.Request.Body.Data) != string(f.Request.Body.Data) {
		t.Error(show(got.Flow.Request))
	}
	if d := cmp.Diff([]string{"rule 1: method PUT instead of POST, the body stayed as it was: it is larger than 1 MiB", "rule 2: the body stayed as it was: it is larger than 1 MiB"}, got.Notes); d != "" {
		t.Error(d)
	}
	if calls != 1 {
		t.Errorf("asked for the body %d times", calls)
	}
}

func TestABodyIsNotFetchedWithoutNeed(t *testing.T) {
	f, stage := flowOf(order)
	set(t, "set-header: [\"A: b\"]", "match: method:get\nbody: x").Apply(f, stage, time.Time{}, func(*flow.Message) error {
		t.Error("it was")
		return nil
	})
}

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cart.json"), []byte(`{"items":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rule, want, note string
	}{
		{"answer: {file: cart.json}", "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 12\n\n{\"items\":[]}", "answered 200 from cart.json; the server was not asked"},
		{"answer: {status: 418, header: ['Content-Type: x/y'], body: short}", "HTTP/1.1 418 I'm a teapot\nContent-Type: x/y\nContent-Length: 5\n\nshort", "answered 418; the server was not asked"},
		{"answer: {status: 204}", "HTTP/1.1 204 No Content\n\n", "answered 204"},
		{"answer: {status: 200}", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "answered 200"},
		{"answer: {file: none.json}", "", "did not answer: open"},
	} {
		r, err := rewrite.ParseRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		s, err := rewrite.Compile([]rewrite.Rule{r, {Method: "PUT"}}, dir)
		if err != nil {
			t.Fatal(err)
		}
		f, stage := flowOf(order)
		got := s.Apply(f, stage, time.Time{}, have)
		if !strings.Contains(strings.Join(got.Notes, "|"), c.note) {
			t.Errorf("%s: says %q", c.rule, got.Notes)
		}
		switch {
		case c.want == "" && (got.Answer != nil || got.Flow.Request.Method != "PUT"):
			t.Errorf("%s: answered %v, or the next rule did not apply", c.rule, got.Answer)
		case c.want != "" && (got.Answer == nil || show(got.Answer) != c.want || len(got.Notes) != 1):
			t.Errorf("%s: %v %q", c.rule, got.Answer, got.Notes)
		}
	}
}

func TestWrongRulesAreNamed(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"- match: status:403\n  method: PUT", "line 1: rule 1: match: at 1:"},
		{"- method: PUT\n\n- name: b\n  match: '('\n  method: PUT", `line 3: rule "b": match: at`},
		{"- nothing: 1", `line 1: "nothing" is no key of a rule`},
		{"- method: PUT\n  set_header: [a]", `line 2: "set_header" is no key of a rule; set-header is one`},
		{"- answer:\n    stats: 1", `line 2: "stats" is no key of answer; status is one`},
		{"- replace-body:\n  - find: a\n    wth: b", `line 3: "wth" is no key of replace-body; with is one`},
		{"- set-header:\n  - X-CSRFToken: tok", `line 2: "X-CSRFToken" is read as a key, and set-header has none: put the whole text in quotes`},
		{"- name: x", "it does nothing"},
		{"- delay: 1", `line 1: delay: "1" is no duration`},
		{"- delay: 1h", "delay: between 0 and 5m"},
		{"- at: reply\n  status: 200", "at: \"reply\" is no message"},
		{"- status: 200", "status: a request has none; write at: response"},
		{"- at: response\n  status: 99", "status: 99"},
		{"- at: response\n  to: https://a", "to: a response has none"},
		{"- to: a.test", `to: "a.test" is no server`},
		{"- to: https://a.test/path", "and the path with path"},
		{"- method: a b", "method"},
		{"- path: orders", "path"},
		{"- set-query: [a]", "write name=value"},
		{"- set-header: [\"A\"]", "write Name: value"},
		{"- set-header: [\"A B: c\"]", `"A B" is no name`},
		{"- set-header: [\"A: b\\r\\nC: d\"]", "line break"},
		{"- set-header: [\"Content-Length: 3\"]", "follows the body"},
		{"- remove-header: [transfer-encoding]", "follows the body"},
		{"- body: a\n  set-json: [$.a = 1]", "exclude each other"},
		{"- set-json: [\"$.a = b\"]", "is no JSON"},
		{"- set-json: [\"a = 1\"]", "write path = value"},
		{"- replace-body: [{find: '/(/', with: a}]", "replace-body: error parsing regexp"},
		{"- replace-body: [{find: '', with: a}]", "find is empty"},
		{"- answer: {status: 101}", "none of a final answer"},
		{"- answer: {body: a, file: b}", "exclude each other"},
		{"- keep-host: true\n  method: PUT", "goes with to"},
		{"- method: [", "line 1"},
		{"method: PUT", "(nothing)"}, // a configuration without rules
		{"rules: {method: PUT}", "line 1: rules are a list"},
		{"- just words", "line 1: a rule has lines such as"},
		{"- disabled: maybe\n  method: PUT", "cannot unmarshal"},
	} {
		rules, err := rewrite.Parse([]byte(c.file))
		if err == nil {
			_, err = rewrite.Compile(rules, "")
		}
		if err == nil {
			if c.want != "(nothing)" {
				t.Errorf("%q: no error, want %q", c.file, c.want)
			}
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.file, err, c.want)
		}
	}
}

func TestARuleThatIsOffIsCheckedAndDoesNothing(t *testing.T) {
	s := set(t, "disabled: true\nmethod: PUT")
	if !s.Empty() || s.Wants(filter.Requests) {
		t.Error("it is at work")
	}
	if _, err := rewrite.Compile([]rewrite.Rule{{Disabled: true, Method: "a b"}}, ""); err == nil {
		t.Error("it was not checked")
	}
}

func TestSavedRulesAreReadAgain(t *testing.T) {
	const config = "# mine\nlisten: 127.0.0.1:9000\nrules:\n  # gone\n  - method: PUT\n\n# the rest\ntunnel: [a.test]\n"
	body := "x"
	rules := []rewrite.Rule{
		{Name: "a", Match: `method:post path:"/a b"`, SetHeader: []string{"X: '1'"}, Delay: rewrite.Duration(1500 * time.Millisecond), Disabled: true},
		{At: rewrite.AtResponse, Status: 200, Body: &body, Replace: nil},
		{Answer: &rewrite.Answer{File: "a.json", Header: []string{"A: b"}}, Match: "host:x"},
	}
	for _, c := range []struct{ name, old, begin, end string }{
		{"a new file", "", "rules:\n", ""},
		{"a list", "- method: PUT\n", "- name: a\n", ""},
		{"a configuration", config, "# mine\nlisten: 127.0.0.1:9000\nrules:\n", "\n# the rest\ntunnel: [a.test]\n"},
		{"one without rules", "listen: 127.0.0.1:9000", "listen: 127.0.0.1:9000\nrules:\n", ""},
		{"comments alone", "# nothing yet", "# nothing yet\nrules:\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "deep", "rules.yaml")
			if c.old != "" {
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(c.old), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			b, err := rewrite.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Replace(rules); err != nil {
				t.Fatal(err)
			}
			if err := b.Save(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), c.begin) || !strings.HasSuffix(string(text), c.end) {
				t.Errorf("the file is\n%s", text)
			}
			again, err := rewrite.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(texts(rules), texts(again)); d != "" {
				t.Error(d)
			}
			want := os.FileMode(0o600)
			if c.old != "" {
				want = 0o640
			}
			if info, _ := os.Stat(path); info.Mode().Perm() != want {
				t.Errorf("mode %v, want %v", info.Mode(), want)
			}
		})
	}
}

func TestJSONIsReadAndNotWritten(t *testing.T) {
	for _, text := range []string{"[\n\t{\"method\": \"PUT\", \"set-header\": [\"A: b\"]}\n]\n", "{\n\t\"rules\": [\n\t\t{\"method\": \"PUT\"}\n\t]\n}\n"} {
		path := filepath.Join(t.TempDir(), "rules.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := rewrite.Open(path)
		if err != nil || b.On() != 1 {
			t.Fatalf("%d rules, %v", b.On(), err)
		}
		if err := b.Save(); err == nil || !strings.Contains(err.Error(), "is JSON") {
			t.Error(err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("the file is now %s", now)
		}
	}
}

func texts(rules []rewrite.Rule) (s []string) {
	for _, r := range rules {
		s = append(s, r.Text())
	}
	return s
}

func TestABrokenFileChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if b, err := rewrite.Open(path); err != nil || b.Set() != nil {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("rules:\n- method: PUT\n- match: '('\n  method: PUT\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rewrite.Open(path); err == nil || !strings.Contains(err.Error(), path+": line 3: rule 2: match: at") {
		t.Error(err)
	}
	b := rewrite.NewBook("")
	if err := b.Replace([]rewrite.Rule{{Method: "PUT"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Replace([]rewrite.Rule{{Method: "a b"}}); err == nil || len(b.Rules()) != 1 || b.Set() == nil {
		t.Errorf("%v, %d rules", err, len(b.Rules()))
	}
	if err := b.Replace([]rewrite.Rule{{Method: "PUT", Disabled: true}}); err != nil || b.Set() != nil {
		t.Error("a book where no rule is on has a set")
	}
}

func TestDoesNamesNoValues(t *testing.T) {
	r := rewrite.Rule{SetHeader: []string{"Authorization: Bearer secret"}, SetQuery: []string{"key=secret"}, SetJSON: []string{`$.a = "secret"`}}
	if got := r.Does(); strings.Contains(got, "secret") || got != "set query key; set Authorization; set $.a" {
		t.Error(got)
	}
}

// TestTheManual has every rule in the manual work, and every key of a rule in the manual.
func TestTheManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/rewrite.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(data), "```") {
		text, ok := strings.CutPrefix(part, "yaml\n")
		if i%2 == 0 || !ok {
			continue
		}
		rules, err := rewrite.Parse([]byte(text))
		if err == nil {
			_, err = rewrite.Compile(rules, "")
		}
		if err != nil || len(rules) == 0 {
			t.Errorf("%d rules, %v:\n%s", len(rules), err, text)
		}
	}
	for _, key := range rewrite.Keys() {
		if !strings.Contains(string(data), "`"+key) && !strings.Contains(string(data), key+":") {
			t.Errorf("the manual does not know %s", key)
		}
	}
}
