package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// calls counts what goes to the connection below.
type calls struct {
	net.Conn
	reads, writes atomic.Int64
}

func (c *calls) Read(p []byte) (int, error)  { c.reads.Add(1); return c.Conn.Read(p) }
func (c *calls) Write(p []byte) (int, error) { c.writes.Add(1); return c.Conn.Write(p) }

// sealed is both ends of a TLS connection over loopback; the client's goes through a Batch.
func sealed(t *testing.T) (client *tls.Conn, below *calls, server *tls.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	below = &calls{Conn: conn}
	client = tls.Client(NewBatch(below, below), &tls.Config{InsecureSkipVerify: true})
	server = tls.Server(&gathering{Conn: other}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { c.Close() })
	}
	return client, below, server
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestABatchWritesRecordsTogether(t *testing.T) {
	client, below, server := sealed(t)
	data := content(1 << 20)
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, len(data))
		io.ReadFull(server, b)
		got <- b
	}()
	out := NewOutlet(client)
	before := below.writes.Load()
	for at := 0; at < len(data); at += batchSize {
		if n, err := out.Write(data[at : at+batchSize]); n != batchSize || err != nil {
			t.Fatal(n, err)
		}
	}
	if b := <-got; !bytes.Equal(b, data) {
		t.Error("other bytes came out")
	}
	if n := below.writes.Load() - before; n > 1<<20/batchSize*2 {
		t.Errorf("%d writes for %d records", n, 1<<20/record)
	}
	if _, rest := out.Sums(); rest != SumOf(data) {
		t.Error("the sum is of other bytes")
	}
}

// A body is followed by the next message at once: reading ahead must not take of it.
func TestABatchReadsNothingBeyondTheBody(t *testing.T) {
	for _, size := range []int{1, record, 2 * batchSize, 1<<20 + 17, 3 << 20} {
		client, below, server := sealed(t)
		data := content(size)
		next := []byte("HTTP/1.1 204 No Content\r\n\r\n")
		go func() {
			server.Write(data)
			server.Write(next)
		}()
		r := NewReader(client)
		before := below.reads.Load()
		body := &Body{Framing: flow.ByLength, left: int64(size)}
		var got bytes.Buffer
		if err := body.Copy(&got, r, nil, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d bytes: other bytes came out", size)
		}
		if n := below.reads.Load() - before; size >= 1<<20 && n > int64(size/record)*2 {
			t.Errorf("%d bytes: %d reads below", size, n)
		}
		if r.Cut() != SumOf(data) {
			t.Errorf("%d bytes: the sum is of other bytes", size)
		}
		if b := batchOf(client); len(b.in) > 0 || b.room != nil || b.still != 0 || b.now {
			t.Errorf("%d bytes: the batch holds %d bytes", size, len(b.in))
		}
		r.Release()
		for len(r.Buffered()) < len(next) {
			if err := r.Fill(); err != nil {
				t.Fatal(err)
			}
		}
		if string(r.Buffered()) != string(next) {
			t.Errorf("%d bytes: then came %q", size, r.Buffered())
		}
	}
}

// What comes in small pieces is passed on as it comes, however much is still to come.
func TestABatchDoesNotWaitForMore(t *testing.T) {
	client, _, server := sealed(t)
	r := NewReader(client)
	body := &Body{Framing: flow.ByLength, left: 1 << 20}
	pieces := make(chan []byte)
	go body.Copy(sends(pieces), r, nil, nil)
	for _, piece := range []string{"one", "two", "three"} {
		if _, err := server.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
		if got := <-pieces; string(got) != piece {
			t.Errorf("got %q, want %q", got, piece)
		}
	}
	client.Close()
}

// gathering is a connection that may keep what is written until it is let go in one write.
type gathering struct {
	net.Conn
	on   bool
	kept []byte
}

func (g *gathering) Write(p []byte) (int, error) {
	if !g.on {
		return g.Conn.Write(p)
	}
	g.kept = append(g.kept, p...)
	return len(p), nil
}

func (g *gathering) release() error {
	_, err := g.Conn.Write(g.kept)
	g.on, g.kept = false, nil
	return err
}

// Records that came with one call to the system are taken together, and nothing more is waited for.
func TestFillReadyTakesWhatCameTogether(t *testing.T) {
	client, below, server := sealed(t)
	if _, err := server.Write([]byte("one")); err != nil { // after it, whatever ends a handshake has been read
		t.Fatal(err)
	}
	r := NewReader(client)
	r.Grow()
	if err := r.FillReady(); err != nil || string(r.Buffered()) != "one" {
		t.Fatalf("got %q, %v", r.Buffered(), err)
	}
	r.Discard(3)
	r.Cut()
	g := server.NetConn().(*gathering)
	g.on = true
	for _, piece := range []string{"two", "three", "four"} {
		if _, err := server.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	before := below.reads.Load()
	if err := g.release(); err != nil {
		t.Fatal(err)
	}
	if err := r.FillReady(); err != nil || string(r.Buffered()) != "twothreefour" {
		t.Errorf("got %q, %v", r.Buffered(), err)
	}
	if n := below.reads.Load() - before; n != 1 {
		t.Errorf("%d reads below", n)
	}
	r.Discard(len(r.Buffered()))
	if r.Cut() != SumOf([]byte("twothreefour")) {
		t.Error("the sum is of other bytes")
	}
	server.Close()
	for range 2 { // the end is told, and stays
		if err := r.FillReady(); err != io.EOF {
			t.Errorf("the end: %v", err)
		}
	}
}

type sends chan []byte

func (s sends) Write(p []byte) (int, error) { s <- bytes.Clone(p); return len(p), nil }
