package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/why403/why403/proxy"
	"github.com/why403/why403/proxy/wire"
)

// The environment's proxy is gone through, but never ourselves: a shell that
// already points at why403 must not make it call itself.
func TestWayFromEnvironment(t *testing.T) {
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	self := "http://" + own.Addr().String()
	for _, c := range []struct {
		name, flag string
		env        map[string]string
		used       bool
		err        string
	}{
		{name: "nothing set"},
		{name: "the environment's", env: map[string]string{"HTTPS_PROXY": "http://proxy.test:3128"}, used: true},
		{name: "without a scheme", env: map[string]string{"http_proxy": "proxy.test:3128"}, used: true},
		{name: "ourselves", env: map[string]string{"HTTPS_PROXY": self}},
		{name: "ourselves by name", env: map[string]string{"HTTPS_PROXY": strings.Replace(self, "127.0.0.1", "localhost", 1)}},
		{name: "none wins", flag: "none", env: map[string]string{"HTTPS_PROXY": "http://proxy.test:3128"}},
		{name: "the flag wins", flag: "socks5://127.0.0.1:1080", env: map[string]string{"HTTPS_PROXY": "nonsense://"}, used: true},
		{name: "ourselves by flag", flag: self, err: "is this proxy itself"},
		{name: "a bad one is told", env: map[string]string{"ALL_PROXY": "gopher://proxy.test"}, err: "ALL_PROXY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := proxyFlags{upstream: c.flag}
			way, err := o.way(func(name string) string { return c.env[name] }, []net.Listener{own})
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if (way != nil) != c.used {
				t.Errorf("goes through %v, want one: %v", way, c.used)
			}
		})
	}
}

// In front of a server, a plain request reaches it as it came.
func TestReverseMode(t *testing.T) {
	hosts := make(chan string, 1)
	origin := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hosts <- r.Host + r.URL.String() })}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go origin.Serve(l)
	defer origin.Close()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	o := proxyFlags{listen: []string{"127.0.0.1:0"}, session: "none", upstream: "none", mode: "reverse:http://" + l.Addr().String()}
	s, err := o.open(parts{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	res, err := (&http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}}).Get("http://" + s.address() + "/orders?a=1")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got, want := <-hosts, s.address()+"/orders?a=1"; got != want {
		t.Errorf("the server saw %s, want %s", got, want)
	}
}

// Where we listen on every address, each address and the name of this machine are ourselves.
func TestOursOnAllAddresses(t *testing.T) {
	own, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	_, port, _ := net.SplitHostPort(own.Addr().String())
	hosts := map[string]bool{"127.0.0.1": true, "localhost": true, "proxy.test": false, "192.0.2.1": false}
	if name, err := os.Hostname(); err == nil {
		hosts[name] = true
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			hosts[n.IP.String()] = true
		}
	}
	for host, want := range hosts {
		if got := ours(&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}, []net.Listener{own}); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	if ours(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, []net.Listener{own}) {
		t.Error("another port is taken for ours")
	}
}

// What we hold for servers is not lent to everybody who can reach the port.
func TestGuard(t *testing.T) {
	login, _ := wire.NewProxy(&url.URL{Scheme: "http", Host: "proxy.test:3128", User: url.UserPassword("a", "b")}, wire.NoProxy{})
	open, _ := wire.NewProxy(&url.URL{Scheme: "http", Host: "proxy.test:3128"}, wire.NoProxy{})
	for _, c := range []struct {
		name  string
		o     proxyFlags
		login string
		way   *wire.Proxy
		same  bool
	}{
		{"nothing held", proxyFlags{}, "", open, false},
		{"no way", proxyFlags{}, "", nil, false},
		{"a certificate", proxyFlags{clientCert: []string{"me.pem"}}, "", nil, true},
		{"a login upstream", proxyFlags{}, "", login, true},
		{"clients log in", proxyFlags{clientCert: []string{"me.pem"}}, "a:b", login, false},
	} {
		same, err := c.o.guard(c.login, c.way)
		if can := proxy.CanTellUsers(); same != (c.same && can) || (err != nil) != (c.same && !can) {
			t.Errorf("%s: %v %v", c.name, same, err)
		}
	}
}

func TestModes(t *testing.T) {
	for mode, want := range map[string]string{
		"": "none", "regular": "none", "socks5": "none", "reverse:https://api.test": "https://api.test",
		"reverse:": "error", "reverse:ftp://api.test": "error", "transparent": "error",
	} {
		o := proxyFlags{mode: mode}
		got := "none"
		if u, err := o.reverse(); err != nil {
			got = "error"
		} else if u != nil {
			got = u.String()
		}
		if got != want || o.inFront() != strings.HasPrefix(mode, "reverse:") {
			t.Errorf("--mode %q: %s, want %s", mode, got, want)
		}
	}
}
