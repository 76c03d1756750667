package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sum is how many exchanges there were, and how many bytes of content in them.
type sum struct{ flows, bytes int64 }

// load is the client. It spends as little as it can: what it uses is taken from the proxy.
type load struct {
	proxy string // address; "" goes straight to the server
	o     *origin
	sent  map[string]sum // by path: what came to its end
}

func (l *load) requests() (n int64) {
	for _, s := range l.sent {
		n += s.flows
	}
	return n
}

func (l *load) count(path string, flows, bytes int64) {
	s := l.sent[path]
	l.sent[path] = sum{s.flows + flows, s.bytes + bytes}
}

// latencies are those of one measurement, in milliseconds.
type latencies struct {
	ms   []float64
	over time.Duration
}

func (t latencies) rate() float64 { return float64(len(t.ms)) / t.over.Seconds() }

// at is the latency that a share p of them do not exceed.
func (t latencies) at(p float64) float64 {
	if len(t.ms) == 0 {
		return 0
	}
	slices.Sort(t.ms)
	return t.ms[int(p*float64(len(t.ms)-1))]
}

// conn is a connection to the server on which requests go one after the other.
type conn struct {
	net.Conn
	r *bufio.Reader
}

const patience = 20 * time.Second // for one answer

func (l *load) dial(ctx context.Context, host string, protocols ...string) (*conn, error) {
	to := host
	if l.proxy != "" {
		to = l.proxy
	}
	raw, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(patience))
	if l.proxy != "" {
		fmt.Fprintf(raw, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
		answer, err := http.ReadResponse(bufio.NewReaderSize(raw, 512), &http.Request{Method: "CONNECT"})
		if err != nil || answer.StatusCode != 200 {
			raw.Close()
			return nil, errors.Join(errors.New("the proxy does not open a tunnel"), err)
		}
	}
	name, _, _ := net.SplitHostPort(host)
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: name, NextProtos: protocols}) //nolint:gosec // a measurement
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

// request is what a client of an API sends.
func request(method, host, path string, body int) []byte {
	head := method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nAccept-Language: en\r\n" +
		"Cookie: session=0123456789abcdef0123456789abcdef\r\n"
	if body > 0 {
		head += "Content-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(body) + "\r\n"
	}
	return []byte(head + "\r\n")
}

// exchange sends a request and reads its answer, which must be a 200 with a Content-Length.
func (c *conn) exchange(head, body []byte) (received int64, err error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(head); err != nil {
		return 0, err
	}
	if len(body) > 0 {
		if _, err := c.Write(body); err != nil {
			return 0, err
		}
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("the answer begins with %q", line)
	}
	length := int64(-1)
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if i := bytes.IndexByte(line, ':'); i == len("content-length") && strings.EqualFold(string(line[:i]), "content-length") {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(line[i+1:])), 10, 64); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("the answer has no Content-Length")
	}
	for left := length; left > 0; {
		n, err := c.r.Discard(int(min(left, 32<<10)))
		if left -= int64(n); err != nil {
			return length - left, err
		}
	}
	return length, nil
}

// small asks for a small document on several connections, each as fast as it is answered.
func (l *load) small(ctx context.Context, part string, connections int, d time.Duration) (latencies, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	path, host := "/small/"+part, l.o.host(0)
	head := request("GET", host, path, 0)
	var wg, ready sync.WaitGroup
	ready.Add(connections)
	start := make(chan struct{})
	each := make([][]float64, connections)
	var end time.Time
	for i := range connections {
		wg.Go(func() {
			c, err := l.dial(ctx, host)
			if err == nil {
				defer c.Close()
				_, err = c.exchange(head, nil) // the first is not counted: it waits for the server's connection
			}
			ready.Done()
			<-start
			for err == nil && ctx.Err() == nil {
				begun := time.Now()
				if begun.After(end) {
					return
				}
				if _, err = c.exchange(head, nil); err == nil {
					each[i] = append(each[i], float64(time.Since(begun))/1e6)
				}
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	ready.Wait()
	begun := time.Now()
	end = begun.Add(d)
	close(start)
	wg.Wait()
	t := latencies{slices.Concat(each...), time.Since(begun)}
	n := int64(len(t.ms) + connections)
	l.count(path, n, n*smallBody)
	return t, context.Cause(ctx)
}

// large moves large bodies one after the other, and gives MB (10^6 bytes) a second.
func (l *load) large(ctx context.Context, part, method string, d time.Duration) (float64, error) {
	path, host := "/large/"+part, l.o.host(0)
	var body []byte
	if method == "POST" {
		body = bytes.Repeat([]byte("0123456789abcdef"), largeBody/16)
	}
	head := request(method, host, path, len(body))
	c, err := l.dial(ctx, host)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.exchange(head, body); err != nil {
		return 0, err
	}
	n := int64(0)
	begun := time.Now()
	for time.Since(begun) < d && ctx.Err() == nil {
		if _, err := c.exchange(head, body); err != nil {
			return 0, err
		}
		n++
	}
	speed := float64(n*largeBody) / 1e6 / time.Since(begun).Seconds()
	l.count(path, n+1, (n+1)*largeBody)
	return speed, ctx.Err()
}

// events reads a stream of events, each of which tells when it was sent.
func (l *load) events(ctx context.Context) (t latencies, err error) {
	host := l.o.host(0)
	c, err := l.dial(ctx, host)
	if err != nil {
		return t, err
	}
	defer c.Close()
	if _, err := c.Write(request("GET", host, "/events", 0)); err != nil {
		return t, err
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return t, err
	}
	bytes := int64(0)
	for s := bufio.NewScanner(answer.Body); s.Scan(); {
		now := time.Now().UnixNano()
		bytes += int64(len(s.Bytes()) + 1)
		if at, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			sent, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return t, err
			}
			t.ms = append(t.ms, float64(now-sent)/1e6)
		}
	}
	if len(t.ms) != eventCount {
		return t, fmt.Errorf("%d of %d events came", len(t.ms), eventCount)
	}
	l.count("/events", 1, bytes)
	return t, nil
}

// newHosts connects to hosts that the proxy has not seen, and asks each for one document.
func (l *load) newHosts(ctx context.Context) (t latencies, err error) {
	const path = "/small/hosts"
	for n := 1; n <= newHosts; n++ {
		host := l.o.host(n)
		head := request("GET", host, path, 0)
		begun := time.Now()
		c, err := l.dial(ctx, host)
		if err != nil {
			return t, err
		}
		_, err = c.exchange(head, nil)
		t.ms = append(t.ms, float64(time.Since(begun))/1e6)
		c.Close()
		if err != nil {
			return t, err
		}
	}
	l.count(path, newHosts, newHosts*smallBody)
	return t, nil
}

// streams asks for small documents on n streams of one HTTP/2 connection, and gives requests a second.
func (l *load) streams(ctx context.Context, n int, d time.Duration) (float64, error) {
	const path = "/small/h2"
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // a measurement
	if l.proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: l.proxy})
	}
	defer transport.CloseIdleConnections()
	ask := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, "GET", "https://"+l.o.host(0)+path, nil)
		if err != nil {
			return err
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.ProtoMajor != 2 || answer.StatusCode != 200 {
			return fmt.Errorf("%s %s", answer.Proto, answer.Status)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	if err := ask(ctx); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for range n {
		wg.Go(func() {
			for time.Since(begun) < d && ctx.Err() == nil {
				if err := ask(ctx); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	speed := float64(done.Load()) / time.Since(begun).Seconds()
	l.count(path, done.Load()+1, (done.Load()+1)*smallBody)
	return speed, context.Cause(ctx)
}
