package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/paste"
	"github.com/why403/why403/flow/session"
)

// maxPaste bounds what is read as a request when it is pasted, in bytes.
const maxPaste = 1 << 20

// newRequest opens the editor on a request to the host under the cursor that nobody has sent yet.
func (m *model) newRequest() {
	if m.o.Sender == nil {
		m.say(false, noSender)
		return
	}
	f := &flow.Flow{Scheme: "https", Request: &flow.Message{Proto: "HTTP/1.1", Method: "GET", Target: "/"}}
	if r := m.list.current(); r != nil && r.Kind == flow.Exchange && r.Authority != "" {
		f.Scheme, f.Authority = r.Scheme, r.Authority
	}
	h := &f.Request.Header
	h.Add("Host", f.Authority)
	h.Add("User-Agent", "why403")
	h.Add("Accept", "*/*")
	m.editor = newEditor(f, nil, session.Row{}, nil, compare{})
	m.editor.at = fieldID{part: partURL}
	m.editor.veil = m.veil
	m.arrange()
}

// pasteRequest opens the editor on a request that was pasted as a curl command or as in a .http
// file. It becomes a flow when it is sent. Files that it names are not read.
func (m *model) pasteRequest(text string) tea.Cmd {
	text = strings.ReplaceAll(text, "\r", "\n") // as terminals send line breaks
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case !paste.Looks(text):
		m.say(false, "paste a curl command or a .http request here, to edit and send it")
		return nil
	case m.o.Sender == nil:
		m.say(false, noSender)
		return nil
	case len(text) > maxPaste:
		m.say(false, "that is too long to be pasted; write it into a file, and why403 replay sends it")
		return nil
	}
	flows, warnings, err := paste.Read(text, paste.Options{})
	if err != nil {
		m.fail("paste", err)
		return nil
	}
	f := flows[0]
	f.ID = 0
	m.editor = newEditor(f, f.Request.Body.Data, session.Row{}, nil, compare{})
	m.editor.veil, m.editor.pasted = m.veil, true
	m.arrange()
	if len(flows) > 1 {
		warnings = append(warnings, "the first of "+count(int64(len(flows)))+" requests was taken")
	}
	if len(warnings) > 0 {
		m.say(false, warnings[0])
	}
	return nil
}
