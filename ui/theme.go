package ui

import (
	"image/color"
	"strings"
	"sync"

	"charm.land/lipgloss/v2"
)

// style is the parameters of an SGR sequence (ECMA-48, 8.3.117), prepared from a Lip Gloss style so
// that a loop over rows only copies bytes. "" is the terminal's own colour.
type style string

// prepare takes from s what stands between "\x1b[" and "m".
func prepare(s lipgloss.Style) style {
	sgr, _, _ := strings.Cut(s.Render("x"), "x")
	sgr = strings.TrimSuffix(strings.TrimPrefix(sgr, "\x1b["), "m")
	if s.GetUnderline() {
		sgr = strings.TrimSuffix(sgr, ";4") // it is said a second time at the end
	}
	return style(sgr)
}

// theme is every colour and emphasis of the screen. Meaning is never carried by colour alone:
// a mark, a word or a place says the same.
type theme struct {
	name string

	text   style // facts
	bright style // what the eye should find first
	muted  style // labels, what has not changed
	faint  style // rules, what may be ignored
	key    style // a key that can be pressed
	accent style // names of things in a request, links to flows
	verb   style // methods that change something
	safe   style // methods that do not
	good   style // accepted, proven
	warn   style // needs a look
	bad    style // refused

	str, num, word style // JSON: strings, numbers, literals

	brand   style // the name in the corner
	chip    style // the tab that is open
	badge   style // a confidence or a proof
	badgeLo style // a weak confidence

	rule style // SGR parameters of the lines between panes

	// Bases lie under a whole row.
	cursor    style // the row the keys act on, pane focused
	cursorOff style // the same, another pane focused
	refused   style // a refused request that changes something
	field     style // the field being edited
	box       style // a dialog
	// cursorBad is the cursor on a refused row: it replaces every style of the row.
	cursorBad    style
	cursorBadOff style
	mark         style // the character under the text cursor
	hit          style // a search hit
	cited        style // what the verdict quotes

	// frame is what a dialog stands in; its top row, with the title, is drawn apart.
	frame lipgloss.Style
}

// dark is drawn on a dark background, which stays the terminal's own; light when the terminal says
// that its background is light. Terminals of fewer colours get the nearest from the renderer.
var (
	dark  = sync.OnceValue(func() *theme { return coloured("dark", true) })
	light = sync.OnceValue(func() *theme { return coloured("light", false) })
)

// strongDark and strongLight have high contrast: 7:1 at least between every letter and
// its ground, where that is ours (WCAG 2.2, 1.4.6).
var (
	strongDark  = sync.OnceValue(func() *theme { return strong(true) })
	strongLight = sync.OnceValue(func() *theme { return strong(false) })
)

func strong(onDark bool) *theme {
	pick := lipgloss.LightDark(onDark)
	c := func(light, dark string) color.Color { return pick(lipgloss.Color(light), lipgloss.Color(dark)) }
	var (
		ink    = c("#000000", "#ffffff")
		paper  = c("#ffffff", "#000000")
		muted  = c("#303030", "#d0d0d0")
		amber  = c("#5a3a00", "#ffd75f")
		orange = c("#6b2a00", "#ffaf5f")
		cyan   = c("#00436b", "#5fffff")
		violet = c("#4b1a8c", "#e0b0ff")
		green  = c("#0b4a0b", "#87ff5f")
		red    = c("#8c0010", "#ff9b9b")
		raised = c("#d0d0d0", "#303030")
	)
	plain := lipgloss.NewStyle()
	bold := plain.Bold(true)
	fg := func(c color.Color) style { return prepare(plain.Foreground(c)) }
	strong := func(c color.Color) style { return prepare(bold.Foreground(c)) }
	on := func(ground, ink color.Color) style { return prepare(bold.Foreground(ink).Background(ground)) }
	box := c("#ffffff", "#000000")
	return &theme{
		name: "contrast",
		text: fg(ink), muted: fg(muted), faint: fg(muted), bright: strong(ink), key: strong(amber), accent: fg(cyan), verb: strong(violet), safe: fg(cyan),
		good: strong(green), warn: strong(amber), bad: strong(red), str: fg(green), num: fg(orange), word: fg(violet),
		brand: on(ink, paper), chip: on(ink, paper), badge: on(green, paper), badgeLo: on(amber, paper), rule: fg(muted),
		cursor: prepare(plain.Background(raised).Bold(true)), cursorOff: prepare(plain.Background(raised)),
		refused: prepare(plain.Underline(true).Bold(true)), field: prepare(plain.Background(raised)), box: prepare(plain.Background(box)),
		cursorBad: on(red, paper), cursorBadOff: prepare(bold.Foreground(paper).Background(red).Underline(true)),
		mark: prepare(plain.Reverse(true)), hit: on(amber, paper), cited: prepare(bold.Foreground(amber).Underline(true)),
		frame: framed(plain.Background(box)).BorderForeground(ink).BorderBackground(box),
	}
}

func coloured(name string, onDark bool) *theme {
	pick := lipgloss.LightDark(onDark)
	c := func(light, dark string) color.Color { return pick(lipgloss.Color(light), lipgloss.Color(dark)) }
	var (
		ink    = c("#343b58", "#a9b1d6")
		bright = c("#0f142d", "#e2e6fa")
		muted  = c("#686e8c", "#737aa2")
		faint  = c("#a0a5b9", "#54597a")
		paper  = c("#ffffff", "#1a1b26") // text on a bright ground
		amber  = c("#8f5e15", "#e0af68")
		orange = c("#b04e0a", "#ff9e64")
		cyan   = c("#006992", "#7dcfff")
		violet = c("#7847bd", "#bb9af7")
		blue   = c("#2e58b8", "#7aa2f7")
		green  = c("#38751c", "#9ece6a")
		red    = c("#be1e32", "#ff6b6b")
		dimRed = c("#cd5a64", "#c95d63")
		raised = c("#d0d5e6", "#2f3554")
	)
	plain := lipgloss.NewStyle()
	fg := func(c color.Color) style { return prepare(plain.Foreground(c)) }
	bg := func(c color.Color) style { return prepare(plain.Background(c)) }
	bold := plain.Bold(true)
	on := func(ground, ink color.Color) style { return prepare(bold.Foreground(ink).Background(ground)) }
	box := c("#eceef6", "#1f2335")
	return &theme{
		name: name,
		text: fg(ink), muted: fg(muted), faint: fg(faint), bright: prepare(bold.Foreground(bright)),
		key: prepare(bold.Foreground(amber)), accent: fg(cyan), verb: fg(violet), safe: fg(blue),
		good: fg(green), warn: fg(amber), bad: fg(red),
		str: fg(green), num: fg(orange), word: fg(violet),
		brand: on(blue, paper), chip: on(raised, bright), badge: on(green, paper), badgeLo: on(amber, paper),
		rule:   fg(faint),
		cursor: bg(raised), cursorOff: bg(c("#e2e5f0", "#24283b")),
		refused: bg(c("#fadee0", "#3e222b")), field: bg(c("#d6def4", "#282e49")), box: bg(box),
		cursorBad: on(red, paper), cursorBadOff: on(dimRed, paper),
		mark: prepare(plain.Reverse(true)), hit: on(amber, paper), cited: prepare(plain.Foreground(amber).Underline(true)),
		frame: framed(plain.Background(box)).BorderForeground(muted).BorderBackground(box),
	}
}

// plain is used under NO_COLOR and on terminals without colours: emphasis only.
var plain = sync.OnceValue(func() *theme {
	s := lipgloss.NewStyle()
	bold, under := prepare(s.Bold(true)), prepare(s.Underline(true))
	reverse := prepare(s.Reverse(true))
	return &theme{
		name:   "plain",
		bright: bold, key: bold, bad: bold, verb: bold, refused: bold,
		badge: reverse, badgeLo: reverse, brand: reverse, chip: reverse, mark: reverse, hit: reverse, cited: under,
		cursor: reverse, cursorOff: under, field: under,
		cursorBad: prepare(s.Bold(true).Reverse(true)), cursorBadOff: prepare(s.Bold(true).Underline(true)),
		frame: framed(s),
	}
})

func framed(s lipgloss.Style) lipgloss.Style {
	return s.Border(lipgloss.RoundedBorder()).BorderTop(false).Padding(0, 1)
}
