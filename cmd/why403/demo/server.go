// Package demo is a small web shop that refuses requests for real, and a client
// that trips over it: what `why403 demo` shows.
//
// Every refusal comes from a check that a changed request passes: a CSRF
// middleware, a bearer token check, a rate limiter and so on, each a plain
// http.Handler around the same application code that answers the accepted
// requests. Nothing is refused by a list of "bad" requests.
//
// The shop lives under shop.test (RFC 6761, 6.2: a name that no resolver
// knows), one name per service: www, api, id, pay, catalog, partner and cdn.
// Nothing leaves the machine: both listeners are on 127.0.0.1, and Resolve
// says which of them a name of the shop stands for.
//
// Server may be used by any number of goroutines between Start and Close; it
// keeps no more than a fixed number of rate windows and no other state that
// grows. Close ends open answers and waits for them.
package demo

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const maxBody = 1 << 20 // bytes of a request's body that a service reads

// Server is the shop. Make one with NewServer.
type Server struct {
	// Beat is the pause between two events of a stream, and the unit of the
	// slow answers. Set it before Start; 0 is 300 ms.
	Beat time.Duration

	now     func() time.Time
	key     []byte // signs the tokens of id.shop.test and the session cookies
	limiter *limiter
	orders  atomic.Int64            // placed since the start; numbers them
	hosts   map[string]http.Handler // by service name, such as "api"

	cert  tls.Certificate
	roots *x509.CertPool

	tls, plain net.Listener
	servers    []*http.Server
	stop       context.CancelFunc
	work       sync.WaitGroup // listeners' loops and open connections
}

// NewServer makes a shop whose clock is now: it decides what has expired, what
// is too often, and what the Date of an answer says.
func NewServer(now func() time.Time) *Server {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	s := &Server{now: now, key: key, limiter: newLimiter(now)}
	s.hosts = s.services()
	return s
}

// Start listens on two free ports of 127.0.0.1, one for HTTPS and one for plain HTTP,
// and serves until Close.
func (s *Server) Start() (err error) {
	if s.tls != nil {
		return errors.New("demo: the server was started before")
	}
	if s.Beat == 0 {
		s.Beat = 300 * time.Millisecond
	}
	if s.cert, s.roots, err = throwAway(); err != nil {
		return err
	}
	if s.tls, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if s.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		s.tls.Close()
		return fmt.Errorf("demo: %w", err)
	}

	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	secure := tls.NewListener(s.tls, &tls.Config{
		Certificates: []tls.Certificate{s.cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
	s.serve(ctx, secure, http.HandlerFunc(s.dispatch))
	s.serve(ctx, s.plain, http.HandlerFunc(toHTTPS))
	return nil
}

func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler:           s.common(h),
		ConnState:         s.track,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // the terminal belongs to the UI
	}
	s.servers = append(s.servers, srv)
	s.work.Go(func() { srv.Serve(l) })
}

// track makes Close wait for every connection, and with it for every handler:
// net/http announces a new one from Serve's own goroutine, which work counts
// too, and a closed one after its handler has returned.
func (s *Server) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.work.Add(1)
	case http.StateClosed:
		s.work.Done()
	}
}

// common is what all services of the shop have: a Date by the shop's clock and a bounded body.
func (s *Server) common(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		h.ServeHTTP(w, r)
	})
}

// Close stops listening, ends the open answers and waits for them. It is safe to call twice.
func (s *Server) Close() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Close())
	}
	s.work.Wait()
	s.servers = nil
	return errors.Join(errs...)
}

// dispatch finds the service by the first label of Host, so that api.shop.test
// and api.shop.localhost are the same one.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	h, ok := s.hosts[service(r.Host)]
	if !ok {
		// RFC 9110, 15.5.20: the request reached a server that does not answer for this host.
		w.Header().Set("Server", "shop-edge/1.9")
		answerJSON(w, http.StatusMisdirectedRequest, map[string]string{"error": "misdirected_request", "message": "no service of the shop is called " + r.Host})
		return
	}
	h.ServeHTTP(w, r)
}

// service is "api" for api.shop.test:443, "www" for shop.test and addresses, "" for what is not of the shop.
func service(hostport string) string {
	host := strings.ToLower(hostport)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, domain := range []string{"shop.test", "shop.localhost"} {
		if host == domain {
			return "www"
		}
		if label, ok := strings.CutSuffix(host, "."+domain); ok {
			return label
		}
	}
	if host == "localhost" || net.ParseIP(strings.Trim(host, "[]")).IsLoopback() {
		return "www"
	}
	return ""
}

func toHTTPS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "shop-edge/1.9")
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
}
