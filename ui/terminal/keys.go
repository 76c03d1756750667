package terminal

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// sequences are what keys send that have no character of their own (xterm, "PC-style function keys").
var sequences = map[string]string{
	"enter": "\r", "esc": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " ", "backspace": "\x7f", "delete": "\x1b[3~",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "pgup": "\x1b[5~", "pgdown": "\x1b[6~",
	"alt+up": "\x1b[1;3A", "alt+down": "\x1b[1;3B", "f5": "\x1b[15~",
}

// Key is what a terminal sends for a key: by its name, with ctrl+ before a letter, else as it is.
func Key(name string) string {
	if seq, ok := sequences[name]; ok {
		return seq
	}
	if c, ok := strings.CutPrefix(name, "ctrl+"); ok && len(c) == 1 {
		return string(c[0] & 0x1f)
	}
	return name
}

func width(s string) int { return ansi.StringWidth(s) }
