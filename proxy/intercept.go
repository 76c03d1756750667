package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// maxHello bounds the bytes of a ClientHello that are kept, to be sent on if
// its client turns out to be one to leave alone.
const maxHello = 64 << 10

// The protocols of ALPN that we take apart (RFC 7301, 6; RFC 9113, 3.2).
const (
	http11  = "http/1.1"
	protoH2 = "h2"
)

// interception is a TLS handshake with a client, and the one with the origin
// that comes inside it: the origin is asked first, so that the client is
// offered what the origin speaks.
type interception struct {
	c      *client
	x      *exchange
	up     *wire.Upstream
	hello  wire.Hello
	broken *wire.Trouble
	facts  *flow.TLS // of the client's hello
	pass   string    // why the connection is to be passed through unread
	refuse error     // no certificate could be made
}

// helloConn is the client's side of an interception. It keeps what it reads
// until the configuration is chosen, and can hold its tongue.
type helloConn struct {
	*wire.Batch
	i *interception

	keep  bool
	kept  []byte
	quiet bool
}

func (h *helloConn) Read(p []byte) (int, error) {
	n, err := h.Batch.Read(p)
	if h.keep && n > 0 {
		if len(h.kept)+n > maxHello {
			return n, errors.New("proxy: the ClientHello is too large")
		}
		h.kept = append(h.kept, p[:n]...)
	}
	return n, err
}

// Write drops the alert that crypto/tls sends when a client is passed through.
func (h *helloConn) Write(p []byte) (int, error) {
	if h.quiet {
		return len(p), nil
	}
	return h.Batch.Write(p)
}

var errPass = errors.New("proxy: passed through")

// intercept takes the client's TLS connection apart. early is a connection to
// the origin that was made already, or nil.
func (c *client) intercept(x *exchange, early *wire.Upstream) {
	i := &interception{c: c, x: x, up: early}
	conn := &helloConn{Batch: wire.NewBatch(c.conn, c.r), i: i, keep: true}
	secure := tls.Server(conn, c.s.tls)
	start := time.Now()
	c.conn.SetDeadline(start.Add(c.s.limits.hello))
	err := secure.HandshakeContext(c.ctx)
	c.conn.SetDeadline(time.Time{})
	switch {
	case i.pass != "":
		c.passThrough(i, conn)
		return
	case err != nil:
		if i.up != nil {
			i.up.Close()
		}
		c.noHandshake(start, i, err)
		return
	}
	conn.kept = nil
	c.facts.ClientTLS = i.agreed(secure.ConnectionState())
	c.enter(x, "https", i.up)
	c.authority = authorityFor(x.req.Authority, i.facts.ServerName)
	c.hello, c.broken = &i.hello, i.broken
	c.speak(secure)
	done := time.Now()
	c.serve()
	if !c.asked && c.readErr != nil && !isTimeout(c.readErr) && c.ctx.Err() == nil && time.Since(done) < hangUp {
		c.noHandshake(start, i, fmt.Errorf("%w: %w", errNothingAsked, c.readErr))
	}
}

// hangUp is how soon a client goes away that does not like the certificate. One that connected ahead of need stays longer.
const hangUp = time.Second

var errNothingAsked = errors.New("closed after the handshake without a request")

// authorityFor is where a client wanted to go: the CONNECT target, or the name
// that it asked for in SNI where the target is but an address.
func authorityFor(target, sni string) string {
	if host, port, err := net.SplitHostPort(target); err == nil && sni != "" && net.ParseIP(host) != nil {
		target = net.JoinHostPort(sni, port)
	}
	return flow.Canonical("https", target)
}

// helloFacts is what a client's hello says, kept as it came.
func helloFacts(hi *tls.ClientHelloInfo, kept []byte) *flow.TLS {
	t := &flow.TLS{ServerName: hi.ServerName, Offered: hi.SupportedProtos}
	wire.Fingerprint(t, kept)
	return t
}

// agreed is what is known of the client's TLS connection when it stands.
func (i *interception) agreed(s tls.ConnectionState) *flow.TLS {
	t := wire.TLSFacts(s, i.facts.Offered)
	t.JA3, t.JA4 = i.facts.JA3, i.facts.JA4
	return t
}

// chooseConfig is called by crypto/tls when the ClientHello has been read.
func chooseConfig(hi *tls.ClientHelloInfo) (*tls.Config, error) {
	h := hi.Conn.(*helloConn)
	h.keep = false
	h.i.facts = helloFacts(hi, h.kept)
	cfg, err := h.i.choose(hi)
	if err == errPass {
		h.quiet = true
	}
	return cfg, err
}

func (i *interception) choose(hi *tls.ClientHelloInfo) (*tls.Config, error) {
	c, s := i.c, i.c.s
	host, port, _ := net.SplitHostPort(i.x.target)
	name := hi.ServerName
	if name == "" {
		name = host
	}
	switch {
	case hi.ServerName != "" && s.ignores(net.JoinHostPort(hi.ServerName, port)):
		i.pass, i.x.ignored = "a host that is ignored", true
	case hi.ServerName != "" && s.passes(net.JoinHostPort(hi.ServerName, port), hi.ServerName):
		i.pass = "a host that is passed through unread"
	case len(hi.SupportedProtos) > 0 && len(readable(hi.SupportedProtos)) == 0:
		i.pass = "the client offers no HTTP in ALPN that why403 reads: " + strings.Join(hi.SupportedProtos, ", ")
	}
	if i.pass != "" {
		return nil, errPass
	}
	i.hello = wire.Hello{ServerName: hi.ServerName, Verify: name, Protocols: readable(hi.SupportedProtos)}
	i.hello.Min, i.hello.Max = versions(hi.SupportedVersions)
	i.reach(hi)
	// The origin took its time; the client has the rest of its own.
	c.conn.SetDeadline(time.Now().Add(c.s.limits.hello))

	var origin *x509.Certificate
	if i.up != nil {
		origin = i.up.Leaf
	}
	leaf, err := s.opt.CA.Leaf(hi.Context(), name, origin)
	if err != nil {
		i.refuse = err
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{*leaf}, MinVersion: tls.VersionTLS10, DynamicRecordSizingDisabled: true}
	cfg.NextProtos = i.agree()
	return cfg, nil
}

// readable are the protocols among offered that we take apart, in the client's order.
func readable(offered []string) (known []string) {
	for _, p := range offered {
		if p == http11 || p == protoH2 {
			known = append(known, p)
		}
	}
	return known
}

// agree is what the client's handshake is answered with: what the origin chose
// from the client's list. Without an origin, it is what our answer is easiest
// to read in. Later connections to the origin offer no other.
func (i *interception) agree() []string {
	p := http11
	switch offered := i.hello.Protocols; {
	case i.broken == nil:
		p = i.up.TLS.ALPN
	case len(offered) == 0:
		return nil
	case !slices.Contains(offered, http11):
		p = protoH2
	}
	if p != "" {
		i.hello.Protocols = []string{p}
		return i.hello.Protocols
	}
	if len(i.hello.Protocols) > 0 {
		i.hello.Protocols = []string{http11}
	}
	return nil
}

// reach connects to the origin. A failure is kept, to be told inside: a client
// can show an answer, and not why a handshake failed.
func (i *interception) reach(hi *tls.ClientHelloInfo) {
	i.c.conn.SetDeadline(time.Time{}) // the dial has its own
	d := &i.c.s.dialer
	switch i.broken = i.x.broken; {
	case i.broken != nil:
	case i.up != nil && !i.up.Alive() && i.c.login:
		i.up.Close()
		i.broken = i.c.onlyTheClient()
	case i.up == nil || !i.up.Alive():
		if i.up != nil {
			i.up.Close()
		}
		i.up, i.broken = d.Connect(hi.Context(), i.x.target)
	}
	if i.broken == nil {
		i.broken = d.Secure(hi.Context(), i.up, i.x.target, i.hello)
	}
	if i.broken != nil {
		i.up = nil
	}
}

// helloFor is how an origin is spoken to without a client whose hello says it.
func helloFor(target string) *wire.Hello {
	host, _, _ := net.SplitHostPort(target)
	h := &wire.Hello{Verify: host, Protocols: []string{http11}}
	if net.ParseIP(host) == nil {
		h.ServerName = host
	}
	return h
}

// versions are the lowest and highest versions that a client offers and
// crypto/tls knows, so that the origin is offered no others.
func versions(offered []uint16) (lowest, highest uint16) {
	for _, v := range offered {
		if v < tls.VersionTLS10 || v > tls.VersionTLS13 { // also what RFC 8701 makes up
			continue
		}
		if lowest == 0 || v < lowest {
			lowest = v
		}
		highest = max(highest, v)
	}
	return lowest, highest
}

// passThrough hands the connection, from its first byte, to the origin.
func (c *client) passThrough(i *interception, conn *helloConn) {
	i.x.altered = append(i.x.altered, "not read: "+i.pass)
	c.opaque(i.x, i.up, conn.kept, true)
}

// noHandshake records that a client did not accept our certificate, or gave up.
func (c *client) noHandshake(start time.Time, i *interception, err error) {
	text, sni := handshakeText(i, err), ""
	agent := i.x.req.Header.Get("User-Agent") // of the CONNECT
	f := &flow.Flow{Kind: flow.Handshake, Scheme: "https", Conn: c.facts, Request: i.x.req.Message(), Times: flow.Timings{Start: start}}
	if i.facts != nil {
		sni = i.facts.ServerName
		if f.Conn.ClientTLS == nil {
			f.Conn.ClientTLS = i.facts
		}
	}
	f.Authority = authorityFor(i.x.req.Authority, sni)
	f.Conn.Target, f.Conn.Upstream = i.x.target, i.x.conn.Upstream
	o := flow.Outcome{Conn: f.Conn, Times: f.Times, Err: &flow.Failure{Side: "client", Op: "tls", Text: text}}
	if i.refuse != nil {
		o.Err.Side = "why403"
	}
	o.Times.End = time.Now()
	c.concludeWith(c.s.opt.Store, c.s.opt.Store.Begin(f), o, func(o *flow.Outcome) {
		if distrusts(i, err) {
			o.Err.Text += ". " + trustFix(agent, o.Conn.Process, o.Conn.ClientTLS, f.Authority)
		}
	})
}
