package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// TestRawTextChangesNothing goes to the text and back: what is sent is the same, byte for byte.
func TestRawTextChangesNothing(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"json", `{"a": 1}`}, {"no body", ""}, {"lines", "a\n\nb\r\n\r\nc\n"}, {"binary", "\x00\x01\x02\xff"}, {"long", strings.Repeat("x", editLimit+1)},
	} {
		f := request(0, "POST", "https://a.test/x?y=1", c.body)
		f.Request.Header = append(f.Request.Header, flow.Field{Name: "x-oDD", Value: "a b", Raw: "x-oDD:  a\r\n b\r\n"}, flow.Field{Name: "X-Twice", Value: "1", Raw: "X-Twice: 1\r\n"}, flow.Field{Name: "X-Twice", Value: "1", Raw: "X-Twice:1\r\n"})
		e := newEditor(f, f.Request.Body.Data, session.Row{}, nil, compare{})
		e.heads[1].off = true
		want := lines(t, e)
		e.toRaw()
		e.raw.s += "" // seen as it is
		if err := e.form.reads(e.raw.s, false); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := lines(t, e); got != want {
			t.Errorf("%s: the header is\n%q, not\n%q", c.name, got, want)
		}
		if got := string(e.content()); got != c.body {
			t.Errorf("%s: the body is %q", c.name, got)
		}
		if !e.heads[1].off || len(c.body) > 0 && !e.heads[2].auto {
			t.Errorf("%s: it forgot what was off or follows: %+v", c.name, e.heads[:3])
		}
	}
}

func TestRawTextSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"POST https://a.test/\nHost: a.test\n\n{}", ""},
		{"POST https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n{}", ""},
		{"POST https://a.test/\nX: 1\n", ""},
		{"", "line 1: METHOD and URL"},
		{"Host: a.test\n", "line 1: METHOD and URL"},
		{"POST\n", "line 1: a URL without spaces is wanted behind POST"},
		{"POST /orders\n", "line 1: URL"},
		{"POST https://a.test/\nHost\n", `line 2: "Name: value" is wanted here`},
		{"POST https://a.test/\nA: 1\nB c: 2\n", `line 3: "B c" is no name of a field`},
	} {
		g := newForm(request(0, "GET", "https://b.test/", ""), nil)
		before := g.copy()
		err := g.reads(c.text, false)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		case c.want != "" && !g.same(&before):
			t.Errorf("%q: the form was changed", c.text)
		}
	}
}

func TestEditRaw(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e", "ctrl+x")
	s.sees("POST https://api.shop.test/v1/orders", "Cookie: "+cookie, `{"items": [{"sku": "A1", "qty": 3}]}`, "✓ head", "✓ JSON", "Content-Length follows the body")
	e := s.m.editor
	e.raw.at = strings.Index(e.raw.s, "Content-Type")
	s.write("X-CSRFToken kH3vXq0a")
	s.press("enter")
	s.sees(`✗ line 5: "Name: value" is wanted here`)
	s.press("ctrl+s")
	if len(s.sender.sent) > 0 {
		t.Fatal("it was sent though it cannot be read")
	}
	e.raw.at = strings.Index(e.raw.s, " kH3vXq0a")
	s.write(":")
	s.tell(keyPress("ctrl+s"))
	s.sees("attempt 1  ✓ 201 Created", "fixed once")
	req := s.sender.sent[0]
	if req.Header.Get("X-CSRFToken") != "kH3vXq0a" || req.Header[0].Raw != "Host: api.shop.test\r\n" {
		t.Errorf("sent %+v", req.Header)
	}
	s.press("ctrl+z", "ctrl+x")
	s.sees(`✗`)
	s.press("ctrl+r")
	s.sees("on  name")
}

func TestWholeRequestInTheEditor(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "editor")
	s := play(t, shop(), 140, 40, "EDITOR", script)
	s.press("N", "N", "e")
	e := s.m.editor
	text := strings.Replace(e.form.text(), "qty\": 3", "qty\": 2", 1)
	s.tell(requestMsg{editor: e, text: text})
	s.sees(`"qty": 2`)
	s.tell(requestMsg{editor: e, text: "POST https://a.test/\nbad\n\nbody"})
	s.sees("line 2:", "bad") // it is kept as text, to be mended
	s.press("ctrl+x")
	s.sees("line 2:")
	if files, _ := os.ReadDir(s.m.o.Dir); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}
