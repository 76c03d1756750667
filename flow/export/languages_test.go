package export

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"go/format"
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
	"github.com/why403/why403/flow/redact"
)

// sink keeps what it gets, byte for byte, and answers each request.
type sink struct {
	l    net.Listener
	got  chan string
	done chan struct{}
}

func listen(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{l, make(chan string, 64), make(chan struct{})}
	go func() {
		defer close(s.done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.got <- readRequest(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-s.done })
	return s
}

func readRequest(c net.Conn) string {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var raw bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &raw))
	size := int64(0)
	for {
		line, err := r.ReadString('\n')
		if name, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Content-Length") {
			size, _ = strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
		if err != nil || line == "\r\n" {
			break
		}
	}
	io.CopyN(io.Discard, r, size)
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	return raw.String()
}

// awkward are requests to addr that are hard to write down, with secrets in some.
func awkward(addr string) map[string]*flow.Flow {
	out := map[string]*flow.Flow{}
	add := func(name, start, fields, body string) {
		head := start + " HTTP/1.1\r\nHost: " + addr + "\r\n" + fields
		if body != "" {
			head += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
		}
		f := exchange(1, strings.TrimSuffix(head, "\r\n"), body, "HTTP/1.1 403 No", "")
		f.Scheme, f.Authority = "http", addr
		out[name] = f
	}
	common := "User-Agent: x\r\nAccept: */*\r\nAccept-Encoding: br\r\n"
	add("plain", "GET /x?a=1&b=%20%2F", common, "")
	add("dots and braces", "GET /a/../b/./c?q={x}[1]|^", common, "")
	add("quotes", "POST /q", common+"X-Q: it's \"quoted\" `tick` $HOME \\n %41 #{x}\r\nContent-Type: text/plain\r\n", "'\"`$HOME\\n!\n%\ttab ''' \"\"\" #{1} ${2}\n")
	add("unicode", "POST /u", common+"Content-Type: application/json\r\n", `{"a":"ü 注文 😀"}`)
	add("binary", "PUT /b", common+"Content-Type: application/octet-stream\r\n", "\x00\x01\r\n\xff\xfe\"'\\\x7f")
	add("latin1 header", "POST /l", common+"X-L: caf\xe9\r\nContent-Type: text/plain\r\n", "x")
	add("empty value", "POST /e", common+"X-Empty:\r\nContent-Type: text/plain\r\n", "x")
	add("multipart", "POST /m", common+"Content-Type: multipart/form-data; boundary=B\r\n", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B--\r\n")
	add("odd case", "DELETE /o", "user-AGENT: x\r\nACCEPT: */*\r\naccept-encoding: br\r\nx-low: 1\r\n", "")
	add("secrets", "POST /s?api_key="+marker, common+"Authorization: Bearer "+marker+"2\r\nCookie: a=1; sessionid="+marker+"3\r\nContent-Type: application/json\r\n", `{"user":"it's me","password":"`+marker+`4"}`)
	return out
}

// run lets an interpreter run what was written for each of flows, in one process.
func runAll(t *testing.T, form string, s *sink, flows map[string]*flow.Flow, command func(files []string) *exec.Cmd, check func(t *testing.T, f *flow.Flow, got string)) {
	t.Helper()
	var files, names []string
	var env []string
	dir := t.TempDir()
	for name, f := range flows {
		m := redact.Runnable()
		m.Flows([]*flow.Flow{f})
		for v := range m.Variables() {
			text, _ := m.Value(v)
			env = append(env, v+"="+text)
		}
		var b bytes.Buffer
		for _, format := range Formats {
			if format.Name == form {
				if err := Write(&b, format, []*flow.Flow{f}, Options{}); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		ext := ".mjs"
		if form == "go" {
			ext = ".go"
		}
		file := filepath.Join(dir, fmt.Sprintf("f%d%s", len(files), ext))
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		files, names = append(files, file), append(names, name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := command(files)
	cmd.Env = append(append(os.Environ(), "NO_PROXY=*", "no_proxy=*"), env...)
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == 77 {
		t.Skip(cmd.Path + " has not what " + form + " needs")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for i, name := range names {
		select {
		case got := <-s.got:
			t.Run(name, func(t *testing.T) {
				check(t, flows[name], got)
				if t.Failed() {
					text, _ := os.ReadFile(files[i])
					t.Logf("%s", text)
				}
			})
		default:
			t.Fatalf("%s: nothing was sent", name)
		}
	}
}

func TestPythonSendsTheSameBytes(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	s := listen(t)
	runAll(t, "python", s, awkward(s.l.Addr().String()), func(files []string) *exec.Cmd {
		return exec.Command(python, append([]string{"-c", "import sys\ntry: import requests\nexcept ImportError: sys.exit(77)\nfor f in sys.argv[1:]: exec(open(f).read(), {})"}, files...)...)
	}, func(t *testing.T, f *flow.Flow, got string) {
		want := string(f.Request.Head) + string(f.Request.Body.Data)
		if n := strings.Replace(got, ": \r\n", ":\r\n", 1); n != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
	})
}

func TestNodeSendsTheSameRequest(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	s := listen(t)
	flows := awkward(s.l.Addr().String())
	delete(flows, "dots and braces") // fetch tidies up, as the comment says
	runAll(t, "js", s, flows, func(files []string) *exec.Cmd {
		return exec.Command(node, append([]string{"--input-type=module", "-e", "if (!globalThis.fetch) process.exit(77); for (const f of process.argv.slice(1)) await import(f)"}, files...)...)
	}, sameButForOrder)
}

// sameButForOrder checks method, target, body, and that each field is there, in whatever order and case.
func sameButForOrder(t *testing.T, f *flow.Flow, got string) {
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if body != string(f.Request.Body.Data) {
		t.Errorf("body %q, want %q", body, f.Request.Body.Data)
	}
	if !strings.HasPrefix(head, f.Request.Method+" "+f.Request.Target+" ") {
		t.Errorf("%q, want %s %s", head, f.Request.Method, f.Request.Target)
	}
	for _, h := range f.Request.Header {
		if line := "\r\n" + strings.ToLower(h.Name) + ": " + h.Value; !strings.Contains(strings.ToLower(head[:strings.IndexByte(head, '\n')])+lowerNames(head), line) {
			t.Errorf("there is no %q in\n%s", line, head)
		}
	}
}

// each is a command that runs a program on each of the files.
func each(program string, files []string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", "for f; do " + program + " \"$f\" || exit; done", "sh"}, files...)...)
}

func TestGoSendsTheSameRequest(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles a program for each request")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	s := listen(t)
	runAll(t, "go", s, awkward(s.l.Addr().String()), func(files []string) *exec.Cmd { return each("go run", files) }, sameButForOrder)
}

func TestHTTPieSendsTheSameRequest(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("http"); err != nil {
		t.Skip("HTTPie is not installed")
	}
	s := listen(t)
	runAll(t, "httpie", s, awkward(s.l.Addr().String()), func(files []string) *exec.Cmd { return each("sh", files) }, sameButForOrder)
}

func TestHTTPXSendsTheSameRequest(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	s := listen(t)
	runAll(t, "httpx", s, awkward(s.l.Addr().String()), func(files []string) *exec.Cmd {
		return exec.Command(python, append([]string{"-c", "import sys\ntry: import httpx\nexcept ImportError: sys.exit(77)\nfor f in sys.argv[1:]: exec(open(f).read(), {})"}, files...)...)
	}, sameButForOrder)
}

func lowerNames(head string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		b.WriteString("\r\n" + strings.ToLower(name) + ":" + value)
	}
	return b.String()
}

// TestGoIsFormatted: what is written parses and is as gofmt has it.
func TestGoIsFormatted(t *testing.T) {
	for name, f := range awkward("127.0.0.1:1") {
		for _, reveal := range []bool{false, true} {
			got := write(t, "go", Options{Reveal: reveal}, f)
			want, err := format.Source([]byte(got))
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, got)
			} else if reveal && name == "plain" && string(want) != got {
				t.Errorf("gofmt changes it:\n%s\nto\n%s", got, want)
			}
		}
	}
}

// TestTextForms looks at what the other forms make of the hard parts.
func TestTextForms(t *testing.T) {
	flows := awkward("api.test")
	for _, c := range []struct {
		form, flow string
		want       []string
	}{
		{"httpie", "quotes", []string{`http --print=hb --path-as-is --ignore-stdin`, `'--raw='\''"`, `POST http://api.test/q`, `'X-Q:it'\''s "quoted" `}},
		{"httpie", "binary", []string{"| base64 -d | \\\n", "PUT http://api.test/b"}},
		{"httpie", "empty value", []string{"'X-Empty;'"}},
		{"httpie", "secrets", []string{`"$WHY403_SECRET_`, "set WHY403_SECRET_"}},
		{"httpx", "binary", []string{`content=b"\x00\x01\r\n\xff\xfe\"'\\\x7f"`, `(b"Host", b"api.test")`}},
		{"httpx", "dots and braces", []string{`extensions={"target": b"/a/../b/./c?q={x}[1]|^"}`}},
		{"powershell", "quotes", []string{`'X-Q' = 'it''s "quoted"`, "[Convert]::FromBase64String('"}},
		{"powershell", "secrets", []string{"$env:WHY403_SECRET_"}},
		{"http", "unicode", []string{"POST http://api.test/u HTTP/1.1\n", "Content-Type: application/json\n\n{\"a\":\"ü 注文 😀\"}\n"}},
		{"http", "secrets", []string{"{{$processEnv WHY403_SECRET_", "Bearer {{WHY403_SECRET_"}},
		{"hurl", "binary", []string{"base64,AAENCv/+Iidcfw==;", "HTTP 403"}},
		{"hurl", "quotes", []string{`X-Q: it's "quoted" \u{60}tick\u{60} $HOME \\n %41 \#\u{7b}x}`}},
		{"test", "secrets", []string{`"why403_test": 1`, `${WHY403_SECRET_`, `"status": 403`}},
		{"go", "dots and braces", []string{`Opaque: "/a/../b/./c?q={x}[1]|^"`}},
	} {
		got := write(t, c.form, Options{}, flows[c.flow])
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s of %s: no %q in\n%s", c.form, c.flow, w, got)
			}
		}
		if !strings.Contains(got, "not verified") {
			t.Errorf("%s does not say that it was not run:\n%s", c.form, got)
		}
		if len(traces(got)) > 0 {
			t.Errorf("%s: a secret is in\n%s", c.form, got)
		}
	}
	if got := write(t, "python", Options{Verified: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}, flows["plain"]); !strings.Contains(got, "verified at 2026-11-24 12:00:00 UTC") {
		t.Error(got)
	}
}
