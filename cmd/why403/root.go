package main

import (
	"context"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// version is set by the release build.
var version = ""

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run executes one command line and gives the exit status: 0 fine, 1 failed,
// 2 usage, 3 a refusal was found.
func run(ctx context.Context, args []string, std stdio) int {
	root := newRoot(std)
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	execute := root.ExecuteContext
	if asksForHelp(args) {
		// fang styles help and makes man pages. It asks the terminal for its
		// background first, which may take seconds, so it has no part in real work.
		unquoteFlags(root)
		execute = func(ctx context.Context) error {
			return fang.Execute(ctx, root, fang.WithVersion(buildVersion()),
				fang.WithErrorHandler(func(io.Writer, fang.Styles, error) {}))
		}
	}
	return conclude(std.err, execute(ctx))
}

// unquoteFlags takes out the backticks with which descriptions of flags mark what a value is
// called: pflag's own help takes them out, fang's shows them.
func unquoteFlags(cmd *cobra.Command) {
	for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		set.VisitAll(func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) })
	}
	for _, c := range cmd.Commands() {
		unquoteFlags(c)
	}
}

func asksForHelp(args []string) bool {
	if len(args) > 1 && args[0] == "run" && !strings.HasPrefix(args[1], "-") {
		return false // what follows is of the command
	}
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return len(args) > 0 && (args[0] == "help" || args[0] == "man") || slices.Contains(args, "-h") || slices.Contains(args, "--help")
}

func newRoot(std stdio) *cobra.Command {
	var o proxyFlags
	var c columns
	root := &cobra.Command{
		Use:   "why403",
		Short: "A debugging proxy that says why a request was refused",
		Long: `why403 is a debugging proxy in the terminal. Point a client at it, watch the
requests live, and read who refused one, why, how sure that is and what to do.

Without a command it starts the proxy and the screen.`,
		Example: `# see it work, with nothing else around
why403 demo
# start it, then send something through it from another terminal
why403
HTTPS_PROXY=http://127.0.0.1:8403 curl --cacert "$(why403 ca path)" https://example.com/
# no proxy needed: explain what a browser saved
why403 explain page.har`,
		Args:          noArguments,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runScreen(cmd.Context(), std, o, c)
		},
	}
	root.SuggestionsMinimumDistance = 2
	o.add(root.Flags())
	c.add(root.Flags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(err, "see "+cmd.CommandPath()+" --help")
	})
	root.AddCommand(
		newRun(std),
		newDoctor(std),
		newBrowser(std),
		newEnv(std),
		newCapture(std),
		newOpen(std),
		newSessions(std),
		newExplain(std),
		newDiff(std),
		newReplay(std),
		newPinpoint(std),
		newExport(std),
		newAssert(std),
		newCA(std),
		newDemo(std),
		newVersion(std),
	)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := fromEnvironment(cmd.Flags(), os.LookupEnv); err != nil {
			return err
		}
		return fromConfig(cmd, os.LookupEnv)
	}
	return root
}

// noArguments is cobra.NoArgs with an error that says what to do: a word that
// is no command is the usual cause.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasParent() {
		return usagef("see "+cmd.CommandPath()+" --help", "%s takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	hint := "see why403 --help for the list of commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean why403 " + near[0] + "?"
	}
	return usagef(hint, "unknown command %q", args[0])
}

// fromEnvironment sets flags that the command line did not from WHY403_NAME,
// the flag's name in upper case with "_" for "-".
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "WHY403_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || f.Changed || failed != nil || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			failed = usagef("unset "+name+" or give it a value that --"+f.Name+" takes", "%s=%q: %v", name, value, err)
		}
	})
	return failed
}

func newVersion(std stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(std.out, "why403 "+buildVersion()+"\n")
			return err
		},
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development build"
}

// terminal reports whether both ends of the screen are one.
func (s stdio) terminal() bool {
	in, ok := s.in.(*os.File)
	out, ok2 := s.out.(*os.File)
	return ok && ok2 && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}
