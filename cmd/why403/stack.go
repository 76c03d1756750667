package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/logs"
	"github.com/why403/why403/inspect/waf"
	"github.com/why403/why403/proxy"
	"github.com/why403/why403/proxy/launch"
	"github.com/why403/why403/proxy/replay"
	"github.com/why403/why403/proxy/wire"
)

// stack is a proxy at work: what it listens on, records into and explains with.
type stack struct {
	columns   columns // of the screen
	store     *session.Store
	ca        *certs.CA
	caFile    string // of the certificate, "" when it is in memory alone
	listeners []net.Listener
	proxy     *proxy.Server
	sender    *replay.Sender
	worker    *explain.Worker
	rules     *rewrite.Book
	gate      *hold.Gate
	points    *pointFile   // nil: breakpoints are not kept
	seat      *launch.Seat // where others find us; nil: nowhere
	feed      *logs.Feed   // nil: no logs are followed
	remarks   remarks      // for the end, where there was a screen
}

// dialer opens connections to servers; nil is the network's own.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// parts are what a caller may bring instead of what the flags say.
type parts struct {
	ca    *certs.CA
	roots *x509.CertPool
	dial  dialer
	log   func(string)
	in    io.Reader // for --proxy-auth -
	// settled is told of each flow that is on disk and explained.
	settled func(session.Row)
}

// open prepares a stack. Nothing is served yet; close it in any case.
func (o *proxyFlags) open(p parts) (_ *stack, err error) {
	s := &stack{ca: p.ca}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if p.roots == nil {
		if p.roots, err = o.roots(); err != nil {
			return nil, err
		}
	}
	if s.ca == nil {
		if s.ca, err = certs.LoadOrCreate(o.dir(), time.Now); err != nil {
			return nil, caError(err)
		}
		s.caFile = s.ca.Info().Cert
	}
	login, err := o.login(p.in)
	if err != nil {
		return nil, err
	}
	identities, err := o.identities()
	if err != nil {
		return nil, err
	}
	front, err := o.reverse()
	if err != nil {
		return nil, err
	}
	if s.listeners, err = listen(o.listen, login != ""); err != nil {
		return nil, err
	}
	var way *wire.Proxy
	if p.dial == nil {
		if way, err = o.way(os.Getenv, s.listeners); err != nil {
			return nil, err
		}
	}
	same, err := o.guard(login, way)
	if err != nil {
		return nil, err
	}
	if s.rules, s.gate = rewrite.NewBook(""), hold.New(0, 0); p.dial == nil {
		if s.rules, err = o.book(os.LookupEnv); err != nil {
			return nil, err
		}
		var points []hold.Point
		if points, s.points, err = breakpoints(os.LookupEnv); err != nil {
			return nil, err
		}
		if err = s.gate.SetPoints(points); err != nil {
			return nil, err
		}
	}
	if s.store, err = o.record(); err != nil {
		return nil, err
	}
	s.proxy, err = proxy.New(proxy.Options{
		Store: s.store, CA: s.ca, Roots: p.roots, Insecure: o.insecure,
		Dial: p.dial, Upstream: way, Tunnel: o.tunnel, Log: p.log,
		Reverse: front, RewriteHost: o.setHost, ProxyAuth: login, Rules: s.rules, Hold: s.gate,
		Identities: identities, MinTLS: uint16(o.tlsMin), MaxTLS: uint16(o.tlsMax), SameUser: same,
		Ignore: o.ignore, RequestID: o.newRequestID(),
	})
	if err != nil {
		return nil, err
	}
	s.sender = replay.New(replay.Options{Recorder: s.store, Roots: p.roots, Insecure: o.insecure, Dial: p.dial, Upstream: way,
		Identities: identities, MinTLS: uint16(o.tlsMin), MaxTLS: uint16(o.tlsMax)})
	tell := p.log
	if tell == nil {
		tell = s.remarks.add
	}
	if _, warning := s.ca.Expires(); warning != "" && s.caFile != "" {
		tell(warning + "; why403 ca rotate makes a new one")
	}
	with, err := o.contract.read(explain.Options{Settled: p.settled, WAF: new(waf.Engine)})
	if err != nil {
		return nil, err
	}
	if s.feed, err = o.logs.follow(tell); err != nil {
		return nil, err
	}
	s.worker = explain.NewWorker(s.store, heed(with, s.feed))
	return s, nil
}

// record opens the session that --session names.
func (o *proxyFlags) record() (*session.Store, error) {
	opt := session.Options{MaxBody: int64(o.maxBody), Source: o.source}
	switch o.session {
	case "none":
		s, err := session.Temporary(opt)
		if err != nil {
			return nil, failed(err, "the system's temporary folder must be writable; TMPDIR names another")
		}
		return s, nil
	case "":
		dir := session.Dir()
		// What is past its time goes when the next one begins; a failure here is no reason not to start.
		_ = session.Prune(dir, time.Now(), session.KeepAge, session.KeepBytes)
		s, err := session.Create(session.NewPath(time.Now()), opt)
		if err != nil {
			return nil, failed(err, "--session FILE records elsewhere, --session none keeps nothing after the end")
		}
		return s, nil
	}
	s, err := session.Create(o.session, opt)
	if errors.Is(err, os.ErrExist) {
		return nil, failedf("look at it with why403 open "+o.session+", or record into a new file", "--session %s: the file exists already and is left as it is", o.session)
	}
	if err != nil {
		return nil, failed(fmt.Errorf("--session: %w", err), "name a new file in a folder that you may write to")
	}
	return s, nil
}

// serve runs the proxy and the explaining until ctx ends, then lets both finish.
func (s *stack) serve(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		// Little lives long here, and a heap that stays small stays in the processor's caches:
		// 120 is measurably better for HTTP/2 than 100 and than 150.
		defer debug.SetGCPercent(debug.SetGCPercent(120))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	explained := make(chan error, 1)
	go func() {
		explained <- s.worker.Run(ctx)
		cancel() // without its verdicts the proxy is not what it says
	}()
	err := s.proxy.Serve(ctx, s.listeners...)
	cancel()
	if e := <-explained; err == nil && e != nil && !errors.Is(e, context.Canceled) {
		err = e
	}
	return err
}

// address is what a client's HTTP_PROXY names.
func (s *stack) address() string { return s.listeners[0].Addr().String() }

func (s *stack) close() {
	closeAll(s.listeners)
	if s.feed != nil {
		s.feed.Close()
	}
	if s.seat != nil {
		_ = s.seat.Release() // the next start sweeps what is left
	}
	if s.store != nil {
		s.store.Close()
	}
}

func caError(err error) error {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return err
	}
	return failed(err, "--ca-dir names another folder; why403 ca show tells what is in this one")
}
