//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNothingPrintedAsFinishedIsLost kills a busy capture without warning, at
// random moments, and looks for every exchange that it had called finished.
func TestNothingPrintedAsFinishedIsLost(t *testing.T) {
	const rounds = 20
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	origin := httptest.NewServer(http.HandlerFunc(echoOfPath))
	defer origin.Close()
	env, dir := home(t), t.TempDir()
	finished := 0
	for round := range rounds {
		file := filepath.Join(dir, fmt.Sprintf("round-%d.why403", round))
		c := startCapture(t, env, "--session", file)
		stop := makeTraffic(t, origin.URL, c.address, round)
		// Some rounds end among the first exchanges, some later, none between two fixed points of the program.
		enough := 1 + random.IntN(100)
		waitUntil(t, "finished exchanges", func() bool { return c.count() >= enough })
		time.Sleep(time.Duration(random.Int64N(int64(30 * time.Millisecond)))) // the random moment; nothing is waited for
		c.kill()
		stop()
		finished += checkAllThere(t, env, file, c.all())
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d kills, %d exchanges printed as finished, all complete on disk", rounds, finished)
}

// echoOfPath reads the request and answers with what expected makes of the path; every fourth is refused.
func echoOfPath(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/n/"))
	w.Header().Set("Content-Type", "application/octet-stream")
	if n%4 == 0 {
		w.WriteHeader(http.StatusForbidden)
	}
	w.Write(expected(n, "response"))
}

// expected is the body of exchange n on one side: up to 40 kB, one in three small, no two alike.
func expected(n int, side string) []byte {
	size := n * 7919 % 40_000
	if n%3 == 0 {
		size %= 300
	}
	body := make([]byte, size)
	rand.NewChaCha8(sha256.Sum256([]byte(side + strconv.Itoa(n)))).Read(body)
	return body
}

// makeTraffic posts through the proxy until stop is called, which waits for it to end.
func makeTraffic(t *testing.T, origin, proxy string, round int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: proxy}, nil }}
	client := &http.Client{Transport: transport}
	var next atomic.Int64
	next.Store(int64(round) * 100_000)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1))
				request, err := http.NewRequestWithContext(ctx, "POST", fmt.Sprintf("%s/n/%d", origin, n), bytes.NewReader(expected(n, "request")))
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Content-Type", "application/octet-stream")
				response, err := client.Do(request)
				if err != nil {
					return // the proxy was killed
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
	return func() {
		cancel()
		senders.Wait()
		transport.CloseIdleConnections()
	}
}

// checkAllThere finds each printed exchange in the session that the kill left.
func checkAllThere(t *testing.T, env []string, file string, lines []string) int {
	t.Helper()
	r := run(t, env, program, "export", file, "--as", "har", "--reveal")
	if r.code != 0 {
		t.Errorf("export after the kill: %s", r)
		return 0
	}
	var har harFile
	if err := json.Unmarshal([]byte(r.out), &har); err != nil {
		t.Errorf("export after the kill: %v", err)
		return 0
	}
	kept := map[string]harEntry{}
	for _, e := range har.Log.Entries {
		kept[e.Request.URL] = e
	}
	for _, line := range lines {
		var printed struct {
			URL    string
			Status int
			Error  *string
		}
		if err := json.Unmarshal([]byte(line), &printed); err != nil {
			t.Errorf("capture printed %q: %v", line, err)
			continue
		}
		n, err := strconv.Atoi(printed.URL[strings.LastIndexByte(printed.URL, '/')+1:])
		if err != nil {
			t.Errorf("capture printed %q, which nobody asked for", printed.URL)
			continue
		}
		e, found := kept[printed.URL]
		switch {
		case !found:
			t.Errorf("%s was printed as finished and is not in the session", printed.URL)
		case printed.Error != nil:
			t.Errorf("%s failed: %s", printed.URL, *printed.Error)
		case e.Response.Status != printed.Status:
			t.Errorf("%s: printed %d, recorded %d", printed.URL, printed.Status, e.Response.Status)
		case !bytes.Equal(e.Request.PostData.bytes(), expected(n, "request")):
			t.Errorf("%s: the recorded request's body differs from the sent one", printed.URL)
		case !bytes.Equal(e.Response.Content.bytes(), expected(n, "response")):
			t.Errorf("%s: the recorded response's body differs from the sent one", printed.URL)
		}
	}
	return len(lines)
}

// harFile is what of a HAR these tests read.
type harFile struct {
	Log struct{ Entries []harEntry }
}

type harEntry struct {
	Request struct {
		Method, URL string
		PostData    harText
	}
	Response struct {
		Status  int
		Content harText
	}
}

type harText struct{ Text, Encoding string }

func (h harText) bytes() []byte {
	if h.Encoding != "base64" {
		return []byte(h.Text)
	}
	b, err := base64.StdEncoding.DecodeString(h.Text)
	if err != nil {
		return []byte("not base64: " + h.Text)
	}
	return b
}
