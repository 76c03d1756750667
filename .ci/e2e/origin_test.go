//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// origin is a server that keeps each request as the bytes in which it came, and
// answers any of them. It speaks HTTP/1 alone; nginx and Apache stand before it
// for HTTP/2.
type origin struct {
	plain, secure string // URLs without a path
	address       string // of the plain one

	mu   sync.Mutex
	came []arrival
}

// arrival is one request as its bytes.
type arrival struct{ path, raw string }

func openOrigin(t *testing.T, certs string) *origin {
	t.Helper()
	o := &origin{}
	cert, err := tls.LoadX509KeyPair(filepath.Join(certs, "server.crt"), filepath.Join(certs, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:     o,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, wireKey{}, c) },
	}
	serve := func(wrap func(net.Listener) net.Listener) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(taped{wrap(l)})
		return l.Addr().String()
	}
	o.address = serve(func(l net.Listener) net.Listener { return l })
	secure := serve(func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	})
	_, port, _ := net.SplitHostPort(secure)
	o.plain, o.secure = "http://"+o.address, "https://localhost:"+port
	t.Cleanup(func() { server.Close() })
	return o
}

type wireKey struct{}

// taped gives connections that keep what is read from them.
type taped struct{ net.Listener }

func (l taped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tapedConn{Conn: c}, nil
}

type tapedConn struct {
	net.Conn
	mu   sync.Mutex
	came []byte
}

func (c *tapedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.came = append(c.came, p[:n]...)
	c.mu.Unlock()
	return n, err
}

// take is what came since it was asked last: one request, for none of these clients sends two at once.
func (c *tapedConn) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := string(c.came)
	c.came = nil
	return s
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	raw := r.Context().Value(wireKey{}).(*tapedConn).take()
	o.mu.Lock()
	o.came = append(o.came, arrival{r.URL.Path, raw})
	o.mu.Unlock()
	w.Header().Set("Date", "Mon, 02 Mar 2026 10:00:00 GMT")
	w.Header()["x-CASE"] = []string{"1"}
	w.Header().Add("Set-Cookie", "a=1; Path=/")
	w.Header().Add("Set-Cookie", "b=2; Path=/")
	switch r.URL.Path {
	case "/page":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		http.ServeFile(w, r, "testdata/page.html")
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
			w.(http.Flusher).Flush()
		}
	case "/socket":
		o.socket(w, r)
	case "/denied":
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "no")
	default:
		fmt.Fprintf(w, "%s %s: %d bytes", r.Method, r.URL.Path, len(body))
	}
}

// socket echoes two messages in upper case, and closes.
func (o *origin) socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover, CompressionThreshold: 20})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for range 2 {
		kind, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, []byte(strings.ToUpper(string(data)))); err != nil {
			return
		}
	}
	c.Close(4001, "enough")
}

// requests are those since the last call, in the order in which they came.
func (o *origin) requests() []arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.came
	o.came = nil
	return list
}
