package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/why403/why403/ui/safe"
)

// input is one line of text being edited. It holds bytes as they are: what was not touched leaves as
// it came, and what cannot be shown is shown escaped.
type input struct {
	s    string
	at   int  // byte offset of the cursor, on a rune boundary
	left int  // cells scrolled out of view
	all  bool // all of it is selected: what is typed takes its place
}

func newInput(s string) input { return input{s: s, at: len(s)} }

func (f *input) set(s string) { f.s, f.at, f.left, f.all = s, len(s), 0, false }

// selectAll selects what there is, as a browser's address bar does when it is gone to.
func (f *input) selectAll() { f.all = f.s != "" }

// key handles a key; false means that it is none of an input's.
func (f *input) key(name, text string) bool {
	if f.all && f.overSelected(name, text) {
		return true
	}
	switch name {
	case "left", "ctrl+b":
		f.at -= f.before()
	case "right", "ctrl+f":
		f.at += f.after()
	case "home", "ctrl+a":
		f.at = 0
	case "end":
		f.at = len(f.s)
	case "backspace", "ctrl+h":
		n := f.before()
		f.s = f.s[:f.at-n] + f.s[f.at:]
		f.at -= n
	case "delete":
		f.s = f.s[:f.at] + f.s[f.at+f.after():]
	case "ctrl+w", "alt+backspace":
		i := wordStart(f.s, f.at)
		f.s, f.at = f.s[:i]+f.s[f.at:], i
	case "alt+left", "ctrl+left", "alt+b":
		f.at = wordStart(f.s, f.at)
	case "alt+right", "ctrl+right":
		f.at = wordEnd(f.s, f.at)
	case "ctrl+u":
		f.s, f.at = f.s[f.at:], 0
	case "ctrl+k":
		f.s = f.s[:f.at]
	default:
		if text == "" {
			return false
		}
		f.insert(text)
	}
	return true
}

// overSelected handles a key while all is selected; false means that it does what it does otherwise.
func (f *input) overSelected(name, text string) bool {
	switch name {
	case "backspace", "ctrl+h", "delete":
		f.set("")
	case "left":
		f.at = 0
	case "right":
		f.at = len(f.s)
	case "ctrl+b", "ctrl+f", "home", "ctrl+a", "end", "ctrl+w", "alt+backspace", "alt+left", "ctrl+left", "alt+b", "alt+right", "ctrl+right", "ctrl+u", "ctrl+k":
		f.all = false
		return false
	default:
		if text == "" {
			return false
		}
		f.set("")
		f.insert(text)
	}
	f.all = false
	return true
}

// insert puts text at the cursor; line breaks of a paste are left out.
func (f *input) insert(text string) {
	text = strings.NewReplacer("\r\n", "", "\n", "", "\r", "").Replace(text)
	f.s = f.s[:f.at] + text + f.s[f.at:]
	f.at += len(text)
}

func (f *input) before() int {
	_, n := utf8.DecodeLastRuneInString(f.s[:f.at])
	return n
}

func (f *input) after() int {
	_, n := utf8.DecodeRuneInString(f.s[f.at:])
	return n
}

// draw draws w cells of the input; with the cursor if it is focused.
func (f *input) draw(th *theme, l *line, s style, w int, focused bool) {
	w = min(w, l.room())
	if w <= 0 {
		return
	}
	if !focused {
		f.left = 0
		l.left(s, safe.Of(f.s), w)
		return
	}
	head, under, tail := safe.Of(f.s[:f.at]), safe.Of(" "), safe.Text{}
	if n := f.after(); n > 0 {
		under, tail = safe.Of(f.s[f.at:f.at+n]), safe.Of(f.s[f.at+n:])
	}
	if head.Width() < f.left {
		f.left = head.Width()
	}
	if over := head.Width() + under.Width() - f.left - w; over > 0 {
		f.left += over
	}
	start := l.w
	if f.all {
		s = th.mark
	}
	l.text(s, head.Skip(f.left).Head(w))
	l.text(th.mark, under.Head(w-(l.w-start)))
	l.text(s, tail.Head(w-(l.w-start)))
	if l.w < start+w {
		l.sgr("")
	}
	l.trail = len(l.b)
	l.to(start + w)
}

func wordStart(s string, i int) int {
	for i > 0 && !wordRune(s[:i], true) {
		_, n := utf8.DecodeLastRuneInString(s[:i])
		i -= n
	}
	for i > 0 && wordRune(s[:i], true) {
		_, n := utf8.DecodeLastRuneInString(s[:i])
		i -= n
	}
	return i
}

func wordEnd(s string, i int) int {
	for i < len(s) && !wordRune(s[i:], false) {
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
	for i < len(s) && wordRune(s[i:], false) {
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
	return i
}

func wordRune(s string, last bool) bool {
	r, _ := utf8.DecodeRuneInString(s)
	if last {
		r, _ = utf8.DecodeLastRuneInString(s)
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
}
