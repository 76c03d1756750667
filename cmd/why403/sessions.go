package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/why403/why403/flow/session"
)

func newSessions(std stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List or remove recorded sessions",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return listSessions(std) },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the recorded sessions, newest first",
			Args:  noArguments,
			RunE:  func(*cobra.Command, []string) error { return listSessions(std) },
		},
		&cobra.Command{
			Use:   "rm FILE...",
			Short: "Remove recorded sessions",
			Args:  filesNeeded,
			RunE: func(_ *cobra.Command, files []string) error {
				for _, name := range files {
					name, err := sessionName(name)
					if err != nil {
						return err
					}
					if err := removeSession(name); err != nil {
						return failed(err, "why403 sessions list shows what there is")
					}
				}
				return nil
			},
		},
	)
	return cmd
}

// removeSession deletes a session. Outside the folder of sessions it must be
// one by its content, for nothing else may be lost by a slip of the keyboard.
func removeSession(name string) error {
	if filepath.Dir(name) != session.Dir() {
		s, err := session.Open(name, session.Options{})
		if err != nil {
			return fmt.Errorf("%s is left as it is: %w", name, err)
		}
		s.Close()
	}
	return session.Remove(name)
}

func listSessions(std stdio) error {
	all, err := session.List(session.Dir())
	if err != nil {
		return failed(err, "the folder must be readable")
	}
	if len(all) == 0 {
		fmt.Fprintf(std.err, "why403: no session in %s yet\n", session.Dir())
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "age\tflows\trefused\tsize\tfile")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", humanize.RelTime(s.Modified, time.Now(), "", ""), s.Flows, s.Refused, humanize.IBytes(uint64(s.Size)), s.Path)
	}
	return w.Flush()
}

// sessionName resolves the word "last" to the newest session, and a name
// without a folder that is not here to one in the state folder.
func sessionName(name string) (string, error) {
	if name == "last" {
		newest, err := session.Newest(session.Dir())
		if errors.Is(err, fs.ErrNotExist) {
			return "", failedf("start why403 to record one", "there is no recorded session yet")
		}
		return newest, err
	}
	if _, err := os.Stat(name); missing(err) && filepath.Base(name) == name {
		recorded := filepath.Join(session.Dir(), name)
		if _, err := os.Stat(recorded); err == nil {
			return recorded, nil
		}
	}
	return name, nil
}
