package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// FuzzHead compares the head parser with net/http's: what both accept, both
// must understand alike, above all where the body ends; and what is sent on
// must be what came.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST http://a.test/p?q HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
		"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"GET / HTTP/1.0\n\n",
		"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\ncontent-length: 01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nTransfer-Encoding : chunked\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\n\r\n\x16\x03\x01",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, asProxy bool) {
		r := NewReader(bytes.NewReader(raw))
		h, err := ReadHead(r)
		if err != nil {
			return
		}
		if !bytes.Equal(h.Raw, raw[h.Blank:h.Blank+len(h.Raw)]) {
			t.Fatalf("the head is not what came: %q", h.Raw)
		}
		lines := h.Raw[h.startLen:]
		for _, field := range h.Header {
			if !bytes.HasPrefix(lines, []byte(field.Raw)) {
				t.Fatalf("field %q is not where it was", field.Raw)
			}
			lines = lines[len(field.Raw):]
		}
		if s := string(lines); s != "\r\n" && s != "\n" {
			t.Fatalf("after the fields comes %q", s)
		}
		q, fault := ParseRequest(h, asProxy)
		if fault != nil {
			return
		}
		if !asProxy || q.Scheme == "" {
			if !bytes.Equal(q.Bytes(), h.Raw) {
				t.Fatalf("changed to %q", q.Bytes())
			}
		} else {
			again, fault := ParseRequest(ParseHead(q.Bytes()), false)
			if fault != nil || again.Framing != q.Framing || again.Length != q.Length || again.Method != q.Method || again.Target != q.Path {
				t.Fatalf("rewritten to %q: %v", q.Bytes(), fault)
			}
		}
		std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw[h.Blank:])))
		if err != nil {
			return
		}
		length := int64(0)
		switch q.Framing {
		case flow.ByLength:
			length = q.Length
		case flow.Chunked:
			length = -1
		}
		if std.ContentLength != length {
			t.Fatalf("net/http sees a body of %d, we of %d in %q", std.ContentLength, length, h.Raw)
		}
		if std.Method != q.Method || std.RequestURI != q.Target {
			t.Fatalf("net/http sees %s %s, we %s %s", std.Method, std.RequestURI, q.Method, q.Target)
		}
		if q.Minor <= 1 && std.Close == q.Persistent() {
			t.Fatalf("net/http closes: %v, we keep: %v in %q", std.Close, q.Persistent(), h.Raw)
		}
		sameFields(t, std.Header, h.Header, h.Raw)
	})
}

// sameFields compares a header with net/http's, which moves some fields elsewhere.
func sameFields(t *testing.T, std http.Header, ours flow.Header, raw []byte) {
	t.Helper()
	got := http.Header{}
	for _, f := range ours {
		if name := http.CanonicalHeaderKey(f.Name); std[name] != nil {
			got[name] = append(got[name], strings.Join(strings.Fields(f.Value), " "))
		}
	}
	for name, values := range std {
		switch name {
		case "Content-Length", "Transfer-Encoding", "Trailer", "Host", "Pragma", "Cache-Control":
			continue
		}
		for i, v := range values {
			if v = strings.Join(strings.Fields(v), " "); i >= len(got[name]) || got[name][i] != v {
				t.Fatalf("net/http reads %s as %q, we as %q in %q", name, values, got[name], raw)
			}
		}
		if len(values) != len(got[name]) {
			t.Fatalf("net/http reads %s as %q, we as %q in %q", name, values, got[name], raw)
		}
	}
}

// FuzzResponse compares the framing of responses with net/http's.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 200\r\n\r\nabc",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader(bytes.NewReader(raw))
		h, err := ReadHead(r)
		if err != nil {
			return
		}
		p, fault := ParseResponse(h, "GET")
		if fault != nil || p.Status < 200 || p.unsafe {
			return
		}
		std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw[h.Blank:])), nil)
		if err != nil || std.StatusCode != p.Status {
			return
		}
		want, err := io.ReadAll(std.Body)
		if err != nil {
			return
		}
		sameFields(t, std.Header, h.Header, h.Raw)
		m, body := &memory{}, p.Body()
		if err := body.Copy(io.Discard, r, nil, m.tape(0)); err != nil {
			if strings.Contains(err.Error(), string(BadChunk)) {
				return
			}
			t.Fatalf("net/http reads %q, we fail with %v", want, err)
		}
		if got, _ := m.data(); !bytes.Equal(got, want) {
			t.Fatalf("net/http reads %q, we %q", want, got)
		}
		if p.Framing == flow.Chunked {
			sameFields(t, std.Trailer, body.Trailers(), raw)
		}
	})
}

// FuzzChunked compares the chunk parser with net/http's: of what both accept,
// both must get the same content and leave the same rest; how the bytes are
// split must not matter; and all must be passed on as it came.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"3\r\nabc\r\n0\r\n\r\nGET",
		"3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
		"0003\r\nabc\r\n000\r\n\r\n",
		"a\r\n0123456789\r\n0\r\n\r\n",
		"3 \r\nabc\r\n0\r\n\r\n",
		"3\nabc\n0\n\n",
		"ffffffffffffffffff\r\n",
		"0;\r\n\r\n",
	} {
		f.Add([]byte(s), uint8(1), true)
		f.Add([]byte(s), uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, step uint8, strict bool) {
		parse := func(step int) (content, rest, out []byte, err error) {
			m, dst := &memory{}, &bytes.Buffer{}
			r := NewReader(&stepper{bytes.Clone(raw), step})
			b := &Body{Framing: flow.Chunked, chunks: chunks{strict: strict}}
			err = b.Copy(dst, r, nil, m.tape(0))
			content, _ = m.data()
			rest, _ = io.ReadAll(r)
			return content, rest, dst.Bytes(), err
		}
		content, rest, out, err := parse(len(raw) + 1)
		content2, rest2, out2, err2 := parse(int(step) + 1)
		if (err == nil) != (err2 == nil) || err == nil && (!bytes.Equal(content, content2) || !bytes.Equal(rest, rest2) || !bytes.Equal(out, out2)) {
			t.Fatalf("in steps of %d: %q %q %v, at once: %q %q %v", step+1, content2, rest2, err2, content, rest, err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(append(out, rest...), raw) {
			t.Fatalf("passed on %q and left %q", out, rest)
		}
		br := bufio.NewReader(bytes.NewReader(raw))
		std, err := io.ReadAll(httputil.NewChunkedReader(br))
		if err != nil {
			return
		}
		if !bytes.Equal(std, content) {
			t.Fatalf("net/http reads %q, we %q", std, content)
		}
	})
}
