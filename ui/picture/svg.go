// Package picture makes an SVG of a frame of the screen: text with SGR sequences (ECMA-48, 8.3.117),
// as the model draws it and as package terminal reads it.
package picture

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Cell is the size of a character in units of the picture; the font is 0.6 em wide, as monospaced fonts are.
const (
	cellWidth  = 8.4
	cellHeight = 18.0
	fontSize   = 14.0
	margin     = 12.0
)

// Colours of a terminal that has set none.
const (
	background = "#1a1b26"
	foreground = "#a9b1d6"
)

// base16 are the sixteen colours that a theme of the terminal sets.
var base16 = [16]string{
	"#15161e", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#a9b1d6",
	"#414868", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#c0caf5",
}

// look is how a run of characters is drawn.
type look struct {
	fg, bg                         string // "" is the terminal's own
	bold, faint, underline, invert bool
}

// SVG draws frame, rows separated by line feeds, with title as its accessible name.
func SVG(frame, title string) string {
	rows := strings.Split(strings.TrimSuffix(frame, "\n"), "\n")
	cols := 0
	for _, r := range rows {
		cols = max(cols, ansi.StringWidth(r))
	}
	w, h := 2*margin+float64(cols)*cellWidth, 2*margin+float64(len(rows))*cellHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.1f %.1f" role="img" aria-label="%s">`+"\n", w, h, w, h, escape(title))
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(title))
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	fmt.Fprintf(&b, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%.0f" xml:space="preserve">`+"\n", fontSize)
	var style look
	for y, r := range rows {
		style = line(&b, r, y, style)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// line draws a row and returns the style that goes on in the next one.
func line(b *strings.Builder, row string, y int, style look) look {
	x := 0
	for row != "" {
		if p, rest, ok := sgr(row); ok {
			style.set(p)
			row = rest
			continue
		}
		n := strings.IndexByte(row, 0x1b)
		switch {
		case n < 0:
			n = len(row)
		case n == 0: // no SGR: not for a picture
			_, _, n, _ = ansi.DecodeSequence(row, ansi.NormalState, nil)
			row = row[max(n, 1):]
			continue
		}
		cells := ansi.StringWidth(row[:n])
		run(b, row[:n], x, y, cells, style)
		x += cells
		row = row[n:]
	}
	return style
}

// run draws text of one style. Its length is given, so that any font keeps the columns.
func run(b *strings.Builder, text string, x, y, cells int, s look) {
	fg, bg := s.fg, s.bg
	if s.invert {
		fg, bg = or(bg, background), or(fg, foreground)
	}
	left, top := margin+float64(x)*cellWidth, margin+float64(y)*cellHeight
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", left, top, float64(cells)*cellWidth, cellHeight, bg)
	}
	lead := len(text) - len(strings.TrimLeft(text, " "))
	text = strings.Trim(text, " ")
	if text == "" {
		return
	}
	left += float64(lead) * cellWidth
	attrs := ""
	if s.bold {
		attrs += ` font-weight="bold"`
	}
	if s.underline {
		attrs += ` text-decoration="underline"`
	}
	if s.faint {
		attrs += ` opacity="0.6"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs" fill="%s"%s>%s</text>`+"\n",
		left, top+fontSize, float64(ansi.StringWidth(text))*cellWidth, or(fg, foreground), attrs, escape(strings.ReplaceAll(text, "  ", "\u00a0\u00a0"))) // several spaces are one in a picture that is part of a page
}

// sgr takes an SGR sequence off the beginning of s.
func sgr(s string) (params []int, rest string, ok bool) {
	if !strings.HasPrefix(s, "\x1b[") {
		return nil, s, false
	}
	end := strings.IndexFunc(s[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
	if end < 0 || s[2+end] != 'm' {
		return nil, s, false
	}
	for p := range strings.FieldsFuncSeq(s[2:2+end], func(r rune) bool { return r == ';' || r == ':' }) {
		n, _ := strconv.Atoi(p)
		params = append(params, n)
	}
	if params == nil {
		params = []int{0}
	}
	return params, s[3+end:], true
}

func (s *look) set(p []int) {
	for i := 0; i < len(p); i++ {
		switch n := p[i]; {
		case n == 0:
			*s = look{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.faint = true
		case n == 4:
			s.underline = true
		case n == 7:
			s.invert = true
		case n == 22:
			s.bold, s.faint = false, false
		case n == 24:
			s.underline = false
		case n == 27:
			s.invert = false
		case n == 39:
			s.fg = ""
		case n == 49:
			s.bg = ""
		case n >= 30 && n <= 37:
			s.fg = base16[n-30]
		case n >= 40 && n <= 47:
			s.bg = base16[n-40]
		case n >= 90 && n <= 97:
			s.fg = base16[n-82]
		case n >= 100 && n <= 107:
			s.bg = base16[n-92]
		case n == 38 || n == 48:
			colour := ""
			switch {
			case i+4 < len(p) && p[i+1] == 2:
				colour = fmt.Sprintf("#%02x%02x%02x", p[i+2]&255, p[i+3]&255, p[i+4]&255)
				i += 4
			case i+2 < len(p) && p[i+1] == 5:
				colour = indexed(p[i+2])
				i += 2
			}
			if n == 38 {
				s.fg = colour
			} else {
				s.bg = colour
			}
		}
	}
}

// indexed is a colour of the 256 that xterm numbers.
func indexed(n int) string {
	switch {
	case n < 16:
		return base16[max(n, 0)]
	case n < 232:
		level := func(v int) int {
			if v == 0 {
				return 0
			}
			return 55 + 40*v
		}
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
	}
	grey := 8 + 10*(min(n, 255)-232)
	return fmt.Sprintf("#%02x%02x%02x", grey, grey, grey)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// escape makes s text of XML, which has no control characters.
func escape(s string) string {
	return entities.Replace(strings.Map(func(r rune) rune {
		if r < 0x20 {
			return -1
		}
		return r
	}, s))
}
