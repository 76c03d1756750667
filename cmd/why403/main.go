// Command why403 is a debugging proxy in the terminal for one question: why was
// my request refused?
//
// One file a subcommand: flags in, calls out, exit codes. Nothing here judges,
// draws or speaks HTTP.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/why403/why403/proxy/launch"
)

func main() {
	if launch.Keep(os.Args) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
