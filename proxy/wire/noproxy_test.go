package wire

import (
	"net/url"
	"strings"
	"testing"
)

func TestNoProxy(t *testing.T) {
	for _, c := range []struct {
		list, addr string
		want       bool
	}{
		{"", "example.com:443", false},
		{"*", "example.com:443", true},
		{"*", "[::1]:80", true},
		{"example.com", "example.com:443", true},
		{"example.com", "EXAMPLE.com.:443", true},
		{"example.com", "www.example.com:443", true},
		{"example.com", "badexample.com:443", false},
		{"example.com", "example.com.evil.test:443", false},
		{".example.com", "example.com:443", true},
		{".example.com", "a.b.example.com:443", true},
		{"*.example.com", "a.example.com:443", true},
		{"a.test,b.test", "b.test:80", true},
		{" a.test \t b.test ", "b.test:80", true},
		{"a.test:8080", "a.test:8080", true},
		{"a.test:8080", "a.test:80", false},
		{"10.0.0.1", "10.0.0.1:80", true},
		{"10.0.0.1", "110.0.0.1:80", false},
		{"10.0.0.0/8", "10.200.3.4:80", true},
		{"10.0.0.7/8", "10.200.3.4:80", true},
		{"10.0.0.0/8", "11.0.0.1:80", false},
		{"10.0.0.0/8", "[::ffff:10.1.1.1]:80", true},
		{"10.0.0.1:81", "10.0.0.1:81", true},
		{"10.0.0.1:81", "10.0.0.1:80", false},
		{"::1", "[::1]:80", true},
		{"[::1]", "[::1]:80", true},
		{"[::1]:81", "[::1]:80", false},
		{"fe80::/10", "[fe80::1%eth0]:80", true},
		{"localhost", "127.0.0.1:80", false}, // names are not looked up
		{"0.0.1", "10.0.0.1:80", false},      // an address has no names below it
		{"x/33,,.,:", "x:80", false},
	} {
		if got := ParseNoProxy(c.list).Has(c.addr); got != c.want {
			t.Errorf("%q has %s: %v", c.list, c.addr, got)
		}
	}
}

func TestNewProxy(t *testing.T) {
	for _, c := range []struct{ raw, want, auth string }{
		{"http://proxy.test", "http://proxy.test:80", ""},
		{"HTTPS://me:s%40cret@proxy.test", "https://proxy.test:443", "Proxy-Authorization: Basic bWU6c0BjcmV0"},
		{"http://me@proxy.test:3128/", "http://proxy.test:3128", "Proxy-Authorization: Basic bWU6"},
		{"socks5h://[::1]", "socks5h://[::1]:1080", ""},
		{"socks5://me:x@[::1]:9", "socks5://[::1]:9", "Proxy-Authorization: Basic bWU6eA=="},
	} {
		u, err := url.Parse(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewProxy(u, NoProxy{})
		if err != nil || p.String() != c.want || p.authorization() != c.auth {
			t.Errorf("%s: %v %q %v", c.raw, p, p.authorization(), err)
		}
	}
	for _, raw := range []string{"", "http://", "socks4://x", "ftp://x", "http://x:99999", "http://a%3Ab:c@x", "socks5://me@x", "socks5://:x@x"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := NewProxy(u, NoProxy{}); err == nil || strings.Contains(err.Error(), ":c@") {
			t.Errorf("%q: %v, %v", raw, p, err)
		}
	}
}
