package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/certs"
)

func newCA(std stdio) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Show, export or install the certificate authority that clients must trust",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&dir, "ca-dir", "", "`folder` of the certificate authority")
	load := func() (*certs.CA, error) {
		o := proxyFlags{caDir: dir}
		ca, err := certs.LoadOrCreate(o.dir(), time.Now)
		if err != nil {
			return nil, caError(err)
		}
		return ca, nil
	}
	cmd.AddCommand(
		newInstall(std, &dir),
		newUninstall(std, &dir),
		newRotate(std, &dir),
		&cobra.Command{
			Use:     "path",
			Short:   "Print where the certificate is",
			Example: `curl --cacert "$(why403 ca path)" -x http://127.0.0.1:8403 https://example.com/`,
			Args:    noArguments,
			RunE: func(*cobra.Command, []string) error {
				ca, err := load()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(std.out, ca.Info().Cert)
				return err
			},
		},
		&cobra.Command{
			Use:   "show",
			Short: "Tell who it is and how long it is valid",
			Args:  noArguments,
			RunE: func(*cobra.Command, []string) error {
				ca, err := load()
				if err != nil {
					return err
				}
				return showCA(std.out, ca)
			},
		},
		&cobra.Command{
			Use:   "export [FILE]",
			Short: "Write the certificate (never the key) to a new file or standard output",
			Args:  cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				ca, err := load()
				if err != nil {
					return err
				}
				if len(args) == 0 || args[0] == "-" {
					_, err := std.out.Write(ca.PEM())
					return err
				}
				return exportCA(args[0], ca.PEM())
			},
		},
	)
	return cmd
}

func showCA(out io.Writer, ca *certs.CA) error {
	info := ca.Info()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "name\t%s\n", info.Name)
	fmt.Fprintf(w, "certificate\t%s\n", info.Cert)
	fmt.Fprintf(w, "key\t%s\n", info.Key)
	fmt.Fprintf(w, "valid\t%s to %s\n", info.NotBefore.Format(time.DateOnly), info.NotAfter.Format(time.DateOnly))
	fmt.Fprintf(w, "sha256\t%s\n", info.SHA256)
	fmt.Fprintf(w, "spki sha256\t%s\n", info.SPKI)
	if _, warning := ca.Expires(); warning != "" {
		fmt.Fprintf(w, "note\t%s; why403 ca rotate makes a new one\n", warning)
	}
	return w.Flush()
}

// exportCA writes a new file and never replaces one.
func exportCA(name string, pem []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return failed(fmt.Errorf("ca export: %w", err), "name a new file; an existing one is left as it is")
	}
	if _, err := f.Write(pem); err != nil {
		f.Close()
		return fmt.Errorf("ca export: %w", err)
	}
	return f.Close()
}
