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
}

// Write writes to the connection, and sums what was written in Out.
func (u *Upstream) Write(p []byte) (int, error) {
	n, err := u.Conn.Write(p)
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
	u, t := d.reach(ctx, p)
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
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(u.watch(ctx), "tcp", addr)
	if err != nil {
		return nil, dialTrouble(addr, err)
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

// watch notes the moments of dialling. Dials that race each other report from
// their own goroutines, the slower ones even after the winner is in use.
func (u *Upstream) watch(ctx context.Context) context.Context {
	var mu sync.Mutex
	t, over := flow.Timings{}, false
	note := func(at *time.Time, last bool) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if at.IsZero() || last {
			*at = time.Now()
		}
		if last {
			over, u.Times = true, t
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone:      func(httptrace.DNSDoneInfo) { note(&t.DNSDone, false) },
		ConnectStart: func(string, string) { note(&t.ConnectStart, false) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				note(&t.ConnectDone, true)
			}
		},
	})
}

func (u *Upstream) use(c net.Conn) {
	u.Conn, u.R, u.Last = c, NewReader(c), time.Now()
}

// Secure makes u a TLS connection, in at most 15 s. On failure u is closed.
func (d *Dialer) Secure(ctx context.Context, u *Upstream, addr string, h Hello) *Trouble {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	verified := false
	under := u.Conn
	if len(u.R.Buffered()) > 0 { // came behind the answer of a proxy
		under = &readAhead{u.Conn, u.R}
	}
	c := tls.Client(under, &tls.Config{
		ServerName: h.ServerName,
		NextProtos: h.Protocols,
		MinVersion: h.Min,
		MaxVersion: h.Max,
		// The chain is verified below: crypto/tls would insist on sending the name that it verifies.
		InsecureSkipVerify:          true,
		DynamicRecordSizingDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			err := d.verify(s, h.Verify)
			verified = err == nil
			if d.Insecure {
				return nil
			}
			return err
		},
	})
	if err := c.HandshakeContext(ctx); err != nil {
		u.Close()
		return tlsTrouble(addr, h.Verify, err)
	}
	u.use(c)
	u.Times.TLSDone = time.Now()
	u.TLS = TLSFacts(c.ConnectionState(), h.Protocols)
	u.TLS.ServerName, u.TLS.Verified = h.ServerName, verified
	if certs := c.ConnectionState().PeerCertificates; verified && len(certs) > 0 {
		u.Leaf = certs[0]
	}
	return nil
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

// readAhead is a connection of which r has read something already.
type readAhead struct {
	net.Conn
	r *Reader
}

func (c *readAhead) Read(p []byte) (int, error) { return c.r.Read(p) }

// TLSFacts is what is worth recording of a TLS connection.
func TLSFacts(s tls.ConnectionState, offered []string) *flow.TLS {
	t := &flow.TLS{
		Version:     tls.VersionName(s.Version),
		CipherSuite: tls.CipherSuiteName(s.CipherSuite),
		ServerName:  s.ServerName,
		ALPN:        s.NegotiatedProtocol,
		Offered:     offered,
	}
	if len(s.PeerCertificates) > 0 {
		leaf := s.PeerCertificates[0]
		sum := sha256.Sum256(leaf.Raw)
		t.Subject, t.Issuer, t.NotAfter = leaf.Subject.String(), leaf.Issuer.String(), leaf.NotAfter
		t.SHA256 = hex.EncodeToString(sum[:])
		t.SANs = append(t.SANs, leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			t.SANs = append(t.SANs, ip.String())
		}
	}
	return t
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
