package proxy

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

const (
	sniffLine   = 64 << 10 // bytes of a first line within which it must turn out to be HTTP
	established = "HTTP/1.1 200 Connection established\r\n\r\n"
)

// tunnel serves a CONNECT: it looks at what the client says inside, and
// intercepts TLS, serves plain HTTP, or passes on what it does not know.
func (c *client) tunnel(x *exchange) bool {
	if c.inside {
		return c.through(x)
	}
	if isPlace(x.target) {
		return c.tunnelToPlace(x)
	}
	early, told, more := c.ask(x)
	host, _, _ := net.SplitHostPort(x.target)
	switch {
	case told:
		return more
	case x.silent: // see ask
		return false
	case x.ignored || c.s.passes(x.target, host):
		return c.opaque(x, early, nil, false)
	}
	if _, err := c.conn.Write(x.agreement()); err != nil {
		if early != nil {
			early.Close()
		}
		return false
	}
	p, early := c.sniff(x, early)
	switch p {
	case nothing:
		if early != nil {
			early.Close()
		}
	case speaksTLS:
		c.intercept(x, early)
	case speaksHTTP:
		c.enter(x, "http", early)
		c.serve()
	default:
		c.opaque(x, early, nil, true)
	}
	return false
}

// agreement tells the client that its tunnel stands.
func (x *exchange) agreement() []byte {
	if x.socks {
		return socksReply(wire.SocksSucceeded)
	}
	return []byte(established)
}

// enter makes c the inside of the tunnel that x asked for.
func (c *client) enter(x *exchange, scheme string, u *wire.Upstream) {
	c.inside, c.asked, c.scheme, c.target = true, false, scheme, x.target
	c.authority = flow.Canonical(scheme, x.req.Authority)
	c.facts.Tunnel = x.opening()
	c.broken = x.broken
	if u != nil {
		c.ups[scheme+" "+c.target] = u
	}
}

// passes reports whether the TLS of target is to be passed through unread.
func (s *Server) passes(target, host string) bool {
	for _, p := range s.opt.Tunnel {
		if strings.EqualFold(p, target) || matchHost(p, host) {
			return true
		}
	}
	return false
}

// matchHost reports whether pattern (a host, or *.domain for all hosts below it) matches host.
func matchHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok && strings.HasPrefix(suffix, ".") {
		return len(host) > len(suffix) && strings.EqualFold(host[len(host)-len(suffix):], suffix)
	}
	return strings.EqualFold(strings.Trim(pattern, "[]"), host)
}

type protocol uint8

const (
	nothing protocol = iota
	unknown
	speaksTLS
	speaksHTTP
)

// sniff finds out what is spoken inside a tunnel. In some protocols the server
// speaks first: after limits.speak without a byte from the client the origin is
// dialled, and whoever speaks first tells. If a connection was made, or u was there, it comes back.
func (c *client) sniff(x *exchange, u *wire.Upstream) (protocol, *wire.Upstream) {
	p, err := c.peekFor(c.s.limits.speak)
	switch {
	case err == nil:
		return p, u
	case !isTimeout(err):
		return nothing, u
	case len(c.r.Buffered()) > 0: // it began to speak and does not go on
		return guess(c.r.Buffered(), true), u
	}
	t := x.broken
	if u == nil && t == nil {
		u, t = c.s.dialer.Connect(c.ctx, x.target)
	}
	if t != nil { // told when the client asks for something
		p, _ = c.peekFor(c.s.limits.idle)
		return p, nil
	}
	if len(u.R.Buffered()) > 0 { // it came behind the answer of a proxy after us
		return unknown, u
	}
	c.conn.SetReadDeadline(time.Now().Add(c.s.limits.idle))
	var origin sync.WaitGroup
	origin.Go(func() {
		if err := u.R.Fill(); !isTimeout(err) {
			c.conn.SetReadDeadline(longAgo)
		}
	})
	p, err = c.peek()
	u.SetReadDeadline(longAgo)
	origin.Wait()
	u.SetReadDeadline(time.Time{})
	c.conn.SetReadDeadline(time.Time{})
	switch {
	case len(u.R.Buffered()) > 0:
		return unknown, u
	case err == nil:
		return p, u
	}
	u.Close()
	if isTimeout(err) { // the origin has gone before the client spoke
		p, _ = c.peekFor(c.s.limits.idle)
	}
	return p, nil
}

// peekFor is peek with a deadline.
func (c *client) peekFor(d time.Duration) (protocol, error) {
	c.conn.SetReadDeadline(time.Now().Add(d))
	defer c.conn.SetReadDeadline(time.Time{})
	return c.peek()
}

// peek waits until it is clear what the client speaks.
func (c *client) peek() (protocol, error) {
	for {
		if b := c.r.Buffered(); len(b) > 0 {
			if p := guess(b, c.r.Full()); p != nothing {
				return p, nil
			}
		}
		if err := c.r.Fill(); err != nil {
			return nothing, err
		}
	}
}

var (
	methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)

// guess tells a protocol by its first bytes; nothing: there are too few, and last is false.
func guess(b []byte, last bool) protocol {
	if b[0] == 0x16 { // a TLS handshake record (RFC 8446, 5.1)
		if len(b) > 1 && b[1] != 3 {
			return unknown
		}
		return speaksTLS
	}
	b = bytes.TrimLeft(b, "\r\n")
	if n := min(len(b), len(h2.Preface)); n > 3 && string(b[:n]) == h2.Preface[:n] {
		switch {
		case n == len(h2.Preface):
			return speaksHTTP // see client.prefaced
		case last:
			return unknown
		}
		return nothing
	}
	method, rest, hasSpace := bytes.Cut(b[:min(len(b), 64)], []byte(" "))
	for _, ch := range method {
		if ch < '!' || ch > '~' || ch == ':' || ch == '/' {
			return unknown
		}
	}
	if !hasSpace {
		if len(b) >= 64 || last {
			return unknown
		}
		return nothing
	}
	for _, m := range methods {
		if string(method) == m && len(rest) > 0 && (rest[0] == '/' || rest[0] == '*' || bytes.HasPrefix(rest, []byte("http"))) {
			return speaksHTTP
		}
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	if i := bytes.LastIndexByte(line, ' '); bytes.HasPrefix(line[i+1:], []byte("HTTP/")) {
		return speaksHTTP
	}
	if whole || last || len(b) > sniffLine {
		return unknown
	}
	return nothing
}

// opaque connects the two ends of a tunnel and looks at nothing. u is the
// connection to the origin, if there is one; first are bytes of the client that
// were taken off its connection already. The client is told that the tunnel
// stands if it has not been (see said).
func (c *client) opaque(x *exchange, u *wire.Upstream, first []byte, said bool) bool {
	x.kind = flow.Tunnel
	x.scheme = "https"
	if b := c.r.Buffered(); said && len(b) > 0 && b[0] != 0x16 || u != nil && len(u.R.Buffered()) > 0 {
		x.scheme = "http"
	}
	x.authority = flow.Canonical(x.scheme, x.req.Authority)
	x.begin()
	defer x.end()
	if u == nil {
		t := x.broken
		if t == nil {
			u, t = x.dial(false)
		}
		if t != nil {
			x.silent = said || x.socks // too late to say it, or no way to
			if x.socks && !said {
				c.conn.Write(socksReply(wire.SocksFailed))
			}
			x.fail(t)
			if x.received = x.writeAnswer(); x.received == nil {
				x.end()
				c.linger()
			}
			return false
		}
	}
	defer u.Close()
	x.adopt(u)
	if !said {
		first = nil
		if _, err := c.conn.Write(x.agreement()); err != nil {
			x.clientGone(err)
			return false
		}
	}
	if _, err := u.Write(first); err != nil {
		x.note("origin", "write", wire.Readable(err))
		return false
	}
	x.relay(u, nil, nil)
	x.relayedIn += int64(len(first))
	return false
}

// through serves a CONNECT inside a tunnel, meant for a proxy at its other
// end: that one is asked, and if it agrees the rest is passed on.
func (c *client) through(x *exchange) bool {
	x.roundTrip(nil)
	if x.answer == nil && x.resp.Status/100 == 2 {
		x.received = x.upgrade()
	} else {
		x.WriteTo(io.Discard)
	}
	return x.settle()
}
