package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/curl"
	"github.com/why403/why403/flow/transcript"
	"github.com/why403/why403/inspect/pinpoint"
)

// systemCurl is the way of the curl on this machine; false: there is none.
func systemCurl(insecure bool) (pinpoint.Way, bool) {
	program, err := exec.LookPath("curl")
	if err != nil {
		return pinpoint.Way{}, false
	}
	return pinpoint.Other("curl", func(ctx context.Context, f *flow.Flow) (*flow.Flow, error) {
		// A home of its own, so that no .curlrc of the user has a part in it. The request stands in
		// files there: on a command line everybody could read it.
		home, err := os.MkdirTemp("", "why403-curl-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(home)
		config, body := filepath.Join(home, "request"), filepath.Join(home, "body")
		text, err := curl.Config(f, curl.Options{Insecure: insecure}, body)
		if err == nil {
			err = errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(body, f.Request.Body.Data, 0o600))
		}
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, runFor)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, "--config", config)
		cmd.Env = append(os.Environ(), "CURL_HOME="+home, "HOME="+home, "NO_PROXY=*", "no_proxy=*")
		cmd.WaitDelay = time.Second
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &limitedBuffer{b: &out}, &limitedBuffer{b: &said}
		start := time.Now()
		if err := cmd.Run(); err != nil && out.Len() == 0 {
			lines := strings.Split(strings.TrimSpace(said.String()), "\n") // the last says why, above is its progress
			return nil, fmt.Errorf("%s (%w)", oneLine(lines[len(lines)-1]), err)
		}
		got, err := transcript.Read(&out)
		if err != nil || len(got) == 0 || got[len(got)-1].Response == nil {
			return nil, fmt.Errorf("curl: its output holds no answer: %w", err)
		}
		g := *got[len(got)-1]
		g.Scheme, g.Authority, g.Request = f.Scheme, f.Authority, f.Request
		g.Times.Start, g.Times.End = start, time.Now()
		return &g, nil
	}), true
}

// limitedBuffer keeps the beginning of an output.
type limitedBuffer struct{ b *bytes.Buffer }

func (l *limitedBuffer) Write(p []byte) (int, error) {
	const most = 4 << 20
	l.b.Write(p[:min(len(p), max(0, most-l.b.Len()))])
	return len(p), nil
}

// isItMe sends a refused flow by our own ways and by curl.
func isItMe(ctx context.Context, sender pinpoint.Sender, f *flow.Flow, insecure bool, spacing time.Duration) pinpoint.Me {
	ways := pinpoint.Ours(sender, f)
	if w, ok := systemCurl(insecure); ok {
		ways = append(ways, w)
	}
	return pinpoint.IsItMe(ctx, f, ways, pinpoint.Options{Spacing: spacing})
}

func writeMe(w io.Writer, format string, me pinpoint.Me) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		return enc.Encode(me)
	}
	for _, a := range me.Answers {
		answer := fmt.Sprintf("%d %s", a.Status, a.Class)
		if a.Class == pinpoint.NoAnswer {
			answer = "no answer: " + oneLine(a.Err)
		}
		fmt.Fprintf(w, "  %-22s %s", a.Way, answer)
		if a.JA4 != "" {
			fmt.Fprintf(w, "  hello %s", oneLine(a.JA4))
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", me.Blame, oneLine(me.Finding))
	return err
}
