//go:build unix

package logs

import (
	"context"
	"os/exec"
	"syscall"
)

// shell runs a command line in a process group of its own, so that it ends with
// all that it started, and Ctrl-C at the terminal is ours alone to pass on.
func shell(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return cmd
}
