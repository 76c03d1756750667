package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/ui/safe"
)

// paletteBox finds any action by its name.
type paletteBox struct {
	in   input
	hits []*binding
	cur  int
	top  int // first hit on the screen
}

func newPalette(*model) *paletteBox {
	p := &paletteBox{}
	p.find()
	return p
}

func (p *paletteBox) name() words { return "Actions" }

// find lists the actions whose words hold the letters typed, in order; those that begin with them first.
func (p *paletteBox) find() {
	p.hits, p.cur = nil, 0
	want := strings.ToLower(p.in.s)
	var rest []*binding
	for i := range bindings {
		b := &bindings[i]
		if b.where&anywhere == 0 {
			continue
		}
		name := strings.ToLower(string(b.name))
		switch {
		case strings.HasPrefix(name, want):
			p.hits = append(p.hits, b)
		case subsequence(name, want) || strings.Contains(strings.ToLower(string(b.about)), want):
			rest = append(rest, b)
		}
	}
	p.hits = append(p.hits, rest...)
}

func subsequence(s, want string) bool {
	for _, r := range want {
		i := strings.IndexRune(s, r)
		if i < 0 {
			return false
		}
		s = s[i+len(string(r)):]
	}
	return true
}

func (p *paletteBox) key(m *model, name, text string) tea.Cmd {
	switch name {
	case "esc", "ctrl+c":
		m.pop()
	case "enter":
		m.pop()
		if p.cur < len(p.hits) {
			return m.do(p.hits[p.cur].do)
		}
	case "down", "ctrl+n", "tab":
		p.cur = min(p.cur+1, max(0, len(p.hits)-1))
	case "up", "ctrl+p", "shift+tab":
		p.cur = max(p.cur-1, 0)
	default:
		if p.in.key(name, text) {
			p.find()
		}
	}
	return nil
}

func (p *paletteBox) point(i int) bool {
	if i += p.top - 2; i < p.top || i >= len(p.hits) {
		return false
	}
	p.cur = i
	return true
}

func (p *paletteBox) view(th *theme, w, h int) []string {
	w = min(w, 72)
	l := row(w).on(th.box).put(th.key, ": ")
	p.in.draw(th, l, th.bright, w-3, true)
	out := []string{l.end(), row(w).on(th.box).end()}
	n := min(h-2, 14)
	top := max(0, p.cur-n+1)
	p.top = top
	for i := top; i < min(len(p.hits), top+n); i++ {
		b := p.hits[i]
		base := th.box
		if i == p.cur {
			base = th.cursor
		}
		sign := words("  ")
		if i == p.cur {
			sign = signCursor + " "
		}
		out = append(out, row(w).on(base).put(th.key, sign).left(th.key, safe.Of(first(b.keys)), 9).left(th.text, safe.Of(string(b.name)), 20).put(th.muted, b.about).end())
	}
	for len(out) < n+2 {
		out = append(out, row(w).on(th.box).end())
	}
	return out
}
