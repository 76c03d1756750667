package curl

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "''",
		"plain-1.0":        "plain-1.0",
		"a b":              "'a b'",
		"it's":             `'it'\''s'`,
		"$HOME `x` \\ \"!": "'$HOME `x` \\ \"!'",
		"~root":            "'~root'",
		"=x":               "'=x'",
		"a\nb":             "'a\nb'",
		"é":                "'é'",
		"caf\xe9!":         `caf"$(printf '\351')"'!'`,
		"\x1b[31m":         `"$(printf '\033')"'[31m'`,
		"\u202eevil":       `"$(printf '\342\200\256')"evil`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	vars := map[string]string{"S_1": "x", "S": "y"}
	if got := quote("Bearer $S_1.$S_10;$S", vars); got != `'Bearer '"$S_1"'.$S_10;'"$S"` {
		t.Errorf("variables: %s", got)
	}
}

func get(lines ...string) *flow.Flow {
	f := &flow.Flow{Scheme: "https", Authority: "api.test", Request: &flow.Message{Proto: "HTTP/1.1", Method: "GET", Target: "/"}}
	f.Request.Header.Add("Host", "api.test")
	for _, l := range lines {
		n, v, _ := strings.Cut(l, ": ")
		f.Request.Header.Add(n, v)
	}
	return f
}

func post(body string, lines ...string) *flow.Flow {
	f := get(lines...)
	f.Request.Method = "POST"
	f.Request.SetBody([]byte(body))
	return f
}

func TestCommandGolden(t *testing.T) {
	h2 := get("user-agent: x", "accept: */*", "te: trailers")
	h2.Request.Proto, h2.Request.Header = "HTTP/2.0", h2.Request.Header[1:]
	foreign := get("user-agent: x", "accept: */*")
	foreign.Request.Proto, foreign.Request.Header = "HTTP/2.0", append(flow.Header{{Name: ":authority", Value: "other.test"}}, foreign.Request.Header[1:]...)
	head := get("User-Agent: x", "Accept: */*")
	head.Request.Method = "HEAD"
	insecure := get()
	insecure.Conn.OriginTLS = &flow.TLS{}
	insecure.Conn.Target = "10.0.0.5:8443"
	getBody := post("q", "Content-Length: 1")
	getBody.Request.Method = "GET"
	empty := post("", "Content-Length: 0", "User-Agent: x", "Accept: */*")
	odd := get("User-Agent: x", "Accept: */*")
	odd.Request.Target = "/a#b c\xe9"
	for _, c := range []struct {
		name string
		f    *flow.Flow
		o    Options
	}{
		{"json-post", post("{\"name\":\"it's\",\n \"x\":\"\\n\"}\n", "User-Agent: app/1.0", "Accept: */*", "Content-Type: application/json", "Content-Length: 30", "Accept-Encoding: gzip, br", "X-Empty: "), Options{}},
		{"nothing-but-host", get(), Options{}},
		{"http2", h2, Options{CACert: "/home/me/ca dir/ca.pem"}},
		{"http2-to-another-name", foreign, Options{}},
		{"head", head, Options{Insecure: true}},
		{"insecure-and-elsewhere", insecure, Options{}},
		{"get-with-body", getBody, Options{}},
		{"empty-post", empty, Options{}},
		{"binary-body", post("\x00\xff\r\n@", "User-Agent: x", "Accept: */*", "Content-Type: a/b"), Options{}},
		{"odd-target", odd, Options{}},
		{"secrets", post("a=1&password=$WHY403_SECRET_PASSWORD_1", "User-Agent: x", "Accept: */*", "Content-Type: application/x-www-form-urlencoded", "Authorization: Bearer $WHY403_SECRET_TOKEN_1"),
			Options{Variables: map[string]string{"WHY403_SECRET_PASSWORD_1": "the password", "WHY403_SECRET_TOKEN_1": "the $(bearer)` token\"}", "WHY403_SECRET_OTHER_1": "not used"}}},
		{"secret-in-binary", post("\r\n$S\x00$S", "User-Agent: x", "Accept: */*", "Content-Type: a/b"), Options{Variables: map[string]string{"S": "x"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Command(c.f, c.o)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", c.name+".sh")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestCommandRefuses(t *testing.T) {
	cut := post("abc")
	cut.Request.Body.Size = 10
	tunnel := get()
	tunnel.Kind = flow.Tunnel
	for want, f := range map[string]*flow.Flow{
		"curl: there is no request":                                           {},
		"curl: only 3 of the body's 10 bytes are here":                        cut,
		"curl: a tunnel is no request that curl could send":                   tunnel,
		"curl: header A has a line break or a NUL in it":                      get("A: b\r\nEvil: 1"),
		"curl: \"@x\" is no name of a header that curl could send":            get("@x: /etc/passwd"),
		"curl: header A is longer than a command line can hold: 200000 bytes": get("A: " + strings.Repeat("x", 200000)),
	} {
		if got, err := Command(f, Options{}); err == nil || err.Error() != want {
			t.Errorf("got %q, %v\nwant %s", got, err, want)
		}
	}
}
