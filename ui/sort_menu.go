package ui

import (
	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/ui/safe"
)

// sortMenu asks what the list is to be sorted by.
type sortMenu struct{ cur int }

func newSortMenu(m *model) *sortMenu { return &sortMenu{cur: int(m.sorting.by)} }

func (s *sortMenu) name() words { return "Sort by" }

func (s *sortMenu) key(m *model, name, _ string) tea.Cmd {
	switch name {
	case "esc", "q", "ctrl+c", string(keyOf(sortFlows)):
		m.pop()
		return nil
	case "down", "j", "tab":
		s.cur = min(s.cur+1, len(sorts)-1)
		return nil
	case "up", "k", "shift+tab":
		s.cur = max(s.cur-1, 0)
		return nil
	case "enter":
		m.pop()
		return m.sortList(sorts[s.cur].by)
	}
	for _, x := range sorts {
		if string(x.key) == name {
			m.pop()
			return m.sortList(x.by)
		}
	}
	return nil
}

func (s *sortMenu) point(i int) bool {
	if i < len(sorts) {
		s.cur = i
	}
	return i < len(sorts)
}

func (s *sortMenu) view(th *theme, w, _ int) []string {
	w = min(w, 44)
	var out []string
	for i, x := range sorts {
		base, sign := th.box, words("  ")
		if i == s.cur {
			base, sign = th.cursor, signCursor+" "
		}
		out = append(out, row(w).on(base).put(th.key, sign).put(th.key, x.key).gap(2).put(th.text, x.name).end())
	}
	return append(out, row(w).on(th.box).end(), row(w).on(th.box).put(th.muted, "the same again turns it round").end())
}

// sign is an arrow in the direction of the order.
func (s sorting) sign() words {
	if s.down {
		return signFalling
	}
	return signRising
}

// note is what the filter's row says of the order.
func (s sorting) note(th *theme, l *line) {
	switch {
	case s == (sorting{}):
	case s.by == byNumber:
		l.gap(2).put(th.muted, "newest first")
	default:
		l.gap(2).put(th.muted, "by ").put(th.accent, sorts[s.by].name).gap(1).put(th.accent, s.sign())
	}
}

// under is what the columns are sorted by when their name at cell x is clicked.
func (c *columns) under(x int) (sortBy, bool) {
	at := 1
	for _, col := range []struct {
		w  int
		by sortBy
	}{{c.id, byNumber}, {c.clock, byNumber}, {c.age, byNumber}, {c.method, byMethod}, {c.status, byStatus}, {c.host, byHost}, {c.path, byPath}, {c.size, bySize}, {c.kind, byType}, {c.took, byTook}, {c.why + 1, byWhy}} {
		if col.w == 0 {
			continue
		}
		if x >= at && x <= at+col.w {
			return col.by, true
		}
		at += col.w + 1
	}
	return 0, false
}

// title is the name of a column, with an arrow if the list is sorted by it.
func (s sorting) title(th *theme, by sortBy, name words) (style, safe.Text) {
	if s == (sorting{}) || s.by != by {
		return th.muted, safe.Of(string(name))
	}
	return th.accent, safe.Of(string(name + s.sign()))
}
