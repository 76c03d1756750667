package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/flate"

	"github.com/why403/why403/flow"
)

// wsFrame is a frame as RFC 6455 has it; first is its first byte.
func wsFrame(first byte, payload string, masked bool) string {
	b := []byte{first}
	m := byte(0)
	if masked {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = append(b, m|126, byte(n>>8), byte(n))
	default:
		b = append(b, m|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if !masked {
		return string(b) + payload
	}
	mask := []byte{0x11, 0xa2, 0x33, 0xf4}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

// told are messages in a line each.
func told(list []flow.Frame) []string {
	var out []string
	for _, f := range list {
		s := f.Kind.String()
		if f.Packed {
			s += " packed"
		}
		if f.Cut {
			s += " cut"
		}
		text := string(f.Data)
		if f.Kind == flow.Remark {
			_, why, _ := strings.Cut(text, ": ")
			out = append(out, "note: "+why)
			continue
		}
		if len(text) > 90 {
			text = fmt.Sprintf("%.4s…%d", text, len(text))
		}
		out = append(out, fmt.Sprintf("%s %d %q", s, f.Size, text))
	}
	return out
}

// inSteps feeds s in pieces of the given sizes, round and round.
func inSteps(s Splitter, data string, steps ...int) []flow.Frame {
	var list []flow.Frame
	emit := func(f flow.Frame) { list = append(list, f) }
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), max(1, steps[i%len(steps)]))
		s.Feed([]byte(data[:n]), emit)
		data = data[n:]
	}
	s.Close(emit)
	s.Close(emit) // once more does nothing
	return list
}

// deflater compresses messages as a peer of permessage-deflate does.
func deflater(takeover bool) func(string) string {
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, flate.BestCompression)
	return func(s string) string {
		b.Reset()
		if !takeover {
			z.Reset(&b)
		}
		z.Write([]byte(s))
		z.Flush()
		return string(bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}))
	}
}

func extensions(s string) flow.Header {
	return flow.Header{{Name: "sec-websocket-extensions", Value: s}}
}

func TestWebSocket(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	pack := deflater(true)
	p1, p2 := pack("hello hello hello"), pack("hello hello hello")
	alone := deflater(false)
	a1, a2 := alone("hello hello hello"), alone("hello hello hello")
	huge := deflater(true)(strings.Repeat("\x00", 5<<20))
	bomb := deflater(true)(strings.Repeat("\x00", 17<<20))
	for _, c := range []struct {
		name   string
		client bool
		ext    string
		in     string
		want   []string
	}{
		{"a message", true, "", wsFrame(0x81, "hi", true), []string{`text 2 "hi"`}},
		{"of every length", false, "", wsFrame(0x82, "", false) + wsFrame(0x82, long[:125], false) + wsFrame(0x82, long[:126], false) + wsFrame(0x82, long, false),
			[]string{`binary 0 ""`, `binary 125 "xxxx…125"`, `binary 126 "xxxx…126"`, `binary 70000 "xxxx…70000"`}},
		{"fragments, a ping between them", true, "", wsFrame(0x01, "a", true) + wsFrame(0x00, "b", true) + wsFrame(0x89, "?", true) + wsFrame(0x80, "c", true) + wsFrame(0x8a, "!", true),
			[]string{`ping 1 "?"`, `text 3 "abc"`, `pong 1 "!"`}},
		{"close", false, "", wsFrame(0x88, "\x03\xf0no", false), []string{`close 4 "\x03\xf0no"`}},
		{"with context", false, "permessage-deflate; server_max_window_bits=15; client_no_context_takeover", wsFrame(0xc1, p1, false) + wsFrame(0x81, "plain", false) + wsFrame(0xc1, p2, false),
			[]string{fmt.Sprintf(`text packed %d "hello hello hello"`, len(p1)), `text 5 "plain"`, fmt.Sprintf(`text packed %d "hello hello hello"`, len(p2))}},
		{"without context, in fragments", true, "x-other, permessage-deflate;client_no_context_takeover", wsFrame(0x41, a1[:3], true) + wsFrame(0x80, a1[3:], true) + wsFrame(0xc2, a2, true),
			[]string{fmt.Sprintf(`text packed %d "hello hello hello"`, len(a1)), fmt.Sprintf(`binary packed %d "hello hello hello"`, len(a2))}},
		{"one larger than is kept, and the next", false, "permessage-deflate", wsFrame(0xc2, huge, false) + wsFrame(0x82, "y", false),
			[]string{fmt.Sprintf(`binary packed cut %d "\x00\x00\x00\x00…4194304"`, len(huge)), `binary 1 "y"`}},
		{"a bomb", false, "permessage-deflate", wsFrame(0xc2, bomb, false) + wsFrame(0xc1, "zz", false) + wsFrame(0x81, "y", false),
			[]string{fmt.Sprintf(`binary packed cut %d "\x00\x00\x00\x00…4194304"`, len(bomb)), "note: a message that became more than 16777216 bytes", `bytes 2 "zz"`, `text 1 "y"`}},
		{"no deflate data, without context", false, "permessage-deflate; server_no_context_takeover", wsFrame(0xc1, "\xff\xff\xff", false) + wsFrame(0xc1, a1, false),
			[]string{`text packed cut 3 ""`, fmt.Sprintf(`text packed %d "hello hello hello"`, len(a1))}},
		{"the end in the middle", true, "", wsFrame(0x01, "abc", true) + wsFrame(0x80, "defg", true)[:8], []string{`text cut 5 "abcde"`}},
		{"reserved bits of an extension that is not known", true, "x-other", wsFrame(0xa1, "?", true), []string{`text 1 "?"`}},
		{"no mask", true, "", wsFrame(0x81, "hi", false), []string{"note: a frame of the client without a mask", `bytes 2 "\x81\x02"`, `bytes 2 "hi"`}},
		{"a mask of the server", false, "", wsFrame(0x81, "", true), []string{"note: a frame of the server with a mask", `bytes 6 "\x81\x80\x11\xa23\xf4"`}},
		{"an opcode without a meaning", false, "", wsFrame(0x83, "", false), []string{"note: opcode 3, which has no meaning", `bytes 2 "\x83\x00"`}},
		{"reserved bits", false, "", wsFrame(0xc1, "", false), []string{"note: a frame (opcode 1) with reserved bits that no extension gave a meaning", `bytes 2 "\xc1\x00"`}},
		{"a ping in fragments", false, "", wsFrame(0x09, "", false), []string{"note: a control frame in fragments", `bytes 2 "\t\x00"`}},
		{"a large ping", false, "", wsFrame(0x89, long[:126], false)[:4], []string{"note: a control frame of 126 bytes", `bytes 4 "\x89~\x00~"`}},
		{"a continuation of nothing", false, "", wsFrame(0x80, "", false), []string{"note: a continuation of no message", `bytes 2 "\x80\x00"`}},
		{"a message within one", false, "", wsFrame(0x01, "a", false) + wsFrame(0x81, "", false), []string{`text cut 1 "a"`, "note: a new message before the one under way has ended", `bytes 2 "\x81\x00"`}},
		{"HTTP", false, "", "HTTP/1.1 400", []string{"note: a frame (opcode 8) with reserved bits that no extension gave a meaning", `bytes 2 "HT"`, `bytes 10 "TP/1.1 400"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := told(Split(NewWebSocket(c.client, extensions(c.ext)), []byte(c.in), 100)); !cmp.Equal(c.want, got) {
				t.Error(cmp.Diff(c.want, got))
			}
			if c.ext != "" && len(c.in) > 2000 {
				return // inflating it again and again shows nothing more
			}
			for _, steps := range [][]int{{1}, {2, 7, 3}, {4000}} {
				if got := told(glued(inSteps(NewWebSocket(c.client, extensions(c.ext)), c.in, steps...))); !cmp.Equal(told(glued(Split(NewWebSocket(c.client, extensions(c.ext)), []byte(c.in), 100))), got) {
					t.Errorf("in steps of %v: %q", steps, got)
				}
			}
		})
	}
}

// glued joins bytes that are not told apart: how many pieces they come in means nothing.
func glued(list []flow.Frame) []flow.Frame {
	var out []flow.Frame
	for _, f := range list {
		if n := len(out); n > 0 && f.Kind == flow.RawBytes && out[n-1].Kind == flow.RawBytes {
			out[n-1].Data = append(out[n-1].Data, f.Data...)
			out[n-1].Size += f.Size
			continue
		}
		out = append(out, f)
	}
	return out
}

// FuzzWebSocket: any split gives the same messages, and none claims more bytes than came.
func FuzzWebSocket(f *testing.F) {
	pack := deflater(true)
	f.Add([]byte(wsFrame(0x01, "ab", true)+wsFrame(0x89, "?", true)+wsFrame(0x80, "c", true)), uint8(1), true, true)
	f.Add([]byte(wsFrame(0xc1, pack("hello hello"), false)+wsFrame(0xc1, pack("hello hello"), false)), uint8(3), false, true)
	f.Add([]byte(wsFrame(0x88, "\x03\xe8bye", false)+"HTTP/1.1 200 OK"), uint8(5), false, false)
	f.Fuzz(func(t *testing.T, data []byte, step uint8, client, takeover bool) {
		ext := "permessage-deflate"
		if !takeover {
			ext += "; server_no_context_takeover; client_no_context_takeover"
		}
		whole := glued(Split(NewWebSocket(client, extensions(ext)), data, 1<<20))
		parts := glued(inSteps(NewWebSocket(client, extensions(ext)), string(data), int(step), 3))
		if d := cmp.Diff(whole, parts); d != "" {
			t.Fatalf("in steps of %d: %s", step, d)
		}
		total := int64(0)
		for _, m := range whole {
			total += m.Size
		}
		if total > int64(len(data)) {
			t.Fatalf("%d bytes of messages in %d", total, len(data))
		}
	})
}

func TestCloseCode(t *testing.T) {
	for _, c := range []struct {
		in      string
		code    int
		meaning string
		reason  string
		refused bool
	}{
		{"", 1005, "no code was given", "", false},
		{"\x03\xe8", 1000, "normal", "", false},
		{"\x03\xf0denied", 1008, "against the policy", "denied", true},
		{"\x11\x33", 4403, "the application's own code, by its number forbidden", "", true},
		{"\x0f\xa1\xff", 4001, "the application's own code", "�", false},
		{"\x07\xd0", 2000, "a code that has no meaning", "", false},
		{"\x0c\x1c", 3100, "a registered code that is not known here", "", false},
	} {
		code, meaning, reason := CloseCode([]byte(c.in))
		if code != c.code || meaning != c.meaning || reason != c.reason || RefusedByCode(code) != c.refused {
			t.Errorf("%q: %d %q %q", c.in, code, meaning, reason)
		}
	}
}

func BenchmarkWebSocket(b *testing.B) {
	pack := deflater(true)
	for name, in := range map[string]string{
		"masked, 64 kB": wsFrame(0x82, strings.Repeat("0123456789abcdef", 4<<10), true),
		"masked, 100 B": strings.Repeat(wsFrame(0x81, strings.Repeat("x", 100), true), 300),
		"compressed":    wsFrame(0xc1, pack(strings.Repeat(`{"type":"message","text":"hello"},`, 1000)), false),
	} {
		b.Run(name, func(b *testing.B) {
			w := NewWebSocket(strings.HasPrefix(name, "masked"), extensions("permessage-deflate; server_no_context_takeover"))
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				w.Feed([]byte(in), func(flow.Frame) {})
			}
		})
	}
}
