package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/ui/safe"
)

// preset is a filter on a number key.
type preset struct {
	name words
	expr string
}

var presets = []preset{{"all", ""}, {"refused", "refused:yes"}, {"POST 403", "method:post status:403"}}

// presetCells is what the presets take of their row.
const presetCells = 34

// filterBar is the row in which a filter is typed. It is compiled at each key: what is shown is
// always what the last valid text says.
type filterBar struct {
	open  bool
	in    input
	prior string // to come back to with esc
	err   error
}

func (m *model) openFilter() {
	m.filter.open, m.filter.err = true, nil
	m.filter.prior = m.filterText()
	m.filter.in = newInput(m.filter.prior)
	m.filter.in.selectAll()
}

func (m *model) filterText() string {
	if m.list.match == nil {
		return ""
	}
	return m.list.match.text
}

func (m *model) filterKey(name, text string) tea.Cmd {
	switch name {
	case "enter":
		if m.filter.err == nil {
			m.filter.open = false
		}
		return nil
	case "tab":
		if m.filter.complete(&m.seen) {
			return m.setFilter(m.filter.in.s)
		}
		return nil
	case "esc", "ctrl+c":
		m.filter.open, m.filter.err = false, nil
		return m.setFilter(m.filter.prior)
	case "down", "up":
		return m.do(lookup(inList, name))
	}
	if !m.filter.in.key(name, text) {
		return nil
	}
	return m.setFilter(m.filter.in.s)
}

// setFilter shows only what text lets through; an invalid text leaves everything as it is.
func (m *model) setFilter(text string) tea.Cmd {
	m.filter.err = nil
	if text == m.filterText() {
		return nil
	}
	return m.refilter(text)
}

// sortList sorts the list; the same choice again turns it round, and by number undoes it.
func (m *model) sortList(by sortBy) tea.Cmd {
	s := sorting{by: by, down: sorts[by].down}
	if m.sorting.by == by {
		s.down = !m.sorting.down
	}
	m.sorting = s
	return m.refilter(m.filterText())
}

// refilter shows what text lets through, sorted as somebody chose.
func (m *model) refilter(text string) tea.Cmd {
	if strings.TrimSpace(text) == "" {
		m.rescan()
		if m.sorting == (sorting{}) && !m.gaps && !m.folded {
			m.list.filter(nil)
			return nil
		}
		match := newMatches("", nil, m.sorting, m.list.last)
		match.folded = m.folding()
		m.list.filter(match)
		return m.scan(match, m.list.last)
	}
	expr, err := filter.Compile(text, filter.Rows)
	deep := false
	if err != nil { // perhaps it asks for what only the whole flow holds
		expr, err = filter.Compile(text, filter.Flows)
		deep = true
	}
	if err != nil {
		m.filter.err = err
		return nil
	}
	m.rescan()
	match := newMatches(text, expr, m.sorting, m.list.last)
	match.deep, match.folded = deep, m.folding()
	m.list.filter(match)
	return m.scan(match, m.list.last)
}

// folding is what hides steps of stories; nil: nothing does.
func (m *model) folding() *stories {
	if m.folded {
		return m.stories
	}
	return nil
}

// bar draws the filter and the presets.
func (m *model) bar(w int) string {
	th := m.th
	l := row(w)
	text := m.filterText()
	right := 0
	if !m.filter.open {
		right = presetCells
	}
	l.put(th.muted, "filter ")
	switch {
	case m.filter.open && m.filter.err != nil:
		field := min(w-8, max(20, safe.Of(m.filter.in.s).Width()+2))
		m.filter.in.draw(th, l, th.text, min(field, w/2), true)
		l.gap(1).put(th.bad, signNo+" ")
		l.text(th.warn, safe.Of(m.filter.err.Error()))
		return l.end()
	case m.filter.open:
		m.filter.in.draw(th, l, th.bright, w-40, true)
		if m.list.match != nil {
			l.text(th.muted, safe.Of("  "+count(int64(m.list.len()))+" match"))
			if m.list.match.next > 0 {
				l.text(th.muted, safe.Of(", "+m.list.match.progress()))
			}
		}
		return l.end()
	case text == "":
		l.put(th.faint, "none")
		if w >= 72 {
			l.gap(2).put(th.key, keyOf(filterFlows)).put(th.faint, " to type one")
		}
		m.sorting.note(th, l)
		m.foldNote(l)
	default:
		t := safe.Of(text).Cut(w - right - 22)
		l.text(th.bright, t)
		l.text(th.muted, safe.Of("  "+count(int64(m.list.len()))+" of "+count(int64(m.list.last))))
		if m.list.match.next > 0 {
			l.text(th.muted, safe.Of(", "+m.list.match.progress()))
		}
		m.sorting.note(th, l)
		m.foldNote(l)
	}
	l.to(w - right)
	for i, p := range presets {
		s, k := th.muted, th.muted
		if p.expr == text {
			s, k = th.key, th.key
		}
		l.put(k, keyOf(presetAll+action(i))).gap(1).put(s, p.name).gap(2)
	}
	return l.end()
}

// foldNote says that stories are folded.
func (m *model) foldNote(l *line) {
	if m.folded && l.room() > 60 {
		l.gap(2).put(m.th.muted, "stories folded ").put(m.th.key, keyOf(foldStories))
	}
}

// suggestions is the footer while a filter is typed.
func (m *model) suggestions(w int) string {
	th := m.th
	l := row(w)
	if m.filter.in.all {
		return l.put(th.muted, "type to replace it  ").put(th.key, "→ ").put(th.muted, "edit it  ").put(th.key, "backspace ").put(th.muted, "clear  ").put(th.key, "enter ").put(th.muted, "keep  ").put(th.key, "esc ").put(th.muted, "back").end()
	}
	list := suggest(m.filter.in.s, m.filter.in.at, &m.seen)
	if len(list) > 0 {
		l.put(th.key, "tab ")
		for i, s := range list {
			t := safe.Of(s.word)
			if l.room() < t.Width()+28 && i > 0 {
				break
			}
			st := th.muted
			if i == 0 {
				st = th.accent
			}
			l.text(st, t).gap(2)
		}
		if len(list) <= 3 && list[0].help != "" && l.room() > 40 {
			l.text(th.faint, safe.Of(list[0].help)).gap(2)
		}
	}
	return l.put(th.key, "enter ").put(th.muted, "keep  ").put(th.key, "esc ").put(th.muted, "back").end()
}
