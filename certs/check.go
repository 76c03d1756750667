package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// Labels of RFC 7468.
const (
	blockCert = "CERTIFICATE"
	blockKey  = "PRIVATE KEY" // PKCS #8; what we write
)

func isCert(b *pem.Block) bool { return b.Type == blockCert }
func isKey(b *pem.Block) bool  { return strings.HasSuffix(b.Type, blockKey) } // also EC, RSA, ENCRYPTED

// firstBlock returns the first PEM block that is wanted, skipping others and text between them; nil if there is none.
func firstBlock(data []byte, wanted func(*pem.Block) bool) *pem.Block {
	for {
		block, rest := pem.Decode(data)
		if block == nil || wanted(block) {
			return block
		}
		data = rest
	}
}

func (d folder) parseCert(data []byte) (*x509.Certificate, error) {
	block := firstBlock(data, isCert)
	if block == nil {
		return nil, d.fault(d.cert(), fmt.Errorf("%w: no CERTIFICATE block", ErrGarbage), adviceNew(string(d)))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, d.fault(d.cert(), fmt.Errorf("%w: %w", ErrGarbage, err), adviceNew(string(d)))
	}
	return cert, nil
}

// parseKey reads a key in PKCS #8, SEC 1 or PKCS #1. Its errors quote nothing of the file.
func (d folder) parseKey(data []byte) (crypto.Signer, error) {
	garbage := func(what string) error {
		return d.fault(d.key(), fmt.Errorf("%w: %s", ErrGarbage, what), adviceNew(string(d)))
	}
	block := firstBlock(data, isKey)
	if block == nil {
		return nil, garbage("no PRIVATE KEY block")
	}
	if strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
		return nil, d.fault(d.key(), fmt.Errorf("%w: the key is encrypted", ErrGarbage),
			"decrypt it, for example with openssl pkey, and keep the result at mode 0600")
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, garbage("the PRIVATE KEY block does not parse")
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, garbage("the key is neither ECDSA nor RSA, which is what clients accept of a CA")
}

// check says whether clients would accept leaves that key signs in the name of cert.
func (d folder) check(cert *x509.Certificate, key crypto.Signer, now time.Time) error {
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !pub.Equal(cert.PublicKey):
		return d.fault(d.key(), fmt.Errorf("%w %s", ErrMismatch, d.cert()), "put back the file that was exchanged, or "+adviceNew(string(d)))
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return d.fault(d.cert(), fmt.Errorf("%w: basicConstraints does not say CA", ErrNotCA), adviceNew(string(d)))
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return d.fault(d.cert(), fmt.Errorf("%w: keyUsage does not allow to sign certificates", ErrNotCA), adviceNew(string(d)))
	case now.After(cert.NotAfter):
		return d.fault(d.cert(), fmt.Errorf("%w on %s", ErrExpired, cert.NotAfter.UTC().Format(time.DateOnly)), adviceNew(string(d)))
	case now.Before(cert.NotBefore):
		return d.fault(d.cert(), fmt.Errorf("%w: it begins on %s", ErrTooEarly, cert.NotBefore.UTC().Format(time.DateOnly)),
			"set the clock of this machine right")
	}
	if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
			return d.fault(d.cert(), fmt.Errorf("%w: its own signature is wrong", ErrGarbage), adviceNew(string(d)))
		}
	}
	return nil
}
