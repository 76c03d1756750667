//go:build e2e

package e2e

import (
	"bufio"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// capture is `why403 capture --json` at work.
type capture struct {
	*process
	address string // of the proxy
	ca      string // file that clients trust

	mu    sync.Mutex
	lines []string // whole lines of standard output so far
	read  chan struct{}
}

func startCapture(t *testing.T, env []string, args ...string) *capture {
	t.Helper()
	cmd := exec.Command(program, append([]string{"capture", "--json", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = env
	printed, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{process: start(t, cmd), read: make(chan struct{})}
	go func() {
		defer close(c.read)
		in := bufio.NewReader(printed)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return // what has no line end was not printed as finished
			}
			c.mu.Lock()
			c.lines = append(c.lines, line)
			c.mu.Unlock()
		}
	}()
	waitUntil(t, "the address of the proxy", func() bool {
		if c.ended() {
			t.Fatalf("capture ended at once: %s", c.out)
		}
		said := c.out.String()
		c.address = between(said, "listening on ", ",")
		c.ca = between(said, "trust it with ", "\n")
		return c.address != "" && c.ca != ""
	})
	return c
}

// count is how many lines were printed so far.
func (c *capture) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines)
}

// all waits for the end of the output, which comes with the end of the process, and gives it.
func (c *capture) all() []string {
	<-c.read
	return c.lines
}

// between is what stands in s between before and the next after, "" if that is not there.
func between(s, before, after string) string {
	_, rest, found := strings.Cut(s, before)
	part, _, closed := strings.Cut(rest, after)
	if !found || !closed {
		return ""
	}
	return part
}
