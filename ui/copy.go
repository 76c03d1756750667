package ui

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/curl"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/report"
	"github.com/why403/why403/ui/safe"
)

// copyItem is one thing that can be taken away of a flow.
type copyItem struct {
	key, name words
	make      func(c copySource) (string, error)
}

// copySource is what the items are made of; masked, the flow is a copy without secrets.
type copySource struct {
	flow *flow.Flow
	exp  *inspect.Explained // nil: not refused
	mask *redact.Masker     // nil: the truth
}

var copyItems = []copyItem{
	{"c", "curl command", func(c copySource) (string, error) {
		o := curl.Options{}
		if c.mask != nil {
			o.Variables = c.mask.Variables()
		}
		return curl.Command(c.flow, o)
	}},
	{"u", "URL", func(c copySource) (string, error) { return c.flow.URL(), nil }},
	{"o", "one header, cookie or parameter …", nil},
	{"h", "request headers", func(c copySource) (string, error) { return fields(c.flow.Request), nil }},
	{"b", "request body", func(c copySource) (string, error) { return string(c.flow.Request.Body.Data), nil }},
	{"H", "response headers", func(c copySource) (string, error) { return fields(c.flow.Response), nil }},
	{"B", "response body", func(c copySource) (string, error) { return answerText(c.flow), nil }},
	{"v", "verdict", func(c copySource) (string, error) { return c.report(report.Text, report.TextOptions{}) }},
	{"m", "report in Markdown", func(c copySource) (string, error) {
		return c.report(func(w io.Writer, list []inspect.Explained, _ report.TextOptions) error {
			return report.Markdown(w, list, nil)
		}, report.TextOptions{})
	}},
}

// report writes what was found out, "" if the flow was not refused.
func (c copySource) report(write func(io.Writer, []inspect.Explained, report.TextOptions) error, o report.TextOptions) (string, error) {
	if c.exp == nil || !c.exp.Refused {
		return "", nil
	}
	e := *c.exp
	if c.mask != nil {
		e = report.Masked(c.mask, e)
	}
	var b strings.Builder
	if err := write(&b, []inspect.Explained{e}, o); err != nil {
		return "", err
	}
	return b.String(), nil
}

func fields(m *flow.Message) string {
	if m == nil {
		return ""
	}
	var b strings.Builder
	for _, h := range m.Header {
		b.WriteString(h.Name + ": " + h.Value + "\n")
	}
	return b.String()
}

// copyMenu asks what to copy.
type copyMenu struct {
	masked  bool
	id      flow.ID
	cur     int
	top     int // first item on the screen
	items   []copyItem
	message int64 // number of the message under the cursor in the tab Messages, -1: none
}

func newCopyMenu(m *model, masked bool) *copyMenu {
	c := &copyMenu{masked: masked, id: m.list.cur, items: append(copyItems[:len(copyItems):len(copyItems)], formItems()...), message: -1}
	if v := &m.inspector; v.tab == tabMessages && v.d != nil && v.d.messages != nil {
		c.message = v.messages.cur
		c.items = append([]copyItem{copyMessage}, c.items...)
	}
	if m.focus == inInspector {
		c.items = append(m.underItems(), c.items...)
	}
	return c
}

func (c *copyMenu) name() words {
	if c.masked {
		return "Copy, secrets masked"
	}
	return "Copy"
}

func (c *copyMenu) key(m *model, name, _ string) tea.Cmd {
	switch name {
	case "esc", "q", "ctrl+c":
		m.pop()
		return nil
	case "down", "j", "tab":
		c.cur = min(c.cur+1, len(c.items)-1)
		return nil
	case "up", "k", "shift+tab":
		c.cur = max(c.cur-1, 0)
		return nil
	case "enter":
		m.pop()
		return m.copyItem(c, c.items[c.cur])
	}
	for _, it := range c.items {
		if string(it.key) == name {
			m.pop()
			return m.copyItem(c, it)
		}
	}
	return nil
}

func (c *copyMenu) point(i int) bool {
	if i += c.top; i < len(c.items) {
		c.cur = i
	}
	return i < len(c.items)
}

func (c *copyMenu) view(th *theme, w, h int) []string {
	w = min(w, 44)
	var out []string
	shown := max(1, min(len(c.items), h-1))
	from := max(0, min(c.cur-shown/2, len(c.items)-shown))
	c.top = from
	for i, it := range c.items[:from+shown] {
		if i < from {
			continue
		}
		base, sign := th.box, words("  ")
		if i == c.cur {
			base, sign = th.cursor, signCursor+" "
		}
		l := row(w).on(base).put(th.key, sign).put(th.key, it.key).gap(2)
		more := "" // that there is more than what fits
		switch last := from + shown - 1; {
		case i == last && last < len(c.items)-1:
			more = signMore + " " + strconv.Itoa(len(c.items)-1-last) + " below"
		case i == from && from > 0:
			more = signMore + " " + strconv.Itoa(from) + " above"
		}
		l.left(th.text, safe.Of(string(it.name)), w-l.w-safe.Of(more).Width()-1)
		out = append(out, l.gap(1).text(th.muted, safe.Of(more)).end())
	}
	note := words("as it was sent: it may hold secrets")
	if c.masked {
		note = "secrets have stable names in their place"
	}
	return append(out, row(w).on(th.box).text(th.muted, safe.Of(string(note))).end())
}

// copyItem makes a text from the flow in a command, and takes it to the clipboard.
func (m *model) copyItem(c *copyMenu, it copyItem) tea.Cmd {
	if c.id == 0 {
		return nil
	}
	if it.make == nil {
		return m.askField(c.id, c.masked)
	}
	feed, ctx := m.o.Feed, m.ctx
	src := copySource{}
	var known *messages
	if d := m.inspector.d; d != nil && d.row.ID == c.id {
		src.exp, known = d.exp, d.messages
	}
	return m.crew.cmd(func() tea.Msg {
		f, err := whole(ctx, feed, c.id)
		if err == nil {
			f, err = wholeAnswer(ctx, feed, f)
		}
		if err != nil {
			return toastMsg{false, fmt.Sprintf("copy %s: %v", it.name, err)}
		}
		if it.key == copyMessage.key {
			one, err := wholeMessage(ctx, feed, c.id, known, c.message)
			if err != nil {
				return toastMsg{false, fmt.Sprintf("copy %s: %v", it.name, err)}
			}
			with := *f
			with.Frames = []flow.Frame{one}
			f = &with
		}
		src.flow = f
		what := string(it.name)
		if c.masked {
			src.mask = redact.New()
			if runs(it.key) {
				src.mask = redact.Runnable() // what is pasted asks for the secrets
			}
			src.flow = src.mask.Flow(f)
			what += " (masked)"
		}
		text, err := it.make(src)
		if err != nil {
			return toastMsg{false, fmt.Sprintf("copy %s: %v", it.name, err)}
		}
		return copiedMsg{what, text}
	})
}

// copiedMsg is a text that is ready to be taken away.
type copiedMsg struct{ what, text string }

// wholeAnswer completes the body of the response, up to wholeLimit.
func wholeAnswer(ctx context.Context, feed Feed, f *flow.Flow) (*flow.Flow, error) {
	if f.Response == nil || f.Response.Body.Whole() || int64(len(f.Response.Body.Data)) >= f.Response.Body.Kept {
		return f, nil
	}
	r, _, err := feed.Body(ctx, f.ID, session.ResponseSide)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, wholeLimit))
	if err != nil {
		return nil, err
	}
	c := *f
	m := *f.Response
	m.Body.Data = data
	c.Response = &m
	return &c, nil
}

// answerText is the response's body with its content coding removed.
func answerText(f *flow.Flow) string {
	if f.Response == nil {
		return ""
	}
	if data, _, err := decode.Content(f.Response, wholeLimit); err == nil {
		return string(data)
	}
	return string(f.Response.Body.Data)
}
