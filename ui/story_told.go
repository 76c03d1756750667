package ui

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// told is what the last column says of a row's place in a story, nothing if it has none.
func (s *stories) told(th *theme, r *session.Row, folded bool) (style, safe.Text) {
	st, ok := step{}, false
	if leads(r) {
		st, ok = s.of(r.ID)
	}
	switch {
	case ok && st.to != 0 && st.kind == challenged:
		return th.muted, safe.Of("challenge, answered in " + id(st.to))
	case ok && st.to != 0 && st.kind == preflight:
		return th.muted, safe.Of("preflight of " + id(st.to))
	case ok && st.to != 0 && st.as != "":
		return th.muted, safe.Of(signTo + " " + id(st.to) + ", as " + st.as)
	case ok && st.to != 0:
		return th.muted, safe.Of(signTo + " " + id(st.to))
	case ok && st.kind == preflight && st.denied != "":
		if r.Refused() {
			return th.bad, safe.Join(safe.Of(st.method), safe.Of(" never came"))
		}
		return th.bad, safe.Join(safe.Of(signNo+" preflight: "), safe.Of(st.method), safe.Of(" never came"))
	case ok && st.kind == preflight:
		return th.warn, safe.Join(safe.Of("preflight: "), safe.Of(st.method), safe.Of(" never came"))
	}
	if folded {
		if n := s.count(r.ID); n > 0 {
			return th.muted, safe.Of("after " + plural(int64(n), "step"))
		}
	}
	return "", safe.Text{}
}

// chapter is a flow of the story that the inspector tells.
type chapter struct {
	row session.Row
	step
}

// chain gathers the story of a flow: what led to it, itself, and what it led to.
func (s *stories) chain(ctx context.Context, feed Feed, r *session.Row, now time.Time) []chapter {
	if r.Kind != flow.Exchange || r.Parent != 0 {
		return nil
	}
	last := feed.Last()
	first := r.ID
	for range storySteps {
		at, err := feed.Row(ctx, first)
		if err != nil {
			break
		}
		from := max(1, first-60)
		page, err := feed.Page(ctx, from, int(first-from))
		if err != nil {
			break
		}
		for i := range page {
			p := &page[i]
			if p.ID < first && leads(p) && at.Start.Sub(p.Start.Add(p.Duration)) < storyWindow {
				s.resolve(ctx, feed, p.ID, last, now)
			}
		}
		prev := s.before(first)
		if prev == 0 {
			break
		}
		first = prev
	}
	var out []chapter
	for at := first; at != 0 && len(out) < 2*storySteps; {
		row, err := feed.Row(ctx, at)
		if err != nil {
			break
		}
		c := chapter{row: row}
		if leads(&row) {
			c.step, _ = s.resolve(ctx, feed, at, last, now)
		}
		out = append(out, c)
		at = c.to
	}
	if len(out) == 1 && !(out[0].kind == preflight && out[0].final) {
		return nil
	}
	return out
}

// tell writes the story into the tab Why.
func tell(th *theme, p *writer, d *dossier, v *veil) {
	if len(d.story) == 0 {
		return
	}
	p.blank()
	p.add(lit(th.muted, "story"))
	for _, c := range d.story {
		r := v.row(&c.row)
		sign := words("  ")
		if r.ID == d.row.ID {
			sign = signCursor + " "
		}
		status, ss := statusText(th, r)
		head := []piece{lit(th.key, sign), said(th.accent, "#"+id(r.ID)+" ")}
		rest := []piece{said(th.verb, r.Method), {"", space(1)}, said(th.text, r.Authority+r.Target), {"", space(1)}, {ss, status}}
		note, ns := "", th.muted
		switch {
		case c.kind == preflight && c.to == 0 && c.final && c.method != "":
			note, ns = "the "+c.method+" never came", th.warn
			if c.denied != "" {
				note, ns = "a browser does not send the "+c.method+": "+c.denied, th.bad
			}
		case c.to == 0:
		case c.kind == preflight:
			note = "asked whether the " + c.method + " is allowed"
			if c.denied != "" {
				note, ns = note+"; "+c.denied, th.warn
			}
		case c.kind == challenged:
			note = "the challenge was answered"
		case c.as != "":
			note, ns = "the redirect turned "+c.method+" into "+c.as, th.warn
		default:
			note = "redirected"
		}
		from := len(p.out)
		rows := fold(rest, p.w-8)
		for i, row := range rows {
			if i > 0 {
				head = []piece{{"", space(8)}}
			}
			p.add(append(head, row...)...)
		}
		if note != "" {
			p.say([]piece{{"", space(8)}}, 8, ns, safe.Of(note))
		}
		if r.ID != d.row.ID {
			p.leads(from, target{flow: r.ID})
		}
	}
	if len(d.story) > 1 {
		p.add(piece{"", space(2)}, lit(th.key, keyOf(storyBack)), piece{"", space(1)}, lit(th.key, keyOf(storyOn)), lit(th.muted, " go through them"))
	}
}
