package export

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
)

// A masked command with its variables set sends what the flow sent.
func TestMaskedCurlRuns(t *testing.T) {
	for _, p := range []string{"sh", "curl", "base64"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			got <- receive(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })

	head := "POST /x?api_key=" + marker + "&b=1 HTTP/1.1\r\nHost: api.test\r\nUser-Agent: x\r\nAccept: */*\r\nAuthorization: Bearer " + marker + "2\r\nCookie: a=1; sessionid=" + marker + "3\r\n"
	for name, c := range map[string]struct{ kind, body string }{
		"json":   {"application/json", `{"user":"it's me","password":"` + marker + `4\"","n":1}`},
		"form":   {"application/x-www-form-urlencoded", "user=me&password=%7A" + marker},
		"binary": {"application/octet-stream", "\x00\r\n" + marker + "2\xff"},
	} {
		f := exchange(1, head+"Content-Type: "+c.kind+"\r\nContent-Length: "+strconv.Itoa(len(c.body)), c.body, "HTTP/1.1 403 No", "")
		f.Scheme, f.Conn.Target = "http", l.Addr().String()
		command := write(t, "curl", Options{}, f)
		m := redact.Runnable()
		m.Flows([]*flow.Flow{f})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := exec.CommandContext(ctx, "sh")
		cmd.Stdin = strings.NewReader(command)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CURL_HOME=" + t.TempDir(), "LC_ALL=C"}
		for v := range m.Variables() {
			text, _ := m.Value(v)
			cmd.Env = append(cmd.Env, v+"="+text)
		}
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", name, err, command, out)
		}
		want := head + "Content-Type: " + c.kind + "\r\nContent-Length: " + strconv.Itoa(len(c.body)) + "\r\n\r\n" + c.body
		if s := <-got; s != want {
			t.Errorf("%s: %s\n got %q\nwant %q", name, command, s, want)
		}
		if len(traces(command)) > 0 {
			t.Errorf("%s: a secret is in\n%s", name, command)
		}
	}
}

// receive reads one request with a length and answers it.
func receive(c net.Conn) string {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var raw bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &raw))
	size := int64(0)
	for {
		line, err := r.ReadString('\n')
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
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
