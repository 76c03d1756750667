package ui

import (
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/pinpoint"
	"github.com/why403/why403/ui/safe"
)

// labWidth is the widest that an experiment is drawn, in cells.
const labWidth = 132

// view implements dialog. Values are not shown, names are: the table can be shown to others.
func (l *lab) view(th *theme, w, h int) []string {
	w = min(w, labWidth)
	box := func() *line { return row(w).on(th.box) }
	title, budget := l.title(th, w), l.budget(th, w)
	out := append(append(title[:len(title):len(title)], budget...), box().end())
	switch l.stage {
	case labReading:
		return append(out, box().put(th.muted, "reading the two requests …").end())
	case labMe:
		out = append(title, l.whoseFault(th, w)...)
	case labPlanned:
		plan := l.planned(th, w)
		if len(out)+len(plan)+2 > h {
			out = out[:len(out)-1]
		}
		if room := max(1, h-len(out)-2); len(plan) > room {
			plan = append(plan[:room-1:room-1], box().put(th.muted, signMore).end())
		}
		out = append(out, plan...)
	default:
		below := l.below(th, w, true)
		if h-len(out)-len(below)-2 < min(5, len(l.steps)+1) {
			out = out[:len(out)-1]
			below = l.below(th, w, false) // the table before what follows from it
		}
		out = append(out, l.table(th, w, max(1, h-len(out)-len(below)-2))...)
		out = append(out, below...)
	}
	return append(out, box().end(), l.keys(th, box()))
}

func (l *lab) title(th *theme, w int) []string {
	r := &l.row
	parts := [][]piece{{said(th.bad, "#"+id(r.ID)+" "+r.Method+" "+path(r.Target)+" "+strconv.Itoa(r.Status))}}
	switch {
	case l.stage == labReading:
	case l.in.Accepted == nil:
		parts = append(parts, []piece{lit(th.muted, "  with no success to compare with")})
	default:
		parts = append(parts, []piece{lit(th.muted, "  against  "), said(th.good, "#"+id(l.in.Accepted.ID)+" "+strconv.Itoa(l.in.Accepted.Status()))})
		if w < 70 { // the plan names them
			break
		}
		parts = append(parts, []piece{said(th.muted, "   "+plural(int64(len(l.plan.Changes)), "difference")+", "+strconv.Itoa(l.plan.Muted)+" muted as noise")})
	}
	return parted(th, w, parts)
}

// parted draws parts beside each other as far as they fit, each of them whole.
func parted(th *theme, w int, parts [][]piece) []string {
	var out []string
	b := row(w).on(th.box)
	for _, part := range parts {
		need := 0
		for _, p := range part {
			need += p.text.Width()
		}
		if b.w > 0 && need > b.room() {
			out = append(out, b.end())
			b = row(w).on(th.box)
		}
		for _, p := range part {
			b.text(p.style, p.text)
		}
	}
	return append(out, b.end())
}

// path is a target without its query, which may hold what is not for everybody.
func path(target string) string {
	p, _, cut := strings.Cut(target, "?")
	if cut {
		p += "?…"
	}
	return p
}

// budget is what the experiment may cost; nothing if it is not known.
func (l *lab) budget(th *theme, w int) []string {
	if l.stage == labReading || l.plan.Against != "" {
		return []string{row(w).on(th.box).end()}
	}
	sent, accepted := len(l.steps), 0
	for _, s := range l.steps {
		if s.Class == pinpoint.WasAccepted {
			accepted++
		}
	}
	requests := strconv.Itoa(sent) + " of ≤ " + plural(int64(l.opt.Max), "request")
	if l.stage == labPlanned {
		requests = "≤ " + plural(int64(l.plan.Requests), "request")
	}
	var cost []piece
	switch {
	case l.plan.Accepted == 0:
		cost = []piece{lit(th.muted, " · it changes nothing on the server")}
	case l.stage == labPlanned:
		cost = []piece{lit(th.muted, " · "), said(th.bright, "at most "+strconv.Itoa(l.plan.Accepted)+" may succeed"), lit(th.muted, " and so create something")}
	default:
		cost = []piece{lit(th.muted, " · "), said(th.bright, strconv.Itoa(accepted)+" of ≤ "+strconv.Itoa(max(accepted, l.plan.Accepted))), lit(th.muted, " that may create something")}
	}
	return parted(th, w, [][]piece{{lit(th.muted, "budget "), said(th.bright, requests), said(th.muted, " · "+span(l.opt.Spacing)+" apart")}, cost})
}

// planned is what will be done, before anything is sent.
func (l *lab) planned(th *theme, w int) []string {
	box := func() *line { return row(w).on(th.box) }
	if l.plan.Against != "" {
		var out []string
		for _, t := range wrap(safe.Of("No experiment: "+l.plan.Against+"."), w) {
			out = append(out, box().text(th.warn, t).end())
		}
		return out
	}
	var out []string
	say := func(name words, text string) {
		first := true
		for _, t := range wrap(safe.Of(text), w-10) {
			b := box()
			if first {
				b.put(th.muted, name)
			}
			out, first = append(out, b.to(10).text(th.text, t).end()), false
		}
	}
	if l.in.Accepted != nil {
		say("first", "#"+id(l.row.ID)+" and #"+id(l.in.Accepted.ID)+" again, as they were: is the one still refused and the other still accepted?")
	} else {
		say("first", "#"+id(l.row.ID)+" again, as it was: is it still refused?")
	}
	for i, g := range l.plan.Guesses {
		if i == 3 && len(l.plan.Guesses) > 4 {
			say("", "and "+strconv.Itoa(len(l.plan.Guesses)-i)+" more, one by one")
			break
		}
		name := words("")
		if i == 0 {
			name = "then"
		}
		say(name, "#"+id(l.row.ID)+" "+describe(g))
	}
	if len(l.plan.Changes) > 0 {
		names := make([]string, 0, 8)
		for i, c := range l.plan.Changes {
			if i == 8 {
				names = append(names, "and "+strconv.Itoa(len(l.plan.Changes)-i)+" more")
				break
			}
			names = append(names, called(c))
		}
		say("search", strings.Join(names, ", "))
	}
	say("stops", "when the server asks for fewer requests, when going on might lock an account, and on ctrl+c")
	return out
}

// whoseFault is the answer to "is it me?".
func (l *lab) whoseFault(th *theme, w int) []string {
	box := func() *line { return row(w).on(th.box) }
	out := []string{box().end()}
	for _, a := range l.me.Answers {
		b := box()
		switch a.Class {
		case pinpoint.WasAccepted:
			b.put(th.good, signYes+" ")
		case pinpoint.RefusedAgain, pinpoint.RefusedElsewise:
			b.put(th.bad, signNo+" ")
		default:
			b.put(th.warn, signTrouble+" ")
		}
		b.left(th.text, safe.Of(a.Way), 24)
		if a.Status == 0 || a.Err != "" {
			out = append(out, b.text(th.warn, safe.Of(firstOf(a.Err, "no answer"))).end())
			continue
		}
		b.left(th.bright, safe.Of(status(a.Status)), 6).left(th.muted, safe.Of(span(a.Took)), 10)
		if a.JA4 != "" {
			b.put(th.muted, "hello ").text(th.muted, safe.Of(a.JA4))
		}
		out = append(out, b.end())
	}
	if len(l.me.Answers) > 0 {
		out = append(out, box().end())
	}
	for _, t := range wrap(safe.Of(l.me.Finding), w) {
		out = append(out, box().text(th.bright, t).end())
	}
	return out
}

// describe is a patch in words, without values.
func describe(p flow.Patch) string {
	var parts []string
	for i, c := range p {
		if i == 2 && len(p) > 3 {
			parts = append(parts, strconv.Itoa(len(p)-i)+" more")
			break
		}
		how := "with another "
		switch {
		case c.Before == nil:
			how = "with "
		case c.After == nil:
			how = "without "
		}
		name := called(c)
		if c.Part == flow.InHeader {
			name = c.Name
		}
		parts = append(parts, how+name)
	}
	return strings.Join(parts, ", ")
}

// called is a change's name without the article.
func called(c flow.Change) string { return strings.TrimPrefix(pinpoint.Name(c), "the ") }

// table is the probes, h rows with the head; the cursor's is among them.
func (l *lab) table(th *theme, w, h int) []string {
	const left, said = 7, 40 // sign and number; what it says, where there is room
	answer := 14             // with the time it took
	sent := w - left - answer - said
	switch {
	case w < 70:
		answer = 6
		sent = (w - left - answer) / 2
	case sent < 36:
		sent = (w - left - answer) * 2 / 5
	}
	head := words("answer")
	if w < 70 {
		head = "got"
	}
	out := []string{row(w).on(th.box).gap(2).right(th.muted, safe.Of("#"), 3).gap(2).left(th.muted, safe.Of("sent"), sent).left(th.muted, safe.Of(string(head)), answer).put(th.muted, "says").end()}
	h--
	cur := l.cur
	if cur < 0 {
		cur = len(l.steps) - 1
	}
	from := max(0, min(cur-h/2, len(l.steps)-h))
	for i := from; i < len(l.steps) && i < from+h; i++ {
		s := &l.steps[i]
		b := row(w)
		if i == cur && l.stage == labDone {
			b.on(th.cursor)
		} else {
			b.on(th.box)
		}
		sign, style := l.sign(th, s)
		b.text(style, safe.Of(sign)).gap(1).right(th.muted, safe.Of(strconv.Itoa(s.N)), 3).gap(2)
		what := "#" + id(l.row.ID)
		if s.Base == pinpoint.Accepted && l.in.Accepted != nil {
			what = "#" + id(l.in.Accepted.ID)
		}
		b.left(th.muted, safe.Of(what), len(what)+1)
		rest := sent - len(what) - 1
		if len(s.Patch) == 0 {
			b.left(th.muted, safe.Of("again"), rest)
		} else {
			b.left(th.accent, safe.Of(describe(s.Patch)), rest-1).gap(1)
		}
		if s.Class == pinpoint.Sending {
			b.left(th.warn, safe.Of("sending").Cut(answer-1), answer)
		} else {
			b.left(style, safe.Of(status(s.Status)), 5)
			if answer > 6 {
				b.left(th.muted, safe.Of(span(s.Took)), answer-5)
			} else {
				b.gap(1)
			}
		}
		says := style
		if s.Class == pinpoint.RefusedAgain || s.Class == pinpoint.Sending {
			says = th.text
		}
		out = append(out, b.text(says, safe.Of(s.Says)).end())
	}
	return out
}

func status(n int) string {
	if n == 0 {
		return "—"
	}
	return strconv.Itoa(n)
}

func (l *lab) sign(th *theme, s *pinpoint.Step) (string, style) {
	switch s.Class {
	case pinpoint.Sending:
		return signMore, th.warn
	case pinpoint.WasAccepted:
		return signYes, th.good
	case pinpoint.RefusedAgain:
		return signNo, th.bad
	}
	return signTrouble, th.warn
}

// below is what follows from the table so far.
func (l *lab) below(th *theme, w int, all bool) []string {
	box := func() *line { return row(w).on(th.box) }
	var out []string
	if all {
		out = append(out, box().end())
	}
	if l.stage == labRunning {
		b := box()
		if len(l.steps) == 0 {
			b.put(th.muted, "sending …")
		}
		if n := len(l.steps); n > 0 && l.steps[n-1].Suspects > 0 {
			b.put(th.muted, "left      ").text(th.text, safe.Of(plural(int64(l.steps[n-1].Suspects), "difference")+" may still be what decides"))
		}
		return append(out, b.end())
	}
	say := func(name words, s style, p flow.Patch) {
		if len(p) == 0 || !all {
			return
		}
		names := make([]string, len(p))
		for i, c := range p {
			names[i] = called(c)
		}
		for i, t := range wrap(safe.Of(strings.Join(names, ", ")), w-12) {
			b := box()
			if i == 0 {
				b.put(th.muted, name)
			}
			if i == 2 {
				out = append(out, b.to(12).put(th.muted, signMore).end())
				break
			}
			out = append(out, b.to(12).text(s, t).end())
		}
	}
	r := &l.result
	say("ruled out", th.text, r.RuledOut)
	say("not tried", th.text, r.NotTried)
	if len(r.Breaks) > 0 && l.in.Accepted != nil {
		say("breaks #"+words(id(l.in.Accepted.ID)), th.accent, r.Breaks)
	}
	if len(out) > 1 {
		out = append(out, box().end())
	}
	badge := th.badgeLo
	if r.Outcome == pinpoint.Proven {
		badge = th.badge
	}
	name := safe.Of(" " + string(r.Outcome) + " ")
	for i, t := range wrap(safe.Of(r.Reason), w-name.Width()-1) {
		b := box()
		if i == 0 {
			b.text(badge, name)
		}
		out = append(out, b.to(name.Width()+1).text(th.bright, t).end())
	}
	return out
}

func (l *lab) keys(th *theme, b *line) string {
	key := func(k, what words) { b.put(th.key, k).gap(1).put(th.muted, what).gap(3) }
	switch l.stage {
	case labPlanned:
		if l.plan.Against != "" {
			key("esc", "back")
			break
		}
		key("enter", "start")
		key("+ -", "budget")
		if l.plan.Accepted > 0 {
			what := words("let only one succeed")
			if l.opt.MaxAccepted == 1 {
				what = "let as many succeed as it takes"
			}
			key("1", what)
		}
		if l.asks {
			key("m", "is it me?")
		}
		key("esc", "back")
	case labRunning:
		what := words("pause")
		if l.brake.on() {
			what = "go on"
		}
		key("space", what)
		key("ctrl+c", "stop")
		key("esc", "back, keeps running")
	case labMe:
		if l.me.Tunnel != "" {
			b.put(th.key, "c").gap(1).text(th.muted, safe.Of("copy --tunnel "+l.me.Tunnel)).gap(3)
		}
		key("a", "pinpoint")
		key("esc", "back")
	case labDone:
		key("enter", "show attempt")
		if l.result.Outcome == pinpoint.Stopped || l.result.Outcome == pinpoint.FixedOnce {
			key("+", "go on with more")
		}
		key("a", "once more")
		key("esc", "back")
	default:
		key("esc", "back")
	}
	return b.end()
}
