package proxy

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// asks is the proxy after us that wants its login, if it wants one, from the
// client: why403 was given none for it, and takes none itself. nil: there is no such proxy.
func (x *exchange) asks() *wire.Proxy {
	if p := x.c.s.dialer.Way(x.target); p.Asks() && !x.c.s.locked() && !x.socks {
		return p
	}
	return nil
}

// login is the lines by which the client logs in to the proxy after us, as they came.
func (x *exchange) login() string {
	if x.c.inside || x.asks() == nil {
		return ""
	}
	return string(x.credentials)
}

// credentialsOf are the Proxy-Authorization lines of a head.
func credentialsOf(h flow.Header) (lines []byte) {
	for i := range h {
		if strings.EqualFold(h[i].Name, "Proxy-Authorization") {
			lines = append(lines, h[i].Line()...)
		}
	}
	return lines
}

// forwarder is the proxy after us that forwards x's request; nil: it goes to
// the origin, perhaps through a tunnel.
func (x *exchange) forwarder() *wire.Proxy {
	if x.scheme != "http" || x.connect || x.c.inside && !x.c.reversed {
		return nil
	}
	return x.c.s.dialer.Forwarder(x.target)
}

// lane names, among the connections of a client, the one that x can go on: to
// its origin, or to the proxy that forwards requests for all of them.
func (x *exchange) lane() string {
	if p := x.forwarder(); p != nil {
		return laneOf(p)
	}
	return x.scheme + " " + x.target
}

func laneOf(p *wire.Proxy) string { return "proxy " + p.String() }

// ask has the proxy after us asked for the tunnel in the client's own words,
// where it may want a login that only the client has. What the proxy wants, by
// its 407, goes to the client as it came, and the connection waits for the next
// try: told, and more says whether one can follow. Else early is the tunnel, or
// x.broken is why there is none, and neither if the proxy need not be asked yet.
func (c *client) ask(x *exchange) (early *wire.Upstream, told, more bool) {
	p := x.asks()
	if p == nil {
		return nil, false, false
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.gone.start(watchDelay, func(error) { cancel() })
	u, reused, t := c.reach(ctx, x, p)
	if t != nil {
		c.gone.stop()
		x.broken = t
		return nil, false, false
	}
	u.R.Cut()
	u.Out.Begin(len(x.req.Bytes()))
	answer, t := p.Ask(ctx, u, x.target, x.req.Bytes())
	c.gone.stop()
	switch {
	case t != nil:
		delete(c.ups, x.key)
		x.silent = reused && t.Reason == wire.UpstreamBroken // the client repeats what it asked on a kept connection that went away
		x.broken = t
		return nil, false, false
	case answer.Status/100 == 2:
		delete(c.ups, x.key)
		u.Uses, c.login = 0, len(x.credentials) > 0
		return u, false, false
	}
	x.up = u
	return nil, true, x.wanted(answer)
}

// reach is the connection to p that the client has, or a new one.
func (c *client) reach(ctx context.Context, x *exchange, p *wire.Proxy) (u *wire.Upstream, reused bool, _ *wire.Trouble) {
	x.key = laneOf(p)
	if u := c.ups[x.key]; u != nil {
		if u.Alive() {
			u.Forwards = false
			return u, true, nil
		}
		u.Close()
		delete(c.ups, x.key)
	}
	u, t := c.s.dialer.Reach(ctx, p)
	if t == nil {
		c.put(x.key, u)
	}
	return u, false, t
}

// wanted passes on what the proxy after us wants to know of the client.
func (x *exchange) wanted(answer *wire.Response) (more bool) {
	x.adopt(x.up)
	x.came.sent = x.req.Bytes()
	x.c.out.Begin(0)
	x.scheme, x.authority = "https", flow.Canonical("https", x.req.Authority)
	x.times.FirstByte = time.Now()
	x.resp, x.respBody = answer, answer.Body()
	x.begin()
	if x.received = x.relayAnswer(); x.received != nil {
		x.cutShort()
	}
	return x.settle()
}

// onlyTheClient is the trouble where a tunnel is gone that the client had logged in for.
func (c *client) onlyTheClient() *wire.Trouble {
	t := &wire.Trouble{Reason: wire.BrokenUpstream, Failure: flow.Failure{Side: "origin", Op: "dial"}}
	t.Text = "the connection to " + c.target + " was closed, and only the client can log in to the proxy after us for another"
	t.Hint = "clients do that by themselves; or give why403 a login for that proxy, in the URL of --upstream"
	return t
}

// passes407 reports whether the answer is the 407 of a proxy after us that the client is to see.
func (x *exchange) passes407() bool {
	return x.resp.Status == http.StatusProxyAuthRequired && x.up.Forwards && x.up.Via.Asks() && !x.c.s.locked() && !x.c.reversed
}
