package ui

import (
	"strings"
	"testing"

	"github.com/why403/why403/inspect"
)

func TestTheSimulatedFirewallStandsUnderTheVerdict(t *testing.T) {
	s := &inspect.Simulation{
		Rules: "Core Rule Set 4.25.0", Score: 13, Beyond: 5, Threshold: 5, Accepted: &inspect.Accepted{ID: 7, Score: 3},
		Hits: []inspect.Hit{
			{Rule: 911100, Level: 1, Message: "Method is not allowed by policy", Place: "the method PUT"},
			{Rule: 920350, Level: 1, Message: "Host header is a numeric IP address", Place: "the header Host", Text: "192.0.2.7", Shared: true},
			{Rule: 942270, Level: 1, Message: "Looking for basic sql injection", Place: "the JSON field a", Text: "UNION SELECT name\x1b[2J FROM"},
			{Rule: 942270, Level: 1, Message: "Looking for basic sql injection", Place: "the JSON field b", Text: "UNION SELECT 1 FROM"},
			{Rule: 942480, Level: 2, Message: "SQL Injection Attack"},
		},
	}
	draw := func(w int, s *inspect.Simulation) string {
		p := &writer{w: w}
		simulated(dark(), p, s, 0)
		return shown(p.out)
	}
	want := `
Core Rule Set 4.25 (simulated): 13 points, 5 refuse
 911100 Method is not allowed by policy
        the method PUT
 942270 Looking for basic sql injection
        the JSON field a: “UNION SELECT name\x1b[2J FROM”
        the JSON field b: “UNION SELECT 1 FROM”
 in the accepted #7 as well: 920350
 only at paranoia level 2: 942480
`
	if got := draw(80, s); got != want {
		t.Errorf("got\n%s", got)
	}
	for l := range strings.SplitSeq(draw(30, s), "\n") {
		if n := len([]rune(l)); n > 30 {
			t.Errorf("%d cells: %s", n, l)
		}
	}
	if got := draw(80, nil) + draw(80, &inspect.Simulation{}) + draw(80, &inspect.Simulation{Failed: "no memory"}); got != "" {
		t.Errorf("nothing to tell is told: %q", got)
	}
}
