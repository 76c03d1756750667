package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/proxy/launch"
)

func newDoctor(std stdio) *cobra.Command {
	r := runner{std: std, ca: "ephemeral", stay: true}
	var sample bool
	cmd := &cobra.Command{
		Use:   "doctor [-- COMMAND [ARGUMENT...]]",
		Short: "Find out why traffic does not appear",
		Long: `Look at the port, the certificate authority, the clients and runtimes of this
machine, and what in the environment is in the way; remove what a killed
why403 left behind. Exit status 1 when something is wrong.

With a COMMAND, run it as why403 run does and tell which of its connections, and
of the processes that it starts, went past the proxy, why, and what to do
(on Linux). Exit status 1 when there was one, else the command's.

The kernel asks for each connection of the command, so that none is missed.
Where that is not allowed, or with --sample, the system's tables are looked at
every 4 ms, and what is shorter may be missed. Unless you are root, setuid
programs such as sudo and ping have no more rights than you in a command that
is watched; with --sample they have.`,
		Example: `why403 doctor
why403 doctor -- npm test`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return examine(cmd.Context(), std, r.proxy.dir())
			}
			return watched(context.WithoutCancel(cmd.Context()), &r, args, sample)
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&sample, "sample", false, "look at the connections of the command every 4 ms, rather than be asked for each")
	r.proxy.add(cmd.Flags())
	r.kit.add(cmd.Flags())
	return cmd
}

const usualPort = 8403

// examine prints what was found, the bad with what to do.
func examine(ctx context.Context, std stdio, caDir string) error {
	home, _ := os.UserHomeDir()
	all := launch.Examine(ctx, usualPort, os.Environ(), home)
	all = slices.Concat(all[:1], examineAuthority(caDir), all[1:], examineClock(ctx))
	bad := 0
	for _, c := range all {
		printCheck(std.out, c)
		if c.State == launch.Bad {
			bad++
		}
	}
	if bad > 0 {
		return exitStatus(exitFailed)
	}
	return nil
}

var stateMarks = map[launch.State]string{launch.Good: "ok", launch.Note: "note", launch.Bad: "BAD"}

func printCheck(w io.Writer, c launch.Check) {
	fmt.Fprintf(w, "%-4s  %-11s  %s\n", stateMarks[c.State], c.Subject, oneLine(c.Text))
	if c.Mend != "" {
		fmt.Fprintf(w, "%-4s  %-11s  → %s\n", "", "", oneLine(c.Mend))
	}
}

// examineAuthority looks at the certificate authority that is kept, and creates none.
func examineAuthority(dir string) []launch.Check {
	const subject = "authority"
	ca, err := certs.Load(dir, time.Now)
	var hinted interface{ Hint() string }
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []launch.Check{{Subject: subject, State: launch.Good, Text: "none yet: the first start of why403 makes one in " + dir}}
	case errors.As(err, &hinted):
		return []launch.Check{{Subject: subject, State: launch.Bad, Text: err.Error(), Mend: hinted.Hint()}}
	case err != nil:
		return []launch.Check{{Subject: subject, State: launch.Bad, Text: err.Error()}}
	}
	info := ca.Info()
	checks := []launch.Check{{Subject: subject, State: launch.Good, Text: fmt.Sprintf("%s, valid until %s; its key has mode %04o", info.Cert, info.NotAfter.Format(time.DateOnly), info.KeyMode)}}
	if _, warning := ca.Expires(); warning != "" {
		checks = append(checks, launch.Check{Subject: subject, State: launch.Note, Text: warning, Mend: "why403 ca rotate makes a new one, which clients must be given again"})
	}
	trust := launch.Check{Subject: subject, State: launch.Good, Text: "this system does not trust it, and need not: run, env and browser give it to their clients alone"}
	if systemTrusts(ca.PEM()) {
		trust = launch.Check{Subject: subject, State: launch.Note, Text: "this system trusts it: whoever has its key could deceive all programs here", Mend: "when you are done: why403 ca uninstall"}
	}
	return append(checks, trust)
}

// Bounds of the look at the clock.
const (
	clockFlows = 20               // that are looked at, the last of the newest session
	clockSkew  = 30 * time.Second // from which on it is worth a word: tokens and signatures bear little
)

// examineClock compares our clock with what servers said when they answered last (Date, RFC 9110, 6.6.1). Nobody is asked.
func examineClock(ctx context.Context) []launch.Check {
	good := []launch.Check{{Subject: "clock", State: launch.Good, Text: "nothing recorded says that it is wrong"}}
	path, err := session.Newest(session.Dir())
	if err != nil {
		return good
	}
	store, err := session.Open(path, session.Options{})
	if err != nil {
		return good
	}
	defer store.Close()
	var skews []time.Duration
	for id := store.Last(); id > 0 && id > store.Last()-clockFlows; id-- {
		f, err := store.Prefix(ctx, id, 0, 0)
		if err == nil {
			if skew, ok := skewOf(f); ok {
				skews = append(skews, skew)
			}
		}
	}
	if len(skews) == 0 {
		return good
	}
	slices.Sort(skews)
	if skew := skews[len(skews)/2]; skew.Abs() > clockSkew {
		word := "ahead of"
		if skew < 0 {
			word = "behind"
		}
		return []launch.Check{{Subject: "clock", State: launch.Bad, Text: fmt.Sprintf("it was %s %s that of the servers in the newest session: tokens and signatures may be refused for it",
			strings.TrimSpace(humanize.RelTime(time.Time{}, time.Time{}.Add(skew.Abs()), "", "")), word), Mend: "set it right (timedatectl set-ntp true)"}}
	}
	return good
}

// skewOf is how far our clock was ahead of the server's; false: it does not say, or a cache may have.
func skewOf(f *flow.Flow) (time.Duration, bool) {
	if f.Response == nil || f.Response.Header.Has("Age") {
		return 0, false
	}
	date, err := http.ParseTime(f.Response.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return f.Times.Start.Sub(date), true
}

// watched runs a command and tells what went past the proxy.
func watched(ctx context.Context, r *runner, args []string, sample bool) error {
	if !launch.CanWatch {
		return failedf("why403 run -- "+args[0]+" shows what comes through", "doctor: this system does not tell which process has which connection")
	}
	var watch *launch.Watch
	r.command = func(folder string, o launch.Options) (launch.Command, error) {
		proxy, err := netip.ParseAddrPort(strings.TrimPrefix(o.Proxy, "http://"))
		if err != nil {
			return launch.Command{}, fmt.Errorf("doctor: %w", err)
		}
		watch = &launch.Watch{Proxy: proxy, Sample: sample}
		c, err := r.withKit(folder, o, args)
		c.Watch = watch
		return c, err
	}
	err := r.run(ctx)
	var status exitStatus
	if watch == nil || err != nil && !errors.As(err, &status) {
		return err // it did not start
	}
	seen := watch.Seen()
	reportBypass(r.std.err, seen)
	if seen.Unprivileged && status != 0 {
		fmt.Fprintln(r.std.err, "why403: setuid programs, such as sudo, had no more rights than you; if that is why it failed: --sample")
	}
	if len(seen.Past) > 0 {
		return exitStatus(exitFailed)
	}
	return err
}

func reportBypass(w io.Writer, seen launch.Seen) {
	switch n := len(seen.Past); {
	case n > 0:
		fmt.Fprintf(w, "why403: %s past the proxy:\n", plural(n, "connection went", "connections went"))
	case seen.Every > 0:
		fmt.Fprintln(w, "why403: no connection was seen that went past the proxy")
	default:
		fmt.Fprintln(w, "why403: no connection went past the proxy")
	}
	for _, b := range seen.Past[:min(len(seen.Past), maxTold)] {
		reason, mend := b.Mend()
		times := ""
		if b.Times > 1 {
			times = fmt.Sprintf(", %d times", b.Times)
		}
		fmt.Fprintf(w, "why403: ! %s %d to %s%s: %s\nwhy403:   → %s\n", oneLine(b.Process), b.PID, b.Remote, times, reason, mend)
	}
	if more := len(seen.Past) - maxTold; more > 0 {
		fmt.Fprintf(w, "why403: and %d more\n", more)
	}
	if seen.Every > 0 {
		fmt.Fprintf(w, "why403: connections shorter than %d ms can be missed\n", seen.Every.Milliseconds())
	}
	if seen.Unread > 0 {
		fmt.Fprintf(w, "why403: of %s the address could not be read\n", plural(seen.Unread, "connection", "connections"))
	}
	if seen.Lingers {
		fmt.Fprintln(w, "why403: processes that it started still run: one of ours, why403-keeper, stays beside them until they end")
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
