package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// door looks at the first byte that came to the port, and opens what it asks
// for: SOCKS5, a proxy that is spoken to by TLS, or HTTP. It reports whether
// requests of HTTP follow.
func (c *client) door() bool {
	f := &wire.Fault{Reason: notProxied}
	switch first := c.r.Buffered()[0]; {
	case first == 0x16 && c.conn == c.tcp:
		return c.seal() && c.await() && c.door()
	case first == wire.Socks5 && c.s.opt.Reverse == nil:
		c.socks()
		return false
	case first == 0x16:
		f.Text = "the client speaks TLS inside the TLS to the proxy's port"
	case first == wire.Socks5:
		f.Text = "the client speaks SOCKS to a port that stands for " + c.s.opt.Reverse.Redacted() + ": send it the requests that the server is to get"
	case first == 4:
		f.Text = "the client speaks SOCKS4 to the proxy's port: give it a SOCKS5 or an HTTP proxy"
	default:
		if c.s.opt.Reverse != nil {
			c.reverse()
		}
		return true
	}
	c.rejected(time.Now(), nil, f, nil)
	return false
}

// seal makes the connection to the port a TLS connection, with a certificate
// for the name that the client knows us by.
func (c *client) seal() bool {
	start := time.Now()
	i := &interception{c: c}
	conn := &helloConn{Batch: wire.NewBatch(c.conn, c.r), keep: true}
	cfg := &tls.Config{MinVersion: tls.VersionTLS10, DynamicRecordSizingDisabled: true}
	cfg.GetConfigForClient = func(hi *tls.ClientHelloInfo) (*tls.Config, error) {
		i.facts = helloFacts(hi, conn.kept)
		conn.keep, conn.kept = false, nil
		name := hi.ServerName
		if name == "" {
			name, _, _ = net.SplitHostPort(c.facts.Local)
		}
		leaf, err := c.s.opt.CA.Leaf(hi.Context(), name, nil)
		if err != nil {
			i.refuse = err
			return nil, err
		}
		own := cfg.Clone()
		own.GetConfigForClient, own.Certificates = nil, []tls.Certificate{*leaf}
		if slices.Contains(hi.SupportedProtos, http11) {
			own.NextProtos = []string{http11}
		}
		return own, nil
	}
	secure := tls.Server(conn, cfg)
	c.conn.SetDeadline(start.Add(c.s.limits.hello))
	err := secure.HandshakeContext(c.ctx)
	c.conn.SetDeadline(time.Time{})
	if err != nil {
		c.notSealed(start, i, err)
		return false
	}
	if c.s.opt.Reverse != nil { // the client takes us for the server
		c.facts.ClientTLS = i.agreed(secure.ConnectionState())
	}
	c.speak(secure)
	return true
}

// notSealed records that a client could not be spoken to by TLS on the port itself.
func (c *client) notSealed(start time.Time, i *interception, err error) {
	f := &flow.Flow{Kind: flow.Handshake, Scheme: "https", Conn: c.facts, Request: &flow.Message{}, Times: flow.Timings{Start: start}}
	f.Conn.ClientTLS = i.facts
	f.Authority = flow.Canonical("https", c.facts.Local)
	if i.facts != nil {
		f.Authority = authorityFor(c.facts.Local, i.facts.ServerName)
	}
	o := flow.Outcome{Conn: f.Conn, Times: f.Times, Err: &flow.Failure{Side: "client", Op: "tls",
		Text: "TLS to the proxy's own port: " + handshakeText(i, err) + "; if no TLS to the proxy was meant, its URL must begin with http://, also for https:// sites"}}
	if i.refuse != nil {
		o.Err.Side = "why403"
	}
	o.Times.End = time.Now()
	c.conclude(c.s.opt.Store, c.s.opt.Store.Begin(f), o)
}

// checkReverse refuses a URL that is no server.
func checkReverse(u *url.URL) error {
	_, _, ok := wire.SplitAuthority(u.Host)
	switch {
	case u.Scheme != "http" && u.Scheme != "https", !ok, u.User != nil:
		return fmt.Errorf("proxy: %s is no server to stand for: it looks like https://host:port", u.Redacted())
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("proxy: %s has a path: requests keep theirs, so only scheme, host and port can be given", u.Redacted())
	}
	return nil
}

// reverse makes c a client that takes us for the server Options.Reverse.
func (c *client) reverse() {
	u := c.s.opt.Reverse
	c.inside, c.reversed, c.scheme = true, true, u.Scheme
	c.authority = flow.Canonical(u.Scheme, u.Host)
	c.target = flow.HostPort(u.Scheme, c.authority)
}

// hostAltered says how the Host field was changed, for the recording.
func hostAltered(was, now string) string { return fmt.Sprintf("Host: %s instead of %s", now, was) }
