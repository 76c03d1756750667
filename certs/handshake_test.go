package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"
)

// handshake does a TLS handshake as the proxy and a client do. The server asks for a leaf by SNI, and by target when there is none.
func handshake(t *testing.T, ca *CA, target string, origin *x509.Certificate, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, &tls.Config{Time: client.Time, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		host := hello.ServerName
		if host == "" {
			host = target
		}
		return ca.Leaf(hello.Context(), host, origin)
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		_ = server.HandshakeContext(ctx) // the client's view is the one that counts
	}()
	conn := tls.Client(near, client)
	err := conn.HandshakeContext(ctx)
	near.Close()
	<-done
	return conn.ConnectionState(), err
}

func TestHandshake(t *testing.T) {
	clock := newClock()
	ca := ephemeral(t, clock.now)
	origin := originWith(t, []string{"*.shop.example", "shop.example"}, net.ParseIP("192.0.2.9"))
	for _, c := range []struct {
		name   string
		target string // host of the CONNECT
		origin *x509.Certificate
		expect string // what the client verifies, and sends as SNI unless it is an address
	}{
		{"name", "a.example", nil, "a.example"},
		{"upper case", "A.EXAMPLE", nil, "A.Example"},
		{"underscore", "my_svc.example", nil, "my_svc.example"},
		{"IDN", "bücher.example", nil, "xn--bcher-kva.example"},
		{"CONNECT to an address, SNI names a host", "192.0.2.1", nil, "a.example"},
		{"IPv4, no SNI", "192.0.2.1", nil, "192.0.2.1"},
		{"IPv6, no SNI", "[2001:db8::1]", nil, "2001:db8::1"},
		{"wildcard taken over from the origin", "www.shop.example", origin, "img.shop.example"},
		{"bare name taken over from the origin", "www.shop.example", origin, "shop.example"},
		{"address taken over from the origin", "www.shop.example", origin, "192.0.2.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				state, err := handshake(t, ca, c.target, c.origin, &tls.Config{
					RootCAs: roots(t, ca), ServerName: c.expect, Time: clock.now, MinVersion: version, MaxVersion: version,
				})
				if err != nil {
					t.Errorf("%s: %v", tls.VersionName(version), err)
				} else if len(state.PeerCertificates) != 2 {
					t.Errorf("%s: %d certificates were sent, want leaf and CA", tls.VersionName(version), len(state.PeerCertificates))
				}
			}
		})
	}
}

// One certificate, got for www.shop.example, also serves what the origin's serves. (The SNI of a connection need not be a name that it is used for.)
func TestOneLeafServesTheOriginsNames(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	leaf := leafOf(t, ca, "www.shop.example", originWith(t, []string{"*.shop.example", "shop.example"}, net.ParseIP("192.0.2.9"))).Leaf
	for host, valid := range map[string]bool{
		"www.shop.example": true, "img.shop.example": true, "shop.example": true, "192.0.2.9": true,
		"a.b.shop.example": false, "evil.example": false, "192.0.2.10": false,
	} {
		if err := leaf.VerifyHostname(host); (err == nil) != valid {
			t.Errorf("%s: %v, want valid %v", host, err, valid)
		}
	}
}

func TestNoWildcardOfOurOwn(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	if err := leafOf(t, ca, "www.shop.example", nil).Leaf.VerifyHostname("img.shop.example"); err == nil {
		t.Error("a leaf for one name is valid for its sister")
	}
}

func TestHandshakeFails(t *testing.T) {
	clock := newClock()
	ca, other := ephemeral(t, clock.now), ephemeral(t, clock.now)
	for name, client := range map[string]*tls.Config{
		"client trusts another CA":        {RootCAs: roots(t, other), ServerName: "a.example", Time: clock.now},
		"client's clock is 3 days behind": {RootCAs: roots(t, ca), ServerName: "a.example", Time: func() time.Time { return start.Add(-72 * time.Hour) }},
		"client comes back next year":     {RootCAs: roots(t, ca), ServerName: "a.example", Time: func() time.Time { return start.AddDate(1, 0, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := handshake(t, ca, "a.example", nil, client); err == nil {
				t.Error("accepted")
			}
		})
	}
}
