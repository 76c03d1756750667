package replay

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// A replay goes through the proxy after us as the original did: a plain request is forwarded, for TLS a tunnel is asked for.
func TestAReplayGoesThroughTheProxyAfterUs(t *testing.T) {
	const login = "Proxy-Authorization: Basic bWU6eA==\r\n"
	req := recorded("POST /a?b HTTP/1.1\r\nhost: app.test\r\nContent-Length: 3\r\n\r\nabc")
	for _, c := range []struct{ scheme, answer, want, says string }{
		{"http", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"POST http://app.test/a?b HTTP/1.1\r\n" + login + "host: app.test\r\nContent-Length: 3\r\n\r\n", ""},
		{"http", "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
			"POST http://app.test/a?b HTTP/1.1\r\n" + login + "host: app.test\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 407 Who"},
		{"https", "HTTP/1.1 403 No Way\r\nContent-Length: 0\r\n\r\n",
			"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n" + login + "\r\n", "HTTP/1.1 403 No Way"},
	} {
		got := make(chan string, 1)
		addr := origin(t, nil, func(conn net.Conn, br *bufio.Reader) {
			h := head(br)
			got <- h
			if strings.HasPrefix(h, "POST") {
				br.Discard(3)
			}
			io.WriteString(conn, c.answer)
		})
		via, err := wire.NewProxy(&url.URL{Scheme: "http", Host: addr, User: url.UserPassword("me", "x")}, wire.NoProxy{})
		if err != nil {
			t.Fatal(err)
		}
		tape := &memory{}
		f, err := New(Options{Recorder: tape, Upstream: via}).Send(t.Context(), parentOf(c.scheme, "app.test"), req)
		if h := <-got; h != c.want {
			t.Errorf("the proxy got %q, not %q", h, c.want)
		}
		var failure *flow.Failure
		switch {
		case c.says == "" && err != nil:
			t.Error(err)
		case c.says != "" && (!errors.As(err, &failure) || failure.Side != "upstream" || !strings.Contains(failure.Text, c.says)):
			t.Errorf("%v", err)
		}
		if f.Conn.Upstream != "http://"+addr || strings.Contains(string(f.Request.Head), "Basic") {
			t.Errorf("recorded %+v, %q", f.Conn, f.Request.Head)
		}
	}
}

func TestAnAuthorityWithALineBreakIsNotSent(t *testing.T) {
	tape := &memory{}
	_, err := New(Options{Recorder: tape}).Send(t.Context(), parentOf("http", "app.test\r\nX: 1"), recorded("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	if err == nil || !strings.Contains(err.Error(), "no host[:port]") || tape.begun != nil {
		t.Errorf("%v, recorded %v", err, tape.begun)
	}
}
