package main

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/logs"
)

// logFlags name the servers' logs that are followed while the proxy runs.
type logFlags struct {
	files, commands []string
}

func (o *logFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&o.files, "log", nil, "`[LABEL=]FILE` of a server's log to follow; its lines appear beside the requests that they belong to")
	flags.StringArrayVar(&o.commands, "log-cmd", nil, "`command` that prints a server's log as it grows, such as 'docker logs -f --tail 0 web'; it ends with why403")
}

// follow starts following; without logs it does nothing. What goes wrong later is told to trouble.
func (o *logFlags) follow(trouble func(string)) (*logs.Feed, error) {
	if len(o.files) == 0 && len(o.commands) == 0 {
		return nil, nil
	}
	var specs []logs.Spec
	for _, a := range o.files {
		label, name := labelled(a)
		specs = append(specs, logs.Spec{Label: label, Path: name})
	}
	for _, c := range o.commands {
		if strings.TrimSpace(c) == "" {
			return nil, usagef("give a command that prints the log, such as 'journalctl -f -n 0 -u nginx'", "--log-cmd is empty")
		}
		specs = append(specs, logs.Spec{Command: c})
	}
	feed, err := logs.Start(specs, trouble)
	if err != nil {
		return nil, failed(fmt.Errorf("--log: %w", err), "give the log file of the server as [LABEL=]FILE; it must be there already")
	}
	return feed, nil
}

// labelled splits [LABEL=]FILE; a file whose own name has a "=" is one.
func labelled(arg string) (label, name string) {
	label, name, ok := strings.Cut(arg, "=")
	if _, err := os.Stat(arg); !ok || err == nil {
		return "", arg
	}
	return label, name
}

// heed makes the worker's options heed the lines of feed, which may be nil.
func heed(o explain.Options, feed *logs.Feed) explain.Options {
	if feed != nil {
		o.Logs, o.LogsChanged = explain.FromFeed(feed), feed.Changed
	}
	return o
}

// remarks keeps what is to be said when the screen is gone, a bounded number of lines.
type remarks struct {
	mu    sync.Mutex
	lines []string
}

func (r *remarks) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < 20 {
		r.lines = append(r.lines, s)
	}
}

// take gives the lines once.
func (r *remarks) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.lines
	r.lines = nil
	return out
}
