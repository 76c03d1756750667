package replay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
)

// h2server is a server of HTTP/2, or of what protocols say.
func h2server(t *testing.T, handler http.HandlerFunc, protocols ...string) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{NextProtos: protocols}
	s.EnableHTTP2 = slices.Contains(protocols, "h2")
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, s.Listener.Addr().String()
}

// tlsConfig is what a server of httptest uses.
func tlsConfig(t *testing.T) *tls.Config {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

// recordedH2 is a request that came over HTTP/2.
func recordedH2(method, target, body string, h ...flow.Field) *flow.Message {
	m := &flow.Message{Proto: "HTTP/2.0", Method: method, Target: target, Header: h}
	if body != "" {
		m.Body.Framing = flow.UntilClose
		m.SetBody([]byte(body))
	}
	return m
}

func TestHTTP2IsSentOverHTTP2(t *testing.T) {
	s, addr := h2server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "%s %s %s %d %s %s", r.Proto, r.Host, r.URL, len(b), r.Header["Zeta"], r.Trailer.Get("X-End"))
		w.Header().Set("X-Sum", "7")
	}, "h2", "http/1.1")
	m := &memory{}
	sender := New(Options{Recorder: m, Insecure: true})
	defer s.Close()
	body := strings.Repeat("b", 300<<10) // more than the windows that a connection begins with
	req := recordedH2("POST", "/x?y", body, flow.Field{Name: "zeta", Value: "1"}, flow.Field{Name: "user-agent", Value: "u"}, flow.Field{Name: "zeta", Value: "2"})
	req.Header.Add("trailer", "x-end")
	req.Trailers = flow.Header{{Name: "X-End", Value: "z"}}
	f, err := sender.Send(context.Background(), parentOf("https", addr), req)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("HTTP/2.0 %s /x?y %d [1 2] z", addr, len(body))
	if string(f.Response.Body.Data) != want || f.Status() != 403 || f.Response.Trailers.Get("x-sum") != "7" || f.Response.Proto != "HTTP/2.0" ||
		f.Request.Proto != "HTTP/2.0" || f.Conn.OriginTLS.ALPN != "h2" || len(f.Altered) > 0 {
		t.Errorf("got %q, %+v, altered %q", f.Response.Body.Data, f.Response, f.Altered)
	}
	if string(m.resp) != want || len(m.req) != len(body) || !slices.Equal(m.heads, []int{403}) || m.ends != 1 || m.end.Response.Body.Size != int64(len(want)) {
		t.Errorf("recorded %q, %d, %v, %+v", m.resp, len(m.req), m.heads, m.end)
	}
}

// The order of all fields, and what the connection begins with, are the client's.
func TestHTTP2IsSentAsTheClientDid(t *testing.T) {
	config := tlsConfig(t)
	config.NextProtos = []string{"h2"}
	got := make(chan string, 1)
	addr := origin(t, config, func(c net.Conn, br *bufio.Reader) {
		io.ReadFull(br, make([]byte, len(h2.Preface)))
		fr := http2.NewFramer(c, br)
		fr.WriteSettings()
		var b strings.Builder
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.SettingsFrame:
				f.ForeachSetting(func(s http2.Setting) error { fmt.Fprintf(&b, "%d=%d ", s.ID, s.Val); return nil })
			case *http2.WindowUpdateFrame:
				fmt.Fprintf(&b, "+%d ", f.Increment)
			case *http2.HeadersFrame:
				fields, _ := hpack.NewDecoder(4096, nil).DecodeFull(f.HeaderBlockFragment())
				for _, h := range fields {
					fmt.Fprintf(&b, "%s:%s:%v ", h.Name, h.Value, h.Sensitive)
				}
				got <- b.String()
				fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h2.NewEncoder().Block(flow.Header{{Name: ":status", Value: "204"}}), EndHeaders: true, EndStream: true})
				fr.ReadFrame()
			}
		}
	})
	parent := parentOf("https", addr)
	parent.Conn.HTTP2 = "1:65536;2:0;4:6291456|15663105|0|m,p,s,a"
	req := recordedH2("GET", "/", "", flow.Field{Name: ":authority", Value: "else.test"}, flow.Field{Name: "Zeta", Value: "1"}, flow.Field{Name: "connection", Value: "x"}, flow.Field{Name: "authorization", Value: "a"})
	f, err := New(Options{Recorder: &memory{}, Insecure: true}).Send(context.Background(), parent, req)
	if err != nil || f.Status() != 204 {
		t.Fatal(f, err)
	}
	want := "1=65536 2=0 4=6291456 +15663105 :method:GET:false :path:/:false :scheme:https:false :authority:else.test:false zeta:1:false authorization:a:true "
	if g := <-got; g != want {
		t.Errorf("sent\n%s, want\n%s", g, want)
	}
	if f.Conn.HTTP2 != parent.Conn.HTTP2 || f.Request.Header[0].Name != ":authority" {
		t.Errorf("recorded %q %+v", f.Conn.HTTP2, f.Request.Header)
	}
}

func TestAServerThatSpeaksNoHTTP2IsAskedOverHTTP1(t *testing.T) {
	s, addr := h2server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, r.Host) }, "http/1.1")
	defer s.Close()
	m := &memory{}
	f, err := New(Options{Recorder: m, Insecure: true}).Send(context.Background(), parentOf("https", addr), recordedH2("GET", "/", "", flow.Field{Name: "a", Value: "1"}))
	if err != nil || string(f.Response.Body.Data) != "HTTP/1.1"+addr || f.Request.Proto != "HTTP/1.1" ||
		!slices.Equal(f.Altered, []string{"sent over HTTP/1.1 instead of HTTP/2.0"}) || m.end.Request == nil || m.end.Request.Proto != "HTTP/1.1" {
		t.Errorf("got %v %+v, altered %q, recorded %+v", err, f, f.Altered, m.end.Request)
	}
}

func TestHTTP2AnswersThatFail(t *testing.T) {
	settings := h2.AppendSettings(nil)
	head := h2.AppendHeaders(nil, 1, false, h2.NewEncoder().Block(flow.Header{{Name: ":status", Value: "200"}}))
	for _, c := range []struct {
		name   string
		answer []byte
		says   string
	}{
		{"a reset", h2.AppendReset(settings, 1, h2.HTTP11Required), "HTTP_1_1_REQUIRED"},
		{"a goodbye", h2.AppendGoAway(settings, 0, 11, "slow down"), `ENHANCE_YOUR_CALM: the other side asks for too much, "slow down"`},
		{"nothing", settings, "without an answer"},
		{"HTTP/1", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak HTTP/2"},
		{"half an answer", slices.Concat(settings, head, h2.AppendFrame(nil, h2.Data, 0, 1, []byte("half"))), "ended after 4 bytes"},
		{"a header that cannot be read", slices.Concat(settings, h2.AppendHeaders(nil, 1, true, []byte{0xff, 0xff, 0xff, 0xff})), "compressed header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := tlsConfig(t)
			config.NextProtos = []string{"h2"}
			addr := origin(t, config, func(conn net.Conn, br *bufio.Reader) {
				fr := http2.NewFramer(io.Discard, br)
				io.ReadFull(br, make([]byte, len(h2.Preface)))
				for {
					if f, err := fr.ReadFrame(); err != nil || f.Header().Type == http2.FrameHeaders {
						break
					}
				}
				conn.Write(c.answer)
			})
			m := &memory{}
			f, err := New(Options{Recorder: m, Insecure: true}).Send(context.Background(), parentOf("https", addr), recordedH2("GET", "/", ""))
			if f == nil || err == nil || !strings.Contains(f.Err.Text, c.says) || f.Err.Side != "origin" || m.ends != 1 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestALargeAnswerOverHTTP2(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB: many windows
	s, addr := h2server(t, func(w http.ResponseWriter, r *http.Request) { w.Write(large) }, "h2")
	defer s.Close()
	parent := parentOf("https", addr)
	parent.Conn.HTTP2 = "4:65535|0|0|m,a,s,p"
	f, err := New(Options{Recorder: &memory{}, Insecure: true}).Send(context.Background(), parent, recordedH2("GET", "/", ""))
	if err != nil || !bytes.Equal(f.Response.Body.Data, large) {
		t.Fatal(err)
	}
	f, err = New(Options{Recorder: &memory{}, Insecure: true, MaxAnswer: 1000}).Send(context.Background(), parent, recordedH2("GET", "/", ""))
	if err == nil || f.Err.Side != "why403" {
		t.Error(err)
	}
}
