package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// counter is a Recorder that costs next to nothing.
type counter struct{ flows, ended, bytes atomic.Int64 }

func (c *counter) Begin(*flow.Flow) flow.ID      { return flow.ID(c.flows.Add(1)) }
func (c *counter) Append(_ flow.ID, p flow.Part) { c.bytes.Add(int64(len(p.Data))) }
func (c *counter) End(_ flow.ID, _ flow.Outcome) { c.ended.Add(1) }

// bench runs f with a client that goes directly, with one that goes through the
// proxy, and with one that goes through it into a session file.
func bench(b *testing.B, handler http.HandlerFunc, f func(b *testing.B, client *http.Client, url string)) {
	for _, scheme := range []string{"http", "https", "h2"} {
		for _, way := range []string{"direct", "through", "durable"} {
			b.Run(scheme+"/"+way, func(b *testing.B) {
				count := &counter{}
				var store Recorder = count
				if way == "durable" {
					store = sessionStore(b)
				}
				l := newLab(b, func(o *Options) { o.Store = store })
				server := httptest.NewUnstartedServer(handler)
				if scheme != "http" {
					server.EnableHTTP2 = scheme == "h2"
					server.TLS = l.origins.config()
					server.StartTLS()
				} else {
					server.Start()
				}
				defer server.Close()
				tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.origins.pool}, MaxIdleConnsPerHost: 64, DisableCompression: true}
				if way != "direct" {
					tr = l.client().Transport.(*http.Transport)
					tr.MaxIdleConnsPerHost, tr.DisableCompression = 64, true
				}
				tr.ForceAttemptHTTP2 = scheme == "h2"
				defer tr.CloseIdleConnections()
				f(b, &http.Client{Transport: tr}, server.URL)
				if way == "through" {
					eventually(b, func() bool { return count.ended.Load() >= int64(b.N) }, func() string {
						return fmt.Sprintf("%d flows recorded of %d", count.ended.Load(), b.N)
					})
				}
			})
		}
	}
}

func sessionStore(b *testing.B) *session.Store {
	s, err := session.Temporary(session.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if n := s.Stats(); n.NotKept > 0 {
			b.Errorf("%+v", n)
		}
		s.Close()
	})
	return s
}

func small(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"ok":true,"items":[1,2,3]}`)
}

func fetch(b *testing.B, client *http.Client, url string, body io.Reader) int64 {
	method := "GET"
	if body != nil {
		method = "POST"
	}
	r, _ := http.NewRequest(method, url, body)
	resp, err := client.Do(r)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		b.Error(err)
	}
	return n
}

func BenchmarkSmallGET(b *testing.B) {
	bench(b, small, func(b *testing.B, client *http.Client, url string) {
		fetch(b, client, url, nil)
		b.ReportAllocs()
		for b.Loop() {
			fetch(b, client, url, nil)
		}
	})
}

func BenchmarkSmallGET16(b *testing.B) {
	bench(b, small, func(b *testing.B, client *http.Client, url string) {
		b.SetParallelism(8)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				fetch(b, client, url, nil)
			}
		})
	})
}

func BenchmarkDown10MB(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	bench(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data)
	}, func(b *testing.B, client *http.Client, url string) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			fetch(b, client, url, nil)
		}
	})
}

func BenchmarkUp10MB(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	bench(b, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) },
		func(b *testing.B, client *http.Client, url string) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				fetch(b, client, url, bytes.NewReader(data))
			}
		})
}

func BenchmarkNewConnection(b *testing.B) {
	bench(b, small, func(b *testing.B, client *http.Client, url string) {
		client.Transport.(*http.Transport).DisableKeepAlives = true
		for b.Loop() {
			fetch(b, client, url, nil)
		}
	})
}
