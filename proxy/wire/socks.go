package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
)

// The words of SOCKS5 (RFC 1928 and RFC 1929).
const (
	Socks5         = 5
	SocksNoAuth    = 0
	SocksPassword  = 2
	SocksNoMethod  = 0xff
	SocksConnect   = 1
	SocksSucceeded = 0
	SocksFailed    = 1
	SocksNoCommand = 7
	SocksNoAddress = 8

	socksIPv4, socksName, socksIPv6 = 1, 3, 4
)

var socksReplies = [...]string{1: "general failure", "not allowed by its rules", "network unreachable", "host unreachable",
	"connection refused", "TTL expired", "command not supported", "address type not supported"}

// socksConnect asks a SOCKS5 proxy for a connection (RFC 1928, 3 to 6). It
// reads no byte behind the reply.
func (p *Proxy) socksConnect(ctx context.Context, u *Upstream, addr string) *Trouble {
	request, err := p.socksRequest(ctx, addr)
	if err != nil {
		return dialTrouble(addr, err)
	}
	method := byte(SocksNoAuth)
	if p.known {
		method = SocksPassword
	}
	var b [2]byte
	if err := exchange(u.Conn, []byte{Socks5, 1, method}, b[:]); err != nil {
		return p.broken(addr, err)
	}
	switch {
	case b[0] != Socks5:
		return p.broken(addr, fmt.Errorf("it answered %q, which is no SOCKS5", b[:]))
	case b[1] == SocksNoMethod && p.known:
		return p.refused(addr, "it takes no user name and password (method 0xFF)", "leave the credentials out of the URL given to --upstream")
	case b[1] != method:
		return p.refused(addr, fmt.Sprintf("it wants to be authenticated (method 0x%02X)", b[1]), hintFor(407))
	}
	if p.known {
		login := append([]byte{1, byte(len(p.user))}, p.user...)
		login = append(append(login, byte(len(p.pass))), p.pass...)
		if err := exchange(u.Conn, login, b[:]); err != nil {
			return p.broken(addr, err)
		}
		if b[1] != 0 {
			return p.refused(addr, fmt.Sprintf("user name or password are wrong (status 0x%02X)", b[1]), hintFor(407))
		}
	}
	var reply [4]byte
	if err := exchange(u.Conn, request, reply[:]); err != nil {
		return p.broken(addr, err)
	}
	if reply[0] != Socks5 {
		return p.broken(addr, fmt.Errorf("it answered %q, which is no SOCKS5", reply[:]))
	}
	if code := int(reply[1]); code != SocksSucceeded {
		words := fmt.Sprintf("reply 0x%02X", code)
		if code < len(socksReplies) {
			words += ", " + socksReplies[code]
		}
		hint := hintFor(502)
		if code == 2 {
			hint = hintFor(403)
		}
		return p.refused(addr, words, hint)
	}
	if _, _, err := ReadSocksAddr(u.Conn, reply[3]); err != nil { // the address that it connects from
		return p.broken(addr, err)
	}
	return nil
}

// socksRequest is the CONNECT for addr; with socks5, unlike socks5h, a name is looked up here.
func (p *Proxy) socksRequest(ctx context.Context, addr string) ([]byte, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil && p.scheme == "socks5" {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, err
		}
		ip = found[0]
	}
	b := []byte{Socks5, SocksConnect, 0}
	switch ip = ip.Unmap(); {
	case ip.Is4():
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	case ip.Is6():
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return nil, errors.New("the name is too long for SOCKS")
	default:
		b = append(append(b, socksName, byte(len(host))), host...)
	}
	return binary.BigEndian.AppendUint16(b, uint16(n)), nil
}

func exchange(c io.ReadWriter, ask, answer []byte) error {
	if _, err := c.Write(ask); err != nil {
		return err
	}
	_, err := io.ReadFull(c, answer)
	return err
}

// ErrSocksAddress is an address type that RFC 1928 does not know.
var ErrSocksAddress = errors.New("wire: no address type of SOCKS5")

// ReadSocksAddr reads an address of kind (RFC 1928, 5) and its port.
func ReadSocksAddr(r io.Reader, kind byte) (host string, port uint16, _ error) {
	var length [1]byte
	switch kind {
	case socksIPv4:
		length[0] = 4
	case socksIPv6:
		length[0] = 16
	case socksName:
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return "", 0, err
		}
	default:
		return "", 0, ErrSocksAddress
	}
	b := make([]byte, int(length[0])+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", 0, err
	}
	name := b[:len(b)-2]
	if host = string(name); kind != socksName {
		ip, _ := netip.AddrFromSlice(name)
		host = ip.String()
	}
	return host, binary.BigEndian.Uint16(b[len(name):]), nil
}
