package ui

import (
	"runtime"

	tea "charm.land/bubbletea/v2"
	"github.com/atotto/clipboard"
)

// Clipboard is the clipboard of this machine.
type Clipboard interface {
	// Local reports whether text put there can be pasted by the person at the screen.
	Local() bool
	Write(text string) error
}

// systemClipboard is the clipboard of the desktop that the program runs on.
type systemClipboard struct{ getenv func(string) string }

// Local is false over SSH, where the clipboard is another machine's, and without a desktop.
func (c systemClipboard) Local() bool {
	if c.getenv("SSH_CONNECTION") != "" || c.getenv("SSH_TTY") != "" || clipboard.Unsupported {
		return false
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	return c.getenv("DISPLAY") != "" || c.getenv("WAYLAND_DISPLAY") != "" || c.getenv("WSL_DISTRO_NAME") != "" || c.getenv("TERMUX_VERSION") != ""
}

func (c systemClipboard) Write(text string) error { return clipboard.WriteAll(text) }

// clipLimit is the size in bytes above which a copy goes to a file: terminals drop longer OSC 52.
const clipLimit = 64 << 10

// copyText takes text away: by the clipboard of this machine, else through the terminal, else by a
// file. The message says which way, for through a terminal it may leave the machine.
func (m *model) copyText(what, text string) tea.Cmd {
	if text == "" {
		m.say(false, what+": there is nothing to copy")
		return nil
	}
	clip, dir := m.o.Clipboard, m.o.Dir
	file := func() tea.Msg {
		path, err := private(dir, "copy-*.txt", []byte(text))
		if err != nil {
			return toastMsg{false, "copy: " + err.Error()}
		}
		return toastMsg{true, what + ": " + size(int64(len(text))) + ", too long for the clipboard, are in " + path}
	}
	terminal := func() tea.Msg {
		if len(text) > clipLimit {
			return file()
		}
		return tea.BatchMsg{
			tea.SetClipboard(text),
			func() tea.Msg {
				return toastMsg{true, what + " copied through the terminal (OSC 52), to where it runs"}
			},
		}
	}
	return m.crew.cmd(func() tea.Msg {
		if !clip.Local() {
			return terminal()
		}
		if err := clip.Write(text); err != nil {
			return terminal()
		}
		return toastMsg{true, what + " copied"}
	})
}
