//go:build unix

// Command screenshot makes the pictures of the documentation: it drives a real
// program on a terminal by a script of keys and writes the frame as SVG. The
// tests of the screen sit at the same terminal.
//
//	go run ./cmd/screenshot                 # docs/screen.svg
//	go run ./cmd/screenshot -o edit.svg 'wait:CSRF' n e ctrl+g enter ctrl+s 'wait:201'
//
// A word of the script is a key (n, enter, ctrl+s), type:TEXT, or wait:TEXT,
// which goes on once TEXT is on the screen. It needs go in PATH.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/why403/why403/ui/picture"
	"github.com/why403/why403/ui/terminal"
)

// firstLook shows a refused POST with its verdict: the picture of the README.
var firstLook = []string{"wait:too many requests", "g", "n", "wait:certain", "wait:checks"}

const (
	patience = 30 * time.Second       // for a text to appear
	settle   = 400 * time.Millisecond // for a frame after the last key
)

func main() {
	out := flag.String("o", "docs/screen.svg", "`file` to write")
	width := flag.Int("width", 150, "columns")
	height := flag.Int("height", 34, "rows")
	title := flag.String("title", "The screen of why403", "what the picture shows, in words")
	flag.Parse()
	script := flag.Args()
	if len(script) == 0 {
		script = firstLook
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := shoot(ctx, *out, *title, *width, *height, script); err != nil {
		fmt.Fprintln(os.Stderr, "screenshot:", err)
		os.Exit(1)
	}
}

func shoot(ctx context.Context, out, title string, width, height int, script []string) error {
	dir, err := os.MkdirTemp("", "screenshot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "why403")
	if b, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/why403").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, b)
	}
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "demo")
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8", "WHY403_CONFIG=none"}
	t, err := terminal.Start(cmd, width, height)
	if err != nil {
		return err
	}
	defer t.Kill()
	for _, word := range script {
		if text, ok := strings.CutPrefix(word, "wait:"); ok {
			err = t.Wait(patience, func() bool { return strings.Contains(t.Screen(), text) })
		} else if text, ok := strings.CutPrefix(word, "type:"); ok {
			err = t.Send(text)
		} else {
			err = t.Press(word)
		}
		if err != nil {
			return fmt.Errorf("%s: %w:\n%s", word, err, t.Screen())
		}
	}
	time.Sleep(settle)
	return os.WriteFile(out, []byte(picture.SVG(t.Frame(), title)), 0o644)
}
