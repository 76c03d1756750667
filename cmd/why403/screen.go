package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/pinpoint"
	"github.com/why403/why403/ui"
)

// columns is how the screen looks: the columns of the list, as --columns says, and the theme.
type columns struct {
	ui.Columns
	text  string
	theme theme
}

// theme is the value of --theme.
type theme struct {
	ui.Theme
	text string
}

func (t *theme) String() string { return t.text }
func (t *theme) Type() string   { return "name" }

func (t *theme) Set(text string) (err error) {
	t.text = text
	t.Theme, err = ui.ParseTheme(text)
	return err
}

func (c *columns) add(flags *pflag.FlagSet) {
	flags.Var(c, "columns", "`names` of the columns of the list, of "+ui.ColumnNames()+" (default time,host,took; C changes them)")
	flags.Var(&c.theme, "theme", "`name` of the colours of the screen: "+ui.ThemeNames()+" (default auto, which heeds NO_COLOR; T changes it)")
}

func (c *columns) String() string { return c.text }
func (c *columns) Type() string   { return "names" }

func (c *columns) Set(text string) (err error) {
	c.text = text
	c.Columns, err = ui.ParseColumns(text)
	return err
}

// runScreen is why403 without a subcommand: the proxy and the screen.
func runScreen(ctx context.Context, std stdio, o proxyFlags, c columns) error {
	if err := wantsTerminal(std); err != nil {
		return err
	}
	s, err := o.open(parts{in: std.in})
	if err != nil {
		return err
	}
	defer s.close()
	s.announce("screen", &o)
	s.columns = c
	err = s.show(ctx, nil)
	for _, line := range s.remarks.take() {
		fmt.Fprintf(std.err, "why403: %s\n", oneLine(line))
	}
	return err
}

func wantsTerminal(std stdio) error {
	if !std.terminal() {
		return failedf("run it in a terminal, or without a screen: why403 capture", "the screen needs a terminal, and this is none")
	}
	if os.Getenv("TERM") == "dumb" {
		return failedf("set TERM to what your terminal is, or run why403 capture", "TERM=dumb cannot show a screen")
	}
	return nil
}

// show serves and shows until the user leaves or ctx ends. beside, if given,
// runs along with it.
func (s *stack) show(ctx context.Context, beside func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := make(chan error, 2)
	running := 1
	go func() { work <- s.serve(ctx); stop() }()
	if beside != nil {
		running++
		go func() { work <- beside(ctx) }()
	}
	o := ui.Options{
		Feed:   s.store,
		Sender: sendAgain{s},
		IsItMe: func(ctx context.Context, f *flow.Flow) pinpoint.Me {
			return isItMe(ctx, probes{sender: s.sender}, f, false, 500*time.Millisecond)
		},
		Explain:     func(ctx context.Context, id flow.ID) (inspect.Explained, error) { return explain.One(ctx, s.store, id) },
		Hold:        s.gate,
		Rules:       s.rules,
		Capture:     s.proxy,
		Listen:      s.address(),
		Version:     buildVersion(),
		SessionPath: s.store.Stats().Path,
		CA:          s.trust(),
		Columns:     s.columns.Columns,
		Theme:       s.columns.theme.Theme,
	}
	if s.points != nil {
		o.Points = s.points
	}
	err := runUI(ctx, o)
	stop()
	for range running {
		if e := <-work; err == nil && !errors.Is(e, context.Canceled) {
			err = e
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// sendAgain gives the screen a way to replay.
type sendAgain struct{ *stack }

func (s sendAgain) Send(ctx context.Context, parent *flow.Flow, request *flow.Message) (flow.ID, error) {
	child, err := s.sender.Send(ctx, parent, request)
	if child == nil {
		return 0, err
	}
	return child.ID, err
}

// trust is what the screen says about our certificate authority.
func (s *stack) trust() ui.CAState {
	return ui.CAState{Path: s.caFile, Ephemeral: s.caFile == "", Ask: func() bool { return systemTrusts(s.ca.PEM()) }}
}

// systemTrusts reports whether the certificate in pem verifies against the system's roots.
func systemTrusts(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		return false
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: system, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}
