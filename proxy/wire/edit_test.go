package wire

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

const editable = "POST /a?b HTTP/1.1\r\nhOst:x\r\nX-Odd:  kept\r\n folded\r\nContent-Length: 2\r\n\r\n"

func parsed(t testing.TB, raw string) *Request {
	t.Helper()
	q, f := ParseRequest(ParseHead([]byte(raw)), true)
	if f != nil {
		t.Fatal(f)
	}
	return q
}

func TestAnEditKeepsTheLinesThatItDoesNotTouch(t *testing.T) {
	for _, c := range []struct {
		name, raw, want string
		edit            func(m *flow.Message)
	}{
		{"nothing", editable, editable, func(*flow.Message) {}},
		{"a value", editable, strings.Replace(editable, "hOst:x", "hOst: y", 1), func(m *flow.Message) { m.Header.Set("host", "y") }},
		{"a field gone", editable, strings.Replace(editable, "X-Odd:  kept\r\n folded\r\n", "", 1), func(m *flow.Message) { m.Header.Del("x-odd") }},
		{"a field more, with bare line feeds", "GET / HTTP/1.0\nA:1\n\n", "GET / HTTP/1.0\nA:1\nB: 2\n\n", func(m *flow.Message) { m.Header.Add("B", "2") }},
		{"method and target", editable, strings.Replace(editable, "POST /a?b", "PUT /c", 1), func(m *flow.Message) { m.Method, m.Target = "PUT", "/c" }},
		{"an absolute target with fields for the proxy", "GET http://h/a HTTP/1.1\r\nProxy-Connection: x\r\nHost:h\r\n\r\n", "GET /a HTTP/1.1\r\nHost:h\r\nB: 2\r\n\r\n", func(m *flow.Message) { m.Header.Add("B", "2") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := parsed(t, c.raw)
			m := q.Message().Clone()
			c.edit(m)
			e, f := q.Edit(m)
			if f != nil {
				t.Fatal(f)
			}
			if got := string(e.Bytes()); got != c.want {
				t.Errorf("sent %q\nwant %q", got, c.want)
			}
			if string(e.Message().Head) != c.raw {
				t.Errorf("the head as it came is now %q", e.Message().Head)
			}
			again, f := e.Edit(e.Message())
			if f != nil || string(again.Bytes()) != c.want {
				t.Errorf("edited once more: %q, %v", again.Bytes(), f)
			}
		})
	}
}

func TestAnEditThatWouldBeReadOtherwiseIsRefused(t *testing.T) {
	for name, edit := range map[string]func(m *flow.Message){
		"a value of two lines":     func(m *flow.Message) { m.Header.Set("X-Odd", "a\r\nContent-Length: 9") },
		"a value that ends a head": func(m *flow.Message) { m.Header.Set("X-Odd", "a\r\n\r\nGET / HTTP/1.1") },
		"a bare carriage return":   func(m *flow.Message) { m.Header.Set("X-Odd", "a\rb") },
		"a NUL":                    func(m *flow.Message) { m.Header.Set("X-Odd", "a\x00b") },
		"a name with a colon":      func(m *flow.Message) { m.Header.Add("A:B", "c") },
		"a name with a blank":      func(m *flow.Message) { m.Header.Add("A ", "c") },
		"no name":                  func(m *flow.Message) { m.Header.Add("", "c") },
		"a target of two lines":    func(m *flow.Message) { m.Target = "/ HTTP/1.1\r\nA: b\r\nC: " },
		"a method with a blank":    func(m *flow.Message) { m.Method = "GET /x" },
		"both lengths":             func(m *flow.Message) { m.Header.Add("Transfer-Encoding", "chunked") },
	} {
		q := parsed(t, editable)
		m := q.Message().Clone()
		edit(m)
		if e, f := q.Edit(m); f == nil {
			t.Errorf("%s: sent %q", name, e.Bytes())
		}
	}
	p, f := ParseResponse(ParseHead([]byte("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n")), "GET")
	if f != nil {
		t.Fatal(f)
	}
	for name, edit := range map[string]func(m *flow.Message){
		"a reason of two lines": func(m *flow.Message) { m.Reason = "a\r\nB: c" },
		"a status of upgrading": func(m *flow.Message) { m.Status = 101 },
		"an interim status":     func(m *flow.Message) { m.Status = 100 },
		"no status":             func(m *flow.Message) { m.Status = 7 },
		"a value of two lines":  func(m *flow.Message) { m.Header.Add("A", "a\nB: c") },
	} {
		m := p.Message().Clone()
		edit(m)
		if e, f := p.Edit(m, "GET"); f == nil {
			t.Errorf("%s: sent %q", name, e.Bytes())
		}
	}
}
