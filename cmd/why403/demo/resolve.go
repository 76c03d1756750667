package demo

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
)

// Addr is the host and port of the HTTPS listener, such as 127.0.0.1:40123.
func (s *Server) Addr() string { return s.tls.Addr().String() }

// Roots trusts the shop's certificate and nothing else.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// URL is the address of one name of the shop with the listener's real port,
// such as https://api.shop.localhost:40123: for clients that neither use a proxy nor Dial.
func (s *Server) URL(host string) string {
	_, port, _ := net.SplitHostPort(s.Addr())
	return "https://" + net.JoinHostPort(host, port)
}

// Resolve says where addr ("host:port", as given to a dialer) leads if it is
// one of the shop's: a name under shop.test with port 443 or 80. It is false for all others.
func (s *Server) Resolve(addr string) (string, bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false
	}
	if !ours(host) {
		return "", false
	}
	switch port {
	case "443":
		return s.tls.Addr().String(), true
	case "80":
		return s.plain.Addr().String(), true
	}
	return "", false
}

// Dial connects to addr, and to the listener for what Resolve knows. A name of
// the shop on another port is an error, never a question to a resolver.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	listener, ok := s.Resolve(addr)
	if !ok {
		if host, _, err := net.SplitHostPort(addr); err == nil && ours(host) {
			return nil, fmt.Errorf("demo: dial %s: the shop listens on ports 443 and 80", addr)
		}
		listener = addr
	}
	var d net.Dialer
	return d.DialContext(ctx, network, listener)
}

func ours(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "shop.test" || strings.HasSuffix(host, ".shop.test")
}
