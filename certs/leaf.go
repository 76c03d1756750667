package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	rememberedLeaves = 1024                // certificates in memory
	leafLife         = 30 * 24 * time.Hour // from now; far below the 825 days that Apple accepts of a private CA
	leafRenewal      = 24 * time.Hour      // life left below which a leaf is signed again
	copiedNames      = 100                 // SANs taken over from an origin's certificate
	copiedBytes      = 8 << 10             // their length in all: the certificate is sent in every handshake
)

// Leaf returns a server certificate for host, which is the SNI of the client or else the host of its CONNECT target (a DNS name, also with
// upper case, underscores, a trailing dot or in Unicode; an IPv4 or IPv6 address, also in brackets; no port). It is sent with the CA's certificate.
//
// origin is the certificate that the real server showed, or nil. Its DNS and IP names, up to 100 of them, are taken over beside host,
// so that one connection may serve them all, as it does without us: pass it only if its chain was verified.
//
// The certificate is shared with other callers and must not be changed. The error is ErrName for a host that can be in no certificate,
// ErrExpired when the CA's life is over, or that of ctx, which is looked at before signing.
func (ca *CA) Leaf(ctx context.Context, host string, origin *x509.Certificate) (*tls.Certificate, error) {
	n, err := parseName(host)
	if err != nil {
		return nil, fmt.Errorf("leaf certificate: %w", err)
	}
	key := n.String()
	if origin != nil {
		sum := sha256.Sum256(origin.Raw)
		key += "\x00" + string(sum[:])
	}
	if leaf, ok := ca.remembered(key); ok {
		return leaf, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("leaf certificate for %s: %w", n, err)
	}
	leaf, err := ca.issueOnce(key, n, origin)
	if err != nil {
		return nil, fmt.Errorf("leaf certificate for %s: %w", n, err)
	}
	return leaf, nil
}

// issueOnce signs and remembers a leaf, once for all callers that come with the same key, also for one that looked just before another was done.
func (ca *CA) issueOnce(key string, n name, origin *x509.Certificate) (*tls.Certificate, error) {
	leaf, err, _ := ca.flight.Do(key, func() (any, error) {
		if leaf, ok := ca.remembered(key); ok {
			return leaf, nil
		}
		leaf, err := ca.issue(n, origin)
		if err != nil {
			return nil, err
		}
		ca.leaves.Add(key, leaf)
		return leaf, nil
	})
	if err != nil {
		return nil, err
	}
	return leaf.(*tls.Certificate), nil
}

// remembered returns the leaf of an earlier call if it can still be used.
func (ca *CA) remembered(key string) (*tls.Certificate, bool) {
	leaf, ok := ca.leaves.Get(key)
	if !ok {
		return nil, false
	}
	now, last := ca.now(), leaf.Leaf.NotAfter
	if now.Before(leaf.Leaf.NotBefore) || now.After(last) {
		return nil, false
	}
	// A leaf that ends with the CA would be no younger if signed again.
	return leaf, last.Sub(now) >= leafRenewal || last.Equal(ca.cert.NotAfter)
}

func (ca *CA) issue(n name, origin *x509.Certificate) (*tls.Certificate, error) {
	now := ca.now()
	if now.After(ca.cert.NotAfter) {
		return nil, ca.fault(ErrExpired)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"why403 debugging proxy"}},
		NotBefore:             latest(now.Add(-backdating), ca.cert.NotBefore),
		NotAfter:              earliest(now.Add(leafLife), ca.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if cn := n.String(); len(cn) <= maxCN {
		template.Subject.CommonName = cn
	}
	template.DNSNames, template.IPAddresses = names(n, origin)
	der, err := ca.sign(template, ca.leafKey.Public())
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: ca.leafKey, Leaf: leaf}, nil
}

// names is what a leaf is valid for: n itself, then what the origin's certificate names, without repetition and within the bounds.
// Wildcards come from the origin alone.
func names(n name, origin *x509.Certificate) (dns []string, ips []net.IP) {
	if n.ip.IsValid() {
		ips = append(ips, n.ip.AsSlice())
	} else {
		dns = append(dns, n.dns)
	}
	if origin == nil {
		return dns, ips
	}
	count, size := 0, 0
	fits := func(bytes int) bool {
		if count == copiedNames || size+bytes > copiedBytes {
			return false
		}
		count, size = count+1, size+bytes
		return true
	}
	for _, s := range origin.DNSNames {
		s = strings.ToLower(strings.TrimSuffix(s, "."))
		if validDNS(strings.TrimPrefix(s, "*.")) && !slices.Contains(dns, s) && fits(len(s)) {
			dns = append(dns, s)
		}
	}
	for _, raw := range origin.IPAddresses {
		ip, ok := netip.AddrFromSlice(raw)
		if ok && !slices.ContainsFunc(ips, raw.Equal) && fits(len(raw)) {
			ips = append(ips, ip.Unmap().AsSlice())
		}
	}
	return dns, ips
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
