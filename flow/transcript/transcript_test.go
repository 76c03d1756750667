package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// summary says of the flows what the tests look at, two lines each.
func summary(flows []*flow.Flow) string {
	side := func(m *flow.Message) string {
		if m == nil {
			return "none"
		}
		var b strings.Builder
		for _, h := range m.Header {
			if h.Name == "Date" || h.Name == "date" {
				continue
			}
			fmt.Fprintf(&b, "%s: %s; ", h.Name, h.Value)
		}
		for _, h := range m.Trailers {
			fmt.Fprintf(&b, "trailer %s: %s; ", h.Name, h.Value)
		}
		content, _, err := decode.Content(m, 0)
		s := fmt.Sprintf("%s%q", b.String(), content)
		if err != nil {
			s += " " + err.Error()
		}
		if m.Body.Cut() {
			s += fmt.Sprintf(" cut from %d", m.Body.Size)
		}
		return s
	}
	var out []string
	for _, f := range flows {
		if f.Request != nil {
			out = append(out, fmt.Sprintf("%d %s %s %s | %s", f.ID, f.Request.Method, f.URL(), f.Request.Proto, side(f.Request)))
		} else {
			out = append(out, fmt.Sprintf("%d unknown", f.ID))
		}
		for _, m := range f.Interim {
			out = append(out, fmt.Sprintf("  interim %d", m.Status))
		}
		if f.Err != nil {
			out = append(out, "  error "+f.Err.Error())
		} else {
			out = append(out, fmt.Sprintf("  %d %s %s | %s", f.Response.Status, f.Response.Reason, f.Response.Proto, side(f.Response)))
		}
	}
	return strings.Join(out, "\n")
}

func read(t *testing.T, text string) []*flow.Flow {
	t.Helper()
	flows, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return flows
}

const (
	denied   = `"{\"detail\":\"CSRF Failed: CSRF token missing.\"}"`
	answered = "  403 Forbidden HTTP/1.1 | Content-Type: application/json; Content-Length: 45; " + denied
	form     = "User-Agent: curl/7.88.1; Accept: */*; Content-Length: 3; Content-Type: application/x-www-form-urlencoded; "
	formH2   = "user-agent: curl/7.88.1; accept: */*; content-length: 3; content-type: application/x-www-form-urlencoded; "
)

// What curl 7.88.1 really wrote: to a file with its progress meter, and to a terminal.
func TestCurl(t *testing.T) {
	for name, want := range map[string]string{
		"curl-v-file":     "1 POST http://shop.test:8000/orders HTTP/1.1 | Host: shop.test:8000; " + strings.Replace(form, "3", "7", 1) + "\"\" cut from 7\n" + answered,
		"curl-iv-file":    "1 POST http://shop.test:8000/orders HTTP/1.1 | Host: shop.test:8000; " + strings.Replace(form, "3", "7", 1) + "\"\" cut from 7\n" + answered,
		"curl-i-redirect": "1 unknown\n  307 Temporary Redirect HTTP/1.1 | Location: /orders; Content-Length: 0; \"\"\n2 unknown\n" + answered,
		"curl-v-h2-redirect": "1 POST https://shop.test/old HTTP/2.0 | " + formH2 + "\"\" cut from 3\n  307  HTTP/2.0 | location: /orders; content-length: 0; \"\"\n" +
			"2 POST https://shop.test/orders HTTP/2.0 | " + formH2 + "\"\" cut from 3\n  403  HTTP/2.0 | content-type: application/json; content-length: 45; " + denied,
		"curl-iv-terminal":   "1 POST http://shop.test:8000/orders HTTP/1.1 | Host: shop.test:8000; " + form + "\"\" cut from 3\n" + answered,
		"curl-v-h2-terminal": "1 POST https://shop.test/orders HTTP/2.0 | " + formH2 + "\"\" cut from 3\n  403  HTTP/2.0 | content-type: application/json; content-length: 45; " + denied,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + name + ".curl")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, summary(read(t, string(text)))); d != "" {
				t.Error(d)
			}
			// Pasted somewhere, it has other line ends and is indented.
			pasted := "$ curl …\n" + strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\r\n", "\n"), "\r\n", "\n")
			pasted = "    " + strings.ReplaceAll(pasted, "\n", "\n    ")
			if d := cmp.Diff(want, summary(read(t, pasted))); d != "" {
				t.Error("pasted: " + d)
			}
		})
	}
}

func TestCurlVersions(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"8.x over HTTP/2, a header in odd case", `* Host api.test:443 was resolved.
* IPv6: (none)
* IPv4: 192.0.2.7
*   Trying 192.0.2.7:443...
* Connected to api.test (192.0.2.7) port 443
* ALPN: curl offers h2,http/1.1
} [5 bytes data]
* TLSv1.3 (OUT), TLS handshake, Client hello (1):
* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / X25519 / RSASSA-PSS
* using HTTP/2
* [HTTP/2] [1] OPENED stream for https://api.test/v1/orders
* [HTTP/2] [1] [:method: POST]
* [HTTP/2] [1] [:scheme: https]
* [HTTP/2] [1] [:authority: api.test]
* [HTTP/2] [1] [:path: /v1/orders]
> POST /v1/orders HTTP/2
> Host: api.test
> User-Agent: curl/8.7.1
> X-Api-Key: abc
>
} [24 bytes data]
* upload completely sent off: 24 bytes
< HTTP/2 403
< server: cloudflare
<
{ [12 bytes data]
* Connection #0 to host api.test left intact
error code: 1020`,
			"1 POST https://api.test/v1/orders HTTP/2.0 | user-agent: curl/8.7.1; x-api-key: abc; \"\"\n  403  HTTP/2.0 | server: cloudflare; \"error code: 1020\""},
		{"8.16, a body without a line end", "* Established connection to api.test (192.0.2.7 port 80) from 192.0.2.9 port 5000\n> GET / HTTP/1.1\n> Host: api.test\n>\n* Request completely sent off\n< HTTP/1.1 401 Unauthorized\n< WWW-Authenticate: Basic realm=\"x\"\n<\n{\"a\":1}* Connection #0 to host api.test:80 left intact\n",
			"1 GET http://api.test/ HTTP/1.1 | Host: api.test; \"\"\n  401 Unauthorized HTTP/1.1 | WWW-Authenticate: Basic realm=\"x\"; \"{\\\"a\\\":1}\""},
		{"through a proxy", `* Connected to proxy.test (192.0.2.1) port 3128
* CONNECT tunnel: HTTP/1.1 negotiated
> CONNECT api.test:443 HTTP/1.1
> Host: api.test:443
>
< HTTP/1.1 200 Connection established
<
* CONNECT phase completed
* SSL connection using TLSv1.3
> GET /a HTTP/1.1
> Host: api.test
>
< HTTP/1.1 403 Forbidden
<
no`, "1 GET https://api.test/a HTTP/1.1 | Host: api.test; \"\"\n  403 Forbidden HTTP/1.1 | \"no\""},
		{"refused by the proxy", "> CONNECT api.test:443 HTTP/1.1\n> Host: api.test:443\n>\n< HTTP/1.1 403 Forbidden\n< X-Squid-Error: ERR_ACCESS_DENIED 0\n<\n* CONNECT tunnel failed, response 403\n* Closing connection\ncurl: (56) CONNECT tunnel failed, response 403\n",
			"1 CONNECT https://api.test HTTP/1.1 | Host: api.test:443; \"\"\n  403 Forbidden HTTP/1.1 | X-Squid-Error: ERR_ACCESS_DENIED 0; \"\""},
		{"100 Continue, a list in Markdown as the body, -L to another scheme", `* Connected to a.test (192.0.2.7) port 80 (#0)
> PUT /a HTTP/1.1
> Host: a.test
> Expect: 100-continue
> Content-Length: 1200000
>
< HTTP/1.1 100 Continue
<
} [65536 bytes data]
< HTTP/1.1 403 Forbidden
< Content-Type: text/markdown
<
* not for you
* nor for them
* Connection #0 to host a.test left intact
`, "1 PUT http://a.test/a HTTP/1.1 | Host: a.test; Expect: 100-continue; Content-Length: 1200000; \"\" cut from 1200000\n  interim 100\n  403 Forbidden HTTP/1.1 | Content-Type: text/markdown; \"* not for you\\n* nor for them\""},
		{"Digest: two exchanges, the body of the first ignored", "> GET / HTTP/1.1\n> Host: a.test\n>\n< HTTP/1.1 401 Unauthorized\n< WWW-Authenticate: Digest realm=\"r\"\n< Content-Length: 12\n<\n* Ignoring the response-body\n{ [12 bytes data]\n* Connection #0 to host a.test left intact\n* Issue another request to this URL: 'http://a.test/'\n> GET / HTTP/1.1\n> Host: a.test\n> Authorization: Digest x\n>\n< HTTP/1.1 200 OK\n< Content-Length: 2\n<\nok",
			"1 GET https://a.test/ HTTP/1.1 | Host: a.test; \"\"\n  401 Unauthorized HTTP/1.1 | WWW-Authenticate: Digest realm=\"r\"; Content-Length: 12; \"\" cut from 12\n2 GET http://a.test/ HTTP/1.1 | Host: a.test; Authorization: Digest x; \"\"\n  200 OK HTTP/1.1 | Content-Length: 2; \"ok\""},
		{"nothing came back", "* Connected to a.test (192.0.2.7) port 80 (#0)\n> GET / HTTP/1.1\n> Host: a.test\n>\n* Empty reply from server\n* Closing connection 0\ncurl: (52) Empty reply from server\n",
			"1 GET http://a.test/ HTTP/1.1 | Host: a.test; \"\"\n  error origin: read: Empty reply from server"},
		{"times before the lines", "10:15:30.123456 * Connected to a.test (192.0.2.7) port 80\n10:15:30.123456 > GET / HTTP/1.1\n10:15:30.123456 > Host: a.test\n10:15:30.123456 > \n10:15:30.223456 < HTTP/1.1 403 Forbidden\n10:15:30.223456 < A: b\n10:15:30.223456 < \nno\n",
			"1 GET http://a.test/ HTTP/1.1 | Host: a.test; \"\"\n  403 Forbidden HTTP/1.1 | A: b; \"no\""},
		{"HTML with lines that look marked", "> GET / HTTP/1.1\n> Host: a.test\n>\n< HTTP/1.1 403 Forbidden\n<\n<html>\n< b >\n> quoted\n</html>\n", "1 GET https://a.test/ HTTP/1.1 | Host: a.test; \"\"\n  403 Forbidden HTTP/1.1 | \"<html>\\n< b >\\n> quoted\\n</html>\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, summary(read(t, c.text))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	const post = "POST /orders?a=%20b HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
	for _, c := range []struct{ name, text, want string }{
		{"request and answer as bytes", post + "HTTP/1.1 403 Forbidden\r\nX-A: b\r\n\r\ndenied\r\n",
			"1 POST https://api.test/orders?a=%20b HTTP/1.1 | Host: api.test; Content-Type: application/json; Content-Length: 7; \"{\\\"a\\\":1}\"\n  403 Forbidden HTTP/1.1 | X-A: b; \"denied\""},
		{"edited: LF, a length that fits no more", "\n\nPOST /o HTTP/1.1\nHost: localhost:8000\nContent-Length: 70\n\n{\"a\":1}\n\nHTTP/1.1 403 Forbidden\n\nno\n\n",
			"1 POST http://localhost:8000/o HTTP/1.1 | Host: localhost:8000; Content-Length: 70; \"{\\\"a\\\":1}\" cut from 70\n  403 Forbidden HTTP/1.1 | \"no\""},
		{"httpie, pretty-printed", "POST /o HTTP/1.1\nHost: api.test\nContent-Length: 12\n\n{\n    \"a\": [\n        1,\n        22\n    ]\n}\n\n\nHTTP/1.1 403 Forbidden\nContent-Length: 7\n\n{\n    \"b\": 1\n}\n",
			"1 POST https://api.test/o HTTP/1.1 | Host: api.test; Content-Length: 12; \"{\\\"a\\\":[1,22]}\"\n  403 Forbidden HTTP/1.1 | Content-Length: 7; \"{\\\"b\\\":1}\""},
		{"an HTTP file: absolute URL, no version, comments between", "### create\nPOST https://api.test:8443/o\nContent-Type: text/plain\n\nGET is a word\nand so on\n\nHTTP/1.1 403 Forbidden\n\nno\n### list\nGET http://api.test/o\n",
			"1 POST https://api.test:8443/o HTTP/1.1 | Content-Type: text/plain; \"GET is a word\\nand so on\"\n  403 Forbidden HTTP/1.1 | \"no\"\n2 GET http://api.test/o HTTP/1.1 | \"\"\n  error origin: read: no answer in the text"},
		{"an answer alone", "HTTP/2 403 \r\ncontent-type: text/html\r\n\r\n<h1>no</h1>", "1 unknown\n  403  HTTP/2.0 | content-type: text/html; \"<h1>no</h1>\""},
		{"curl -i through a proxy", "HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 403 \r\na: b\r\n\r\nno", "1 unknown\n  403  HTTP/2.0 | a: b; \"no\""},
		{"chunked, as bytes and as curl shows it", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\nHTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\nabc\n",
			"1 unknown\n  200 OK HTTP/1.1 | Transfer-Encoding: chunked; trailer X-T: 1; \"abcde\"\n2 unknown\n  403 Forbidden HTTP/1.1 | Transfer-Encoding: chunked; \"abc\""},
		{"coded, and shown without", "HTTP/1.1 403 Forbidden\nContent-Encoding: gzip\nContent-Length: 29\n\nhello\n", "1 unknown\n  403 Forbidden HTTP/1.1 | Content-Encoding: gzip; Content-Length: 29; \"hello\""},
		{"several, one after the other", post + post + "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" + "GET http://api.test HTTP/1.0\r\n\r\nHTTP/1.0 403 No\r\n\r\n",
			"1 POST https://api.test/orders?a=%20b HTTP/1.1 | Host: api.test; Content-Type: application/json; Content-Length: 7; \"{\\\"a\\\":1}\"\n  error origin: read: no answer in the text\n2 POST https://api.test/orders?a=%20b HTTP/1.1 | Host: api.test; Content-Type: application/json; Content-Length: 7; \"{\\\"a\\\":1}\"\n  201 Created HTTP/1.1 | Content-Length: 0; \"\"\n" +
				"3 GET http://api.test/ HTTP/1.0 | \"\"\n  403 No HTTP/1.0 | \"\""},
		{"the page says the scheme; a folded and an empty field; no empty line before the body", "GET / HTTP/1.1\nHost: dev\nReferer: https://dev/x\nX-Fold: a\n  b\nX-Empty:\n\nHTTP/1.1 403 Forbidden\nA: b\n<h1>no</h1>",
			"1 GET https://dev/ HTTP/1.1 | Host: dev; Referer: https://dev/x; X-Fold: a b; X-Empty: ; \"\"\n  403 Forbidden HTTP/1.1 | A: b; \"<h1>no</h1>\""},
		{"fenced", "it says:\n\n```http\nHTTP/1.1 403 Forbidden\nA: b\n\nno\n```\n", "1 unknown\n  403 Forbidden HTTP/1.1 | A: b; \"no\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, summary(read(t, c.text))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBytesOfTheHeadAreKept(t *testing.T) {
	head := "GET /a  HTTP/1.1\r\nhOST: a.test\r\nX-Odd :1\r\n\r\n"
	flows := read(t, head+"HTTP/1.1 403 Forbidden\n\n")
	if got := string(flows[0].Request.Head); got != head {
		t.Errorf("head %q, want %q", got, head)
	}
	if flows[0].Response.Head != nil {
		t.Error("a head with changed line ends passes for the bytes of the wire")
	}
}

func TestTimesKeepTheOrderOfTheText(t *testing.T) {
	flows := read(t, "HTTP/1.1 403 A\nDate: Tue, 02 Jun 2026 10:15:30 GMT\n\nHTTP/1.1 403 B\n\nHTTP/1.1 403 C\nDate: Tue, 02 Jun 2026 10:15:20 GMT\n\n")
	for _, f := range flows {
		if got := f.Times.Start.Format("15:04:05"); got != "10:15:30" {
			t.Errorf("flow %d starts at %s", f.ID, got)
		}
	}
}

func TestNothing(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "prose": "the server says 403 Forbidden\n", "a web page": "<html>HTTP/1.1</html>", "an access log": `1.2.3.4 - - [02/Jun/2026:10:15:30 +0000] "POST /a HTTP/1.1" 403 9` + "\n"} {
		if flows, err := Read(strings.NewReader(text)); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %d flows, error %v", name, len(flows), err)
		}
	}
}

func TestUTF16(t *testing.T) {
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("HTTP/1.1 403 Forbidden\r\nA: é\r\n\r\nno")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	flows, err := Read(bytes.NewReader(wide))
	if err != nil || flows[0].Response.Header.Get("a") != "é" {
		t.Errorf("%d flows, error %v", len(flows), err)
	}
}

// Each of these took quadratic time or memory somewhere once, or might.
func TestHostileText(t *testing.T) {
	for name, text := range map[string]string{
		"a long line":        "HTTP/1.1 403 No\nA: " + strings.Repeat("x", 10<<20) + "\n\n",
		"a long start line":  strings.Repeat("GET ", 1<<20),
		"many messages":      strings.Repeat("HTTP/1.1 403 No\n\n", 20_000),
		"many fields":        "HTTP/1.1 403 No\n" + strings.Repeat("a: b\n", 200_000),
		"many marks":         "> GET / HTTP/1.1\n" + strings.Repeat("> \n< \n* \n{ [1 bytes data]\n", 100_000),
		"marks in one line":  "> GET / HTTP/1.1\n>\n< HTTP/1.1 403 No\n<\n" + strings.Repeat("* Connection #0 to host ", 100_000) + "left intact\n",
		"a huge length":      "HTTP/1.1 403 No\nContent-Length: 9223372036854775807\n\nx",
		"huge chunks":        "HTTP/1.1 403 No\nTransfer-Encoding: chunked\n\n7fffffff\nx",
		"repeated, and more": "> GET / HTTP/1.1\n>\n< HTTP/1.1 403 No\n<\n" + strings.Repeat("HTTP/1.1 403 No\n\n", 10_000),
		"bad UTF-8":          "HTTP/1.1 403 \xff\xfe\nA\xff: \x00\x1b[31m\n\n\xc0\xaf",
	} {
		t.Run(name, func(t *testing.T) {
			if flows, err := Read(strings.NewReader(text)); err == nil && len(flows) > maxFlows {
				t.Errorf("%d flows", len(flows))
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\nHTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "> GET / HTTP/2\n> a: b\n>\n< HTTP/2 403\n<\n{ [2 bytes data]\nx* Closing connection\nHTTP/2 403\n\nx", "\xff\xfeH\x00", ">", "<\n", "12:00:00.000000 * x\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		flows, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, f := range flows {
			for _, m := range []*flow.Message{f.Request, f.Response} {
				if m != nil && (m.Body.Kept > m.Body.Size || int64(len(m.Body.Data)) > m.Body.Size) {
					t.Fatalf("body of %d bytes, kept %d, there %d", m.Body.Size, m.Body.Kept, len(m.Body.Data))
				}
			}
			_ = f.URL()
		}
	})
}
