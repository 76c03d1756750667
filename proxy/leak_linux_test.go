package proxy

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var aborted = flag.Int("aborted", 1000, "how many clients go away in TestAbortedConnectionsLeaveNothing")

// Clients go away at every moment at which one can: afterwards there is no
// goroutine and no descriptor more than before, and every row has its end.
func TestAbortedConnectionsLeaveNothing(t *testing.T) {
	clients := *aborted
	l := newLab(t)
	plain := l.origin(nil, func(p *peer) { // answers some, and never finishes
		for head := p.head(); head != ""; head = p.head() {
			if !strings.HasPrefix(head, "GET /silent") {
				p.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbegin")
			}
		}
	})
	secure := l.origin(l.origins.config(), okOrigin)
	hello := helloRecord(t)
	connect := "CONNECT " + secure.addr + " HTTP/1.1\r\nHost: " + secure.addr + "\r\n\r\n"
	stages := []struct {
		name string
		talk func(p *peer)
	}{
		{"says nothing", func(*peer) {}},
		{"half a head", func(p *peer) { p.send("GET http://" + plain.addr + "/ HTTP/1.1\r\nHo") }},
		{"a head that is none", func(p *peer) { p.send("\x00\x01\x02\r\n\r\n") }},
		{"waits for an answer", func(p *peer) { p.send(get("http://"+plain.addr, "/silent", plain.addr)) }},
		{"half an answer", func(p *peer) { p.send(get("http://"+plain.addr, "/", plain.addr)); p.head() }},
		{"half a body", func(p *peer) {
			p.send("POST http://" + plain.addr + "/silent HTTP/1.1\r\nHost: " + plain.addr + "\r\nContent-Length: 9\r\n\r\nabc")
		}},
		{"nobody there", func(p *peer) { p.send(get("http://127.0.0.1:1", "/", "127.0.0.1:1")) }},
		{"a tunnel", func(p *peer) { p.send(connect) }},
		{"a tunnel that stands", func(p *peer) { p.send(connect); p.head() }},
		{"half a hello", func(p *peer) { p.send(connect + hello[:40]) }},
		{"a hello", func(p *peer) { p.send(connect + hello) }},
		{"half of SOCKS5", func(p *peer) { p.send("\x05\x01\x00\x05\x01") }},
		{"SOCKS5", func(p *peer) { p.send("\x05\x01\x00" + socksTo(plain.addr)); p.take(12) }},
		{"TLS to the port", func(p *peer) { p.send(hello) }},
	}
	const costly = 50 // a handshake takes as long as a hundred of the others
	before := descriptors(t)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for {
				n := int(next.Add(1))
				if n > clients {
					return
				}
				c, err := net.Dial("tcp", l.addr)
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(patience))
				p := newPeer(c)
				stage := stages[n%len(stages)]
				for handshakes := strings.HasSuffix(stage.name, "a hello") || stage.name == "TLS to the port"; handshakes && n%costly != 0; handshakes = false {
					stage = stages[n%7]
				}
				stage.talk(p)
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
		})
	}
	all.Wait()
	l.stop() // the lab then counts goroutines, and looks for rows without an end; the listener has gone
	eventually(t, func() bool { return len(descriptors(t)) < len(before) }, func() string {
		return fmt.Sprintf("%d descriptors before, now %d: %v", len(before), len(descriptors(t)), descriptors(t))
	})
}

// descriptors are what this process has open, but for the folder that is being read.
func descriptors(t testing.TB) []string {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	var open []string
	for _, e := range dir {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			open = append(open, target)
		}
	}
	slices.Sort(open)
	return open
}

// helloRecord is the hello of crypto/tls' client.
func helloRecord(t testing.TB) string {
	t.Helper()
	a, b := net.Pipe()
	defer b.Close()
	go func() {
		tls.Client(a, &tls.Config{ServerName: "app.test"}).Handshake()
		a.Close()
	}()
	b.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}
