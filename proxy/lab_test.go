package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/certs"
)

// patience bounds every wait of these tests; none takes this long unless it fails.
const patience = 10 * time.Second

// lab is a running proxy with a recorder, and the authority that signs its origins.
type lab struct {
	t       testing.TB
	server  *Server
	addr    string
	tape    *memory
	ca      *certs.CA
	trusted *x509.CertPool // what clients trust: the proxy's authority
	origins authority
	logs    *lines
	stop    func()
}

func newLab(t testing.TB, change ...func(*Options)) *lab {
	t.Helper()
	return newLabWith(t, usual, change...)
}

// newLabWith has other limits, so that a test of one need not take as long.
func newLabWith(t testing.TB, limits limits, change ...func(*Options)) *lab {
	t.Helper()
	before := runtime.NumGoroutine()
	ca, err := certs.Ephemeral(nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, tape: newMemory(), ca: ca, trusted: x509.NewCertPool(), origins: originAuthority(), logs: &lines{}}
	l.trusted.AppendCertsFromPEM(ca.PEM())
	o := Options{Store: l.tape, CA: ca, Roots: l.origins.pool, Log: l.logs.add}
	for _, f := range change {
		f(&o)
	}
	if l.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	l.server.limits = limits
	listener := listen(t)
	l.addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(ctx, listener) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not return")
		}
	})
	p := l.dial() // when this has been served, all goroutines that stay are there
	p.Conn.(*net.TCPConn).CloseWrite()
	p.all()
	t.Cleanup(func() {
		l.stop()
		l.tape.checkAllEnded(t)
		if got := l.logs.all(); got != "" {
			t.Errorf("logged: %s", got)
		}
		noneLeft(t, before)
	})
	return l
}

// noneLeft waits for the goroutines of the test to end.
func noneLeft(t testing.TB, before int) {
	t.Helper()
	eventually(t, func() bool { return runtime.NumGoroutine() <= before }, func() string {
		buf := make([]byte, 1<<20)
		return fmt.Sprintf("%d goroutines before, now %d:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	})
}

func eventually(t testing.TB, ok func() bool, why func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Error(why())
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, s)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.text, "\n")
}

// take returns what was logged, which is then as if it had not been.
func (l *lines) take() string {
	got := l.all()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = nil
	return got
}

// authority signs the certificates of test origins.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

var originAuthority = sync.OnceValue(func() authority { return authorityNamed("origin CA") })

func authorityNamed(name string) authority {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return authority{cert, key, pool}
}

func (a authority) leaf(notAfter time.Time, hosts ...string) tls.Certificate {
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "origin"}, NotBefore: time.Now().Add(-2 * time.Hour),
		NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

func (a authority) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.leaf(time.Now().Add(time.Hour), "127.0.0.1", "::1", "localhost", "app.test")}}
}

// origin is a server that a test writes byte by byte.
type origin struct {
	addr string
	tls  bool
	l    net.Listener
	mu   sync.Mutex
	n    int // connections accepted
	open sync.WaitGroup
}

// peer is one connection to an origin, or to the proxy.
type peer struct {
	net.Conn
	br *bufio.Reader
}

func newPeer(c net.Conn) *peer { return &peer{c, bufio.NewReader(c)} }

// origin serves each connection by serve, which may return to close it.
func (l *lab) origin(config *tls.Config, serve func(p *peer)) *origin {
	return l.originOn(listen(l.t), config, serve)
}

func (l *lab) originOn(ln net.Listener, config *tls.Config, serve func(p *peer)) *origin {
	o := &origin{addr: ln.Addr().String(), l: ln, tls: config != nil}
	var open sync.Map
	o.open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.n++
			o.mu.Unlock()
			if config != nil {
				c = tls.Server(c, config)
			}
			open.Store(c, true)
			o.open.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				serve(&peer{c, bufio.NewReader(c)})
			})
		}
	})
	l.t.Cleanup(func() {
		ln.Close()
		open.Range(func(c, _ any) bool {
			if t, ok := c.(*tls.Conn); ok {
				c = t.NetConn()
			}
			c.(net.Conn).Close()
			return true
		})
		o.open.Wait()
	})
	return o
}

func (o *origin) conns() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n
}

// head reads up to and including the empty line; "" at the end of the connection.
func (p *peer) head() string {
	var b strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return ""
		}
		if line == "\r\n" || line == "\n" {
			return b.String()
		}
	}
}

// message reads one message with a body by length or chunks.
func (p *peer) message() (string, error) {
	head := p.head()
	if head == "" {
		return "", io.EOF
	}
	return p.rest(head)
}

func (p *peer) rest(head string) (string, error) {
	var b bytes.Buffer
	b.WriteString(head)
	lower := strings.ToLower(head)
	if strings.Contains(lower, "transfer-encoding:") {
		for {
			line, err := p.br.ReadString('\n')
			b.WriteString(line)
			if err != nil {
				return b.String(), err
			}
			size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
			n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
			if err != nil {
				return b.String(), err
			}
			if n == 0 {
				for {
					line, err := p.br.ReadString('\n')
					b.WriteString(line)
					if err != nil || strings.Trim(line, "\r\n") == "" {
						return b.String(), err
					}
				}
			}
			if _, err := io.CopyN(&b, p.br, n+2); err != nil {
				return b.String(), err
			}
		}
	}
	if _, v, ok := strings.Cut(lower, "content-length:"); ok {
		v, _, _ = strings.Cut(v, "\n")
		n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if _, err := io.CopyN(&b, p.br, n); err != nil {
			return b.String(), err
		}
	}
	return b.String(), nil
}

func (p *peer) send(s string) { io.WriteString(p, s) }

// all reads to the end of the connection.
func (p *peer) all() string {
	b, _ := io.ReadAll(p.br)
	return string(b)
}

func (p *peer) take(n int) string {
	b := make([]byte, n)
	n, _ = io.ReadFull(p.br, b)
	return string(b[:n])
}

// second makes the proxy serve one more listener, and gives its address.
func (l *lab) second(ln net.Listener) string {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(ctx, ln) }()
	l.t.Cleanup(func() {
		cancel()
		<-served
	})
	return ln.Addr().String()
}

// dial connects to the proxy.
func (l *lab) dial() *peer {
	l.t.Helper()
	return l.dialTo(l.addr)
}

func (l *lab) dialTo(addr string) *peer {
	l.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		l.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	l.t.Cleanup(func() { c.Close() })
	return &peer{c, bufio.NewReader(c)}
}

// connect opens a tunnel to target.
func (l *lab) connect(target string) *peer {
	l.t.Helper()
	p := l.dial()
	p.send("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n")
	if h := p.head(); !strings.HasPrefix(h, "HTTP/1.1 200 ") {
		l.t.Fatalf("CONNECT: %q", h)
	}
	return p
}

// secure makes p a TLS connection that trusts the proxy.
func (l *lab) secure(p *peer, name string, protocols ...string) *peer {
	l.t.Helper()
	c := tls.Client(p.Conn, &tls.Config{RootCAs: l.trusted, ServerName: name, NextProtos: protocols})
	if err := c.Handshake(); err != nil {
		l.t.Fatal(err)
	}
	return &peer{c, bufio.NewReader(c)}
}

// to opens a connection that leads to o: through the proxy port for plain
// HTTP, through an intercepted tunnel for HTTPS. prefix goes before a path.
func (l *lab) to(o *origin) (p *peer, prefix string) {
	l.t.Helper()
	if !o.tls {
		return l.dial(), "http://" + o.addr
	}
	return l.secure(l.connect(o.addr), "127.0.0.1", "http/1.1"), ""
}

// both runs a test over plain HTTP and over intercepted HTTPS.
func both(t *testing.T, test func(t *testing.T, l *lab, config *tls.Config), change ...func(*Options)) {
	t.Helper()
	t.Run("http", func(t *testing.T) { test(t, newLab(t, change...), nil) })
	t.Run("https", func(t *testing.T) { l := newLab(t, change...); test(t, l, l.origins.config()) })
}

func TestMain(m *testing.M) {
	for _, k := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"} {
		os.Setenv(k, "http://127.0.0.1:1") // to be ignored
	}
	os.Exit(m.Run())
}
