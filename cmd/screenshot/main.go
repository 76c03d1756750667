// Command screenshot makes the pictures of the documentation: it drives a real
// program in tmux by a script of keys and writes the frame as SVG.
//
//	go run ./cmd/screenshot                 # docs/screen.svg
//	go run ./cmd/screenshot -o edit.svg 'wait:CSRF' n e C-g Enter C-s 'wait:201'
//
// A word of the script is a key as tmux names it (Enter, C-s, n) or wait:TEXT,
// which goes on once TEXT is on the screen. It needs tmux and go in PATH.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/ui/picture"
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
	t := terminal{socket: filepath.Join(dir, "tmux")}
	if _, err := t.run(ctx, "-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height),
		"-e", "COLORTERM=truecolor", program+" demo"); err != nil {
		return err
	}
	defer t.run(context.WithoutCancel(ctx), "kill-server")
	for _, word := range script {
		if text, ok := strings.CutPrefix(word, "wait:"); ok {
			err = t.wait(ctx, text)
		} else {
			_, err = t.run(ctx, "send-keys", word)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	time.Sleep(settle)
	frame, err := t.run(ctx, "capture-pane", "-ep")
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(picture.SVG(frame, title)), 0o644)
}

// terminal is a tmux server of our own.
type terminal struct{ socket string }

func (t terminal) run(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "tmux", append([]string{"-S", t.socket}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

func (t terminal) wait(ctx context.Context, text string) error {
	deadline := time.Now().Add(patience)
	for {
		screen, err := t.run(ctx, "capture-pane", "-p")
		if err != nil {
			return err
		}
		if strings.Contains(screen, text) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not on the screen after %s:\n%s", patience, screen)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
