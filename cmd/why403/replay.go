package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/proxy/replay"
)

// again is how a recorded request is to be sent once more.
type again struct {
	headers []string // "N: v", "@FILE"
	remove  []string
	method  string
	url     string
	body    string
	fix     bool
	times   int
	spacing time.Duration
	yes     bool
}

func newReplay(std stdio) *cobra.Command {
	var o proxyFlags
	var a again
	cmd := &cobra.Command{
		Use:   "replay FILE ID",
		Short: "Send a recorded request again, as it was or changed",
		Long: `Send the request of a flow again over a connection of its own, as it was or with
the changes given, and print the answer. FILE is a session or a HAR and is only
read; the new flows go into a session of their own, whose path is printed.

A request to another host than this machine is asked about first, for it may
create or delete something there; --yes answers.`,
		Example: `why403 replay last 12
why403 replay last 12 --apply-fix
why403 replay page.har 3 --header 'X-CSRFToken: abc' --remove-header Origin --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("see "+cmd.CommandPath()+" --help", "%s needs a file and an id", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReplay(cmd.Context(), std, o, a, args[0], args[1])
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&a.headers, "header", nil, "set a header: `'N: v'`, or @FILE with one a line")
	f.StringArrayVar(&a.remove, "remove-header", nil, "leave the header `N` out")
	f.StringVar(&a.method, "method", "", "send this `method`")
	f.StringVar(&a.url, "url", "", "send to this `URL`")
	f.StringVar(&a.body, "body", "", "send this body; `@FILE` reads one")
	f.BoolVar(&a.fix, "apply-fix", false, "apply the fix that the verdict suggests")
	f.IntVar(&a.times, "n", 1, "how many times")
	f.DurationVar(&a.spacing, "spacing", 500*time.Millisecond, "pause between two of them")
	f.BoolVar(&a.yes, "yes", false, "do not ask before sending to another host")
	f.StringVar(&o.session, "session", "", "`file` to record into, or none (default: a new one in the state folder)")
	f.BoolVar(&o.insecure, "insecure", false, "do not verify the certificates of servers")
	f.StringArrayVar(&o.upstreamCA, "upstream-ca", nil, "PEM `file` with further roots to trust for servers")
	o.addTLS(f)
	return cmd
}

func runReplay(ctx context.Context, std stdio, o proxyFlags, a again, name, id string) error {
	if a.times < 1 || a.times > 1000 {
		return usagef("give -n a number from 1 to 1000", "-n %d", a.times)
	}
	ids, err := flowIDs([]string{id})
	if err != nil {
		return err
	}
	whole, err := flowsToExport(ctx, std, name, ids)
	if err != nil {
		return err
	}
	parent := whole[0]
	if parent.Request == nil || parent.Kind != flow.Exchange || parent.Request.Method == http.MethodConnect {
		return failedf("choose an exchange", "flow %d is a %s and has no request to send", parent.ID, parent.Kind)
	}
	target, err := a.apply(ctx, std, name, parent)
	if err != nil {
		return err
	}
	if err := a.ask(std, target); err != nil {
		return err
	}
	roots, err := o.roots()
	if err != nil {
		return err
	}
	identities, err := o.identities()
	if err != nil {
		return err
	}
	store, err := o.record()
	if err != nil {
		return err
	}
	defer store.Close()
	sender := replay.New(replay.Options{Recorder: store, Roots: roots, Insecure: o.insecure,
		Identities: identities, MinTLS: uint16(o.tlsMin), MaxTLS: uint16(o.tlsMax)})
	original, err := store.Add(ctx, parent)
	if err != nil {
		return fmt.Errorf("copy flow %d: %w", parent.ID, err)
	}
	target.ID, target.Parent = original, 0
	for i := range a.times {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(a.spacing):
			}
		}
		child, err := sender.Send(ctx, target, target.Request)
		if child == nil {
			return failed(err, "change the request, or export it as curl to see what it holds")
		}
		tell(std, parent, child)
	}
	if o.session != "none" {
		fmt.Fprintf(std.err, "why403: recorded in %s\n", store.Stats().Path)
	}
	return nil
}

func tell(std stdio, parent, child *flow.Flow) {
	was := "no answer"
	if parent.Status() > 0 {
		was = fmt.Sprint(parent.Status())
	}
	if child.Err != nil {
		fmt.Fprintf(std.out, "%s -> no answer: %s\n", was, oneLine(child.Err.Error()))
		return
	}
	fmt.Fprintf(std.out, "%s -> %d %s  %d ms  %d bytes\n", was, child.Status(), oneLine(child.Response.Reason), child.Times.Duration().Milliseconds(), child.Response.Body.Size)
}

// apply gives the flow to send: where it goes and what is asked.
func (a *again) apply(ctx context.Context, std stdio, name string, parent *flow.Flow) (*flow.Flow, error) {
	target := &flow.Flow{Kind: flow.Exchange, Scheme: parent.Scheme, Authority: parent.Authority, Conn: flow.Conn{Target: parent.Conn.Target}, Request: parent.Request}
	if a.fix {
		patch, err := suggestedFix(ctx, std, name, parent.ID)
		if err != nil {
			return nil, err
		}
		if target, err = diff.ApplyTo(parent, patch); err != nil {
			return nil, failed(err, "replay it with the change written out: --header, --body")
		}
	}
	q := target.Request.Clone()
	if a.method != "" {
		q.Method = a.method
	}
	if a.url != "" {
		u, err := url.Parse(a.url)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, usagef("give an absolute URL, such as https://example.com/path", "--url %q", a.url)
		}
		target.Scheme, target.Authority, target.Conn.Target = u.Scheme, flow.Canonical(u.Scheme, u.Host), ""
		q.Target = u.RequestURI()
		q.Header.Set("Host", u.Host)
	}
	q.Header.Del(a.remove...)
	lines, err := headerLines(a.headers)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		n, v, ok := strings.Cut(l, ":")
		if !ok || strings.TrimSpace(n) == "" {
			return nil, usagef("give --header 'Name: value'", "--header %q has no name and colon", l)
		}
		q.Header.Set(strings.TrimSpace(n), strings.TrimSpace(v))
	}
	if a.body != "" {
		body := []byte(a.body)
		if file, ok := strings.CutPrefix(a.body, "@"); ok {
			if body, err = os.ReadFile(file); err != nil {
				return nil, failed(fmt.Errorf("--body: %w", err), "give --body @FILE with a file that can be read")
			}
		}
		q.SetBody(body)
		if !q.Header.HasToken("Transfer-Encoding", "chunked") {
			q.Header.Set("Content-Length", fmt.Sprint(len(body)))
		}
	}
	target.Request = q
	return target, nil
}

// headerLines are the lines of --header, those of @FILE among them.
func headerLines(args []string) ([]string, error) {
	var out []string
	for _, h := range args {
		name, ok := strings.CutPrefix(h, "@")
		if !ok {
			out = append(out, h)
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, failed(fmt.Errorf("--header: %w", err), "give --header @FILE with a file that can be read")
		}
		for l := range strings.Lines(string(text)) {
			if l = strings.TrimRight(l, "\r\n"); l != "" {
				out = append(out, l)
			}
		}
	}
	return out, nil
}

// suggestedFix is the patch of the verdict on a flow, explained among the others of its file.
func suggestedFix(ctx context.Context, std stdio, name string, id flow.ID) (flow.Patch, error) {
	name, err := sessionName(name)
	if err != nil {
		return nil, err
	}
	flows, err := readFlows(ctx, std, name)
	if err != nil {
		return nil, err
	}
	all, err := explain.Flows(ctx, flows, explain.Options{})
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", name, err)
	}
	for _, e := range all {
		switch {
		case e.ID != id:
		case !e.Refused:
			return nil, failedf("leave --apply-fix out", "flow %d was not refused, there is nothing to fix", id)
		case e.Verdict.Fix == nil || len(e.Verdict.Fix.Patch) == 0:
			return nil, failedf(e.Verdict.NextStep, "the verdict on flow %d (%s) suggests no change to the request", id, e.Verdict.Cause)
		default:
			return e.Verdict.Fix.Patch, nil
		}
	}
	return nil, failedf("why403 explain "+name+" lists its flows", "%s has no flow %d", name, id)
}

// ask wants a yes before a request of a file goes to another machine.
func (a *again) ask(std stdio, target *flow.Flow) error {
	u, err := url.Parse(target.Scheme + "://" + target.Authority)
	if a.yes || err == nil && isLoopback(u.Hostname()) {
		return nil
	}
	if !std.terminal() {
		return failedf("look at what it does there, then give --yes", "%s %s goes to another host", target.Request.Method, oneLine(target.URL()))
	}
	fmt.Fprintf(std.err, "send %s %s? [y/N] ", target.Request.Method, oneLine(target.URL()))
	answer, _ := bufio.NewReader(std.in).ReadString('\n')
	if s := strings.ToLower(strings.TrimSpace(answer)); s != "y" && s != "yes" {
		return failed(errors.New("not sent"), "answer y, or give --yes")
	}
	return nil
}
