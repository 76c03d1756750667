package ui

import (
	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/ui/safe"
)

// takeBox lists what the accepted request has and this one has not.
type takeBox struct {
	changes []flow.Change
	veil    *veil
	cur     int
	top     int // first one on the screen
}

func newTakeBox(e *editor, v *veil) *takeBox {
	t := &takeBox{veil: v}
	for _, ch := range e.compare.changes {
		if ch.Applicable() {
			t.changes = append(t.changes, ch)
		}
	}
	return t
}

func (t *takeBox) name() words { return "Take from the last success" }

func (t *takeBox) key(m *model, name, _ string) tea.Cmd {
	switch name {
	case "esc", "ctrl+c", "q":
		m.pop()
	case "down", "j", "tab":
		t.cur = min(t.cur+1, len(t.changes)-1)
	case "up", "k", "shift+tab":
		t.cur = max(t.cur-1, 0)
	case "enter", "ctrl+g":
		m.pop()
		if m.editor != nil && t.cur < len(t.changes) {
			if err := m.editor.take(t.changes[t.cur]); err != nil {
				m.fail("take the value", err)
			}
		}
	}
	return nil
}

func (t *takeBox) point(i int) bool {
	if i += t.top; i < len(t.changes) {
		t.cur = i
	}
	return i < len(t.changes)
}

func (t *takeBox) view(th *theme, w, h int) []string {
	w = min(w, 90)
	var out []string
	top := max(0, t.cur-h+2)
	t.top = top
	for i := top; i < min(len(t.changes), top+h-1); i++ {
		ch := t.veil.change(t.changes[i])
		base, sign := th.box, words("  ")
		if i == t.cur {
			base, sign = th.cursor, signCursor+" "
		}
		after, s := value(th, ch.After, th.good)
		out = append(out, row(w).on(base).put(th.key, sign).left(th.text, safe.Of(string(ch.Part)), 12).left(th.accent, safe.Of(ch.Name), 26).text(s, after).end())
	}
	return append(out, row(w).on(th.box).put(th.key, "enter ").put(th.muted, "take   ").put(th.key, "esc ").put(th.muted, "back").end())
}
