// Package certs is why403's certificate authority: it makes and keeps the CA and signs a leaf certificate for each intercepted host.
//
// The CA is either kept in a folder (Load, Create, LoadOrCreate) or lives in memory until the process ends (Ephemeral). Its private key never
// leaves the package: it is held by a closure that signs, so no accessor, formatter or encoder can reach it. Only the leaf key, which is made anew
// for every CA value and is never written to disk, is handed out inside the tls.Certificate of a leaf.
//
// # Concurrency
//
// A *CA may be used by any number of goroutines. Nothing in it starts a goroutine. Leaf returns a remembered certificate under a short lock; for a
// new name it signs once (about 0.1 ms of CPU) however many callers ask, and callers of other names do not wait for it. At most 1024 leaves are
// remembered; the least recently used is forgotten, which costs a signature when it is asked for again.
// Several processes may start on the same folder at once: one of them makes the CA, all of them end with the same one. Nothing is overwritten.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/user"
	"strings"
	"time"
	"unicode"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	caYears    = 2                   // life of a new CA
	backdating = 48 * time.Hour      // how far notBefore lies in the past, for clients whose clock is slow
	renewal    = 30 * 24 * time.Hour // life left of a CA from which on Expires warns
	maxCN      = 64                  // characters, ub-common-name of X.520 (RFC 5280, appendix A.1)
)

// CA signs leaf certificates. Make one with Load, Create, LoadOrCreate or Ephemeral; the zero value is of no use.
type CA struct {
	cert   *x509.Certificate
	sign   signer
	folder folder      // empty for an ephemeral CA
	mode   fs.FileMode // permission bits of the key file when it was read
	now    func() time.Time

	leafKey *ecdsa.PrivateKey
	leaves  *lru.Cache[string, *tls.Certificate]
	flight  singleflight.Group
}

// signer signs template, which names pub as its key, with the CA's key and returns DER.
type signer func(template *x509.Certificate, pub crypto.PublicKey) ([]byte, error)

// Ephemeral makes a CA that exists in memory only and is gone with the process. now is the clock that the CA and its leaves live by; nil is time.Now.
func Ephemeral(now func() time.Time) (*CA, error) {
	now = orWallClock(now)
	cert, key, err := generate(now())
	if err != nil {
		return nil, err
	}
	return newCA(cert, key, now)
}

func newCA(cert *x509.Certificate, key crypto.Signer, now func() time.Time) (*CA, error) {
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ca: make the leaf key: %w", err)
	}
	leaves, err := lru.New[string, *tls.Certificate](rememberedLeaves)
	if err != nil {
		return nil, fmt.Errorf("ca: make the memory for leaves: %w", err)
	}
	sign := func(template *x509.Certificate, pub crypto.PublicKey) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, template, cert, pub, key)
	}
	return &CA{cert: cert, sign: sign, now: now, leafKey: leafKey, leaves: leaves}, nil
}

// generate makes a P-256 key and a self-signed CA certificate (RFC 5280, 4.2.1.9: path length 0, so it can sign leaves and no further CA).
func generate(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("ca: make a key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("ca: encode the public key: %w", err)
	}
	keyID := sha256.Sum256(spki)
	template := &x509.Certificate{
		SerialNumber: serial,
		// Two CAs of one user on one day differ in the serialNumber attribute: some verifiers choose an issuer by its name alone.
		Subject:               pkix.Name{CommonName: caName(whoami(), hostname(), now), SerialNumber: hex.EncodeToString(keyID[:6])},
		NotBefore:             now.Add(-backdating),
		NotAfter:              now.AddDate(caYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId:          keyID[:20], // RFC 7093, 2, method 4 in the length of a SHA-1
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("ca: sign the CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("ca: read back the CA certificate: %w", err)
	}
	return cert, key, nil
}

// newSerial returns a random number of up to 127 bits that is never 0 (RFC 5280, 4.1.2.2: positive, at most 20 octets).
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1)))
	if err != nil {
		return nil, fmt.Errorf("ca: draw a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

// caName is the CA's common name, at most 64 characters: who made it, where and when, so that its owner recognises it in a trust store.
func caName(user, host string, now time.Time) string {
	date := " " + now.Format(time.DateOnly)
	who := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, "why403 "+user+"@"+host)
	if runes := []rune(who); len(runes) > maxCN-len(date) {
		who = strings.TrimSpace(string(runes[:maxCN-len(date)]))
	}
	return who + date
}

func whoami() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "unknown"
	}
	return u.Username[strings.LastIndexByte(u.Username, '\\')+1:] // Windows says DOMAIN\user
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil || h == "" {
		return "localhost"
	}
	return h
}

func orWallClock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

// Info describes a CA to its user. It holds nothing secret.
type Info struct {
	Dir, Cert, Key string // the folder and the two files; empty for an ephemeral CA
	Ephemeral      bool
	KeyMode        fs.FileMode // permission bits of the key file when it was read; 0 for an ephemeral CA
	Subject        string      // RFC 2253 form, such as "SERIALNUMBER=…,CN=why403 ann@laptop 2026-01-31"
	Name           string      // the common name alone, as trust stores list it
	Serial         string      // hexadecimal, lower case
	SHA256         string      // of the certificate: upper-case hexadecimal pairs joined by colons, as openssl -fingerprint prints it
	SPKI           string      // base64 of the SHA-256 of the public key, for Chromium's --ignore-certificate-errors-spki-list
	NotBefore      time.Time
	NotAfter       time.Time
}

// Info describes the CA.
func (ca *CA) Info() Info {
	spki := sha256.Sum256(ca.cert.RawSubjectPublicKeyInfo)
	info := Info{
		Ephemeral: ca.folder == "",
		KeyMode:   ca.mode,
		Subject:   ca.cert.Subject.String(),
		Name:      ca.cert.Subject.CommonName,
		Serial:    ca.cert.SerialNumber.Text(16),
		SHA256:    fingerprint(ca.cert.Raw),
		SPKI:      base64.StdEncoding.EncodeToString(spki[:]),
		NotBefore: ca.cert.NotBefore,
		NotAfter:  ca.cert.NotAfter,
	}
	if ca.folder != "" {
		info.Dir, info.Cert, info.Key = string(ca.folder), ca.folder.cert(), ca.folder.key()
	}
	return info
}

// PEM returns the CA certificate, without its key, for trust stores and bundles.
func (ca *CA) PEM() []byte { return certPEM(ca.cert) }

// String names the CA.
func (ca *CA) String() string { return "CA " + ca.cert.Subject.CommonName }

// Expires returns the CA's last moment and, when less than 30 days are left, a sentence to show to its user; else the sentence is empty.
func (ca *CA) Expires() (at time.Time, warning string) {
	at = ca.cert.NotAfter
	left := at.Sub(ca.now())
	date := at.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		return at, "the CA expired on " + date + ": clients refuse its certificates"
	case left < 24*time.Hour:
		return at, "the CA expires today, " + at.UTC().Format("2006-01-02 15:04 UTC")
	case left < renewal:
		return at, fmt.Sprintf("the CA expires on %s, in %d days", date, int(left/(24*time.Hour)))
	}
	return at, ""
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: cert.Raw})
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
