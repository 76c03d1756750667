//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/why403/why403/ui/terminal"
)

// TestScreenScripts are people at the screen: the real program on a pseudo
// terminal. Each script is a story in testdata/screen, in which
//
//	screen 120x40 ARGS...   starts why403 ARGS
//	press KEY...            presses keys: n, enter, ctrl+s; type TEXT writes, paste TEXT pastes
//	[!] sees TEXT...        waits until the screen shows all of these, or none
//	clipboard TEXT          waits until what was copied through the terminal holds TEXT
//	resize 60x15            gives the window another size
//	ends [STATUS]           waits for the program's end
func TestScreenScripts(t *testing.T) {
	server := startRefusing(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/screen",
		Setup: func(env *testscript.Env) error {
			for name, folder := range map[string]string{
				"HOME": "home", "XDG_DATA_HOME": "home/data", "XDG_STATE_HOME": "home/state", "XDG_CONFIG_HOME": "home/config", "XDG_RUNTIME_DIR": "home/run",
			} {
				env.Setenv(name, env.WorkDir+"/"+folder)
			}
			env.Setenv("TERM", "xterm-256color")
			env.Setenv("SSH_TTY", "/dev/pts/0") // no clipboard of a desktop: copies go through the terminal
			env.Setenv("SERVER", server)
			env.Setenv("WHY403_CONFIG", env.WorkDir+"/config.yaml")
			if err := os.WriteFile(env.WorkDir+"/config.yaml", []byte("theme: dark\n"), 0o600); err != nil {
				return err
			}
			env.Values[seat{}] = &person{}
			return os.MkdirAll(env.WorkDir+"/home/run", 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"screen": atScreen, "press": press, "type": write, "paste": pasteText, "sees": sees, "clipboard": clipboard, "resize": resize, "ends": ends, "click": click,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// seat is the key of a script's person.
type seat struct{}

// person sits at a terminal, in which the program may run.
type person struct{ *terminal.Program }

// soon is how long something that is waited for may take.
const soon = 30 * time.Second

func at(ts *testscript.TestScript) *person {
	p := ts.Value(seat{}).(*person)
	if p.Program == nil {
		ts.Fatalf("no screen was started")
	}
	return p
}

func atScreen(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(seat{}).(*person)
	if neg || len(args) == 0 || p.Program != nil {
		ts.Fatalf("usage: screen WxH ARGS..., one at a time")
	}
	w, h := measures(ts, args[0])
	program := ""
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if path := filepath.Join(dir, "why403"); program == "" {
			if _, err := os.Stat(path); err == nil {
				program = path
			}
		}
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "TERM", "SSH_TTY", "SERVER", "WHY403_CONFIG", "NO_COLOR", "TMPDIR", "EDITOR", "WORK"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	run, err := terminal.Start(cmd, w, h)
	ts.Check(err)
	p.Program = run
	ts.Defer(run.Kill)
}

func measures(ts *testscript.TestScript, size string) (w, h int) {
	if n, _ := fmt.Sscanf(size, "%dx%d", &w, &h); n != 2 {
		ts.Fatalf("%q is no size such as 80x24", size)
	}
	return w, h
}

// press presses keys one by one. After escape it waits a little: with a key right behind it, it would be another key.
func press(ts *testscript.TestScript, neg bool, args []string) {
	p := at(ts)
	for _, k := range args {
		ts.Check(p.Press(k))
		if k == "esc" {
			time.Sleep(150 * time.Millisecond)
		}
	}
}

func write(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(at(ts).Send(strings.Join(args, " ")))
}

func pasteText(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(at(ts).Paste(strings.Join(args, " ")))
}

// click clicks on the first place of a text on the screen.
func click(ts *testscript.TestScript, neg bool, args []string) {
	p := at(ts)
	x, y, ok := p.Find(args[0])
	if !ok {
		ts.Fatalf("%q is not on the screen:\n%s", args[0], p.Screen())
	}
	ts.Check(p.Click(x, y))
}

func sees(ts *testscript.TestScript, neg bool, args []string) {
	p := at(ts)
	missing := ""
	p.wait(ts, func() bool {
		screen := p.Screen()
		for _, a := range args {
			if strings.Contains(screen, a) == neg {
				missing = a
				return false
			}
		}
		return true
	}, func() string {
		if neg {
			return fmt.Sprintf("the screen still shows %q:\n%s", missing, p.Screen())
		}
		return fmt.Sprintf("the screen does not show %q:\n%s", missing, p.Screen())
	})
}

func clipboard(ts *testscript.TestScript, neg bool, args []string) {
	p := at(ts)
	want := strings.Join(args, " ")
	p.wait(ts, func() bool { return strings.Contains(p.Clipboard(), want) != neg }, func() string {
		return fmt.Sprintf("the clipboard holds %q, not %q", p.Clipboard(), want)
	})
}

func (p *person) wait(ts *testscript.TestScript, ok func() bool, why func() string) {
	if err := p.Wait(soon, ok); err != nil {
		ts.Fatalf("%v: %s", err, why())
	}
}

func resize(ts *testscript.TestScript, neg bool, args []string) {
	p := at(ts)
	w, h := measures(ts, args[0])
	ts.Check(p.SetSize(w, h))
}

func ends(ts *testscript.TestScript, neg bool, args []string) {
	p := at(ts)
	want := 0
	if len(args) > 0 {
		want, _ = strconv.Atoi(args[0])
	}
	select {
	case <-p.Done():
	case <-time.After(soon):
		ts.Fatalf("the program does not end:\n%s", p.Screen())
	}
	got := 0
	var exit *exec.ExitError
	if errors.As(p.Err(), &exit) {
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("it ended with status %d, not %d:\n%s", got, want, p.Screen())
	}
	p.Program = nil
}
