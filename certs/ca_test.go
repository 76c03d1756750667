package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/adrg/xdg"
)

func TestCACertificate(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	block, rest := pem.Decode(ca.PEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("PEM is %q, want one certificate and nothing else", ca.PEM())
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !c.IsCA || !c.BasicConstraintsValid || !c.MaxPathLenZero || c.MaxPathLen != 0 {
		t.Errorf("IsCA %v, path length %d (zero meant: %v); want a CA that signs leaves only", c.IsCA, c.MaxPathLen, c.MaxPathLenZero)
	}
	if c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("key usage %b, want certSign and crlSign", c.KeyUsage)
	}
	if pub, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != elliptic.P256() {
		t.Errorf("key is %T, want P-256", c.PublicKey)
	}
	if len(c.SubjectKeyId) != 20 {
		t.Errorf("subject key id has %d bytes, want 20", len(c.SubjectKeyId))
	}
	if n := c.SerialNumber.BitLen(); n < 64 || n > 128 {
		t.Errorf("serial number has %d bits, want about 127", n)
	}
	if want := start.AddDate(2, 0, 0); !c.NotAfter.Equal(want) {
		t.Errorf("ends %s, want %s", c.NotAfter, want)
	}
	if want := start.Add(-48 * time.Hour); !c.NotBefore.Equal(want) {
		t.Errorf("begins %s, want %s", c.NotBefore, want)
	}
	if !regexp.MustCompile(`^why403 .+@.+ 2026-03-14$`).MatchString(c.Subject.CommonName) {
		t.Errorf("common name %q, want why403 user@host date", c.Subject.CommonName)
	}
}

func TestTwoCAsShareNoNameKeyOrSerial(t *testing.T) {
	a, b := ephemeral(t, newClock().now), ephemeral(t, newClock().now)
	if bytes.Equal(a.cert.RawSubject, b.cert.RawSubject) {
		t.Errorf("both are %s: a verifier that chooses by name may take the wrong one", a.cert.Subject)
	}
	if a.Info().SPKI == b.Info().SPKI || a.Info().Serial == b.Info().Serial || a.leafKey.Equal(b.leafKey) {
		t.Error("two CAs share a key or a serial number")
	}
}

func TestCAName(t *testing.T) {
	for _, c := range []struct{ name, user, host, want string }{
		{"usual", "ann", "laptop", "why403 ann@laptop 2026-03-14"},
		{"long host is cut, date stays", "ann", strings.Repeat("h", 80), "why403 ann@" + strings.Repeat("h", 42) + " 2026-03-14"},
		{"letters outside ASCII count once", "jörg", strings.Repeat("ü", 80), "why403 jörg@" + strings.Repeat("ü", 41) + " 2026-03-14"},
		{"control characters are left out", "a\x1b[31m\nnn", "lap\x00top", "why403 a[31mnn@laptop 2026-03-14"},
		{"not UTF-8", "ann\xff", "laptop", "why403 ann@laptop 2026-03-14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := caName(c.user, c.host, start)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if n := utf8.RuneCountInString(got); n > 64 {
				t.Errorf("%d characters, at most 64 are allowed", n)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	t.Run("ephemeral", func(t *testing.T) {
		ca := ephemeral(t, newClock().now)
		i := ca.Info()
		if !i.Ephemeral || i.Dir != "" || i.Cert != "" || i.Key != "" || i.KeyMode != 0 {
			t.Errorf("%+v: a CA in memory has no files", i)
		}
		sum := sha256.Sum256(ca.cert.Raw)
		if got := strings.ToLower(strings.ReplaceAll(i.SHA256, ":", "")); got != fmt.Sprintf("%x", sum) || strings.Count(i.SHA256, ":") != 31 {
			t.Errorf("fingerprint %s, want %x in pairs", i.SHA256, sum)
		}
		spki, err := x509.MarshalPKIXPublicKey(ca.cert.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		sum = sha256.Sum256(spki)
		if want := base64.StdEncoding.EncodeToString(sum[:]); i.SPKI != want {
			t.Errorf("SPKI %s, want %s", i.SPKI, want)
		}
		if i.Name != ca.cert.Subject.CommonName || !strings.Contains(i.Subject, "CN="+i.Name) || !i.NotAfter.Equal(start.AddDate(2, 0, 0)) {
			t.Errorf("%+v does not describe the certificate", i)
		}
	})
	t.Run("kept", func(t *testing.T) {
		dir := caDir(t)
		ca, err := Create(dir, newClock().now)
		if err != nil {
			t.Fatal(err)
		}
		i := ca.Info()
		if i.Ephemeral || i.Dir != dir || i.Cert != filepath.Join(dir, "ca.pem") || i.Key != filepath.Join(dir, "ca-key.pem") {
			t.Errorf("%+v, want the files of %s", i, dir)
		}
		if grants(0o077, 0o077) && i.KeyMode != 0o600 {
			t.Errorf("key mode %o, want 600", i.KeyMode)
		}
	})
}

// Whatever prints, logs or encodes a CA by accident must not reach the key.
func TestKeyIsOutOfReach(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	encoded, err := json.Marshal(map[string]any{"ca": ca})
	if err != nil {
		t.Fatal(err)
	}
	if string(encoded) != `{"ca":{}}` {
		t.Errorf("JSON of a CA is %s, want no field", encoded)
	}
	if got := fmt.Sprintf("%v", ca); got != "CA "+ca.Info().Name {
		t.Errorf("%%v of a CA is %s", got)
	}
	if n := strings.Count(fmt.Sprintf("%+v %s", ca.Info(), ca.PEM()), "PRIVATE"); n != 0 {
		t.Error("what is meant for export names a private key")
	}
}

func TestExpires(t *testing.T) {
	for _, c := range []struct {
		name string
		left time.Duration
		want string
	}{
		{"far away", 31 * 24 * time.Hour, ""},
		{"in days", 29*24*time.Hour + time.Hour, "the CA expires on 2028-03-14, in 29 days"},
		{"today", 2 * time.Hour, "the CA expires today, 2028-03-14 09:26 UTC"},
		{"over", -time.Second, "the CA expired on 2028-03-14: clients refuse its certificates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newClock()
			ca := ephemeral(t, clock.now)
			end := start.AddDate(2, 0, 0)
			clock.pass(end.Sub(start) - c.left)
			at, warning := ca.Expires()
			if !at.Equal(end) || warning != c.want {
				t.Errorf("got %s, %q; want %s, %q", at, warning, end, c.want)
			}
		})
	}
}

func TestDefaultDir(t *testing.T) {
	t.Run("is the data folder that xdg names", func(t *testing.T) {
		if want := filepath.Join(xdg.DataHome, "why403", "ca"); DefaultDir() != want {
			t.Errorf("got %s, want %s", DefaultDir(), want)
		}
	})
	t.Run("follows XDG_DATA_HOME at the time of the call", func(t *testing.T) {
		base := t.TempDir()
		t.Setenv("XDG_DATA_HOME", base)
		if want := filepath.Join(base, "why403", "ca"); DefaultDir() != want {
			t.Errorf("got %s, want %s", DefaultDir(), want)
		}
	})
	t.Run("ignores a relative XDG_DATA_HOME and follows the home folder", func(t *testing.T) {
		home := t.TempDir()
		t.Setenv("XDG_DATA_HOME", "data")
		t.Setenv("LOCALAPPDATA", filepath.Join(home, "AppData", "Local"))
		t.Setenv("HOME", home)
		t.Setenv("USERPROFILE", home)
		if got := DefaultDir(); !strings.HasPrefix(got, home+string(filepath.Separator)) || !strings.HasSuffix(got, filepath.Join("why403", "ca")) {
			t.Errorf("got %s, want a folder below %s", got, home)
		}
	})
}
