package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/paste"
)

// readPasted reads the requests of a text that somebody wrote: curl commands, .http files. No
// file that it names is read, and of the environment only the secrets that our own exports ask for.
func readPasted(r io.Reader, name string, warn io.Writer, yield func(*flow.Flow) error) error {
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return failed(fmt.Errorf("%s: %w", name, err), "check that it can be read")
	}
	flows, warnings, err := paste.Read(string(text), paste.Options{Getenv: func(name string) (string, bool) {
		if !strings.HasPrefix(name, "WHY403_SECRET_") {
			return "", false
		}
		return os.LookupEnv(name)
	}})
	if err != nil {
		if errors.Is(err, paste.ErrNothing) {
			return failedf(hintText, "%s: %v", name, err)
		}
		return failed(fmt.Errorf("%s: %w", name, err), "put what it needs into the text itself")
	}
	if warn != nil {
		for _, w := range warnings {
			fmt.Fprintf(warn, "why403: %s: %s\n", name, oneLine(w))
		}
	}
	for i, f := range flows {
		f.ID = flow.ID(i + 1)
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}
