package main

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
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	originWord = "origin" // the argument with which this program is the server
	newHosts   = 20       // addresses it listens on: each is a host that the proxy has not seen
	smallBody  = 200      // bytes
	largeBody  = 10 << 20
	eventCount = 40
	eventPause = 20 * time.Millisecond
)

// origin is the server, a process of its own.
type origin struct {
	cmd  *exec.Cmd
	port int // of 127.0.0.1 and the newHosts addresses after it
}

func startOrigin(ctx context.Context) (*origin, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, originWord)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // it ends when this does
	if err != nil {
		return nil, err
	}
	_ = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(line))
	return &origin{cmd, port}, err
}

func (o *origin) stop() {
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

// host is the nth address, 0 the usual one.
func (o *origin) host(n int) string { return fmt.Sprintf("127.0.0.%d:%d", n+1, o.port) }

// serveOrigin is the server: it prints its port and serves until standard input ends.
func serveOrigin() error {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := first.Addr().(*net.TCPAddr).Port
	listeners := []net.Listener{first}
	for n := 1; n <= newHosts; n++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", n+1, port))
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
	}
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: answers(), ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	for _, l := range listeners {
		go server.ServeTLS(l, "", "") //nolint:errcheck // the process ends with it
	}
	fmt.Println(port)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

func answers() http.Handler {
	small := append(bytes.Repeat([]byte("x"), smallBody-2), "\"}"...)
	copy(small, `{"ok":true,"pad":"`)
	large := bytes.Repeat([]byte("abcdefghijklmnopqrstuvwxyz012345"), largeBody/32)
	fixed := func(kind string, body []byte) http.HandlerFunc {
		length := strconv.Itoa(len(body))
		return func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", kind)
			h.Set("Content-Length", length)
			h.Set("Server", "bench")
			h.Set("Cache-Control", "no-store")
			h.Set("X-Request-Id", "0123456789abcdef")
			_, _ = w.Write(body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /small/{part}", fixed("application/json", small))
	mux.HandleFunc("GET /large/{part}", fixed("application/octet-stream", large))
	mux.HandleFunc("POST /large/{part}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "0")
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush := w.(http.Flusher).Flush
		flush()
		for range eventCount {
			time.Sleep(eventPause)
			fmt.Fprintf(w, "data: %d\n\n", time.Now().UnixNano())
			flush()
		}
	})
	return mux
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for n := range newHosts + 1 {
		c.IPAddresses = append(c.IPAddresses, net.IPv4(127, 0, 0, byte(n+1)))
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
