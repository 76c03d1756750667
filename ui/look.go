package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/ui/safe"
)

// Theme is a choice of the colours; the zero value is none.
type Theme struct{ name string }

// themes are the names of themes with what each is, in the order of the menu.
var themes = []struct{ name, about words }{
	{"auto", "dark or light, as the terminal's background is"},
	{"dark", "for a dark background"},
	{"light", "for a light background"},
	{"contrast", "high contrast, on dark or light"},
	{"none", "no colours: bold, underlined and reversed alone"},
}

// ThemeNames are the names that ParseTheme knows.
func ThemeNames() string {
	var names []string
	for _, t := range themes {
		names = append(names, string(t.name))
	}
	return strings.Join(names, ", ")
}

// ParseTheme reads the name of a theme; "" and auto leave the choice to the terminal.
func ParseTheme(name string) (Theme, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" {
		return Theme{}, nil
	}
	for _, t := range themes {
		if name == string(t.name) {
			return Theme{name}, nil
		}
	}
	return Theme{}, fmt.Errorf("no theme is called %q: there are %s", name, ThemeNames())
}

// looks is what decides about the theme.
type looks struct {
	wanted  Theme
	onLight bool // the terminal's background, once it has said so
}

// theme is the theme to draw with. NO_COLOR (https://no-color.org) holds unless a theme was asked for by name.
func (l looks) theme(getenv func(string) string) *theme {
	switch l.wanted.name {
	case "dark":
		return dark()
	case "light":
		return light()
	case "contrast":
		if l.onLight {
			return strongLight()
		}
		return strongDark()
	case "none":
		return plain()
	}
	switch {
	case getenv("NO_COLOR") != "" || getenv("TERM") == "dumb":
		return plain()
	case l.onLight:
		return light()
	}
	return dark()
}

// dress puts on the theme that is wanted now.
func (m *model) dress() {
	if th := m.looks.theme(m.o.Getenv); th != m.th {
		m.th = th
		m.redraw()
	}
}

// themeMenu chooses a theme; the screen wears the one under the cursor.
type themeMenu struct {
	cur int
	was Theme
}

func newThemeMenu(m *model) *themeMenu {
	t := &themeMenu{was: m.looks.wanted}
	for i := range themes {
		if string(themes[i].name) == m.looks.wanted.name {
			t.cur = i
		}
	}
	return t
}

func (t *themeMenu) name() words { return "Theme" }

func (t *themeMenu) key(m *model, name, _ string) tea.Cmd {
	switch name {
	case "esc", "q", "ctrl+c":
		m.looks.wanted = t.was
		m.pop()
	case "enter":
		m.pop()
	case "down", "j", "tab":
		t.cur = min(t.cur+1, len(themes)-1)
		m.looks.wanted.name = string(themes[t.cur].name)
	case "up", "k", "shift+tab":
		t.cur = max(t.cur-1, 0)
		m.looks.wanted.name = string(themes[t.cur].name)
	}
	m.dress()
	return nil
}

func (t *themeMenu) view(th *theme, w, h int) []string {
	w = min(w, 66)
	var out []string
	for i, x := range themes {
		base, sign := th.box, words("  ")
		if i == t.cur {
			base, sign = th.cursor, signCursor+" "
		}
		out = append(out, row(w).on(base).put(th.key, sign).left(th.text, safe.Of(string(x.name)), 10).put(th.muted, x.about).end())
	}
	return append(out, row(w).on(th.box).end(), row(w).on(th.box).put(th.key, "enter ").put(th.muted, "keep   ").put(th.key, "esc ").put(th.muted, "back   ").put(th.muted, "--theme and the configuration keep it for good").end())
}
