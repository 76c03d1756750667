package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/why403/why403/flow"
)

func TestReadHeadKeepsEveryByte(t *testing.T) {
	raw := "GET /a HTTP/1.1\r\nHost: x\nX-Fold: a\r\n b\n\tc\r\nEmpty:\r\nodd line\r\n: no name\r\nBin: \xff\r\n\r\n"
	want := flow.Header{
		{Name: "Host", Value: "x", Raw: "Host: x\n"},
		{Name: "X-Fold", Value: "a b c", Raw: "X-Fold: a\r\n b\n\tc\r\n"},
		{Name: "Empty", Value: "", Raw: "Empty:\r\n"},
		{Name: "odd line", Value: "", Raw: "odd line\r\n"},
		{Name: "", Value: "no name", Raw: ": no name\r\n"},
		{Name: "Bin", Value: "\xff", Raw: "Bin: \xff\r\n"},
	}
	for name, src := range map[string]io.Reader{
		"at once":      strings.NewReader(raw + "body"),
		"byte by byte": iotest.OneByteReader(strings.NewReader(raw + "body")),
	} {
		r := NewReader(src)
		h, err := ReadHead(r)
		if err != nil {
			t.Fatal(err)
		}
		if string(h.Raw) != raw || h.Start != "GET /a HTTP/1.1" {
			t.Errorf("%s: %q %q", name, h.Raw, h.Start)
		}
		if d := cmp.Diff(want, h.Header); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "body" {
			t.Errorf("%s: left %q", name, rest)
		}
	}
}

func TestReadHeadEnds(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		head      bool
		err       string
	}{
		{"nothing", "", false, "EOF"},
		{"empty lines", "\r\n\n", false, "EOF"},
		{"half a line", "GET /", true, "unexpected EOF"},
		{"no empty line", "GET / HTTP/1.1\r\nA: b\r\n", true, "unexpected EOF"},
		{"too many empty lines", strings.Repeat("\r\n", 40) + "GET / HTTP/1.1\r\n\r\n", true, "bad-request-line: more than 64 bytes of empty lines"},
		{"too large", "GET /" + strings.Repeat("a", MaxHead), true, "head-too-large: the head is larger than 4194304 bytes"},
		{"too many lines", "GET / HTTP/1.1\r\n" + strings.Repeat("a:\r\n", MaxHead/4), true, "head-too-large: the head is larger than 4194304 bytes"},
	} {
		h, err := ReadHead(NewReader(strings.NewReader(c.raw)))
		if err == nil || err.Error() != c.err || (h != nil) != c.head {
			t.Errorf("%s: head %v, error %v", c.name, h != nil, err)
		}
	}
}

func TestSplitAuthority(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":             "example.com|",
		"example.com:8080":        "example.com|8080",
		"[::1]:443":               "::1|443",
		"[::1]":                   "::1|",
		"[fe80::1%25eth0]:80":     "fe80::1%25eth0|80",
		"127.0.0.1:1":             "127.0.0.1|1",
		"bücher.example:80":       "bücher.example|80",
		"under_score:80":          "under_score|80",
		"":                        "bad",
		":80":                     "bad",
		"a:":                      "bad",
		"a:0":                     "bad",
		"a:+1":                    "bad",
		"a:65536":                 "bad",
		"a:b:c":                   "bad",
		"[::1":                    "bad",
		"[::1]x":                  "bad",
		"[::1]:":                  "bad",
		"[1.2.3.4]":               "bad",
		"a b":                     "bad",
		"u@a":                     "bad",
		"a\\b":                    "bad",
		"a]:80":                   "bad",
		strings.Repeat("a", 2000): "bad",
	} {
		host, port, ok := SplitAuthority(in)
		got := host + "|" + port
		if !ok {
			got = "bad"
		}
		if got != want {
			t.Errorf("%.40q: %s, want %s", in, got, want)
		}
	}
}

func TestResponseFraming(t *testing.T) {
	for _, c := range []struct {
		method, head string
		want         flow.Framing
		length       int64
		persistent   bool
	}{
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", flow.ByLength, 5, true},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", flow.NoBody, 0, true},
		{"GET", "HTTP/1.1 200 OK\r\n\r\n", flow.UntilClose, 0, false},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", flow.Chunked, 0, true},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", flow.Chunked, 0, true},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", flow.ByLength, 5, true},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", flow.UntilClose, 0, false},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", flow.Chunked, 0, false},
		{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n", flow.Chunked, 0, false},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", flow.ByLength, 5, false},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", flow.ByLength, 5, true},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n", flow.ByLength, 5, false},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", flow.NoBody, 0, true},
		{"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", flow.NoBody, 0, true},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", flow.NoBody, 0, true},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", flow.NoBody, 0, true},
		{"CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", flow.NoBody, 0, true},
		{"CONNECT", "HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\n", flow.ByLength, 5, true},
		{"GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", flow.NoBody, 0, false},
	} {
		p, f := ParseResponse(ParseHead([]byte(c.head)), c.method)
		if f != nil {
			t.Errorf("%q: %v", c.head, f)
			continue
		}
		if p.Framing != c.want || p.Length != c.length || p.Persistent() != c.persistent {
			t.Errorf("%s %q: framing %d, length %d, persistent %v", c.method, c.head, p.Framing, p.Length, p.Persistent())
		}
	}
}

// A body and its content, in every split of the bytes.
func TestChunksInAnySplit(t *testing.T) {
	const raw = "3\r\nabc\r\n0004;ext=1; q=\"a;b\"\r\ndefg\r\nA ;x\r\n0123456789\r\n000\r\nX-Sum: 9\r\nY:  z \r\n\r\n"
	const content = "abcdefg0123456789"
	for i := range len(raw) {
		for j := i; j < len(raw); j++ {
			c, got := chunks{strict: true}, ""
			for k, part := range []string{raw[:i], raw[i:j], raw[j:]} {
				n, done, f := c.next([]byte(part), func(b []byte) { got += string(b) })
				if f != nil || n != len(part) || done != (k == 2) {
					t.Fatalf("%d %d: took %d of %d, done %v, %v", i, j, n, len(part), done, f)
				}
			}
			if got != content {
				t.Fatalf("%d %d: got %q", i, j, got)
			}
			want := flow.Header{{Name: "X-Sum", Value: "9", Raw: "X-Sum: 9\r\n"}, {Name: "Y", Value: "z", Raw: "Y:  z \r\n"}}
			if d := cmp.Diff(want, c.trailers()); d != "" {
				t.Fatal(d)
			}
		}
	}
}

// memory is a recorder of one body.
type memory struct {
	parts []flow.Part
	seen  func()
}

func (m *memory) Begin(*flow.Flow) flow.ID { return 1 }
func (m *memory) Append(_ flow.ID, p flow.Part) {
	m.parts = append(m.parts, p)
	if m.seen != nil {
		m.seen()
	}
}
func (m *memory) End(flow.ID, flow.Outcome) {}

func (m *memory) data() (b []byte, size int64) {
	for _, p := range m.parts {
		b = append(b, p.Data...)
		size += max(p.Size, int64(len(p.Data)))
	}
	return b, size
}

func (m *memory) tape(limit int64) *Tape {
	return NewTape(m, flow.ResponseBody, limit, func() flow.ID { return 1 })
}

func TestCopyMovesWhatBelongsToTheBodyAndNoMore(t *testing.T) {
	big := strings.Repeat("0123456789", 20_000)
	for _, c := range []struct {
		name    string
		body    *Body
		raw     string
		content string
		after   string
	}{
		{"none", &Body{done: true}, "", "", "GET / HTTP/1.1"},
		{"by length", &Body{Framing: flow.ByLength, left: int64(len(big))}, big, big, "GET / HTTP/1.1"},
		{"chunked", &Body{Framing: flow.Chunked}, fmt.Sprintf("%x\r\n%s\r\n1\r\nx\r\n0\r\n\r\n", len(big), big), big + "x", "GET / HTTP/1.1"},
		{"until close", &Body{Framing: flow.UntilClose}, big, big, ""},
	} {
		for _, step := range []int{1, 7, 1000, 32 << 10, 1 << 20} {
			t.Run(fmt.Sprint(c.name, " in steps of ", step), func(t *testing.T) {
				body, m, dst := *c.body, &memory{}, &bytes.Buffer{}
				r := NewReader(&stepper{[]byte(c.raw + c.after), step})
				if err := body.Copy(dst, r, []byte("HEAD"), m.tape(0)); err != nil {
					t.Fatal(err)
				}
				if dst.String() != "HEAD"+c.raw || !body.Done() || body.Size != int64(len(c.content)) {
					t.Errorf("moved %d bytes, want %d; size %d", dst.Len(), len(c.raw)+4, body.Size)
				}
				if got, size := m.data(); string(got) != c.content || size != int64(len(c.content)) {
					t.Errorf("recorded %d bytes of %d", len(got), size)
				}
				if rest, _ := io.ReadAll(r); string(rest) != c.after {
					t.Errorf("left %q", rest)
				}
			})
		}
	}
}

type stepper struct {
	data []byte
	step int
}

func (s *stepper) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.data)
	s.data = s.data[n:]
	return n, nil
}

// What was read is written, and recorded after that, before more is waited for.
func TestCopyHoldsNothingBack(t *testing.T) {
	in, feed := io.Pipe()
	var dst bytes.Buffer
	m := &memory{}
	pieces := []string{"5\r\nhello\r\n", "6\r\n wor", "ld\r\n", "0\r\n\r\n"}
	m.seen = func() {
		if got, _ := m.data(); !strings.Contains(dst.String(), string(m.parts[len(m.parts)-1].Data)) {
			t.Errorf("recorded %q before it was forwarded: %q", got, dst.String())
		}
	}
	go func() {
		for _, p := range pieces {
			feed.Write([]byte(p))
		}
	}()
	checked := &checker{in, func(reads int) {
		if want := "H" + strings.Join(pieces[:reads], ""); dst.String() != want {
			t.Errorf("before read %d: forwarded %q, want %q", reads, dst.String(), want)
		}
	}, 0}
	body := &Body{Framing: flow.Chunked}
	if err := body.Copy(&dst, NewReader(checked), []byte("H"), m.tape(0)); err != nil {
		t.Fatal(err)
	}
	if len(m.parts) != 3 {
		t.Errorf("%d parts", len(m.parts))
	}
}

type checker struct {
	io.Reader
	before func(reads int)
	reads  int
}

func (c *checker) Read(p []byte) (int, error) {
	c.before(c.reads)
	c.reads++
	return c.Reader.Read(p)
}

func TestHeadAndFirstBytesLeaveTogether(t *testing.T) {
	var writes []string
	dst := writerFunc(func(p []byte) { writes = append(writes, string(p)) })
	body := &Body{Framing: flow.ByLength, left: 3}
	r := NewReader(strings.NewReader("abc"))
	r.Fill()
	if err := body.Copy(dst, r, []byte("head "), nil); err != nil || len(writes) != 1 || writes[0] != "head abc" {
		t.Errorf("%q %v", writes, err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestCopyTellsTheSidesApart(t *testing.T) {
	for _, c := range []struct {
		name string
		src  io.Reader
		dst  io.Writer
		side Side
		err  error
	}{
		{"source ends", strings.NewReader("ab"), io.Discard, Reading, io.ErrUnexpectedEOF},
		{"source fails", iotest.ErrReader(io.ErrClosedPipe), io.Discard, Reading, io.ErrClosedPipe},
		{"destination fails", strings.NewReader("abcdef"), failing{}, Writing, io.ErrClosedPipe},
	} {
		body := &Body{Framing: flow.ByLength, left: 4}
		err := body.Copy(c.dst, NewReader(c.src), nil, nil)
		var ce *CopyError
		if !errors.As(err, &ce) || ce.Side != c.side || !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	body := &Body{Framing: flow.UntilClose}
	if err := body.Copy(io.Discard, NewReader(iotest.ErrReader(io.ErrUnexpectedEOF)), nil, nil); err == nil {
		t.Error("a TLS record that breaks off passes for the end of the body")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestTapeKeepsALimitedPart(t *testing.T) {
	m := &memory{}
	tape := m.tape(10)
	for range 5 {
		tape.Add([]byte("abcd"))
	}
	if got, size := m.data(); string(got) != "abcdabcdab" || size != 20 {
		t.Errorf("kept %q of %d", got, size)
	}
}

func TestReaderGivesItsBufferBack(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("x", 100_000)))
	r.Fill()
	r.Grow()
	for len(r.Buffered()) < bufferSize {
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
	if !r.Full() || r.Fill() != nil {
		t.Error("a full reader")
	}
	r.Release() // in use: stays
	if len(r.Buffered()) != bufferSize {
		t.Errorf("%d bytes after Release", len(r.Buffered()))
	}
	r.Discard(bufferSize)
	r.Release()
	if r.large != nil {
		t.Error("the buffer was not given back")
	}
	if n, _ := io.Copy(io.Discard, r); n != 100_000-bufferSize {
		t.Errorf("then %d bytes", n)
	}
}

// Randomly cut and mixed calls see the same bytes.
func TestReaderLosesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, 300_000)
	for i := range want {
		want[i] = byte(rnd.UintN(256))
	}
	r := NewReader(&stepper{bytes.Clone(want), 5000})
	var got []byte
	for len(got) < len(want) {
		switch rnd.UintN(5) {
		case 0:
			r.Grow()
		case 1:
			r.Release()
		case 2:
			n := int(rnd.UintN(uint(len(r.Buffered()) + 1)))
			got = append(got, r.Buffered()[:n]...)
			r.Discard(n)
		case 3:
			p := make([]byte, rnd.UintN(3000)+1)
			n, _ := r.Read(p)
			got = append(got, p[:n]...)
		default:
			r.Fill()
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("bytes were lost or mixed")
	}
}
