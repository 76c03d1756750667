package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/inspect"
)

const maxHits = 8 // matches of simulated rules that a report lists

// simulated are the lines about the rules of a firewall that was simulated: the
// title, and a line a match. nil where there is nothing to tell.
func simulated(s *inspect.Simulation) (title string, lines []string) {
	if s == nil || s.Failed != "" {
		return "", nil
	}
	title = s.Short() + ": " + strconv.Itoa(s.Score) + " points, " + strconv.Itoa(s.Threshold) + " refuse"
	if s.Cut {
		title += "; only a first part of the request was looked at"
	}
	own := s.Own(1)
	for _, h := range own[:min(len(own), maxHits)] {
		line := strconv.Itoa(h.Rule)
		if h.Place != "" {
			line += " " + h.Place
		}
		if h.Text != "" {
			line += ": " + short(h.Text)
		}
		lines = append(lines, line+" ("+h.Message+")")
	}
	if n := len(own) - maxHits; n > 0 {
		lines = append(lines, "and "+strconv.Itoa(n)+" more")
	}
	if list := rules(s, func(h inspect.Hit) bool { return h.Shared && h.Level == 1 }); list != "" && s.Accepted != nil {
		lines = append(lines, "in the accepted #"+strconv.FormatInt(int64(s.Accepted.ID), 10)+" as well: "+list)
	}
	if list := rules(s, func(h inspect.Hit) bool { return !h.Shared && h.Level == 2 }); list != "" {
		lines = append(lines, "only at paranoia level 2: "+list)
	}
	if len(lines) == 0 {
		lines = []string{"no rule fires"}
	}
	return title, lines
}

// rules are the numbers of the rules that are meant, each once.
func rules(s *inspect.Simulation, meant func(inspect.Hit) bool) string {
	var list []string
	for _, h := range s.Hits {
		if n := strconv.Itoa(h.Rule); meant(h) && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return strings.Join(list, ", ")
}

// fixLabel says whether a change mends the request or shows whether it is what matters.
func fixLabel(f *inspect.Fix) string {
	if f.Test {
		return "test"
	}
	return "fix"
}

// title is a word with a capital letter.
func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
