package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + ".example"
	for _, c := range []struct{ name, host, want string }{
		{"plain", "a.example", "a.example"},
		{"single label", "localhost", "localhost"},
		{"upper case", "API.Example.COM", "api.example.com"},
		{"trailing dot", "a.example.", "a.example"},
		{"underscore", "my_service.internal", "my_service.internal"},
		{"hyphens in positions 3 and 4", "r3---sn-4g5e.example", "r3---sn-4g5e.example"},
		{"hyphen at the end of a label", "odd-.example", "odd-.example"},
		{"long", long, long},
		{"unicode", "bücher.example", "xn--bcher-kva.example"},
		{"unicode upper case", "BÜCHER.example", "xn--bcher-kva.example"},
		{"unicode decomposed", "bu\u0308cher.example", "xn--bcher-kva.example"},
		{"sharp s stays itself", "straße.example", "xn--strae-oqa.example"},
		{"unicode beside underscore", "_x.bücher.example", "_x.xn--bcher-kva.example"},
		{"ideographic full stops", "例え。テスト。", "xn--r8jz45g.xn--zckzah"},
		{"already encoded", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"IPv4 in full-width digits", "１９２.0.2.1", "192.0.2.1"},
		{"IPv6", "2001:DB8::1", "2001:db8::1"},
		{"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 with zone", "fe80::1%eth0", "fe80::1"},
		{"IPv6 with zone in brackets", "[fe80::1%25eth0]", "fe80::1"},
		{"IPv4 in IPv6", "::ffff:192.0.2.1", "192.0.2.1"},
		{"digits only are a name", "2130706433", "2130706433"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := parseName(c.host)
			if err != nil || n.String() != c.want {
				t.Errorf("got %q, %v; want %q", n, err, c.want)
			}
		})
	}
}

func TestNoName(t *testing.T) {
	for name, host := range map[string]string{
		"empty":              "",
		"dot":                ".",
		"empty label":        "a..example",
		"leading dot":        ".example",
		"wildcard":           "*.example.com",
		"star":               "*",
		"port":               "a.example:443",
		"space":              "a b.example",
		"NUL":                "a.example\x00.evil.example",
		"line break":         "a.example\r\nX: y",
		"slash":              "a.example/x",
		"user":               "u@a.example",
		"escape":             "a%2eexample",
		"label of 64":        strings.Repeat("a", 64) + ".example",
		"254 bytes":          strings.Repeat("a.", 126) + "aa",
		"not UTF-8":          "\xff\xfe.example",
		"full-width star":    "＊.example.com",
		"unicode space":      "a\u2003b.example",
		"unclosed bracket":   "[::1",
		"brackets on a name": "[a.example]",
		"long rubbish":       strings.Repeat("\x00", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			n, err := parseName(host)
			if !errors.Is(err, ErrName) {
				t.Fatalf("got %q, %v; want ErrName", n, err)
			}
			if len(err.Error()) > 500 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

// Any host is either refused or gets a certificate that is valid for it, and for nothing else.
func FuzzLeaf(f *testing.F) {
	for _, s := range []string{"a.example", "[::1]", "fe80::1%eth0", "bücher.example", "*.example", "a..b", "xn--", "\xff", "-", "_", "1.2.3.4.", "例え。テスト"} {
		f.Add(s)
	}
	ca := ephemeral(f, newClock().now)
	pool := roots(f, ca)
	f.Fuzz(func(t *testing.T, host string) {
		leaf, err := ca.Leaf(context.Background(), host, nil)
		if err != nil {
			if !errors.Is(err, ErrName) {
				t.Fatalf("%q: %v", host, err)
			}
			return
		}
		c := leaf.Leaf
		if len(c.DNSNames)+len(c.IPAddresses) != 1 || strings.Contains(strings.Join(c.DNSNames, ""), "*") {
			t.Fatalf("%q: valid for %q %v", host, c.DNSNames, c.IPAddresses)
		}
		if _, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: start}); err != nil {
			t.Fatalf("%q: %v", host, err)
		}
	})
}
