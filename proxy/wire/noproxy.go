package wire

import (
	"net"
	"net/netip"
	"strings"
)

// NoProxy says for which hosts a proxy after us is not used. The zero value is none.
type NoProxy struct {
	all    bool
	names  []exception
	blocks []blockException
}

type exception struct{ name, port string } // port "": any

type blockException struct {
	block netip.Prefix
	port  string
}

// ParseNoProxy reads what NO_PROXY says, as curl does (CURLOPT_NOPROXY):
// entries are parted by commas or spaces; a name, with or without a dot before
// it, stands for itself and for all names below it, in any case; an address
// stands for itself, a CIDR block for the addresses in it; "*" is everything.
// Beyond curl, an entry may end in :port, and *.name is read as name. Unlike in
// Go, loopback is no exception unless it is listed. What is none of these matches nothing.
func ParseNoProxy(list string) NoProxy {
	var n NoProxy
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if entry == "*" {
			n.all = true
			continue
		}
		if block, err := netip.ParsePrefix(entry); err == nil {
			n.blocks = append(n.blocks, blockException{block.Masked(), ""})
			continue
		}
		host, port := entry, ""
		if h, p, err := net.SplitHostPort(entry); err == nil {
			host, port = h, p
		}
		if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			ip = ip.Unmap().WithZone("")
			n.blocks = append(n.blocks, blockException{netip.PrefixFrom(ip, ip.BitLen()), port})
			continue
		}
		host = strings.TrimPrefix(strings.TrimPrefix(host, "*"), ".")
		if host = fold(host); host != "" {
			n.names = append(n.names, exception{host, port})
		}
	}
	return n
}

func fold(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// Has reports whether addr (host:port) is an exception. Names are not looked up.
func (n NoProxy) Has(addr string) bool {
	if n.all {
		return true
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap().WithZone("")
		for _, e := range n.blocks {
			if e.block.Contains(ip) && (e.port == "" || e.port == port) {
				return true
			}
		}
		return false
	}
	host = fold(host)
	for _, e := range n.names {
		if (host == e.name || strings.HasSuffix(host, "."+e.name)) && (e.port == "" || e.port == port) {
			return true
		}
	}
	return false
}
