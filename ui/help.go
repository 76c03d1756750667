package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/ui/safe"
)

// help is every key, by group, from the one list.
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

func (h *help) view(th *theme, w, height int) []string {
	w = min(w, 78)
	var all []string
	var groups []words
	for _, b := range bindings {
		if !slices.Contains(groups, b.group) {
			groups = append(groups, b.group)
		}
	}
	for _, g := range groups {
		if len(all) > 0 {
			all = append(all, row(w).on(th.box).end())
		}
		all = append(all, row(w).on(th.box).put(th.bright, g).end())
		for _, b := range bindings {
			if b.group == g {
				all = append(all, row(w).on(th.box).gap(1).left(th.key, safe.Of(strings.Join(b.keys, " ")), 18).put(th.text, b.about).end())
			}
		}
	}
	h.rows = len(all)
	h.top = max(0, min(h.top, len(all)-height))
	return all[h.top:min(len(all), h.top+height)]
}
