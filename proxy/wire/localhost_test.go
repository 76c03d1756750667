package wire

import (
	"context"
	"net"
	"testing"
)

func TestNamesBelowLocalhostAreThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"app.localhost": true, "a.b.LocalHost": true, "app.localhost.": true,
		"localhost": false, ".localhost": false, "notlocalhost": false, "localhost.example": false, "127.0.0.1": false,
	} {
		if got := isLocalhost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("%s: %v", at, err) // a machine without IPv6
			continue
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		d := Dialer{}
		u, trouble := d.Connect(context.Background(), net.JoinHostPort("no-name-server-knows-me.localhost", port))
		if trouble != nil {
			t.Errorf("%s: %v", at, trouble.Text)
			continue
		}
		if got := u.RemoteAddr().String(); got != l.Addr().String() {
			t.Errorf("connected to %s, want %s", got, l.Addr())
		}
		u.Close()
	}
}
