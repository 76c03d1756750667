package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/export"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/report"
)

func newExport(std stdio) *cobra.Command {
	var as string
	var reveal, run, yes bool
	cmd := &cobra.Command{
		Use:   "export FILE [ID...]",
		Short: "Write flows of a session or HAR in another form",
		Long: `Write the flows with these ids, or all, in another form. Secrets are masked,
the same secret by the same name, unless --reveal is given.

What is exported can be run once before it is handed on (--verify): when the server
answers as it did, the export says so. Programs are run by what is installed for them;
what no program runs is read back and sent. markdown is the report on the refused among
the flows, with a curl command, test a check that why403 assert runs.`,
		Example: `why403 export last --as har > page.har
why403 export page.har 3 --as curl --reveal | sh
why403 export page.har 3 --as python --verify
why403 export page.har 3 --as test > refused.json`,
		Args: filesNeeded,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := flowIDs(args[1:])
			if err != nil {
				return err
			}
			if as == "markdown" {
				return (&reporter{reveal: reveal, verify: run, yes: yes}).run(cmd.Context(), std, args[0], ids)
			}
			format, err := exportFormat(as)
			if err != nil {
				return err
			}
			flows, err := flowsToExport(cmd.Context(), std, args[0], ids)
			if err != nil {
				return err
			}
			o := export.Options{Reveal: reveal, Version: buildVersion()}
			if run {
				if o.Verified, err = verifyAsked(cmd.Context(), std, format, flows, yes); err != nil {
					return err
				}
				if strings.HasPrefix(as, "raw") { // bytes alone have no place to say it
					fmt.Fprintln(std.err, "why403: verified: it was sent and answered the same")
				}
			}
			if as == "har" {
				if o.Verdict, err = verdicts(cmd.Context(), std, args[0], flows); err != nil {
					return err
				}
			}
			if o.Expect, err = expectations(cmd.Context(), flows); err != nil {
				return err
			}
			if err := export.Write(std.out, format, flows, o); err != nil {
				return failed(fmt.Errorf("export as %s: %w", as, err), "export other flows, or in another form with --as")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&as, "as", "", strings.Join(export.Names(), ", ")+", markdown")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "write secrets as they are")
	cmd.Flags().BoolVar(&run, "verify", false, "run what is exported once, and say in it that it did the same")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask before --verify sends to another host")
	return cmd
}

// expectations are what tests expect: the answers as they were, taken by themselves.
func expectations(ctx context.Context, flows []*flow.Flow) (func(*flow.Flow) export.Expectation, error) {
	byID := map[flow.ID]export.Expectation{}
	for _, f := range flows {
		refused, cause, err := expectedOf(ctx, f)
		if err != nil {
			return nil, err
		}
		byID[f.ID] = export.Expectation{Status: f.Status(), Refused: refused, Cause: cause}
	}
	return func(f *flow.Flow) export.Expectation { return byID[f.ID] }, nil
}

// verifyAsked verifies when the user agrees that it is sent, and gives the time of it.
func verifyAsked(ctx context.Context, std stdio, format export.Format, flows []*flow.Flow, yes bool) (time.Time, error) {
	for _, f := range flows {
		if err := (&again{yes: yes}).ask(std, f); err != nil {
			return time.Time{}, err
		}
	}
	if err := verify(ctx, format, flows); err != nil {
		return time.Time{}, err
	}
	return time.Now(), nil
}

// verdicts gives what is said of the refused among flows, which are explained among all of their file.
func verdicts(ctx context.Context, std stdio, name string, flows []*flow.Flow) (func(*flow.Flow) json.RawMessage, error) {
	all, _, err := explainAll(ctx, std, name, flows)
	if err != nil {
		return nil, err
	}
	byID := map[flow.ID]json.RawMessage{}
	for _, e := range all {
		if e.Verdict == nil {
			continue
		}
		if byID[e.ID], err = json.Marshal(e.Verdict); err != nil {
			return nil, err
		}
	}
	return func(f *flow.Flow) json.RawMessage { return byID[f.ID] }, nil
}

// explainAll explains all flows of a file, and gives them, with the first part of their
// bodies. Of standard input, which can be read once, they are given.
func explainAll(ctx context.Context, std stdio, name string, flows []*flow.Flow) ([]inspect.Explained, []*flow.Flow, error) {
	if name != "-" || flows == nil {
		var err error
		if name, err = sessionName(name); err != nil {
			return nil, nil, err
		}
		if flows, err = readFlows(ctx, std, name); err != nil {
			return nil, nil, err
		}
	}
	all, err := explain.Flows(ctx, flows, explain.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("explain %s: %w", name, err)
	}
	return all, flows, nil
}

// reporter is `why403 export --as markdown`: the report on the refused among flows of a file, which
// are explained among all others of it, with a command that sends each again.
type reporter struct {
	reveal, verify, yes bool
}

func (r *reporter) run(ctx context.Context, std stdio, name string, ids []flow.ID) error {
	all, known, err := explainAll(ctx, std, name, nil)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(e inspect.Explained) bool { return e.ID == id }) {
			return noFlow(name, id, flow.ID(len(all)))
		}
	}
	all = slices.DeleteFunc(all, func(e inspect.Explained) bool { return len(ids) > 0 && !slices.Contains(ids, e.ID) })
	if report.Refused(all) == 0 {
		return failedf("why403 explain "+name+" lists what was refused", "none of these flows was refused: there is nothing to report")
	}
	flows, err := r.refused(ctx, std, name, all, known)
	if err != nil {
		return err
	}
	form, err := exportFormat("curl")
	if err != nil {
		return err
	}
	o := export.Options{Reveal: true, Version: buildVersion()}
	if r.verify {
		if o.Verified, err = verifyAsked(ctx, std, form, flows, r.yes); err != nil {
			return err
		}
	}
	if !r.reveal {
		m := redact.Runnable() // the same names in the text and, as variables, in the command
		for _, f := range known {
			m.Learn(f)
		}
		flows = m.Flows(flows)
		for i := range all {
			all[i] = report.Masked(m, all[i])
		}
		o.Curl.Variables = m.Variables()
	}
	return report.Markdown(std.out, all, func(id flow.ID) string {
		i := slices.IndexFunc(flows, func(f *flow.Flow) bool { return f.ID == id })
		if i < 0 {
			return ""
		}
		var b strings.Builder
		if err := export.Write(&b, form, flows[i:i+1], o); err != nil {
			return "# cannot be written as curl: " + oneLine(err.Error()) + "\n"
		}
		return b.String()
	})
}

// refused are the refused flows with their whole bodies, as far as they have a request.
func (r *reporter) refused(ctx context.Context, std stdio, name string, all []inspect.Explained, known []*flow.Flow) ([]*flow.Flow, error) {
	var ids []flow.ID
	for _, e := range all {
		if e.Refused {
			ids = append(ids, e.ID)
		}
	}
	flows := slices.DeleteFunc(slices.Clone(known), func(f *flow.Flow) bool { return !slices.Contains(ids, f.ID) })
	if name != "-" {
		var err error
		if flows, err = flowsToExport(ctx, std, name, ids); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(flows, func(f *flow.Flow) bool { return f.Request == nil }), nil
}

func exportFormat(as string) (export.Format, error) {
	i := slices.IndexFunc(export.Formats, func(f export.Format) bool { return f.Name == as })
	if i < 0 {
		return export.Format{}, usagef("give --as "+strings.Join(export.Names(), "|")+"|markdown", "--as %q is no form to export to", as)
	}
	return export.Formats[i], nil
}

func flowIDs(args []string) ([]flow.ID, error) {
	var ids []flow.ID
	for _, a := range args {
		n, err := strconv.ParseInt(strings.TrimPrefix(a, "#"), 10, 64)
		if err != nil || n < 1 {
			return nil, usagef("ids are the numbers in the first column of the list", "%q is no id of a flow", a)
		}
		ids = append(ids, flow.ID(n))
	}
	return ids, nil
}

// flowsToExport reads the chosen flows with their whole bodies.
func flowsToExport(ctx context.Context, std stdio, name string, ids []flow.ID) ([]*flow.Flow, error) {
	name, err := sessionName(name)
	if err != nil {
		return nil, err
	}
	if name != "-" {
		if is, err := holdsSession(name); err != nil {
			return nil, err
		} else if is {
			return wholeFlows(ctx, name, ids)
		}
	}
	flows, err := readFlows(ctx, std, name)
	if err != nil || len(ids) == 0 {
		return flows, err
	}
	var chosen []*flow.Flow
	for _, id := range ids {
		i := slices.IndexFunc(flows, func(f *flow.Flow) bool { return f.ID == id })
		if i < 0 {
			return nil, noFlow(name, id, flow.ID(len(flows)))
		}
		chosen = append(chosen, flows[i])
	}
	return chosen, nil
}

func wholeFlows(ctx context.Context, name string, ids []flow.ID) ([]*flow.Flow, error) {
	s, err := openSession(name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	all := len(ids) == 0
	if all {
		for id := flow.ID(1); id <= s.Last(); id++ {
			ids = append(ids, id)
		}
	}
	var flows []*flow.Flow
	for _, id := range ids {
		f, err := wholeFlow(ctx, s, id)
		switch {
		case all && (errors.Is(err, session.ErrNoFlow) || errors.Is(err, session.ErrNotKept)):
			continue
		case errors.Is(err, session.ErrNoFlow):
			return nil, noFlow(name, id, s.Last())
		case errors.Is(err, session.ErrNotKept):
			return nil, failedf("export another one", "%s: flow %d was seen and not kept: the disk did not keep up", name, id)
		case err != nil:
			return nil, failed(fmt.Errorf("%s: flow %d: %w", name, id, err), "the file may be damaged")
		}
		flows = append(flows, f)
	}
	return flows, nil
}

func noFlow(name string, id, last flow.ID) error {
	return failedf(fmt.Sprintf("its flows are 1 to %d", last), "%s has no flow %d", name, id)
}

// wholeFlow is a flow with all that was kept of its bodies and its messages.
func wholeFlow(ctx context.Context, s *session.Store, id flow.ID) (*flow.Flow, error) {
	f, err := s.Flow(ctx, id)
	if err != nil {
		return nil, err
	}
	for side, m := range map[session.Side]*flow.Message{session.RequestSide: f.Request, session.ResponseSide: f.Response} {
		if m == nil || int64(len(m.Body.Data)) >= m.Body.Kept {
			continue
		}
		body, _, err := s.Body(ctx, id, side)
		if err != nil {
			return nil, err
		}
		m.Body.Data, err = io.ReadAll(body)
		body.Close()
		if err != nil {
			return nil, err
		}
	}
	for {
		const page = 1000
		more, err := s.Frames(ctx, id, int64(len(f.Frames)), page, 0)
		if err != nil {
			return nil, err
		}
		if f.Frames = append(f.Frames, more...); len(more) < page {
			return f, nil
		}
	}
}
