package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
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
