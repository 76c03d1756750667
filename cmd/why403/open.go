package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/waf"
	"github.com/why403/why403/proxy/launch"
	"github.com/why403/why403/ui"
)

func newOpen(std stdio) *cobra.Command {
	var follow bool
	var c columns
	cmd := &cobra.Command{
		Use:   "open [FILE]",
		Short: "Look at a recorded session or a HAR file",
		Long: `Show a recorded session or a HAR file on the screen, without a proxy. Without a
FILE it is the last session. The file is only read; what another why403 records
into it meanwhile appears as it comes. With --follow and no FILE it is the
session of the why403 that is running, be it a screen, a capture or a run.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("open one file at a time", "%s takes one file, got %d", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := wantsTerminal(std); err != nil {
				return err
			}
			name := "last"
			if len(args) == 1 {
				name = args[0]
			} else if follow {
				var err error
				if name, err = liveSession(); err != nil {
					return err
				}
			}
			name, err := sessionName(name)
			if err != nil {
				return err
			}
			return openFile(cmd.Context(), std, name, c)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "join the why403 that is running, from another terminal")
	c.add(cmd.Flags())
	return cmd
}

// liveSession is what the youngest why403 that records is recording into.
func liveSession() (string, error) {
	for _, i := range launch.Instances(launch.Places()...) {
		if i.Session != "" && len(i.Addresses) > 0 {
			return i.Session, nil
		}
	}
	return "", failedf("start why403, capture or run in another terminal; why403 open shows the last session", "open --follow: no why403 is running")
}

func openFile(ctx context.Context, std stdio, name string, c columns) error {
	isSession, err := holdsSession(name)
	if err != nil {
		return err
	}
	var store *session.Store
	if isSession {
		store, err = openSession(name)
	} else {
		store, err = importFile(ctx, std, name)
	}
	if err != nil {
		return err
	}
	defer store.Close()
	explained := func() error { return nil }
	if !isSession {
		explained = explainBeside(ctx, store)
	}
	err = runUI(ctx, ui.Options{
		Feed:        store,
		Explain:     func(ctx context.Context, id flow.ID) (inspect.Explained, error) { return explain.One(ctx, store, id) },
		Version:     buildVersion(),
		SessionPath: name,
		ReadOnly:    true,
		Columns:     c.Columns,
		Theme:       c.theme.Theme,
	})
	if e := explained(); err == nil {
		err = e
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// explainBeside explains what is in store; the function that it returns ends that.
func explainBeside(ctx context.Context, store *session.Store) func() error {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- explain.NewWorker(store, explain.Options{WAF: new(waf.Engine)}).Run(ctx) }()
	return func() error {
		stop()
		return <-done
	}
}

// importFile copies the flows of a HAR into a session that lasts as long as the screen.
func importFile(ctx context.Context, std stdio, name string) (*session.Store, error) {
	store, err := session.Temporary(session.Options{Source: name})
	if err != nil {
		return nil, failed(err, "the system's temporary folder must be writable; TMPDIR names another")
	}
	err = eachFlow(ctx, std, name, func(f *flow.Flow) error {
		if _, err := store.Add(ctx, f); err != nil {
			return fmt.Errorf("copy flow %d of %s: %w", f.ID, name, err)
		}
		return nil
	})
	if err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}
