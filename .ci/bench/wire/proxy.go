package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// proxy is a proxy at work, or none.
type proxy struct {
	address string // "": no proxy
	dir     string
	cmd     *exec.Cmd
	ended   chan error
	ready   time.Duration // from the start of the process to the first connection it took
}

// startProxy starts w in a folder of its own, with nothing of this machine's user around it.
func startProxy(ctx context.Context, w way) (*proxy, error) {
	if w.args == nil {
		return &proxy{}, nil
	}
	dir, err := os.MkdirTemp("", "why403-bench-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	args := make([]string, len(w.args))
	for i, a := range w.args {
		args[i] = strings.NewReplacer("{port}", port, "{dir}", dir).Replace(a)
	}
	p := &proxy{address: address, dir: dir, cmd: exec.CommandContext(ctx, args[0], args[1:]...), ended: make(chan error, 1)}
	p.cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TZ=UTC"}
	begun := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			p.ready = time.Since(begun)
			return p, c.Close()
		}
		select {
		case err := <-p.ended:
			return nil, fmt.Errorf("it ended before it listened: %w", err)
		case <-time.After(500 * time.Microsecond):
		}
		if time.Since(begun) > 20*time.Second {
			return nil, errors.Join(errors.New("it does not listen after 20 s"), p.stop())
		}
	}
}

func (p *proxy) session() string { return filepath.Join(p.dir, "bench.why403") }

// stop ends it the way a user does, and waits for it. The folder stays until clean.
func (p *proxy) stop() error {
	if p.cmd == nil || p.ended == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	p.ended = nil
	return nil
}

func (p *proxy) clean() {
	_ = p.stop()
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// cpu is the processor time that it has used (proc(5), stat: utime and stime in hundredths of a second).
func (p *proxy) cpu() time.Duration {
	if p.cmd == nil {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
	words := strings.Fields(rest)
	if err != nil || len(words) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(words[11], 10, 64)
	system, _ := strconv.ParseInt(words[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// resident is the memory that it has in RAM, in KiB (proc(5), status: VmRSS).
func (p *proxy) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.ParseFloat(strings.Fields(rest)[0], 64)
		}
	}
	return 0, errors.New("no VmRSS is told")
}
