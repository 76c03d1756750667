package waf

import (
	"context"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
)

// Cut is a change that leaves a part of an argument out.
type Cut struct {
	Change flow.Change
	Place  string // the argument, for people
	Text   string // what is left out, without escapes; at most maxQuote bytes
}

// Bounds of a trial.
const (
	maxCuts  = 4        // arguments
	maxCutOf = 16 << 10 // bytes of an argument
)

// Trial finds what to leave out of the arguments of a request so that none of the
// rules in r fires that fire for it alone: of those of level 1, else of level 2.
// First the bytes that matched, then whole values. It is good for a test of
// whether they are the reason, and for no more: it takes away what was to be
// said. nil: there is no such change, or the request is not wholly known.
func (e *Engine) Trial(ctx context.Context, f *flow.Flow, r Result) []Cut {
	own := r.own()
	if len(own) == 0 || r.Cut {
		return nil
	}
	in := newInput(f)
	var args []source
	for _, a := range in.arguments() {
		if a.value.change != nil && len(a.value.raw) <= maxCutOf {
			args = append(args, a.value)
		}
	}
	for _, whole := range []bool{false, true} {
		cuts := cutsOf(args, own, whole)
		if len(cuts) == 0 || len(cuts) > maxCuts {
			return nil
		}
		if e.passes(ctx, f, cuts, own) {
			return cuts
		}
	}
	return nil
}

// own are the hits that the accepted request does not have, of the lower level that has any.
func (r *Result) own() []Hit {
	for level := 1; level <= 2; level++ {
		var out []Hit
		for _, h := range r.Hits {
			if h.Level == level && !h.Shared {
				out = append(out, h)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// cutsOf leaves out of each argument all from its first to its last match, or the whole of it.
func cutsOf(args []source, hits []Hit, whole bool) []Cut {
	var cuts []Cut
	for _, a := range args {
		from, to := len(a.raw), 0
		all := whole
		for _, h := range hits {
			at := h.Offset - a.base
			if h.Where != a.where || h.Quote == "" || at < 0 || at >= len(a.raw) {
				continue
			}
			if h.Whole {
				if from > to { // unless another match says it better
					from, to, all = 0, len(a.raw), true
				}
				continue
			}
			if all && !whole {
				from, to, all = len(a.raw), 0, false
			}
			from, to = min(from, at), max(to, min(at+len(h.Quote), len(a.raw)))
		}
		if from > to {
			continue
		}
		if all {
			from, to = 0, len(a.raw)
		}
		cuts = append(cuts, Cut{Change: *a.change(a.raw[:from] + a.raw[to:]), Place: a.place, Text: shortened(mapped(a).between(from, to))})
	}
	return cuts
}

// passes reports whether none of the rules fires once the cuts are made.
func (e *Engine) passes(ctx context.Context, f *flow.Flow, cuts []Cut, hits []Hit) bool {
	plainly := *f
	plainly.Request = f.Request.Clone()
	// The body is decoded already.
	plainly.Request.Header = slices.DeleteFunc(plainly.Request.Header, func(h flow.Field) bool { return strings.EqualFold(h.Name, "Content-Encoding") })
	var patch flow.Patch
	for _, k := range cuts {
		patch = append(patch, k.Change)
	}
	changed, err := diff.ApplyTo(&plainly, patch)
	if err != nil {
		return false
	}
	r, err := e.Run(ctx, changed)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(r.Hits, func(h Hit) bool {
		return slices.ContainsFunc(hits, func(o Hit) bool { return o.Rule == h.Rule })
	})
}
