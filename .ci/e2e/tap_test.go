//go:build e2e

package e2e

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tap stands before a server and keeps each request as the bytes that came.
// It knows bodies with a Content-Length, which is what these tests send.
type tap struct {
	address string
	server  string

	mu       sync.Mutex
	requests []request
}

// request is one request on the wire.
type request struct {
	line   string   // "POST /orders HTTP/1.1"
	fields []string // "Name: value", in order
	body   string
}

// sorted is the request with its fields in one order: what two senders that
// place fields differently have in common.
func (r request) sorted() string {
	fields := slices.Sorted(slices.Values(r.fields))
	return r.line + "\n" + strings.Join(fields, "\n") + "\n\n" + r.body
}

func openTap(t *testing.T, server string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{address: l.Addr().String(), server: server}
	var relays sync.WaitGroup
	relays.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			relays.Go(func() { p.relay(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		relays.Wait()
	})
	return p
}

func (p *tap) relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	answered := make(chan struct{})
	go func() {
		io.Copy(client, server)
		client.Close()
		close(answered)
	}()
	in := bufio.NewReader(client)
	for p.pass(in, server) == nil {
	}
	server.(*net.TCPConn).CloseWrite()
	<-answered
	server.Close()
}

// pass records and forwards one request.
func (p *tap) pass(in *bufio.Reader, server io.Writer) error {
	var head strings.Builder
	var r request
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		head.WriteString(line)
		text := strings.TrimRight(line, "\r\n")
		if text == "" {
			break
		}
		if r.line == "" {
			r.line = text
			continue
		}
		r.fields = append(r.fields, text)
		if name, value, _ := strings.Cut(text, ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return err
	}
	r.body = string(body)
	p.mu.Lock()
	p.requests = append(p.requests, r)
	p.mu.Unlock()
	_, err := io.WriteString(server, head.String()+r.body)
	return err
}

// posts are the POST requests so far.
func (p *tap) posts() []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var posts []request
	for _, r := range p.requests {
		if strings.HasPrefix(r.line, "POST ") {
			posts = append(posts, r)
		}
	}
	return posts
}
