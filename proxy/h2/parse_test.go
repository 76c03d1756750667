package h2

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/why403/why403/flow"
)

// tell is what a parser says of b, given in pieces of size bytes, one line an event. Content that comes in pieces is joined.
func tell(client bool, b []byte, size int) []string {
	var said []string
	var stream uint32
	var content []byte
	flush := func() {
		if content != nil {
			said = append(said, fmt.Sprintf("content %d %q", stream, content))
			content = nil
		}
	}
	p := NewParser(client, func(e *Event) {
		if e.Kind == Content && !e.End {
			if stream != e.Stream {
				flush()
			}
			stream, content = e.Stream, append(content, e.Content...)
			return
		}
		flush()
		switch e.Kind {
		case Lost, Malformed:
			said = append(said, fmt.Sprintf("%d %v", e.Kind, e.Err))
		case Head, Push:
			said = append(said, fmt.Sprintf("%d stream %d/%d end %v cut %v weighted %v %v", e.Kind, e.Stream, e.Promised, e.End, e.Cut, e.Weighted, e.Fields))
		default:
			said = append(said, fmt.Sprintf("%d stream %d end %v code %v last %d settings %v +%d %q", e.Kind, e.Stream, e.End, e.Code, e.Last, e.Settings, e.Increment, e.Content))
		}
	})
	for part := range slices.Chunk(b, size) {
		p.Parse(part)
	}
	flush()
	return said
}

func block(fields ...string) []byte {
	var h flow.Header
	for _, f := range fields {
		i := strings.LastIndexByte(f, '=')
		h.Add(f[:i], f[i+1:])
	}
	return NewEncoder().Block(h)
}

func TestParser(t *testing.T) {
	frames := func(list ...[]byte) []byte { return slices.Concat(list...) }
	for _, c := range []struct {
		name   string
		client bool
		b      []byte
		want   []string
	}{
		{"a preface", true, []byte(Preface), nil},
		{"no preface", true, []byte("GET / HTTP/1.1\r\n\r\n"), []string{"9 the connection does not begin as HTTP/2 does (RFC 9113, 3.4)"}},
		{"settings", false, AppendSettings(nil, Setting{1, 2}, Setting{0xfff0, 1 << 31}), []string{`5 stream 0 end false code NO_ERROR: nothing is wrong last 0 settings [{1 2} {65520 2147483648}] +0 ""`}},
		{"acknowledged settings and pings", false, frames(AppendFrame(nil, Settings, FlagAck, 0, nil), AppendFrame(nil, Ping, FlagAck, 0, []byte("12345678"))), nil},
		{"a head", false, AppendHeaders(nil, 3, true, block(":status=200", "a=b")),
			[]string{`0 stream 3/0 end true cut false weighted false [header field ":status" = "200" header field "a" = "b"]`}},
		{"a promise in two frames", false, frames(AppendFrame(nil, PushPromise, FlagPadded, 1, append([]byte{1, 0, 0, 0, 2}, 0x82, 0)), AppendFrame(nil, Continuation, FlagEndHeaders, 1, []byte{0x84})),
			[]string{`1 stream 2/1 end false cut false weighted false [header field ":method" = "GET" header field ":path" = "/"]`}},
		{"padding alone", false, AppendFrame(nil, Data, FlagPadded, 1, []byte{2, 0, 0}), nil},
		{"the end of a stream", false, AppendFrame(nil, Data, FlagEndStream, 1, nil), []string{`2 stream 1 end true code NO_ERROR: nothing is wrong last 0 settings [] +0 ""`}},
		{"a reset", false, AppendReset(nil, 5, 99), []string{`3 stream 5 end false code error code 0x63 last 0 settings [] +0 ""`}},
		{"a goodbye", false, AppendGoAway(nil, 7, 11, "calm"), []string{`4 stream 0 end false code ENHANCE_YOUR_CALM: the other side asks for too much last 7 settings [] +0 "calm"`}},
		{"credit", false, AppendWindowUpdate(nil, 5, 9), []string{`6 stream 5 end false code NO_ERROR: nothing is wrong last 0 settings [] +9 ""`}},
		{"too much padding", false, AppendFrame(nil, Data, FlagPadded, 1, []byte{3, 0, 0}), []string{"8 padding that is longer than its frame"}},
		{"too short", false, AppendFrame(nil, Headers, FlagPriority, 1, []byte{3, 0, 0}), []string{"8 a frame of type 1 that is too short"}},
		{"something within a block", false, frames(AppendFrame(nil, Headers, 0, 1, nil), AppendFrame(nil, Ping, 0, 0, nil)), []string{"8 a frame of type 6 in the middle of a header block"}},
		{"a block of another stream", false, frames(AppendFrame(nil, Headers, 0, 1, nil), AppendFrame(nil, Continuation, 4, 3, nil)), []string{"8 a frame of type 9 in the middle of a header block"}},
		{"a block without a beginning", false, AppendFrame(nil, Continuation, 4, 3, nil), []string{"8 a CONTINUATION without a header block"}},
		{"no stream", false, AppendFrame(nil, Data, 0, 0, []byte("x")), []string{"8 a frame of type 0 for no stream"}},
		{"broken compression", false, AppendHeaders(nil, 1, false, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), []string{"8 the compressed header cannot be read: decoding error: varint integer overflow"}},
		{"half a field", false, AppendHeaders(nil, 1, false, []byte{0x40, 3, 'a'}), []string{"8 the compressed header cannot be read: decoding error: truncated headers"}},
		{"unknown frames", false, AppendFrame(nil, 0xee, 0xff, 1, []byte("?")), nil},
		{"nothing after what cannot be followed", false, frames(AppendFrame(nil, Data, 0, 0, []byte("x")), AppendReset(nil, 1, 0)), []string{"8 a frame of type 0 for no stream"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 1, 4} {
				if got := tell(c.client, c.b, size); !slices.Equal(got, c.want) {
					t.Errorf("in pieces of %d: got\n%s, want\n%s", size, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

// A few bytes can stand for many megabytes of fields; what is kept is bounded, and what follows is still understood.
func TestABombOfFieldsIsCut(t *testing.T) {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	enc.WriteField(hpack.HeaderField{Name: "bomb", Value: strings.Repeat("x", 3000)})
	b.Write(bytes.Repeat([]byte{0x80 | 62}, 100_000)) // the newest entry of the table, again and again
	enc.WriteField(hpack.HeaderField{Name: "last", Value: "1"})
	var got []*Event
	p := NewParser(false, func(e *Event) { got = append(got, e) })
	p.Parse(AppendHeaders(nil, 1, false, b.Bytes()))
	b.Reset()
	enc.WriteField(hpack.HeaderField{Name: "last", Value: "1"})
	p.Parse(AppendHeaders(nil, 3, false, b.Bytes()))
	if len(got) != 2 || !got[0].Cut || len(got[0].Fields)*3000 > maxBlock || got[1].Cut || len(got[1].Fields) != 1 || got[1].Fields[0].Name != "last" {
		t.Errorf("got %d events, the first with %d fields", len(got), len(got[0].Fields))
	}
	long := NewParser(false, func(e *Event) { got = append(got, e) })
	b.Reset()
	hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: "a", Value: strings.Repeat("\x00", maxString+1)})
	long.Parse(AppendHeaders(nil, 1, false, b.Bytes()))
	if last := got[len(got)-1]; last.Kind != Lost {
		t.Errorf("a string of more than %d bytes: got %+v", maxString, last.Kind)
	}
}

func TestBetween(t *testing.T) {
	b := slices.Concat(AppendFrame(nil, Data, 0, 1, []byte("x")), AppendFrame(nil, Headers, 0, 1, []byte{0x88}), AppendFrame(nil, Continuation, FlagEndHeaders, 1, nil))
	p := NewParser(false, func(*Event) {})
	var between []int
	for i := range b {
		if p.Between() {
			between = append(between, i)
		}
		p.Parse(b[i : i+1])
	}
	if !slices.Equal(between, []int{0, 10}) || !p.Between() {
		t.Errorf("a frame could stand at %v, and at the end: %v", between, p.Between())
	}
}

func TestOpening(t *testing.T) {
	for _, s := range []string{"1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p", "|0|1|m,p", "3:1|0|0|"} {
		o, ok := ParseOpening(s)
		if got := o.String(); !ok || got != s {
			t.Errorf("%s: %v %s", s, ok, got)
		}
	}
	for _, s := range []string{"", "x", "1:x|0|0|m", "1:2|x|0|m", "70000:1|0|0|m", "1:1|0|0"} {
		if _, ok := ParseOpening(s); ok {
			t.Errorf("%q passes", s)
		}
	}
}

// Go's own reader agrees on what it accepts.
func FuzzParser(f *testing.F) {
	f.Add(AppendHeaders(nil, 1, true, block(":method=GET", "a=b")), uint8(3))
	f.Add(slices.Concat(AppendSettings(nil, Setting{4, 1}), AppendFrame(nil, Data, FlagPadded|FlagEndStream, 1, []byte("\x01ab\x00")), AppendGoAway(nil, 0, 1, "x")), uint8(1))
	f.Add(slices.Concat(AppendFrame(nil, PushPromise, FlagPadded, 1, []byte{0, 0, 0, 0, 2, 0x82}), AppendFrame(nil, Continuation, FlagEndHeaders, 1, []byte{0x84})), uint8(7))
	f.Add([]byte{0, 0, 1, 0, 8, 0, 0, 0, 1, 255}, uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		whole := tell(false, b, len(b)+1)
		if parts := tell(false, b, int(size)+1); !slices.Equal(whole, parts) {
			t.Fatalf("at once\n%s\nin pieces of %d\n%s", strings.Join(whole, "\n"), int(size)+1, strings.Join(parts, "\n"))
		}
		var want, got []byte
		fr := http2.NewFramer(nil, bytes.NewReader(b))
		fr.SetMaxReadFrameSize(1<<24 - 1)
		fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for {
			frame, err := fr.ReadFrame()
			if err != nil {
				break
			}
			if d, ok := frame.(*http2.DataFrame); ok {
				want = append(want, d.Data()...)
			}
		}
		lost := false
		NewParser(false, func(e *Event) {
			if e.Kind == Content {
				got = append(got, e.Content...)
			}
			lost = lost || e.Kind == Lost
		}).Parse(b)
		if !bytes.HasPrefix(got, want) && !lost {
			t.Fatalf("content %q, Go read %q", got, want)
		}
	})
}
