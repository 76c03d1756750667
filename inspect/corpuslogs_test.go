package inspect_test

import (
	"slices"

	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/logs"
	"github.com/why403/why403/inspect/waf"
)

// firewall is simulated for the cases for which that can matter.
var firewall waf.Engine

// options gives the explaining the case's log lines, as if read from files.
func (c *corpusCase) options() explain.Options {
	var sources []logs.Source
	for label, lines := range c.Context.Logs {
		sources = append(sources, logs.Source{Label: label, Lines: lines})
	}
	slices.SortFunc(sources, func(a, b logs.Source) int {
		if a.Label < b.Label {
			return -1
		}
		return 1
	})
	return explain.Options{Logs: explain.FromLogs(sources), WAF: &firewall}
}
