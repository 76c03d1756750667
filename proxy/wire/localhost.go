package wire

import (
	"context"
	"errors"
	"net"
	"strings"
)

// isLocalhost reports whether host is a name below localhost. Such names are
// this machine by definition (RFC 6761, 6.3): browsers and curl do not ask a
// name server for them, and most name servers do not know them. A client that
// goes through a proxy leaves it to the proxy to know that.
func isLocalhost(host string) bool {
	host = strings.TrimSuffix(host, ".")
	const tail = ".localhost"
	return len(host) > len(tail) && strings.EqualFold(host[len(host)-len(tail):], tail)
}

// dialPlain makes a connection without a proxy.
func dialPlain(ctx context.Context, network, addr string) (net.Conn, error) {
	d := plain()
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !isLocalhost(host) {
		return d.DialContext(ctx, network, addr)
	}
	c, first := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if first == nil {
		return c, nil
	}
	c, second := d.DialContext(ctx, network, net.JoinHostPort("::1", port))
	if second == nil {
		return c, nil
	}
	return nil, errors.Join(first, second)
}
