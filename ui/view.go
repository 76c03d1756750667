package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/ui/safe"
)

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.WindowTitle = "why403"
	if m.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

// screen is the frame: h rows of w cells.
func (m *model) screen() string {
	if m.w == 0 || m.h == 0 {
		return ""
	}
	if m.lay.small {
		return tooSmall(m.th, m.w, m.h, m.o.Listen != "")
	}
	out := make([]string, 0, m.h)
	out = append(out, m.header(m.w), m.bar(m.w))
	switch {
	case m.editor != nil:
		out = append(out, m.rule(0, "─"))
		out = append(out, m.editor.view(m, m.lay.editor.w, m.lay.editor.h)...)
		out = append(out, m.rule(0, "─"))
	case m.list.last == 0 && m.filterText() == "":
		out[1] = blank(m.w)
		out = append(out, blank(m.w))
		out = append(out, fill(m.welcome(m.w, m.lay.ruleLow-3), m.w, m.lay.ruleLow-2)...)
	default:
		out = append(out, m.rule(m.lay.split, "┬"))
		out = append(out, m.panes()...)
		out = append(out, m.rule(m.lay.split, "┴"))
	}
	out = append(out, m.footer(m.w))
	for _, d := range m.dialogs {
		m.box = over(out, frame(m.th, d, m.w, m.h-2))
	}
	if m.editor == nil || len(m.dialogs) > 0 {
		m.veil.frame(out)
	}
	return strings.Join(out, "\n")
}

func (m *model) panes() []string {
	lay := m.lay
	var left, right []string
	if lay.list.h > 0 {
		left = m.list.view(m.th, lay.list.w, lay.list.h, m.focus == inList, m.now, m.o.Zone)
		if m.list.len() == 0 {
			left = m.nothing(left, lay.list.w)
		}
	}
	if lay.inspector.h > 0 {
		m.inspector.row = m.list.current()
		m.showHeldIn(&m.inspector)
		right = m.inspector.view(m.th, lay.inspector.w, lay.inspector.h, m.focus == inInspector, m.now, m.o.Zone)
	}
	if left == nil {
		return right
	}
	if right == nil {
		return left
	}
	// Every row has exactly the cells of its pane, so joining them is copying bytes: measuring them
	// again, as lipgloss.JoinHorizontal does, takes several times as long as drawing them.
	bar := row(1).text(m.th.rule, safe.Of("│")).end()
	for i := range left {
		left[i] += bar + right[i]
	}
	return left
}

// nothing says why the list is empty.
func (m *model) nothing(rows []string, w int) []string {
	if len(rows) < 5 {
		return rows
	}
	text := words("No flow matches.")
	if m.list.match != nil && m.list.match.next > 0 {
		text = "Looking …"
	}
	rows[2] = row(w).gap(3).put(m.th.text, text).end()
	rows[3] = row(w).gap(3).put(m.th.key, keyOf(presetAll)).put(m.th.muted, " shows all   ").put(m.th.key, keyOf(filterFlows)).put(m.th.muted, " changes the filter").end()
	return rows
}

// rule is a line across the screen, with a joint where the panes meet.
func (m *model) rule(at int, joint words) string {
	if m.lay.list.h == 0 {
		at = 0
	}
	want := ruleKey{m.th, m.w, at, joint}
	if drawn, ok := m.ruled[want]; ok { // measuring what is not ASCII takes a tenth of a frame
		return drawn
	}
	text := strings.Repeat("─", m.w)
	if at > 0 {
		text = strings.Repeat("─", at) + string(joint) + strings.Repeat("─", m.w-at-1)
	}
	if m.ruled == nil || len(m.ruled) > 8 {
		m.ruled = map[ruleKey]string{}
	}
	m.ruled[want] = row(m.w).text(m.th.rule, safe.Of(text)).end()
	return m.ruled[want]
}

// ruleKey is what a line across the screen depends on.
type ruleKey struct {
	th    *theme
	w, at int
	joint words
}

// header is the first row: where we listen, how much has come, how much of it was refused.
func (m *model) header(w int) string {
	th := m.th
	l := row(w)
	l.put(th.brand, " why403 ").gap(1)
	switch {
	case m.o.Listen != "":
		on, omitted := m.paused()
		if on {
			l.put(th.warn, signHeld+" ")
		} else {
			l.put(th.good, signOn+" ")
		}
		l.text(th.text, safe.Of(m.o.Listen))
		if on {
			l.gap(2).put(th.warn, "paused").text(th.warn, safe.Of(", "+count(omitted)+" not recorded")).gap(1).put(th.key, keyOf(pauseCapture)).put(th.muted, " goes on")
		}
	case m.stats.Elsewhere:
		l.put(th.good, signOn+" ").put(th.muted, "recorded by another why403")
	default:
		l.put(th.muted, signOff+" saved session")
	}
	l.gap(3)
	right := m.session()
	switch {
	case m.list.last == 0:
		l.put(th.muted, "waiting for traffic")
	default:
		n := int64(m.list.last)
		if m.gaps {
			n = m.stats.Flows + m.stats.Live
		}
		l.text(th.text, safe.Of(plural(n, "flow")))
		if m.stats.Refused > 0 {
			l.gap(3).text(th.bad, safe.Of(count(int64(m.stats.Refused))+" refused"))
			if bars, rate := m.spark.draw(m.now); rate > 0 && w >= wide {
				l.gap(3).text(th.bad, bars).text(th.muted, safe.Of(" "+count(int64(rate))+"/min"))
			}
		}
		switch {
		case m.list.follow || m.editor != nil:
		case w >= 72:
			l.gap(3).put(th.warn, "not following")
			if m.list.newer > 0 {
				l.text(th.warn, safe.Of(", "+count(int64(m.list.newer))+" newer"))
			}
			if w >= 100 {
				l.gap(1).put(th.key, keyOf(goEnd)).put(th.muted, " newest")
			}
		default:
			l.gap(3).put(th.key, keyOf(goEnd)).put(th.warn, " newest")
		}
	}
	if m.veil != nil {
		l.gap(3).put(th.warn, "stage mode")
	}
	if n := len(m.held); n > 0 {
		l.gap(3).text(th.warn, safe.Of(heldCount(n)))
	}
	if n := m.pointsOn(); n > 0 && len(m.held) == 0 {
		l.gap(3).text(th.warn, safe.Of(plural(int64(n), "breakpoint"))).put(th.muted, " on")
	}
	if n := m.o.Rules.On(); n > 0 { // nobody is to wonder who changes things
		l.gap(3).text(th.warn, safe.Of(plural(int64(n), "rule"))).put(th.muted, " on")
	}
	if m.stats.NotKept > 0 {
		l.gap(3).text(th.bad, safe.Of(signTrouble+" "+count(int64(m.stats.NotKept))+" not kept"))
	}
	if m.stats.Err != "" {
		l.gap(3).text(th.bad, safe.Join(safe.Of(signTrouble+" disk: "), safe.Of(m.stats.Err)))
	}
	total := 0
	for _, p := range right {
		total += p.text.Width()
	}
	if l.room() > total+2 {
		l.to(w - total - 1)
		for _, p := range right {
			l.text(p.style, p.text)
		}
	}
	return l.end()
}

// session is the right end of the header.
func (m *model) session() []piece {
	th := m.th
	var ps []piece
	if !m.stats.Created.IsZero() {
		ps = append(ps, said(th.muted, m.stats.Created.In(m.o.Zone).Format("2006-01-02 15:04")))
	}
	if m.stats.Bytes > 0 {
		ps = append(ps, said(th.muted, " · "+size(m.stats.Bytes)))
	}
	if m.o.ReadOnly {
		ps = append(ps, lit(th.warn, " · read-only"))
	}
	switch {
	case m.o.Listen == "":
	case m.o.CA.Ephemeral:
		ps = append(ps, lit(th.muted, " · CA ephemeral"))
	case m.o.CA.Trusted:
		ps = append(ps, lit(th.muted, " · CA trusted"))
	case m.o.CA.Path != "" && m.o.CA.Ask == nil:
		ps = append(ps, lit(th.muted, " · CA "), lit(th.warn, "not trusted by this system"))
	}
	return ps
}

// footer names the keys that help here and now, as many as fit; a message takes its place.
func (m *model) footer(w int) string {
	th := m.th
	l := row(w)
	m.foot = m.foot[:0]
	if m.toast.shown(m.now) {
		s, sign := th.good, words(signYes+" ")
		if !m.toast.good {
			s, sign = th.warn, signTrouble+" "
		}
		return l.put(s, sign).text(s, safe.Of(m.toast.text)).end()
	}
	in := m.focus
	switch {
	case m.inspector.search.open:
		return m.searchLine(w)
	case m.inspector.path.open:
		return m.pathLine(w)
	case m.filter.open:
		return m.suggestions(w)
	case m.editor != nil:
		in = inEditor
	case m.list.last == 0:
		return l.put(th.key, keyOf(showHelp)).put(th.muted, " keys   ").put(th.key, keyOf(quit)).put(th.muted, " quit").end()
	}
	m.heldKeys(l)
	for _, b := range m.footed(in, w-l.w) {
		from := l.w
		l.text(th.key, safe.Of(b.keys[0])).gap(1).put(th.muted, b.name)
		m.foot = append(m.foot, footKey{from, l.w, b.keys[0]})
		l.gap(2)
	}
	return l.end()
}

// footKey is a key that the footer names, from one column to another.
type footKey struct {
	from, to int
	key      string
}

// footed are the bindings that the footer names in w cells: the last two, which lead to all others, always.
func (m *model) footed(in place, w int) []*binding {
	var list, last []*binding
	cells := func(b *binding) int { return len(b.keys[0]) + len(b.name) + 3 }
	for n := 1; n <= footLast+1; n++ {
		for i := range bindings {
			b := &bindings[i]
			if b.foot != n || b.where&in == 0 || len(b.keys) == 0 || !m.useful(b.do) {
				continue
			}
			if n >= footLast {
				last = append(last, b)
				w -= cells(b)
				continue
			}
			list = append(list, b)
		}
	}
	for i, b := range list {
		if w -= cells(b); w < -1 { // nothing follows the last one
			list = list[:i]
			break
		}
	}
	return append(list, last...)
}

// useful reports whether an action can do something here and now.
func (m *model) useful(a action) bool {
	switch a {
	case applyFix:
		return m.fixable()
	case editReplay, replay, replayNewest:
		return m.sendable() == ""
	case pinpointIt:
		return m.pinpointable() == ""
	case foldJSON:
		f := m.inspector.body()
		return f != nil && f.layered()
	case filterJSON:
		return jsonIn(m.inspector.whole()) != nil
	case editTake:
		e := m.editor
		return e == nil || e.partner != nil && len(e.compare.changes) > 0
	case editParts:
		return m.editor != nil && m.editor.hasParts()
	case editUndo:
		return m.editor == nil || len(m.editor.undo) > 0
	case editShow:
		e := m.editor
		return e == nil || len(e.tries) > 0 && e.tries[len(e.tries)-1].id != 0
	case editAdd, editToggle:
		return m.editor == nil || m.editor.raw == nil
	case diffView:
		return m.inspector.tab == tabDiff && m.inspector.d != nil && m.inspector.d.partner != nil
	}
	return true
}

func (m *model) fixable() bool {
	d := m.inspector.d
	return d != nil && d.exp != nil && d.exp.Verdict != nil && d.exp.Verdict.Fix != nil
}

// tooSmall is the whole screen when nothing else would fit.
func tooSmall(th *theme, w, h int, capturing bool) string {
	size := safe.Of("here: " + count(int64(w)) + " × " + count(int64(h)))
	most := min(w, len("needs 60 columns and 15 rows"))
	leave := words("q quits")
	if capturing {
		leave = "capture goes on; q quits"
	}
	rows := []string{
		row(most).put(th.bright, "why403").end(),
		row(most).put(th.text, "needs 60 columns and 15 rows").end(),
		row(most).text(th.text, size).end(),
		row(most).put(th.muted, leave).end(),
	}
	return lipgloss.Place(w, h, lipgloss.Center, lipgloss.Center, strings.Join(rows[:min(h, len(rows))], "\n"))
}

func visible(s string) int { return ansi.StringWidth(s) }
