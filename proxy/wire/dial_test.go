package wire

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server inside the process. A name without addresses does not
// exist; "broken.test." is answered by a server failure.
func nameServer(t *testing.T, addresses map[string][]string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			list, known := addresses[q.Name.String()]
			switch {
			case q.Name.String() == "broken.test.":
				m.RCode = dnsmessage.RCodeServerFailure
			case !known:
				m.RCode = dnsmessage.RCodeNameError
			}
			for _, a := range list {
				ip := netip.MustParseAddr(a)
				h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}
				switch {
				case ip.Is4() && q.Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
				case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
				}
			}
			if b, err := m.Pack(); err == nil {
				pc.WriteTo(b, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// A server whose IPv6 address swallows packets is reached by IPv4 without
// waiting for a timeout (RFC 8305, 5), and the row can show the addresses.
func TestDeadIPv6IsNotWaitedFor(t *testing.T) {
	if six, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	} else {
		six.Close()
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d := plain()
	d.Resolver = nameServer(t, map[string][]string{"both.test.": {"::1", "127.0.0.1"}})
	swallowed := make(chan struct{}, 8)
	d.ControlContext = func(ctx context.Context, network, _ string, _ syscall.RawConn) error {
		if network == "tcp6" {
			swallowed <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	dialer := Dialer{Dial: d.DialContext}
	u, trouble := dialer.Connect(t.Context(), "both.test:"+port)
	if trouble != nil {
		t.Fatal(trouble.Text)
	}
	defer u.Close()
	select {
	case <-swallowed:
	default:
		t.Error("IPv6 was not tried first (RFC 6724)")
	}
	slices.Sort(u.Resolved)
	if got := strings.Join(u.Resolved, " "); got != "127.0.0.1 ::1" {
		t.Errorf("resolved %q", got)
	}
	if !strings.HasPrefix(u.RemoteAddr().String(), "127.0.0.1:") {
		t.Errorf("connected to %s", u.RemoteAddr())
	}
}

// What DNS says, what the network says and what nobody says are told apart.
func TestDialTroubleIsToldApart(t *testing.T) {
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(closed.Addr().String())
	closed.Close()
	d := plain()
	d.Resolver = nameServer(t, map[string][]string{"here.test.": {"127.0.0.1"}, "empty.test.": nil})
	dialer := Dialer{Dial: d.DialContext}
	for _, c := range []struct {
		host   string
		reason Reason
		op     string
		text   string
		tried  int
	}{
		{"nowhere.test", CannotResolve, "resolve", "nowhere.test does not exist in DNS", 0},
		{"empty.test", CannotResolve, "resolve", "empty.test", 0},
		{"broken.test", CannotResolve, "resolve", "broken.test", 0},
		{"here.test", CannotDial, "dial", "here.test:" + port + " refused the connection", 1},
		{"127.0.0.1", CannotDial, "dial", "127.0.0.1:" + port + " refused the connection", 1},
	} {
		t.Run(c.host, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, trouble := dialer.Connect(ctx, net.JoinHostPort(c.host, port))
			if trouble == nil || trouble.Reason != c.reason || trouble.Op != c.op || !strings.Contains(trouble.Text, c.text) {
				t.Fatalf("%+v", trouble)
			}
			if len(trouble.Tried) != c.tried {
				t.Errorf("tried %q", trouble.Tried)
			}
		})
	}
}
