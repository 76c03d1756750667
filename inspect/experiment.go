package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// acceptedReplays are the later flows that replay this one and were accepted.
func (c *Case) acceptedReplays() []*flow.Flow {
	var out []*flow.Flow
	if c.Flow.ID == 0 {
		return nil
	}
	for _, g := range c.History.After {
		if g.Parent == c.Flow.ID && g.Request != nil && c.wasAccepted(g) {
			out = append(out, g)
		}
	}
	return out
}

// tried strengthens the findings whose fix an accepted replay had: it was
// accepted once with the change, which makes it likely and proves nothing yet.
func tried(fs []Finding, replay *flow.Flow) {
	for i := range fs {
		f := &fs[i]
		if f.Fix == nil || f.Basis == ByExperiment || !holds(replay, f.Fix.Patch) {
			continue
		}
		f.Basis = ByExperiment
		f.Confidence = max(f.Confidence, flow.Likely)
		f.Summary += fmt.Sprintf("%s (#%d)", acceptedOnce, replay.ID)
		*f = f.Quote(inHistory(replay))
	}
}

const acceptedOnce = "; with this change it was accepted once"

// Prove tells what an experiment proved: by is the flow that was accepted with the smallest
// change, and said says what that is. The verdict that suggested it is proven and stands first. If none
// did and the cause was unknown, the proof is what is known; else it stands beside the verdict.
func (e *Explained) Prove(by *flow.Flow, said string) {
	if e.Verdict == nil || by == nil {
		return
	}
	e.ProvenBy, e.Proof = by.ID, said
	all := append([]Verdict{*e.Verdict}, e.Candidates...)
	i := slices.IndexFunc(all, func(v Verdict) bool {
		return v.Fix != nil && slices.ContainsFunc(v.Fix.Patch, func(c flow.Change) bool { return holds(by, flow.Patch{c}) })
	})
	if i < 0 {
		if e.Verdict.Cause == UnknownCause && said != "" {
			v := *e.Verdict
			v.Summary, v.Proven = said, true
			e.Verdict = &v
		}
		return
	}
	v := all[i]
	v.Proven = true
	v.Summary, _, _ = strings.Cut(strings.TrimSuffix(v.Summary, "."), acceptedOnce)
	v.Summary += fmt.Sprintf("; that is proven: with the change it was accepted (#%d), without it refused again.", by.ID)
	e.Checklist = slices.Clone(e.Checklist)
	for n := range e.Checklist {
		if c := &e.Checklist[n]; c.Note == all[i].Summary {
			c.Note = v.Summary
		}
	}
	e.Verdict, e.Candidates = &v, slices.Delete(all, i, i+1)
}

// holds reports whether a request has what the patch would give it.
func holds(f *flow.Flow, p flow.Patch) bool {
	for _, ch := range p {
		var have string
		var there bool
		switch ch.Part {
		case flow.InMethod:
			have, there = f.Request.Method, true
		case flow.InScheme:
			have, there = f.Scheme, true
		case flow.InHost:
			have, there = f.Authority, true
		case flow.InPath:
			have, there = f.Path(), true
		case flow.InHeader:
			have, there = f.Request.Header.Lookup(ch.Name)
		case flow.InCookie:
			have, there = cookieNamed(f.Request, ch.Name)
		case flow.InQuery:
			have, there = lookup(queryOf(f), ch.Name)
		case flow.InForm, flow.InMultipart:
			have, there = lookup(fields(f.Request), ch.Name)
		default:
			return false
		}
		if ch.After == nil && there && ch.Index == 0 || ch.After != nil && (!there || have != *ch.After) {
			return false
		}
	}
	return len(p) > 0
}

func lookup(m map[string]string, name string) (string, bool) {
	v, ok := m[name]
	return v, ok
}
