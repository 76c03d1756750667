package main

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // the name that macOS has for a certificate
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/proxy/launch"
)

// truster is `why403 ca install` and `uninstall`.
type truster struct {
	std    stdio
	dir    *string // of the certificate authority, as --ca-dir says it
	stores []string
	yes    bool
}

func newInstall(std stdio, dir *string) *cobra.Command {
	t := truster{std: std, dir: dir}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Let the programs of this machine trust the certificate authority",
		Long: `Show what would be done to let the system, browsers (NSS) and Java trust the
certificate authority, ask, and do it. Whoever has the authority's key could then
deceive them: run, env and browser need none of this. Take it back with
why403 ca uninstall. (On macOS and Windows the commands are those of their
manuals; they have not been tried there.)`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.install(cmd.Context()) },
	}
	t.add(cmd)
	return cmd
}

func newUninstall(std stdio, dir *string) *cobra.Command {
	t := truster{std: std, dir: dir}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take back what ca install did, for every authority of ours",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return t.uninstall(cmd.Context()) },
	}
	t.add(cmd)
	return cmd
}

func (t *truster) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&t.stores, "store", nil, "`name` of a place, system, nss or java (default: all on this machine)")
	cmd.Flags().BoolVar(&t.yes, "yes", false, "do not ask")
}

func (t *truster) install(ctx context.Context) error {
	o := proxyFlags{caDir: *t.dir}
	ca, err := certs.LoadOrCreate(o.dir(), time.Now)
	if err != nil {
		return caError(err)
	}
	stores, err := t.find(ctx, ca)
	if err != nil {
		return err
	}
	var commands [][]string
	for _, s := range stores {
		commands = append(commands, t.show(s, s.Install)...)
	}
	done, err := t.carryOut(ctx, commands)
	if done {
		fmt.Fprintln(t.std.err, "why403: trusted; why403 ca uninstall takes it back")
	}
	return err
}

func (t *truster) uninstall(ctx context.Context) error {
	o := proxyFlags{caDir: *t.dir}
	ca, err := certs.Load(o.dir(), time.Now)
	if errors.Is(err, fs.ErrNotExist) { // the files are gone, what was installed may be there
		ca, err = certs.Ephemeral(time.Now)
	}
	if err != nil {
		return caError(err)
	}
	stores, err := t.find(ctx, ca)
	if err != nil {
		return err
	}
	var commands [][]string
	for _, s := range stores {
		if len(s.Uninstall) > 0 {
			commands = append(commands, t.show(s, s.Uninstall)...)
		}
	}
	if len(commands) == 0 {
		fmt.Fprintln(t.std.err, "why403: nothing of ours is installed")
		return nil
	}
	_, err = t.carryOut(ctx, commands)
	return err
}

func newRotate(std stdio, dir *string) *cobra.Command {
	t := truster{std: std, dir: dir}
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make a new certificate authority in the place of the one there is",
		Long: `Remove the certificate authority with its key, after asking, and make a new one:
before it expires, or when somebody else may have seen the key. Clients that were
given the old certificate must be given the new one; what ca install did is taken
back by ca uninstall, for authorities that are gone, too.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return t.rotate() },
	}
	cmd.Flags().BoolVar(&t.yes, "yes", false, "do not ask")
	return cmd
}

func (t *truster) rotate() error {
	o := proxyFlags{caDir: *t.dir}
	what := "a new authority in " + o.dir()
	if ca, err := certs.Load(o.dir(), time.Now); err == nil {
		what = fmt.Sprintf("%s, valid until %s, goes with its key; a new one takes its place", ca.Info().Name, ca.Info().NotAfter.Format(time.DateOnly))
	} else if !errors.Is(err, fs.ErrNotExist) {
		what = err.Error() + "; a new one takes its place"
	}
	fmt.Fprintln(t.std.err, oneLine(what))
	if yes, err := t.agreed(); err != nil || !yes {
		return err
	}
	ca, err := certs.Rotate(o.dir(), time.Now)
	if err != nil {
		return caError(err)
	}
	fmt.Fprintf(t.std.err, "why403: clients must be given %s; a running why403 has the old one until it is started again\n", ca.Info().Cert)
	fmt.Fprintln(t.std.err, "why403: if the old one was installed: why403 ca uninstall, then why403 ca install")
	return nil
}

// find gives the stores that were asked for.
func (t *truster) find(ctx context.Context, ca *certs.CA) ([]launch.Store, error) {
	home, _ := os.UserHomeDir()
	block, _ := pem.Decode(ca.PEM())
	sum := sha1.Sum(block.Bytes) //nolint:gosec // see above
	info := ca.Info()
	all := launch.Stores(ctx, launch.Authority{File: info.Cert, Serial: info.Serial, SHA1: strings.ToUpper(hex.EncodeToString(sum[:]))}, home)
	for _, name := range t.stores {
		if !slices.ContainsFunc(all, func(s launch.Store) bool { return s.Name == name }) {
			return nil, usagef("leave --store out to take all that there are", "--store %s: there is no such store on this machine, or no tool to change it", name)
		}
	}
	all = slices.DeleteFunc(all, func(s launch.Store) bool { return len(t.stores) > 0 && !slices.Contains(t.stores, s.Name) })
	if len(all) == 0 {
		return nil, failedf("give clients the file of why403 ca path, or use why403 run", "ca: no store was found that could be changed")
	}
	return all, nil
}

func (t *truster) show(s launch.Store, commands [][]string) [][]string {
	fmt.Fprintf(t.std.err, "%s: %s\n", s.Name, s.What)
	for _, args := range commands {
		fmt.Fprintf(t.std.err, "  %s\n", oneLine(quotedWords(args)))
	}
	return commands
}

func quotedWords(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = shellWord(a)
	}
	return strings.Join(words, " ")
}

// agreed asks whether what was shown is to be done.
func (t *truster) agreed() (bool, error) {
	if t.yes {
		return true, nil
	}
	if !t.std.terminal() {
		return false, failedf("run it in a terminal, or give --yes", "ca: somebody must say yes to this, and there is no terminal")
	}
	fmt.Fprint(t.std.err, "Do this? [y/N] ")
	answer, _ := bufio.NewReader(t.std.in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		fmt.Fprintln(t.std.err, "why403: nothing was done")
		return false, nil
	}
	return true, nil
}

// carryOut asks, and runs the commands that were shown.
func (t *truster) carryOut(ctx context.Context, commands [][]string) (done bool, err error) {
	if yes, err := t.agreed(); err != nil || !yes {
		return false, err
	}
	if err := launch.RunAll(ctx, commands, t.std.in, t.std.err); err != nil {
		return false, failed(fmt.Errorf("ca: %w", err), "what was done before it stays; why403 ca uninstall takes it back")
	}
	return true, nil
}
