package ui

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// editedMsg is a body that came back from $EDITOR.
type editedMsg struct {
	editor *editor
	data   []byte
	err    error
}

// external opens the body in $EDITOR, by a file of ours that is removed afterwards.
func (m *model) external() tea.Cmd {
	e := m.editor
	if e.held != nil && e.noBody != "" {
		m.say(false, e.noBody)
		return nil
	}
	path, err := private(m.o.Dir, "body-*"+extension(e), e.content())
	if err != nil {
		m.fail("$EDITOR", err)
		return nil
	}
	was := e.content()
	return m.edit(path, func(data []byte, err error) tea.Msg { return editedMsg{e, unended(was, data), err} })
}

// edit opens a file of ours in $EDITOR, and takes what it holds afterwards; the file is removed.
// What is held is kept waiting meanwhile.
func (m *model) edit(path string, edited func(data []byte, err error) tea.Msg) tea.Cmd {
	argv := editorCommand(m.o.Getenv)
	done := make(chan struct{})
	run := tea.ExecProcess(exec.Command(argv[0], append(argv[1:], path)...), func(err error) tea.Msg {
		defer close(done)
		defer os.Remove(path)
		if err != nil {
			return edited(nil, fmt.Errorf("%s: %w", argv[0], err))
		}
		return edited(os.ReadFile(path))
	})
	return tea.Batch(m.besideEditor(done), run)
}

func (m *model) edited(msg editedMsg) tea.Cmd {
	m.now = m.o.Now()
	m.atWork()
	e := msg.editor
	if msg.err != nil {
		m.fail("$EDITOR", msg.err)
		return nil
	}
	if e != m.editor || bytes.Equal(msg.data, e.content()) {
		return nil
	}
	e.keep()
	e.asText = len(msg.data) <= editLimit && utf8.Valid(msg.data) && isText(msg.data)
	if e.asText {
		e.body, e.bytes = newArea(string(msg.data)), nil
	} else {
		e.bytes = msg.data
	}
	e.problem = ""
	return nil
}

// unended takes back the line end that most editors put behind the last line, if there was none.
func unended(was, is []byte) []byte {
	if len(was) > 0 && !bytes.HasSuffix(was, []byte("\n")) && bytes.HasSuffix(is, []byte("\n")) {
		return bytes.TrimSuffix(bytes.TrimSuffix(is, []byte("\n")), []byte("\r"))
	}
	return is
}

// editorCommand is the user's editor with its arguments.
func editorCommand(getenv func(string) string) []string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if argv := strings.Fields(getenv(name)); len(argv) > 0 {
			return argv
		}
	}
	if runtime.GOOS == "windows" {
		return []string{"notepad"}
	}
	return []string{"vi"}
}

// extension lets the editor know what it is looking at.
func extension(e *editor) string {
	for i := range e.heads {
		if strings.EqualFold(e.heads[i].name.s, "Content-Type") && strings.Contains(e.heads[i].value.s, "json") {
			return ".json"
		}
	}
	return ".txt"
}

// private writes data to a new file in dir that only its owner may read.
func private(dir, pattern string, data []byte) (string, error) {
	f, err := os.CreateTemp(dir, "why403-"+pattern) // 0600, created exclusively
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return filepath.Clean(f.Name()), nil
}
