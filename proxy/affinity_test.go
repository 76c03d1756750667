package proxy

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/why403/why403/flow"
)

// NTLM and Negotiate authenticate a connection, not a request (RFC 4559, 6):
// the three steps of one client must stay on one connection to the server, and
// nobody else's request may travel on it.
func TestConnectionAuthenticationPassesThrough(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		var count atomic.Int64
		o := l.origin(config, func(p *peer) {
			number, step := count.Add(1), 0
			for {
				head := p.head()
				if head == "" {
					return
				}
				answer := func(status, extra, body string) {
					p.send(fmt.Sprintf("HTTP/1.1 %s\r\n%sX-Connection: %d\r\nContent-Length: %d\r\n\r\n%s", status, extra, number, len(body), body))
				}
				switch {
				case step == 0 && strings.Contains(head, "\r\nAuthorization: NTLM TlRMTVNTUAABAAAA\r\n"):
					step = 1
					answer("401 Unauthorized", "WWW-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n", "")
				case step == 1 && strings.Contains(head, "\r\nAuthorization: NTLM TlRMTVNTUAADAAAA\r\n"), step == 2:
					step = 2
					answer("200 OK", "", "in")
				default:
					step = 0
					answer("401 Unauthorized", "WWW-Authenticate: NTLM\r\n", "")
				}
			}
		})
		p, prefix := l.to(o)
		ask := func(p *peer, authorization string) string {
			t.Helper()
			p.send("GET " + prefix + "/ HTTP/1.1\r\nHost: " + o.addr + "\r\n" + authorization + "\r\n")
			m, err := p.message()
			if err != nil {
				t.Fatal(err)
			}
			status := strings.Fields(m)[1]
			_, number, _ := strings.Cut(m, "X-Connection: ")
			number, _, _ = strings.Cut(number, "\r\n")
			return status + " on " + number
		}
		mine := ""
		for _, c := range []struct{ authorization, want string }{
			{"", "401"},
			{"Authorization: NTLM TlRMTVNTUAABAAAA\r\n", "401"},
			{"Authorization: NTLM TlRMTVNTUAADAAAA\r\n", "200"},
			{"", "200"}, // the connection is authenticated
		} {
			got := ask(p, c.authorization)
			if mine == "" {
				_, mine, _ = strings.Cut(got, " on ")
			}
			if want := c.want + " on " + mine; got != want {
				t.Errorf("%q: %s, want %s", c.authorization, got, want)
			}
		}
		other, _ := l.to(o)
		if got := ask(other, ""); strings.HasPrefix(got, "200") || strings.HasSuffix(got, " on "+mine) {
			t.Errorf("another client got %s: it rides on the first one's connection", got)
		}
		if f := l.tape.done(t, 3).flow; !f.Conn.Reused || !f.Unaltered() || f.Status() != 200 {
			t.Errorf("recorded reused %v, %v, %d", f.Conn.Reused, f.Fidelity, f.Status())
		}
		l.tape.done(t, flow.ID(5))
	})
}
