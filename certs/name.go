package certs

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// lookup maps a name as browsers do before they resolve it (UTS #46, non-transitional), but lets pass what is in use although it breaks the
// rules for registered names: underscores, hyphens in positions 3 and 4.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// name is what a leaf certificate is for: a DNS name in lower-case ASCII without trailing dot, or an address without zone.
type name struct {
	dns string
	ip  netip.Addr
}

func (n name) String() string {
	if n.ip.IsValid() {
		return n.ip.String()
	}
	return n.dns
}

// parseName reads a host as it stands in SNI, in a CONNECT target (brackets allowed, no port) or in a URL.
// The zone of an IPv6 address is dropped: an iPAddress SAN has no room for it (RFC 5280, 4.2.1.6), and it means something on this machine only.
func parseName(host string) (name, error) {
	if ip, ok := parseIP(host); ok {
		return name{ip: ip}, nil
	}
	dns := strings.TrimSuffix(host, ".")
	if !isASCII(dns) {
		mapped, err := lookup.ToASCII(dns)
		if err != nil || !utf8.ValidString(dns) {
			return name{}, fmt.Errorf("%w: %q", ErrName, clip(host)) // the cause would quote the label whole
		}
		if ip, ok := parseIP(mapped); ok { // full-width digits
			return name{ip: ip}, nil
		}
		dns = strings.TrimSuffix(mapped, ".") // an ideographic full stop at the end
	}
	dns = strings.ToLower(dns)
	if !validDNS(dns) {
		return name{}, fmt.Errorf("%w: %q", ErrName, clip(host))
	}
	return name{dns: dns}, nil
}

func parseIP(host string) (netip.Addr, bool) {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return ip.WithZone("").Unmap(), true
}

// validDNS is about what may stand in a dNSName SAN: labels of 1 to 63 letters, digits, hyphens and underscores, 253 octets in all (RFC 1035, 2.3.4).
// A star is not among them: why403 asks for no wildcard itself.
func validDNS(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// clip shortens a name for an error message; names come from the network and may be of any length.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
