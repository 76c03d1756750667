package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/ui/safe"
)

// help is every key, by group, and every sign, from their lists; in two columns where there is room.
type help struct{ top, rows int }

func (h *help) name() words { return "Keys" }

func (h *help) key(m *model, name, _ string) tea.Cmd {
	switch lookup(inList, name) {
	case goDown:
		h.top++
	case goUp:
		h.top--
	case goPageDown:
		h.top += 10
	case goPageUp:
		h.top -= 10
	case goTop:
		h.top = 0
	case goEnd:
		h.top = h.rows
	default:
		m.pop()
	}
	return nil
}

// helpRows are a key or sign and what it means, as many rows as that takes.
func helpRows(th *theme, w int, name, about words) (rows []string) {
	const column = 17
	for i, part := range wrap(safe.Of(string(about)), w-column) {
		if i > 0 {
			name = ""
		}
		rows = append(rows, row(w).on(th.box).gap(1).left(th.key, safe.Of(string(name)), column-1).text(th.text, part).end())
	}
	return rows
}

// helpWidth is the width of a column of the help in cells.
const helpWidth = 76

func (h *help) view(th *theme, w, height int) []string {
	cols := 1
	if w >= 2*helpWidth {
		cols = 2
	}
	col := min(helpWidth, w)
	var all []string
	for _, g := range groups() {
		if len(all) > 0 {
			all = append(all, row(col).on(th.box).end())
		}
		all = append(all, row(col).on(th.box).put(th.bright, g).end())
		for _, b := range bindings {
			if b.group == g {
				all = append(all, helpRows(th, col, words(strings.Join(b.keys, " ")), b.about)...)
			}
		}
	}
	all = append(all, row(col).on(th.box).end(), row(col).on(th.box).put(th.bright, "Signs").end())
	for _, s := range signs {
		all = append(all, helpRows(th, col, s.sign, s.about)...)
	}
	if cols == 2 {
		half := (len(all) + 1) / 2
		for i := range half {
			right := row(col).on(th.box).end()
			if half+i < len(all) {
				right = all[half+i]
			}
			all[i] += right
		}
		all = all[:half]
	}
	h.rows = len(all)
	height--
	h.top = max(0, min(h.top, len(all)-height))
	out := append([]string(nil), all[h.top:min(len(all), h.top+height)]...)
	hint := row(col * cols).on(th.box)
	if len(all) > height {
		hint.put(th.key, "j k").put(th.muted, " scroll   ")
	}
	return append(out, hint.put(th.muted, "any other key closes").end())
}
