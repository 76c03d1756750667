package diff

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

func text(m *flow.Message) string {
	var b strings.Builder
	b.WriteString(m.Method + " " + m.Target + "\n")
	for _, f := range m.Header {
		b.WriteString(strings.TrimRight(f.Line(), "\r\n") + "\n")
	}
	return b.String() + "\n" + string(m.Body.Data)
}

func ptr(s string) *string { return &s }

func change(part flow.Place, name string, index int, before, after *string) flow.Change {
	return flow.Change{Part: part, Name: name, Index: index, Before: before, After: after}
}

func TestApplyKeepsAllOtherBytes(t *testing.T) {
	const head = "POST http://a/p//q?a=%7e&&b=2&a=3\nhost:a\nX-Odd:  spaced  \nCOOKIE: a=\"1\";b=2;  c=3\nContent-Type: application/json\nContent-Length: 36\n\n"
	const body = "{ \"a\" : [1, 2,\n 3],\t\"b\": {\"c\":\"x\"} }"
	for _, c := range []struct {
		name string
		c    []flow.Change
		want string // what is replaced in the request's text, "old ⇒ new", several by |
	}{
		{"header changed", []flow.Change{change(flow.InHeader, "X-odd", 0, ptr("spaced"), ptr("y"))}, "X-Odd:  spaced  ⇒X-Odd: y"},
		{"header added", []flow.Change{change(flow.InHeader, "X-New", 0, nil, ptr("y"))}, "Content-Length: 36⇒Content-Length: 36\nX-New: y"},
		{"header removed", []flow.Change{change(flow.InHeader, "host", 0, ptr("a"), nil)}, "host:a\n⇒"},
		{"spelling", []flow.Change{change(flow.InHeaderCase, "host", 0, ptr("host"), ptr("HoSt"))}, "host:a⇒HoSt:a"},
		{"cookie changed", []flow.Change{change(flow.InCookie, "b", 0, ptr("2"), ptr("9"))}, `a="1";b=2;  c=3⇒a="1"; b=9; c=3`},
		{"cookie added", []flow.Change{change(flow.InCookie, "d", 0, nil, ptr("4"))}, `a="1";b=2;  c=3⇒a="1"; b=2; c=3; d=4`},
		{"all cookies removed", []flow.Change{change(flow.InCookie, "a", 0, ptr(`"1"`), nil), change(flow.InCookie, "b", 0, ptr("2"), nil), change(flow.InCookie, "c", 0, ptr("3"), nil)}, "COOKIE: a=\"1\";b=2;  c=3\n⇒"},
		{"query: the second of a name", []flow.Change{change(flow.InQuery, "a", 1, ptr("3"), ptr("x y&z"))}, "a=%7e&&b=2&a=3⇒a=%7e&b=2&a=x%20y%26z"},
		{"query: all removed", []flow.Change{change(flow.InQuery, "a", 0, ptr(""), nil), change(flow.InQuery, "a", 1, ptr(""), nil), change(flow.InQuery, "b", 0, ptr(""), nil)}, "?a=%7e&&b=2&a=3⇒"},
		{"path", []flow.Change{change(flow.InPath, "", 0, ptr("/p//q"), ptr("/p/../q/"))}, "/p//q?⇒/p/../q/?"},
		{"JSON value", []flow.Change{change(flow.InJSON, "$.b.c", 0, ptr(`"x"`), ptr(`"yyy"`))}, `"c":"x"⇒"c":"yyy"|Length: 36⇒Length: 38`},
		{"JSON member removed", []flow.Change{change(flow.InJSON, "$.b", 0, ptr(`{}`), nil)}, ",\t\"b\": {\"c\":\"x\"}⇒|Length: 36⇒Length: 20"},
		{"JSON first element removed, one added", []flow.Change{change(flow.InJSON, "$.a[0]", 0, ptr(`1`), nil), change(flow.InJSON, "$.a[2]", 0, nil, ptr("null"))}, "[1, 2,\n 3]⇒[2,\n 3, null]|Length: 36⇒Length: 39"},
		{"JSON member added", []flow.Change{change(flow.InJSON, `$["x y"]`, 0, nil, ptr("true"))}, "{\"c\":\"x\"}⇒{\"c\":\"x\"},\t\"x y\": true|Length: 36⇒Length: 49"},
		{"JSON member added to an empty object", []flow.Change{change(flow.InJSON, "$.b.c", 0, ptr(`"x"`), ptr("{}"))}, `"c":"x"⇒"c":{}|Length: 36⇒Length: 35`},
		{"whole body", []flow.Change{change(flow.InBody, "", 0, ptr(body), ptr("@\x00"))}, body + "⇒@\x00|Length: 36⇒Length: 2"},
		{"no body", []flow.Change{change(flow.InBody, "", 0, ptr(body), nil)}, body + "⇒|Length: 36⇒Length: 0"},
		{"order", []flow.Change{change(flow.InHeaderOrder, "", 0, ptr(""), ptr("Cookie, HOST, X-Odd"))}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := request(head + body)
			want := text(f.Request)
			got, err := Apply(f, c.c)
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "order" {
				if n := names(got.Header); n != "COOKIE, Content-Type, Content-Length, host, X-Odd" {
					t.Errorf("order is %s", n)
				}
				return
			}
			for r := range strings.SplitSeq(c.want, "|") {
				from, to, _ := strings.Cut(r, "⇒")
				if !strings.Contains(want, from) {
					t.Fatalf("%q is not in the request", from)
				}
				want = strings.Replace(want, from, to, 1)
			}
			if text(got) != want {
				t.Errorf("got\n%q\nwant\n%q", text(got), want)
			}
			if text(f.Request) != text(request(head+body).Request) {
				t.Error("the original was changed")
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	cut := request("POST http://a/\n\n{\"a\":1}")
	cut.Request.Body.Size = 99
	plain := request("POST http://a/?a=1\nX: 1\n\n{\"a\":1}")
	for _, c := range []struct {
		f    *flow.Flow
		p    flow.Patch
		want string
	}{
		{plain, flow.Patch{change(flow.InJWT, "Authorization exp", 0, ptr("1"), ptr("2"))}, "change of jwt Authorization exp cannot be made: a claim stands inside a signed token; change the whole token"},
		{plain, flow.Patch{change(flow.InProto, "", 0, ptr("1"), ptr("2"))}, "change of proto cannot be made: it is decided when the connection is made"},
		{plain, flow.Patch{change(flow.InHost, "", 0, ptr("a"), ptr("b"))}, "change of host cannot be made: it changes where the request goes, not the request"},
		{plain, flow.Patch{change(flow.InHeader, "X", 1, ptr("1"), ptr("2"))}, "change of header X (number 2) cannot be made: the request has none of that name"},
		{plain, flow.Patch{change(flow.InHeader, "X", 0, ptr("1"), ptr("2\r\nEvil: 1"))}, "change of header X cannot be made: the new value has a line break or a NUL in it"},
		{plain, flow.Patch{change(flow.InHeader, "X", 0, ptr("1"), nil), change(flow.InHeader, "x", 0, ptr("1"), ptr("2"))}, "change of header x cannot be made: another change of the patch is about the same place"},
		{plain, flow.Patch{change(flow.InJSON, "$.b", 0, ptr("1"), ptr("2"))}, "change of json $.b cannot be made: the body has no such path"},
		{plain, flow.Patch{change(flow.InJSON, "$.a.b", 0, nil, ptr("2"))}, "change of json $.a.b cannot be made: $.a is of another kind: number"},
		{plain, flow.Patch{change(flow.InJSON, "$.a", 0, ptr("1"), ptr("two"))}, "change of json $.a cannot be made: the new value is no JSON: line 1, column 1: 't' where a value belongs"},
		{plain, flow.Patch{change(flow.InJSON, "$.a", 0, ptr("1"), ptr("2")), change(flow.InBody, "", 0, ptr("1"), ptr("2"))}, "change of body cannot be made: another change of the patch is about the same body"},
		{cut, flow.Patch{change(flow.InJSON, "$.a", 0, ptr("1"), ptr("2"))}, "change of json $.a cannot be made: only the first 7 of 99 bytes of the body are here"},
		{plain, flow.Patch{change(flow.InPath, "", 0, ptr("/"), ptr("/a b"))}, "change of path cannot be made: the new value has a blank or a line break in it"},
		{plain, flow.Patch{change(flow.InCookie, "a;b", 0, nil, ptr("x"))}, "change of cookie a;b cannot be made: a cookie cannot hold a semicolon or a line break"},
	} {
		_, err := Apply(c.f, c.p)
		var na *NotApplicable
		if !errors.As(err, &na) || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	if _, err := Apply(cut, flow.Patch{change(flow.InHeader, "X", 0, nil, ptr("1"))}); err != nil {
		t.Errorf("a header of a request whose body is not all here: %v", err)
	}
}

func TestApplyToTarget(t *testing.T) {
	f := request("GET http://a/x")
	f.ID, f.Conn.Target = 7, "10.0.0.1:80"
	g, err := ApplyTo(f, flow.Patch{change(flow.InScheme, "", 0, ptr("http"), ptr("https")), change(flow.InHost, "", 0, ptr("a"), ptr("B:8443"))})
	if err != nil || g.URL() != "https://b:8443/x" || g.Parent != 7 || g.Conn.Target != "" {
		t.Errorf("%s, parent %d, target %q, error %v", g.URL(), g.Parent, g.Conn.Target, err)
	}
}

func TestApplyToCodedBody(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		packed, err := decode.Encode([]byte(`{"a":1}`), coding)
		if err != nil {
			t.Fatal(err)
		}
		f := request("POST http://a/\nContent-Encoding: " + coding + "\nContent-Length: 1")
		f.Request.SetBody(packed)
		got, err := Apply(f, flow.Patch{change(flow.InJSON, "$.a", 0, ptr("1"), ptr("22"))})
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := decode.Content(got, 0)
		if string(body) != `{"a":22}` || err != nil || got.Header.Get("Content-Length") != fmt.Sprint(got.Body.Size) {
			t.Errorf("%s: %q, %v, length %s of %d", coding, body, err, got.Header.Get("Content-Length"), got.Body.Size)
		}
		got, err = Apply(f, flow.Patch{change(flow.InHeader, "Content-Encoding", 0, ptr(coding), nil)})
		if err != nil || string(got.Body.Data) != `{"a":1}` {
			t.Errorf("%s without its coding: %q, %v", coding, got.Body.Data, err)
		}
	}
}

func TestApplyToUnknownCoding(t *testing.T) {
	a := request("POST http://a/\nContent-Encoding: aws-chunked\nContent-Length: 3\n\nabc")
	b := request("POST http://a/\nContent-Encoding: aws-chunked\nContent-Length: 4\n\nabXd")
	got, err := Apply(a, Compare(a, b).Applicable())
	if err != nil || string(got.Body.Data) != "abXd" || got.Header.Get("Content-Length") != "4" {
		t.Errorf("%v, %s", err, text(got))
	}
	if _, err := Apply(a, flow.Patch{change(flow.InJSON, "$.a", 0, ptr("1"), ptr("2"))}); err == nil {
		t.Error("an edit inside a body that cannot be read was made")
	}
}

func TestApplyFraming(t *testing.T) {
	f := request("POST http://a/\nTransfer-Encoding: chunked\n\nabc")
	f.Request.Body.Framing = flow.Chunked
	got, err := Apply(f, flow.Patch{change(flow.InBody, "", 0, ptr("abc"), ptr("abcd"))})
	if err != nil || got.Body.Framing != flow.Chunked || got.Header.Has("Content-Length") {
		t.Errorf("chunked stays: %v, %d, %s", err, got.Body.Framing, text(got))
	}
	got, err = Apply(f, flow.Patch{change(flow.InHeader, "Transfer-Encoding", 0, ptr("chunked"), nil)})
	if err != nil || got.Body.Framing != flow.ByLength || got.Header.Get("Content-Length") != "3" {
		t.Errorf("to length: %v, %d, %s", err, got.Body.Framing, text(got))
	}
	f = request("POST http://a/\nContent-Length: 3\n\nabc")
	got, err = Apply(f, flow.Patch{change(flow.InHeader, "Transfer-Encoding", 0, nil, ptr("chunked"))})
	if err != nil || got.Body.Framing != flow.Chunked || got.Header.Has("Content-Length") {
		t.Errorf("to chunked: %v, %d, %s", err, got.Body.Framing, text(got))
	}
	f = request("POST http://a/\nContent-Length: 99\n\nabc")
	if got, _ = Apply(f, flow.Patch{change(flow.InHeader, "X", 0, nil, ptr("1"))}); got.Header.Get("Content-Length") != "99" {
		t.Error("a wrong length was corrected though nobody changed the body")
	}
}

// dice makes random pairs of related requests: small alphabets, so that names collide.
type dice struct{ *rand.Rand }

func (d dice) word() string {
	return []string{"a", "b", "A", "c-d", "é", "x y", "", "%41", "csrf", "a+b", `"q"`, "&=;"}[d.IntN(12)]
}

func (d dice) json(depth int) string {
	switch n := d.IntN(8); {
	case n < 3 && depth < 4:
		var list []string
		for range d.IntN(4) {
			list = append(list, d.json(depth+1))
		}
		return "[" + strings.Join(list, []string{",", ", "}[d.IntN(2)]) + "]"
	case n < 6 && depth < 4:
		var list []string
		for range d.IntN(4) {
			list = append(list, decode.QuoteJSON(d.word())+":"+d.json(depth+1))
		}
		return "{ " + strings.Join(list, ",\n") + "}"
	}
	return []string{"1", "1.0", "true", "null", `"a"`, `"\u0061"`, "{}", "[]"}[d.IntN(8)]
}

func (d dice) request() *flow.Flow {
	var b strings.Builder
	fmt.Fprintf(&b, "%s http://a/%s", []string{"GET", "POST", "PUT"}[d.IntN(3)], []string{"", "x", "x/"}[d.IntN(3)])
	for i := range d.IntN(4) {
		b.WriteString([]string{"?", "&"}[min(i, 1)] + decode.EscapeForm(d.word()) + []string{"=", ""}[d.IntN(2)] + decode.EscapeForm(d.word()))
	}
	for range d.IntN(5) {
		fmt.Fprintf(&b, "\n%s: %s", []string{"X-A", "x-a", "X-B", "Accept", "X-C"}[d.IntN(5)], []string{"1", "2", "", "a, b"}[d.IntN(4)])
	}
	for range d.IntN(3) {
		b.WriteString("\nCookie: ")
		for range d.IntN(4) {
			fmt.Fprintf(&b, "%s=%d; ", []string{"a", "b", "sid"}[d.IntN(3)], d.IntN(3))
		}
	}
	body := ""
	switch d.IntN(6) {
	case 0:
		b.WriteString("\nContent-Type: application/json")
		body = d.json(0)
	case 1:
		b.WriteString("\nContent-Type: application/x-www-form-urlencoded")
		for range d.IntN(4) {
			body += decode.EscapeForm(d.word()) + "=" + decode.EscapeForm(d.word()) + "&"
		}
	case 2:
		boundary := []string{"X", "YY"}[d.IntN(2)]
		b.WriteString("\nContent-Type: multipart/form-data; boundary=" + boundary)
		for range d.IntN(4) {
			extra := []string{"", "; filename=f", "\r\nContent-Type: a/b"}[d.IntN(3)]
			body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + []string{"a", "b"}[d.IntN(2)] + "\"" + extra + "\r\n\r\n" + []string{"1", "", "x\r\ny", "Content-Disposition: x"}[d.IntN(4)] + "\r\n"
		}
		body += "--" + boundary + "--\r\n"
	case 3:
		body = []string{"one\ntwo", "one\nthree\ntwo", "x"}[d.IntN(3)]
	}
	f := request(b.String())
	if body != "" || f.Request.Method != "GET" {
		f.Request.Header.Add("Content-Length", fmt.Sprint(len(body)))
		f.Request.SetBody([]byte(body))
	}
	return f
}

// left reports the changes that remain once all applicable ones are made. Order is
// left out: a field that a patch adds has no place of its own.
func left(f *flow.Flow, m *flow.Message, want *flow.Flow) []string {
	g := *f
	g.Request = m
	var list []string
	for _, c := range Compare(&g, want).Changes {
		if c.Applicable() && c.Part != flow.InHeaderOrder {
			list = append(list, show(c))
		}
	}
	return list
}

func inverse(p flow.Patch) flow.Patch {
	var back flow.Patch
	for _, c := range p {
		back = append(back, c.Inverse())
	}
	return back
}

func checkProperty(t *testing.T, seed uint64) {
	d := dice{rand.New(rand.NewPCG(seed, 1))}
	a, b := d.request(), d.request()
	p := Compare(a, b).Applicable()
	got, err := Apply(a, p)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s\n\n%s", seed, err, text(a.Request), text(b.Request))
	}
	if l := left(a, got, b); len(l) > 0 {
		t.Fatalf("seed %d: left over:\n%s\n\nfrom\n%s\n\ngot\n%s\n\nwant\n%s", seed, strings.Join(l, "\n"), text(a.Request), text(got), text(b.Request))
	}
	there := *a
	there.Request = got
	back, err := Apply(&there, inverse(p))
	if err != nil {
		t.Fatalf("seed %d: back: %v\nfrom\n%s\n\nthere\n%s", seed, err, text(a.Request), text(got))
	}
	if l := left(a, back, a); len(l) > 0 {
		t.Fatalf("seed %d: not back:\n%s\n\nfrom\n%s\n\nthere\n%s\n\nback\n%s", seed, strings.Join(l, "\n"), text(a.Request), text(got), text(back))
	}
	if same, err := Apply(a, nil); err != nil || !bytes.Equal([]byte(text(same)), []byte(text(a.Request))) {
		t.Fatalf("seed %d: an empty patch changes the request: %v", seed, err)
	}
}

func TestApplyTurnsRefusedIntoAcceptedAndBack(t *testing.T) {
	for seed := range uint64(4000) {
		checkProperty(t, seed)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(uint64(4001))
	f.Fuzz(checkProperty)
}

func FuzzApplyJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":null}]}`), []byte(`{"a":[2,{"b":1,"c":"d"}],"e":{}}`))
	f.Add([]byte(`[[],1]`), []byte(`[1]`))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a := request("POST http://a/\nContent-Length: " + fmt.Sprint(len(x)))
		b := request("POST http://a/\nContent-Length: " + fmt.Sprint(len(y)))
		a.Request.SetBody(x)
		b.Request.SetBody(y)
		got, err := Apply(a, Compare(a, b).Applicable())
		if err != nil {
			t.Fatal(err)
		}
		if l := left(a, got, b); len(l) > 0 {
			t.Fatalf("%q to %q gives %q, left: %q", x, y, got.Body.Data, l)
		}
	})
}
