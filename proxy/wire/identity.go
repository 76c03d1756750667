package wire

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/why403/why403/flow"
)

// Identities are client certificates, the first that fits a host is the one it gets.
type Identities []Identity

// Identity is a certificate that an origin gets when it asks for one.
type Identity struct {
	Host string // host or *.domain, as in --tunnel; "": every host
	Cert tls.Certificate
}

// ParseIdentity reads certificate, chain and key, which may stand in one PEM file in any order.
func ParseIdentity(host string, pem []byte) (Identity, error) {
	id := Identity{Host: host}
	var err error
	switch {
	case !bytes.Contains(pem, []byte("-----BEGIN CERTIFICATE-----")):
		return id, errors.New("no certificate in it")
	case bytes.Contains(pem, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")), bytes.Contains(pem, []byte("Proc-Type: 4,ENCRYPTED")):
		return id, errors.New("the key in it is encrypted with a passphrase; write it without, to a file that only you can read (openssl pkey -in FILE)")
	case !bytes.Contains(pem, []byte("PRIVATE KEY-----")):
		return id, errors.New("no key in it: certificate and key belong into one file (cat cert.pem key.pem)")
	}
	if id.Cert, err = tls.X509KeyPair(pem, pem); err != nil {
		return id, errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	if id.Cert.Leaf == nil {
		if id.Cert.Leaf, err = x509.ParseCertificate(id.Cert.Certificate[0]); err != nil {
			return id, fmt.Errorf("its certificate: %w", err)
		}
	}
	return id, nil
}

// present is the certificate for host, an empty one if there is none for it. A
// certificate that the server's list of authorities does not name is given all
// the same: the user chose it, and the server's no is then its own.
func (all Identities) present(host string, ask *tls.CertificateRequestInfo, t *flow.TLS) *tls.Certificate {
	for i := range all {
		id := &all[i]
		if id.Host != "" && !MatchHost(id.Host, host) {
			continue
		}
		t.Presented = id.Cert.Leaf.Subject.String()
		if err := ask.SupportsCertificate(&id.Cert); err != nil {
			t.Presented += " (which is not what the server asked for: " + strings.TrimPrefix(err.Error(), "tls: ") + ")"
		}
		return &id.Cert
	}
	return &tls.Certificate{}
}

// MatchHost reports whether pattern (a host, or *.domain for all hosts below it) matches host.
func MatchHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok && strings.HasPrefix(suffix, ".") {
		return len(host) > len(suffix) && strings.EqualFold(host[len(host)-len(suffix):], suffix)
	}
	return strings.EqualFold(strings.Trim(pattern, "[]"), host)
}

// MatchTarget is MatchHost for a pattern that may also be host:port.
func MatchTarget(pattern, target string) bool {
	host, _, err := net.SplitHostPort(target)
	return strings.EqualFold(pattern, target) || err == nil && MatchHost(pattern, host)
}
