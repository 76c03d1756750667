package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/h2"
)

// h2origin is a server of HTTP/2 as Go has it.
func (l *lab) h2origin(handler http.HandlerFunc) *origin {
	config := l.origins.config()
	config.NextProtos = []string{"h2", "http/1.1"}
	return l.origin(config, func(p *peer) { serveH2(p.Conn, handler) })
}

// serveH2 serves one connection, with or without TLS, to its end.
func serveH2(conn net.Conn, handler http.HandlerFunc) {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	l := &oneConn{conn: conn, over: make(chan struct{})}
	s := &http.Server{Handler: handler, Protocols: &protocols, ErrorLog: log.New(io.Discard, "", 0), HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000},
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				l.Close()
			}
		}}
	s.Serve(l)
}

// oneConn is a listener to which one connection comes. It is closed when that is.
type oneConn struct {
	conn net.Conn
	once sync.Once
	over chan struct{}
	mu   sync.Mutex
}

func (o *oneConn) Accept() (net.Conn, error) {
	o.mu.Lock()
	c := o.conn
	o.conn = nil
	o.mu.Unlock()
	if c != nil {
		return c, nil
	}
	<-o.over
	return nil, net.ErrClosed
}

func (o *oneConn) Close() error   { o.once.Do(func() { close(o.over) }); return nil }
func (o *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// h2client is a client of HTTP/2 as Go has it, in an intercepted tunnel to o.
func (l *lab) h2client(o *origin) *http.ClientConn {
	l.t.Helper()
	p := l.secure(l.connect(o.addr), "app.test", "h2", "http/1.1")
	if got := p.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "h2" {
		l.t.Fatalf("agreed on %q", got)
	}
	return l.speakH2(p, "https")
}

// speakH2 has Go's client speak HTTP/2 on p.
func (l *lab) speakH2(p *peer, scheme string) *http.ClientConn {
	l.t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	dial := func(context.Context, string, string) (net.Conn, error) { return p.Conn, nil }
	t := &http.Transport{Protocols: &protocols, DialContext: dial, DialTLSContext: dial, DisableCompression: true, HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true}}
	p.SetDeadline(time.Now().Add(patience))
	c, err := t.NewClientConn(l.t.Context(), scheme, "app.test:443")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close(); p.Close() })
	return c
}

func h2request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rawPair is a client and an origin that are written frame by frame.
type rawPair struct {
	client, origin *http2.Framer
	c, o           *peer
}

// rawH2 joins a rawPair.
func (l *lab) rawH2() *rawPair {
	l.t.Helper()
	config := l.origins.config()
	config.NextProtos = []string{"h2"}
	came, leave := make(chan *peer, 1), make(chan bool)
	o := l.origin(config, func(p *peer) {
		p.take(len(h2.Preface))
		came <- p
		<-leave
	})
	l.t.Cleanup(func() { close(leave) })
	p := l.secure(l.connect(o.addr), "app.test", "h2")
	p.SetDeadline(time.Now().Add(patience))
	p.send(h2.Preface)
	r := &rawPair{c: p, o: receive(l.t, came)}
	r.client, r.origin = http2.NewFramer(p, p.br), http2.NewFramer(r.o, r.o.br)
	return r
}

// ask sends a request on a stream, whose end is yet to come.
func (r *rawPair) ask(stream uint32, path string) {
	block := h2.NewEncoder().Block(flow.Header{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path}, {Name: ":authority", Value: "app.test"}})
	r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true})
}

func (r *rawPair) answer(stream uint32, status string, end bool) {
	r.origin.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: h2.NewEncoder().Block(flow.Header{{Name: ":status", Value: status}}), EndHeaders: true, EndStream: end})
}

// until reads frames up to one of type T.
func until[T http2.Frame](t testing.TB, f *http2.Framer) (got T) {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("no %T came: %v", got, err)
		}
		if got, ok := frame.(T); ok {
			return got
		}
	}
}

// hasty are limits that no test has to wait for.
func hasty() limits {
	l := usual
	l.half, l.linger = 50*time.Millisecond, 50*time.Millisecond
	return l
}
