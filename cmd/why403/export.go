package main

import (
	"context"
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

A command or program can be run once before it is handed on (--verify): when the
server answers as it did, the export says so. markdown is the report on the refused
among the flows, test a check that why403 assert runs.`,
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
				return exportReport(cmd.Context(), std, args[0], ids, reveal)
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
				for _, f := range flows {
					if err := (&again{yes: yes}).ask(std, f); err != nil {
						return err
					}
				}
				if err := verify(cmd.Context(), format, flows); err != nil {
					return err
				}
				o.Verified = time.Now()
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

// exportReport writes the report on flows of a file, which are explained among all others of it.
func exportReport(ctx context.Context, std stdio, name string, ids []flow.ID, reveal bool) error {
	name, err := sessionName(name)
	if err != nil {
		return err
	}
	flows, err := readFlows(ctx, std, name)
	if err != nil {
		return err
	}
	all, err := explain.Flows(ctx, flows, explain.Options{})
	if err != nil {
		return fmt.Errorf("explain %s: %w", name, err)
	}
	if len(ids) > 0 {
		all = slices.DeleteFunc(all, func(e inspect.Explained) bool { return !slices.Contains(ids, e.ID) })
	}
	if report.Refused(all) == 0 {
		return failedf("why403 explain "+name+" lists what was refused", "none of these flows was refused: there is nothing to report")
	}
	var b strings.Builder
	if err := report.Markdown(&b, all); err != nil {
		return err
	}
	text := b.String()
	if !reveal {
		m := redact.New()
		m.Flows(flows)
		text = m.Text(text)
	}
	_, err = io.WriteString(std.out, text)
	return err
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
