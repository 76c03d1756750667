package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/proxy/launch"
)

func newRun(std stdio) *cobra.Command {
	r := runner{std: std}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command with its traffic through the proxy, nothing installed",
		Long: `Run a command whose requests go through why403, decrypted. Its environment names
the proxy and a file of certificates to trust; runtimes that need more get it:
a preloaded script for older Node, a sitecustomize for Python, a line for Ruby,
an ini file for PHP, a trust store for Java. Nothing is installed, and nothing
is left behind.

If a why403 is running, the requests appear there. Otherwise they are recorded
by a proxy of this command's own, with a certificate authority that lives in
memory and ends with it.

The command has the terminal, the signals and the last word: its exit status is
this one's. At the end each refused request is told in a line on standard error,
and each answer that is why403's own, because the server could not be reached or
its certificate is not trusted; nothing is said when there was none.`,
		Example: `why403 run -- npm test
why403 run --fail-on-refused -- python app.py
why403 run -- curl -d @order.json https://api.example/orders`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("for example: why403 run -- npm test", "run needs a command")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.Flags().Visit(func(f *pflag.Flag) {
				_, configured := f.Annotations[ofFile] // a running why403 has read that, too
				r.alone = r.alone || f.Annotations[ofProxy] != nil && !configured
			})
			r.command = func(folder string, o launch.Options) (launch.Command, error) { return r.withKit(folder, o, args) }
			return r.run(context.WithoutCancel(cmd.Context())) // a signal ends the command, and that ends us
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	r.proxy.add(flags)
	flags.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{ofProxy: {}} })
	flags.BoolVar(&r.alone, "alone", false, "do not join a running why403 (so does each flag of the proxy)")
	flags.BoolVar(&r.screen, "ui", false, "show the session on the screen when the command has ended")
	flags.BoolVar(&r.failOnRefused, "fail-on-refused", false, "exit status 3 if a request was refused and the command succeeded all the same")
	flags.StringVar(&r.ca, "ca", "ephemeral", "certificate authority of a proxy of its own: `ephemeral` (in memory), or persistent (that of why403 ca)")
	r.kit.add(flags)
	return cmd
}

// ofProxy marks the flags that only a proxy of the command's own can follow.
const ofProxy = "of the proxy"

// kitFlags say which runtimes get no help.
type kitFlags struct {
	noShims bool
	without map[launch.Runtime]*bool
}

func (k *kitFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&k.noShims, "no-shims", false, "variables alone: nothing is loaded into Node, Python, Ruby or PHP")
	k.without = map[launch.Runtime]*bool{}
	for _, r := range launch.Runtimes {
		k.without[r] = flags.Bool("no-"+string(r), false, "leave "+runtimeNames[r]+" alone")
	}
}

var runtimeNames = map[launch.Runtime]string{launch.Node: "Node", launch.Python: "Python", launch.Ruby: "Ruby", launch.PHP: "PHP", launch.Java: "Java"}

// options are those of a kit for clients of the proxy at addr.
func (k *kitFlags) options(addr string, ca []byte, session string) launch.Options {
	home, _ := os.UserHomeDir()
	o := launch.Options{Proxy: "http://" + addr, CA: ca, Env: os.Environ(), Home: home, JavaHome: launch.FindJava(), Session: session}
	for _, r := range launch.Runtimes {
		if k.without[r] != nil && *k.without[r] || k.noShims && r != launch.Java {
			o.Without = append(o.Without, r)
		}
	}
	return o
}

// runner is `why403 run`.
type runner struct {
	std           stdio
	proxy         proxyFlags
	kit           kitFlags
	alone         bool
	screen        bool
	failOnRefused bool
	ca            string
	stay          bool // there is something to say after the command's end, whatever ended it
	// command is what to run with a kit's files in a folder.
	command func(folder string, o launch.Options) (launch.Command, error)
}

// exitStatus ends us as the command ended.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func (r *runner) run(ctx context.Context) error {
	if err := r.check(); err != nil {
		return err
	}
	var told refusals
	var exit launch.Exit
	var err error
	running, joined := launch.Instance{}, false
	if !r.alone {
		running, joined = launch.Running(ctx, launch.Places()...)
	}
	if joined {
		exit, told, err = r.joined(ctx, running)
	} else {
		exit, told, err = r.own(ctx)
	}
	var none *launch.ErrNoCommand
	switch {
	case errors.As(err, &none) && none.NotFound:
		return &failure{fmt.Errorf("run: %w", none), "check its name; aliases and functions of the shell need one: why403 run -- sh -c '…'", 127}
	case errors.As(err, &none):
		return &failure{fmt.Errorf("run: %w", none), "it must be a program that you may execute", 126}
	case err != nil:
		return err
	}
	told.print(r.std.err)
	if r.screen && !told.kept {
		fmt.Fprintln(r.std.err, "why403: nothing was sent that could be shown")
	} else if r.screen {
		if err := openFile(ctx, r.std, told.session, columns{}); err != nil {
			return err
		}
	}
	if !r.stay {
		launch.Die(exit.Signal)
	}
	if exit.Code == 0 && r.failOnRefused && told.count > 0 {
		return errRefused
	}
	if exit.Code != 0 {
		return exitStatus(exit.Code)
	}
	return nil
}

func (r *runner) check() error {
	switch {
	case r.ca != "ephemeral" && r.ca != "persistent":
		return usagef("give --ca ephemeral or --ca persistent", "--ca %q", r.ca)
	case r.proxy.inFront():
		return usagef("start why403 --mode "+r.proxy.mode+" by itself, and give the command its address", "run needs a proxy: --mode %s stands for a server", r.proxy.mode)
	case r.screen && r.proxy.session == "none":
		return usagef("leave one of them out", "--ui shows the session, and --session none keeps none")
	case r.screen:
		return wantsTerminal(r.std)
	}
	return nil
}

// own runs the command with a proxy of its own.
func (r *runner) own(ctx context.Context) (exit launch.Exit, told refusals, err error) {
	var p parts
	if r.ca == "ephemeral" {
		if p.ca, err = certs.Ephemeral(time.Now); err != nil {
			return exit, told, err
		}
	}
	o := r.proxy
	o.proxyAuth = "" // its only client is ours
	if len(o.listen) == 0 {
		o.listen = []string{"127.0.0.1:0"}
	}
	var seen tally
	p.settled = seen.add
	s, err := o.open(p)
	if err != nil {
		return exit, told, err
	}
	defer s.close()
	s.announce("run", &o)
	if s.seat == nil {
		return exit, told, errNoSeat()
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.serve(serving) }()
	exit, err = r.start(ctx, s.seat, r.kit.options(s.address(), s.ca.PEM(), s.store.Stats().Path))
	if err == nil {
		seen.wait(ctx, s.store)
	}
	stop()
	if e := <-served; err == nil && e != nil && !errors.Is(e, context.Canceled) {
		err = e
	}
	told = seen.refusals
	told.own.look(ctx, s.store)
	told.session, told.kept = s.store.Stats().Path, o.session != "none"
	if o.session == "" && s.store.Last() == 0 { // nothing was sent: nobody wants to find that later
		s.close()
		_ = session.Remove(told.session)
		told.kept = false
	}
	return exit, told, err
}

func errNoSeat() error {
	return failedf("make "+launch.Dir()+" a folder of yours, or name another place with XDG_RUNTIME_DIR", "no place for the files that clients need")
}

// joined runs the command with the proxy of another process.
func (r *runner) joined(ctx context.Context, running launch.Instance) (exit launch.Exit, told refusals, err error) {
	ca, err := os.ReadFile(running.CA)
	if err != nil {
		return exit, told, failed(fmt.Errorf("run: the certificate of the running why403: %w", err), "start that one again, or give --alone")
	}
	seat, err := launch.Take(launch.Dir())
	if err != nil {
		return exit, told, failed(err, "make "+launch.Dir()+" a folder of yours")
	}
	defer func() { _ = seat.Release() }()
	if err := seat.Announce(launch.Instance{Kind: "run", Started: time.Now()}); err != nil {
		return exit, told, err
	}
	begin, _ := running.Last(ctx)
	exit, err = r.start(ctx, seat, r.kit.options(running.Addresses[0], ca, running.Session))
	if err != nil {
		return exit, told, err
	}
	if last, ok := running.Last(ctx); ok && last > begin {
		told = refusedSince(ctx, running.Session, begin, last)
	}
	told.session, told.kept = running.Session, true
	return exit, told, nil
}

// start runs the command with files in the folder of a seat.
func (r *runner) start(ctx context.Context, seat *launch.Seat, o launch.Options) (launch.Exit, error) {
	folder, err := seat.Folder()
	if err != nil {
		return launch.Exit{}, failed(err, "make "+launch.Dir()+" a folder of yours")
	}
	c, err := r.command(folder, o)
	if err != nil {
		return launch.Exit{}, err
	}
	return launch.Run(ctx, c)
}

// withKit lays out what a command needs that takes the proxy from its environment.
func (r *runner) withKit(folder string, o launch.Options, args []string) (launch.Command, error) {
	kit, err := launch.Lay(folder, o)
	if err != nil {
		return launch.Command{}, failed(err, "the folder "+folder+" must be writable")
	}
	for _, note := range kit.Notes {
		fmt.Fprintf(r.std.err, "why403: %s\n", oneLine(note))
	}
	return launch.Command{Args: args, Env: kit.With(o.Env), In: r.std.in, Out: r.std.out, Err: r.std.err}, nil
}

// shortName is how the user names a session to our commands.
func shortName(path string) string {
	if filepath.Dir(path) == session.Dir() {
		path = filepath.Base(path)
	}
	return shellWord(path)
}

// shellWord is a text as a word of a POSIX shell, quoted if need be.
func shellWord(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n\"'\\$&;<>|*?()[]{}`!#~") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
