package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/why403/why403/inspect"
)

// TextOptions say how much a text report tells.
type TextOptions struct {
	All     bool // flows that were not refused too
	Checks  bool // all 21 checks, not only those that speak
	Changes int  // differences to the last success that are listed; 0: 8
}

// Text writes a report for a terminal, without colour.
func Text(w io.Writer, list []inspect.Explained, o TextOptions) error {
	if o.Changes == 0 {
		o.Changes = 8
	}
	p := &writer{w: w}
	first := true
	for i := range list {
		e := &list[i]
		if !e.Refused && !o.All {
			continue
		}
		if !first {
			p.f("\n")
		}
		first = false
		text(p, e, o)
	}
	n := Refused(list)
	if n == 0 {
		p.f("%s, none of them refused\n", count(len(list), "exchange"))
	} else if len(list) > 1 {
		p.f("\n%s, %d refused\n", count(len(list), "exchange"), n)
	}
	return p.err
}

func text(p *writer, e *inspect.Explained, o TextOptions) {
	p.f("#%d  %s  %d\n", e.ID, visible(subject(e)), e.Status)
	if e.Verdict == nil {
		p.f("  not refused\n")
		return
	}
	v := e.Verdict
	p.f("  why         %s\n", visible(v.Summary))
	p.f("  cause       %s\n", cause(v))
	if v.Layer != "" || v.Vendor != "" {
		p.f("  who         %s\n", v.Who())
	}
	for i, ev := range v.Evidence {
		label := ""
		if i == 0 {
			label = "evidence"
		}
		where, quote := quoted(ev)
		p.f("  %-10s  %s: \"%s\"\n", label, visible(where), short(quote))
	}
	if v.Fix != nil {
		p.f("  %-10s  %s\n", fixLabel(v.Fix), visible(v.Fix.Summary))
		for _, c := range v.Fix.Patch {
			p.f("              %s\n", changeLine(c))
		}
	}
	p.f("  next        %s\n", visible(v.NextStep))
	if title, lines := simulated(e.WAF); title != "" {
		p.f("  simulated   %s\n", visible(title))
		for _, l := range lines {
			p.f("              %s\n", visible(l))
		}
	}
	if e.ProvenBy != 0 {
		p.f("  proven      by #%d: %s\n", e.ProvenBy, visible(e.Proof))
	} else if len(e.FixedOnce) > 0 {
		p.f("  fixed once  accepted with a change: %s\n", numbers(e.FixedOnce))
	}
	for i, c := range e.Candidates {
		label := ""
		if i == 0 {
			label = "or else"
		}
		p.f("  %-10s  %s: %s\n", label, cause(&c), visible(c.Summary))
	}
	if c := e.ComparedWith; c != nil {
		p.f("  compared with the accepted #%d, %s\n", c.ID, count(len(c.Changes), "difference"))
		for i, ch := range c.Changes {
			if i == o.Changes {
				p.f("              and %d more\n", len(c.Changes)-i)
				break
			}
			p.f("              %s\n", changeLine(ch))
		}
	}
	lives(p, e)
	checks(p, e, o)
}

// lives tells, of each credential of the request, where it was issued, worked last, was replaced, and ended.
func lives(p *writer, e *inspect.Explained) {
	label := "credential"
	for _, l := range e.Credentials {
		var parts []string
		for _, ev := range l.Events {
			part := happened[ev.What]
			if ev.Flow != 0 {
				part += fmt.Sprintf(" in #%d", ev.Flow)
			}
			parts = append(parts, part+" "+ev.At.UTC().Format("2006-01-02 15:04:05"))
		}
		p.f("  %-10s  %s: %s (UTC)\n", label, visible(l.Credential), strings.Join(parts, ", "))
		label = ""
	}
}

// happened are words for what happened to a credential.
var happened = map[inspect.Happening]string{
	inspect.Issued: "issued", inspect.LastWorked: "worked last", inspect.Replaced: "replaced", inspect.Expired: "expired", inspect.Expires: "expires",
}

// subject is what was asked for; in the text of an answer alone nothing says it.
func subject(e *inspect.Explained) string {
	if e.URL == "" {
		return "an answer without its request"
	}
	return e.Method + " " + e.URL
}

func checks(p *writer, e *inspect.Explained, o TextOptions) {
	label := "checks"
	for _, c := range e.Checklist {
		if !o.Checks && c.State != inspect.Suspect {
			continue
		}
		p.f("  %-10s  %2d %-26s %-8s %s\n", label, c.Item, c.Name, c.State, visible(c.Note))
		if c.State == inspect.Suspect || o.Checks && c.State == inspect.Unknown {
			p.f("              look: %s\n", visible(c.Verify))
		}
		label = ""
	}
}

// cause is the id of the cause with how sure it is; unknown is unknown.
func cause(v *inspect.Verdict) string {
	if sure := v.Sure(); sure != "" {
		return string(v.Cause) + " (" + sure + ")"
	}
	return string(v.Cause)
}
