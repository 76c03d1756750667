package diff

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

// request reads "METHOD URL", header lines, an empty line, and the body.
func request(text string) *flow.Flow {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	method, rawURL, _ := strings.Cut(lines[0], " ")
	scheme, rest, _ := strings.Cut(rawURL, "://")
	authority, target := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, target = rest[:i], rest[i:]
	}
	f := &flow.Flow{Scheme: scheme, Authority: authority, Request: &flow.Message{Proto: "HTTP/1.1", Method: method, Target: target}}
	for _, l := range lines[1:] {
		n, v, _ := strings.Cut(l, ":")
		f.Request.Header = append(f.Request.Header, flow.Field{Name: n, Value: strings.TrimSpace(v), Raw: l + "\r\n"})
	}
	if body != "" {
		f.Request.SetBody([]byte(body))
	}
	return f
}

func show(c flow.Change) string {
	side := func(s *string) string {
		if s == nil {
			return "-"
		}
		return fmt.Sprintf("%q", *s)
	}
	name := string(c.Part)
	if c.Name != "" {
		name += " " + c.Name
	}
	if c.Index > 0 {
		name += fmt.Sprintf("#%d", c.Index)
	}
	return name + ": " + side(c.Before) + " → " + side(c.After)
}

func shown(d Diff) string {
	var lines []string
	for _, c := range d.Changes {
		lines = append(lines, show(c))
	}
	for _, m := range d.Muted {
		lines = append(lines, "muted "+show(m.Change)+" ("+m.Reason+")")
	}
	return strings.Join(lines, "\n")
}

func jwt(claims string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"HS256"}`)) + "." + e([]byte(claims)) + ".c2ln"
}

func TestCompare(t *testing.T) {
	old, fresh := jwt(`{"exp":1,"scope":"read"}`), jwt(`{"exp":2,"scope":"read"}`)
	for _, c := range []struct{ name, refused, accepted, want string }{
		{"nothing", "GET http://a/", "GET http://a/", ""},
		{"the missing CSRF header first", "POST http://a/x\nHost: a\nAccept: */*\nCookie: csrftoken=t", "POST http://a/x\nHost: a\nAccept: text/html\nX-CSRFToken: t\nCookie: csrftoken=t",
			`header X-CSRFToken: - → "t"
header Accept: "*/*" → "text/html"`},
		{"method, path, query", "GET http://a/v1/x?a=1&b=2&b=3", "POST http://a/v2/x?b=2&a=%20",
			`method: "GET" → "POST"
path: "/v1/x" → "/v2/x"
query b#1: "3" → -
query a: "1" → "%20"`},
		{"scheme and host, Host follows", "GET http://a/\nHost: a", "GET https://b/\nHost: b",
			`host: "a" → "b"
scheme: "http" → "https"
muted header Host: "a" → "b" (follows the host of the URL)`},
		{"cookies one by one", "GET http://a/\nCookie: sessionid=old; lang=de; _ga=1", "GET http://a/\nCookie: lang=de; sessionid=new; csrftoken=t; _ga=2",
			`cookie csrftoken: - → "t"
cookie sessionid: "old" → "new"
muted cookie _ga: "1" → "2" (a cookie for visitor statistics)`},
		{"claims beside the whole token", "GET http://a/\nauthorization: Bearer " + old, "GET http://a/\nAuthorization: Bearer " + fresh,
			`jwt authorization exp: "1" → "2"
header authorization: "Bearer ` + old + `" → "Bearer ` + fresh + `"
header-case authorization: "authorization" → "Authorization"`},
		{"order and spelling are kinds of their own", "GET http://a/\nhost: a\nX-A: 1\nX-B: 2", "GET http://a/\nHost: a\nX-B: 2\nX-A: 1",
			`header-case host: "host" → "Host"
header-order: "host, X-A, X-B" → "Host, X-B, X-A"`},
		{"a header more is no matter of order", "GET http://a/\nX-A: 1\nX-C: 3", "GET http://a/\nX-A: 1\nX-B: 2\nX-C: 3", `header X-B: - → "2"`},
		{"one of two is missing", "GET http://a/\nX: 2", "GET http://a/\nX: 1\nX: 2", `header X: - → "1"`},
		{"JSON by path", "POST http://a/\nContent-Type: application/json\n\n" + `{"items":[{"qty":1,"x":[1,2]}],"csrf_token":"a","gone":null,"n":1}`, "POST http://a/\nContent-Type: application/json\n\n" + `{"n":1.0, "csrf_token":"a","items":[{"qty":1,"x":[2]},{"qty":3}],"new-one":{"a":"\u00e9"}}`,
			`json $.items[1]: - → "{\"qty\":3}"
json $["new-one"]: - → "{\"a\":\"\\u00e9\"}"
json $.items[0].x[0]: "1" → -
json $.gone: "null" → -
json $.n: "1" → "1.0"`},
		{"the same JSON written otherwise", "POST http://a/\nContent-Length: 7\n\n" + `{"a":1}`, "POST http://a/\nContent-Length: 9\n\n" + `{ "a":1 }`,
			`muted header Content-Length: "7" → "9" (follows the body)
muted body: "{\"a\":1}" → "{ \"a\":1 }" (the same content, written differently)`},
		{"an object with a name twice counts as one", "POST http://a/\n\n" + `{"a":{"b":1,"b":2},"c":1}`, "POST http://a/\n\n" + `{"a":{"b":1,"b":3},"c":1}`,
			`json $.a: "{\"b\":1,\"b\":2}" → "{\"b\":1,\"b\":3}"`},
		{"form by field", "POST http://a/\nContent-Type: application/x-www-form-urlencoded\n\na=1&csrfmiddlewaretoken=x&b=2", "POST http://a/\nContent-Type: application/x-www-form-urlencoded\n\nb=3&a=1",
			`form csrfmiddlewaretoken: "x" → -
form b: "2" → "3"`},
		{"multipart by part", "POST http://a/\nContent-Type: multipart/form-data; boundary=X\n\n--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--", "POST http://a/\nContent-Type: multipart/form-data; boundary=Y\n\n--Y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n--Y\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nf\r\n--Y--",
			`multipart f: - → "Content-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nf"
multipart a: "1" → "2"
muted header Content-Type: "multipart/form-data; boundary=X" → "multipart/form-data; boundary=Y" (every multipart body has a boundary of its own)`},
		{"text by line, beside the whole", "POST http://a/\n\none\ntwo\nthree", "POST http://a/\n\none\n2\nthree",
			`body: "one\ntwo\nthree" → "one\n2\nthree"
body line 2: "two" → "2"`},
		{"JSON sent as a form", "POST http://a/\nContent-Type: application/x-www-form-urlencoded\n\na=1", "POST http://a/\nContent-Type: application/json\n\n{\"a\":1}",
			`header Content-Type: "application/x-www-form-urlencoded" → "application/json"
body: "a=1" → "{\"a\":1}"`},
		{"noise is muted, its absence is not", "POST http://a/\nDate: x\nTraceparent: 1\nIdempotency-Key: 1", "POST http://a/\nDate: y\nTraceparent: 2",
			`header Idempotency-Key: "1" → -
muted header Date: "x" → "y" (the time of the request)
muted header Traceparent: "1" → "2" (names this one exchange for tracing)`},
		{"a length that lies is no noise", "POST http://a/\nContent-Length: 5\n\nabc", "POST http://a/\nContent-Length: 4\n\nabcd",
			`header Content-Length: "5" → "4"
body: "abc" → "abcd"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shown(Compare(request(c.refused), request(c.accepted)))
			if d := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("%s\n\ngot:\n%s", d, got)
			}
		})
	}
}

func TestCompareOfProtocols(t *testing.T) {
	a, b := request("GET https://a/\nHost: a\nAccept: x"), request("GET https://a/\naccept: x")
	b.Request.Proto = "HTTP/2.0"
	want := `proto: "HTTP/1.1" → "HTTP/2.0"
muted header-case host: "Host" → "host" (HTTP/2 spells all names in lower case)
muted header-case accept: "Accept" → "accept" (HTTP/2 spells all names in lower case)`
	if got := shown(Compare(a, b)); got != want {
		t.Errorf("got\n%s", got)
	}
	b.Request.Header = append(flow.Header{{Name: ":authority", Value: "b"}}, b.Request.Header...) // as a recording has it
	if got := shown(Compare(a, b)); !strings.Contains(got, `"a" → "b"`) || strings.Contains(got, ":authority") {
		t.Errorf("got\n%s", got)
	}
}

func TestCompareOfAPrefix(t *testing.T) {
	a, b := request("POST http://a/\n\nabc"), request("POST http://a/\n\nabX")
	a.Request.Body.Size = 1000
	d := Compare(a, b)
	if len(d.Changes) != 1 || d.Changes[0].Name != "first 3 bytes" || len(d.Applicable()) != 0 {
		t.Errorf("got\n%s", shown(d))
	}
	b.Request.Body.Data = a.Request.Body.Data
	if d := Compare(a, b); len(d.Changes) != 0 {
		t.Errorf("a body and its prefix: got\n%s", shown(d))
	}
}

func TestCompareWithoutRequest(t *testing.T) {
	if d := Compare(&flow.Flow{}, nil); !d.Empty() {
		t.Errorf("got\n%s", shown(d))
	}
}

func TestLearn(t *testing.T) {
	success := func(nonce, auth, extra string) *flow.Flow {
		return request("POST http://a/x\nX-Nonce: " + nonce + "\nAuthorization: Bearer " + auth + extra)
	}
	l := Learn([]*flow.Flow{success("1", "a", ""), success("2", "b", "\nX-Maybe: 1"), success("3", "c", "")})
	got := shown(CompareWith(success("9", "z", "\nX-New: 1"), success("1", "a", "\nX-Maybe: 1"), l))
	want := `header X-New: "1" → -
header Authorization: "Bearer z" → "Bearer a"
muted header X-Nonce: "9" → "1" (it varies among the 3 accepted requests)
muted header X-Maybe: - → "1" (of the 3 accepted requests some have it, some do not)`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestLastSuccess(t *testing.T) {
	at := time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC)
	mk := func(id int, text string, status int, seconds int, location string) *flow.Flow {
		f := request(text)
		f.ID, f.Times.Start = flow.ID(id), at.Add(time.Duration(seconds)*time.Second)
		f.Response = &flow.Message{Status: status}
		if location != "" {
			f.Response.Header.Add("Location", location)
		}
		return f
	}
	const mine, others = "\nUser-Agent: me\nAuthorization: Basic bWU6eA==", "\nUser-Agent: me\nAuthorization: Basic eW91Ong="
	refused := mk(9, "POST http://a/o/5"+mine, 403, 0, "")
	for _, c := range []struct {
		name string
		list []*flow.Flow
		want flow.ID
	}{
		{"none", []*flow.Flow{refused, mk(1, "GET http://a/o/5"+mine, 200, 1, ""), mk(2, "POST http://a/p/5"+mine, 200, 1, ""), mk(3, "POST http://a/o/5"+mine, 500, 1, "")}, 0},
		{"nearest in time", []*flow.Flow{mk(1, "POST http://a/o/1"+mine, 200, -90, ""), mk(2, "POST http://a/o/2"+mine, 201, -30, ""), mk(3, "POST http://a/o/3"+mine, 200, 60, "")}, 2},
		{"the same subject before the nearest", []*flow.Flow{mk(1, "POST http://a/o/1"+mine, 200, -90, ""), mk(2, "POST http://a/o/2"+others, 201, -1, "")}, 1},
		{"a redirect to log in is none", []*flow.Flow{mk(1, "POST http://a/o/1"+others, 302, -90, "/o/1"), mk(2, "POST http://a/o/2"+mine, 302, -1, "/accounts/login?next=/o"), mk(3, "POST http://a/o/2"+mine, 301, -1, "https://a/o/2"), mk(4, "POST http://a/o/2"+mine, 302, -1, "http://b/")}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var id flow.ID
			if f := LastSuccess(refused, c.list, nil); f != nil {
				id = f.ID
			}
			if id != c.want {
				t.Errorf("chose %d, want %d", id, c.want)
			}
		})
	}
	list := []*flow.Flow{mk(1, "POST http://a/o/1"+mine, 200, -90, "")}
	if f := LastSuccess(refused, list, func(*flow.Flow) bool { return true }); f != nil {
		t.Error("a refusal under status 200 was chosen")
	}
}
