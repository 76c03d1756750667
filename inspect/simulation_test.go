package inspect

import (
	"context"
	"testing"

	"github.com/why403/why403/inspect/waf"
)

// firewall runs the cases of this package's tests.
var firewall waf.Engine

// simulateCase runs the request of a case, and its success, through the Core Rule Set.
func simulateCase(t testing.TB, c *Case) *Simulation {
	t.Helper()
	s := &Simulation{Rules: waf.Rules, Threshold: waf.Threshold}
	r, err := firewall.Run(context.Background(), c.Flow)
	if err != nil {
		t.Fatal(err)
	}
	if c.Success != nil {
		ok, err := firewall.Run(context.Background(), c.Success)
		if err != nil {
			t.Fatal(err)
		}
		r.Compare(ok)
		s.Accepted = &Accepted{ID: c.Success.ID, Score: ok.Score}
	}
	for _, k := range firewall.Trial(context.Background(), c.Flow, r) {
		s.Trial = append(s.Trial, Cut(k))
	}
	s.Score, s.Beyond, s.Cut = r.Score, r.Beyond, r.Cut
	for _, h := range r.Hits {
		s.Hits = append(s.Hits, Hit(h))
	}
	return s
}
