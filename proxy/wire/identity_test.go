package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// identityPEM is a self-made certificate for name and its key.
func identityPEM(t testing.TB, name string) (cert, key []byte) {
	t.Helper()
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(k)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestParseIdentity(t *testing.T) {
	cert, key := identityPEM(t, "me")
	_, other := identityPEM(t, "you")
	for _, c := range []struct {
		name, pem, err string
	}{
		{"certificate and key", string(cert) + string(key), ""},
		{"key and certificate", string(key) + string(cert), ""},
		{"the key alone", string(key), "no certificate in it"},
		{"the certificate alone", string(cert), "no key in it"},
		{"a key of another", string(cert) + string(other), "private key does not match"},
		{"a passphrase", string(cert) + "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "passphrase"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := ParseIdentity("", []byte(c.pem))
			if c.err == "" && (err != nil || id.Cert.Leaf.Subject.CommonName != "me") || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// tlsServer accepts TLS connections and answers each byte by one of its own.
func tlsServer(t *testing.T, config *tls.Config) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(5 * time.Second))
			s := tls.Server(c, config)
			if s.Handshake() == nil {
				var b [1]byte
				s.Read(b[:])
				s.Write(b[:])
			}
			s.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// Each host gets the certificate that is meant for it, and what was asked and given is known.
func TestClientCertificatesAreForTheirHosts(t *testing.T) {
	var ids Identities
	for _, host := range []string{"a.test", "*.b.test"} {
		cert, key := identityPEM(t, "for "+host)
		id, err := ParseIdentity(host, append(cert, key...))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	cert, key := identityPEM(t, "server")
	pair, _ := tls.X509KeyPair(cert, key)
	got := make(chan string, 1)
	addr := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, VerifyConnection: func(s tls.ConnectionState) error {
		name := ""
		if len(s.PeerCertificates) > 0 {
			name = s.PeerCertificates[0].Subject.CommonName
		}
		got <- name
		return nil
	}})
	d := Dialer{Insecure: true, Identities: ids}
	for host, want := range map[string]string{"a.test": "for a.test", "x.b.test": "for *.b.test", "b.test": "", "c.test": ""} {
		u, trouble := d.Connect(t.Context(), addr)
		if trouble != nil {
			t.Fatal(trouble)
		}
		if trouble := d.Secure(t.Context(), u, addr, Hello{ServerName: host, Verify: host}); trouble != nil {
			t.Fatal(trouble)
		}
		u.Write([]byte("x"))
		if name := <-got; name != want || !u.TLS.Wanted || strings.TrimPrefix(u.TLS.Presented, "CN=") != want {
			t.Errorf("%s: the server got %q, want %q; recorded %v %q", host, name, want, u.TLS.Wanted, u.TLS.Presented)
		}
		if u.TLS.JA4 == "" || len(u.TLS.Chain) != 1 || u.TLS.Chain[0].Subject != "CN=server" || u.TLS.Verified || u.TLS.Unverified == "" {
			t.Errorf("%s: recorded %+v", host, u.TLS)
		}
		u.Close()
	}
}

// The version range bounds what servers are offered, and a certificate that is not trusted is described all the same.
func TestVersionsAndDistrust(t *testing.T) {
	cert, key := identityPEM(t, "app.test")
	pair, _ := tls.X509KeyPair(cert, key)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(cert)
	addr := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair}})
	for _, c := range []struct {
		name     string
		d        Dialer
		h        Hello
		version  string
		trouble  string
		verified bool
	}{
		{"newest", Dialer{Roots: trusted}, Hello{}, "TLS 1.3", "", true},
		{"at most 1.2", Dialer{Roots: trusted, MaxTLS: tls.VersionTLS12}, Hello{Max: tls.VersionTLS13}, "TLS 1.2", "", true},
		{"what the client offers", Dialer{Roots: trusted}, Hello{Max: tls.VersionTLS12}, "TLS 1.2", "", true},
		{"the range where they do not meet", Dialer{Roots: trusted, MinTLS: tls.VersionTLS13}, Hello{Max: tls.VersionTLS12}, "TLS 1.3", "", true},
		{"a stranger", Dialer{Roots: x509.NewCertPool()}, Hello{}, "TLS 1.3", "does not trust", false},
		{"another name", Dialer{Roots: trusted}, Hello{Verify: "b.test"}, "TLS 1.3", "is for other names: app.test", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, trouble := c.d.Connect(t.Context(), addr)
			if trouble != nil {
				t.Fatal(trouble)
			}
			defer u.Close()
			c.h.ServerName = "app.test"
			if c.h.Verify == "" {
				c.h.Verify = "app.test"
			}
			trouble = c.d.Secure(t.Context(), u, addr, c.h)
			facts := u.TLS
			if trouble != nil {
				facts = trouble.TLS
			}
			if (trouble != nil) != (c.trouble != "") || trouble != nil && !strings.Contains(trouble.Text, c.trouble) {
				t.Fatalf("trouble %v, want %q", trouble, c.trouble)
			}
			if facts.Version != c.version || facts.Verified != c.verified || len(facts.Chain) != 1 || facts.JA4 == "" || c.trouble != "" && !strings.Contains(facts.Unverified, c.trouble) {
				t.Errorf("recorded %+v", facts)
			}
		})
	}
}
