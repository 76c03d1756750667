package pinpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// result tells what was found.
func (x *run) result(f found) Result {
	r := Result{
		Requests: len(x.steps) + x.fetched, Accepted: x.accepted, Steps: append([]Step{}, x.steps...),
		Failure: x.failure, Fixes: x.withBefore(f.fix), Breaks: append(flow.Patch{}, f.breaks...),
	}
	if x.in.Accepted != nil {
		r.ComparedWith = x.in.Accepted.ID
	}
	r.FixedBy = x.fixedBy(f.fix)
	r.NotTried = slices.Clone(x.g.never)
	if x.noProto {
		for _, c := range x.g.changes {
			if c.Part == flow.InProto {
				r.NotTried = append(r.NotTried, c)
			}
		}
	}
	x.outcome(&r, f)
	x.ruledOut(&r, f)
	return r
}

// withBefore is a fix that says what the refused request has where it sets a header: a
// verdict that wants a value does not always know that another one is there.
func (x *run) withBefore(fix flow.Patch) flow.Patch {
	out := append(flow.Patch{}, fix...)
	for i := range out {
		c := &out[i]
		if c.Part != flow.InHeader || c.Before != nil || c.After == nil {
			continue
		}
		if v, ok := x.in.Refused.Request.Header.Lookup(c.Name); ok {
			c.Before = &v
		}
	}
	return out
}

func (x *run) outcome(r *Result, f found) {
	switch {
	case f.fix != nil && x.halt != nil && x.halt.outcome == Unstable:
		r.Outcome, r.Reason = Unstable, x.halt.reason
	case f.sure, f.fix != nil && f.confirmed && !f.rough && len(f.fix) == 1 && !x.o.Sure:
		r.Outcome, r.Reason = Proven, because(r.Fixes)
		if x.halt != nil {
			r.Reason += "; " + x.halt.reason + " before it was known what breaks the accepted request"
		}
	case f.fix != nil:
		r.Outcome, r.Reason = FixedOnce, "it was accepted once with "+list(f.fix)
		switch {
		case x.halt != nil:
			r.Reason += "; then " + x.halt.reason
		case f.rough:
			r.Reason += "; that was not narrowed further, for it would take more accepted requests"
		case f.confirmed && len(f.fix) > 1:
			r.Reason += fmt.Sprintf(", and refused with each of them missing, %d times or more. That may still be chance: going on with more requests rules it out", enough)
		default:
			r.Reason += "; sent again without it, it was not refused the same way"
		}
	case x.halt != nil:
		r.Outcome, r.Reason = x.halt.outcome, x.halt.reason
	default:
		r.Outcome, r.Reason = NothingFound, x.nothing()
	}
	if x.halt != nil {
		r.After = x.halt.after
	}
	if x.through != 0 && f.fix != nil {
		r.Reason += fmt.Sprintf("; it is let through as the accepted one is now (%d), which asks for something else", x.through)
	}
	r.Reason = sentence(r.Reason)
}

// nothing says what follows when nothing helped.
func (x *run) nothing() string {
	if x.in.Accepted == nil {
		return "none of what is worth a try without a success was accepted: make one that is accepted, and compare with it"
	}
	if len(x.g.changes) == 0 {
		return "the two requests do not differ in anything that could be changed: what decides is not in the request but in who sends it, over what connection, or when"
	}
	return "even with every difference that can be made it is refused: what decides is not in the request but in who sends it, over what connection, or when"
}

// ruledOut are the differences without which it works, or with which it does not.
func (x *run) ruledOut(r *Result, f found) {
	if f.fix == nil && r.Outcome != NothingFound || f.rough {
		return
	}
	about := func(p flow.Patch, c flow.Change) bool {
		return slices.ContainsFunc(p, func(d flow.Change) bool { return d.Part == c.Part && strings.EqualFold(d.Name, c.Name) })
	}
	for _, c := range x.g.changes[:min(x.g.ranked, len(x.g.changes))] {
		if !about(f.fix, c) && !about(f.breaks, c) && !about(r.NotTried, c) {
			r.RuledOut = append(r.RuledOut, c)
		}
	}
}

func (x *run) fixedBy(fix flow.Patch) flow.ID {
	if fix == nil {
		return 0
	}
	k := key(Refused, fix)
	for _, s := range x.steps {
		if s.Base == Refused && x.good(s.Class, s.Status) && key(s.Base, s.Patch) == k {
			return s.Flow
		}
	}
	return 0
}

// because is the cause in a sentence.
func because(fix flow.Patch) string {
	if len(fix) != 1 {
		return "the server refuses this request for want of " + list(fix) + ", all of them together"
	}
	c := fix[0]
	switch {
	case c.Before == nil:
		return "the server refuses this request for want of " + Name(c)
	case c.After == nil:
		return "the server refuses this request because it has " + Name(c)
	}
	return "the server refuses this request because of what it has as " + Name(c)
}

func list(p flow.Patch) string {
	names := make([]string, len(p))
	for i, c := range p {
		names[i] = Name(c)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// Name is what a change is about, as one says it.
func Name(c flow.Change) string {
	switch c.Part {
	case flow.InHeader:
		return "the " + c.Name + " header"
	case flow.InHeaderCase:
		return "the spelling of the " + cmp.Or(deref(c.After), c.Name) + " header"
	case flow.InHeaderOrder:
		return "the order of the headers"
	case flow.InCookie:
		return "the " + c.Name + " cookie"
	case flow.InQuery:
		return "the query parameter " + c.Name
	case flow.InJSON:
		return "the JSON value " + c.Name
	case flow.InForm:
		return "the " + c.Name + " form field"
	case flow.InMultipart:
		return "the part " + c.Name
	case flow.InBody:
		return "the body"
	case flow.InProto:
		return "the version of HTTP"
	case flow.InConn:
		return "the connection (" + c.Name + ")"
	}
	return "the " + string(c.Part)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	if c := s[0]; c >= 'a' && c <= 'z' {
		s = string(c-32) + s[1:]
	}
	return strings.TrimSuffix(s, ".") + "."
}
