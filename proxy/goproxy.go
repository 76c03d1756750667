package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/elazarl/goproxy"
)

// front is the dispatcher. It is set up so that goproxy changes nothing: the
// request that it sees is a view, and the bytes pass by it in exchange.
type front struct{ proxy *goproxy.ProxyHttpServer }

func newFront(log func(string)) *front {
	p := goproxy.NewProxyHttpServer()
	p.Logger = printer(log) // the default writes to stderr, where the screen is
	p.KeepHeader, p.KeepAcceptEncoding, p.KeepDestinationHeaders = true, true, true
	p.Tr, p.ConnectDial, p.ConnectDialWithReq = &http.Transport{DialContext: noDial}, nil, nil // the defaults follow HTTP_PROXY, perhaps to ourselves
	p.NonproxyHandler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { exchangeOf(r).own = true })
	p.OnRequest().DoFunc(func(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		ctx.RoundTripper = roundTripper{}
		return r, nil
	})
	p.OnRequest().HijackConnect(func(r *http.Request, _ net.Conn, _ *goproxy.ProxyCtx) {
		exchangeOf(r).connect = true // the tunnel begins when ServeHTTP has returned
	})
	return &front{p}
}

// serve dispatches one request.
func (f *front) serve(w http.ResponseWriter, r *http.Request) { f.proxy.ServeHTTP(w, r) }

// noDial stands where goproxy would connect by itself. It never does: every request has our RoundTripper, every CONNECT is hijacked.
func noDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("proxy: goproxy must not dial")
}

type roundTripper struct{}

func (roundTripper) RoundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	return exchangeOf(r).roundTrip(r), nil
}

type printer func(string)

func (p printer) Printf(format string, v ...any) { p(strings.TrimSpace(fmt.Sprintf(format, v...))) }
