package picture

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		want        []string
	}{
		{"text at its place", "  hi", []string{`<text x="28.8" y="26.0" textLength="16.8" lengthAdjust="spacingAndGlyphs" fill="#a9b1d6">hi</text>`}},
		{"second row", "a\nb", []string{`y="44.0"`}},
		{"true colour and bold", "\x1b[1;38;2;255;107;107mno\x1b[m", []string{`fill="#ff6b6b" font-weight="bold">no`}},
		{"colons as tmux prints them", "\x1b[38:2:1:2:3mx", []string{`fill="#010203"`}},
		{"background", "\x1b[48;2;1;2;3m  \x1b[m", []string{`width="16.8" height="18.0" fill="#010203"`}},
		{"inverted", "\x1b[7mx\x1b[27m", []string{`fill="#a9b1d6"/>`, `fill="#1a1b26">x`}},
		{"sixteen and 256 colours", "\x1b[31ma\x1b[38;5;196mb\x1b[38;5;244mc", []string{`fill="#f7768e">a`, `fill="#ff0000">b`, `fill="#808080">c`}},
		{"a style goes on in the next row", "\x1b[31ma\nb", []string{`fill="#f7768e">b`}},
		{"markup is text", "<script>&\"", []string{"&lt;script&gt;&amp;&quot;"}},
		{"several spaces stay several", "a   b c", []string{">a\u00a0\u00a0 b c</text>"}},
		{"wide characters", "注x", []string{`textLength="25.2"`}},
		{"other sequences are left out", "\x1b]0;t\x07x", []string{"x</text>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := SVG(c.frame, `a "title"`)
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("no %s in\n%s", w, got)
				}
			}
			for d := xml.NewDecoder(strings.NewReader(got)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("no XML: %v", err)
				}
			}
		})
	}
}
