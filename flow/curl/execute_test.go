package curl

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// sink is an origin that keeps the bytes of each request and answers 200.
type sink struct {
	net.Listener
	got chan string
}

func newSink(t *testing.T) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{l, make(chan string, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return s
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var raw bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &raw))
	size, chunked := 0, false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch strings.ToLower(name) {
		case "content-length":
			size, _ = strconv.Atoi(strings.TrimSpace(value))
		case "transfer-encoding":
			chunked = true
		case "expect":
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if line == "\r\n" {
			break
		}
	}
	if chunked {
		for {
			line, err := r.ReadString('\n')
			n, _ := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
			if err != nil || n == 0 {
				break
			}
			io.CopyN(io.Discard, r, n+2)
		}
		r.ReadString('\n')
	} else {
		io.CopyN(io.Discard, r, int64(size))
	}
	s.got <- raw.String() // before the answer: it is there when curl has ended
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// plainForm is a request without what no command line can keep: the place and
// presence of a Content-Length that is right, and chunk sizes.
func plainForm(raw string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	chunked := false
	var keep []string
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		if strings.EqualFold(name, "Content-Length") && strings.TrimSpace(value) == strconv.Itoa(len(body)) && len(body) > 0 {
			continue
		}
		chunked = chunked || strings.EqualFold(name, "Transfer-Encoding")
		keep = append(keep, l)
	}
	if chunked {
		var whole strings.Builder
		for {
			size, rest, _ := strings.Cut(body, "\r\n")
			n, _ := strconv.ParseInt(size, 16, 64)
			if n <= 0 || int(n) > len(rest) {
				break
			}
			whole.WriteString(rest[:n])
			body = strings.TrimPrefix(rest[n:], "\r\n")
		}
		body = whole.String()
	}
	return strings.Join(keep, "\r\n") + "\r\n\r\n" + body
}

type awkward struct{ name, line, head, body string }

func awkwardRequests() []awkward {
	const ua = "User-Agent: x\nAccept: */*\n"
	const form = "Content-Type: application/x-www-form-urlencoded\n"
	var binary strings.Builder
	for i := range 256 {
		binary.WriteByte(byte(i))
	}
	return []awkward{
		{"plain", "GET /", ua, ""},
		{"nothing but host", "GET /", "", ""},
		{"query with everything", "GET /a?b={x}&c=[1-3]&d='q'&e=\"&f=$HOME&g=`id`&h=!&i=%41%&j=a;b|c<d>", ua, ""},
		{"dot segments", "GET /a/../b/./c/..", ua, ""},
		{"double slashes", "GET //a///b//", ua, ""},
		{"encoded", "GET /%2e%2E/%2f%00?%7e=%zz", ua, ""},
		{"backslash", "GET /a\\b", ua, ""},
		{"hash", "GET /a#b?c", ua, ""},
		{"blank in the path", "GET /a b", ua, ""},
		{"bytes in the path", "GET /caf\xe9/é", ua, ""},
		{"star", "OPTIONS *", ua, ""},
		{"question mark alone", "GET /?", ua, ""},
		{"at sign", "GET /@host:80/x?u=http://y@z/", ua, ""},
		{"odd method", "PROPFIND /dav", ua, ""},
		{"lower-case method", "get /", ua, ""},
		{"HEAD", "HEAD /x", ua, ""},
		{"DELETE", "DELETE /x", ua, ""},
		{"DELETE with body", "DELETE /x", ua + form + "Content-Length: 1\n", "1"},
		{"GET with body", "GET /x", ua + "Content-Type: application/json\nContent-Length: 2\n", "{}"},
		{"POST without body or length", "POST /x", ua, ""},
		{"POST of length 0", "POST /x", ua + "Content-Length: 0\n", ""},
		{"GET of length 0", "GET /x", ua + "Content-Length: 0\n", ""},
		{"no Content-Type", "POST /x", ua + "Content-Length: 3\n", "a=1"},
		{"no User-Agent, no Accept", "POST /x", form + "Content-Length: 3\n", "a=1"},
		{"odd spelling and order", "GET /", "x-B: 2\nACCEPT: text/html\nX-a: 1\nuser-AGENT: y\n", ""},
		{"duplicates", "GET /", ua + "X: 1\nX: 2\nx: 1\nCookie: a=1\nCookie: b=2\n", ""},
		{"empty values", "GET /", ua + "X-Empty: \nReferer: \n", ""},
		{"empty User-Agent and Accept", "GET /", "User-Agent: \nAccept: \n", ""},
		{"quotes in a header", "GET /", ua + "X: it's \"$HOME\" `id` \\ !! ${x} *\n", ""},
		{"latin-1 in a header", "GET /", ua + "X: caf\xe9\n", ""},
		{"UTF-8 in a header", "GET /", ua + "X: café 😀\n", ""},
		{"control in a header", "GET /", ua + "X: a\x01b\x1b[31m\tc\n", ""},
		{"semicolons", "GET /", ua + "X: a;\nY: ;\nCookie: a=1; b=2;\n", ""},
		{"basic", "GET /", ua + "Authorization: Basic dTpw\n", ""},
		{"Accept-Encoding", "GET /", ua + "Accept-Encoding: gzip;q=0.1, x\n", ""},
		{"range and referer", "GET /", ua + "Range: bytes=0-1\nReferer: http://x/;auto\nIf-None-Match: \"x\"\n", ""},
		{"connection", "GET /", ua + "Connection: keep-alive\nKeep-Alive: timeout=5\nTE: trailers\n", ""},
		{"another Host", "GET /", "Host: Other.test\n" + ua, ""},
		{"no Host", "GET /", "-Host\n" + ua, ""},
		{"proto 1.0", "GET10 /", ua, ""},
		{"trailing newline", "POST /", ua + form, "{\"a\":1}\n"},
		{"newline only", "POST /", ua + form, "\n"},
		{"percent and newline", "POST /", ua + form, "100%\n%s %d\n"},
		{"backslash n and newline", "POST /", ua + form, "a\\nb\nc\\\\"},
		{"begins with at", "POST /", ua + form, "@/etc/hostname"},
		{"begins with minus", "POST /", ua + form, "--data x\n-"},
		{"quotes", "POST /", ua + form, "it's '\"'\"' $(id) `id` $HOME !x \\' ''"},
		{"CRLF", "POST /", ua + "Content-Type: multipart/form-data; boundary=\"b 1\"\n", "--b 1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b 1--\r\n"},
		{"all bytes", "POST /", ua + "Content-Type: application/octet-stream\n", binary.String()},
		{"gzip", "POST /", ua + "Content-Encoding: gzip\n", "\x1f\x8b\x08\x00\x00"},
		{"NUL at the end", "POST /", ua + form, "abc\x00"},
		{"tabs and UTF-8", "PUT /", ua + form, "\té😀"},
		{"hidden characters", "PUT /", ua + form, "a\u202eb\u200b"},
		{"200 KB", "POST /", ua + form, strings.Repeat("0123456789", 20_000)},
		{"2 MB", "POST /", ua + form, strings.Repeat("x\n", 1<<20)},
		{"chunked", "POST /", ua + form + "Transfer-Encoding: chunked\n", "hello"},
		{"chunked and empty", "POST /", ua + form + "Transfer-Encoding: chunked\n", ""},
		{"Expect", "POST /", ua + form + "Expect: 100-continue\n", "a"},
		{"here-document's end in the body", "POST /", ua + form, "B64\nB64\r\n"},
		{"B64 alone", "POST /", ua + form, "\x01B64"},
		{"upgrade", "GET /ws", ua + "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: eA==\nSec-WebSocket-Version: 13\n", ""},
	}
}

// request makes the flow, and the bytes that a sink should see.
func (a awkward) request(target string) (*flow.Flow, string) {
	method, path, _ := strings.Cut(a.line, " ")
	proto := "HTTP/1.1"
	if m, ok := strings.CutSuffix(method, "10"); ok {
		method, proto = m, "HTTP/1.0"
	}
	f := &flow.Flow{Scheme: "http", Authority: "api.test:8080", Conn: flow.Conn{Target: target}, Request: &flow.Message{Proto: proto, Method: method, Target: path}}
	m := f.Request
	head := a.head
	switch {
	case strings.HasPrefix(head, "-Host\n"):
		head = head[6:]
	case !strings.HasPrefix(head, "Host:"):
		head = "Host: api.test:8080\n" + head
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(head, "\n"), "\n") {
		if n, v, ok := strings.Cut(l, ": "); ok {
			m.Header.Add(n, v)
		}
	}
	m.SetBody([]byte(a.body))
	want := method + " " + path + " " + proto + "\r\n"
	for _, h := range m.Header {
		want += strings.TrimRight(h.Name+": "+h.Value, " ") + "\r\n"
	}
	body := a.body
	if m.Header.HasToken("Transfer-Encoding", "chunked") && body != "" {
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	return f, want + "\r\n" + body
}

// Every command is run by real shells with real curl, and what arrives is compared byte by byte.
func TestCommandSendsTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("runs some hundred processes")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	var shells []string
	for _, s := range []string{"dash", "bash", "sh", "zsh"} {
		if _, err := exec.LookPath(s); err == nil {
			shells = append(shells, s)
		}
	}
	if len(shells) == 0 {
		t.Skip("there is no POSIX shell")
	}
	if _, err := exec.LookPath("base64"); err != nil {
		t.Skip("base64 is not installed")
	}
	s := newSink(t)
	home := t.TempDir()
	for _, a := range awkwardRequests() {
		f, want := a.request(s.Addr().String())
		command, err := Command(f, Options{})
		if err != nil {
			t.Errorf("%s: %v", a.name, err)
			continue
		}
		for i, shell := range shells {
			if i > 1 && (len(command) > 1<<20 || !strings.Contains(command, `'\''`) && !strings.Contains(command, "$(printf") && !strings.Contains(command, "<<")) {
				continue // plain words in single quotes: those two tell
			}
			got, out := run(t, s, shell, home, command)
			if plainForm(got) != plainForm(want) {
				t.Errorf("%s in %s:\n%.600s\n got %.700q\nwant %.700q\n%s", a.name, shell, command, plainForm(got), plainForm(want), out)
			}
		}
	}
}

// The same requests by a configuration: there nothing of them stands on a command line.
func TestConfigSendsTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("runs some dozens of processes")
	}
	program, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	s := newSink(t)
	home := t.TempDir()
	config, body := filepath.Join(home, "request"), filepath.Join(home, "body")
	for _, a := range awkwardRequests() {
		f, want := a.request(s.Addr().String())
		text, err := Config(f, Options{}, body)
		if err != nil {
			t.Errorf("%s: %v", a.name, err)
			continue
		}
		for name, data := range map[string][]byte{config: []byte(text), body: f.Request.Body.Data} {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := exec.CommandContext(ctx, program, "--config", config)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "CURL_HOME=" + home, "LC_ALL=C"}
		out, err := cmd.CombinedOutput()
		cancel()
		got := ""
		select {
		case got = <-s.got:
		default:
		}
		if err != nil || plainForm(got) != plainForm(want) {
			t.Errorf("%s:\n%.600s\n got %.700q\nwant %.700q\n%v %s", a.name, text, plainForm(got), plainForm(want), err, out)
		}
	}
}

func TestCommandWithVariables(t *testing.T) {
	for _, p := range []string{"curl", "sh", "base64"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
	s := newSink(t)
	a := awkward{"", "POST /?k=$S_KEY&x", "User-Agent: x\nAccept: */*\nX: y\nAuthorization: Bearer $S_TOKEN\nContent-Type: a/b\n", "\r\n$S_TOKEN\x00$S_KEY"}
	f, want := a.request(s.Addr().String())
	command, err := Command(f, Options{Variables: map[string]string{"S_TOKEN": "the token", "S_KEY": "the key"}})
	if err != nil {
		t.Fatal(err)
	}
	got, out := run(t, s, "sh", t.TempDir(), command, "S_TOKEN=it's $x", "S_KEY=k%41")
	want = strings.NewReplacer("$S_TOKEN", "it's $x", "$S_KEY", "k%41").Replace(want)
	if plainForm(got) != plainForm(want) {
		t.Errorf("%s\n got %q\nwant %q\n%s", command, got, want, out)
	}
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "S_KEY=x"}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the token") {
		t.Errorf("without a variable: %v, %s", err, out)
	}
}

func run(t *testing.T, s *sink, shell, home, command string, env ...string) (got string, out []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell)
	cmd.Stdin = strings.NewReader(command)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "CURL_HOME=" + home, "LC_ALL=C"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, err.Error()...)
	}
	select {
	case got = <-s.got:
	default:
	}
	return got, out
}

func FuzzQuote(f *testing.F) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("there is no sh")
	}
	for _, s := range []string{"", "it's", "a\nb", "$(id)", "\\", "\xff", "~", "=x", "-n", "!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) || len(s) > 1000 {
			return
		}
		cmd := exec.Command(sh)
		cmd.Stdin = strings.NewReader("printf %s " + Quote("x"+s+"x") + "\n")
		out, err := cmd.CombinedOutput()
		if string(out) != "x"+s+"x" {
			t.Errorf("%q by %s gives %q, %v", s, Quote(s), out, err)
		}
	})
}
