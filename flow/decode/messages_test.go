package decode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/why403/why403/flow"
)

func TestEventStreams(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"every line end", "data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\r\n", []string{`event 8 "data: a\n"`, `event 8 "data: b\n"`, `event 8 "data: c\n"`, `event 8 "data: d\n"`}},
		{"several lines, empty ones between", "\n\nid: 1\nevent: e\ndata: x\n\n\n\n", []string{`event 23 "id: 1\nevent: e\ndata: x\n"`}},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", []string{`event 8 "data: a\n"`}},
		{"part of one", "\xef\xbb", []string{`event cut 2 "\xef\xbb"`}},
		{"a comment", ":\n\n", []string{`event 2 ":\n"`}},
		{"the end in the middle", "data: a\n\ndata: b\ndat", []string{`event 8 "data: a\n"`, `event cut 11 "data: b\ndat"`}},
		{"nothing", "", nil},
	} {
		h := flow.Header{{Name: "Content-Type", Value: "Text/Event-Stream; charset=utf-8"}}
		for _, steps := range [][]int{{1 << 20}, {1}, {2, 5}} {
			if got := told(inSteps(Messages(h, false), c.in, steps...)); !cmp.Equal(c.want, got) {
				t.Errorf("%s, in steps of %v: %s", c.name, steps, cmp.Diff(c.want, got))
			}
		}
	}
	if Messages(flow.Header{{Name: "Content-Type", Value: "text/event-stream"}}, true) != nil || Messages(flow.Header{{Name: "Content-Type", Value: "application/json"}}, false) != nil {
		t.Error("what is no stream of messages is taken for one")
	}
}

func TestParseEvent(t *testing.T) {
	got := ParseEvent([]byte(": hi\nevent: a\nevent:add\nid: 7\nretry: 2500\nretry: x\ndata: 1\ndata:\ndata:  2\nother: x\ndata\n"))
	want := Event{Type: "add", ID: "7", HasID: true, Data: "1\n\n 2\n", HasData: true, Retry: 2500 * time.Millisecond, Comment: "hi"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := ParseEvent([]byte("id\n")); !got.HasID || got.HasData {
		t.Errorf("%+v", got)
	}
}

// TestEventsOfACodedStream: each event is told as soon as the sender has flushed it.
func TestEventsOfACodedStream(t *testing.T) {
	type flusher interface {
		io.WriteCloser
		Flush() error
	}
	for coding, make := range map[string]func(io.Writer) flusher{
		"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
		"x-gzip":  func(w io.Writer) flusher { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
		"Deflate": func(w io.Writer) flusher { z, _ := flate.NewWriter(w, 6); return z },
		"br":      func(w io.Writer) flusher { return brotli.NewWriter(w) },
		"zstd":    func(w io.Writer) flusher { z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); return z },
	} {
		s := Messages(flow.Header{{Name: "content-type", Value: "text/event-stream"}, {Name: "Content-Encoding", Value: coding}}, false)
		var wire bytes.Buffer
		z := make(&wire)
		var got []flow.Frame
		emit := func(f flow.Frame) { got = append(got, f) }
		for i := range 20 {
			fmt.Fprintf(z, "data: %d %s\n\n", i, strings.Repeat("x", 100*i))
			z.Flush()
			for _, b := range wire.Bytes() { // byte by byte
				s.Feed([]byte{b}, emit)
			}
			wire.Reset()
			if len(got) != i+1 {
				t.Fatalf("%s: %d events told after %d were flushed", coding, len(got), i+1)
			}
		}
		s.Close(emit)
		if len(got) != 20 || !strings.HasPrefix(string(got[19].Data), "data: 19 xxx") {
			t.Errorf("%s: %d events", coding, len(got))
		}
	}
}

func TestStreamsThatCannotBeDecoded(t *testing.T) {
	for coding, want := range map[string][]string{
		"rot13":               {`note: unknown content coding "rot13"`},
		"gzip":                {"note: content coding gzip: the body is not gzip: gzip: invalid header"},
		"br,br,br,br,br,gzip": {"note: more codings than are undone"},
	} {
		s := Messages(flow.Header{{Name: "content-type", Value: "text/event-stream"}, {Name: "Content-Encoding", Value: coding}}, false)
		if got := told(inSteps(s, "data: this is as it is\n\n", 3)); !cmp.Equal(want, got) {
			t.Errorf("%s: %s", coding, cmp.Diff(want, got))
		}
	}
	var bomb bytes.Buffer
	z := brotli.NewWriterLevel(&bomb, 2)
	z.Write(make([]byte, 3<<20))
	z.Close()
	s := Messages(flow.Header{{Name: "content-type", Value: "text/event-stream"}, {Name: "Content-Encoding", Value: "br"}}, false)
	got := told(inSteps(s, bomb.String(), 1000))
	if len(got) != 2 || got[0] != "note: the content coding makes more of the bytes than is believable" {
		t.Errorf("a bomb: %q", got)
	}
}

func grpcPrefix(flags byte, data string) string {
	n := len(data)
	return string([]byte{flags, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + data
}

func TestGRPCMessages(t *testing.T) {
	packed, err := Encode([]byte("hello hello hello"), "gzip")
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		name, media, in string
		want            []string
	}{
		{"two, one of them empty", "application/grpc", grpcPrefix(0, "abc") + grpcPrefix(0, ""), []string{`grpc 3 "abc"`, `grpc 0 ""`}},
		{"compressed", "application/grpc+proto", grpcPrefix(1, string(packed)), []string{fmt.Sprintf(`grpc packed %d "hello hello hello"`, len(packed))}},
		{"of the web, with trailers", "application/grpc-web+proto", grpcPrefix(0, "abc") + grpcPrefix(0x80, "grpc-status: 7\r\n"), []string{`grpc 3 "abc"`, `trailers 16 "grpc-status: 7\r\n"`}},
		{"of the web, in base64", "application/grpc-web-text", b64([]byte(grpcPrefix(0, "abc"))) + b64([]byte(grpcPrefix(0x80, "grpc-status: 7\r\n"))), []string{`grpc 3 "abc"`, `trailers 16 "grpc-status: 7\r\n"`}},
		{"the end in the middle", "application/grpc", grpcPrefix(0, "abc")[:7], []string{`grpc cut 2 "ab"`}},
		{"no gRPC", "application/grpc", "hello", []string{"note: the byte 0x68 where a message should begin"}},
	} {
		h := flow.Header{{Name: "Content-Type", Value: c.media}, {Name: "Grpc-Encoding", Value: "gzip"}}
		for _, steps := range [][]int{{1 << 20}, {1}, {3, 2}} {
			if got := told(inSteps(Messages(h, true), c.in, steps...)); !cmp.Equal(c.want, got) {
				t.Errorf("%s, in steps of %v: %s", c.name, steps, cmp.Diff(c.want, got))
			}
		}
	}
}

// FuzzMessages: any split of a body gives the same messages.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("data: a\r\n\r\n: b\n\nid: 1\r\r"), uint8(1), uint8(0))
	f.Add([]byte(grpcPrefix(0, "abc")+grpcPrefix(0x80, "x: y")), uint8(2), uint8(1))
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(grpcPrefix(0, "abc")))), uint8(3), uint8(2))
	gz, _ := Encode([]byte("data: a\n\ndata: b\n\n"), "gzip")
	f.Add(gz, uint8(4), uint8(3))
	kinds := []flow.Header{
		{{Name: "Content-Type", Value: "text/event-stream"}},
		{{Name: "Content-Type", Value: "application/grpc"}},
		{{Name: "Content-Type", Value: "application/grpc-web-text"}},
		{{Name: "Content-Type", Value: "text/event-stream"}, {Name: "Content-Encoding", Value: "gzip"}},
	}
	f.Fuzz(func(t *testing.T, data []byte, step, kind uint8) {
		h := kinds[int(kind)%len(kinds)]
		whole, parts := Split(Messages(h, false), data, 1<<20), inSteps(Messages(h, false), string(data), int(step), 3)
		if d := cmp.Diff(whole, parts); d != "" {
			t.Fatalf("in steps of %d: %s", step, d)
		}
	})
}

func TestProtobufText(t *testing.T) {
	for _, c := range []struct {
		name, in string
		cut      bool
		want     string
	}{
		{"the manual's examples", "\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01", false, "1: 150\n2: \"testing\"\n3 {\n  1: 150\n}\n"},
		{"numbers", "\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x15\xdb\x0f\x49\x40\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x25\xff\xff\xff\xff", false,
			"1: 1.5 (0x3ff8000000000000)\n2: 3.1415927 (0x40490fdb)\n3: -1\n4: 0xffffffff (4294967295)\n"},
		{"bytes", "\x0a\x03\x00\xff\xfe", false, "1: 00fffe (3 bytes)\n"},
		{"a group", "\x0b\x10\x01\x0c", false, "1 {\n  2: 1\n}\n"},
		{"text within a message within one", "\x0a\x09\x0a\x07\x0a\x05hello", false, "1 {\n  1 {\n    1: \"hello\"\n  }\n}\n"},
		{"a first part", "\x08\x01\x12\x50hello", true, "1: 1\n2: \"hello\" …\n"},
		{"a group that does not end", "\x0b\x10\x01", false, ""},
		{"cut short", "\x08\x01\x12\x50hello", false, ""},
		{"JSON", `{"a":1}`, false, ""},
		{"nothing", "", false, ""},
		{"field 0", "\x00\x01", false, ""},
	} {
		got, ok := ProtobufText([]byte(c.in), c.cut)
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q %v", c.name, got, ok)
		}
	}
	deep := "\x08\x01"
	for range 40 {
		deep = "\x0a" + string([]byte{byte(len(deep))}) + deep
	}
	if got, ok := ProtobufText([]byte(deep), false); !ok || strings.Count(string(got), "{") > protobufDepth+1 {
		t.Errorf("a deep one: %v %s", ok, got)
	}
}

func FuzzProtobufText(f *testing.F) {
	f.Add([]byte("\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01"), false)
	f.Add([]byte("\x0b\x10\x01\x0c"), true)
	f.Fuzz(func(t *testing.T, data []byte, cut bool) {
		text, ok := ProtobufText(data, cut)
		if ok != (len(text) > 0) {
			t.Fatalf("%q %v", text, ok)
		}
	})
}
