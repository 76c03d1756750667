package wire

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

// However the source hands its bytes out and wherever messages end, each one's Sum is that of its bytes.
func TestCutSumsMessagesWhereverTheyEnd(t *testing.T) {
	stream := []byte(strings.Repeat("0123456789abcdef", 600))
	for _, one := range []bool{false, true} {
		src := iotest.DataErrReader(bytes.NewReader(stream))
		if one {
			src = iotest.OneByteReader(src)
		}
		r := NewReader(src)
		rest := stream
		for _, n := range []int{1, 0, 5, 4000, 100, len(stream) - 4106} {
			want := SumOf(rest[:n])
			rest = rest[n:]
			for n > 0 {
				for len(r.Buffered()) == 0 || one && len(r.Buffered()) < min(n, 3) {
					if err := r.Fill(); err != nil {
						t.Fatal(err)
					}
				}
				k := min(n, len(r.Buffered()))
				r.Discard(k)
				n -= k
			}
			if got := r.Cut(); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
	}
}

func TestRestatedAllowsNoMoreThanAProxyMustChange(t *testing.T) {
	for _, c := range []struct {
		raw, sent string
		want      bool
	}{
		{"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"GET /b HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/b HTTP/1.1\r\nProxy-Authorization: Basic x\r\nHost: a\r\n\r\n", true},
		{"GET http://a/b HTTP/1.1\nHost: a\n\n", "GET /c HTTP/1.1\nHost: a\n\n", false},
		{"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b HTTP/1.0\r\nHost: a\r\n\r\n", false},
		{"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "get /b HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"GET http://a/b HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n", "GET /b HTTP/1.1\r\nB: 2\r\nA: 1\r\n\r\n", false},
		{"GET http://a/b HTTP/1.1\r\nA: 1\r\n\r\n", "GET /b HTTP/1.1\r\nA:1\r\n\r\n", false},
		{"GET http://a/b HTTP/1.1\r\nA: 1\r\n\r\n", "GET /b HTTP/1.1\r\n\r\n", false},
		{"GET http://a/b HTTP/1.1\r\n\r\n", "GET /b HTTP/1.1\r\nVia: x\r\n\r\n", false},
	} {
		if got := Restated([]byte(c.raw), []byte(c.sent)); got != c.want {
			t.Errorf("%q as %q: %v", c.raw, c.sent, got)
		}
	}
}

// What the comparison adds to an exchange with heads of 400 bytes: four sums.
func BenchmarkSumsOfASmallExchange(b *testing.B) {
	head := bytes.Repeat([]byte("Name: value\r\n"), 32)
	for b.Loop() {
		for range 4 {
			SumOf(head)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	p := make([]byte, bufferSize)
	b.SetBytes(bufferSize)
	for b.Loop() {
		SumOf(p)
	}
}
