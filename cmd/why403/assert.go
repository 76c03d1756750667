package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/export"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/proxy/replay"
)

// assertion is what the flags of assert say.
type assertion struct {
	allowed []string
	format  string
	spacing time.Duration
}

// checked is how one test came out.
type checked struct {
	Name     string  `json:"name"`
	OK       bool    `json:"ok"`
	Problem  string  `json:"problem,omitempty"`
	Status   int     `json:"status"`
	Cause    string  `json:"cause,omitempty"`
	Duration float64 `json:"duration_ms"`
}

func newAssert(std stdio) *cobra.Command {
	var o proxyFlags
	a := assertion{format: "text"}
	cmd := &cobra.Command{
		Use:   "assert FILE...",
		Short: "Send exported tests again and check that the answers are as expected",
		Long: `Send the requests of tests that were exported with why403 export --as test, and check
the answers: the status, whether it is a refusal, and the cause where one is named.
Secrets are read from the environment variables that the test names.

Requests go to this machine and to hosts that --allow-host names; a test that would
send elsewhere fails, for a test is somebody else's file.

Exit status 0 when all expectations hold, 1 otherwise.`,
		Example: `why403 export last 12 --as test > refused.json
why403 assert refused.json --allow-host api.shop.test
why403 assert refused.json --format junit > report.xml`,
		Args: filesNeeded,
		RunE: func(cmd *cobra.Command, files []string) error {
			return a.run(cmd.Context(), std, o, files)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&a.allowed, "allow-host", nil, "a `host` (with port, if it is not the usual one) that requests may go to")
	f.StringVar(&a.format, "format", a.format, "text, json or junit")
	f.DurationVar(&a.spacing, "spacing", 0, "pause between two requests")
	o.addSending(f, "none", "")
	return cmd
}

func (a *assertion) run(ctx context.Context, std stdio, o proxyFlags, files []string) error {
	if !slices.Contains([]string{"text", "json", "junit"}, a.format) {
		return usagef("give --format text|json|junit", "--format %q is no form of a result", a.format)
	}
	var tests []export.Test
	for _, name := range files {
		more, err := readTests(std, name)
		if err != nil {
			return err
		}
		tests = append(tests, more...)
	}
	sender, store, err := o.sending(files[0])
	if err != nil {
		return err
	}
	defer store.Close()
	results := make([]checked, 0, len(tests))
	for i := range tests {
		if i > 0 && a.spacing > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(a.spacing):
			}
		}
		results = append(results, a.check(ctx, sender, &tests[i]))
	}
	if err := a.tell(std.out, results); err != nil {
		return failed(fmt.Errorf("write the result: %w", err), "check where standard output goes to")
	}
	if slices.ContainsFunc(results, func(c checked) bool { return !c.OK }) {
		return exitStatus(exitFailed)
	}
	return nil
}

func readTests(std stdio, name string) ([]export.Test, error) {
	const most = 256 << 20
	in := std.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fileError(err)
		}
		defer f.Close()
		in = f
	}
	var s export.Suite
	if err := json.NewDecoder(io.LimitReader(in, most)).Decode(&s); err != nil {
		return nil, failed(fmt.Errorf("%s: %w", name, err), "give a file that why403 export --as test wrote")
	}
	if s.Version != export.TestVersion || len(s.Tests) == 0 {
		return nil, failedf("give a file that why403 export --as test wrote", "%s holds no tests of version %d", name, export.TestVersion)
	}
	return s.Tests, nil
}

// check sends one request and compares its answer.
func (a *assertion) check(ctx context.Context, sender *replay.Sender, t *export.Test) checked {
	c := checked{Name: t.Name}
	f, err := a.request(t)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	got, err := sender.Send(ctx, f, f.Request)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	c.Status, c.Duration = got.Status(), float64(got.Times.Duration().Microseconds())/1000
	refused, cause, err := expectedOf(ctx, got)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	c.Cause = cause
	switch {
	case c.Status != t.Expect.Status:
		c.Problem = fmt.Sprintf("answered %d, expected %d", c.Status, t.Expect.Status)
	case refused != t.Expect.Refused:
		c.Problem = map[bool]string{true: "refused, and was not expected to be", false: "not refused, and was expected to be"}[refused]
	case t.Expect.Cause != "" && cause != t.Expect.Cause:
		c.Problem = fmt.Sprintf("refused for %s, expected %s", cause, t.Expect.Cause)
	}
	c.OK = c.Problem == ""
	return c
}

// expectedOf is what an answer is taken for by itself, without any history.
func expectedOf(ctx context.Context, f *flow.Flow) (refused bool, cause string, err error) {
	all, err := explain.Flows(ctx, []*flow.Flow{f}, explain.Options{})
	if err != nil || len(all) == 0 || !all[0].Refused {
		return false, "", err
	}
	return true, string(all[0].Verdict.Cause), nil
}

// request makes the flow of a test, with secrets from the environment.
func (a *assertion) request(t *export.Test) (*flow.Flow, error) {
	u, err := url.Parse(t.Request.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of http or https", oneLine(t.Request.URL))
	}
	authority := flow.Canonical(u.Scheme, u.Host)
	if !isLoopback(u.Hostname()) && !slices.Contains(a.allowed, authority) && !slices.Contains(a.allowed, u.Hostname()) {
		return nil, fmt.Errorf("it would send to %s: --allow-host %s lets it", authority, authority)
	}
	var missing []string
	fill := func(s string) string {
		for _, name := range t.Request.Needs {
			if !strings.HasPrefix(name, "WHY403_SECRET_") || !strings.Contains(s, "${"+name+"}") {
				continue // nothing else of the environment leaves
			}
			v, ok := os.LookupEnv(name)
			if !ok && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
			s = strings.ReplaceAll(s, "${"+name+"}", v)
		}
		return s
	}
	m := &flow.Message{Proto: t.Request.Proto, Method: t.Request.Method, Target: fill(t.Request.Target)}
	for _, h := range t.Request.Headers {
		m.Header.Add(h[0], fill(h[1]))
	}
	body := []byte(fill(t.Request.Body))
	if t.Request.Encoding == "base64" {
		if body, err = base64.StdEncoding.DecodeString(t.Request.Body); err != nil {
			return nil, errors.New("its body is no base64")
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("set %s in the environment", strings.Join(missing, ", "))
	}
	m.SetBody(body)
	if m.Header.Has("Content-Length") && len(body) > 0 {
		m.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return &flow.Flow{Kind: flow.Exchange, Scheme: u.Scheme, Authority: authority, Request: m}, nil
}

func (a *assertion) tell(w io.Writer, results []checked) error {
	failures := 0
	for _, c := range results {
		if !c.OK {
			failures++
		}
	}
	switch a.format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		return enc.Encode(struct {
			Version  int       `json:"version"`
			Failures int       `json:"failures"`
			Tests    []checked `json:"tests"`
		}{1, failures, results})
	case "junit":
		return junit(w, results, failures)
	}
	for _, c := range results {
		word := "ok  "
		if !c.OK {
			word = "FAIL"
		}
		fmt.Fprintf(w, "%s  %s", word, oneLine(c.Name))
		if c.Problem != "" {
			fmt.Fprintf(w, ": %s", oneLine(c.Problem))
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%d of %d hold\n", len(results)-failures, len(results))
	return err
}

// junit writes the form that build servers read.
func junit(w io.Writer, results []checked, failures int) error {
	type failure struct {
		Message string `xml:"message,attr"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Time    string   `xml:"time,attr"`
		Failure *failure `xml:"failure,omitempty"`
	}
	suite := struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}{Name: "why403", Tests: len(results), Failures: failures}
	for _, c := range results {
		tc := testcase{Name: oneLine(c.Name), Class: "why403", Time: fmt.Sprintf("%.3f", c.Duration/1000)}
		if !c.OK {
			tc.Failure = &failure{oneLine(c.Problem)}
		}
		suite.Cases = append(suite.Cases, tc)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
