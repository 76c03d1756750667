package ui

import (
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/inspect"
	"github.com/why403/why403/ui/safe"
)

// simulatedHits is how many matches of simulated rules are drawn in full.
const simulatedHits = 6

// simulated is what the Core Rule Set says of the request when it is run here: a
// row for each rule that fires, and one for the bytes. first is the number of the first hit among all
// that is quoted.
func simulated(th *theme, p *writer, s *inspect.Simulation, first int) {
	if s == nil || s.Failed != "" || len(s.Hits) == 0 {
		return
	}
	p.blank()
	title := s.Short() + " (simulated): " + strconv.Itoa(s.Score) + " points, " + strconv.Itoa(s.Threshold) + " refuse"
	if s.Cut {
		title += "; only a first part was looked at"
	}
	p.say(nil, 0, th.muted, safe.Of(title))
	own := s.Own(1)
	for i, h := range shownHits(s) {
		from := len(p.out)
		if i == 0 || own[i-1].Rule != h.Rule {
			p.say([]piece{{"", space(1)}, said(th.warn, strconv.Itoa(h.Rule)), {"", space(1)}}, 8, th.text, safe.Of(h.Message))
		}
		where := h.Place
		if h.Text != "" {
			where += ": “" + h.Text + "”"
		}
		if where != "" {
			p.say([]piece{{"", space(8)}}, 8, th.muted, safe.Of(where))
		}
		if h.Where != "" && h.Quote != "" {
			p.leads(from, target{cite: first + i})
		}
	}
	if n := len(own) - simulatedHits; n > 0 {
		p.say([]piece{{"", space(1)}}, 1, th.muted, safe.Of("and "+strconv.Itoa(n)+" more"))
	}
	if s.Accepted != nil {
		p.ruleList(th, "in the accepted #"+id(s.Accepted.ID)+" as well: ", s, func(h inspect.Hit) bool { return h.Shared && h.Level == 1 })
	}
	p.ruleList(th, "only at paranoia level 2: ", s, func(h inspect.Hit) bool { return h.Level == 2 && !h.Shared })
}

// shownHits are the matches that are drawn in full.
func shownHits(s *inspect.Simulation) []inspect.Hit {
	if s == nil || s.Failed != "" {
		return nil
	}
	own := s.Own(1)
	return own[:min(len(own), simulatedHits)]
}

// ruleList is a row with the numbers of the rules that are meant, none without any.
func (p *writer) ruleList(th *theme, head string, s *inspect.Simulation, meant func(inspect.Hit) bool) {
	var list []string
	for _, h := range s.Hits {
		if n := strconv.Itoa(h.Rule); meant(h) && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	if len(list) > 0 {
		p.say([]piece{{"", space(1)}}, 1, th.muted, safe.Of(head+strings.Join(list, ", ")))
	}
}
