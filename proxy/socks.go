package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/why403/why403/proxy/wire"
)

// socks serves a client that speaks SOCKS5 (RFC 1928): its CONNECT is
// dispatched and served as one of HTTP is.
func (c *client) socks() {
	start := time.Now()
	c.conn.SetDeadline(start.Add(c.s.limits.head))
	target, f := c.socksTarget()
	c.conn.SetDeadline(time.Time{})
	if f != nil {
		c.rejected(start, nil, f, nil)
		c.linger()
		return
	}
	q := &wire.Request{Head: &wire.Head{}, Method: http.MethodConnect, Proto: "SOCKS5", Target: target, Authority: target, Path: target}
	c.asked = true
	x := c.newExchange(start, q)
	x.socks = true
	defer x.leave()
	c.s.front.serve(&responseWriter{x: x}, x.view())
	x.returned = true
	c.tunnel(x)
}

// socksTarget reads the greeting, the login and the request, and answers all
// but a request that can be served.
func (c *client) socksTarget() (target string, _ *wire.Fault) {
	var b [4]byte
	read := func(p []byte) *wire.Fault {
		if _, err := io.ReadFull(c.r, p); isTimeout(err) {
			return &wire.Fault{Reason: wire.HeadCut, Text: "the client did not finish its SOCKS5 request in time"}
		} else if err != nil {
			return &wire.Fault{Reason: wire.HeadCut, Text: "the connection ended in the middle of a SOCKS5 request"}
		}
		return nil
	}
	if f := read(b[:2]); f != nil {
		return "", f
	}
	methods := make([]byte, b[1])
	if f := read(methods); f != nil {
		return "", f
	}
	var method byte = wire.SocksNoMethod
	switch {
	case !c.s.locked() && bytes.IndexByte(methods, wire.SocksNoAuth) >= 0:
		method = wire.SocksNoAuth
	case bytes.IndexByte(methods, wire.SocksPassword) >= 0:
		method = wire.SocksPassword
	}
	c.conn.Write([]byte{wire.Socks5, method})
	switch method {
	case wire.SocksNoMethod:
		if c.s.locked() {
			return "", &wire.Fault{Reason: wantsAuth, Text: "the client did not offer the user name and password that this proxy wants (--proxy-auth)"}
		}
		return "", &wire.Fault{Reason: notProxied, Text: fmt.Sprintf("the client offers no SOCKS5 authentication that this proxy knows: % x", methods)}
	case wire.SocksPassword:
		if f := c.socksLogin(read); f != nil {
			return "", f
		}
	}
	if f := read(b[:4]); f != nil {
		return "", f
	}
	no := func(code byte, format string, args ...any) (string, *wire.Fault) {
		c.conn.Write(socksReply(code))
		return "", &wire.Fault{Reason: notProxied, Text: fmt.Sprintf(format, args...)}
	}
	if b[0] != wire.Socks5 {
		return no(wire.SocksFailed, "the SOCKS5 request begins with version %d", b[0])
	}
	host, port, err := wire.ReadSocksAddr(c.r, b[3])
	switch {
	case errors.Is(err, wire.ErrSocksAddress):
		return no(wire.SocksNoAddress, "the address type 0x%02X is none of SOCKS5", b[3])
	case err != nil:
		return "", &wire.Fault{Reason: wire.HeadCut, Text: "the connection ended in the middle of a SOCKS5 request"}
	case b[1] != wire.SocksConnect:
		return no(wire.SocksNoCommand, "the client asks for SOCKS5 command %d; this proxy only connects (1): UDP and BIND do not go through it", b[1])
	}
	target = net.JoinHostPort(host, fmt.Sprint(port))
	if _, _, ok := wire.SplitAuthority(target); !ok {
		return no(wire.SocksFailed, "%q is no host:port", clip(target))
	}
	return target, nil
}

// socksLogin reads user name and password (RFC 1929). A proxy that wants none takes any.
func (c *client) socksLogin(read func([]byte) *wire.Fault) *wire.Fault {
	var n [2]byte
	if f := read(n[:]); f != nil {
		return f
	}
	user := make([]byte, n[1])
	if f := read(user); f != nil {
		return f
	}
	if f := read(n[:1]); f != nil {
		return f
	}
	pass := make([]byte, n[0])
	if f := read(pass); f != nil {
		return f
	}
	if c.s.locked() && !c.s.admits(string(user)+":"+string(pass)) {
		c.conn.Write([]byte{1, 1})
		return &wire.Fault{Reason: wantsAuth, Text: "the client gave another user name or password than this proxy wants (--proxy-auth)"}
	}
	c.conn.Write([]byte{1, 0})
	return nil
}

// socksReply is our answer to a request (RFC 1928, 6); the address that we connect from is not told.
func socksReply(code byte) []byte { return []byte{wire.Socks5, code, 0, 1, 0, 0, 0, 0, 0, 0} }
