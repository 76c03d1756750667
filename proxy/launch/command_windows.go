package launch

import (
	"os"
	"syscall"
)

// forwarded is what keeps us alive while the command decides about ctrl-c: the console sends that to both.
var forwarded = []os.Signal{os.Interrupt}

func fromTerminal(os.Signal) bool { return true }

func exitOf(state *os.ProcessState) Exit { return Exit{Code: state.ExitCode()} }

// Die does nothing: there are no signals here.
func Die(syscall.Signal) {}

// askToEnd ends it: a program without a console cannot be asked.
func askToEnd(p *os.Process) { _ = p.Kill() }
