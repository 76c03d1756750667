package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/why403/why403/flow"
)

// ClientHello is what a client says first in TLS, as far as servers tell
// clients apart by it (RFC 8446, 4.1.2). Made-up values (GREASE, RFC 8701) are left out.
type ClientHello struct {
	Version    uint16 // legacy_version
	Ciphers    []uint16
	Extensions []uint16 // in the order of the hello
	Groups     []uint16
	Points     []uint8 // point formats
	Schemes    []uint16
	Versions   []uint16 // of supported_versions
	ALPN       []string
}

var errHello = errors.New("wire: not a whole ClientHello")

// The extensions that are looked into (IANA, TLS ExtensionType Values).
const (
	extServerName = 0
	extGroups     = 10
	extPoints     = 11
	extSchemes    = 13
	extALPN       = 16
	extVersions   = 43
)

// ParseHello reads a ClientHello from the first bytes of a TLS connection. More bytes may follow it.
func ParseHello(b []byte) (*ClientHello, error) {
	msg, ok := handshakeMessage(b)
	if !ok {
		return nil, errHello
	}
	h := &ClientHello{}
	c := cursor{b: msg}
	h.Version = c.uint16()
	c.take(32)            // random
	c.take(int(c.byte())) // session id
	ciphers := c.vector16()
	c.take(int(c.byte())) // compression methods
	if c.bad {
		return nil, errHello
	}
	h.Ciphers = sound(ciphers.uint16s())
	if len(c.b) == 0 { // no extensions at all
		return h, nil
	}
	for all := c.vector16(); len(all.b) > 0; {
		id, body := all.uint16(), all.vector16()
		if all.bad {
			return nil, errHello
		}
		if grease(id) {
			continue
		}
		h.Extensions = append(h.Extensions, id)
		switch id {
		case extGroups:
			v := body.vector16()
			h.Groups = sound(v.uint16s())
		case extPoints:
			h.Points = slices.Clone(body.take(int(body.byte())))
		case extSchemes:
			v := body.vector16()
			h.Schemes = sound(v.uint16s())
		case extVersions:
			v := cursor{b: body.take(int(body.byte()))}
			h.Versions = sound(v.uint16s())
		case extALPN:
			for v := body.vector16(); len(v.b) > 0; {
				h.ALPN = append(h.ALPN, string(v.take(int(v.byte()))))
				if v.bad {
					return nil, errHello
				}
			}
		}
	}
	if c.bad {
		return nil, errHello
	}
	return h, nil
}

// handshakeMessage is the body of the ClientHello that the records at the
// beginning of b carry (RFC 8446, 4 and 5.1). It may be spread over several.
func handshakeMessage(b []byte) ([]byte, bool) {
	var msg []byte
	for {
		c := cursor{b: b}
		kind := c.byte()
		c.uint16()
		fragment := c.vector16()
		if c.bad || kind != 22 || len(fragment.b) == 0 {
			return nil, false
		}
		if b = c.b; msg == nil {
			msg = fragment.b
		} else {
			msg = append(slices.Clip(msg), fragment.b...)
		}
		if len(msg) < 4 {
			continue
		}
		if msg[0] != 1 {
			return nil, false
		}
		if n := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3]); len(msg) >= 4+n {
			return msg[4 : 4+n], true
		}
	}
}

// grease reports whether v is one of the values that RFC 8701 reserves for being meaningless.
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// sound is list without what grease says, in place.
func sound(list []uint16) []uint16 { return slices.DeleteFunc(list, grease) }

// JA3 is the text of the fingerprint JA3; its MD5 is what is usually quoted:
// version, ciphers, extensions, groups and point formats in the order of the hello.
func (h *ClientHello) JA3() string {
	b := make([]byte, 0, 256)
	b = strconv.AppendUint(b, uint64(h.Version), 10)
	for _, list := range [...][]uint16{h.Ciphers, h.Extensions, h.Groups} {
		b = append(b, ',')
		for i, v := range list {
			if i > 0 {
				b = append(b, '-')
			}
			b = strconv.AppendUint(b, uint64(v), 10)
		}
	}
	b = append(b, ',')
	for i, v := range h.Points {
		if i > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

// JA4 is the fingerprint JA4 of a hello over TCP, as FoxIO describes it
// (https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md): unlike JA3 the
// same for clients that shuffle their extensions.
func (h *ClientHello) JA4() string {
	version := h.Version
	if len(h.Versions) > 0 {
		version = slices.Max(h.Versions)
	}
	sni := 'i'
	if slices.Contains(h.Extensions, extServerName) {
		sni = 'd'
	}
	rest := slices.DeleteFunc(slices.Clone(h.Extensions), func(v uint16) bool { return v == extServerName || v == extALPN })
	third := sortedHex(rest)
	if third != "" && len(h.Schemes) > 0 {
		third += "_" + hexList(h.Schemes)
	}
	return fmt.Sprintf("t%s%c%02d%02d%s_%s_%s", ja4Version(version), sni, min(len(h.Ciphers), 99), min(len(h.Extensions), 99),
		h.ja4ALPN(), twelve(sortedHex(h.Ciphers)), twelve(third))
}

func ja4Version(v uint16) string {
	switch v {
	case 0x0304, 0x0303, 0x0302, 0x0301:
		return "1" + string(rune('0'+v&0xff-1))
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	}
	return "00"
}

// ja4ALPN is the first and the last character of the first protocol offered;
// of its hex form, if one of the two is no letter and no digit.
func (h *ClientHello) ja4ALPN() string {
	if len(h.ALPN) == 0 || h.ALPN[0] == "" {
		return "00"
	}
	p := h.ALPN[0]
	if !alphanumeric(p[0]) || !alphanumeric(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return string([]byte{p[0], p[len(p)-1]})
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func sortedHex(list []uint16) string {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return hexList(sorted)
}

func hexList(list []uint16) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(hex.EncodeToString([]byte{byte(v >> 8), byte(v)}))
	}
	return b.String()
}

// twelve is how JA4 quotes a list: the first twelve hex digits of its SHA-256.
func twelve(list string) string {
	if list == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(list))
	return hex.EncodeToString(sum[:6])
}

// Fingerprint notes in t what the hello at the beginning of b looks like to servers. A hello that cannot be read leaves no mark.
func Fingerprint(t *flow.TLS, b []byte) {
	if h, err := ParseHello(b); err == nil {
		t.JA3, t.JA4 = h.JA3(), h.JA4()
	}
}

// firstWords is a connection that keeps what is written to it before anything
// is read: the hello of a TLS client.
type firstWords struct {
	*Batch
	said  []byte
	heard atomic.Bool // one reads while another writes, once the hello is over
}

func (c *firstWords) Write(p []byte) (int, error) {
	if !c.heard.Load() && len(c.said) < maxHelloKept {
		c.said = append(c.said, p...)
	}
	return c.Batch.Write(p)
}

func (c *firstWords) Read(p []byte) (int, error) {
	c.heard.Store(true)
	return c.Batch.Read(p)
}

const maxHelloKept = 64 << 10

// cursor reads numbers and vectors (RFC 8446, 3.4). After a fault bad is set and all is empty.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	p := c.b[:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) byte() byte {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if p := c.take(2); p != nil {
		return uint16(p[0])<<8 | uint16(p[1])
	}
	return 0
}

// vector16 is a vector with a length of two bytes.
func (c *cursor) vector16() cursor { return cursor{b: c.take(int(c.uint16()))} }

// uint16s are all numbers in c; an odd byte at the end is none.
func (c *cursor) uint16s() []uint16 {
	list := make([]uint16, 0, len(c.b)/2)
	for len(c.b) > 1 {
		list = append(list, c.uint16())
	}
	return list
}
