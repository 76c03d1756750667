package ui

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// leftOut stands before a header line that is not sent. No name of a field begins like that (RFC 9110, 5.1).
const leftOut = "// "

// rawText is the message of a form as one text: "METHOD URL" (of an answer its
// status and reason), the header lines, an empty line and the body. A body that
// is not edited on the screen is not in it.
type rawText struct {
	area
	was    string   // as the form gave it
	undo   []string // bounded by rawUndo
	typing bool     // the last change was a letter: one step back takes a word
}

const rawUndo = 100

// text is the form as a raw text.
func (g *form) text() string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(g.method.s+" "+g.url.s, " ") + "\n")
	for i := range g.heads {
		h := &g.heads[i]
		if h.off {
			b.WriteString(leftOut)
		}
		b.WriteString(h.name.s + ": " + h.shown(g) + "\n")
	}
	if g.asText {
		b.WriteString("\n" + g.body.s)
	}
	return b.String()
}

// shown is the value of a header as it would be sent.
func (h *head) shown(g *form) string {
	if h.auto && !h.off {
		return strconv.Itoa(len(g.content()))
	}
	return h.value.s
}

// lineError is what is wrong in a line of a raw text.
type lineError struct {
	line int // from 1
	text string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// reads takes text into the form. Header lines that were there keep what is
// known of them, so that what was not touched is sent byte for byte. At an error the form is as it was.
func (g *form) reads(text string, answer bool) error {
	headText, body, hasBody := strings.Cut(text, "\n\n")
	if crlf, rest, ok := strings.Cut(text, "\r\n\r\n"); ok && len(crlf) < len(headText) {
		headText, body, hasBody = crlf, rest, true
	}
	lines := strings.Split(strings.TrimRight(headText, "\r\n"), "\n")
	first, rest, _ := strings.Cut(strings.TrimRight(lines[0], "\r"), " ")
	rest = strings.TrimSpace(rest)
	if !answer {
		for _, proto := range []string{" HTTP/1.1", " HTTP/1.0", " HTTP/2", " HTTP/2.0"} {
			rest = strings.TrimSuffix(rest, proto)
		}
		switch {
		case first == "" || strings.Contains(first, ":"):
			return &lineError{1, "METHOD and URL are wanted here, such as POST https://api.example.com/orders"}
		case rest == "" || strings.ContainsAny(rest, " \t"):
			return &lineError{1, "a URL without spaces is wanted behind " + first}
		}
		if _, _, _, err := splitURL(rest); err != nil {
			return &lineError{1, err.Error()}
		}
	} else if n, err := strconv.Atoi(first); err != nil || n < 200 || n > 599 {
		return &lineError{1, "a status from 200 to 599 is wanted here, such as 403 Forbidden"}
	}
	old := slices.Clone(g.heads)
	var heads []head
	for i, line := range lines[1:] {
		line = strings.TrimRight(line, "\r")
		given, off := strings.CutPrefix(line, strings.TrimRight(leftOut, " "))
		if off {
			line = strings.TrimLeft(given, " ")
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		switch {
		case !ok:
			return &lineError{i + 2, "\"Name: value\" is wanted here; an empty line ends the header"}
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return &lineError{i + 2, fmt.Sprintf("%q is no name of a field", name)}
		}
		h := head{name: newInput(name), value: newInput(value), off: off}
		at := slices.IndexFunc(old, func(o head) bool { return o.name.s == name && (o.shown(g) == value || o.value.s == value) })
		if at < 0 { // another value of the same line
			at = slices.IndexFunc(old, func(o head) bool { return o.name.s == name })
			if at >= 0 {
				h.orig = old[at].orig
			}
		} else {
			h.orig, h.from, h.auto = old[at].orig, old[at].from, old[at].auto
			if h.auto {
				h.value = old[at].value
			}
		}
		if at >= 0 {
			old = slices.Delete(old, at, at+1)
		}
		heads = append(heads, h)
	}
	g.method.set(first)
	g.url.set(rest)
	g.heads = heads
	switch {
	case hasBody:
		g.asText = len(body) <= editLimit && utf8.ValidString(body) && isText([]byte(body))
		g.body, g.bytes = area{}, nil
		if g.asText {
			g.body = newArea(body)
		} else {
			g.bytes = []byte(body)
		}
	case g.asText:
		g.body = newArea("")
	}
	return nil
}

// toRaw shows the form as one text.
func (e *editor) toRaw() {
	r := &rawText{was: e.form.text()}
	r.area = newArea(r.was)
	e.raw = r
}

// fromRaw brings the form up to what the raw text says, if one is open; false: it cannot be read, which is told.
func (e *editor) fromRaw() bool {
	if e.raw == nil || e.raw.s == e.raw.was {
		return true
	}
	before := e.form.copy()
	if err := e.form.reads(e.raw.s, e.answers); err != nil {
		e.problem = err.Error()
		return false
	}
	e.undo = append(e.undo, before)
	e.raw.was = e.raw.s
	e.problem = ""
	return true
}

// toggleRaw goes from the form to the text, or back.
func (e *editor) toggleRaw() {
	switch {
	case e.raw == nil:
		e.toRaw()
	case e.fromRaw():
		e.raw = nil
		e.at = fieldID{partHeader, 0, 1}
		if len(e.heads) == 0 {
			e.at = fieldID{part: partURL}
		}
	}
}

// key handles a key in the text.
func (r *rawText) key(name, text string) {
	was, at := r.s, r.at
	r.area.key(name, text)
	if r.s == was {
		r.typing = false
		return
	}
	letter := name != "enter" && text != "" && text != " " && r.at > at
	if !letter || !r.typing {
		r.keep(was)
	}
	r.typing = letter
}

func (r *rawText) keep(was string) {
	r.undo = append(r.undo, was)
	if len(r.undo) > rawUndo {
		r.undo = r.undo[1:]
	}
}

func (r *rawText) insert(text string) {
	r.keep(r.s)
	r.area.insert(text)
	r.typing = false
}

func (r *rawText) takeBack() {
	if n := len(r.undo); n > 0 {
		r.s = r.undo[n-1]
		r.undo = r.undo[:n-1]
		r.at, r.goal, r.rows = min(r.at, len(r.s)), -1, nil
		for r.at > 0 && r.at < len(r.s) && !utf8.RuneStart(r.s[r.at]) {
			r.at--
		}
	}
}

// rawKey routes a key while the text is open; false: it is for the form's keys.
func (m *model) rawKey(a action, name, text string) bool {
	e := m.editor
	switch a {
	case editUndo:
		e.raw.takeBack()
	case editNext, editPrev, editAdd, editDouble, editDelete, editToggle, editRaise, editLower:
		if name != "tab" {
			m.say(false, string(nameOf(a))+" is for the form: "+string(keyOf(editRaw))+" goes back to it")
			return true
		}
		e.raw.insert("\t")
	case editTake, editReset:
		if a == editTake && !e.fromRaw() {
			return true
		}
		e.raw = nil
		m.say(true, "back in the form")
		return false
	case none:
		if name == "ctrl+c" {
			return false
		}
		e.raw.key(name, text)
	default:
		return false
	}
	return true
}

// rawView draws the text with what is wrong in it.
func (e *editor) rawView(th *theme, w, h int) []string {
	out := make([]string, 0, h)
	for _, r := range e.raw.view(th, w-2, h-2, true) {
		out = append(out, " "+r+" ")
	}
	return fill(append(fill(out, w, h-2), blank(w), e.rawState(th, w)), w, h)
}

// rawState is the row that says whether the text can be sent.
func (e *editor) rawState(th *theme, w int) string {
	l := row(w).gap(1)
	g := e.form.copy()
	if err := g.reads(e.raw.s, e.answers); err != nil {
		return l.put(th.bad, signNo+" ").text(th.warn, safe.Of(err.Error())).end()
	}
	l.put(th.good, signYes+" head")
	if data := g.content(); len(data) > 0 {
		l.gap(2).text(th.muted, safe.Of("body "+size(int64(len(data)))))
		if media, _ := decode.ParseMediaType(g.media()); decode.IsJSON(media) {
			if _, err := decode.ParseJSON(data); err != nil {
				l.gap(2).put(th.bad, signNo+" ").text(th.warn, safe.Of("no valid JSON: "+err.Error()))
			} else {
				l.gap(2).put(th.good, signYes+" JSON")
			}
		}
		if !g.asText {
			l.put(th.muted, ", sent as it is")
		}
	}
	for i := range g.heads {
		if g.heads[i].auto {
			l.gap(2).put(th.muted, "Content-Length follows the body")
		}
	}
	for i := range g.heads {
		if old := expired(g.heads[i].name.s, g.heads[i].value.s, e.now); old != "" && !g.heads[i].off {
			l.gap(2).text(th.warn, safe.Join(safe.Of(signTrouble+" "), safe.Of(g.heads[i].name.s), safe.Of(" "+old)))
		}
	}
	return l.end()
}

// requestMsg is a whole message that came back from $EDITOR.
type requestMsg struct {
	editor *editor
	text   string
	err    error
}

// externalWhole opens the whole message in $EDITOR.
func (m *model) externalWhole() tea.Cmd {
	e := m.editor
	if !e.fromRaw() {
		return nil
	}
	whole := e.form.copy()
	if !whole.asText && e.noBody == "" && utf8.Valid(whole.bytes) && isText(whole.bytes) {
		whole.asText, whole.body = true, area{s: string(whole.bytes)} // of any length
	}
	was := []byte(whole.text())
	path, err := private(m.o.Dir, "request-*.http", was)
	if err != nil {
		m.fail("$EDITOR", err)
		return nil
	}
	return m.edit(path, func(data []byte, err error) tea.Msg {
		if err == nil && len(data) > wholeLimit {
			err = errors.New("the text is larger than " + size(wholeLimit))
		}
		if bytes.Equal(data, was) {
			data = nil // nothing was changed
		}
		return requestMsg{e, string(unended(was, data)), err}
	})
}

// requestEdited takes in what came back; what cannot be read is shown as text, with what is wrong in it.
func (m *model) requestEdited(msg requestMsg) {
	m.now = m.o.Now()
	m.atWork()
	e := msg.editor
	switch {
	case msg.err != nil:
		m.fail("$EDITOR", msg.err)
	case e != m.editor || msg.text == "":
	default:
		before := e.form.copy()
		err := e.form.reads(msg.text, e.answers)
		if err == nil {
			e.undo = append(e.undo, before)
			e.problem = ""
			if e.raw != nil {
				e.toRaw()
			}
			return
		}
		if len(msg.text) > editLimit {
			m.fail("the edited request", err)
			return
		}
		e.toRaw()
		e.raw.area = newArea(msg.text)
		e.problem = err.Error()
	}
}
