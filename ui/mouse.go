package ui

import tea "charm.land/bubbletea/v2"

// click puts the cursor where the mouse is: a row, a tab, a difference.
func (m *model) click(x, y int, left bool) tea.Cmd {
	m.now = m.o.Now()
	if !left || m.lay.small || m.editor != nil || len(m.dialogs) > 0 {
		return nil
	}
	switch l := m.lay; {
	case l.list.has(x, y):
		m.focus = inList
		if i := y - l.list.y - 1; i >= 0 {
			if id := m.list.at(m.list.top + i); id != 0 {
				m.list.place(id)
			}
		} else if by, ok := m.list.drawn.under(x - l.list.x); ok && i < 0 {
			return m.sortList(by)
		}
	case l.inspector.has(x, y):
		m.focus, m.opened = inInspector, true
		if y == l.inspector.y {
			if t, ok := m.inspector.tabAt(x-l.inspector.x, l.inspector.w); ok {
				m.inspector.tab = t
			}
			return nil
		}
		v := &m.inspector
		if i := y - l.inspector.y - (l.inspector.h - v.h); i >= 0 {
			m.clicked(i + v.off[v.tab])
		}
	case y == l.filter.y:
		m.openFilter()
	}
	return nil
}

// wheelStep is how many rows a notch of the wheel moves.
const wheelStep = 3

func (m *model) wheel(x, y int, b tea.MouseButton) {
	by := wheelStep
	switch b {
	case tea.MouseWheelUp:
		by = -wheelStep
	case tea.MouseWheelDown:
	default:
		return
	}
	switch {
	case len(m.dialogs) > 0:
	case m.editor != nil:
		m.editor.scroll(by)
	case m.lay.list.has(x, y):
		m.list.scroll(by)
	case m.lay.inspector.has(x, y):
		v := &m.inspector
		if v.tab == tabMessages {
			v.scroll(by)
			return
		}
		v.off[v.tab] = max(0, min(v.off[v.tab]+by, v.rows-v.h))
	}
}
