package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func leafOf(t testing.TB, ca *CA, host string, origin *x509.Certificate) *tls.Certificate {
	t.Helper()
	leaf, err := ca.Leaf(context.Background(), host, origin)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestLeafCertificate(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	leaf := leafOf(t, ca, "a.example", nil)
	c := leaf.Leaf
	if len(leaf.Certificate) != 2 || !slices.Equal(leaf.Certificate[1], ca.cert.Raw) {
		t.Error("the chain does not end with the CA")
	}
	if c.IsCA || !c.BasicConstraintsValid || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("CA %v, key usage %b; want a server's certificate", c.IsCA, c.KeyUsage)
	}
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth || len(c.UnknownExtKeyUsage) != 0 {
		t.Errorf("extended key usage %v, want serverAuth alone", c.ExtKeyUsage)
	}
	if !slices.Equal(c.AuthorityKeyId, ca.cert.SubjectKeyId) || len(c.AuthorityKeyId) == 0 {
		t.Errorf("authority key id %x, want the CA's %x", c.AuthorityKeyId, ca.cert.SubjectKeyId)
	}
	if !c.NotBefore.Equal(start.Add(-48*time.Hour)) || !c.NotAfter.Equal(start.Add(30*24*time.Hour)) {
		t.Errorf("valid from %s to %s, want 48 h back and 30 days ahead", c.NotBefore, c.NotAfter)
	}
	if n := c.SerialNumber.BitLen(); n < 64 || n > 128 {
		t.Errorf("serial number has %d bits, want about 127", n)
	}
	if !slices.Equal(c.DNSNames, []string{"a.example"}) || len(c.IPAddresses)+len(c.EmailAddresses)+len(c.URIs) != 0 {
		t.Errorf("names %q %v, want a.example alone", c.DNSNames, c.IPAddresses)
	}
	other := leafOf(t, ca, "b.example", nil)
	if !leaf.PrivateKey.(*ecdsa.PrivateKey).Equal(other.PrivateKey) {
		t.Error("two leaves have two keys")
	}
	if c.SerialNumber.Cmp(other.Leaf.SerialNumber) == 0 {
		t.Error("two leaves have one serial number")
	}
	if c.PublicKey.(*ecdsa.PublicKey).Equal(ca.cert.PublicKey) {
		t.Error("the leaf has the CA's key")
	}
}

func TestLeafName(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	exactly64 := strings.Repeat("a", 56) + ".example"
	for _, c := range []struct{ name, host, cn, san string }{
		{"name", "a.example", "a.example", "a.example"},
		{"64 characters fit the common name", exactly64, exactly64, exactly64},
		{"65 do not", "a" + exactly64, "", "a" + exactly64},
		{"IDN", "bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"IPv4", "192.0.2.1", "192.0.2.1", "192.0.2.1"},
		{"IPv6", "[2001:db8::1]", "2001:db8::1", "2001:db8::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := leafOf(t, ca, c.host, nil).Leaf
			san := slices.Clone(l.DNSNames)
			for _, ip := range l.IPAddresses {
				san = append(san, ip.String())
			}
			if l.Subject.CommonName != c.cn || !slices.Equal(san, []string{c.san}) {
				t.Errorf("CN %q, SAN %q; want %q, %q", l.Subject.CommonName, san, c.cn, c.san)
			}
			if len(l.Subject.Organization) == 0 {
				t.Error("the subject does not say who made the certificate")
			}
			if len(l.IPAddresses) == 1 && len(l.IPAddresses[0]) == 16 && strings.Contains(c.san, ".") {
				t.Error("an IPv4 address takes 4 bytes in a SAN")
			}
		})
	}
}

func TestOriginNamesAreTakenOver(t *testing.T) {
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("n%03d.example", i)
	}
	fat := make([]string, 90) // 90 names of 253 bytes are more than 8 KiB
	for i := range fat {
		fat[i] = fmt.Sprintf("%02d", i) + strings.Repeat(strings.Repeat("x", 49)+".", 5) + "x"
	}
	ip4, ip6 := net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")
	for _, c := range []struct {
		name, host string
		dns        []string
		ips        []net.IP
		want       []string
		wantIPs    int
	}{
		{"beside the host", "a.example", []string{"b.example", "a.example", "B.Example"}, nil, []string{"a.example", "b.example"}, 0},
		{"wildcards too", "a.example", []string{"*.example.com"}, nil, []string{"a.example", "*.example.com"}, 0},
		{"addresses too", "a.example", nil, []net.IP{ip4, ip6, ip4}, []string{"a.example"}, 2},
		{"the host is an address", "192.0.2.7", []string{"a.example"}, []net.IP{ip4, ip6}, []string{"a.example"}, 2},
		{"nonsense is left out", "a.example", []string{"*", "*.", "a.*.example", "**.example", "*.*.example", "a b", "b..example", ".", "-*.example"}, nil, []string{"a.example"}, 0},
		{"at most 100", "a.example", many, []net.IP{ip4}, append([]string{"a.example"}, many[:100]...), 0},
		{"at most 8 KiB", "a.example", fat, nil, append([]string{"a.example"}, fat[:8<<10/253]...), 0},
		{"an origin without names", "a.example", nil, nil, []string{"a.example"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := ephemeral(t, newClock().now)
			origin := &x509.Certificate{Raw: []byte(c.name), DNSNames: c.dns, IPAddresses: c.ips}
			l := leafOf(t, ca, c.host, origin).Leaf
			if !slices.Equal(l.DNSNames, c.want) || len(l.IPAddresses) != c.wantIPs {
				t.Errorf("%d names %q, %d addresses; want %d names %q, %d addresses",
					len(l.DNSNames), l.DNSNames, len(l.IPAddresses), len(c.want), c.want, c.wantIPs)
			}
		})
	}
}

func TestLeafIsRemembered(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	origin, renewed := originWith(t, []string{"*.example"}), originWith(t, []string{"*.example"})
	first := leafOf(t, ca, "a.example", nil)
	for _, same := range []string{"a.example", "A.Example", "a.example."} {
		if leafOf(t, ca, same, nil) != first {
			t.Errorf("%s was signed again", same)
		}
	}
	if leafOf(t, ca, "b.example", nil) == first {
		t.Error("another name got the same leaf")
	}
	with := leafOf(t, ca, "a.example", origin)
	if with == first || leafOf(t, ca, "a.example", origin) != with {
		t.Error("the leaf is not remembered by name and origin")
	}
	if leafOf(t, ca, "a.example", renewed) == with {
		t.Error("a renewed certificate of the origin got the leaf of the old one")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	first := leafOf(t, ca, "first.example", nil)
	for i := range rememberedLeaves {
		leafOf(t, ca, fmt.Sprintf("h%d.example", i), nil)
	}
	if n := ca.leaves.Len(); n != rememberedLeaves {
		t.Errorf("%d leaves are remembered, want %d", n, rememberedLeaves)
	}
	if leafOf(t, ca, "first.example", nil) == first {
		t.Error("the least recently used leaf was not forgotten")
	}
}

func TestOneSignatureForAllWhoAsk(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	sign, signed := ca.sign, make(chan struct{}, 10000)
	ca.sign = func(template *x509.Certificate, pub crypto.PublicKey) ([]byte, error) {
		signed <- struct{}{}
		return sign(template, pub)
	}
	const names, callers = 50, 16
	for round := range names {
		host := fmt.Sprintf("h%d.example", round)
		leaves, errs := make([]*tls.Certificate, callers), make([]error, callers)
		atOnce(callers, func(i int) { leaves[i], errs[i] = ca.Leaf(context.Background(), host, nil) })
		for i := range leaves {
			if errs[i] != nil || leaves[i] != leaves[0] {
				t.Fatalf("caller %d got %p, %v; caller 0 got %p", i, leaves[i], errs[i], leaves[0])
			}
		}
	}
	if len(signed) != names {
		t.Errorf("%d signatures, want %d", len(signed), names)
	}

	n, err := parseName("h0.example")
	if err != nil {
		t.Fatal(err)
	}
	if late, err := ca.issueOnce(n.String(), n, nil); err != nil || late != leafOf(t, ca, "h0.example", nil) || len(signed) != names {
		t.Errorf("a caller that looked just before another was done got a leaf of its own (%v)", err)
	}
}

func TestLeafIsSignedAgainBeforeItEnds(t *testing.T) {
	clock := newClock()
	ca := ephemeral(t, clock.now)
	first := leafOf(t, ca, "a.example", nil)
	clock.pass(29 * 24 * time.Hour)
	if leafOf(t, ca, "a.example", nil) != first {
		t.Error("signed again with 24 h left")
	}
	clock.pass(time.Second)
	second := leafOf(t, ca, "a.example", nil)
	if second == first {
		t.Fatal("not signed again with less than 24 h left")
	}
	if want := clock.now().Add(30 * 24 * time.Hour); !second.Leaf.NotAfter.Equal(want) {
		t.Errorf("the new leaf ends %s, want %s", second.Leaf.NotAfter, want)
	}
	clock.pass(-10 * 24 * time.Hour) // the machine's clock was wrong and is set right
	if third := leafOf(t, ca, "a.example", nil); clock.now().Before(third.Leaf.NotBefore) {
		t.Errorf("a leaf that begins %s was given out at %s", third.Leaf.NotBefore, clock.now())
	}
}

func TestLeafNeverOutlivesItsCA(t *testing.T) {
	clock := newClock()
	ca := ephemeral(t, clock.now)
	end := ca.cert.NotAfter
	clock.pass(end.Sub(start) - 12*time.Hour)
	last := leafOf(t, ca, "a.example", nil)
	if !last.Leaf.NotAfter.Equal(end) {
		t.Errorf("the leaf ends %s, the CA %s", last.Leaf.NotAfter, end)
	}
	if leafOf(t, ca, "a.example", nil) != last {
		t.Error("a leaf that cannot get younger is signed at every call")
	}
	clock.pass(13 * time.Hour)
	_, err := ca.Leaf(context.Background(), "a.example", nil)
	if !errors.Is(err, ErrExpired) || hint(err) == "" {
		t.Errorf("got %v (hint %q), want ErrExpired with a hint", err, hint(err))
	}

	clock = newClock()
	young := ephemeral(t, clock.now)
	clock.pass(-24 * time.Hour)
	if l := leafOf(t, young, "a.example", nil).Leaf; l.NotBefore.Before(young.cert.NotBefore) {
		t.Errorf("the leaf begins %s, the CA %s", l.NotBefore, young.cert.NotBefore)
	}
}

func TestLeafErrors(t *testing.T) {
	ca := ephemeral(t, newClock().now)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ca.Leaf(cancelled, "a.example", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if ca.leaves.Len() != 0 {
		t.Error("signed for a caller that is gone")
	}
	for _, host := range []string{"", "*.example", "a.example:443"} {
		if _, err := ca.Leaf(context.Background(), host, nil); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %v, want ErrName", host, err)
		}
	}
	ca.sign = func(*x509.Certificate, crypto.PublicKey) ([]byte, error) { return nil, errors.New("out of ink") }
	if _, err := ca.Leaf(context.Background(), "a.example", nil); err == nil || err.Error() != "leaf certificate for a.example: sign: out of ink" {
		t.Errorf("got %v", err)
	}
	if ca.leaves.Len() != 0 {
		t.Error("a failure is remembered")
	}
}

func BenchmarkLeafNewHost(b *testing.B) {
	ca := ephemeral(b, nil)
	hosts := make([]string, 1<<16)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("h%d.example", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		leafOf(b, ca, hosts[i%len(hosts)], nil)
	}
}

func BenchmarkLeafRemembered(b *testing.B) {
	ca := ephemeral(b, nil)
	origin := originWith(b, []string{"*.example", "example"})
	for _, c := range []struct {
		name   string
		origin *x509.Certificate
	}{{"alone", nil}, {"with origin", origin}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				leafOf(b, ca, "a.example", c.origin)
			}
		})
	}
}
