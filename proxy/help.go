package proxy

import (
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/why403/why403/proxy/wire"
)

// The reasons of answers to requests that were not meant for a proxy.
const (
	helpReason wire.Reason = "help"
	notProxied wire.Reason = "not-a-proxy-request"
)

// answerOwn answers a request that names no server: it came to the port
// itself, as from a browser that was pointed at it, or from a client that takes
// the proxy for the server.
func (c *client) answerOwn(x *exchange) bool {
	q := x.req
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return c.reject(x.times.Start, q.Head, &wire.Fault{Reason: notProxied,
			Text: fmt.Sprintf("%s %s names no server: it was sent to the proxy as if that were the server", q.Method, clip(q.Target))},
			"give the client "+c.facts.Local+" as its HTTP proxy, and the server's own URL")
	}
	a := &answer{status: http.StatusOK, reason: helpReason}
	a.kind, a.body = helpPage(c.facts.Local, strings.Contains(q.Header.Get("Accept"), "text/html"))
	c.conn.Write(a.bytes(q.Method))
	c.linger()
	return false
}

// helpPage explains how to send traffic through the proxy at addr.
func helpPage(addr string, asHTML bool) (kind, page string) {
	steps := []struct{ title, code string }{
		{"a command", fmt.Sprintf("HTTPS_PROXY=http://%s HTTP_PROXY=http://%s curl --cacert \"$(why403 ca path)\" https://example.com/", addr, addr)},
		{"a browser", fmt.Sprintf("chromium --proxy-server=%s --user-data-dir=\"$(mktemp -d)\"", addr)},
		{"anything else", "set its HTTP and HTTPS proxy to " + addr},
	}
	var b strings.Builder
	if !asHTML {
		fmt.Fprintf(&b, "This is why403, a debugging proxy. It shows requests that go through it, and explains the refused ones.\n\nSend traffic through it with\n")
		for _, s := range steps {
			fmt.Fprintf(&b, "\n  %s:\n    %s\n", s.title, s.code)
		}
		b.WriteString("\nHTTPS is readable for clients that trust its certificate authority: why403 ca path prints the file.\n")
		return "text/plain; charset=utf-8", b.String()
	}
	b.WriteString("<!doctype html><meta charset=utf-8><title>why403</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}pre{background:#eee;padding:.6rem;overflow-x:auto}</style>" +
		"<h1>why403</h1><p>A debugging proxy. It shows requests that go through it, and explains the refused ones.<p>Send traffic through it with")
	for _, s := range steps {
		fmt.Fprintf(&b, "<h2>%s</h2><pre>%s</pre>", html.EscapeString(s.title), html.EscapeString(s.code))
	}
	b.WriteString("<p>HTTPS is readable for clients that trust its certificate authority: <code>why403 ca path</code> prints the file.\n")
	return "text/html; charset=utf-8", b.String()
}
