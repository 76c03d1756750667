package wire

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// helloBytes is a hello in records of at most size bytes.
func helloBytes(version uint16, ciphers []uint16, extensions []extension, size int) []byte {
	vector := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	msg := binary.BigEndian.AppendUint16(nil, version)
	msg = append(append(msg, make([]byte, 32)...), 0)
	msg = append(append(msg, vector(numbers(ciphers...))...), 1, 0)
	var all []byte
	for _, e := range extensions {
		all = append(append(all, numbers(e.id)...), vector(e.body)...)
	}
	if extensions != nil {
		msg = append(msg, vector(all)...)
	}
	msg = append([]byte{1, 0, byte(len(msg) >> 8), byte(len(msg))}, msg...)
	var out []byte
	for part := range slices.Chunk(msg, size) {
		out = append(append(out, 22, 3, 1), vector(part)...)
	}
	return out
}

type extension struct {
	id   uint16
	body []byte
}

func numbers(list ...uint16) (b []byte) {
	for _, v := range list {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// list16 and list8 are vectors of numbers, with a length of two bytes and of one.
func list16(list ...uint16) []byte { return append(numbers(uint16(2*len(list))), numbers(list...)...) }
func list8(list ...uint16) []byte  { return append([]byte{byte(2 * len(list))}, numbers(list...)...) }

func protocols(list ...string) []byte {
	var b []byte
	for _, p := range list {
		b = append(append(b, byte(len(p))), p...)
	}
	return append(numbers(uint16(len(b))), b...)
}

// The expected fingerprints are those that the authors of JA3 (Salesforce,
// README) and of JA4 (FoxIO, technical_details/JA4.md) give as examples.
func TestFingerprints(t *testing.T) {
	chrome := []extension{
		{0x0a0a, nil}, {0x001b, nil}, {0, nil}, {0x0033, nil}, {0x0010, protocols("h2", "http/1.1")}, {0x4469, nil}, {0x0017, nil},
		{0x002d, nil}, {0x000d, list16(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)}, {0x0005, nil}, {0x0023, nil},
		{0x0012, nil}, {0x002b, list8(0x7a7a, 0x0304, 0x0303)}, {0xff01, nil}, {0x000b, []byte{1, 0}}, {0x000a, list16(0x1a1a, 0x001d, 0x0017)}, {0x0015, nil}, {0x2a2a, nil},
	}
	for _, c := range []struct {
		name      string
		hello     []byte
		hash, ja4 string
	}{
		{"the authors of JA3", helloBytes(769, []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
			[]extension{{0, nil}, {10, list16(23, 24, 25)}, {11, []byte{1, 0}}}, 1<<14), "ada70206e40642a3e4461f35503241d5", ""},
		{"without extensions", helloBytes(769, []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}, nil, 1<<14), "de350869b8c85de67a350c8d186f11e6", ""},
		{"Chrome, by the authors of JA4", helloBytes(0x0303, []uint16{0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
			chrome, 1<<14), "", "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		{"the same in small records", helloBytes(0x0303, []uint16{0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
			chrome, 3), "", "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		{"an address and nothing else", helloBytes(0x0301, nil, nil, 1<<14), "", "t10i000000_000000000000_000000000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got flow.TLS
			Fingerprint(&got, append(c.hello, "what follows"...))
			if c.hash != "" && got.JA3Hash() != c.hash {
				t.Errorf("JA3 %s %s, want %s", got.JA3, got.JA3Hash(), c.hash)
			}
			if c.ja4 != "" && got.JA4 != c.ja4 {
				t.Errorf("JA4 %s, want %s", got.JA4, c.ja4)
			}
		})
	}
}

func TestJA4OfProtocols(t *testing.T) {
	for alpn, want := range map[string]string{"h2": "h2", "http/1.1": "h1", "\xab": "ab", "\xab\xcd": "ad", "0\xab": "3b", "01\xab\xcd": "3d", "\x0a\x0a": "0a", "x": "xx", "": "00"} {
		h := ClientHello{ALPN: []string{alpn}}
		if got := h.ja4ALPN(); got != want {
			t.Errorf("%q: %s, want %s", alpn, got, want)
		}
	}
}

// The hello of a real client reads as crypto/tls reads it, and both ends of one connection see the same.
func TestHelloAgreesWithCryptoTLS(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	a.SetDeadline(time.Now().Add(5 * time.Second))
	b.SetDeadline(time.Now().Add(5 * time.Second))
	words := &firstWords{Batch: NewBatch(a, a)}
	go func() {
		tls.Client(words, &tls.Config{ServerName: "app.test", NextProtos: []string{"h2", "http/1.1"}, InsecureSkipVerify: true}).Handshake()
		a.Close()
	}()
	var seen bytes.Buffer
	var info *tls.ClientHelloInfo
	tee := struct {
		io.Reader
		net.Conn
	}{io.TeeReader(b, &seen), b}
	tls.Server(readsFrom{tee.Conn, tee.Reader}, &tls.Config{GetConfigForClient: func(hi *tls.ClientHelloInfo) (*tls.Config, error) {
		info = hi
		return nil, io.EOF
	}}).Handshake()
	h, err := ParseHello(seen.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(h.Ciphers, info.CipherSuites) || !slices.Equal(h.Extensions, info.Extensions) || !slices.Equal(h.ALPN, info.SupportedProtos) ||
		!slices.Equal(h.Versions, info.SupportedVersions) || len(h.Groups) != len(info.SupportedCurves) || len(h.Schemes) != len(info.SignatureSchemes) {
		t.Errorf("read %+v\nwant %+v", h, info)
	}
	var mine, theirs flow.TLS
	Fingerprint(&mine, words.said)
	Fingerprint(&theirs, seen.Bytes())
	if mine.JA4 == "" || mine.JA4 != theirs.JA4 || mine.JA3 != theirs.JA3 {
		t.Errorf("what was said gives %s, what was heard %s", mine.JA4, theirs.JA4)
	}
}

// readsFrom is a connection that is read through r.
type readsFrom struct {
	net.Conn
	r io.Reader
}

func (c readsFrom) Read(p []byte) (int, error) { return c.r.Read(p) }

func TestEveryCutOfAHelloIsRefused(t *testing.T) {
	whole := helloBytes(0x0303, []uint16{0x1301}, []extension{{0x0010, protocols("h2")}, {0x000d, list16(0x0403)}}, 40)
	for n := range len(whole) {
		if _, err := ParseHello(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes pass as a hello", n, len(whole))
		}
	}
}

func FuzzHello(f *testing.F) {
	f.Add(helloBytes(0x0303, []uint16{0x1301, 0x3a3a}, []extension{{0, nil}, {0x0010, protocols("h2", "")}, {0x002b, list8(0x0304)}, {0x000b, []byte{1, 0}}}, 1<<14))
	f.Add(helloBytes(0x0301, []uint16{4}, nil, 5))
	f.Add([]byte("\x16\x03\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(b)
		if err != nil {
			return
		}
		if len(h.JA4()) != len("t13d1516h2_8daaf6152771_e5627efa2ab1") {
			t.Errorf("JA4 %q", h.JA4())
		}
		for _, list := range [][]uint16{h.Ciphers, h.Extensions, h.Groups, h.Schemes, h.Versions} {
			if slices.ContainsFunc(list, grease) {
				t.Errorf("%x has a made-up value", list)
			}
		}
		h.JA3()
	})
}

func BenchmarkFingerprint(b *testing.B) {
	hello := helloBytes(0x0303, make([]uint16, 16), []extension{{0, nil}, {0x0010, protocols("h2", "http/1.1")}, {0x000d, list16(1, 2, 3, 4, 5, 6, 7, 8)}, {0x000a, list16(1, 2, 3)}}, 1<<14)
	for b.Loop() {
		var t flow.TLS
		Fingerprint(&t, hello)
	}
}
