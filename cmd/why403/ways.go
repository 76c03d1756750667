package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/why403/why403/proxy/wire"
)

// way is the proxy to go through, nil for none. Without --upstream it is what
// the environment says, unless that is one of our own addresses: a shell that
// already points here must not send us to ourselves.
func (o *proxyFlags) way(lookup func(string) string, own []net.Listener) (*wire.Proxy, error) {
	text, from := o.upstream, "--upstream"
	if text == "none" {
		return nil, nil
	}
	if text == "" {
		for _, name := range []string{"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"} {
			if text, from = lookup(name), name; text != "" {
				break
			}
		}
	}
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err == nil && ours(u, own) {
		if from == "--upstream" {
			return nil, usagef("give the proxy that comes after this one, or --upstream none", "--upstream %s is this proxy itself: requests would go round in circles", u.Redacted())
		}
		return nil, nil
	}
	var p *wire.Proxy
	if err == nil {
		no := lookup("no_proxy")
		if no == "" {
			no = lookup("NO_PROXY")
		}
		p, err = wire.NewProxy(u, wire.ParseNoProxy(no))
	}
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", from, err), "give the URL of a proxy, such as http://proxy.example:3128, or --upstream none")
	}
	return p, nil
}

// ours reports whether u is an address that we listen on: one of this machine
// where we listen on all of them, else a loopback one.
func ours(u *url.URL, own []net.Listener) bool {
	return slices.ContainsFunc(own, func(l net.Listener) bool {
		host, port, _ := net.SplitHostPort(l.Addr().String())
		if port != u.Port() {
			return false
		}
		at := net.ParseIP(host)
		return isLoopback(u.Hostname()) || at.Equal(net.ParseIP(u.Hostname())) || at.IsUnspecified() && isLocal(u.Hostname())
	})
}

// isLocal reports whether host is this machine: its name, or an address of it.
func isLocal(host string) bool {
	if name, err := os.Hostname(); err == nil && strings.EqualFold(name, host) {
		return true
	}
	ip := net.ParseIP(host)
	addrs, _ := net.InterfaceAddrs()
	return ip != nil && slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// reverse is the server to stand in front of, nil in regular mode. socks5 is another
// word for that: one port speaks HTTP and SOCKS5.
func (o *proxyFlags) reverse() (*url.URL, error) {
	if o.mode == "" || o.mode == "regular" || o.mode == "socks5" {
		return nil, nil
	}
	text, ok := strings.CutPrefix(o.mode, "reverse:")
	u, err := url.Parse(text)
	if !ok || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("give --mode regular, or --mode reverse:https://host:port", "--mode %q", o.mode)
	}
	return u, nil
}

// inFront reports whether the port stands for a server.
func (o *proxyFlags) inFront() bool { return strings.HasPrefix(o.mode, "reverse:") }

// login is the user:password that clients must give, "" for none. A password
// does not stand on a command line, where every process can read it.
func (o *proxyFlags) login(std io.Reader) (string, error) {
	const hint = "put user:password into a file that only you can read and give --proxy-auth @FILE"
	var text []byte
	var err error
	switch name, file := strings.CutPrefix(o.proxyAuth, "@"); {
	case o.proxyAuth == "":
		return "", nil
	case o.proxyAuth == os.Getenv("WHY403_PROXY_AUTH"):
		text = []byte(o.proxyAuth)
	case o.proxyAuth == "-":
		text, err = io.ReadAll(io.LimitReader(std, 64<<10))
	case file:
		text, err = os.ReadFile(name)
	default:
		return "", usagef(hint, "--proxy-auth takes @FILE or -, not the password itself")
	}
	if err != nil {
		return "", failed(fmt.Errorf("--proxy-auth: %w", err), hint)
	}
	login := strings.TrimRight(string(text), "\r\n")
	if user, password, ok := strings.Cut(login, ":"); !ok || user == "" || password == "" || strings.ContainsAny(login, "\r\n") {
		return "", failedf(hint, "--proxy-auth: not one line user:password")
	}
	return login, nil
}
