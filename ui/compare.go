package ui

import (
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/ui/safe"
)

// compare is the tab Diff: what the flow has and its partner has not, most suspicious first.
type compare struct {
	changes []flow.Change
	notes   []string // by change: how it stands to other accepted requests
	same    string   // what did not differ, in words
	muted   string   // what differs among successes too
	cur     int      // the difference that the keys act on
	ticked  map[int]bool
}

func (c *compare) move(by int) { c.cur = max(0, min(c.cur+by, len(c.changes)-1)) }

// tick marks the difference under the cursor for a replay with the partner's value.
func (c *compare) tick() {
	if len(c.changes) == 0 || !c.changes[c.cur].Applicable() {
		return
	}
	if c.ticked == nil {
		c.ticked = map[int]bool{}
	}
	c.ticked[c.cur] = !c.ticked[c.cur]
}

// patch is what has been ticked, in the order shown.
func (c *compare) patch() flow.Patch {
	var p flow.Patch
	for i, ch := range c.changes {
		if c.ticked[i] {
			p = append(p, ch)
		}
	}
	return p
}

// diffMode is how the values of a difference stand.
type diffMode uint8

const (
	diffAuto    diffMode = iota // side by side where there is room
	diffBeside                  // side by side
	diffUnified                 // one below the other
)

// besideWide is the width from which a difference takes one row side by side.
const besideWide = 96

// besides reports whether Diff is shown side by side at w cells.
func (v *inspector) besides(w int) bool {
	return v.diff == diffBeside || v.diff == diffAuto && w >= besideWide
}

// turnDiff changes between side by side and one below the other.
func (m *model) turnDiff() {
	v := &m.inspector
	if v.tab != tabDiff {
		m.say(false, string(nameOf(diffView))+" is for the tab Diff: "+string(keyOf(compareMarked))+" goes there")
		return
	}
	if v.besides(m.lay.inspector.w - 2) {
		v.diff = diffUnified
	} else {
		v.diff = diffBeside
	}
}

// doc draws the comparison of d's flow with its partner. top and end of the cursor's rows come back.
func (c *compare) doc(th *theme, d *dossier, w int, focused, beside bool) (pieces, int, int) {
	p := &writer{w: w}
	if d.partner == nil {
		p.say(nil, 0, th.muted, safe.Of("There is nothing to compare with: no accepted request to the same endpoint has been seen."))
		p.blank()
		p.say(nil, 0, th.muted, safe.Of("Mark two flows with "+string(keyOf(pick))+" in the list and press "+string(keyOf(compareMarked))+" to compare those."))
		return p.out, 0, 0
	}
	head := []piece{
		said(th.text, "#"+id(d.row.ID)+" "), piece{statusStyle(th, d.row.Status, d.row.Refused()), safe.Of(strconv.Itoa(d.row.Status))},
		lit(th.muted, "  against  "), said(th.accent, "#"+id(d.partner.ID)+" "),
		piece{statusStyle(th, d.partner.Status(), false), safe.Of(strconv.Itoa(d.partner.Status()))},
		said(th.muted, "  "+apart(d.partner.Times.Start, d.row.Start)),
	}
	if w >= 64 {
		head = append(head, lit(th.key, "   "+keyOf(partnerBefore)+" "+keyOf(partnerAfter)), lit(th.muted, " other"))
	}
	p.add(head...)
	p.blank()
	top, end := 0, 0
	if len(c.changes) == 0 {
		p.say(nil, 0, th.text, safe.Of("The requests do not differ in anything that is not muted."))
	}
	for i, ch := range c.changes {
		if i == c.cur {
			top = len(p.out)
		}
		c.change(th, p, d, ch, i, focused, beside)
		if i == c.cur {
			end = len(p.out)
		}
	}
	p.blank()
	if c.muted != "" {
		p.say(p.label(th, "muted", labelWidth), labelWidth, th.muted, safe.Of(c.muted))
	}
	if c.same != "" {
		p.say(p.label(th, "same", labelWidth), labelWidth, th.muted, safe.Of(c.same))
	}
	if len(c.changes) > 0 {
		p.blank()
		p.add(piece{"", space(1)}, lit(th.key, keyOf(pick)), lit(th.muted, " tick   "), lit(th.key, keyOf(open)),
			said(th.muted, " replay #"+id(d.row.ID)+" with the ticked values from #"+id(d.partner.ID)))
		other := words(" side by side   ")
		if beside {
			other = " one below the other   "
		}
		p.add(piece{"", space(1)}, lit(th.key, keyOf(diffView)), lit(th.muted, other), lit(th.key, keyOf(pinpointIt)), lit(th.muted, " find by experiment which one decides"))
	}
	return p.out, top, end
}

func (c *compare) change(th *theme, p *writer, d *dossier, ch flow.Change, i int, focused, beside bool) {
	ch = inWords(ch)
	box, s := words(signUnticked+" "), th.warn
	switch {
	case !ch.Applicable():
		box, s = "  ", th.text
	case c.ticked[i]:
		box = signTicked + " "
	}
	if i == 0 {
		s = th.bad // the most suspicious
	}
	sign := words(" ")
	if i == c.cur && focused {
		sign = signCursor
	}
	head := []piece{lit(th.key, sign), lit(th.key, box)}
	name := ch.Name
	if ch.Index > 0 {
		name += " (" + strconv.Itoa(ch.Index+1) + ")"
	}
	place, label, note := safe.Of(string(ch.Part)), safe.Of(name), safe.Text{}
	if i < len(c.notes) {
		note = safe.Of(c.notes[i])
	}
	before, bs := value(th, ch.Before, th.text)
	after, as := value(th, ch.After, th.good)
	if beside && p.w >= besideWide {
		notes := 0
		if p.w >= besideWide+30 {
			notes = 30
		}
		val := (p.w - 3 - 14 - 26 - notes) / 2
		bl, al := wrap(before, val-2), wrap(after, val-2)
		for k := range max(len(bl), len(al)) {
			row := []piece{{"", space(3)}, {"", space(14 + 26)}}
			if k == 0 {
				row = append(head, pad(s, place, 14), pad(s, label, 26))
			}
			row = append(row, cell(bs, bl, k, val), cell(as, al, k, val))
			if k == 0 && notes > 0 {
				row = append(row, piece{th.muted, note.Cut(notes)})
			}
			p.add(row...)
		}
		return
	}
	row := append(head, piece{s, place}, piece{"", space(1)}, piece{s, label})
	if used := 3 + place.Width() + 1 + label.Width(); !note.Empty() && used+3+note.Width() <= p.w {
		row = append(row, piece{"", space(3)}, piece{th.muted, note})
	}
	p.add(row...)
	if beside {
		val := (p.w - 4) / 2
		bl, al := wrap(before, val-2), wrap(after, val-2)
		for k := range max(len(bl), len(al)) {
			p.add(piece{"", space(4)}, cell(bs, bl, k, val), cell(as, al, k, val))
		}
		return
	}
	minus, plus := th.bad, th.good
	if ch.Before == nil {
		minus = th.muted
	}
	if ch.After == nil {
		plus = th.muted
	}
	p.say([]piece{{"", space(4)}, lit(minus, "- "), pad(th.muted, safe.Of("#"+id(d.row.ID)), 8)}, 14, bs, before)
	p.say([]piece{{"", space(4)}, lit(plus, "+ "), pad(th.muted, safe.Of("#"+id(d.partner.ID)), 8)}, 14, as, after)
}

// inWords is the change with a token's times in words beside their numbers (RFC 7519, 2 "NumericDate").
func inWords(ch flow.Change) flow.Change {
	if ch.Part != flow.InJWT || !strings.HasSuffix(ch.Name, " exp") && !strings.HasSuffix(ch.Name, " nbf") && !strings.HasSuffix(ch.Name, " iat") {
		return ch
	}
	word := func(v *string) *string {
		if v == nil {
			return nil
		}
		n, err := strconv.ParseInt(*v, 10, 64)
		if err != nil {
			return v
		}
		text := *v + " (" + time.Unix(n, 0).UTC().Format("2006-01-02 15:04:05 UTC") + ")"
		return &text
	}
	ch.Before, ch.After = word(ch.Before), word(ch.After)
	return ch
}

func value(th *theme, v *string, s style) (safe.Text, style) {
	switch {
	case v == nil:
		return safe.Of("absent"), th.muted
	case *v == "":
		return safe.Of("empty"), th.muted
	case len(*v) > 2000:
		return safe.Of((*v)[:2000] + "…"), s
	}
	return safe.Of(*v), s
}

// pad is t in a column of w cells; the gap is part of the piece.
func pad(s style, t safe.Text, w int) piece {
	t = t.Cut(w - 1)
	return piece{s, safe.Join(t, space(w-t.Width()))}
}

func cell(s style, rows []safe.Text, k, w int) piece {
	if k >= len(rows) {
		return piece{"", space(w)}
	}
	return pad(s, rows[k], w)
}

// apart says how long before or after b a was.
func apart(a, b time.Time) string {
	if a.IsZero() || b.IsZero() {
		return ""
	}
	d := b.Sub(a)
	if d < 0 {
		return about(-d) + " later"
	}
	return about(d) + " earlier"
}

func about(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}
