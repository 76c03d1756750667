package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// Proxy is a proxy after us, through which origins are reached.
type Proxy struct {
	scheme     string // http, https, socks5 (names are resolved here), socks5h (there)
	addr       string // host:port
	user, pass string
	known      bool // there are credentials
	except     NoProxy
}

// NewProxy is the proxy that u describes: http, https, socks5 or socks5h, with
// credentials as userinfo, which are sent as Basic (RFC 7617) or by RFC 1929.
// Without a port it is 80, 443 or 1080. The hosts in except are reached directly.
func NewProxy(u *url.URL, except NoProxy) (*Proxy, error) {
	if u == nil || u.Host == "" {
		return nil, errors.New("upstream proxy: no host in its URL; it looks like http://host:port")
	}
	p := &Proxy{scheme: strings.ToLower(u.Scheme), except: except}
	port := u.Port()
	usual, ok := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[p.scheme]
	if !ok {
		return nil, fmt.Errorf("upstream proxy %s: %q is none of http, https, socks5, socks5h", u.Redacted(), u.Scheme)
	}
	if port == "" {
		port = usual
	}
	p.addr = net.JoinHostPort(u.Hostname(), port)
	if host, _, ok := SplitAuthority(p.addr); !ok || host == "" {
		return nil, fmt.Errorf("upstream proxy %s: %q is no host:port", u.Redacted(), p.addr)
	}
	if u.User != nil {
		p.user, p.known = u.User.Username(), true
		p.pass, _ = u.User.Password()
		switch {
		case !p.socks() && strings.Contains(p.user, ":"):
			return nil, fmt.Errorf("upstream proxy %s: a user name with a colon cannot be sent (RFC 7617, 2)", u.Redacted())
		case p.socks() && (p.user == "" || p.pass == "" || len(p.user) > 255 || len(p.pass) > 255):
			return nil, fmt.Errorf("upstream proxy %s: SOCKS wants a user name and a password of 1 to 255 bytes (RFC 1929, 2)", u.Redacted())
		}
	}
	return p, nil
}

// String is the proxy's URL without credentials.
func (p *Proxy) String() string { return p.scheme + "://" + p.addr }

// HasCredentials reports whether p is given a login.
func (p *Proxy) HasCredentials() bool { return p != nil && p.known }

// Asks reports whether p is asked by requests of HTTP and why403 has no login
// for it. Its clients may have one: what p wants and they answer passes through.
// Schemes such as NTLM log in a connection to p (RFC 4559, 6), so each client needs its own.
func (p *Proxy) Asks() bool { return p != nil && !p.known && !p.socks() }

func (p *Proxy) socks() bool { return strings.HasPrefix(p.scheme, "socks5") }

// authorization is the field line with the credentials; "" without them.
func (p *Proxy) authorization() string {
	if !p.known {
		return ""
	}
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.pass))
}

// Way is the proxy through which addr (host:port) is reached; nil: directly.
func (d *Dialer) Way(addr string) *Proxy {
	if d.Via == nil || d.Via.except.Has(addr) {
		return nil
	}
	return d.Via
}

// Forward is Connect for a plain HTTP request: an HTTP proxy after us is asked
// to forward it (see Upstream.Head) instead of to open a tunnel, which many
// allow to port 443 alone.
func (d *Dialer) Forward(ctx context.Context, addr string) (*Upstream, *Trouble) {
	p := d.Forwarder(addr)
	if p == nil {
		return d.Connect(ctx, addr)
	}
	u, t := d.Reach(ctx, p)
	if t == nil {
		u.Forwards = true
	}
	return u, t
}

// Forwarder is the proxy that Forward would have forward requests for addr; nil: none.
func (d *Dialer) Forwarder(addr string) *Proxy {
	if p := d.Way(addr); p != nil && !p.socks() {
		return p
	}
	return nil
}

// Head is a request's head as it goes out on u. sent is in origin form; absolute
// is the target for a proxy that forwards it, which also gets our credentials
// or, if there are none, login: the client's own field lines.
func (u *Upstream) Head(sent []byte, absolute, login string) []byte {
	if !u.Forwards {
		return sent
	}
	line := sent[:bytes.IndexByte(sent, '\n')+1]
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	b := make([]byte, 0, len(sent)+len(absolute)+len(login)+100)
	b = append(b, sent[:first+1]...)
	b = append(b, absolute...)
	b = append(b, line[last:]...)
	if a := u.Via.authorization(); a != "" {
		b = append(b, a...)
		b = append(b, line[len(bytes.TrimRight(line, "\r\n")):]...)
	} else {
		b = append(b, login...)
	}
	return append(b, sent[len(line):]...)
}

// Absolute is the absolute form of a request's target in origin form (RFC 9112, 3.2.2).
func Absolute(scheme, authority, path string) string {
	if path == "*" { // RFC 9112, 3.2.4
		path = ""
	}
	return scheme + "://" + authority + path
}

// Reach connects to p itself, by TLS if it wants that.
func (d *Dialer) Reach(ctx context.Context, p *Proxy) (*Upstream, *Trouble) {
	u, t := d.direct(ctx, p.addr)
	if t != nil {
		if t.Reason == Loop {
			t.Text = "the upstream proxy " + p.String() + " is this proxy itself: the request would go round in circles"
			t.Hint = "give why403 another upstream proxy, or none"
			return nil, t
		}
		return nil, p.trouble(t)
	}
	u.Via = p
	if p.scheme != "https" {
		return u, nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	host, _, _ := net.SplitHostPort(p.addr)
	c := tls.Client(u.Conn, &tls.Config{ServerName: host, RootCAs: d.Roots, NextProtos: []string{"http/1.1"}})
	if err := c.HandshakeContext(ctx); err != nil {
		u.Close()
		var bad *tls.CertificateVerificationError
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, p.trouble(tlsTrouble(p.addr, host, err))
	}
	u.use(c)
	return u, nil
}

// trouble makes what failed with p as if it were an origin p's trouble.
func (p *Proxy) trouble(t *Trouble) *Trouble {
	t.Side, t.Text = "upstream", "the upstream proxy "+p.String()+": "+t.Text
	t.Hint = "why403 was told to go through this proxy; check its address, and that it can be reached from here"
	if t.Reason == NotVerified {
		t.Hint = "why403 was told to go through this proxy by TLS; trust its authority with --upstream-ca"
	}
	return t
}

// refused is p's own no to a request for addr, in its words.
func (p *Proxy) refused(addr, words, hint string) *Trouble {
	t := &Trouble{Reason: UpstreamRefused, Failure: flow.Failure{Side: "upstream", Op: "dial"}, Hint: hint}
	t.Text = fmt.Sprintf("the upstream proxy %s refused to connect to %s: %s", p, addr, words)
	return t
}

// open asks p, reached by u, for a connection to addr, in at most 15 s. On failure u is closed.
func (p *Proxy) open(ctx context.Context, u *Upstream, addr string) *Trouble {
	ask := p.connect
	if p.socks() {
		ask = p.socksConnect
	}
	return p.await(ctx, u, addr, ask)
}

// Ask asks p, reached by u, in the words of a client, head, for a tunnel to
// addr, in at most 15 s. Its answer is 2xx, and u is the tunnel; or 407, with
// the answer's body still to be read from u. Anything else is trouble, and u is closed.
func (p *Proxy) Ask(ctx context.Context, u *Upstream, addr string, head []byte) (answer *Response, _ *Trouble) {
	t := p.await(ctx, u, addr, func(_ context.Context, u *Upstream, addr string) (t *Trouble) {
		answer, t = p.tunnel(u, addr, head)
		if t == nil && answer.Status/100 != 2 && answer.Status != 407 {
			t = p.refused(addr, answer.Start, hintFor(answer.Status))
		}
		return t
	})
	return answer, t
}

// await is ask with an end: of ctx, or after 15 s. On failure u is closed.
func (p *Proxy) await(ctx context.Context, u *Upstream, addr string, ask func(context.Context, *Upstream, string) *Trouble) *Trouble {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { u.Conn.SetDeadline(time.Unix(1, 0)); close(woken) })
	t := ask(ctx, u, addr)
	if !stop() {
		<-woken
		if t == nil {
			t = p.silent(addr, ctx.Err())
		}
	}
	if t != nil {
		u.Close()
		if err := ctx.Err(); err != nil && t.Reason == UpstreamBroken {
			t = p.silent(addr, err)
		}
	}
	return t
}

// connect asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6). What comes behind its answer stays in u.R.
func (p *Proxy) connect(_ context.Context, u *Upstream, addr string) *Trouble {
	q := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if a := p.authorization(); a != "" {
		q += a + "\r\n"
	}
	r, t := p.tunnel(u, addr, []byte(q+"\r\n"))
	if t == nil && r.Status/100 != 2 {
		t = p.refused(addr, r.Start, hintFor(r.Status))
	}
	return t
}

// tunnel writes a CONNECT and reads the answer to it.
func (p *Proxy) tunnel(u *Upstream, addr string, head []byte) (*Response, *Trouble) {
	if _, err := u.Write(head); err != nil {
		return nil, p.broken(addr, err)
	}
	for {
		h, err := ReadHead(u.R)
		if err != nil {
			return nil, p.broken(addr, err)
		}
		r, f := ParseResponse(h, "CONNECT")
		switch {
		case f != nil:
			return nil, p.broken(addr, f)
		case !r.Interim():
			return r, nil
		}
	}
}

func hintFor(status int) string {
	switch status {
	case 407:
		return "the proxy after us wants other credentials: put user:password into the URL given to --upstream"
	case 403, 405:
		return "the rules of the proxy after us do not allow this host or port; the server was never asked"
	case 502, 503, 504:
		return "the proxy after us could not reach the server: check the host, and whether it should be reached directly (NO_PROXY)"
	}
	return "the proxy after us gave this answer, not the server, which was never asked"
}

// ProxyWantsAuth is the trouble of a forwarded request that p answered by a 407 of its own.
func (u *Upstream) ProxyWantsAuth(addr, start string) *Trouble {
	t := u.Via.refused(addr, start, hintFor(407))
	t.Op = "read"
	return t
}

func (p *Proxy) broken(addr string, err error) *Trouble {
	t := &Trouble{Reason: UpstreamBroken, Failure: flow.Failure{Side: "upstream", Op: "dial"}}
	t.Text = fmt.Sprintf("the upstream proxy %s broke off when asked for %s: %s", p, addr, Readable(err))
	t.Hint = "check that this is a proxy of that kind: " + p.scheme
	return t
}

func (p *Proxy) silent(addr string, err error) *Trouble {
	t := p.broken(addr, err)
	if errors.Is(err, context.Canceled) {
		t.Text = fmt.Sprintf("the connection to %s through the upstream proxy %s was given up", addr, p)
		t.Hint = "the client went away or why403 is stopping"
		return t
	}
	t.Reason = DialTimeout
	t.Text = fmt.Sprintf("the upstream proxy %s did not connect to %s in time", p, addr)
	t.Hint = "the server may not be reachable from there"
	return t
}
