package terminal

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestEmulator(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"text and line ends", "ab\r\ncd", "ab\ncd"},
		{"places", "\x1b[2;3Hx\x1b[1;1Hy\x1b[Az\x1b[5Dq", "qz\n  x"},
		{"at the right edge", "abcdefghij\x1b[Kk", "abcdefghij\nk"},
		{"wide characters", "注文\x1b[1;2Hx", " x文"},
		{"erase", "abcdef\x1b[1;3H\x1b[K\r\nxyz\x1b[1Jw", "\n   w"},
		{"insert, delete, erase characters", "abcdef\x1b[1;2H\x1b[2@\x1b[1;5H\x1b[P\x1b[1;1H\x1b[X", "   bdef"},
		{"scrolling at the end", "1\r\n2\r\n3\r\n4\r\n5", "2\n3\n4\n5"},
		{"a region", "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n\x1b[rX", "X\n3\n\n4"},
		{"reverse index", "1\r\n2\x1b[H\x1bM0", "0\n1\n2"},
		{"lines put in and taken out", "1\r\n2\r\n3\x1b[2;1H\x1b[L\x1b[1;1H\x1b[M", "\n2\n3"},
		{"tabs", "a\tb\x1b[Zc", "a       c"},
		{"a title and modes say nothing", "\x1b]0;x\x07\x1b[?1049h\x1b[?25la\x1bP1$r0m\x1b\\b", "ab"},
	} {
		for _, step := range []int{1, 3, 100} { // however it arrives
			e := New(10, 4)
			for s := c.in; s != ""; {
				n := min(step, len(s))
				if _, err := e.Write([]byte(s[:n])); err != nil {
					t.Fatal(err)
				}
				s = s[n:]
			}
			if got := strings.TrimRight(e.Screen(), "\n"); got != c.want {
				t.Errorf("%s, in pieces of %d: %q, want %q", c.name, step, got, c.want)
			}
			if got := ansi.Strip(e.Frame()); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(e.Screen(), " ", "") {
				t.Errorf("%s: the frame holds other words: %q", c.name, got)
			}
		}
	}
}

func TestStylesAndClipboard(t *testing.T) {
	e := New(6, 1)
	if _, err := e.Write([]byte("a\x1b[1;38;2;1;2;3mb\x1b[48;5;9mc\x1b[0;4md\x1b[me\x1b]52;c;aGk=\x07")); err != nil {
		t.Fatal(err)
	}
	if got, want := e.Frame(), "a\x1b[0;1;38;2;1;2;3mb\x1b[0;1;38;2;1;2;3;48;5;9mc\x1b[0;4md\x1b[0me "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if e.Clipboard() != "hi" {
		t.Errorf("the clipboard holds %q", e.Clipboard())
	}
}
