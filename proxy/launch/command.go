package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Command is a client to run.
type Command struct {
	Args     []string
	Env      []string // as os.Environ gives it
	In       io.Reader
	Out, Err io.Writer
	// Watch sees its connections; nil: nobody wants to know.
	Watch *Watch
}

// Exit is how a command ended.
type Exit struct {
	Code   int            // its status; 128 and the signal's number if a signal ended it, as shells say it
	Signal syscall.Signal // that ended it, 0 for none
}

// ErrNoCommand is wrapped by the errors of commands that could not be started;
// NotFound tells the two kinds apart that shells give statuses of their own.
type ErrNoCommand struct {
	Name     string
	Err      error
	NotFound bool
}

func (e *ErrNoCommand) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }
func (e *ErrNoCommand) Unwrap() error { return e.Err }

// grace is how long a command may take to end when it is asked to.
const grace = 5 * time.Second

// Run runs c to its end. It stays in our process group, as it would without us:
// the keys of the terminal (ctrl-c, ctrl-z) reach it from there, and pipelines
// work. Signals that came to us alone are passed on. When ctx is done, c is
// asked to end, and made to after some seconds.
func Run(ctx context.Context, c Command) (Exit, error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Env, c.In, c.Out, c.Err
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	start := cmd.Start
	if c.Watch != nil {
		start = func() error { return c.Watch.start(cmd) }
		defer c.Watch.end()
	}
	if err := start(); err != nil {
		missing := errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist)
		var where *os.PathError
		if errors.As(err, &where) {
			err = where.Err
		}
		var what *exec.Error
		if errors.As(err, &what) {
			err = what.Err
		}
		return Exit{}, &ErrNoCommand{Name: c.Args[0], Err: err, NotFound: missing}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	asked := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case <-asked:
			asked, late = nil, time.After(grace)
			askToEnd(cmd.Process)
		case <-late:
			_ = cmd.Process.Kill()
		case sig := <-signals:
			if !fromTerminal(sig) {
				_ = cmd.Process.Signal(sig)
			}
		case err := <-ended:
			if cmd.ProcessState == nil {
				return Exit{}, fmt.Errorf("%s: %w", c.Args[0], err)
			}
			return exitOf(cmd.ProcessState), nil
		}
	}
}

// With is environ with the settings of a kit in it.
func (k *Kit) With(environ []string) []string {
	out := slices.Clone(environ)
	at := map[string]int{}
	for i, kv := range out {
		name, _, _ := strings.Cut(kv, "=")
		at[name] = i
	}
	for _, s := range k.Settings {
		kv := s.Name + "=" + s.Value
		if i, there := at[s.Name]; there {
			out[i] = kv
		} else {
			out = append(out, kv)
		}
	}
	return out
}
