package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/cmd/why403/demo"
	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/report"
)

func newDemo(std stdio) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it at work: a server that refuses, a client that trips over it, and the screen",
		Long: `Start a small shop with an embedded server whose middleware refuses for real, a
client that runs into each refusal, the proxy between them, and the screen. It
needs no network and leaves nothing behind.

With --once, or where there is no terminal, the client runs once and the
verdicts are printed.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), std, once || !std.terminal())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "run the client once and print the verdicts")
	return cmd
}

func runDemo(ctx context.Context, std stdio, once bool) error {
	shop := demo.NewServer(time.Now)
	if err := shop.Start(); err != nil {
		return failed(err, "the demo needs a free port on 127.0.0.1")
	}
	defer shop.Close()
	ca, err := certs.Ephemeral(time.Now)
	if err != nil {
		return err
	}
	o := proxyFlags{listen: []string{"127.0.0.1:0"}, session: "none", maxBody: 64 << 20}
	var g guide
	s, err := o.open(parts{ca: ca, roots: shop.Roots(), dial: shop.Dial, settled: g.settled})
	if err != nil {
		return err
	}
	defer s.close()
	g.note = s.store.Note
	client := demo.Client{
		Proxy:  &url.URL{Scheme: "http", Host: s.address()},
		Roots:  trusting(ca),
		Server: shop,
		Pace:   4 * time.Second,
	}
	if !once {
		s.announce("demo", &o)
		return s.show(ctx, client.Run)
	}
	client.Pace = 0
	return s.demoOnce(ctx, std, client)
}

// guide writes beside each refusal of the demo what went wrong there and what it is good to look at.
type guide struct {
	note func(flow.ID, flow.Annotation) error
	told map[flow.ID]bool
}

// settled is called by the one worker that explains.
func (g *guide) settled(row session.Row) {
	if g.told[row.ID] || !row.Refused() || row.Parent != 0 {
		return
	}
	for _, sc := range demo.Scenarios() {
		if sc.Refused == (demo.Mark{Method: row.Method, URL: rowURL(&row), Status: row.Status}) {
			text := sc.Title + ". To look at: " + sc.Feature + ". " + toTry[sc.Fix]
			_ = g.note(row.ID, flow.Annotation{Comment: &text}) // without it the demo is as good as any session
			if g.told == nil {
				g.told = map[flow.ID]bool{}
			}
			g.told[row.ID] = true
			return
		}
	}
}

// toTry are keys that show something there.
var toTry = map[demo.Fix]string{
	demo.FixPatch: "d compares it with the accepted one, f sends the fix, p proves it, y copies a curl",
	demo.FixGrant: "d compares it with the accepted one, p proves what decides; the right itself somebody has to give",
	demo.FixWait:  "r sends it again: after the wait it passes",
}

// demoOnce lets the client run through its scenarios and prints what was made of them.
func (s *stack) demoOnce(ctx context.Context, std stdio, client demo.Client) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.serve(serving) }()
	err := client.Tour(ctx)
	stop()
	if e := <-served; err == nil && !errors.Is(e, context.Canceled) {
		err = e
	}
	if err != nil {
		return failed(err, "run it in a terminal, without --once, to see what the client does")
	}
	var flows []*flow.Flow
	for id := flow.ID(1); id <= s.store.Last(); id++ {
		f, err := s.store.Flow(ctx, id)
		if err != nil {
			return fmt.Errorf("demo: flow %d: %w", id, err)
		}
		flows = append(flows, f)
	}
	all, err := explain.Flows(ctx, flows, explain.Options{})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return report.Text(std.out, all, report.TextOptions{})
}

func trusting(ca *certs.CA) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM())
	return pool
}
