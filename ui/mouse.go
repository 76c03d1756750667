package ui

import tea "charm.land/bubbletea/v2"

// click puts the cursor where the mouse is: a row, a tab, a difference.
func (m *model) click(x, y int, left bool) tea.Cmd {
	m.now = m.o.Now()
	if !left || m.lay.small {
		return nil
	}
	if n := len(m.dialogs); n > 0 {
		return m.clickDialog(m.dialogs[n-1], x, y)
	}
	if y == m.lay.foot.y {
		return m.clickFoot(x)
	}
	if m.editor != nil {
		m.editor.click(x, y-m.lay.editor.y)
		return nil
	}
	switch l := m.lay; {
	case l.list.has(x, y):
		m.focus = inList
		if i := y - l.list.y - 1; i >= 0 {
			if id := m.list.at(m.list.top + i); id != 0 {
				if id == m.list.cur && !m.list.follow { // a second click opens it
					return m.enter()
				}
				m.list.place(id)
			}
		} else if by, ok := m.list.drawn.under(x - l.list.x); ok && i < 0 {
			return m.sortList(by)
		}
	case l.inspector.has(x, y):
		m.focus, m.opened = inInspector, true
		if y == l.inspector.y {
			if t, ok := m.inspector.tabAt(x-l.inspector.x, l.inspector.w); ok {
				m.inspector.tab, m.inspector.jumped = t, false
			}
			return nil
		}
		v := &m.inspector
		if i := y - l.inspector.y - (l.inspector.h - v.h); i >= 0 {
			return m.clicked(i + v.off[v.tab])
		}
	case y == l.filter.y && x >= m.w-presetCells && !m.filter.open:
		return m.clickPreset(x - (m.w - presetCells))
	case y == l.filter.y:
		m.openFilter()
	}
	return nil
}

// clickDialog chooses a row of a dialog; a click beside it does nothing.
func (m *model) clickDialog(d dialog, x, y int) tea.Cmd {
	b := m.box
	p, ok := d.(pointable)
	if !ok || !b.has(x, y) || y == b.y || y == b.y+b.h-1 || !p.point(y-b.y-1) {
		return nil
	}
	return d.key(m, "enter", "")
}

// clickFoot presses the key that the footer names at column x.
func (m *model) clickFoot(x int) tea.Cmd {
	for _, f := range m.foot {
		if x >= f.from && x < f.to {
			return m.key(f.key, "")
		}
	}
	return nil
}

// clickPreset takes the preset at column x of their part of the row.
func (m *model) clickPreset(x int) tea.Cmd {
	at := 0
	for i, p := range presets {
		w := len(keyOf(presetAll+action(i))) + 1 + len(p.name) + 2
		if x >= at && x < at+w {
			return m.do(presetAll + action(i))
		}
		at += w
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
		key := "down"
		if by < 0 {
			key = "up"
		}
		m.dialogs[len(m.dialogs)-1].key(m, key, "")
	case m.editor != nil && m.editor.raw != nil:
		m.editor.raw.vertical(by)
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
