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
	a.kind, a.body = helpPage(c.facts.Local, c.s.locked(), strings.Contains(q.Header.Get("Accept"), "text/html"))
	if !c.s.locked() {
		a.last = fmt.Sprint(c.s.rec.last.Load())
	}
	c.conn.Write(a.bytes(q.Method))
	c.linger()
	return false
}

// helpPage explains how to send traffic through the proxy at addr. locked: clients must log in.
func helpPage(addr string, locked, asHTML bool) (kind, page string) {
	login, curl := "", ""
	if locked {
		login, curl = "USER:PASSWORD@", " -U USER:PASSWORD"
	}
	steps := []struct{ title, code string }{
		{"a command", fmt.Sprintf("HTTPS_PROXY=http://%s%s HTTP_PROXY=http://%s%s curl --cacert \"$(why403 ca path)\" https://example.com/", login, addr, login, addr)},
		{"a browser", fmt.Sprintf("chromium --proxy-server=%s --user-data-dir=\"$(mktemp -d)\"", addr)},
		{"a program that has settings for it", "HTTP and HTTPS proxy: http://" + login + addr + ", or SOCKS5 at " + addr},
		{"the certificate, and how to trust it", fmt.Sprintf("curl -x http://%s%s http://%s/", addr, curl, Place)},
	}
	const what = "A debugging proxy. It shows requests that go through it, and explains the refused ones. This is its port; it is no server by itself."
	const https = "HTTPS is readable for clients that trust its certificate authority; without, they refuse the connection. The last line tells how, and so does http://" + Place + "/ in a browser that goes through here."
	var b strings.Builder
	if !asHTML {
		fmt.Fprintf(&b, "why403: %s\n\nSend traffic through it with\n", what)
		for _, s := range steps {
			fmt.Fprintf(&b, "\n  %s:\n    %s\n", s.title, s.code)
		}
		b.WriteString("\n" + https + "\n")
		return "text/plain; charset=utf-8", b.String()
	}
	b.WriteString(pageHead + "<h1>why403</h1><p>" + what + "<p>Send traffic through it with")
	for _, s := range steps {
		fmt.Fprintf(&b, "<h2>%s</h2><pre>%s</pre>", html.EscapeString(s.title), html.EscapeString(s.code))
	}
	b.WriteString("<p>" + https + "\n")
	return "text/html; charset=utf-8", b.String()
}
