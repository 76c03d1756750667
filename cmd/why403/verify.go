package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/export"
)

// runners are the programs that run what is exported, by form; the file comes last.
var runners = map[string][]string{
	"curl": {"sh"}, "httpie": {"sh"}, "python": {"python3"}, "httpx": {"python3"}, "js": {"node"}, "go": {"go", "run"},
	"powershell": {"pwsh", "-NoProfile", "-File"},
}

const runFor = time.Minute // for one export to be run

// verify runs what is exported once, flow by flow, and wants the answers that were recorded.
// What runs holds the secrets; it lies in a folder for our user alone, and is removed.
func verify(ctx context.Context, format export.Format, flows []*flow.Flow) error {
	runner, ok := runners[format.Name]
	if !ok {
		return usagef("only what a program runs can be verified: curl, httpie, python, httpx, go, js, powershell", "--verify does not work with --as %s", format.Name)
	}
	program, err := exec.LookPath(runner[0])
	if err != nil {
		return failedf("install it, or leave --verify out", "%s is not installed, which is needed to run the export", runner[0])
	}
	dir, err := os.MkdirTemp("", "why403-verify-")
	if err != nil {
		return failed(err, "the system's temporary folder must be writable; TMPDIR names another")
	}
	defer os.RemoveAll(dir)
	for _, f := range flows {
		var text bytes.Buffer
		if err := export.Write(&text, format, []*flow.Flow{f}, export.Options{Reveal: true}); err != nil {
			return failed(fmt.Errorf("flow %d: %w", f.ID, err), "export other flows, or in another form with --as")
		}
		file := filepath.Join(dir, "request"+format.Ext)
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, runFor)
		cmd := exec.CommandContext(ctx, program, append(append([]string{}, runner[1:]...), file)...)
		cmd.Dir, cmd.WaitDelay = dir, time.Second
		out, err := cmd.Output()
		cancel()
		var status *exec.ExitError
		if err != nil && !errors.As(err, &status) {
			return failed(fmt.Errorf("run the export of flow %d: %w", f.ID, err), "leave --verify out")
		}
		if !answered(out, f.Status()) {
			first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			return failedf("something changed since, or this form cannot reproduce it; try --as curl, or why403 replay", "the export of flow %d was run and is not answered %d but %q", f.ID, f.Status(), oneLine(first))
		}
	}
	return nil
}

// answered reports whether what a program printed begins with a status: "HTTP/1.1 403 Forbidden", "403 Forbidden".
func answered(out []byte, status int) bool {
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if strings.HasPrefix(words[0], "HTTP/") && len(words) > 1 {
			words = words[1:]
			if strings.HasPrefix(words[0], "1") && status >= 200 { // 100 Continue comes first
				continue
			}
		}
		if n, err := strconv.Atoi(words[0]); err == nil && n >= 200 {
			return n == status
		}
	}
	return false
}
