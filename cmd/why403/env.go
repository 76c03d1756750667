package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/why403/why403/proxy/launch"
)

func newEnv(std stdio) *cobra.Command {
	var e envPrinter
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print what makes a shell send its traffic to the running why403",
		Long: `Print the commands that give a shell, and all that it starts, the proxy and the
certificates of the running why403. The command why403_off takes them back. The
files that they name go when that why403 ends: undo it then.`,
		Example: `eval "$(why403 env)"                 # bash, zsh and other POSIX shells
why403 env --shell fish | source
why403 env --shell powershell | Out-String | Invoke-Expression
docker run $(why403 env --docker) IMAGE`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			running, ok := launch.Running(cmd.Context(), launch.Places()...)
			if !ok {
				return failedf("start why403 in another terminal, or run one command with why403 run -- COMMAND", "env: no why403 is running")
			}
			return e.print(std.out, std.err, running)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&e.shell, "shell", "", "`bash`, zsh, fish, powershell or cmd (default: the one that asks)")
	flags.BoolVar(&e.docker, "docker", false, "print the arguments that docker run needs instead")
	e.kit.add(flags)
	return cmd
}

type envPrinter struct {
	shell  string
	docker bool
	kit    kitFlags
}

func (e *envPrinter) print(out, notes io.Writer, running launch.Instance) error {
	ca, err := os.ReadFile(running.CA)
	if err != nil {
		return failed(fmt.Errorf("env: the certificate of the running why403: %w", err), "start that one again")
	}
	addr := running.Addresses[0]
	if e.docker {
		_, port, _ := net.SplitHostPort(addr)
		args, err := launch.Docker(filepath.Join(running.Folder, "docker"), port, ca, runtime.GOOS == "linux")
		if err != nil {
			return failed(err, "the folder "+running.Folder+" must be writable")
		}
		_, err = fmt.Fprintln(out, strings.Join(args, " "))
		return err
	}
	if os.Getenv("WHY403_CHILD_PROXY") != "" {
		return failedf("call why403_off first; if that is no command here, this shell was started by why403 run: leave it", "env: this shell sends its traffic to %s already", os.Getenv("WHY403_CHILD_PROXY"))
	}
	shell := e.shell
	if shell == "" {
		shell = launch.ShellOf(parentName(), os.Getenv("SHELL"))
	}
	kit, err := launch.Lay(filepath.Join(running.Folder, "env"), e.kit.options(addr, ca, running.Session))
	if err != nil {
		return failed(err, "the folder "+running.Folder+" must be writable")
	}
	text, err := launch.Script(shell, kit.Settings, os.Environ())
	if err != nil {
		return usagef("give --shell "+strings.Join(launch.Shells, "|"), "--shell %s: %v", shell, err)
	}
	for _, note := range kit.Notes {
		fmt.Fprintf(notes, "why403: %s\n", oneLine(note))
	}
	_, err = io.WriteString(out, text)
	return err
}

// parentName is what the process that started us calls itself, "" where the system does not say (proc(5)).
func parentName() string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/comm")
	return strings.TrimSpace(string(b))
}
