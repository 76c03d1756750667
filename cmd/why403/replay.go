package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/jar"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/waf"
	"github.com/why403/why403/proxy/replay"
)

// again is how a recorded request is to be sent once more.
type again struct {
	headers []string // "N: v", "@FILE"
	remove  []string
	method  string
	url     string
	to      string
	body    string
	fix     bool
	cookies bool
	times   int
	spacing time.Duration
	yes     bool
	format  string
	reveal  bool
	mask    *redact.Masker
}

// text, change: what is told, with its secrets masked unless they shall be shown.
func (a *again) text(s string) string {
	if a.reveal {
		return s
	}
	return a.mask.Text(s)
}

func (a *again) change(c flow.Change) flow.Change {
	if a.reveal {
		return c
	}
	return a.mask.Change(c)
}

func newReplay(std stdio) *cobra.Command {
	var o proxyFlags
	a := again{format: "text", mask: redact.New()}
	cmd := &cobra.Command{
		Use:   "replay FILE ID",
		Short: "Send a recorded request again, as it was or changed",
		Long: `Send the request of a flow again over a connection of its own, as it was or with
the changes given, and print the answer and how it differs from the one of then. FILE
is a session or a HAR and is only read; the new flows go into a session of their own,
whose path is printed.

It goes the way that it went: over the same version of HTTP and, when the flags or the
environment say so as they did then, through the same proxy with the same client
certificate. What was otherwise is told.

A request to another host than this machine is asked about first, for it may
create or delete something there; --yes answers.

Secrets are masked, the same secret by the same name, unless --reveal is given.`,
		Example: `why403 replay last 12
why403 replay last 12 --apply-fix
why403 replay last 12 --newest-cookies -n 5 --spacing 2s
why403 replay last 12 --to http://localhost:8000
why403 replay page.har 3 --header 'X-CSRFToken: abc' --remove-header Origin --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("see "+cmd.CommandPath()+" --help", "%s needs a file and an id", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), std, o, args[0], args[1])
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&a.headers, "header", nil, "set a header: `'N: v'`, or @FILE with one a line")
	f.StringArrayVar(&a.remove, "remove-header", nil, "leave the header `N` out")
	f.StringVar(&a.method, "method", "", "send this `method`")
	f.StringVar(&a.url, "url", "", "send to this `URL`")
	f.StringVar(&a.to, "to", "", "send the same path to this `HOST`, such as staging.example or http://localhost:8000")
	f.StringVar(&a.body, "body", "", "send this body; `@FILE` reads one")
	f.BoolVar(&a.fix, "apply-fix", false, "apply the fix that the verdict suggests")
	f.BoolVar(&a.cookies, "newest-cookies", false, "send the cookies that the newest answers of FILE set, as after the newest login")
	f.IntVarP(&a.times, "times", "n", 1, "how many times")
	f.DurationVar(&a.spacing, "spacing", 500*time.Millisecond, "pause between two of them")
	f.BoolVar(&a.yes, "yes", false, "do not ask before sending to another host")
	f.StringVar(&a.format, "format", a.format, "text, or json: a line for each answer")
	f.BoolVar(&a.reveal, "reveal", false, "write secrets as they are")
	o.addSending(f, "", " (default: a new one in the state folder)")
	return cmd
}

func (a *again) run(ctx context.Context, std stdio, o proxyFlags, name, id string) error {
	switch {
	case a.times < 1 || a.times > 1000:
		return usagef("give -n a number from 1 to 1000", "-n %d", a.times)
	case a.format != "text" && a.format != "json":
		return usagef("give --format text|json", "--format %q is no form of an answer", a.format)
	case a.url != "" && a.to != "":
		return usagef("--url says all of it, --to only the host", "--url and --to exclude each other")
	}
	ids, err := flowIDs([]string{id})
	if err != nil {
		return err
	}
	parent, others, err := oneOf(ctx, std, name, ids[0])
	if err != nil {
		return err
	}
	if parent.Request == nil || parent.Kind != flow.Exchange || parent.Request.Method == http.MethodConnect {
		return failedf("choose an exchange", "flow %d is a %s and has no request to send", parent.ID, parent.Kind)
	}
	target, err := a.apply(ctx, std, name, parent, others)
	if err != nil {
		return err
	}
	a.mask.Learn(parent)
	a.mask.Learn(target)
	if err := a.ask(std, target); err != nil {
		return err
	}
	sender, store, err := o.sending(name)
	if err != nil {
		return err
	}
	defer store.Close()
	original, err := store.Add(ctx, parent)
	if err != nil {
		return fmt.Errorf("copy flow %d: %w", parent.ID, err)
	}
	target.ID, target.Parent = original, 0
	if err := a.send(ctx, std, sender, parent, target); err != nil {
		return err
	}
	if o.session != "none" {
		fmt.Fprintf(std.err, "why403: recorded in %s\n", store.Stats().Path)
	}
	return nil
}

// oneOf gives a flow of a file whole, and a function that gives all flows of the file,
// with the first part of their bodies.
func oneOf(ctx context.Context, std stdio, name string, id flow.ID) (*flow.Flow, func() ([]*flow.Flow, error), error) {
	if name == "-" { // it can be read once
		flows, err := readFlows(ctx, std, name)
		if err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(flows, func(f *flow.Flow) bool { return f.ID == id })
		if i < 0 {
			return nil, nil, noFlow("standard input", id, flow.ID(len(flows)))
		}
		return flows[i], func() ([]*flow.Flow, error) { return flows, nil }, nil
	}
	whole, err := flowsToExport(ctx, std, name, []flow.ID{id})
	if err != nil {
		return nil, nil, err
	}
	return whole[0], func() ([]*flow.Flow, error) {
		name, err := sessionName(name)
		if err != nil {
			return nil, err
		}
		return readFlows(ctx, std, name)
	}, nil
}

// answer is what one replay got, as --format json tells it.
type answer struct {
	ID       flow.ID       `json:"id"` // in the new session
	Was      int           `json:"was"`
	Status   int           `json:"status"`
	Error    *string       `json:"error"`
	Duration int64         `json:"duration_ms"`
	Bytes    int64         `json:"response_bytes"`
	Changes  []flow.Change `json:"changes"`   // of the answer, from the original's
	Differs  []string      `json:"otherwise"` // how it was sent otherwise than the original
}

// send sends the request as often as is wanted, and tells each answer.
func (a *again) send(ctx context.Context, std stdio, sender *replay.Sender, parent, target *flow.Flow) error {
	var last *flow.Flow
	counts := map[string]int{}
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
		a.mask.Learn(child)
		status := "no answer"
		if child.Status() > 0 {
			status = fmt.Sprint(child.Status())
		}
		counts[status]++
		if a.format == "json" {
			if err := a.writeAnswer(std.out, parent, child); err != nil {
				return failed(fmt.Errorf("write the answer: %w", err), "check where standard output goes to")
			}
			continue
		}
		a.tell(std.out, parent, child, last)
		last = child
	}
	if a.times > 1 && a.format == "text" {
		var parts []string
		for _, status := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%d × %s", counts[status], status))
		}
		fmt.Fprintf(std.out, "%d sent: %s\n", a.times, strings.Join(parts, ", "))
	}
	return nil
}

func (a *again) writeAnswer(w io.Writer, parent, child *flow.Flow) error {
	out := answer{ID: child.ID, Was: parent.Status(), Status: child.Status(), Duration: child.Times.Duration().Milliseconds(),
		Changes: []flow.Change{}, Differs: otherwise(parent, child)}
	if child.Err != nil {
		text := a.text(child.Err.Error())
		out.Error = &text
	}
	if child.Response != nil {
		out.Bytes = child.Response.Body.Size
	}
	for i := range out.Differs {
		out.Differs[i] = a.text(out.Differs[i])
	}
	for _, c := range diff.Answers(parent, child).Changes {
		out.Changes = append(out.Changes, a.change(c))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

const maxAnswerChanges = 12 // lines of what is different about an answer

// tell prints an answer and how it differs from the original's; of another one like the last, the first line.
func (a *again) tell(w io.Writer, parent, child, last *flow.Flow) {
	was := "no answer"
	if parent.Status() > 0 {
		was = fmt.Sprint(parent.Status())
	}
	if child.Err != nil {
		fmt.Fprintf(w, "%s -> no answer: %s\n", was, oneLine(a.text(child.Err.Error())))
		return
	}
	fmt.Fprintf(w, "%s -> %d %s  %d ms  %d bytes\n", was, child.Status(), oneLine(a.text(child.Response.Reason)), child.Times.Duration().Milliseconds(), child.Response.Body.Size)
	if last != nil && last.Status() == child.Status() && diff.Answers(last, child).Empty() {
		return
	}
	for _, line := range otherwise(parent, child) {
		fmt.Fprintf(w, "  note: %s\n", oneLine(a.text(line)))
	}
	if parent.Response == nil {
		return
	}
	d := diff.Answers(parent, child)
	d.Changes = bodyOnce(d.Changes)
	switch {
	case len(d.Changes) == 0 && parent.Status() == child.Status():
		fmt.Fprintln(w, "  the same answer as then")
	case len(d.Changes) == 0:
		fmt.Fprintln(w, "  but for the status the same answer as then")
	}
	for i, c := range d.Changes {
		if i == maxAnswerChanges {
			fmt.Fprintf(w, "  and %d differences more\n", len(d.Changes)-i)
			break
		}
		c = a.change(c)
		fmt.Fprintf(w, "  answer: %s: %s -> %s\n", strings.TrimSpace(string(c.Part)+" "+oneLine(c.Name)), sideOf(c.Before), sideOf(c.After))
	}
}

// bodyOnce leaves of a body that differs what says it shortest: a few lines, or else the whole.
func bodyOnce(list []flow.Change) []flow.Change {
	const few = 3
	lines, whole := 0, false
	for _, c := range list {
		if c.Part == flow.InBody && strings.HasPrefix(c.Name, "line ") {
			lines++
		}
		whole = whole || c.Part == flow.InBody && c.Name == ""
	}
	return slices.DeleteFunc(list, func(c flow.Change) bool {
		return whole && lines > 0 && c.Part == flow.InBody && (c.Name == "") == (lines <= few)
	})
}

// apply gives the flow to send: where it goes and what is asked.
func (a *again) apply(ctx context.Context, std stdio, name string, parent *flow.Flow, others func() ([]*flow.Flow, error)) (*flow.Flow, error) {
	target := &flow.Flow{Kind: flow.Exchange, Scheme: parent.Scheme, Authority: parent.Authority, Conn: parent.Conn, Request: parent.Request}
	target.Times = parent.Times
	var flows []*flow.Flow
	if a.fix || a.cookies {
		var err error
		if flows, err = others(); err != nil {
			return nil, err
		}
	}
	if a.fix {
		patch, err := suggestedFix(ctx, name, parent.ID, flows)
		if err != nil {
			return nil, err
		}
		if target, err = diff.ApplyTo(parent, patch); err != nil {
			return nil, failed(err, "replay it with the change written out: --header, --body")
		}
		target.Conn = parent.Conn
	}
	if a.cookies {
		if err := a.refresh(std, name, target, flows); err != nil {
			return nil, err
		}
	}
	q := target.Request.Clone()
	if a.method != "" {
		q.Method = a.method
	}
	if err := a.direct(target, q); err != nil {
		return nil, err
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

// direct sends target, of which q is the request, where --url or --to want it.
func (a *again) direct(target *flow.Flow, q *flow.Message) error {
	flag, text := "--url", a.url
	if a.to != "" {
		flag, text = "--to", a.to
		if !strings.Contains(text, "://") {
			text = target.Scheme + "://" + text
		}
	}
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return usagef("give "+map[string]string{"--url": "an absolute URL, such as https://example.com/path", "--to": "a host, such as staging.example or http://localhost:8000"}[flag], "%s %q", flag, text)
	case flag == "--to" && (u.Path != "" && u.Path != "/" || u.RawQuery != ""):
		return usagef("give the host alone, or the whole of it with --url", "--to %q: the path is that of the request", a.to)
	}
	target.Scheme, target.Authority, target.Conn = u.Scheme, flow.Canonical(u.Scheme, u.Host), flow.Conn{}
	if flag == "--url" {
		q.Target = u.RequestURI()
	}
	q.Header.Del(":authority")
	if q.Header.Has("Host") || !strings.HasPrefix(q.Proto, "HTTP/2") {
		q.Header.Set("Host", u.Host)
	}
	return nil
}

// refresh gives target the newest cookies of flows, and tells which.
func (a *again) refresh(std stdio, name string, target *flow.Flow, flows []*flow.Flow) error {
	m, changed := jar.Refresh(target, flows, time.Now())
	if len(changed) == 0 {
		if len(jar.Newest(target, flows, time.Now())) == 0 {
			return failedf("log in through why403 first, so that "+name+" has the answer that sets them", "no answer in %s sets a cookie for %s", name, oneLine(a.mask.URL(target.URL())))
		}
		fmt.Fprintln(std.err, "why403: the request has the newest cookies already")
	}
	for _, c := range changed {
		word := "from"
		if c.Gone {
			word = "deleted by"
		}
		fmt.Fprintf(std.err, "why403: cookie %s %s #%d\n", oneLine(c.Name), word, c.From)
	}
	target.Request = m
	return nil
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
func suggestedFix(ctx context.Context, name string, id flow.ID, flows []*flow.Flow) (flow.Patch, error) {
	all, err := explain.Flows(ctx, flows, explain.Options{WAF: new(waf.Engine)})
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
	if a.yes || staysHere(target) {
		return nil
	}
	where := target.URL()
	if !a.reveal {
		where = a.mask.URL(where)
	}
	if !std.terminal() {
		return failedf("look at what it does there, then give --yes", "%s %s goes to another host", target.Request.Method, oneLine(where))
	}
	fmt.Fprintf(std.err, "send %s %s? [y/N] ", target.Request.Method, oneLine(where))
	answer, _ := bufio.NewReader(std.in).ReadString('\n')
	if s := strings.ToLower(strings.TrimSpace(answer)); s != "y" && s != "yes" {
		return failed(errors.New("not sent"), "answer y, or give --yes")
	}
	return nil
}
