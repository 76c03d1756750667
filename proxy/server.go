package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/proxy/wire"
)

// Recorder takes down the flows; session.Store is one.
type Recorder = wire.Recorder

// Options configure a Server.
type Options struct {
	Store    Recorder
	CA       *certs.CA
	Roots    *x509.CertPool // that origins are verified against; nil: the system's
	Insecure bool           // go on although an origin's certificate does not verify
	// Identities are the certificates that origins get when they ask for one;
	// MinTLS and MaxTLS bound the versions that they are offered, 0 does not.
	Identities     wire.Identities
	MinTLS, MaxTLS uint16
	// Ignore are hosts (written as in Tunnel) that are passed through and not recorded at all.
	Ignore []string
	// SameUser turns clients away that are not known to run as our user (or root):
	// who may use us has what we have, such as Identities. Not on all systems, see CanTellUsers.
	SameUser bool
	userOf   func(client, local netip.AddrPort) (uid int, known bool) // nil: the system says
	// RequestID makes the X-Request-Id of a request that comes without an id of its own; nil: none is added.
	RequestID func() string
	// Dial makes connections to origins; nil: directly. No proxy variable of the environment is looked at.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Upstream is the proxy after us that every connection to an origin goes through; nil: none.
	Upstream *wire.Proxy
	// Reverse is a server (http or https, no path) that we stand for: every
	// request goes there as it came, whatever its target and Host. nil: we are a proxy.
	Reverse     *url.URL
	RewriteHost bool // with Reverse: Host says Reverse's host, not what the client called us
	// ProxyAuth is the user:password that clients of the proxy must give, by
	// Basic or by SOCKS5; "": none. It goes no further than here.
	ProxyAuth string
	MaxBody   int64         // bytes of one body or direction that are recorded; 0: all that the Store keeps
	Rules     *rewrite.Book // that change messages on their way; nil: none
	Hold      *hold.Gate    // where messages wait for a person; nil: nowhere
	Tunnel    []string      // hosts (host, *.host, host:port) whose TLS is passed through unread
	Log       func(string)  // what has no place in a flow; nil: nowhere
}

const (
	lingerBytes  = 1 << 20
	maxUpstreams = 32 // of one client connection
)

// limits are how long things may take.
type limits struct {
	ahead        time.Duration // for a body to come whole that a rule or a person wants to see
	head         time.Duration // from the first byte of a head to its end
	idle         time.Duration // between two requests of a client
	upstreamIdle time.Duration // after which an unused connection to an origin is closed
	hello        time.Duration // for the client's part of a TLS handshake, the origin's not counted
	speak        time.Duration // for a client in a tunnel to speak first
	half         time.Duration // for an answer to a client that said that it will send no more
	linger       time.Duration // for a client to read our last answer before the connection is reset
}

var usual = limits{
	ahead:        10 * time.Second,
	head:         30 * time.Second,
	idle:         5 * time.Minute,
	upstreamIdle: 90 * time.Second,
	hello:        15 * time.Second,
	speak:        300 * time.Millisecond,
	half:         5 * time.Second,
	linger:       2 * time.Second,
}

// Server is the proxy.
type Server struct {
	opt     Options
	rec     *recorder // what opt.Store is
	ignored ignored
	dialer  wire.Dialer
	front   *front
	gate    gate
	limits  limits
	tls     *tls.Config // for clients

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[net.Conn]bool // client connections; true: idle
	closing   bool
	serving   sync.WaitGroup // one a client connection
	cancels   []context.CancelCauseFunc

	procs processes
}

// New is a Server that does not listen yet.
func New(o Options) (*Server, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("proxy: no recorder")
	case o.CA == nil:
		return nil, errors.New("proxy: no certificate authority")
	}
	if o.Reverse != nil {
		if err := checkReverse(o.Reverse); err != nil {
			return nil, err
		}
		if o.ProxyAuth != "" {
			return nil, errors.New("proxy: a login for the proxy and standing for a server exclude each other: clients of a server have none for it")
		}
	}
	if o.ProxyAuth != "" {
		if err := checkLogin(o.ProxyAuth); err != nil {
			return nil, err
		}
	}
	if o.SameUser && !CanTellUsers() {
		return nil, errors.New("proxy: this system does not tell which user a client is")
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	rec := &recorder{to: o.Store}
	o.Store = rec
	s := &Server{opt: o, rec: rec, limits: usual, listeners: map[net.Listener]bool{}, conns: map[net.Conn]bool{}}
	s.dialer = wire.Dialer{Dial: o.Dial, Roots: o.Roots, Insecure: o.Insecure, Refuse: s.refuseSelf, Via: o.Upstream,
		Identities: o.Identities, MinTLS: o.MinTLS, MaxTLS: o.MaxTLS}
	for _, p := range o.Ignore {
		s.Ignore(p)
	}
	s.procs.find = systemFinder()
	if s.opt.userOf == nil {
		s.opt.userOf = userOf
	}
	s.front = newFront(o.Log)
	s.gate = gate{rules: o.Rules, hold: o.Hold}
	s.tls = &tls.Config{GetConfigForClient: chooseConfig, MinVersion: tls.VersionTLS10}
	return s, nil
}

// ErrClosed is returned by Serve when Shutdown was called.
var ErrClosed = errors.New("proxy: closed")

// Serve accepts clients on the listeners, and closes them at the end. It
// returns nil when ctx is done, ErrClosed after Shutdown, else the error of the
// listener that failed first; in each case no connection and no goroutine of
// this call is left.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, l := range listeners {
		s.listeners[l] = true
	}
	s.cancels = append(s.cancels, cancel)
	s.mu.Unlock()
	defer s.forget(listeners)
	defer s.procs.run()()

	stop := context.AfterFunc(ctx, func() {
		for _, l := range listeners {
			l.Close()
		}
	})
	defer stop()
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() { cancel(s.accept(ctx, l)) })
	}
	accepting.Wait()
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		s.serving.Wait() // Shutdown decides how long they may take
		return ErrClosed
	}
	s.closeConns(func(bool) bool { return true })
	s.serving.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// accept serves the clients of one listener until it is closed.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return context.Canceled
			}
			if t, ok := err.(interface{ Temporary() bool }); ok && t.Temporary() { // out of descriptors: others may end
				s.opt.Log(fmt.Sprintf("accept on %s: %v; trying again", l.Addr(), err))
				select {
				case <-time.After(50 * time.Millisecond):
					continue
				case <-ctx.Done():
					return context.Canceled
				}
			}
			return fmt.Errorf("proxy: accept on %s: %w", l.Addr(), err)
		}
		if !s.adopt(c) {
			c.Close()
			continue
		}
		go s.serve(ctx, c)
	}
}

func (s *Server) adopt(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.conns[c] = true
	s.serving.Add(1)
	return true
}

// serve serves one client connection to its end.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer s.serving.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	defer func() {
		if p := recover(); p != nil { // one broken exchange must not end all the others
			s.opt.Log(fmt.Sprintf("panic while serving %s: %v\n%s", conn.RemoteAddr(), p, debug.Stack()))
		}
	}()
	c := newClient(s, ctx, conn)
	defer c.close()
	if c.welcome() {
		c.serve()
	}
}

// setIdle notes whether the connection waits for a request: Shutdown closes those at once.
func (s *Server) setIdle(c net.Conn, idle bool) (goOn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; ok {
		s.conns[c] = idle
	}
	return !s.closing
}

// Shutdown stops accepting, closes idle connections, and waits for the
// exchanges under way. When ctx is done, it closes these too and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	s.closeConns(func(idle bool) bool { return idle })
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		for _, cancel := range s.cancels {
			cancel(ErrClosed)
		}
		s.mu.Unlock()
		s.closeConns(func(bool) bool { return true })
		<-done
		return ctx.Err()
	}
}

func (s *Server) closeConns(which func(idle bool) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, idle := range s.conns {
		if which(idle) {
			c.Close()
		}
	}
}

func (s *Server) forget(listeners []net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range listeners {
		l.Close()
		delete(s.listeners, l)
	}
}

// refuseSelf refuses a connection that came out at one of our own listeners,
// whatever name led there: it would go round in circles.
func (s *Server) refuseSelf(c net.Conn) *wire.Trouble {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	local, _ := c.LocalAddr().(*net.TCPAddr)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		own, ok := l.Addr().(*net.TCPAddr)
		if !ok || own.Port != remote.Port {
			continue
		}
		if own.IP.Equal(remote.IP) || own.IP.IsUnspecified() && local != nil && local.IP.Equal(remote.IP) {
			t := &wire.Trouble{Reason: wire.Loop, Hint: "ask for the server that you mean; for how to use this proxy, open it without a proxy"}
			t.Side, t.Op, t.Text = "why403", "dial", fmt.Sprintf("%s is this proxy itself: the request would go round in circles", own)
			return t
		}
	}
	return nil
}
