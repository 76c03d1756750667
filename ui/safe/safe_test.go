package safe

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

func TestOf(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"printable ASCII stays", "GET /a?b=c", "GET /a?b=c"},
		{"escape sequence", "\x1b[2J", `\x1b[2J`},
		{"line ends and tab", "a\r\n\tb", `a\r\n\tb`},
		{"C1 as UTF-8", "\u009b31m", `\u{9b}31m`},
		{"C1 as a lone byte", "\x9b31m", `\x9b31m`},
		{"bidi override", "a\u202egpj.exe", `a\u{202e}gpj.exe`},
		{"bidi isolate", "\u2066x\u2069", `\u{2066}x\u{2069}`},
		{"zero width space", "ad\u200bmin", `ad\u{200b}min`},
		{"byte order mark", "\ufeff{}", `\u{feff}{}`},
		{"no-break space in a token", "Bearer\u00a0x", `Bearer\u{a0}x`},
		{"soft hyphen", "to\u00adken", `to\u{ad}ken`},
		{"invalid UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"overlong and surrogate", "\xc0\xaf\xed\xa0\x80", `\xc0\xaf\xed\xa0\x80`},
		{"tag characters", "x\U000e0041", `x\u{e0041}`},
		{"umlaut, composed", "Grüße", "Grüße"},
		{"umlaut, decomposed", "u\u0308", "u\u0308"},
		{"a lone mark has nothing to stand on", "\u0308a", `\u{308}a`},
		{"marks that climb", "a" + strings.Repeat("\u0301", 9), `a` + strings.Repeat(`\u{301}`, 9)},
		{"wide", "注文 ok", "注文 ok"},
		{"emoji", "ok 🙂.", "ok 🙂."},
		{"emoji that terminals measure differently", "👨\u200d👩", `👨\u{200d}👩`},
		{"variation selector", "❤\ufe0f", `❤\u{fe0f}`},
		{"replacement character that was sent", "\ufffd", "\ufffd"},
		{"NUL", "a\x00b", `a\x00b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Of(c.in)
			if got.String() != c.want {
				t.Errorf("Of(%+q) = %+q, want %+q", c.in, got.String(), c.want)
			}
			wide(t, got)
		})
	}
}

// Every byte, alone and between letters, and every character that has a reputation.
func TestNothingGetsThrough(t *testing.T) {
	for b := range 256 {
		for _, s := range []string{string([]byte{byte(b)}), "a" + string([]byte{byte(b)}) + "b", "é" + string([]byte{byte(b)}) + "é"} {
			inert(t, Of(s))
		}
	}
	for r := rune(0); r <= 0x10ffff; r++ {
		if r == 0x3400 {
			r = 0xa000 // ideographs
		}
		if r == 0xac00 {
			r = 0xe000 // syllables, surrogates
		}
		if r == 0x20000 {
			r = 0xe0000
		}
		inert(t, Of("a"+string(r)+"b"))
	}
}

func FuzzOf(f *testing.F) {
	f.Add("👨\u200d👩\x1b]0;x\x07\u202e")
	f.Add("\xf0\x9f\u0300\U0001f1e9\U0001f1ea")
	f.Fuzz(func(t *testing.T, s string) {
		got := Of(s)
		inert(t, got)
		wide(t, got)
		for w := range min(got.Width()+2, 40) {
			back := Text{}
			for i, p := range got.Fold(w, w+2) {
				if p.Width() > w+2 || i == 0 && p.Width() > w {
					t.Errorf("Fold(%d) of %+q has a part of %d cells", w, s, p.Width())
				}
				wide(t, p)
				back = Join(back, p)
			}
			if back != got {
				t.Errorf("Fold(%d) of %+q lost something", w, s)
			}
			if c := got.Cut(w); c.Width() > w {
				t.Errorf("Cut(%d) of %+q is %d cells", w, s, c.Width())
			}
			if k := got.Skip(w); k.Width() != max(0, got.Width()-w) {
				t.Errorf("Skip(%d) of %+q is %d cells of %d", w, s, k.Width(), got.Width())
			}
		}
	})
}

func TestCutting(t *testing.T) {
	for _, c := range []struct {
		in       string
		w        int
		cut, skp string
	}{
		{"abcdef", 4, "abc…", "ef"},
		{"abc", 3, "abc", ""},
		{"注文注文", 4, "注…", "注文"},
		{"注文注文", 3, "注…", " 注文"},
		{"abc", 0, "", "abc"},
	} {
		x := Of(c.in)
		if got := x.Cut(c.w).String(); got != c.cut {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.w, got, c.cut)
		}
		if got := x.Skip(c.w).String(); got != c.skp {
			t.Errorf("Skip(%q, %d) = %q, want %q", c.in, c.w, got, c.skp)
		}
	}
}

func inert(t *testing.T, x Text) {
	t.Helper()
	if !utf8.ValidString(x.String()) {
		t.Fatalf("not UTF-8: %+q", x.String())
	}
	for _, r := range x.String() {
		if hidden(r) {
			t.Fatalf("%+q reached the screen in %+q", r, x.String())
		}
	}
}

func wide(t *testing.T, x Text) {
	t.Helper()
	if g, w := ansi.StringWidth(x.String()), ansi.StringWidthWc(x.String()); g != x.Width() || w != x.Width() {
		t.Errorf("%+q: width %d, by cluster %d, by character %d", x.String(), x.Width(), g, w)
	}
}

func BenchmarkOf(b *testing.B) {
	for _, s := range []string{"/v1/orders/88?expand=items", "/v1/注文/88?a=🙂"} {
		b.Run(fmt.Sprint(len(s)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Of(s)
			}
		})
	}
}
