package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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
	"powershell": {"pwsh", "-NoProfile", "-File"}, "hurl": {"hurl", "--include"},
}

const runFor = time.Minute // for one export to be run

// verify runs what is exported once, flow by flow, and wants the answers that were
// recorded. What no program runs is read back, and what was read is sent as a replay is.
// What runs holds the secrets; it lies in a folder for our user alone, and is removed.
func verify(ctx context.Context, format export.Format, flows []*flow.Flow) error {
	dir, err := os.MkdirTemp("", "why403-verify-")
	if err != nil {
		return failed(err, "the system's temporary folder must be writable; TMPDIR names another")
	}
	defer os.RemoveAll(dir)
	for _, f := range flows {
		var text bytes.Buffer
		o := export.Options{Reveal: true, Expect: func(f *flow.Flow) export.Expectation {
			return export.Expectation{Status: f.Status(), Refused: flow.RefusedByStatus(f.Status())}
		}}
		if err := export.Write(&text, format, []*flow.Flow{f}, o); err != nil {
			return failed(fmt.Errorf("flow %d: %w", f.ID, err), "export other flows, or in another form with --as")
		}
		got := ""
		if runner, ok := runners[format.Name]; ok {
			got, err = runExport(ctx, dir, runner, format, f, text.Bytes())
		} else {
			got, err = sendExport(ctx, format, f, text.Bytes())
		}
		switch {
		case err != nil:
			return err
		case got != "":
			return failedf("something changed since, or this form cannot reproduce it; try --as curl, or why403 replay", "the export of flow %d was run and is not answered %d but %q", f.ID, f.Status(), oneLine(got))
		}
	}
	return nil
}

// runExport lets a program run an export. got is "" when it was answered as recorded.
func runExport(ctx context.Context, dir string, runner []string, format export.Format, f *flow.Flow, text []byte) (got string, err error) {
	program, err := exec.LookPath(runner[0])
	if err != nil {
		return "", failedf("install it, or leave --verify out", "%s is not installed, which is needed to run the export", runner[0])
	}
	if format.Name == "httpie" {
		if _, err := exec.LookPath("http"); err != nil {
			return "", failedf("install it, or leave --verify out", "HTTPie (http) is not installed, which is needed to run the export")
		}
	}
	for _, module := range modules(format.Name, f) {
		probe, cancel := context.WithTimeout(ctx, runFor)
		err := exec.CommandContext(probe, program, "-c", "import "+module).Run()
		cancel()
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			return "", failedf(runner[0]+" -m pip install "+module+", or leave --verify out", "the Python module %s is not installed, which is needed to run the export", module)
		}
	}
	file := filepath.Join(dir, "request"+format.Ext)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(append([]string{}, runner[1:]...), file)...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.Output()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return "", failed(fmt.Errorf("run the export of flow %d: %w", f.ID, err), "leave --verify out")
	}
	if answered(out, f.Status()) {
		return "", nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return cmp.Or(first, "nothing"), nil
}

// sendExport reads an export back and sends what was read. got is "" when it was answered as recorded.
func sendExport(ctx context.Context, format export.Format, f *flow.Flow, text []byte) (got string, err error) {
	o := proxyFlags{session: "none"}
	sender, store, err := o.sending("")
	if err != nil {
		return "", err
	}
	defer store.Close()
	if format.Name == "test" {
		var s export.Suite
		if err := json.Unmarshal(text, &s); err != nil || len(s.Tests) != 1 {
			return "", fmt.Errorf("flow %d: the test cannot be read back: %w", f.ID, err)
		}
		c := (&assertion{allowed: []string{f.Authority}}).check(ctx, sender, &s.Tests[0])
		return c.Problem, nil
	}
	var read []*flow.Flow
	err = readText(ctx, bytes.NewReader(text), "the export", func(g *flow.Flow) error {
		read = append(read, g)
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(read) != 1 || read[0].Request == nil {
		return "", failedf("export it as curl or har", "flow %d: what was written is read back as %d requests", f.ID, len(read))
	}
	g := *read[0]
	g.Scheme, g.Authority = f.Scheme, f.Authority // bytes alone do not say it
	answer, err := sender.Send(ctx, &g, g.Request)
	switch {
	case answer == nil:
		return "", failed(err, "export it as curl, or replay it")
	case answer.Err != nil:
		return "no answer: " + answer.Err.Error(), nil
	case answer.Status() != f.Status():
		return fmt.Sprint(answer.Status()), nil
	}
	return "", nil
}

// modules are those that an export for Python imports and that Python does not come with.
func modules(form string, f *flow.Flow) []string {
	if form != "httpx" {
		return nil
	}
	if f.Request != nil && strings.HasPrefix(f.Request.Proto, "HTTP/2") {
		return []string{"httpx", "h2"}
	}
	return []string{"httpx"}
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
