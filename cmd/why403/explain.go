package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/report"
)

// softMemory is the size of the heap, in bytes, from which on garbage is collected as often as needed.
const softMemory = 256 << 20

func newExplain(std stdio) *cobra.Command {
	format, reveal := "text", false
	mask := redact.New()
	var logFiles []string
	var contract contractFlags
	var firewall wafFlag
	cmd := &cobra.Command{
		Use:   "explain FILE...",
		Short: "Say why the refused requests in a file were refused",
		Long: `Explain the refusals in files, without any proxying. A file may be a session of
why403, a HAR, HTTP messages as text (a request and its answer, or an answer
alone), or the output of curl -v or curl -i; what it is shows in its content.
The flows of one file are each other's history, in time order. "-" reads
standard input.

Secrets are masked, the same secret by the same name, unless --reveal is given.

Exit status 3 when a refusal was found, 0 when there was none, 1 when a file could
not be read to its end: what stands before that is explained all the same.`,
		Example: `why403 explain page.har
curl -sv https://api.example/orders -d @order.json 2>&1 | why403 explain -
why403 explain page.har --log nginx=/var/log/nginx/error.log
why403 explain page.har --openapi openapi.yaml
why403 explain --format json page.har | jq '.flows[].verdict.cause'`,
		Args: filesNeeded,
		RunE: func(cmd *cobra.Command, files []string) error {
			write, err := reportFormat(format)
			if err != nil {
				return err
			}
			// The product files are read once and kept: collecting garbage meanwhile costs
			// a tenth of a short run and frees next to nothing.
			defer debug.SetGCPercent(debug.SetGCPercent(400))
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(softMemory))
			sources, err := readLogs(logFiles)
			if err != nil {
				return err
			}
			o, err := contract.read(firewall.heed(explain.Options{Logs: explain.FromLogs(sources)}))
			if err != nil {
				return err
			}
			var all []inspect.Explained
			var own ownAnswers
			read := func(name string) error {
				name, err := sessionName(name)
				if err != nil {
					return err
				}
				o, done, err := withStored(cmd.Context(), name, o)
				if err != nil {
					return err
				}
				defer done()
				return explain.Each(cmd.Context(), func(yield func(*flow.Flow) error) error {
					return eachFlow(cmd.Context(), std, name, func(f *flow.Flow) error {
						if !reveal && f.Status() >= 400 {
							mask.Learn(f)
						}
						own.take(f)
						return yield(f)
					})
				}, o, func(e inspect.Explained) error {
					if !reveal {
						e = report.Masked(mask, e)
					}
					all = append(all, e)
					return nil
				})
			}
			var broken error // the first file that could not be read to its end
			for _, name := range files {
				if broken = read(name); broken != nil {
					break
				}
			}
			if broken != nil && len(all) == 0 {
				return broken
			}
			if err := write(std.out, all); err != nil {
				return failed(fmt.Errorf("write the report: %w", err), "check where standard output goes to")
			}
			own.print(std.err, mask)
			if broken != nil {
				return broken
			}
			for i := range all {
				if all[i].Refused {
					return errRefused
				}
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&logFiles, "log", nil, "`[LABEL=]FILE` of a server's log; its lines are matched to the flows by ids, time and path")
	contract.add(cmd.Flags())
	firewall.add(cmd.Flags())
	cmd.Flags().BoolVar(&reveal, "reveal", false, "write secrets as they are")
	cmd.Flags().StringVar(&format, "format", format, "text, json or markdown")
	return cmd
}

// withStored lets explaining a session use the lines of logs that were recorded
// with it, those of --log come on top, and what experiments proved.
func withStored(ctx context.Context, name string, o explain.Options) (explain.Options, func(), error) {
	is := false
	var err error
	if name != "-" {
		is, err = holdsSession(name)
	}
	if !is || err != nil {
		return o, func() {}, err
	}
	store, err := openSession(name)
	if err != nil {
		return o, func() {}, err
	}
	stored, given := explain.StoredLogs(ctx, store), o.Logs
	o.Logs = func(f *flow.Flow) []inspect.Line { return append(stored(f), given(f)...) }
	o.Proof = explain.StoredProofs(ctx, store)
	return o, func() { store.Close() }, nil
}

func filesNeeded(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("see "+cmd.CommandPath()+" --help", "%s needs a file", cmd.CommandPath())
	}
	return nil
}
