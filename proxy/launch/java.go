package launch

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"software.sslmate.com/src/go-pkcs12"
)

// javaPassword is that of every Java's own trust store. It protects nothing: certificates are public.
const javaPassword = "changeit"

// javaStore is a trust store with certificates (DER) and others: it stands instead of Java's own.
func javaStore(roots [][]byte, others []*x509.Certificate) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	seen := map[[sha256.Size]byte]bool{}
	add := func(cert *x509.Certificate) {
		if sum := sha256.Sum256(cert.Raw); !seen[sum] {
			seen[sum] = true
			entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: fmt.Sprintf("%d %s", len(entries), cert.Subject.CommonName)})
		}
	}
	for _, der := range roots {
		if cert, err := x509.ParseCertificate(der); err == nil { // one that Go cannot read is no reason to have none
			add(cert)
		}
	}
	for _, cert := range others {
		add(cert)
	}
	// SHA-1 and triple DES are what Java 8 reads; nothing here is secret.
	store, err := pkcs12.LegacyDES.EncodeTrustStoreEntries(entries, javaPassword)
	if err != nil {
		return nil, fmt.Errorf("trust store: %w", err)
	}
	return store, nil
}

// javaRoots are the certificates that the Java in home trusts, among them what
// a company has added; none if its store cannot be read.
func javaRoots(home string) []*x509.Certificate {
	for _, path := range []string{"lib/security/jssecacerts", "lib/security/cacerts", "jre/lib/security/cacerts"} {
		data := readPEM(filepath.Join(home, filepath.FromSlash(path)))
		if len(data) == 0 {
			continue
		}
		if certs, err := readJKS(bytes.NewReader(data)); err == nil {
			return certs
		}
		if certs, err := pkcs12.DecodeTrustStore(data, javaPassword); err == nil {
			return certs
		}
		certs, _ := pkcs12.DecodeTrustStore(data, "")
		return certs
	}
	return nil
}

// Of a Java key store (JKS), as sun.security.provider.JavaKeyStore writes it: numbers have the high byte first.
const (
	jksMagic   = 0xfeedfeed
	jksTrusted = 2       // tag of an entry that is a certificate alone
	maxEntries = 10_000  // more than any store has
	maxCert    = 1 << 20 // bytes
)

// readJKS reads the trusted certificates of a store without checking its sum: whoever could change it could change the sum as well.
func readJKS(r io.Reader) (certs []*x509.Certificate, err error) {
	read := func(v any) {
		if err == nil {
			err = binary.Read(r, binary.BigEndian, v)
		}
	}
	text := func(n uint32) []byte {
		if err == nil && n > maxCert {
			err = errors.New("not a key store")
		}
		if err != nil {
			return nil
		}
		b := make([]byte, n)
		_, err = io.ReadFull(r, b)
		return b
	}
	var head struct{ Magic, Version, Count uint32 }
	read(&head)
	if err != nil || head.Magic != jksMagic || head.Version != 2 || head.Count > maxEntries {
		return nil, errors.New("not a key store of version 2")
	}
	for range head.Count {
		var tag, size uint32
		var name uint16
		var made int64
		read(&tag)
		if err == nil && tag != jksTrusted {
			return certs, nil // a private key: a trust store has none
		}
		read(&name)
		text(uint32(name)) // alias
		read(&made)
		read(&name)
		text(uint32(name)) // "X.509"
		read(&size)
		der := text(size)
		if err != nil {
			return nil, fmt.Errorf("key store: %w", err)
		}
		if cert, err := x509.ParseCertificate(der); err == nil {
			certs = append(certs, cert)
		}
	}
	return certs, nil
}
