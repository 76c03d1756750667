package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/ui/safe"
)

// fieldsMost bounds the fields of one flow that can be chosen from.
const fieldsMost = 1000

// pickedField is one named value of a flow.
type pickedField struct {
	place words // where it stands
	part  flow.Place
	name  string
	value string
}

// fieldBox asks which of a flow's headers, cookies and parameters is to be copied.
type fieldBox struct {
	of     *flow.Flow
	veil   *veil
	masked bool
	all    []pickedField
	hits   []pickedField
	in     input
	cur    int
	top    int // first hit on the screen
}

func newFieldBox(f *flow.Flow, v *veil, masked bool) *fieldBox {
	b := &fieldBox{of: f, veil: v, masked: masked}
	add := func(place words, part flow.Place, name, value string) {
		if len(b.all) < fieldsMost {
			b.all = append(b.all, pickedField{place, part, name, value})
		}
	}
	if q := f.Request; q != nil {
		for _, h := range q.Header {
			add("request", flow.InHeader, h.Name, h.Value)
		}
		for _, c := range decode.Cookies(q.Header) {
			add("cookie", flow.InCookie, c.Name, c.Value)
		}
		for _, p := range decode.Query(f.Query()) {
			add("query", flow.InQuery, p.Name, p.Value)
		}
		if media, _ := decode.MediaType(q.Header); decode.IsForm(media) {
			for _, p := range decode.Form(q.Body.Data) {
				add("form", flow.InForm, p.Name, p.Value)
			}
		}
	}
	if a := f.Response; a != nil {
		for _, h := range a.Header {
			add("answer", flow.InHeader, h.Name, h.Value)
		}
		for _, t := range a.Trailers {
			add("trailer", flow.InHeader, t.Name, t.Value)
		}
	}
	b.find()
	return b
}

func (b *fieldBox) name() words {
	if b.masked {
		return "Copy one value, masked"
	}
	return "Copy one value"
}

// find lists the fields whose place or name holds what was typed.
func (b *fieldBox) find() {
	want := strings.ToLower(b.in.s)
	b.hits, b.cur = nil, 0
	for _, f := range b.all {
		if strings.Contains(strings.ToLower(string(f.place)+" "+f.name), want) {
			b.hits = append(b.hits, f)
		}
	}
	slices.SortStableFunc(b.hits, func(x, y pickedField) int { // names that begin so first
		a, c := strings.HasPrefix(strings.ToLower(x.name), want), strings.HasPrefix(strings.ToLower(y.name), want)
		switch {
		case want == "" || a == c:
			return 0
		case a:
			return -1
		}
		return 1
	})
}

func (b *fieldBox) key(m *model, name, text string) tea.Cmd {
	switch name {
	case "esc", "ctrl+c":
		m.pop()
	case "down", "ctrl+n", "tab":
		b.cur = min(b.cur+1, max(0, len(b.hits)-1))
	case "up", "ctrl+p", "shift+tab":
		b.cur = max(b.cur-1, 0)
	case "pgdown":
		b.cur = min(b.cur+10, max(0, len(b.hits)-1))
	case "pgup":
		b.cur = max(b.cur-10, 0)
	case "enter":
		if b.cur >= len(b.hits) {
			return nil
		}
		m.pop()
		f := b.hits[b.cur]
		value, what := f.value, f.name
		if b.masked {
			ch := redact.New().Change(flow.Change{Part: f.part, Name: f.name, After: &value})
			value, what = *ch.After, what+" (masked)"
		}
		return m.copyText(what, value)
	default:
		if b.in.key(name, text) {
			b.find()
		}
	}
	return nil
}

func (b *fieldBox) point(i int) bool {
	if i += b.top - 2; i < b.top || i >= len(b.hits) {
		return false
	}
	b.cur = i
	return true
}

func (b *fieldBox) view(th *theme, w, h int) []string {
	w = min(w, 100)
	l := row(w).on(th.box).put(th.key, "name ")
	b.in.draw(th, l, th.bright, w-6, true)
	out := []string{l.end(), row(w).on(th.box).end()}
	n := max(1, min(h-4, 18))
	top := max(0, b.cur-n+1)
	b.top = top
	for i := top; i < min(len(b.hits), top+n); i++ {
		f := b.hits[i]
		base, sign := th.box, words("  ")
		if i == b.cur {
			base, sign = th.cursor, signCursor+" "
		}
		ch := flow.Change{Part: f.part, Name: f.name, After: &f.value}
		shown, s := value(th, b.veil.change(ch).After, th.text)
		out = append(out, row(w).on(base).put(th.key, sign).left(th.muted, safe.Of(string(f.place)), 9).left(th.accent, safe.Of(f.name), 26).text(s, shown).end())
	}
	if len(b.hits) == 0 {
		out = append(out, row(w).on(th.box).gap(2).put(th.muted, "no such name").end())
	}
	return append(out, row(w).on(th.box).end(), row(w).on(th.box).put(th.key, "enter ").put(th.muted, "copy the value   ").put(th.key, "esc ").put(th.muted, "back").end())
}

// fieldsMsg brings a flow whose fields are to be chosen from.
type fieldsMsg struct {
	f      *flow.Flow
	masked bool
	err    error
}

// askField reads a flow whole, to choose one of its fields.
func (m *model) askField(id flow.ID, masked bool) tea.Cmd {
	feed, ctx := m.o.Feed, m.ctx
	return m.crew.cmd(func() tea.Msg {
		f, err := feed.Flow(ctx, id)
		return fieldsMsg{f, masked, err}
	})
}

func (m *model) fieldsCame(msg fieldsMsg) {
	if msg.err != nil {
		m.fail("copy", msg.err)
		return
	}
	m.push(newFieldBox(msg.f, m.veil, msg.masked))
}
