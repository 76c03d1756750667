package paste

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// told is a request in lines.
func told(f *flow.Flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\n", f.Request.Method, f.URL(), f.Request.Proto)
	for _, h := range f.Request.Header {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	return b.String() + "\n" + string(f.Request.Body.Data)
}

const bare = "User-Agent: " + agent + "\nAccept: */*\n"

func TestCurlInEveryQuoting(t *testing.T) {
	orders := "POST https://api.test/orders?x={1} HTTP/1.1\nHost: api.test\nUser-Agent: it's \"me\"\nAccept: */*\n" +
		"content-type: application/json\nContent-Length: 23\n\n{\"a\":\"it's $5 100%\\n!\"}"
	for name, text := range map[string]string{
		"POSIX": `curl --globoff 'https://api.test/orders?x={1}' -H 'User-Agent: it'\''s "me"' -H 'Accept: */*' -H 'content-type: application/json' --data-raw '{"a":"it'\''s $5 100%\n!"}'`,
		"double quotes": `curl -g "https://api.test/orders?x={1}" -A "it's \"me\"" ` + "\\\n" +
			`  -H "content-type: application/json" --data-raw "{\"a\":\"it's \$5 100%\\n!\"}"`,
		"bash, as Chrome writes it": `curl -g 'https://api.test/orders?x={1}' -X POST -H $'User-Agent: it\'s "me"' -H 'Accept: */*' -H 'content-type: application/json' --data-raw $'{"a":"it\'s $5 100%\\n\u0021"}' --compressed -H 'Accept-Encoding:'`,
		"cmd, as Chrome writes it": "curl ^\"https://api.test/orders?x=^{1^}^\" ^\n  -g -H ^\"User-Agent: it's ^\\^\"me^\\^\"^\" ^\n  -H ^\"Accept: */*^\" -H ^\"content-type: application/json^\" ^\n" +
			"  --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"it's ^$5 100^%^\\n^!^\\^\"^}^\"",
		"cmd, with plain quotes": "curl.exe -g \"https://api.test/orders?x={1}\" ^\r\n -A \"it's \\\"me\\\"\" -H \"content-type: application/json\" ^\r\n -d \"{\\\"a\\\":\\\"it's $5 100%\\n!\\\"}\"",
		"PowerShell":             "curl.exe -g 'https://api.test/orders?x={1}' `\n -A 'it''s \"me\"' `\n -H 'content-type: application/json' `\n --data-raw '{\"a\":\"it''s $5 100%\\n!\"}'",
		"a here-document":        "$ curl -g 'https://api.test/orders?x={1}' -A \"it's \\\"me\\\"\" -H 'content-type: application/json' -d @- <<'EOF'\n{\"a\":\"it's $5 100%\\n!\"}\nEOF\n",
		"a pipe":                 "FOO=1 printf '%s' '{\"a\":\"it'\"'\"'s $5 100%\\n!\"}' | /usr/bin/curl -g -XPOST -sSL 'https://api.test/orders?x={1}' -A\"it's \\\"me\\\"\" -H'content-type: application/json' --data-binary @-  # a comment",
	} {
		t.Run(name, func(t *testing.T) {
			flows, warnings, err := Read(text, Options{})
			if err != nil {
				t.Fatalf("%v (%v)", err, warnings)
			}
			want := orders
			if got := told(flows[0]); got != want {
				t.Errorf("\n got %s\nwant %s\nwarnings %q", got, want, warnings)
			}
		})
	}
}

func TestCurlOptions(t *testing.T) {
	files := func(name string) ([]byte, error) {
		if name == "data.txt" {
			return []byte("a=1\r\nb=2\n"), nil
		}
		return nil, os.ErrNotExist
	}
	for _, c := range []struct{ name, text, want, warning string }{
		{"nothing but a URL", "curl example.test", "GET http://example.test/ HTTP/1.1\nHost: example.test\n" + bare + "\n", ""},
		{"a form", "curl http://a.test/ -d a=1 -d b=2", "POST http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "Content-Length: 7\nContent-Type: application/x-www-form-urlencoded\n\na=1&b=2", ""},
		{"POST without data has no length", "curl -X POST http://a.test/", "POST http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "\n", ""},
		{"empty data has one", "curl -d '' http://a.test/", "POST http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "Content-Length: 0\nContent-Type: application/x-www-form-urlencoded\n\n", ""},
		{"fields taken away and empty", "curl -H 'User-Agent:' -H 'Accept:' -H 'X-Empty;' http://a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\nX-Empty: \n\n", ""},
		{"data in the query", "curl -G http://a.test/x?c=0 -d a=1 --data-urlencode 'q=ä &'", "GET http://a.test/x?c=0&a=1&q=%C3%A4%20%26 HTTP/1.1\nHost: a.test\n" + bare + "\n", ""},
		{"user", "curl -u me:pw http://a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\nAuthorization: Basic bWU6cHc=\n" + bare + "\n", ""},
		{"user in the URL", "curl http://me:p%40@a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\nAuthorization: Basic bWU6cEA=\n" + bare + "\n", ""},
		{"json", "curl --json '{}' http://a.test/", "POST http://a.test/ HTTP/1.1\nHost: a.test\nUser-Agent: " + agent + "\nAccept: application/json\nContent-Length: 2\nContent-Type: application/json\n\n{}", ""},
		{"cookies and referer", "curl -b a=1 -b b=2 -e http://r.test/ http://a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "Referer: http://r.test/\nCookie: a=1; b=2\n\n", ""},
		{"head", "curl -I http://a.test/", "HEAD http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "\n", ""},
		{"compressed", "curl --compressed http://a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "Accept-Encoding: deflate, gzip, br, zstd\n\n", ""},
		{"dots are squashed", "curl http://a.test/a/../b/./c", "GET http://a.test/b/c HTTP/1.1\nHost: a.test\n" + bare + "\n", ""},
		{"unless they are meant", "curl --path-as-is http://a.test/a/../b", "GET http://a.test/a/../b HTTP/1.1\nHost: a.test\n" + bare + "\n", ""},
		{"HTTP/2", "curl --http2 https://a.test/ -H 'X-A: 1'", "GET https://a.test/ HTTP/2.0\nuser-agent: " + agent + "\naccept: */*\nx-a: 1\n\n", ""},
		{"a file loses its line ends", "curl -d @data.txt http://a.test/", "POST http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "Content-Length: 6\nContent-Type: application/x-www-form-urlencoded\n\na=1b=2", ""},
		{"or keeps them", "curl --data-binary @data.txt http://a.test/", "POST http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "Content-Length: 9\nContent-Type: application/x-www-form-urlencoded\n\na=1\r\nb=2\n", ""},
		{"upload", "curl -T data.txt http://a.test/up/", "PUT http://a.test/up/data.txt HTTP/1.1\nHost: a.test\n" + bare + "Content-Length: 9\n\na=1\r\nb=2\n", ""},
		{"several URLs", "curl http://a.test/ http://b.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "\n", "only the first of 2 URLs"},
		{"next", "curl http://a.test/ --next http://b.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "\n", "only the first"},
		{"a variable", `curl "http://a.test/" -H "X-T: $TOKEN"`, "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "X-T: $TOKEN\n\n", "$TOKEN is not set"},
		{"what is ignored may have a value", "curl -s -o /dev/null -w '%{http_code}' --retry 3 -x http://p:1 http://a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "\n", "--proxy cannot"},
		{"unknown", "curl --nonsense http://a.test/", "GET http://a.test/ HTTP/1.1\nHost: a.test\n" + bare + "\n", "--nonsense is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, warnings, err := Curl(c.text, Options{ReadFile: files})
			if err != nil {
				t.Fatal(err)
			}
			if got := told(f); got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
			if got := strings.Join(warnings, "\n"); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

func TestCurlMultipart(t *testing.T) {
	f, _, err := Curl(`curl http://a.test/ -F 'a=1' -F 'b={};type=application/json' --form-string 'c=@x'`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	boundary := strings.TrimPrefix(f.Request.Header.Get("Content-Type"), "multipart/form-data; boundary=")
	want := "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name=\"b\"\r\nContent-Type: application/json\r\n\r\n{}\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n@x\r\n--B--\r\n"
	if got := strings.ReplaceAll(string(f.Request.Body.Data), boundary, "B"); got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		"curl http://a.test/ -d @secret.txt":     "the file secret.txt, which is not read without being asked to",
		"curl http://a.test/ -H 'X: y":           "a quote ' is not closed",
		"curl -H":                                "-H wants a value",
		"curl -s":                                "has no URL",
		"curl \"$(rm -rf /)\"":                   "$(rm -rf /) is a command, and none is run",
		"cat x | jq . | curl http://a.test -d@-": "the file x, which is not read",
		"curl ftp://a.test/":                     "no URL of http or https",
		"curl http://a.test/ -d @-":              "comes from the terminal",
		"echo hello":                             "no curl command and no request",
		"":                                       "no curl command and no request",
		"### a\nPOST https://a.test/\nbad line\n": `"bad line" is no header`,
	} {
		if _, _, err := Read(text, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestHTTPFile(t *testing.T) {
	text := `@host = api.test
@base = https://{{host}}/v1
# a comment
### first
GET {{base}}/items
    ?a=1
    &b=2
Accept: text/html
// another comment
Authorization: Bearer {{$processEnv TOKEN}}

### second
# @name order
POST {{base}}/orders HTTP/1.1
Content-Type: application/json

{"a": "{{unknown}}",
 "b": 2}

> {% client.test("x", function() {}); %}
###
PUT /local HTTP/2
Host: localhost:8080

< data.txt
`
	flows, warnings, err := Read(strings.Replace(text, " HTTP/2", "", 1), Options{
		Getenv:   func(n string) (string, bool) { return "t0ken", n == "TOKEN" },
		ReadFile: func(string) ([]byte, error) { return []byte("from a file"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GET https://api.test/v1/items?a=1&b=2 HTTP/1.1\nHost: api.test\nAccept: text/html\nAuthorization: Bearer t0ken\n\n",
		"POST https://api.test/v1/orders HTTP/1.1\nHost: api.test\nContent-Type: application/json\nContent-Length: 29\n\n{\"a\": \"{{unknown}}\",\n \"b\": 2}",
		"PUT http://localhost:8080/local HTTP/1.1\nHost: localhost:8080\nContent-Length: 11\n\nfrom a file",
	}
	for i, f := range flows {
		if got := told(f); i >= len(want) || got != want[i] {
			t.Errorf("%d:\n got %q\nwant %q", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(flows) != len(want) || len(warnings) != 2 {
		t.Errorf("%d flows, warnings %q", len(flows), warnings)
	}
}

func TestLooks(t *testing.T) {
	for text, want := range map[string]bool{
		"curl https://a.test/": true, "$ curl -v https://a.test/\n* Trying\n> GET / HTTP/1.1\n": false,
		"### x\nGET https://a.test/\n": true, "GET / HTTP/1.1\r\nHost: a\r\n\r\nHTTP/1.1 403 No\r\n": false,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n": false, "{\"log\":{}}": false, "HTTP/1.1 403 Forbidden\n": false,
	} {
		if got := Looks(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// FuzzRead: no text makes it panic or hang, and what it gives can be placed in a request.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"curl 'x' <<E | { a; } \\\n", "$'\\x", "curl ^\"a^\" ^\n\n", "curl `\"", "### \nGET {{a}}\n@a={{a}}", "{ { {", "curl -F a=@b;type=", "base64 -d <<'B' | curl a\nQQ==\nB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		flows, _, err := Read(s, Options{Getenv: func(string) (string, bool) { return "v", true }})
		if err != nil {
			return
		}
		for _, fl := range flows {
			if fl.Request == nil || strings.ContainsAny(fl.Request.Target, "\r\n") || fl.Authority == "" {
				t.Errorf("%q gives %+v", s, fl.Request)
			}
		}
	})
}
