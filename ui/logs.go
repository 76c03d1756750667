package ui

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/why403/why403/inspect"
	"github.com/why403/why403/ui/safe"
)

// event is something on the time line of a flow: what we saw, or a line of a log.
type event struct {
	at    time.Time
	who   string
	text  string
	line  *inspect.Line // nil: ours
	cited bool          // the verdict quotes it
}

// hasLogs reports whether lines of servers' logs belong to the flow.
func (d *dossier) hasLogs() bool { return d != nil && d.exp != nil && len(d.exp.Logs) > 0 }

// timeline is the exchange as client, proxy and logs saw it, in the order of time.
func timeline(d *dossier) []event {
	var out []event
	if f := d.flow; f != nil {
		for _, e := range []event{
			{at: f.Times.Start, who: "client", text: "begins the request"},
			{at: f.Times.RequestSent, who: "why403", text: "has passed the request on"},
			{at: f.Times.FirstByte, who: "why403", text: "gets the answer: " + strconv.Itoa(f.Status())},
			{at: f.Times.End, who: "client", text: "has the answer"},
		} {
			if !e.at.IsZero() {
				out = append(out, e)
			}
		}
	}
	cited := map[string]bool{}
	if v := d.exp.Verdict; v != nil {
		for _, e := range v.Evidence {
			cited[e.Where] = true
		}
	}
	for i := range d.exp.Logs {
		l := &d.exp.Logs[i]
		out = append(out, event{at: nearby(l.Time, d), who: l.Label, text: l.Text, line: l, cited: cited["log:"+l.Label+":"+strconv.Itoa(l.N)]})
	}
	slices.SortStableFunc(out, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.rank(), b.rank()))
	})
	return out
}

// rank orders what has one time: the request before lines, these before the answer's end.
func (e *event) rank() int {
	switch {
	case e.line != nil:
		return 1
	case e.text == "begins the request" || e.who == "why403" && e.text == "has passed the request on":
		return 0
	}
	return 2
}

// nearby brings the time of a line to the flow's: a log may write local time
// without its zone, whole seconds, or none.
func nearby(at time.Time, d *dossier) time.Time {
	if d.flow == nil || d.flow.Times.Start.IsZero() {
		return at
	}
	t := d.flow.Times
	if at.IsZero() {
		return t.End
	}
	if gap := t.Start.Sub(at); gap.Abs() > time.Minute {
		at = at.Add(gap.Round(30 * time.Minute))
	}
	if at.Nanosecond() == 0 { // the second that it names may reach into the exchange
		at = later(at, earlier(at.Add(time.Second-1), later(t.RequestSent, t.Start)))
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// logsDoc is the tab Logs: one time line of what client, proxy and servers' logs say.
func logsDoc(th *theme, d *dossier, w int, zone *time.Location) linked {
	p := &writer{w: w}
	lines := map[string]int{}
	if !d.hasLogs() {
		return linked{pieces: p.out}
	}
	const clock = "15:04:05.000"
	list := timeline(d)
	width := len("why403")
	for i := range list {
		width = max(width, min(safe.Of(list[i].who).Width(), 14))
	}
	indent := 1 + len(clock) + 2 + width + 2
	if w-indent < 24 { // a narrow pane: the text below
		indent = 3
	}
	near := false
	for _, e := range list {
		name := safe.Of(e.who).Cut(width)
		head := []piece{{"", space(1)}, {th.muted, safe.Of(e.at.In(zone).Format(clock))}, {"", space(2)}, {th.muted, name}, {"", space(width - name.Width() + 2)}}
		s := th.text
		switch {
		case e.line == nil:
			s = th.muted
		case e.cited:
			s = th.warn
		case e.line.Tied == "near":
			near = true
		}
		text := e.text
		if e.line != nil && e.line.Tied == "near" {
			text = signUnknown + " " + text
		}
		if e.line != nil {
			lines[e.line.Label+":"+strconv.Itoa(e.line.N)] = len(p.out)
		}
		if indent == 3 {
			p.add(head...)
			head = []piece{{"", space(indent)}}
		}
		p.say(head, indent, s, safe.Of(text))
	}
	if near {
		p.blank()
		p.say(nil, 0, th.muted, safe.Of(signUnknown+" is a line that names no request; only its time fits."))
	}
	return linked{pieces: p.out, lines: lines}
}
