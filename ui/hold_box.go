package ui

import (
	"strconv"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/ui/safe"
)

// heldBox lists what is held, the oldest first, with the time it has left.
type heldBox struct {
	m   *model
	cur int
	top int // first one on the screen
}

func (m *model) openHeld() {
	if why := m.holdable(); why != "" {
		m.say(false, why)
		return
	}
	b := &heldBox{m: m}
	for i, h := range m.held {
		if h.ID == m.list.cur {
			b.cur = i
		}
	}
	m.push(b)
}

func (b *heldBox) name() words { return "Held" }

func (b *heldBox) key(m *model, name, _ string) tea.Cmd {
	n := len(m.held)
	b.cur = max(0, min(b.cur, n-1))
	a := lookup(inHeld, name)
	switch a {
	case boxDown:
		b.cur = min(b.cur+1, max(0, n-1))
		return nil
	case boxUp:
		b.cur = max(b.cur-1, 0)
		return nil
	case boxClose:
		m.pop()
		return nil
	case heldAll:
		m.resumeAll()
		m.pop()
		return nil
	case showPoints:
		m.pop()
		m.openPoints()
		return nil
	}
	if n == 0 {
		return nil
	}
	h := m.held[b.cur]
	switch a {
	case heldResume:
		m.answerHeld(h, hold.Decision{})
	case heldDrop:
		m.answerHeld(h, hold.Decision{Verb: hold.Drop})
	case heldEdit:
		m.editHeld(h)
		return nil
	case heldWait:
		m.o.Hold.Extend(h.ID, h.Stage)
		m.keepHeld(m.o.Hold.Held())
	case heldGo:
		m.pop()
		return m.goTo(h.ID)
	}
	if a != none && a != heldWait && len(m.held) == 0 {
		m.pop()
	}
	return nil
}

func (b *heldBox) view(th *theme, w, h int) []string {
	m := b.m
	w = min(w, 110)
	b.cur = max(0, min(b.cur, len(m.held)-1))
	var out []string
	if len(m.held) == 0 {
		out = append(out, row(w).on(th.box).put(th.muted, "Nothing is held.").end())
	}
	preview := min(8, h/3)
	if spare := h - 4 - len(m.held); spare > preview {
		preview = min(16, spare)
	}
	n := max(1, min(len(m.held), h-preview-4))
	top := max(0, b.cur-n+1)
	b.top = top
	for i := top; i < min(len(m.held), top+n); i++ {
		out = append(out, b.row(th, w, i))
	}
	if len(m.held) > 0 && preview > 2 {
		out = append(out, row(w).on(th.box).end())
		out = append(out, b.preview(th, w, preview)...)
	}
	out = append(out, row(w).on(th.box).end())
	return append(out, boxKeys(th, w, inHeld)...)
}

// point only puts the cursor: what a click would do to a message cannot be taken back.
func (b *heldBox) point(i int) bool {
	if i += b.top; i < len(b.m.held) {
		b.cur = i
	}
	return false
}

// row is one held message.
func (b *heldBox) row(th *theme, w, i int) string {
	h := b.m.held[i]
	base, sign := th.box, words("  ")
	if i == b.cur {
		base, sign = th.cursor, signCursor+" "
	}
	l := row(w).on(base).put(th.key, sign).left(th.muted, safe.Of("#"+id(h.ID)), 7)
	if h.Stage == filter.Responses && h.Flow.Response != nil {
		l.left(th.warn, safe.Of("answer "+strconv.Itoa(h.Flow.Response.Status)), 11)
	} else {
		l.left(th.warn, safe.Of("request"), 11)
	}
	time := left(h, b.m.now)
	l.left(th.verb, safe.Of(h.Flow.Request.Method), 8).left(th.text, safe.Of(b.m.veil.url(h.Flow.URL())), max(4, w-l.w-len(time)-6))
	return l.gap(1).text(th.warn, safe.Of(time)).put(th.muted, " left").end()
}

// preview is the beginning of the message under the cursor: laid out if all of it fits, as it is sent otherwise,
// with room for the first rows of its body.
func (b *heldBox) preview(th *theme, w, rows int) []string {
	h := b.m.held[b.cur]
	f := *b.m.veil.flow(h.Flow)
	msg := f.Request
	if h.Stage == filter.Responses {
		msg = f.Response
	}
	shown := *msg
	shown.Head = nil // as it would go on, with what rules have changed
	room := rows
	if h.NoBody != "" {
		room--
	}
	doc := messageDoc(th, &f, &shown, false)
	if doc.rows(w-2) > room {
		doc = messageDoc(th, &f, &shown, true)
	}
	var out []string
	mark := func(n int) {
		out = append(out, row(w).on(th.box).gap(2).text(th.muted, safe.Of(signMore+" "+plural(int64(n), "more row"))).end())
	}
	all, skip, body := doc.rows(w-2), 0, 0
	if all > room && room > 3 && len(shown.Body.Data) > 0 && len(shown.Trailers) == 0 {
		body = bodyDoc(th, &shown, true).rows(w - 2)
		skip = max(0, all-body-room+min(body, room/2)+1) // rows of the head that give way to the body's first ones
	}
	for i := 0; i < all && len(out) < room; i++ {
		if skip > 0 && i == all-body-skip {
			mark(skip)
			i += skip - 1
			continue
		}
		if n := all - i; n > 1 && len(out) == room-1 {
			mark(n)
			break
		}
		l := row(w - 2).on(th.box)
		doc.draw(th, i, l)
		out = append(out, row(2).on(th.box).end()+l.end())
	}
	for len(out) < rows {
		out = append(out, row(w).on(th.box).end())
	}
	if h.NoBody != "" {
		out[rows-1] = row(w).on(th.box).gap(2).text(th.warn, safe.Of("its body goes on as it is: "+h.NoBody)).end()
	}
	return out
}

// boxKeys are the keys of a dialog, as many rows as they take.
func boxKeys(th *theme, w int, in place) []string {
	var out []string
	l := row(w).on(th.box)
	for i := range bindings {
		b := &bindings[i]
		if b.where&in == 0 || b.foot == 0 {
			continue
		}
		if need := len(first(b.keys)) + len(b.name) + 4; l.room() < need && l.w > 0 {
			out = append(out, l.end())
			l = row(w).on(th.box)
		}
		l.text(th.key, safe.Of(first(b.keys))).gap(1).put(th.muted, b.name).gap(3)
	}
	return append(out, l.end())
}
