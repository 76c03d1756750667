package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// patience is how long a wait lasts before the run is given up.
const patience = 2 * time.Minute

// look is the pause between two looks at the screen: what a figure is uncertain by.
// What takes longer than long is looked for less often, to leave it the processor.
const (
	look = time.Millisecond
	long = 250 * time.Millisecond
)

// pane is the window of a tmux server of its own. It is asked through a client
// in control mode: an answer takes a fraction of a millisecond, where a new
// client for each question would take several.
type pane struct {
	ctx     context.Context
	socket  string
	script  string // what runs in the pane
	control *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	colours bool // screens come with their escape sequences
}

// settings are those of a terminal that adds nothing of its own.
const settings = `set -s escape-time 0
set -g default-terminal tmux-256color
set -g status off
set -g remain-on-exit on
`

func openPane(ctx context.Context, b *bench) (_ *pane, err error) {
	dir, err := os.MkdirTemp(b.dir, "tmux-")
	if err != nil {
		return nil, err
	}
	p := &pane{ctx: ctx, socket: filepath.Join(dir, "s"), script: filepath.Join(dir, "run.sh")}
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, "tmux", "-f", conf, "-S", p.socket, "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(lines), "cat")
	server.Env = b.env
	if out, err := server.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tmux: %w: %s", err, out)
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	p.control = exec.CommandContext(ctx, "tmux", "-S", p.socket, "-C", "attach", "-f", "ignore-size,no-output")
	p.control.Env = b.env
	if p.in, err = p.control.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.control.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 64<<10)
	if err := p.control.Start(); err != nil {
		return nil, err
	}
	_, err = p.reply() // of attach
	return p, err
}

// close ends the server, and with it what runs in the pane.
func (p *pane) close() {
	if p.control != nil && p.control.Process != nil {
		p.in.Close()
		p.control.Wait()
	}
	exec.Command("tmux", "-S", p.socket, "kill-server").Run()
}

// reply is the answer to one command; what tmux tells beside answers is skipped.
func (p *pane) reply() (string, error) {
	var text strings.Builder
	inside := false
	for {
		line, err := p.out.ReadString('\n')
		switch {
		case err != nil:
			return "", fmt.Errorf("tmux ended: %w", errors.Join(err, p.ctx.Err()))
		case strings.HasPrefix(line, "%begin "):
			inside = true
		case !inside:
		case strings.HasPrefix(line, "%end "):
			return text.String(), nil
		case strings.HasPrefix(line, "%error "):
			return "", fmt.Errorf("tmux: %s", text.String())
		default:
			text.WriteString(line)
		}
	}
}

func (p *pane) ask(command string) (string, error) {
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		return "", err
	}
	return p.reply()
}

// start runs a command line, given as for a shell, and gives its process number.
func (p *pane) start(command string) (pid int, err error) { return p.begin("exec " + command) }

// begin runs a shell script and gives the process number of the shell.
func (p *pane) begin(script string) (pid int, err error) {
	if err := os.WriteFile(p.script, []byte(script+"\n"), 0o600); err != nil {
		return 0, err
	}
	if _, err := p.ask("respawn-pane -k 'exec sh " + p.script + "'"); err != nil {
		return 0, err
	}
	text, err := p.ask("display-message -p '#{pane_pid}'")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

// screen is what the pane shows, a line a row.
func (p *pane) screen() (string, error) {
	if p.colours {
		return p.ask("capture-pane -pe")
	}
	return p.ask("capture-pane -p")
}

// press sends keys by tmux' names.
func (p *pane) press(keys ...string) error {
	_, err := p.ask("send-keys " + strings.Join(keys, " "))
	return err
}

// enter sends text, which holds no single quote.
func (p *pane) enter(text string) error {
	_, err := p.ask("send-keys -l '" + text + "'")
	return err
}

// until waits for a screen and tells how long that took.
func (p *pane) until(what string, ok func(screen string) bool) (time.Duration, error) {
	pause := look
	for begun := time.Now(); ; time.Sleep(pause) {
		if time.Since(begun) > long {
			pause = 10 * look
		}
		screen, err := p.screen()
		switch {
		case err != nil:
			return 0, err
		case ok(screen):
			return time.Since(begun), nil
		case p.ctx.Err() != nil:
			return 0, p.ctx.Err()
		case time.Since(begun) > patience:
			return 0, fmt.Errorf("waited %s in vain for %s:\n%s", patience, what, screen)
		}
	}
}

// shows waits until all of these are on the screen.
func (p *pane) shows(texts ...string) (time.Duration, error) {
	return p.until(strings.Join(texts, ", "), func(screen string) bool { return holds(screen, texts...) })
}

func holds(screen string, texts ...string) bool {
	for _, t := range texts {
		if !strings.Contains(screen, t) {
			return false
		}
	}
	return true
}

// took presses a key and tells how long it takes until see gives something else than before.
func (p *pane) took(key string, see func(screen string) string) (time.Duration, error) {
	screen, err := p.screen()
	if err != nil {
		return 0, err
	}
	before := see(screen)
	begun := time.Now()
	if err := p.press(key); err != nil {
		return 0, err
	}
	_, err = p.until("an effect of "+key, func(screen string) bool {
		now := see(screen)
		return now != "" && now != before
	})
	return time.Since(begun), err
}

// each presses keys one after the other, as a person does: after its effect, and a moment.
func (p *pane) each(keys []string, see func(screen string) string) (times, error) {
	const moment = 15 * time.Millisecond
	var all times
	for i, key := range keys {
		d, err := p.took(key, see)
		if err != nil {
			return all, err
		}
		all = append(all, d)
		time.Sleep(moment + time.Duration(i%8)*time.Millisecond) // in step with nothing
	}
	return all, nil
}

// cursor is the number of the flow under the cursor of the list, "" where there is none.
func cursor(screen string) string {
	for line := range strings.Lines(screen) {
		for _, sign := range []string{"›", "▶"} {
			if rest, ok := strings.CutPrefix(line, sign); ok {
				number, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
				return number
			}
		}
	}
	return ""
}

// inspector is what stands right of the list, which does not change while new flows come.
func inspector(screen string) string {
	var right strings.Builder
	for line := range strings.Lines(screen) {
		if _, part, ok := strings.Cut(line, "│"); ok {
			right.WriteString(part)
		}
	}
	return right.String()
}

func number(s string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		return 0
	}
	return n
}

// counted is the number of flows that the first row tells.
func counted(screen string) int {
	first, _, _ := strings.Cut(screen, "\n")
	words := strings.Fields(first)
	for i, w := range words {
		if i > 0 && strings.HasPrefix(w, "flow") {
			return number(words[i-1])
		}
	}
	return 0
}

// count is a number with thousands set apart, as the screen writes it.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// quoted makes a shell command of words that hold no single quote.
func quoted(words ...string) string { return "'" + strings.Join(words, "' '") + "'" }
