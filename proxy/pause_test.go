package proxy

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// A pause and a host that is ignored from now on leave out what comes later, on
// connections that are open too; what goes through is the same.
func TestPausedAndIgnoredWhileItRuns(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		o := l.origin(config, okOrigin)
		p, prefix := l.to(o)
		n := 0
		ask := func(recorded int) {
			t.Helper()
			p.send("GET " + prefix + "/x HTTP/1.1\r\nHost: " + o.addr + "\r\n\r\n")
			if m, _ := p.message(); !strings.HasSuffix(m, "ok") {
				t.Fatalf("the client got %q", m)
			}
			for ; n < recorded; n++ {
				l.tape.done(t, flow.ID(n+1))
			}
			if got := l.tape.count(); got != recorded {
				t.Fatalf("%d flows are recorded, want %d", got, recorded)
			}
		}
		ask(1)
		l.server.Pause(true)
		ask(1)
		ask(1)
		if on, n := l.server.Paused(); !on || n != 2 {
			t.Errorf("paused %v, %d left out, want 2", on, n)
		}
		l.server.Pause(false)
		ask(2)
		l.server.Ignore("127.0.0.1")
		ask(2)
		l.server.Heed("127.0.0.1")
		ask(3)
		p.Close()
	})
}
