package explain

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/waf"
)

// simulate runs the request of a case through the rules of a firewall, and that of
// the success to compare with. nil: ctx ended before there was a result.
func simulate(ctx context.Context, e *waf.Engine, c *inspect.Case) *inspect.Simulation {
	s := &inspect.Simulation{Rules: waf.Rules, Threshold: waf.Threshold, Hits: []inspect.Hit{}}
	r, err := e.Run(ctx, c.Flow)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return &inspect.Simulation{Rules: waf.Rules, Threshold: waf.Threshold, Hits: []inspect.Hit{}, Failed: err.Error()}
	}
	if c.Success != nil && c.Success.Request != nil && len(r.Hits) > 0 {
		// Without it the hits stand alone; that they may be shared is then not known.
		if ok, err := e.Run(ctx, c.Success); err == nil {
			r.Compare(ok)
			s.Accepted = &inspect.Accepted{ID: c.Success.ID, Score: ok.Score}
		}
	}
	for _, k := range e.Trial(ctx, c.Flow, r) {
		s.Trial = append(s.Trial, inspect.Cut(k))
	}
	s.Score, s.Beyond, s.Cut = r.Score, r.Beyond, r.Cut
	for _, h := range r.Hits {
		s.Hits = append(s.Hits, inspect.Hit(h))
	}
	return s
}

// Bounds of how many requests are simulated where nobody asked for all: each
// takes some milliseconds of a processor, up to four runs of the rules.
const (
	maxSimulated = 200              // of one source of Each
	rationSpan   = 10 * time.Second // of a Worker
	rationed     = 100              // in a span
)

// ration is how many simulations there may still be.
type ration struct {
	left  int
	span  time.Duration // after which there are as many as before; 0: never
	full  int
	since time.Time
}

func newRation(n int, span time.Duration) *ration { return &ration{left: n, full: n, span: span} }

// with is o for the next flow: without a firewall when none is left.
func (r *ration) with(o Options) Options {
	if o.WAF == nil || o.WAFAlways {
		return o
	}
	if now := time.Now(); r.span > 0 && now.Sub(r.since) > r.span {
		r.left, r.since = r.full, now
	}
	if r.left <= 0 {
		o.WAF = nil
	}
	return o
}

// used takes note of what came out.
func (r *ration) used(e *inspect.Explained) {
	if e.WAF != nil {
		r.left--
	}
}

// simulable reports whether there is a request to run.
func simulable(f *flow.Flow) bool {
	return f.Request != nil && f.Request.Method != "" && f.Request.Method != "CONNECT"
}
