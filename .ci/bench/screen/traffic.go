package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// huge is the size of the body of GET /huge, in bytes: JSON objects of about 90 bytes.
const huge = 50_000_000

// startServer answers over TLS: small JSON, 1 kB of it, an echo, a refusal, and one huge body.
func startServer() *httptest.Server {
	small := []byte(`{"ok":true,"pad":"` + strings.Repeat("x", 180) + `"}`)
	large := []byte(`{"ok":true,"pad":"` + strings.Repeat("k", 1000) + `"}`)
	mux := http.NewServeMux()
	give := func(status int, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				io.Copy(io.Discard, r.Body)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			w.Write(body)
		}
	}
	mux.HandleFunc("GET /v1/items/", give(200, small))
	mux.HandleFunc("GET /v1/pages/", give(200, large))
	mux.HandleFunc("POST /v1/orders/", give(201, small))
	mux.HandleFunc("POST /v1/payments/", give(403, []byte(`{"error":"forbidden","reason":"csrf token missing or incorrect"}`)))
	mux.HandleFunc("GET /huge", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(hugeJSON())
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	return s
}

func hugeJSON() []byte {
	b := bytes.NewBuffer(make([]byte, 0, huge+200))
	b.WriteByte('[')
	for i := 0; b.Len() < huge; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, `{"id":%d,"name":"item %d","price":17.40,"tags":["new","sold out"],"stock":{"berlin":%d}}`, i, i, i%97)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// client sends requests to the server through the proxy, each on a kept connection of one of its senders.
type client struct {
	http *http.Client
	base string
	next atomic.Int64
}

const senders = 16

func newClient(base, proxy string) *client {
	t := &http.Transport{
		Proxy:               func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: proxy}, nil },
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // both ends are this process
		MaxIdleConnsPerHost: senders, DisableCompression: true,
	}
	return &client{http: &http.Client{Transport: t}, base: base}
}

// send sends the next request of the mix: of ten, eight are GETs, one is a POST
// that is accepted and one a POST that is refused.
func (c *client) send(ctx context.Context) error {
	n := c.next.Add(1)
	method, target, body := "GET", "/v1/items/", ""
	switch n % 10 {
	case 3:
		target = "/v1/pages/"
	case 5:
		method, target, body = "POST", "/v1/orders/", `{"name":"widget","qty":3}`
	case 9:
		method, target, body = "POST", "/v1/payments/", `{"amount":3}`
	}
	return c.fetch(ctx, method, fmt.Sprint(target, n), body)
}

func (c *client) fetch(ctx context.Context, method, target, body string) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+target, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// load sends count requests (0: until ctx ends), rate of them a second (0: as
// fast as they are answered), and gives the rate that came about.
func (c *client) load(ctx context.Context, count int64, rate float64) (float64, error) {
	var done atomic.Int64
	var fault atomic.Pointer[error]
	var all sync.WaitGroup
	begun := time.Now()
	var place atomic.Int64
	for range senders {
		all.Go(func() {
			for {
				i := place.Add(1)
				if count > 0 && i > count || fault.Load() != nil {
					return
				}
				if rate > 0 {
					select {
					case <-time.After(time.Until(begun.Add(time.Duration(float64(i) / rate * float64(time.Second))))):
					case <-ctx.Done():
					}
				}
				if ctx.Err() != nil {
					return
				}
				if err := c.send(ctx); err != nil && ctx.Err() == nil {
					fault.CompareAndSwap(nil, &err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := fault.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begun).Seconds(), nil
}

// beside runs load until the function that it returns is called, which gives the rate.
func (c *client) beside(ctx context.Context, rate float64) func() (float64, error) {
	ctx, stop := context.WithCancel(ctx)
	type result struct {
		rate float64
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		r, err := c.load(ctx, 0, rate)
		ended <- result{r, err}
	}()
	return func() (float64, error) {
		stop()
		r := <-ended
		return r.rate, r.err
	}
}
