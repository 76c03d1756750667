package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestResolve(t *testing.T) {
	s, _ := startShop(t)
	for _, c := range []struct{ addr, want string }{
		{"api.shop.test:443", s.Addr()},
		{"SHOP.test.:443", s.Addr()},
		{"www.shop.test:80", s.plain.Addr().String()},
		{"api.shop.test:8080", ""},
		{"api.workshop.test:443", ""},
		{"shop.test.example:443", ""},
		{"api.shop.test", ""},
		{"", ""},
	} {
		if got, ok := s.Resolve(c.addr); got != c.want || ok != (c.want != "") {
			t.Errorf("%q leads to %q, %v, want %q", c.addr, got, ok, c.want)
		}
	}
}

// A name of the shop is never asked of a resolver, an address is dialled as it is.
func TestDial(t *testing.T) {
	s, _ := startShop(t)
	if c, err := s.Dial(t.Context(), "tcp", "api.shop.test:8443"); err == nil || !strings.Contains(err.Error(), "443 and 80") {
		t.Errorf("got %v, %v", c, err)
	}
	for _, addr := range []string{"id.shop.test:443", "id.shop.test:80", s.Addr()} {
		c, err := s.Dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		c.Close()
	}
}

// The listener answers under its own address too, for clients that know neither proxy nor Dial.
func TestServicesByHost(t *testing.T) {
	s, _ := startShop(t)
	transports := (&Client{Server: s}).transports()
	defer transports.close()
	for _, c := range []struct {
		target, host string
		status       int
		server       string
	}{
		{s.URL("127.0.0.1") + "/", "", 200, "shop-web/4.2"},
		{s.URL("127.0.0.1") + "/v1/cart", "api.shop.localhost", 403, "shop-api/4.2"},
		{s.URL("127.0.0.1") + "/", "elsewhere.test", 421, "shop-edge/1.9"},
		{"http://www.shop.test/a?b", "", 308, "shop-edge/1.9"},
		{"https://www.shop.test/nowhere", "", 404, "shop-web/4.2"},
		{"https://catalog.shop.test/v1/nowhere", "", 403, "shop-catalog/3.1"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", c.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		resp, err := transports.curl.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", c.target, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || resp.Header.Get("Server") != c.server {
			t.Errorf("%s as %q: %d from %s", c.target, c.host, resp.StatusCode, resp.Header.Get("Server"))
		}
		if c.status == 308 && resp.Header.Get("Location") != "https://www.shop.test/a?b" {
			t.Errorf("redirected to %s", resp.Header.Get("Location"))
		}
	}
}

// Only the shop's own, current credentials pass.
func TestCredentials(t *testing.T) {
	s, clock := startShop(t)
	stranger := NewServer(clock.now)
	const target = "https://pay.shop.test/v1/payments"
	ok := s.mint("maria", "shop-pay", "payments:read", clock.now())
	for _, c := range []struct {
		name, authorization string
		status              int
		challenge           string
	}{
		{"good", "Bearer " + ok, 200, ""},
		{"any case of the scheme", "bearer " + ok, 200, ""},
		{"none", "", 401, `Bearer realm="shop"`},
		{"another's signature", "Bearer " + stranger.mint("maria", "shop-pay", "payments:read", clock.now()), 401,
			`Bearer realm="shop", error="invalid_token", error_description="The token's signature is invalid"`},
		{"no token", "Bearer undefined", 401, `Bearer realm="shop", error="invalid_token", error_description="The token is malformed"`},
		{"old", "Bearer " + s.mint("maria", "shop-pay", "payments:read", clock.now().Add(-tokenFor-time.Second)), 401,
			`Bearer realm="shop", error="invalid_token", error_description="The token expired at 2026-11-22T08:31:03Z"`},
		{"narrow", "Bearer " + s.mint("maria", "shop-pay", "payments:write", clock.now()), 403,
			`Bearer realm="shop", error="insufficient_scope", error_description="The request requires higher privileges than provided by the access token", scope="payments:read"`},
	} {
		r := httptest.NewRequest("GET", target, nil)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		w := httptest.NewRecorder()
		s.dispatch(w, r)
		if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}

	w := httptest.NewRecorder()
	s.login(w, "maria")
	r := httptest.NewRequest("GET", "https://api.shop.test/v1/cart", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	if s.user(r) != "maria" || stranger.user(r) != "" {
		t.Errorf("the session is %q's here and %q's elsewhere", s.user(r), stranger.user(r))
	}
	clock.forward(sessionFor)
	if s.user(r) != "" {
		t.Error("the session outlives its time")
	}
}

func TestLimiterForgets(t *testing.T) {
	c := newClock()
	l := newLimiter(c.now)
	for i := range 3 * clients {
		c.forward(time.Millisecond)
		l.take(fmt.Sprint(i))
	}
	if len(l.windows) > clients {
		t.Errorf("%d windows are kept", len(l.windows))
	}
	for range burst - 1 {
		l.take(fmt.Sprint(3*clients - 1))
	}
	if left, _, ok := l.take(fmt.Sprint(3*clients - 1)); ok || left != 0 {
		t.Error("the newest client was forgotten")
	}
	c.forward(window)
	if left, reset, ok := l.take("a new one"); !ok || left != burst-1 || reset != window || len(l.windows) != 1 {
		t.Errorf("after the window: %d left, %s, %v, %d windows", left, reset, ok, len(l.windows))
	}
}

// Close ends a stream that is being read, and a client that waits for an answer.
func TestCloseEndsOpenAnswers(t *testing.T) {
	s := NewServer(newClock().now)
	s.Beat = time.Hour
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	transports := (&Client{Server: s}).transports()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://www.shop.test/events/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transports.browser.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "id: 1" {
		t.Fatalf("%q, %v", first, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the stream ended as if it were complete")
	}
	resp.Body.Close()
	transports.close()
	if left := leftovers(); left != "" {
		t.Errorf("goroutines are left:\n%s", left)
	}
}

// All traffic goes through the proxy; it finds the shop by Resolve.
func TestThroughAProxy(t *testing.T) {
	s, _ := startShop(t)
	var mu sync.Mutex
	asked := map[string]int{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Method+" "+r.Host]++
		mu.Unlock()
		if r.Method != http.MethodConnect {
			toHTTPS(w, r)
			return
		}
		tunnel(w, r, s)
	}))
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)
	if err := (&Client{Server: s, Proxy: at, Roots: s.Roots()}).Tour(t.Context()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, host := range []string{"CONNECT api.shop.test:443", "CONNECT www.shop.test:443", "GET www.shop.test"} {
		if asked[host] == 0 {
			t.Errorf("the proxy never saw %s", host)
		}
	}
}

func tunnel(w http.ResponseWriter, r *http.Request, s *Server) {
	up, err := s.Dial(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
	var back sync.WaitGroup
	back.Go(func() { io.Copy(down, up); down.Close() })
	io.Copy(up, down)
	up.Close()
	back.Wait()
}

// Without a proxy to talk to, or with one that is not trusted, Run says so at once.
func TestRunWithoutAWay(t *testing.T) {
	s, _ := startShop(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := &url.URL{Scheme: "http", Host: l.Addr().String()}
	l.Close()
	if err := (&Client{Server: s, Proxy: gone, Roots: s.Roots()}).Run(t.Context()); err == nil || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("without a proxy: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (&Client{Server: s}).Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
