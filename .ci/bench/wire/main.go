// Command wire measures what the proxy costs between a client and a server, and
// prints it as Markdown tables:
//
//	go run ./.ci/bench/wire
//
// In each round the same client talks to the same server without a proxy, through
// `why403 capture` with a session on disk, and through what -peer names, one after
// the other; ratios are to the direct way of the same round. Then it looks into
// the session and counts: a figure of a recorder that did not record is none.
// Everything is on loopback and in a temporary folder. It needs Linux and Go,
// takes about five minutes, and wants a machine with nothing else to do: client,
// server and proxy share its cores.
//
// A peer is a name and a command line in which {port} and {dir} stand for a free
// port and an empty folder; it must not verify the server's certificate:
//
//	go run ./.ci/bench/wire -peer 'mitmdump=mitmdump --set confdir={dir} --listen-host 127.0.0.1 -p {port} --ssl-insecure'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// way is one way from the client to the server.
type way struct {
	name string
	args []string // the proxy's command line; nil is no proxy
	ours bool
}

func main() {
	var peers []way
	rounds := flag.Int("rounds", 3, "rounds; the figures are medians over them")
	scale := flag.Float64("scale", 1, "how much longer than usual to measure")
	program := flag.String("program", "", "`path` of the why403 to measure (default: built from this tree)")
	memory := flag.Int("flows", 200_000, "flows after which the memory is read again; 0 leaves it out")
	flag.Func("peer", "another proxy, as `NAME=COMMAND`; may be given several times", func(s string) error {
		name, command, ok := strings.Cut(s, "=")
		if !ok || strings.TrimSpace(command) == "" {
			return errors.New("want NAME=COMMAND")
		}
		peers = append(peers, way{name: name, args: strings.Fields(command)})
		return nil
	})
	flag.Parse()
	if len(os.Args) == 2 && os.Args[1] == originWord {
		fail(serveOrigin())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fail(measure(ctx, *program, peers, *rounds, *scale, *memory))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "wire: %v\n", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, program string, peers []way, rounds int, scale float64, memory int) (err error) {
	dir, err := os.MkdirTemp("", "why403-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if program == "" {
		program = filepath.Join(dir, "why403")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "github.com/why403/why403/cmd/why403")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	o, err := startOrigin(ctx)
	if err != nil {
		return err
	}
	defer o.stop()

	ours := way{name: "why403 capture", ours: true, args: []string{program, "capture", "--listen", "127.0.0.1:{port}", "--insecure", "--session", "{dir}/bench.why403"}}
	ways := append([]way{{name: "direct"}, ours}, peers...)
	results := map[string][]result{}
	var kept record
	for round := range rounds {
		for i := range ways {
			w := ways[(i+round)%len(ways)] // nobody is always first
			r, rec, err := measureWay(ctx, w, o, scale)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			results[w.name] = append(results[w.name], r)
			kept.add(rec)
			fmt.Fprintf(os.Stderr, "round %d, %s: %.0f requests/s\n", round+1, w.name, r["get16"])
		}
	}
	report(os.Stdout, ways, results, kept)
	return measureAlone(ctx, os.Stdout, ours, o, memory)
}

// measureWay starts a proxy, measures, ends it, and looks into what it recorded.
func measureWay(ctx context.Context, w way, o *origin, scale float64) (result, record, error) {
	p, err := startProxy(ctx, w)
	if err != nil {
		return nil, record{}, err
	}
	defer p.clean()
	l := load{proxy: p.address, o: o, sent: map[string]sum{}}
	r := result{}
	seconds := func(s float64) time.Duration { return time.Duration(s * scale * float64(time.Second)) }
	for _, m := range []struct {
		name string
		run  func() (float64, error)
	}{
		{"get1", func() (float64, error) { t, err := l.small(ctx, "get1", 1, seconds(2)); return t.at(0.5), err }},
		{"get16", func() (float64, error) { t, err := l.small(ctx, "get16", 16, seconds(4)); return t.rate(), err }},
		{"get64", func() (float64, error) { t, err := l.small(ctx, "get64", 64, seconds(3)); return t.at(0.99), err }},
		{"down", func() (float64, error) { return l.large(ctx, "down", "GET", seconds(2)) }},
		{"up", func() (float64, error) { return l.large(ctx, "up", "POST", seconds(2)) }},
		{"sse", func() (float64, error) { t, err := l.events(ctx); return t.at(0.5), err }},
		{"hosts", func() (float64, error) { t, err := l.newHosts(ctx); return t.at(0.5), err }},
		{"h2", func() (float64, error) { return l.streams(ctx, 8, seconds(3)) }},
	} {
		before := p.cpu()
		begun := l.requests()
		if r[m.name], err = m.run(); err != nil {
			return nil, record{}, fmt.Errorf("%s: %w", m.name, err)
		}
		if m.name == "get16" {
			r["cpu"] = float64((p.cpu() - before).Microseconds()) / float64(l.requests()-begun)
		}
	}
	if err := p.stop(); err != nil || !w.ours {
		return r, record{}, err
	}
	rec, err := compare(ctx, p.session(), l.sent)
	return r, rec, err
}
