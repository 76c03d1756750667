package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
)

func TestAClientThatAgreesOnHTTP2AndSpeaksSomethingElse(t *testing.T) {
	l := newLab(t)
	config := l.origins.config()
	config.NextProtos = []string{"h2"}
	o := l.origin(config, func(p *peer) {
		if got := p.all(); got != "" {
			t.Errorf("the origin got %q", got)
		}
	})
	p := l.secure(l.connect(o.addr), "app.test", "h2")
	p.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
	f := http2.NewFramer(p, p.br)
	if g := until[*http2.GoAwayFrame](t, f); g.ErrCode != http2.ErrCodeProtocol {
		t.Errorf("got %v", g)
	}
	p.Close()
	if f := l.tape.done(t, 1).flow; f.Kind != flow.Rejected || !strings.Contains(f.Err.Text, "HTTP/2") || f.Request.Method != "GET" {
		t.Errorf("recorded %s %v %+v", f.Kind, f.Err, f.Request)
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	l := newLab(t)
	o := l.origin(nil, func(p *peer) {
		serveH2(p.Conn, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, r.Host) })
	})
	c := l.speakH2(l.connect(o.addr), "http")
	resp, err := c.RoundTrip(h2request(t, "GET", "http://"+o.addr+"/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != "HTTP/2.0"+o.addr {
		t.Errorf("got %q", b)
	}
	c.Close()
	if f := l.tape.done(t, 1).flow; f.URL() != "http://"+o.addr+"/x" || f.Request.Proto != "HTTP/2.0" || len(f.Request.Header) == 0 || f.Request.Header[0].Name == ":authority" {
		t.Errorf("recorded %s %+v", f.URL(), f.Request)
	}
}

func TestHTTP2ToTheProxysOwnPort(t *testing.T) {
	l := newLab(t)
	c := l.speakH2(l.dial(), "http")
	resp, err := c.RoundTrip(h2request(t, "GET", "http://app.test/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || resp.Header.Get(Mark) != string(notProxied) || !strings.Contains(string(b), "--proxytunnel") {
		t.Errorf("got %v %q", resp, b)
	}
	c.Close()
	if f := l.tape.done(t, 1).flow; f.URL() != "http://app.test/x" || f.Status() != 400 || f.Err == nil || f.Err.Side != "client" {
		t.Errorf("recorded %s %v", f.URL(), f.Err)
	}
}

// In front of a server, HTTP/2 goes on as HTTP/2: by TLS to a server that has it, in the clear to one that is spoken to in the clear.
func TestHTTP2InFrontOfAServer(t *testing.T) {
	for _, c := range []struct {
		name string
		tls  []string // ALPN; nil: no TLS
		want int
	}{{"plain", nil, 200}, {"TLS", []string{"h2", "http/1.1"}, 200}, {"TLS without HTTP/2", []string{"http/1.1"}, 502}} {
		t.Run(c.name, func(t *testing.T) {
			handler := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, r.Host) }
			ln := listen(t)
			aim := &url.URL{Scheme: "http", Host: ln.Addr().String()}
			var config *tls.Config
			if c.tls != nil {
				aim.Scheme, config = "https", originAuthority().config()
				config.NextProtos = c.tls
			}
			l := newLab(t, func(o *Options) { o.Reverse = aim })
			l.originOn(ln, config, func(p *peer) {
				serveH2(p.Conn, handler)
			})
			cc := l.speakH2(l.dial(), "http")
			resp, err := cc.RoundTrip(h2request(t, "GET", "http://called.test/x", nil))
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(resp.Body); resp.StatusCode != c.want || c.want == 200 && string(b) != "HTTP/2.0called.test" {
				t.Errorf("got %d %q", resp.StatusCode, b)
			}
			cc.Close()
			if f := l.tape.done(t, 1).flow; f.URL() != aim.String()+"/x" || f.Request.Header.Get(":authority") != "called.test" {
				t.Errorf("recorded %s %+v", f.URL(), f.Request)
			}
		})
	}
}

func TestHTTP2ThatNamesTheServer(t *testing.T) {
	ln := listen(t)
	aim := &url.URL{Scheme: "http", Host: ln.Addr().String()}
	l := newLabWith(t, hasty(), func(o *Options) { o.Reverse, o.RewriteHost = aim, true })
	l.originOn(ln, nil, func(p *peer) {
		serveH2(p.Conn, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
	})
	resp, err := l.speakH2(l.dial(), "http").RoundTrip(h2request(t, "GET", "http://called.test/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != aim.Host {
		t.Errorf("the server was called %q", b)
	}
	if f := l.tape.done(t, 1).flow; f.Request.Header.Has(":authority") || !slices.Contains(f.Altered, hostAltered("called.test", aim.Host)) {
		t.Errorf("recorded %+v %q", f.Request, f.Altered)
	}
}

func TestWebSocketOverHTTP2(t *testing.T) {
	l := newLab(t)
	r := l.rawH2()
	block := h2.NewEncoder().Block(flow.Header{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: "https"},
		{Name: ":path", Value: "/chat"}, {Name: ":authority", Value: "app.test"}, {Name: "sec-websocket-version", Value: "13"}})
	r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
	until[*http2.HeadersFrame](t, r.origin)
	r.answer(1, "200", false)
	until[*http2.HeadersFrame](t, r.client)
	r.client.WriteData(1, false, []byte("\x81\x85\x00\x00\x00\x00hello"))
	until[*http2.DataFrame](t, r.origin)
	r.origin.WriteData(1, true, []byte("\x81\x02ok"))
	until[*http2.DataFrame](t, r.client)
	r.client.WriteData(1, true, nil)
	rec := l.tape.done(t, 1)
	if f := rec.flow; f.Err != nil || f.Request.Target != "/chat" || f.Request.Header.Get(":protocol") != "websocket" || f.Status() != 200 {
		t.Errorf("recorded %v %+v", f.Err, f.Request)
	}
	said := map[bool]string{} // recorded by two goroutines, in either order
	for _, m := range rec.messages {
		said[m.FromClient] += fmt.Sprint(m.Kind, " ", string(m.Data))
	}
	if said[true] != "text hello" || said[false] != "text ok" {
		t.Errorf("recorded %v", said)
	}
}
