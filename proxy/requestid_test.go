package proxy

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

func TestRequestIDIsAddedWhereThereIsNone(t *testing.T) {
	for _, c := range []struct {
		name, field string
		added       bool
	}{
		{"none", "A: b", true},
		{"its own", "x-request-ID: mine", false},
		{"a correlation", "X-Correlation-Id: c", false},
		{"a trace", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
	} {
		both(t, func(t *testing.T, l *lab, config *tls.Config) {
			o, got := l.echoing(config)
			p, prefix := l.to(o)
			head := "GET " + prefix + "/ HTTP/1.1\r\nHost: " + o.addr + "\r\n" + c.field + "\r\n"
			p.send(head + "\r\n")
			p.message()
			want := strings.Replace(head, prefix+"/ ", "/ ", 1)
			altered := ""
			if c.added {
				want += "X-Request-Id: id-1\r\n"
				altered = "added X-Request-Id: id-1"
			}
			if m := <-got; m != want+"\r\n" {
				t.Errorf("%s: the origin got %q, not %q", c.name, m, want)
			}
			f := l.tape.done(t, 1).flow
			if strings.Join(f.Altered, ";") != altered || f.Fidelity != verbatim || f.Unaltered() == c.added || f.Request.Header.Has("X-Request-Id") != (c.added || c.name == "its own") {
				t.Errorf("%s: recorded %q, %v, %q", c.name, f.Altered, f.Fidelity, f.Request.Header)
			}
		}, func(o *Options) { o.RequestID = func() string { return "id-1" } })
	}
	l := newLab(t)
	o, got := l.echoing(nil)
	p := l.dial()
	p.send(get("http://"+o.addr, "/", o.addr))
	if m := <-got; strings.Contains(m, "Request") {
		t.Errorf("without being asked: %q", m)
	}
	p.message()
	l.tape.done(t, flow.ID(1))
}
