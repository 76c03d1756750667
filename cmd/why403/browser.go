package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/proxy/launch"
)

func newBrowser(std stdio) *cobra.Command {
	b := browserRun{runner: runner{std: std, ca: "ephemeral"}}
	cmd := &cobra.Command{
		Use:   "browser [URL] [-- ARGUMENT...]",
		Short: "Open a browser with a throw-away profile that goes through the proxy and trusts it",
		Long: `Open a browser with a profile of its own that sends all traffic through why403,
loopback too, and trusts its certificate authority. Nothing is installed, your
own profile is not touched, and the throw-away one goes when the browser ends.

If a why403 is running, the requests appear there. Otherwise one is started, in
this terminal. What stands behind -- is passed to the browser.`,
		Example: `why403 browser https://app.example/
why403 browser --browser firefox http://localhost:8000/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			urls := args
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				urls, b.arguments = args[:dash], args[dash:]
			}
			if len(urls) > 1 {
				return usagef("give one URL; arguments of the browser stand behind --", "browser takes one URL, got %d", len(urls))
			}
			b.url = strings.Join(urls, "")
			return b.open(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&b.name, "browser", "", "`name` of the one to take: chromium, chrome, edge, brave or firefox (default: the first that is found)")
	b.proxy.add(cmd.Flags())
	return cmd
}

// browserRun is `why403 browser`.
type browserRun struct {
	runner
	name, url string
	arguments []string
	browser   launch.Browser
}

func (b *browserRun) open(ctx context.Context) error {
	if err := b.choose(); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	b.command = b.withProfile
	if _, joined := launch.Running(ctx, launch.Places()...); joined || !b.std.terminal() {
		return b.run(ctx)
	}
	return b.beside(ctx)
}

// choose finds the browser.
func (b *browserRun) choose() error {
	all := launch.Browsers()
	if len(all) == 0 {
		return failedf("install Chromium, Chrome, Edge or Firefox, or give your own browser the proxy and see why403 ca", "browser: none found on this machine")
	}
	for _, one := range all {
		if b.name == "" || one.Name == b.name {
			b.browser = one
			return nil
		}
	}
	var names []string
	for _, one := range all {
		if !slices.Contains(names, one.Name) {
			names = append(names, one.Name)
		}
	}
	return usagef("there is: "+strings.Join(names, ", "), "--browser %s: not found on this machine", b.name)
}

// withProfile lays out a profile.
func (b *browserRun) withProfile(folder string, o launch.Options) (launch.Command, error) {
	ca := filepath.Join(folder, "authority.pem")
	if err := os.WriteFile(ca, o.CA, 0o600); err != nil {
		return launch.Command{}, failed(err, "the folder "+folder+" must be writable")
	}
	profile := filepath.Join(folder, "profile")
	args, err := b.browser.Profile(profile, strings.TrimPrefix(o.Proxy, "http://"), ca)
	if errors.Is(err, launch.ErrNoCertutil) {
		return launch.Command{}, failed(fmt.Errorf("browser: firefox: %w", err), "install it (Debian: libnss3-tools, Fedora: nss-tools, Homebrew: nss), or take another browser with --browser")
	}
	if err != nil {
		return launch.Command{}, fmt.Errorf("browser: %w", err)
	}
	args = append(append([]string{b.browser.Path}, args...), b.arguments...)
	if b.url != "" {
		args = append(args, b.url)
	}
	c := launch.Command{Args: args, Env: b.browser.Environ(o.Env, profile), Out: io.Discard, Err: io.Discard}
	if len(b.arguments) > 0 { // who gives arguments wants to read what it says
		c.In, c.Out, c.Err = b.std.in, b.std.out, b.std.err
	}
	return c, nil
}

// beside opens the browser beside a screen in this terminal. Whoever leaves the screen closes the browser.
func (b *browserRun) beside(ctx context.Context) error {
	ca, err := certs.Ephemeral(time.Now)
	if err != nil {
		return err
	}
	o := b.proxy
	o.proxyAuth = ""
	if len(o.listen) == 0 {
		o.listen = []string{"127.0.0.1:0"}
	}
	s, err := o.open(parts{ca: ca})
	if err != nil {
		return err
	}
	defer s.close()
	s.announce("screen", &o)
	if s.seat == nil {
		return errNoSeat()
	}
	b.command = func(folder string, o launch.Options) (launch.Command, error) {
		c, err := b.withProfile(folder, o)
		c.In, c.Out, c.Err = nil, io.Discard, io.Discard // the terminal is the screen's
		return c, err
	}
	return s.show(ctx, func(ctx context.Context) error {
		_, err := b.start(ctx, s.seat, b.kit.options(s.address(), s.ca.PEM(), s.store.Stats().Path))
		return err
	})
}
