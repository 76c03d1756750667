// Command screen measures what a user of the screen waits for, and what the
// screen costs, and prints it as a Markdown table:
//
//	go run ./.ci/bench/screen
//
// It builds the program as a release does and drives it in tmux: keys go in and
// frames come out through a real terminal's parser. Traffic comes from a client
// and a server in this process, over TLS, through the program's proxy. Everything
// is on loopback and in a temporary folder. It needs Linux, tmux and Go, takes
// under six minutes, and wants a machine with nothing else to do: client, server,
// proxy and tmux share its cores.
//
// With -only it measures a part: start, rows, capture, search.
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
	"slices"
	"strings"
	"syscall"
	"time"
)

// Size of the terminal, in cells.
const (
	columns = 160
	lines   = 50
)

// bench is one run of it.
type bench struct {
	dir     string   // that goes at the end
	program string   // path of why403
	env     []string // of it: nothing of this machine's user
	flows   int      // in the capture
	rows    int      // in the large session
	table   table
}

// part is what -only names.
type part struct {
	name string
	run  func(context.Context, *bench) error
}

// parts run in this order.
var parts = []part{
	{"start", measureStart},
	{"rows", measureRows},
	{"capture", measureCapture},
	{"search", measureSearch},
}

func main() {
	program := flag.String("program", "", "`path` of the why403 to measure (default: built from this tree)")
	only := flag.String("only", "", "`parts` to run, of start,rows,capture,search (default: all)")
	flows := flag.Int("flows", 100_000, "flows in the capture before its keys are pressed")
	rows := flag.Int("rows", 1_000_000, "flows in the large session")
	fill := flag.String("fill", "", "show a new session in this `file` while it fills; for the command itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *fill != "" {
		err = showAndFill(ctx, *fill, *rows)
	} else {
		err = measure(ctx, *program, *only, *flows, *rows)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "screen: %v\n", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, program, only string, flows, rows int) (err error) {
	dir, err := os.MkdirTemp("", "why403-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{dir: dir, program: program, flows: flows, rows: rows, env: environment(dir)}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if name != "" && !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("no part is called %q", name)
		}
	}
	if b.program == "" {
		b.program = filepath.Join(dir, "why403")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.program, "github.com/why403/why403/cmd/why403")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	for _, p := range parts {
		if only != "" && !slices.Contains(wanted, p.name) {
			continue
		}
		begun := time.Now()
		if err := p.run(ctx, b); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), b.table.print(os.Stdout)) // what there is
		}
		fmt.Fprintf(os.Stderr, "%s took %.0f s\n", p.name, time.Since(begun).Seconds())
	}
	return b.table.print(os.Stdout)
}

// environment is one in which why403 finds nothing of this machine's user.
func environment(dir string) []string {
	env := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TZ=UTC", "COLORTERM=truecolor"}
	for _, name := range []string{"STATE_HOME", "CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "RUNTIME_DIR"} {
		env = append(env, "XDG_"+name+"="+filepath.Join(dir, strings.ToLower(name)))
	}
	return env
}
