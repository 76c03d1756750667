package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/redact"
)

func newDiff(std stdio) *cobra.Command {
	format, reveal := "text", false
	cmd := &cobra.Command{
		Use:   "diff FILE A B",
		Short: "Compare two requests of a session or HAR by meaning",
		Long: `Compare the requests of flows A and B: method, URL, query, headers, cookies, token
claims, JSON by path, form fields. The most suspicious difference stands first,
what means nothing (dates, trace ids, lengths that follow the body) is muted.
Seen from A: "-" is what only A has, "+" what only B has.

Secrets are masked, the same secret by the same name, unless --reveal is given.`,
		Example: `why403 diff last 12 9
why403 diff page.har 3 1 --format json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usagef("see "+cmd.CommandPath()+" --help", "%s needs a file and two ids", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usagef("give --format text|json", "--format %q is no form of a difference", format)
			}
			ids, err := flowIDs(args[1:])
			if err != nil {
				return err
			}
			flows, err := flowsToExport(cmd.Context(), std, args[0], ids)
			if err != nil {
				return err
			}
			d := diff.Compare(flows[0], flows[1])
			if !reveal {
				maskDiff(&d, flows)
			}
			if format == "json" {
				e := json.NewEncoder(std.out)
				e.SetIndent("", " ")
				return e.Encode(map[string]any{"version": 1, "a": ids[0], "b": ids[1], "changes": append([]flow.Change{}, d.Changes...)})
			}
			return writeDiff(std.out, d)
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "write secrets as they are")
	cmd.Flags().StringVar(&format, "format", format, "text or json")
	return cmd
}

// maskDiff masks the secrets in a difference: those of both requests, wherever they stand.
func maskDiff(d *diff.Diff, flows []*flow.Flow) {
	m := redact.New()
	for _, f := range flows {
		m.Learn(f)
	}
	for i, c := range d.Changes {
		d.Changes[i] = m.Change(c)
	}
	for i, c := range d.Muted {
		d.Muted[i].Change = m.Change(c.Change)
	}
}

func writeDiff(out io.Writer, d diff.Diff) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range d.Changes {
		mark := "~"
		switch {
		case c.Before == nil:
			mark = "+"
		case c.After == nil:
			mark = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", mark, c.Part, oneLine(c.Name), sideOf(c.Before), sideOf(c.After))
	}
	for _, m := range d.Muted {
		fmt.Fprintf(w, "\t%s\t%s\t(muted: %s)\t\n", m.Change.Part, oneLine(m.Change.Name), m.Reason)
	}
	if len(d.Changes) == 0 {
		fmt.Fprintln(w, "nothing differs that matters")
	}
	return w.Flush()
}

// sideOf is a value as one line of a table.
func sideOf(s *string) string {
	const most = 120 // characters
	if s == nil {
		return "absent"
	}
	r := []rune(oneLine(*s))
	if len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(r)
}
