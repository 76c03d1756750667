package decode

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

func TestQuery(t *testing.T) {
	const in = "a=1&b=%zz&a=x+y%21&&flag&=v&c=1=2"
	want := []Pair{
		{"a", "1", "a", "1", true, false, 0, 3},
		{"b", "%zz", "b", "%zz", true, true, 4, 9},
		{"a", "x y!", "a", "x+y%21", true, false, 10, 18},
		{"", "", "", "", false, false, 19, 19},
		{"flag", "", "flag", "", false, false, 20, 24},
		{"", "v", "", "v", true, false, 25, 27},
		{"c", "1=2", "c", "1=2", true, false, 28, 33},
	}
	if d := cmp.Diff(want, Query(in)); d != "" {
		t.Error(d)
	}
	if got, bad := unescape(EscapeForm("a b&=%+é\x00\xff")); got != "a b&=%+é\x00\xff" || bad {
		t.Errorf("escaped and back: %q", got)
	}
	if Query("") != nil {
		t.Error("an empty query has parameters")
	}
}

func TestMultipart(t *testing.T) {
	body := "preamble\r\n--B\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\none\r\ntwo\r\n" +
		"--Bx is no delimiter\r\n--B \r\nContent-Disposition: form-data; name=f; filename=\"x;y.png\"\r\nContent-Type: Image/PNG\r\n\r\n\x00\r\n\r\n--B--\r\nepilogue"
	parts, err := Multipart([]byte(body), "B")
	if err != nil || len(parts) != 2 {
		t.Fatalf("%d parts, error %v", len(parts), err)
	}
	if p := parts[0]; p.Name != `a"b` || string(p.Data) != "one\r\ntwo\r\n--Bx is no delimiter" || body[p.Start:p.End] != string(p.Data) {
		t.Errorf("first: %q %q", p.Name, p.Data)
	}
	if p := parts[1]; p.Name != "f" || p.Filename != "x;y.png" || p.Type != "image/png" || string(p.Data) != "\x00\r\n" {
		t.Errorf("second: %+v", p)
	}
	for _, c := range []struct {
		body, boundary string
		parts          int
		err            error
	}{
		{"x", "", 0, ErrNoBoundary},
		{"--A\r\n\r\nx\r\n--A--", "B", 0, ErrNoParts},
		{"--A\n\nx", "A", 1, ErrNotClosed},
		{"--A\nno head\n--A--", "A", 1, nil},
		{"--A--", "A", 0, nil},
		{strings.Repeat("--A\n\n", maxParts+5), "A", maxParts, ErrTooMany},
	} {
		parts, err := Multipart([]byte(c.body), c.boundary)
		if len(parts) != c.parts || !errors.Is(err, c.err) {
			t.Errorf("%.20q: %d parts, error %v", c.body, len(parts), err)
		}
	}
}

func TestGraphQL(t *testing.T) {
	for _, c := range []struct {
		name, method, query, kind, body, want string
	}{
		{"named by the request", "POST", "", "application/json", `{"operationName":"Pay","query":"mutation Other { pay }"}`, "mutation Pay"},
		{"named in the document", "POST", "", "application/json", `{"query":"# c\n\n mutation  Pay($a: Int!) { pay }"}`, "mutation Pay"},
		{"short form", "POST", "", "application/json", `{"query":"{ me }"}`, "query "},
		{"batch", "POST", "", "application/json", `[{"query":"subscription S { x }"},{"query":"{ y }"}]`, "subscription S"},
		{"persisted", "POST", "", "application/json", `{"operationName":"A","extensions":{"persistedQuery":{"version":1}}}`, " A"},
		{"GET", "GET", "query=query+Q+%7Ba%7D&x=1", "", "", "query Q"},
		{"document alone", "POST", "", "application/graphql", "query Z { a }", "query Z"},
		{"a search", "POST", "", "application/json", `{"query":"red shoes"}`, "-"},
		{"GET search", "GET", "query=red+shoes", "", "", "-"},
		{"no JSON", "POST", "", "application/json", `hello`, "-"},
	} {
		o, ok := GraphQL(c.method, c.query, c.kind, []byte(c.body))
		got := o.Type + " " + o.Name
		if !ok {
			got = "-"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	errs := GraphQLErrors([]byte(`{"data":null,"errors":[{"message":"no","path":["order",0,"total"],"extensions":{"code":"FORBIDDEN"}},"odd"]}`))
	if d := cmp.Diff([]GraphQLError{{"no", "FORBIDDEN", "order.0.total", 23}}, errs); d != "" {
		t.Error(d)
	}
	if len(GraphQLErrors([]byte(`[{"data":1},{"errors":[{"message":"b"}]}]`))) != 1 {
		t.Error("errors of a batch are not read")
	}
}

func TestHTML(t *testing.T) {
	p := HTML(`<!DOCTYPE html><html><head><title> 403
 Forbidden </title><style>b{}</style><script>var x = "<b>hidden</b>"</script></head>
<body><!-- a comment --><h1>You are <em>not</em> allowed</h1><svg><title>Logo</title></svg><p>Reference&nbsp;#18.5&amp;6<br>again</p><noscript>Enable JS</noscript></body></html>`)
	if p.Title != "403 Forbidden" || p.Text != "You are not allowed\nReference #18.5&6\nagain\nEnable JS" {
		t.Errorf("title %q, text %q", p.Title, p.Text)
	}
	if p := HTML(strings.Repeat("<p>long text of a page", 10_000)); len(p.Text) > maxPageText || len(p.Text) < maxPageText/2 {
		t.Errorf("%d bytes of text", len(p.Text))
	}
}

func TestProblemDetails(t *testing.T) {
	p, ok := ProblemDetails("application/problem+json", []byte(`{"type":"https://e/out-of-credit","title":"Out of credit","status":403,"detail":"balance is 30","balance":30}`))
	if !ok || p.Title != "Out of credit" || p.Status != 403 || p.Detail != "balance is 30" || p.Whole.Get("balance").Text() != "30" {
		t.Errorf("%+v %v", p, ok)
	}
	if _, ok := ProblemDetails("application/json", []byte(`{"title":"x"}`)); ok {
		t.Error("plain JSON taken for problem details")
	}
}

func TestGRPC(t *testing.T) {
	m := &flow.Message{Status: 200, Trailers: header("grpc-status: 7", "grpc-message: no%20access: caf%C3%A9+")}
	if n, s, ok := GRPC(m); n != 7 || s != "no access: café+" || !ok {
		t.Errorf("%d %q %v", n, s, ok)
	}
	if n, _, ok := GRPC(&flow.Message{Header: header("Grpc-Status: 16")}); n != 16 || !ok {
		t.Errorf("head alone: %d %v", n, ok)
	}
	if _, _, ok := GRPC(&flow.Message{}); ok {
		t.Error("no status, but found")
	}
}

func FuzzBodies(f *testing.F) {
	f.Add([]byte("--B\r\nA: b\r\n\r\nx\r\n--B--"), "B")
	f.Add([]byte(`{"query":"query A{b}"}`), "a=b&%zz")
	f.Fuzz(func(t *testing.T, data []byte, s string) {
		parts, _ := Multipart(data, s)
		for _, p := range parts {
			if string(data[p.Start:p.End]) != string(p.Data) || p.HeadStart > p.Start {
				t.Errorf("part stands at %d..%d", p.Start, p.End)
			}
		}
		for _, p := range Query(s) {
			if want := p.RawName; !strings.HasPrefix(s[p.Start:p.End], want) {
				t.Errorf("%q stands at %d", want, p.Start)
			}
		}
		GraphQL("POST", s, "application/json", data)
		GraphQL("POST", s, "application/graphql", data)
		GraphQLErrors(data)
		ProblemDetails("application/problem+json", data)
		HTML(string(data))
		UTF8(data, s)
	})
}
