package wire

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/why403/why403/flow"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 15 * time.Second
)

// Dialer makes connections to origins.
type Dialer struct {
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: net.Dialer, with its happy eyeballs (RFC 8305)
	Roots    *x509.CertPool                                                    // nil: the system's
	Insecure bool                                                              // go on although the certificate does not verify
	// Refuse says why a connection that was made must not be used; nil: it may. nil Refuse refuses nothing.
	Refuse func(net.Conn) *Trouble
	// Via is the proxy after us that origins are reached through; nil: none. Dial connects to it then.
	Via *Proxy
	// Identities are the certificates that origins get when they ask for one.
	Identities Identities
	// MinTLS and MaxTLS bound the versions that origins are offered, whatever a Hello says; 0: no bound.
	MinTLS, MaxTLS uint16
}

// Hello is what a TLS connection to an origin asks for.
type Hello struct {
	ServerName string   // SNI; "": none is sent
	Verify     string   // name or address that the certificate must be for
	Protocols  []string // ALPN; nil: the extension is not sent
	Min, Max   uint16   // TLS versions; 0: crypto/tls' own choice
}

// Upstream is a connection to an origin.
type Upstream struct {
	net.Conn // the TLS connection, if there is one
	R        *Reader
	Via      *Proxy   // the proxy that the connection goes through; nil: none
	Forwards bool     // Via reads the requests: see Head
	Raw      net.Conn // the connection below TLS
	Uses     int      // exchanges begun on it
	Last     time.Time
	Times    flow.Timings // DNSDone to TLSDone: of the first exchange
	TLS      *flow.TLS
	Leaf     *x509.Certificate // of a chain that verified
	Out      Outlet            // sums what Write wrote

	Resolved []string // see flow.Conn
	Tried    []string
}

// Write writes to the connection, and sums what was written in Out.
func (u *Upstream) Write(p []byte) (int, error) {
	n, err := u.R.batch.together(u.Conn, p)
	u.Out.add(p[:n])
	return n, err
}

// Connect makes a plain connection to addr (host:port), in at most 10 s, or,
// through a proxy after us, in at most 15 s more.
func (d *Dialer) Connect(ctx context.Context, addr string) (*Upstream, *Trouble) {
	p := d.Way(addr)
	if p == nil {
		return d.direct(ctx, addr)
	}
	u, t := d.Reach(ctx, p)
	if t == nil {
		t = p.open(ctx, u, addr)
	}
	if t != nil {
		return nil, t
	}
	return u, nil
}

func (d *Dialer) direct(ctx context.Context, addr string) (*Upstream, *Trouble) {
	u := &Upstream{}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dial := d.Dial
	if dial == nil {
		dial = dialPlain
	}
	ctx, over := u.watch(ctx)
	c, err := dial(ctx, "tcp", addr)
	over()
	if err != nil {
		t := dialTrouble(addr, err)
		t.Resolved, t.Tried = u.Resolved, u.Tried
		return nil, t
	}
	if d.Refuse != nil {
		if t := d.Refuse(c); t != nil {
			c.Close()
			return nil, t
		}
	}
	u.use(c)
	u.Raw = c
	if u.Times.ConnectDone.IsZero() { // a Dial that tells us nothing
		u.Times.ConnectDone = time.Now()
	}
	return u, nil
}

// plain dials as RFC 8305 wants it: IPv6 and IPv4 are tried by turns, the other
// family 250 ms later (section 5), and whichever connects first is taken.
func plain() *net.Dialer { return &net.Dialer{FallbackDelay: 250 * time.Millisecond} }

// watch notes the moments of dialling, the addresses, and what failed, in u
// when over is called. Dials that race each other report from their own
// goroutines, the slower ones even after the winner is in use.
func (u *Upstream) watch(ctx context.Context) (_ context.Context, over func()) {
	var mu sync.Mutex
	var t flow.Timings
	var resolved, tried []string
	done := false
	note := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			f()
		}
	}
	first := func(at *time.Time) {
		if at.IsZero() {
			*at = time.Now()
		}
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone: func(i httptrace.DNSDoneInfo) {
			note(func() {
				first(&t.DNSDone)
				for _, a := range i.Addrs[:min(len(i.Addrs), flow.MaxAddresses)] {
					resolved = append(resolved, a.String())
				}
			})
		},
		ConnectStart: func(string, string) { note(func() { first(&t.ConnectStart) }) },
		ConnectDone: func(_, addr string, err error) {
			note(func() {
				switch {
				case err == nil:
					first(&t.ConnectDone)
				case len(tried) < flow.MaxAddresses:
					tried = append(tried, addr+": "+Readable(err))
				}
			})
		},
	})
	return ctx, func() {
		note(func() { done, u.Times, u.Resolved, u.Tried = true, t, resolved, tried })
	}
}

func (u *Upstream) use(c net.Conn) {
	u.Conn, u.R, u.Last = c, NewReader(c), time.Now()
}

// Secure makes u a TLS connection, in at most 15 s. On failure u is closed.
func (d *Dialer) Secure(ctx context.Context, u *Upstream, addr string, h Hello) *Trouble {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	below := NewBatch(u.Conn, u.Conn)
	if len(u.R.Buffered()) > 0 { // came behind the answer of a proxy
		below.src = u.R
	}
	words := &firstWords{Batch: below}
	facts := &flow.TLS{ServerName: h.ServerName, Offered: h.Protocols}
	var leaf *x509.Certificate
	lowest, highest := d.versions(h)
	c := tls.Client(words, &tls.Config{
		ServerName: h.ServerName,
		NextProtos: h.Protocols,
		MinVersion: lowest,
		MaxVersion: highest,
		// The chain is verified below: crypto/tls would insist on sending the name that it verifies.
		InsecureSkipVerify:          true,
		DynamicRecordSizingDisabled: true,
		GetClientCertificate: func(ask *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			facts.Wanted = true
			return d.Identities.present(h.Verify, ask, facts), nil
		},
		VerifyConnection: func(s tls.ConnectionState) error {
			describe(facts, s)
			err := d.verify(s, h.Verify)
			if err == nil {
				facts.Verified, leaf = true, s.PeerCertificates[0]
				return nil
			}
			if facts.Unverified = notVerified(h.Verify, err); facts.Unverified == "" {
				facts.Unverified = Readable(err)
			}
			if d.Insecure {
				return nil
			}
			return err
		},
	})
	err := c.HandshakeContext(ctx)
	Fingerprint(facts, words.said)
	words.said = nil
	if err != nil {
		u.Close()
		t := tlsTrouble(addr, h.Verify, err)
		if facts.Wanted && facts.Presented == "" && t.Reason == HandshakeFailed {
			t.Hint = wantsCertificate
		}
		t.TLS = facts
		return t
	}
	u.use(c)
	u.Times.TLSDone = time.Now()
	u.TLS, u.Leaf = facts, leaf
	return nil
}

const wantsCertificate = "the server asked for a client certificate and got none: give why403 the one to use with --client-cert"

// versions are those of h within the bounds of d. Where they do not meet, d's are offered: they were asked for.
func (d *Dialer) versions(h Hello) (lowest, highest uint16) {
	lowest, highest = max(h.Min, d.MinTLS), h.Max
	if d.MaxTLS != 0 && (highest == 0 || highest > d.MaxTLS) {
		highest = d.MaxTLS
	}
	if highest != 0 && lowest > highest {
		return d.MinTLS, d.MaxTLS
	}
	return lowest, highest
}

func (d *Dialer) verify(s tls.ConnectionState, name string) error {
	if len(s.PeerCertificates) == 0 {
		return x509.UnknownAuthorityError{}
	}
	o := x509.VerifyOptions{Roots: d.Roots, DNSName: name, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}

// TLSFacts is what is worth recording of a TLS connection.
func TLSFacts(s tls.ConnectionState, offered []string) *flow.TLS {
	t := &flow.TLS{ServerName: s.ServerName, Offered: offered}
	describe(t, s)
	return t
}

// describe fills in what s says, but for the name that was asked for.
func describe(t *flow.TLS, s tls.ConnectionState) {
	t.Version, t.CipherSuite, t.ALPN = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol
	if len(s.PeerCertificates) == 0 {
		return
	}
	leaf := s.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	t.Subject, t.Issuer, t.NotAfter = leaf.Subject.String(), leaf.Issuer.String(), leaf.NotAfter
	t.SHA256 = hex.EncodeToString(sum[:])
	t.SANs = append(t.SANs, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		t.SANs = append(t.SANs, ip.String())
	}
	for _, c := range s.PeerCertificates[:min(len(s.PeerCertificates), flow.MaxChain)] {
		t.Chain = append(t.Chain, flow.Certificate{Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotAfter: c.NotAfter})
	}
}

// Alive reports whether u can carry a request: the origin has neither closed
// it nor sent anything that nobody asked for. It does not wait.
func (u *Upstream) Alive() bool {
	if len(u.R.Buffered()) > 0 {
		return false
	}
	waiting, open := peek(u.Raw)
	if !open {
		return false
	}
	if len(waiting) == 0 {
		return true
	}
	// Session tickets of TLS 1.3 may wait on a connection that has carried nothing yet. An alert is shorter (RFC 8446, 5.1).
	sealed := u.TLS != nil || u.Via != nil && u.Via.scheme == "https"
	return sealed && u.Uses == 0 && len(waiting) > 5 && waiting[0] == 0x17 && int(waiting[3])<<8|int(waiting[4]) > 32
}

// CloseWrite tells the other end that nothing more will come, if c can say that.
func CloseWrite(c net.Conn) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}
