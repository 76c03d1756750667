//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// terminal is a tmux server of our own with one window: what a user sits at.
// Everything the program draws and asks goes through a real terminal's parser.
type terminal struct {
	t      *testing.T
	socket string
	env    []string
	status string // file to which the shell around the program writes its exit status
}

// openTerminal runs command, given as for a shell, in a window of that size.
func openTerminal(t *testing.T, columns, rows int, env []string, command string) *terminal {
	t.Helper()
	term := idleTerminal(t, columns, rows, env)
	term.exec(command)
	return term
}

// idleTerminal is a terminal in which nothing runs yet.
func idleTerminal(t *testing.T, columns, rows int, env []string) *terminal {
	t.Helper()
	// A socket's name may be a hundred bytes long; a test's own folder may be longer.
	dir, err := os.MkdirTemp("", "tmux-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	term := &terminal{t: t, socket: filepath.Join(dir, "s"), env: env}
	server := exec.Command("tmux", "-f", "/dev/null", "-S", term.socket, "-D") // a child of ours, not a daemon
	server.Env = env
	p := start(t, server)
	waitUntil(t, "tmux", func() bool {
		if p.ended() {
			t.Fatal("tmux ended at once")
		}
		_, err := os.Stat(term.socket)
		return err == nil
	})
	term.tmux("set", "-s", "set-clipboard", "on", ";",
		"set", "-s", "escape-time", "0", ";",
		"set", "-g", "default-terminal", "tmux-256color", ";",
		"set", "-g", "status", "off", ";",
		"set", "-g", "remain-on-exit", "on", ";", // what a program says as it ends stays readable
		"new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows), "cat")
	return term
}

func (s *terminal) tmux(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...)
	cmd.Env = s.env // tmux gives the PATH of who asks to what it starts
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// exec replaces what ran in the window. The exit status comes by a file: tmux
// 3.3a in the foreground does not always learn of the end of its children.
func (s *terminal) exec(command string) {
	s.t.Helper()
	s.status = filepath.Join(s.t.TempDir(), "status")
	s.tmux("respawn-pane", "-k", command+"; echo $? >"+quoted(s.status))
}

// press sends keys by tmux' names: n, Enter, C-s.
func (s *terminal) press(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

// enter sends text as it is.
func (s *terminal) enter(text string) {
	s.t.Helper()
	s.tmux("send-keys", "-l", text)
}

// screen is what the window shows, a line a row.
func (s *terminal) screen() string {
	s.t.Helper()
	return s.tmux("capture-pane", "-p")
}

// waitFor waits until the screen shows all of these and gives it.
func (s *terminal) waitFor(texts ...string) string {
	s.t.Helper()
	return s.waitThat(strings.Join(texts, `", "`), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// waitThat waits until ok says yes to the screen and gives it.
func (s *terminal) waitThat(what string, ok func(screen string) bool) string {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		screen := s.screen()
		if ok(screen) {
			return screen
		}
		if _, err := os.Stat(s.status); err == nil {
			s.t.Fatalf("the program ended before \"%s\" was on the screen:\n%s", what, s.tmux("capture-pane", "-p", "-S", "-"))
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s in vain for \"%s\" on the screen:\n%s", patience, what, screen)
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// ended waits for the program's end and gives its exit status and all that stands in the window.
func (s *terminal) ended() (status int, screen string) {
	s.t.Helper()
	waitUntil(s.t, "the program's end", func() bool {
		return s.tmux("display-message", "-p", "#{pane_dead}") == "1\n" // tmux has read the last that was written
	})
	status, err := strconv.Atoi(strings.TrimSpace(string(read(s.t, s.status))))
	if err != nil {
		s.t.Fatal(err)
	}
	return status, s.tmux("capture-pane", "-p", "-S", "-") // tmux' own line about the end scrolls the first ones out
}

// clipboard is what a program last gave to the terminal (OSC 52); "" is nothing yet.
func (s *terminal) clipboard() string {
	out, err := exec.Command("tmux", "-S", s.socket, "show-buffer").Output()
	if err != nil {
		return "" // no buffer
	}
	return string(out)
}

// quoted makes a shell command of words that hold no single quote.
func quoted(words ...string) string {
	return "'" + strings.Join(words, "' '") + "'"
}
