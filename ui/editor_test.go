package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

func form1(t *testing.T, method, url, body string, headers ...string) *editor {
	t.Helper()
	f := request(0, method, url, body, headers...)
	f.ID = 5
	return newEditor(f, f.Request.Body.Data, session.Row{ID: 5, Status: 403}, nil, compare{})
}

// at puts the cursor on the value of a header.
func (e *editor) on(name string, col int) {
	for i := range e.heads {
		if e.heads[i].name.s == name {
			e.at = fieldID{partHeader, i, col}
			return
		}
	}
	panic("no header " + name)
}

func (e *editor) write(text string) {
	for _, r := range text {
		e.typed(string(r), string(r))
	}
}

// lines are the header lines that would be sent.
func lines(t *testing.T, e *editor) string {
	t.Helper()
	_, m, err := e.request()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, h := range m.Header {
		b.WriteString(h.Line())
	}
	return b.String()
}

func TestUnchangedLinesKeepTheirBytes(t *testing.T) {
	f := request(0, "POST", "https://a.test/x", "{}")
	f.Request.Header = flow.Header{
		{Name: "hOsT", Value: "a.test", Raw: "hOsT:a.test\r\n"},
		{Name: "X-Odd", Value: "a b", Raw: "X-Odd:  a\r\n b\r\n"},
		{Name: "Content-Length", Value: "2", Raw: "Content-Length:2\n"},
	}
	e := newEditor(f, f.Request.Body.Data, session.Row{}, nil, compare{})
	if got, want := lines(t, e), "hOsT:a.test\r\nX-Odd:  a\r\n b\r\nContent-Length:2\n"; got != want {
		t.Errorf("untouched: %q, want %q", got, want)
	}
	e.on("X-Odd", 1)
	e.write("c")
	if got, want := lines(t, e), "hOsT:a.test\r\nX-Odd: a bc\r\nContent-Length:2\n"; got != want {
		t.Errorf("one changed: %q, want %q", got, want)
	}
	e.typed("backspace", "")
	if got := lines(t, e); !strings.Contains(got, "X-Odd:  a\r\n b\r\n") {
		t.Errorf("changed back: %q", got)
	}
}

func TestContentLength(t *testing.T) {
	for _, c := range []struct {
		name    string
		body    string
		headers []string
		do      func(e *editor)
		want    string // header lines about length
		framing flow.Framing
	}{
		{"follows the body", "{}", nil, func(e *editor) { e.at = fieldID{part: partBody}; e.write("ab") }, "Content-Length: 4\r\n", flow.ByLength},
		{"not when it was edited", "{}", nil, func(e *editor) {
			e.on("Content-Length", 1)
			e.typed("backspace", "")
			e.write("7")
			e.at = fieldID{part: partBody}
			e.write("ab")
		}, "Content-Length: 7\r\n", flow.ByLength},
		{"not when it was wrong to begin with", "{}", []string{"Content-Length", "9"}, func(e *editor) {
			e.on("Content-Length", 0)
			e.remove()
			e.heads[len(e.heads)-1].auto = false
		}, "Content-Length: 2\r\n", flow.ByLength},
		{"is added with a body", "", nil, func(e *editor) { e.at = fieldID{part: partBody}; e.write("abc") }, "Content-Length: 3\r\n", flow.ByLength},
		{"is not added without one", "", nil, func(*editor) {}, "", flow.NoBody},
		{"is not added beside chunked", "", []string{"Transfer-Encoding", "chunked"}, func(e *editor) { e.at = fieldID{part: partBody}; e.write("abc") }, "Transfer-Encoding: chunked\r\n", flow.Chunked},
		{"is added anew when it is left out", "{}", nil, func(e *editor) { e.on("Content-Length", 1); e.toggle() }, "Content-Length: 2\r\n", flow.ByLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := form1(t, "POST", "https://a.test/x", c.body, c.headers...)
			c.do(e)
			_, m, err := e.request()
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, h := range m.Header {
				if n := strings.ToLower(h.Name); n == "content-length" || n == "transfer-encoding" {
					got += h.Line()
				}
			}
			if got != c.want || m.Body.Framing != c.framing {
				t.Errorf("%q framing %d, want %q framing %d", got, m.Body.Framing, c.want, c.framing)
			}
		})
	}
}

func TestHeaderTable(t *testing.T) {
	e := form1(t, "POST", "https://a.test/x", "", "A", "1", "B", "2")
	names := func() string {
		_, m, err := e.request()
		if err != nil {
			t.Fatal(err)
		}
		var ns []string
		for _, h := range m.Header[2:] { // after Host and User-Agent
			ns = append(ns, h.Name+"="+h.Value)
		}
		return strings.Join(ns, " ")
	}
	step := func(what, want string) {
		t.Helper()
		if got := names(); got != want {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
	}
	e.on("A", 0)
	e.double()
	step("duplicate", "A=1 A=1 B=2")
	e.shift(1)
	step("lower", "A=1 B=2 A=1")
	e.toggle()
	step("off", "A=1 B=2")
	e.toggle()
	step("on", "A=1 B=2 A=1")
	e.remove()
	step("delete", "A=1 B=2")
	e.on("A", 1)
	e.add()
	e.write("C")
	e.next(1)
	e.write("3")
	step("add", "A=1 C=3 B=2")
	e.takeBack()
	e.takeBack()
	e.takeBack()
	step("undo the value, the name and the row", "A=1 B=2")
	e.reset()
	step("reset", "A=1 B=2")
}

func TestWhatCannotBeSentSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(e *editor)
		want string
	}{
		{"no method", func(e *editor) { e.method.set("") }, "method"},
		{"method with a space", func(e *editor) { e.method.set("GE T") }, "method"},
		{"no scheme", func(e *editor) { e.url.set("a.test/x") }, "begins with http:// or https://"},
		{"no host", func(e *editor) { e.url.set("https:///x") }, "names no host"},
		{"space in the path", func(e *editor) { e.url.set("https://a.test/a b") }, "%20"},
		{"name with a colon", func(e *editor) { e.add(); e.write("A:") }, `name "A:"`},
		{"value with a line break", func(e *editor) { e.add(); e.write("A"); e.heads[e.at.row].value.s = "x\r\nB: 1" }, "holds no line break"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := form1(t, "GET", "https://a.test/x", "")
			c.do(e)
			if _, _, err := e.request(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestSplitURL(t *testing.T) {
	for _, c := range []struct{ in, scheme, authority, target string }{
		{"https://a.test/b?c=%2f", "https", "a.test", "/b?c=%2f"},
		{"http://a.test:8080", "http", "a.test:8080", "/"},
		{"HTTP://a.test?x", "http", "a.test", "/?x"},
		{"https://[::1]:8443/a//b/../c", "https", "[::1]:8443", "/a//b/../c"},
		{"https://a.test/x#frag", "https", "a.test", "/x"},
		{"https://a.test/{x}|'\"", "https", "a.test", "/{x}|'\""},
		{"https://a.test*", "https", "a.test", "*"},
	} {
		s, a, target, err := splitURL(c.in)
		if err != nil || s != c.scheme || a != c.authority || target != c.target {
			t.Errorf("%s: %q %q %q %v", c.in, s, a, target, err)
		}
	}
}

func TestAnotherHostMovesHost(t *testing.T) {
	e := form1(t, "GET", "https://a.test/x", "")
	e.url.set("http://b.test:80/x")
	to, m, err := e.request()
	if err != nil {
		t.Fatal(err)
	}
	if to.Scheme != "http" || to.Authority != "b.test" || m.Header.Get("Host") != "b.test" {
		t.Errorf("goes to %s://%s with Host %s", to.Scheme, to.Authority, m.Header.Get("Host"))
	}
	e = form1(t, "GET", "https://a.test/x", "")
	e.on("Host", 1)
	e.write("x")
	e.url.set("https://b.test/x")
	if _, m, _ = e.request(); m.Header.Get("Host") != "a.testx" {
		t.Errorf("a Host that was edited was overwritten: %s", m.Header.Get("Host"))
	}
}

func TestBodyKeepsItsBytes(t *testing.T) {
	for _, body := range []string{"a\r\nb\r\n", "no newline at the end", "tab\there", "\n", "注文\u200b", "{}\n\n"} {
		e := form1(t, "POST", "https://a.test/x", body)
		e.body.view(plain(), 20, 5, true)
		if got := string(e.content()); got != body {
			t.Errorf("%q became %q", body, got)
		}
		e.at = fieldID{part: partBody}
		e.body.key("ctrl+home", "")
		e.write("x")
		if got := string(e.content()); got != "x"+body {
			t.Errorf("%q became %q", body, got)
		}
	}
	e := form1(t, "POST", "https://a.test/x", "\x00\x01\xff binary")
	if e.asText {
		t.Error("a binary body is edited as text")
	}
	e.on("Content-Length", 1)
	if got := lines(t, e); !strings.Contains(got, "Content-Length: 10\r\n") {
		t.Errorf("%q", got)
	}
}

func TestABodyThatWasCutIsNotSent(t *testing.T) {
	f := request(0, "POST", "https://a.test/x", "abc")
	f.Request.Body.Size, f.Request.Body.Kept = 900, 3
	e := newEditor(f, f.Request.Body.Data, session.Row{}, nil, compare{})
	if _, _, err := e.request(); err == nil || !strings.Contains(err.Error(), "only 3 B of the body's 900 B were kept") {
		t.Errorf("%v", err)
	}
}

func TestAreaMovesByRows(t *testing.T) {
	a := newArea("abcdefghij\n注文x\n\nend")
	a.w, a.rows = 4, nil
	a.at = 2
	var seen []int
	for range 6 {
		a.key("down", "")
		seen = append(seen, a.at)
	}
	// abcd|efgh|ij|注文|x||end from column 2
	if d := cmp.Diff([]int{6, 10, 14, 18, 19, 22}, seen); d != "" {
		t.Error(d)
	}
	a.key("up", "")
	a.key("up", "")
	if a.at != 18 {
		t.Errorf("up: %d", a.at)
	}
}

func TestInputEditing(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"ctrl+w"}, "one two "},
		{[]string{"ctrl+u"}, ""},
		{[]string{"home", "ctrl+k"}, ""},
		{[]string{"home", "delete"}, "ne two drei"},
		{[]string{"left", "left", "backspace"}, "one two dei"},
		{[]string{"alt+left", "alt+left", "ctrl+k"}, "one "},
		{[]string{"home", "ctrl+right", "x"}, "onex two drei"},
	} {
		f := newInput("one two drei")
		for _, k := range c.keys {
			text := ""
			if len(k) == 1 {
				text = k
			}
			f.key(k, text)
		}
		if f.s != c.want {
			t.Errorf("%v: %q, want %q", c.keys, f.s, c.want)
		}
	}
}

func TestInputShowsItsCursor(t *testing.T) {
	for _, s := range []string{"short", "a value that is much longer than the field", "注文注文注文注文注文", "\x1b[31m\x00"} {
		f := newInput(s)
		for at := range len(s) + 1 {
			f.at = min(at, len(s))
			if f.at < len(s) && s[f.at]&0xc0 == 0x80 {
				continue
			}
			l := row(20)
			f.draw(plain(), l, "", 12, true)
			checkFrame(t, l.end(), 20, 1)
			if !strings.Contains(string(l.b), "\x1b[0;7m") {
				t.Errorf("%q at %d: no cursor in %q", s, at, l.b)
			}
		}
	}
}

func TestExternalEditor(t *testing.T) {
	dir := t.TempDir()
	path, err := private(dir, "body-*.json", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if filepath.Dir(path) != dir {
		t.Errorf("%s is not in %s", path, dir)
	}
	for _, c := range []struct{ was, is, want string }{
		{"{}", "{ }\n", "{ }"},     // most editors end the last line
		{"{}\n", "{ }\n", "{ }\n"}, // it was there before
		{"{}", "{}", "{}"},
		{"", "new\n", "new\n"},
		{"a\r\nb", "a\r\nb\r\n", "a\r\nb"},
	} {
		if got := string(unended([]byte(c.was), []byte(c.is))); got != c.want {
			t.Errorf("%q edited to %q: %q, want %q", c.was, c.is, got, c.want)
		}
	}
	if got := editorCommand(func(k string) string { return map[string]string{"EDITOR": "code --wait"}[k] }); !cmp.Equal(got, []string{"code", "--wait"}) {
		t.Errorf("%q", got)
	}
}

func TestEditedBodyComesBack(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e")
	s.tell(editedMsg{editor: s.m.editor, data: []byte(`{"items": []}`)})
	s.sees(`{"items": []}`)
	s.press("ctrl+s")
	if got := string(s.sender.sent[0].Body.Data); got != `{"items": []}` {
		t.Errorf("sent %q", got)
	}
	if got := s.sender.sent[0].Header.Get("Content-Length"); got != "13" {
		t.Errorf("Content-Length %s", got)
	}
}

func TestTakingValues(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e", "ctrl+g", "down", "enter") // the second difference is in the body
	s.sees(`{"items": [{"sku": "A1", "qty": 2}]}`)
	s.press("ctrl+z")
	s.sees(`{"items": [{"sku": "A1", "qty": 3}]}`)
	s.now = s.now.Add(time.Second)
}

func TestNamesAndValuesAreOffered(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e", "ctrl+n")
	s.sees("X-CSRFToken") // the first that the accepted request has more
	s.write("x-c")
	s.press("right", "tab", "right")
	s.press("ctrl+s")
	if got := s.sender.sent[0].Header; got[1].Name != "X-CSRFToken" || got[1].Value != "kH3vXq0a" {
		t.Errorf("sent %+v", got)
	}
	s.sees("201 Created")
}

func TestGoingToAnAttempt(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "r", "r")
	s.arrive()
	s.press("tab", "h", "j", "enter")
	if s.m.list.cur != 12 {
		t.Errorf("went to %d", s.m.list.cur)
	}
}

func TestValidityIsShown(t *testing.T) {
	f := newFake()
	// {"alg":"HS256"} {"sub":"42","exp":1795335051} that is, 2026-11-22 08:10:51 UTC
	f.done(request(0, "POST", "https://a.test/x", `{"a":1`, "Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MTc5NTMzNTA1MX0.c2ln", "Content-Type", "application/json"),
		time.Millisecond, response(401, "Unauthorized", "", ""))
	s := play(t, f, 140, 40)
	s.press("e")
	s.sees("✗ no valid JSON", "expired 20 min ago")
	s.press("shift+tab", "shift+tab", "shift+tab", "shift+tab") // to the body, backwards over the URL and the method
	if s.m.editor.at.part != partBody {
		t.Fatalf("at %v", s.m.editor.at)
	}
	s.press("end")
	s.write("}")
	s.sees("✓ JSON")
}
