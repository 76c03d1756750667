package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/pinpoint"
	"github.com/why403/why403/inspect/waf"
	"github.com/why403/why403/proxy/replay"
)

// experiment is what the flags of pinpoint say.
type experiment struct {
	file     string // that the flows come from
	success  int64
	max      int
	accepted int
	sure     bool
	spacing  time.Duration
	yes      bool
	dry      bool
	reveal   bool
	format   string
	state    string
	me       bool
}

func newPinpoint(std stdio) *cobra.Command {
	var o proxyFlags
	e := experiment{format: "text"}
	cmd := &cobra.Command{
		Use:   "pinpoint FILE ID",
		Short: "Find by experiment which part of a refused request decides",
		Long: `Send the refused request of a flow again with parts of what sets it apart from an
accepted one, until the smallest change is known that turns refused into accepted,
and that without it the request is refused still. What the verdict suggests is tried
first. Without an accepted request, its suggestions and a few changes that servers
often insist on are tried one by one.

The plan, with how many requests it takes at most and how many of them may succeed
and so create something, is told first; another host than this machine is asked
about, --yes answers. It stops when the server asks for fewer requests (429), when
going on might lock an account, and on ctrl-c. FILE is only read: the requests go into
a session of their own, whose path is printed.

Several changes that are needed together are told as fixed once: a server that refuses
now and then can look like that. --sure repeats what is found six times, with and
without, and proves those too; every second of these requests may succeed.

--is-it-me asks another question: whether it is refused for being intercepted. The
request is sent as it was by why403 over HTTP/1.1 and HTTP/2 and by the system's curl.

Exit status 0 when the cause is proven, 1 otherwise.`,
		Example: `why403 pinpoint last 12
why403 pinpoint last 12 --dry-run
why403 pinpoint last 12 --is-it-me
why403 pinpoint page.har 3 --success 1 --max 12 --max-accepted 1 --yes --format json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("see "+cmd.CommandPath()+" --help", "%s needs a file and an id", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.run(cmd.Context(), std, o, args[0], args[1])
		},
	}
	f := cmd.Flags()
	f.Int64Var(&e.success, "success", 0, "`ID` of the accepted flow to compare with (default: the last success)")
	f.IntVar(&e.max, "max", 40, "how many requests at most")
	f.IntVar(&e.accepted, "max-accepted", 0, "how many of them may be accepted (default: as many as it takes)")
	f.BoolVar(&e.sure, "sure", false, "repeat what is found, with and without, until it cannot be chance")
	f.DurationVar(&e.spacing, "spacing", 500*time.Millisecond, "pause between two requests")
	f.BoolVar(&e.yes, "yes", false, "do not ask before sending to another host")
	f.BoolVar(&e.dry, "dry-run", false, "tell the plan and send nothing")
	f.BoolVar(&e.reveal, "reveal", false, "write secrets as they are")
	f.BoolVar(&e.me, "is-it-me", false, "find out whether the interception is why: send it by why403 and by curl")
	f.StringVar(&e.format, "format", e.format, "text or json")
	f.StringVar(&e.state, "state", "", "`file` to go on from, and to keep how far it got in")
	o.addSending(f, "", " (default: a new one in the state folder)")
	return cmd
}

func (e *experiment) run(ctx context.Context, std stdio, o proxyFlags, name, id string) error {
	if e.format != "text" && e.format != "json" {
		return usagef("give --format text|json", "--format %q is no form of a result", e.format)
	}
	if e.max < 3 || e.max > 1000 {
		return usagef("give --max a number from 3 to 1000", "--max %d", e.max)
	}
	ids, err := flowIDs([]string{id})
	if err != nil {
		return err
	}
	e.file = name
	in, err := e.input(ctx, std, name, ids[0])
	if err != nil {
		return err
	}
	if e.me {
		in.Accepted = nil
		if err := e.ask(std, in); err != nil {
			return err
		}
		return e.whetherMe(ctx, std, o, in.Refused)
	}
	opt := pinpoint.Options{Max: e.max, MaxAccepted: e.accepted, Sure: e.sure, Spacing: e.spacing}
	plan := pinpoint.MakePlan(in, opt)
	e.tellPlan(std, in, plan)
	switch {
	case plan.Against != "":
		return failedf("why403 explain "+name+" says what to do", "flow %d: %s", ids[0], plan.Against)
	case e.dry:
		return nil
	}
	if err := e.ask(std, in); err != nil {
		return err
	}
	r, err := e.experiment(ctx, std, o, in, opt)
	if err != nil {
		return err
	}
	return e.tell(std, r, in.Refused, in.Accepted)
}

// input gathers what the experiment is about: the flow, what is said of it, and the one to compare with.
func (e *experiment) input(ctx context.Context, std stdio, name string, id flow.ID) (in pinpoint.Input, err error) {
	if name, err = sessionName(name); err != nil {
		return in, err
	}
	flows, err := readFlows(ctx, std, name)
	if err != nil {
		return in, err
	}
	all, err := explain.Flows(ctx, flows, explain.Options{WAF: new(waf.Engine)})
	if err != nil {
		return in, fmt.Errorf("explain %s: %w", name, err)
	}
	at := slices.IndexFunc(all, func(x inspect.Explained) bool { return x.ID == id })
	switch {
	case at < 0:
		return in, failedf("why403 explain "+name+" lists its flows", "%s has no flow %d", name, id)
	case !all[at].Refused:
		return in, failedf("choose a refused one; why403 explain "+name+" lists them", "flow %d was not refused", id)
	}
	in.Explained = all[at]
	success := flow.ID(e.success)
	if success == 0 && in.Explained.ComparedWith != nil {
		success = in.Explained.ComparedWith.ID
	}
	wanted := []flow.ID{id}
	if success != 0 {
		wanted = append(wanted, success)
	}
	whole := flows
	if name != "-" { // the bodies of a session are read whole for these two alone
		if whole, err = flowsToExport(ctx, std, name, wanted); err != nil {
			return in, err
		}
	}
	for _, f := range whole {
		switch f.ID {
		case id:
			in.Refused = f
		case success:
			in.Accepted = f
		}
	}
	if success != 0 && in.Accepted == nil {
		return in, failedf("why403 explain "+name+" lists its flows", "%s has no flow %d", name, success)
	}
	endpoint := flow.Endpoint(in.Refused)
	for i, f := range flows {
		if !all[i].Refused && f.Status() >= 200 && f.Status() < 300 && flow.Endpoint(f) == endpoint {
			in.Successes = append(in.Successes, f)
		}
		if f.ID < id {
			in.Earlier = append(in.Earlier, f)
		}
	}
	return in, nil
}

func (e *experiment) tellPlan(std stdio, in pinpoint.Input, p pinpoint.Plan) {
	f := in.Refused
	w := std.err
	if e.dry {
		w = std.out
	}
	where := f.URL()
	if !e.reveal {
		where = redact.New().URL(where)
	}
	fmt.Fprintf(w, "#%d %s %s %d", f.ID, oneLine(f.Request.Method), oneLine(where), f.Status())
	if in.Accepted == nil {
		fmt.Fprintln(w, ", with no success to compare with")
	} else {
		fmt.Fprintf(w, " against #%d %d: %d differences, %d more that mean nothing\n", in.Accepted.ID, in.Accepted.Status(), len(p.Changes), p.Muted)
	}
	for i, g := range p.Guesses {
		fmt.Fprintf(w, "  guess %d  %s\n", i+1, patchLine(g))
	}
	if e.dry && in.Accepted != nil {
		for _, c := range p.Changes {
			fmt.Fprintf(w, "  differs  %s\n", patchLine(flow.Patch{c}))
		}
	}
	fmt.Fprintf(w, "%s, %s apart\n", p.Say(), e.spacing)
}

// patchLine names what a patch changes, without values.
func patchLine(p flow.Patch) string {
	var parts []string
	for _, c := range p {
		how := "other "
		switch {
		case c.Before == nil:
			how = "with "
		case c.After == nil:
			how = "without "
		}
		parts = append(parts, how+oneLine(strings.TrimPrefix(pinpoint.Name(c), "the ")))
	}
	if len(parts) > 3 {
		parts = append(parts[:2], fmt.Sprintf("%d more", len(parts)-2))
	}
	return strings.Join(parts, ", ")
}

// ask wants a yes before requests go to another machine.
func (e *experiment) ask(std stdio, in pinpoint.Input) error {
	local := true
	for _, f := range []*flow.Flow{in.Refused, in.Accepted} {
		local = local && (f == nil || staysHere(f))
	}
	if e.yes || local {
		return nil
	}
	if !std.terminal() {
		return failedf("look at the plan with --dry-run, then give --yes", "the requests go to another host, %s", oneLine(in.Refused.Authority))
	}
	fmt.Fprintf(std.err, "send them to %s? [y/N] ", oneLine(in.Refused.Authority))
	answer, _ := bufio.NewReader(std.in).ReadString('\n')
	if s := strings.ToLower(strings.TrimSpace(answer)); s != "y" && s != "yes" {
		return failed(errors.New("not sent"), "answer y, or give --yes")
	}
	return nil
}

// whetherMe sends the request by each way, and tells.
func (e *experiment) whetherMe(ctx context.Context, std stdio, o proxyFlags, f *flow.Flow) error {
	sender, store, err := e.sender(ctx, o, f)
	if err != nil {
		return err
	}
	defer store.Close()
	me := isItMe(ctx, sender, f, o.insecure, e.spacing)
	if o.session != "none" {
		fmt.Fprintf(std.err, "why403: recorded in %s\n", store.Stats().Path)
	}
	if err := writeMe(std.out, e.format, me); err != nil {
		return failed(fmt.Errorf("write the result: %w", err), "check where standard output goes to")
	}
	if me.Blame == pinpoint.Unclear {
		return exitStatus(exitFailed)
	}
	return nil
}

// sender opens the session in which probes are recorded, with copies of the flows that they start from.
func (e *experiment) sender(ctx context.Context, o proxyFlags, flows ...*flow.Flow) (p probes, _ *session.Store, err error) {
	sender, store, err := o.sending(e.file)
	if err != nil {
		return p, nil, err
	}
	p = probes{sender: sender, parents: map[flow.ID]flow.ID{}}
	for _, f := range flows {
		if f == nil {
			continue
		}
		if p.parents[f.ID], err = store.Add(ctx, f); err != nil {
			store.Close()
			return p, nil, fmt.Errorf("copy flow %d: %w", f.ID, err)
		}
	}
	return p, store, nil
}

// experiment sends. The two flows are copied into the session in which the probes are recorded.
func (e *experiment) experiment(ctx context.Context, std stdio, o proxyFlags, in pinpoint.Input, opt pinpoint.Options) (r pinpoint.Result, err error) {
	state, err := e.readState()
	if err != nil {
		return r, err
	}
	sender, store, err := e.sender(ctx, o, in.Refused, in.Accepted)
	if err != nil {
		return r, err
	}
	defer store.Close()
	opt.Observe = func(s pinpoint.Step) {
		if s.Class != pinpoint.Sending {
			fmt.Fprintln(std.err, stepLine(s))
		}
	}
	r = pinpoint.Run(ctx, in, sender, opt, state)
	if r.FixedBy != 0 && r.Outcome == pinpoint.Proven {
		proof := flow.Annotation{ProvenBy: &r.FixedBy, Comment: &r.Reason}
		if err := store.Note(sender.parents[in.Refused.ID], proof); err != nil {
			fmt.Fprintf(std.err, "why403: the note on the proof was not kept: %s\n", oneLine(err.Error()))
		}
	}
	if o.session != "none" {
		fmt.Fprintf(std.err, "why403: recorded in %s\n", store.Stats().Path)
	}
	return r, e.writeState(r.State(in))
}

// probes gives an experiment the network: each probe is a child of the copy of what it starts from.
type probes struct {
	sender  *replay.Sender
	parents map[flow.ID]flow.ID
}

func (p probes) Send(ctx context.Context, probe pinpoint.Probe) (*flow.Flow, error) {
	parent := *probe.Flow
	parent.ID, parent.Parent = parent.Parent, 0
	if p.parents != nil {
		parent.ID = p.parents[parent.ID] // 0: it is not in this session
	}
	return p.sender.Send(ctx, &parent, probe.Flow.Request)
}

func stepLine(s pinpoint.Step) string {
	what := "refused again"
	if s.Base == pinpoint.Accepted {
		what = "accepted again"
	}
	if len(s.Patch) > 0 {
		what = string(s.Base) + " " + patchLine(s.Patch)
	}
	answer := fmt.Sprint(s.Status)
	if s.Status == 0 {
		answer = "—"
	}
	return fmt.Sprintf("%3d  %-52s %4s %6s  %s", s.N, what, answer, fmt.Sprintf("%d ms", s.Took.Milliseconds()), s.Says)
}

func (e *experiment) readState() (s pinpoint.State, err error) {
	if e.state == "" {
		return s, nil
	}
	text, err := os.ReadFile(e.state)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, failed(fmt.Errorf("--state: %w", err), "name a file that pinpoint wrote, or a new one")
	}
	return s, nil
}

// writeState keeps how far it got, readable for its owner alone: patches hold secrets.
func (e *experiment) writeState(s pinpoint.State) error {
	if e.state == "" {
		return nil
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err == nil {
		err = os.WriteFile(e.state, append(text, '\n'), 0o600)
	}
	if err != nil {
		return failed(fmt.Errorf("--state: %w", err), "name a file in a folder that you may write to")
	}
	return nil
}

func (e *experiment) tell(std stdio, r pinpoint.Result, flows ...*flow.Flow) error {
	if !e.reveal {
		r = masked(r, flows...)
	}
	if e.format == "json" {
		enc := json.NewEncoder(std.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(r); err != nil {
			return failed(fmt.Errorf("write the result: %w", err), "check where standard output goes to")
		}
	} else {
		writeResult(std.out, r)
	}
	if f := r.Failure; f != nil && f.Op == "tls" && r.Outcome == pinpoint.Stopped {
		fmt.Fprintln(std.err, "why403: hint: have the server's CA trusted with --upstream-ca FILE, or leave the check out with --insecure")
	}
	if r.Outcome != pinpoint.Proven {
		return exitStatus(exitFailed)
	}
	return nil
}

func masked(r pinpoint.Result, flows ...*flow.Flow) pinpoint.Result {
	m := redact.New()
	for _, f := range flows {
		if f != nil {
			m.Learn(f)
		}
	}
	r.Reason = m.Text(r.Reason)
	mask := func(p flow.Patch) flow.Patch {
		if p == nil {
			return nil
		}
		out := make(flow.Patch, len(p))
		for i, c := range p {
			out[i] = m.Change(c)
		}
		return out
	}
	r.Fixes, r.Breaks, r.RuledOut, r.NotTried = mask(r.Fixes), mask(r.Breaks), mask(r.RuledOut), mask(r.NotTried)
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		r.Steps[i].Patch, r.Steps[i].Says = mask(r.Steps[i].Patch), m.Text(r.Steps[i].Says)
	}
	return r
}

func writeResult(w io.Writer, r pinpoint.Result) {
	fmt.Fprintf(w, "%s: %s\n", r.Outcome, oneLine(r.Reason))
	for _, part := range []struct {
		name string
		p    flow.Patch
	}{{"fixes", r.Fixes}, {"breaks", r.Breaks}} {
		for _, c := range part.p {
			fmt.Fprintf(w, "  %-9s  %s: %s -> %s\n", part.name, oneLine(strings.TrimPrefix(pinpoint.Name(c), "the ")), sideOf(c.Before), sideOf(c.After))
		}
	}
	for _, part := range []struct {
		name string
		p    flow.Patch
	}{{"ruled out", r.RuledOut}, {"not tried", r.NotTried}} {
		if len(part.p) > 0 {
			names := make([]string, len(part.p))
			for i, c := range part.p {
				names[i] = oneLine(strings.TrimPrefix(pinpoint.Name(c), "the "))
			}
			fmt.Fprintf(w, "  %-9s  %s\n", part.name, strings.Join(names, ", "))
		}
	}
	if !r.After.IsZero() {
		fmt.Fprintf(w, "  go on after %s, with --state\n", r.After.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "  %d requests, %d of them accepted\n", r.Requests, r.Accepted)
}
