package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
	"github.com/why403/why403/proxy/wire"
)

func TestHTTP2IsAgreedOnAsTheOriginDoes(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct{ offered, has, want string }{
		{"h2,http/1.1", "h2,http/1.1", "h2"},
		{"h2,http/1.1", "http/1.1", "http/1.1"},
		{"h2,http/1.1", "", ""},
		{"http/1.1,h2", "h2,http/1.1", "h2"},
		{"h2", "h2", "h2"},
		{"http/1.1", "h2,http/1.1", "http/1.1"},
		{"", "h2,http/1.1", ""},
	} {
		config := l.origins.config()
		if c.has != "" {
			config.NextProtos = strings.Split(c.has, ",")
		}
		o := l.origin(config, func(p *peer) { p.take(1) })
		var offered []string
		if c.offered != "" {
			offered = strings.Split(c.offered, ",")
		}
		p := l.secure(l.connect(o.addr), "app.test", offered...)
		if got := p.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != c.want {
			t.Errorf("%+v: agreed on %q", c, got)
		}
		p.send("x")
		p.Close()
	}
}

// Whatever is sent arrives as it was sent, in both directions, and is recorded.
func TestHTTP2BytesAreLeftAlone(t *testing.T) {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{
		{Name: ":path", Value: "/a?b"}, {Name: ":method", Value: "POST"}, {Name: ":authority", Value: "app.test"}, {Name: ":scheme", Value: "https"},
		{Name: "zeta", Value: "1"}, {Name: "authorization", Value: "Bearer x", Sensitive: true}, {Name: "a", Value: ""}, {Name: "zeta", Value: "2"},
	} {
		enc.WriteField(f)
	}
	fragment := block.Bytes()
	up := []byte(h2.Preface)
	up = h2.AppendSettings(up, h2.Setting{ID: 1, Value: 65536}, h2.Setting{ID: 4, Value: 131072}, h2.Setting{ID: 0x4242, Value: 7})
	up = h2.AppendWindowUpdate(up, 0, 15663105)
	up = h2.AppendFrame(up, h2.Priority, 0, 3, []byte{0, 0, 0, 0, 200})
	// A HEADERS with padding and priority, and two CONTINUATIONs, one of them empty.
	up = h2.AppendFrame(up, h2.Headers, h2.FlagPadded|h2.FlagPriority, 1, slices.Concat([]byte{3, 0x80, 0, 0, 0, 255}, fragment[:10], []byte{0, 0, 0}))
	up = h2.AppendFrame(up, h2.Continuation, 0, 1, nil)
	up = h2.AppendFrame(up, h2.Continuation, h2.FlagEndHeaders, 1, fragment[10:])
	up = h2.AppendFrame(up, h2.Data, h2.FlagPadded, 1, slices.Concat([]byte{5}, []byte("hello "), []byte{9, 9, 9, 9, 9}))
	up = h2.AppendFrame(up, 0xfa, 0x55, 1, []byte("unknown"))
	up = h2.AppendFrame(up, h2.Ping, 0, 0, []byte("12345678"))
	up = h2.AppendFrame(up, h2.Data, h2.FlagEndStream, 1, []byte("world"))

	reply := h2.NewEncoder()
	down := h2.AppendSettings(nil, h2.Setting{ID: 3, Value: 1})
	down = h2.AppendFrame(down, h2.Settings, h2.FlagAck, 0, nil)
	down = h2.AppendHeaders(down, 1, false, reply.Block(flow.Header{{Name: ":status", Value: "103"}, {Name: "link", Value: "</x>"}}))
	down = h2.AppendHeaders(down, 1, false, reply.Block(flow.Header{{Name: ":status", Value: "403"}, {Name: "server", Value: "waf"}}))
	down = h2.AppendFrame(down, h2.Data, h2.FlagPadded, 1, []byte("\x01no\x00"))
	down = h2.AppendFrame(down, h2.Ping, h2.FlagAck, 0, []byte("12345678"))
	down = h2.AppendHeaders(down, 1, true, reply.Block(flow.Header{{Name: "grpc-status", Value: "7"}}))

	for name, whole := range map[string]bool{"at once": true, "byte by byte": false} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			config := l.origins.config()
			config.NextProtos = []string{"h2"}
			o := l.origin(config, func(p *peer) {
				if got := p.take(len(up)); got != string(up) {
					t.Errorf("the origin got\n%q, want\n%q", got, up)
				}
				deal(p, down, whole)
				p.all()
			})
			p := l.secure(l.connect(o.addr), "app.test", "h2")
			deal(p, up, whole)
			if got := p.take(len(down)); got != string(down) {
				t.Errorf("the client got\n%q, want\n%q", got, down)
			}
			r := l.tape.done(t, 1)
			f := r.flow
			want := flow.Header{{Name: "zeta", Value: "1"}, {Name: "authorization", Value: "Bearer x"}, {Name: "a"}, {Name: "zeta", Value: "2"}}
			if f.Err != nil || f.Kind != flow.Exchange || f.Request.Method != "POST" || f.Request.Target != "/a?b" || f.Request.Proto != "HTTP/2.0" ||
				f.Scheme != "https" || !slices.Equal(f.Request.Header, append(flow.Header{{Name: ":authority", Value: "app.test"}}, want...)) ||
				string(r.reqBody) != "hello world" || f.Request.Body.Size != 11 {
				t.Errorf("recorded %v, %s %s %+v, body %q", f.Err, f.Request.Method, f.URL(), f.Request, r.reqBody)
			}
			if len(f.Interim) != 1 || f.Interim[0].Status != 103 || f.Response.Status != 403 || f.Response.Header.Get("server") != "waf" ||
				string(r.respBody) != "no" || f.Response.Trailers.Get("grpc-status") != "7" {
				t.Errorf("recorded %+v, %+v, body %q", f.Interim, f.Response, r.respBody)
			}
			if f.Conn.HTTP2 != "1:65536;4:131072;16962:7|15663105|1|p,m,a,s" || f.Conn.ClientTLS.ALPN != "h2" || f.Conn.OriginTLS.ALPN != "h2" || f.Conn.Reused {
				t.Errorf("recorded %q %+v", f.Conn.HTTP2, f.Conn)
			}
			if !f.Unaltered() {
				t.Errorf("recorded as %+v, altered %q", f.Fidelity, f.Altered)
			}
			ti := f.Times
			for i, at := range []time.Time{ti.ConnectDone, ti.TLSDone, ti.Start, ti.RequestSent, ti.FirstByte, ti.End} {
				if at.IsZero() || i > 0 && at.Before(ti.ConnectDone) {
					t.Errorf("times %+v", ti)
				}
			}
		})
	}
}

// deal sends b, at once or byte by byte.
func deal(p *peer, b []byte, whole bool) {
	if whole {
		p.Write(b)
		return
	}
	for i := range b {
		if _, err := p.Write(b[i : i+1]); err != nil {
			return
		}
	}
}

func TestHTTP2BetweenRealPeers(t *testing.T) {
	l := newLab(t)
	o := l.h2origin(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL, len(b))
		w.Header().Set("X-Sum", fmt.Sprint(len(b)))
	})
	c := l.h2client(o)
	const streams = 300
	var all sync.WaitGroup
	for i := range streams {
		all.Go(func() {
			body := strings.Repeat("x", i*100)
			resp, err := c.RoundTrip(h2request(t, "POST", fmt.Sprintf("https://app.test/%d", i), strings.NewReader(body)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, _ := io.ReadAll(resp.Body); string(got) != fmt.Sprintf("POST /%d %d", i, len(body)) || resp.Trailer.Get("X-Sum") != fmt.Sprint(len(body)) {
				t.Errorf("%d: got %q, trailers %v", i, got, resp.Trailer)
			}
		})
	}
	all.Wait()
	reused := 0
	for id := range streams {
		r := l.tape.done(t, flow.ID(id+1))
		f := r.flow
		n := 0
		fmt.Sscanf(f.Request.Target, "/%d", &n)
		if f.Err != nil || len(r.reqBody) != n*100 || f.Request.Body.Size != int64(n*100) || string(r.respBody) != fmt.Sprintf("POST /%d %d", n, n*100) ||
			f.Response.Trailers.Get("x-sum") != fmt.Sprint(n*100) || f.Response.Status != 200 {
			t.Fatalf("recorded %v %s, %d bytes, %+v %q", f.Err, f.Request.Target, len(r.reqBody), f.Response, r.respBody)
		}
		if f.Conn.Reused {
			reused++
		}
	}
	if l.tape.count() != streams || reused != streams-1 || o.conns() != 1 {
		t.Errorf("%d flows, %d on a reused connection, %d connections", l.tape.count(), reused, o.conns())
	}
}

// message is a message of gRPC with its prefix.
func grpcMessage(s string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(s))), s...)
}

// A call in which both sides speak in turn, as gRPC's bidirectional streams do: nothing may be held back.
func TestHTTP2BothWaysAtOnce(t *testing.T) {
	l := newLab(t)
	o := l.h2origin(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.(http.Flusher).Flush()
		buf := make([]byte, 9)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				break
			}
			w.Write(buf)
			w.(http.Flusher).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "7")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "permission denied")
	})
	c := l.h2client(o)
	body, feed := io.Pipe()
	q := h2request(t, "POST", "https://app.test/pkg.Service/Call", body)
	q.Header.Set("Content-Type", "application/grpc")
	q.Header.Set("Te", "trailers")
	resp, err := c.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 9)
	for i := range 5 {
		m := grpcMessage(fmt.Sprintf("ms%02d", i))
		feed.Write(m)
		if _, err := io.ReadFull(resp.Body, buf); err != nil || !bytes.Equal(buf, m) {
			t.Fatalf("got %q %v", buf, err)
		}
	}
	l.tape.wait(t, 1, func(r *recorded) bool { return len(r.reqBody) == 45 && len(r.respBody) == 45 })
	feed.Close()
	io.ReadAll(resp.Body)
	f := l.tape.done(t, 1).flow
	if f.Response.Trailers.Get("grpc-status") != "7" || f.Response.Trailers.Get("grpc-message") != "permission denied" || f.Err != nil || !f.Request.Header.HasToken("te", "trailers") {
		t.Errorf("recorded %v %+v", f.Err, f.Response)
	}
}

func TestHTTP2LargeHeader(t *testing.T) {
	l := newLab(t)
	value := strings.Repeat("0123456789abcdef", 5000) // 80 KB: six frames
	o := l.h2origin(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Large", r.Header.Get("X-Large"))
	})
	c := l.h2client(o)
	for i := range 2 {
		q := h2request(t, "GET", "https://app.test/", nil)
		q.Header.Set("X-Large", value)
		resp, err := c.RoundTrip(q)
		if err != nil || resp.Header.Get("X-Large") != value {
			t.Fatal(resp, err)
		}
		if f := l.tape.done(t, flow.ID(i+1)).flow; f.Request.Header.Get("x-large") != value || f.Response.Header.Get("x-large") != value || f.Request.Body.Framing != flow.NoBody {
			t.Errorf("recorded %d and %d bytes", len(f.Request.Header.Get("x-large")), len(f.Response.Header.Get("x-large")))
		}
	}
}

func TestHTTP2StreamsThatAreBrokenOff(t *testing.T) {
	for _, c := range []struct {
		name       string
		script     func(t *testing.T, r *rawPair)
		status     int
		side, says string // "": no failure
	}{
		{"by the client", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.client.WriteRSTStream(1, http2.ErrCodeCancel)
			if f := until[*http2.RSTStreamFrame](t, r.origin); f.ErrCode != http2.ErrCodeCancel {
				t.Errorf("the origin got %v", f)
			}
		}, 0, "client", "CANCEL"},
		{"by the server", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.origin.WriteRSTStream(1, http2.ErrCodeHTTP11Required)
			until[*http2.RSTStreamFrame](t, r.client)
		}, 0, "origin", "HTTP_1_1_REQUIRED"},
		{"by the server in the middle of its answer", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.answer(1, "200", false)
			r.origin.WriteRSTStream(1, http2.ErrCodeInternal)
		}, 200, "origin", "INTERNAL_ERROR"},
		{"by the server, which has answered without waiting for the request", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.answer(1, "413", true)
			r.origin.WriteRSTStream(1, http2.ErrCodeNo)
			until[*http2.RSTStreamFrame](t, r.client)
		}, 413, "", ""},
		{"by a server that is leaving", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.origin.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
			if f := until[*http2.GoAwayFrame](t, r.client); string(f.DebugData()) != "too_many_pings" {
				t.Errorf("the client got %v", f)
			}
		}, 0, "origin", `did not process this request`},
		{"by a server that went away", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.o.Close()
			r.c.all()
		}, 0, "origin", "closed the connection before the answer"},
		{"by a client that went away", func(t *testing.T, r *rawPair) {
			until[*http2.HeadersFrame](t, r.origin)
			r.c.Close()
			for {
				if _, err := r.origin.ReadFrame(); err != nil {
					break
				}
			}
		}, 0, "client", "closed the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLabWith(t, hasty())
			r := l.rawH2()
			r.ask(1, "/")
			c.script(t, r)
			f := l.tape.done(t, 1).flow
			if f.Status() != c.status || (f.Err == nil) != (c.side == "") || f.Err != nil && (f.Err.Side != c.side || !strings.Contains(f.Err.Text, c.says)) {
				t.Errorf("recorded %d %v", f.Status(), f.Err)
			}
		})
	}
}

// A slow reader slows the sender by HTTP/2's own windows: nothing piles up here.
func TestHTTP2FlowControlIsBetweenTheEnds(t *testing.T) {
	l := newLab(t)
	r := l.rawH2()
	r.ask(1, "/")
	until[*http2.HeadersFrame](t, r.origin)
	r.client.WriteWindowUpdate(1, 77)
	if f := until[*http2.WindowUpdateFrame](t, r.origin); f.Increment != 77 || f.StreamID != 1 {
		t.Errorf("the origin got %v", f)
	}
	r.client.WriteData(1, true, make([]byte, 10000))
	for n := 0; n < 10000; {
		f, err := r.origin.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			n += len(f.Data())
		case *http2.WindowUpdateFrame:
			t.Errorf("credit from nowhere: %v", f)
		}
	}
	r.answer(1, "200", true)
	for {
		f, err := r.client.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := f.(*http2.WindowUpdateFrame); ok {
			t.Errorf("credit from nowhere: %v", w)
		}
		if _, ok := f.(*http2.HeadersFrame); ok {
			break
		}
	}
	l.tape.done(t, 1)
}

func TestHTTP2OriginThatIsNotThere(t *testing.T) {
	gone := listen(t)
	gone.Close()
	for _, c := range []struct {
		name    string
		offered []string
		agreed  string
	}{{"a client that also speaks HTTP/1.1", []string{"h2", "http/1.1"}, "http/1.1"}, {"a client that does not", []string{"h2"}, "h2"}} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p := l.secure(l.connect(gone.Addr().String()), "app.test", c.offered...)
			if got := p.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != c.agreed {
				t.Fatalf("agreed on %q", got)
			}
			if c.agreed == "h2" {
				cc := l.speakH2(p, "https")
				resp, err := cc.RoundTrip(h2request(t, "POST", "https://app.test/x", strings.NewReader("body")))
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != 502 || resp.Header.Get(Mark) != string(wire.CannotDial) || !strings.HasPrefix(string(b), "why403: ") {
					t.Errorf("got %v %q", resp, b)
				}
				cc.Close()
			} else {
				p.send(get("", "/x", "app.test"))
				if m, _ := p.message(); !strings.HasPrefix(m, "HTTP/1.1 502 ") {
					t.Errorf("got %q", m)
				}
			}
			f := l.tape.done(t, 1).flow
			if f.Status() != 502 || f.Err == nil || f.Err.Op != "dial" || f.Request.Target != "/x" || f.Response.Header.Get(Mark) == "" {
				t.Errorf("recorded %d %v %s", f.Status(), f.Err, f.Request.Target)
			}
		})
	}
}

// Where a peer breaks the compression, the connection goes on as long as the other end likes it.
func TestHTTP2ThatCannotBeFollowed(t *testing.T) {
	l := newLabWith(t, hasty())
	r := l.rawH2()
	r.ask(1, "/")
	until[*http2.HeadersFrame](t, r.origin)
	r.origin.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
	until[*http2.HeadersFrame](t, r.client)
	r.client.WriteData(1, true, []byte("still passed on"))
	if f := until[*http2.DataFrame](t, r.origin); string(f.Data()) != "still passed on" {
		t.Errorf("the origin got %v", f)
	}
	r.c.Close()
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "origin" || !strings.Contains(f.Err.Text, "compressed") || len(f.Altered) != 1 {
		t.Errorf("recorded %v %q", f.Err, f.Altered)
	}
	if f := l.tape.done(t, 2).flow; f.Kind != flow.Tunnel || f.Request.Body.Size == 0 || !strings.Contains(f.Altered[0], "could not follow") {
		t.Errorf("recorded %s %q", f.Kind, f.Altered)
	}
}

func TestHTTP2ServerPush(t *testing.T) {
	l := newLab(t)
	r := l.rawH2()
	r.ask(1, "/")
	until[*http2.HeadersFrame](t, r.origin)
	enc := h2.NewEncoder()
	r.origin.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true,
		BlockFragment: enc.Block(flow.Header{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/style"}, {Name: ":authority", Value: "app.test"}})})
	for _, id := range []uint32{1, 2} {
		r.origin.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: enc.Block(flow.Header{{Name: ":status", Value: "200"}}), EndHeaders: true, EndStream: true})
	}
	r.client.WriteData(1, true, nil)
	got := map[string]bool{} // in the order in which the two directions were recorded
	for id := range flow.ID(2) {
		f := l.tape.done(t, id+1).flow
		if got[f.Request.Target] = true; f.Status() != 200 || f.Err != nil {
			t.Errorf("recorded %s %d %v", f.Request.Target, f.Status(), f.Err)
		}
	}
	if !got["/"] || !got["/style"] {
		t.Errorf("recorded %v", got)
	}
}

// A connection without open streams is closed when it has been quiet for long, and by Shutdown at once.
func TestQuietHTTP2IsClosed(t *testing.T) {
	limits := hasty()
	limits.idle = 100 * time.Millisecond
	l := newLabWith(t, limits)
	r := l.rawH2()
	r.ask(1, "/")
	until[*http2.HeadersFrame](t, r.origin)
	r.answer(1, "200", true)
	r.client.WriteData(1, true, nil)
	for { // until the proxy closes
		if _, err := r.client.ReadFrame(); err != nil {
			break
		}
	}
	if f := l.tape.done(t, 1).flow; f.Err != nil {
		t.Error(f.Err)
	}
}

// A receiver that does not read stops its sender, and nothing piles up between them.
func TestHTTP2BodyThatIsNotRead(t *testing.T) {
	l := newLabWith(t, hasty(), func(o *Options) { o.MaxBody = 1 << 10 })
	sent := make(chan int64, 1)
	o := l.h2origin(func(w http.ResponseWriter, r *http.Request) {
		var n int64
		piece := make([]byte, 64<<10)
		for r.Context().Err() == nil && n < 1<<30 {
			m, err := w.Write(piece)
			if n += int64(m); err != nil {
				break
			}
		}
		sent <- n
	})
	c := l.h2client(o)
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := c.RoundTrip(h2request(t, "GET", "https://app.test/", nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(resp.Body, make([]byte, 1<<20))
	l.tape.wait(t, 1, func(r *recorded) bool { return r.sizes[flow.ResponseBody] > 4<<20 }) // what the client grants ahead
	cancel()
	if n := receive(t, sent); n > 16<<20 {
		t.Errorf("the server could send %d MiB to a client that does not read", n>>20)
	}
	resp.Body.Close()
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "client" || f.Response.Body.Size < 4<<20 {
		t.Errorf("recorded %v %+v", f.Err, f.Response.Body)
	}
}
