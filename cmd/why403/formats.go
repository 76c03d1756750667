package main

import (
	"io"

	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/report"
)

// reportFormat is the writer for --format.
func reportFormat(name string) (func(io.Writer, []inspect.Explained) error, error) {
	switch name {
	case "text":
		return func(w io.Writer, all []inspect.Explained) error {
			return report.Text(w, all, report.TextOptions{})
		}, nil
	case "json":
		return report.JSON, nil
	case "markdown":
		return func(w io.Writer, all []inspect.Explained) error { return report.Markdown(w, all, nil) }, nil
	}
	return nil, usagef("give --format text|json|markdown", "--format %q is no form of report", name)
}
