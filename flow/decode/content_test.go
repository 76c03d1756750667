package decode

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/why403/why403/flow"
)

func pack(t testing.TB, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func message(coding string, data []byte) *flow.Message {
	m := &flow.Message{Header: flow.Header{{Name: "Content-Encoding", Value: coding}}}
	m.SetBody(data)
	return m
}

func TestContentCodings(t *testing.T) {
	const text = "access denied for héctor, and once more: access denied"
	for _, c := range []struct {
		name, coding string
		data         []byte
	}{
		{"gzip", "gzip", pack(t, "gzip", text)},
		{"x-gzip", "X-GZip", pack(t, "gzip", text)},
		{"deflate as zlib", "deflate", pack(t, "zlib", text)},
		{"deflate raw", "deflate", pack(t, "flate", text)},
		{"brotli", "br", pack(t, "br", text)},
		{"zstd", "zstd", pack(t, "zstd", text)},
		{"identity", "identity", []byte(text)},
		{"two", "gzip, br", pack(t, "br", string(pack(t, "gzip", text)))},
		{"gzip and rubbish behind it", "gzip", append(pack(t, "gzip", text), "\x00\x00 padding"...)},
		{"two gzip members", "gzip", append(pack(t, "gzip", text[:10]), pack(t, "gzip", text[10:])...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, cut, err := Content(message(c.coding, c.data), 0)
			if string(got) != text || cut || err != nil {
				t.Errorf("got %q, truncated %v, error %v", got, cut, err)
			}
		})
	}
}

// noise is text that packs badly, so that a prefix of the packed form holds a good part of it.
func noise(n int) string {
	var b strings.Builder
	for x := uint64(88172645463325252); b.Len() < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteByte("abcdefghijklmnopqrstuvwxyz 0123456789<>"[x%39])
	}
	return b.String()
}

func TestContentOfAPrefix(t *testing.T) {
	text := noise(300_000)
	for _, coding := range []string{"gzip", "zlib", "flate", "br", "zstd"} {
		t.Run(coding, func(t *testing.T) {
			name := coding
			if name == "zlib" || name == "flate" {
				name = "deflate"
			}
			packed := pack(t, coding, text)
			m := message(name, packed)
			m.Body.Data = packed[:len(packed)/2]
			got, cut, err := Content(m, 0)
			if err != nil || !cut {
				t.Fatalf("truncated %v, error %v", cut, err)
			}
			if len(got) < 50_000 || !strings.HasPrefix(text, string(got)) {
				t.Errorf("%d bytes decoded of a half", len(got))
			}
			for n := range 12 {
				m.Body.Data = packed[:n]
				if _, cut, err := Content(m, 0); err != nil || !cut {
					t.Errorf("prefix of %d: truncated %v, error %v", n, cut, err)
				}
			}
		})
	}
}

func TestContentBounds(t *testing.T) {
	zeros := strings.Repeat("\x00", 8<<20)
	for _, coding := range []string{"gzip", "br", "zstd"} {
		packed := pack(t, coding, zeros)
		got, cut, err := Content(message(coding, packed), 5000)
		if len(got) != 5000 || !cut || err != nil {
			t.Errorf("%s: %d bytes, truncated %v, error %v", coding, len(got), cut, err)
		}
	}
	bomb := pack(t, "br", zeros) // some 30 bytes
	got, cut, _ := Content(message("br", bomb), 1<<40)
	if want := ratioFloor + maxRatio*len(bomb); len(got) != want || !cut {
		t.Errorf("bomb of %d bytes: %d bytes, truncated %v, want %d", len(bomb), len(got), cut, want)
	}
	if _, cut, err := Content(message("gzip,gzip,gzip,gzip,gzip", []byte("x")), 0); err == nil || !cut {
		t.Errorf("five codings: truncated %v, error %v", cut, err)
	}
}

func TestContentThatIsNotWhatItSays(t *testing.T) {
	got, _, err := Content(message("gzip", []byte("<h1>403 Forbidden</h1>")), 0)
	if string(got) != "<h1>403 Forbidden</h1>" || err == nil {
		t.Errorf("plain text sent as gzip: %q, %v", got, err)
	}
	got, _, err = Content(message("aws-chunked", []byte("abc")), 0)
	if string(got) != "abc" || !errors.Is(err, ErrCoding) {
		t.Errorf("unknown coding: %q, %v", got, err)
	}
	if got, cut, err := Content(message("gzip", nil), 0); len(got) != 0 || cut || err != nil {
		t.Errorf("empty body: %q, %v, %v", got, cut, err)
	}
	if got, cut, err := Content(nil, 0); got != nil || cut || err != nil {
		t.Errorf("no message: %q, %v, %v", got, cut, err)
	}
}

func TestUTF8(t *testing.T) {
	for _, c := range []struct{ name, contentType, in, want, charset string }{
		{"parameter", "text/plain; charset=ISO-8859-1", "caf\xe9", "café", "windows-1252"},
		{"quoted parameter", `text/html; charset="Shift_JIS"`, "\x8b\xd6\x8e~", "禁止", "shift_jis"},
		{"mark before parameter", "text/plain; charset=iso-8859-1", "\xef\xbb\xbfé", "é", "utf-8"},
		{"UTF-16 by its mark", "application/json", "\xff\xfe{\x00}\x00", "{}", "utf-16le"},
		{"meta", "text/html", "<meta charset='windows-1251'>\xc7\xe0", "<meta charset='windows-1251'>За", "windows-1251"},
		{"meta http-equiv", "text/html", `<META http-equiv=x content="text/html; charset=gbk">` + "\xbd\xfb", `<META http-equiv=x content="text/html; charset=gbk">` + "禁", "gbk"},
		{"nothing said, valid", "text/plain", "é", "é", "utf-8"},
		{"nothing said, invalid", "text/plain", "caf\xe9", "café", "windows-1252"},
		{"JSON is UTF-8 whatever it says", "application/json; charset=iso-8859-1", `"é"`, `"é"`, "utf-8"},
		{"unknown label", "text/plain; charset=klingon", "é", "é", "utf-8"},
		{"bytes stay bytes", "image/png", "\x89PNG\xff", "\x89PNG\xff", "utf-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, name := UTF8([]byte(c.in), c.contentType)
			if string(got) != c.want || name != c.charset {
				t.Errorf("got %q in %s, want %q in %s", got, name, c.want, c.charset)
			}
		})
	}
}

func FuzzContent(f *testing.F) {
	for _, c := range []string{"gzip", "zlib", "flate", "br", "zstd"} {
		f.Add(strings.NewReplacer("zlib", "deflate", "flate", "deflate").Replace(c), pack(f, c, "hello"))
	}
	f.Fuzz(func(t *testing.T, coding string, data []byte) {
		got, _, _ := Content(message(coding, data), 1<<16)
		if len(got) > 1<<16 {
			t.Errorf("%d bytes", len(got))
		}
	})
}
