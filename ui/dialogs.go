package ui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/why403/why403/ui/safe"
)

// dialog lies over the panes and gets every key.
type dialog interface {
	key(m *model, name, text string) tea.Cmd
	// view draws the inside: rows of at most w cells, at most h of them.
	view(th *theme, w, h int) []string
	name() words
}

func (m *model) push(d dialog) { m.dialogs = append(m.dialogs, d) }

func (m *model) pop() {
	if n := len(m.dialogs); n > 0 {
		m.dialogs = m.dialogs[:n-1]
	}
}

// frame draws a dialog's box; the widest row decides.
func frame(th *theme, d dialog, w, h int) string {
	rows := d.view(th, w-4, h-2)
	widest := 0
	for _, r := range rows {
		widest = max(widest, visible(r))
	}
	title := safe.Of(string(d.name()))
	width := min(max(widest, title.Width()+4), w-4)
	b := lipgloss.RoundedBorder()
	top := row(width+4).on(th.box).put(th.muted, words(b.TopLeft+b.Top+" ")).text(th.bright, title).gap(1).
		put(th.muted, words(strings.Repeat(b.Top, max(0, width-title.Width()-1))+b.TopRight))
	return top.end() + "\n" + th.frame.PaddingRight(1+max(0, width-widest)).Render(strings.Join(rows, "\n"))
}

// pointable is a dialog with rows that can be clicked.
type pointable interface {
	// point puts the cursor on row i of what view has drawn, and reports whether there is something to choose.
	point(i int) bool
}

// over lays a box on the screen and returns where it lies: in the middle, a third from the top. Only the rows that it
// covers are composed anew; the canvas mends what stands on two cells and loses one.
func over(screen []string, box string) rect {
	w, h := lipgloss.Size(box)
	cells := visible(screen[0])
	x, y := max(0, (cells-w)/2), max(0, (len(screen)-h)/3)
	under := screen[y:min(len(screen), y+h)]
	canvas := lipgloss.NewCanvas(cells, len(under))
	canvas.Compose(lipgloss.NewCompositor(lipgloss.NewLayer(strings.Join(under, "\n")), lipgloss.NewLayer(box).X(x).Z(1)))
	i := 0
	for r := range strings.SplitSeq(canvas.Render(), "\n") {
		under[i] = r + blank(cells-visible(r)) // it drops spaces at the end
		i++
	}
	return rect{x, y, w, h}
}

// confirm asks before something that cannot be taken back.
type confirm struct {
	title, yes words
	text       string
	rows       []piece // further facts, a row each
	do         func(m *model) tea.Cmd
}

func (c *confirm) name() words { return c.title }

func (c *confirm) key(m *model, name, _ string) tea.Cmd {
	switch name {
	case "enter", "y":
		m.pop()
		return c.do(m)
	case "esc", "n", "q", "ctrl+c":
		m.pop()
	}
	return nil
}

func (c *confirm) view(th *theme, w, h int) []string {
	w = min(w, 76)
	text := wrap(safe.Of(c.text), w)
	var facts [][]piece
	for _, p := range c.rows {
		facts = append(facts, fold([]piece{p}, w)...)
	}
	width := len("enter ") + len(c.yes) + len("   esc back")
	for _, t := range text {
		width = max(width, t.Width())
	}
	for _, r := range facts {
		n := 0
		for _, x := range r {
			n += x.text.Width()
		}
		width = max(width, n)
	}
	var out []string
	for _, t := range text {
		out = append(out, row(width).on(th.box).text(th.text, t).end())
	}
	for _, r := range facts {
		l := row(width).on(th.box)
		for _, x := range r {
			l.text(x.style, x.text)
		}
		out = append(out, l.end())
	}
	out = append(out, row(width).on(th.box).end(), row(width).on(th.box).put(th.key, "enter ").put(th.muted, c.yes).put(th.key, "   esc ").put(th.muted, "back").end())
	return out[max(0, len(out)-h):]
}

// toast is a short message that goes away by itself; it never takes the keys.
type toast struct {
	text  string
	good  bool
	until time.Time
}

// toastFor is how long a message stays if no key is pressed.
const toastFor = 6 * time.Second

func (t *toast) set(good bool, text string, now time.Time) {
	t.text, t.good, t.until = text, good, now.Add(toastFor)
}

func (t *toast) shown(now time.Time) bool { return t.text != "" && now.Before(t.until) }

// dismiss lets a message go at the next key once it could be read.
func (t *toast) dismiss(now time.Time) {
	if now.After(t.until.Add(time.Second - toastFor)) {
		t.text = ""
	}
}
