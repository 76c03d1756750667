package proxy

import (
	"bufio"
	"errors"
	"net"
	"net/http"
)

var errNoAnswer = errors.New("proxy: the client is not answered")

// responseWriter is what goproxy believes it writes the answer to. The bytes
// do not come this way: goproxy's io.Copy hands them to exchange.WriteTo, which
// writes the head as it was received, together with the first of the body.
type responseWriter struct {
	x      *exchange
	header http.Header
}

func (w *responseWriter) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

func (w *responseWriter) WriteHeader(int) {}

func (w *responseWriter) Write([]byte) (int, error) {
	return 0, errors.New("proxy: an answer that did not come from a server")
}

// Flush is there for goproxy, which flushes event streams. Nothing is held back.
func (w *responseWriter) Flush() {}

// Hijack is how goproxy takes the connection of a CONNECT, to give it to our tunnel.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.x.c.conn, nil, nil }
