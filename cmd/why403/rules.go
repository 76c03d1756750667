package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/why403/why403/flow/rewrite"
)

// book is the rewrite rules: of the file that --rules names, else of the section
// rules of the configuration file, to which the screen writes them back.
func (o *proxyFlags) book(lookup func(string) (string, bool)) (*rewrite.Book, error) {
	path, said := o.rules, "--rules"
	if path == "" {
		path, _ = configPath(lookup)
		said = "rules"
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, failed(fmt.Errorf("--rules: %w", err), "check the name; an empty file is filled from the screen, with R")
	}
	if path == "" {
		return rewrite.NewBook(""), nil
	}
	b, err := rewrite.Open(path)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", said, err), "see docs/rewrite.md for what a rule can be")
	}
	return b, nil
}
