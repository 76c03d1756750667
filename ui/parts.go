package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// partsOf is what a field of the editor is a list of.
type partsOf uint8

const (
	ofQuery  partsOf = iota // the query of the URL
	ofCookie                // the cookies of a Cookie field
	ofForm                  // the fields of a form body
)

var partsNames = [...]words{"Query parameters", "Cookies", "Form fields"}

// leftOutPart is a parameter, cookie or field that is not sent, and where it stood.
type leftOutPart struct {
	of    partsOf
	index int
	raw   string
}

// partRow is one of the list. Its raw text is sent again if nothing was changed.
type partRow struct {
	raw           string
	name, value   input
	wasName, wasV string // as raw gave them
	off           bool
}

// partsBox edits the parts of one field one by one.
type partsBox struct {
	of    partsOf
	row   int // the header that is a Cookie
	rows  []partRow
	cur   int
	col   int // 0 name, 1 value
	undo  [][]partRow
	was   []partRow                  // as they were read
	offer func(name string) []string // values that accepted requests have
	names []string                   // names that they have
	veil  *veil
}

const partsUndo = 100

// openParts opens the table for the field under the cursor.
func (m *model) openParts() {
	e := m.editor
	b := &partsBox{veil: m.veil}
	switch {
	case e.raw != nil:
		m.say(false, string(nameOf(editParts))+" is for the form: "+string(keyOf(editRaw))+" goes back to it")
		return
	case e.answers && e.at.part != partBody:
		m.say(false, "an answer has no parameters or cookies to edit one by one")
		return
	case e.at.part == partMethod, e.at.part == partURL:
		b.of = ofQuery
	case e.at.part == partHeader && e.at.row < len(e.heads) && strings.EqualFold(e.heads[e.at.row].name.s, "Cookie"):
		b.of, b.row = ofCookie, e.at.row
	case e.at.part == partBody:
		if media, _ := decode.ParseMediaType(e.media()); !decode.IsForm(media) || !e.asText {
			m.say(false, "only a form body is a list of fields")
			return
		}
		b.of = ofForm
	default:
		m.say(false, "the cursor is in no URL, Cookie or form body")
		return
	}
	b.read(e)
	b.learn(e)
	m.push(b)
}

// hasParts reports whether the field under the cursor is a list of parts.
func (e *editor) hasParts() bool {
	if e.raw != nil {
		return false
	}
	switch e.at.part {
	case partURL:
		return !e.answers
	case partHeader:
		return !e.answers && e.at.row < len(e.heads) && strings.EqualFold(e.heads[e.at.row].name.s, "Cookie")
	case partBody:
		media, _ := decode.ParseMediaType(e.media())
		return decode.IsForm(media) && e.asText
	}
	return false
}

// read takes the field of the form apart.
func (b *partsBox) read(e *editor) {
	var raws []string
	switch b.of {
	case ofQuery:
		if _, q, ok := strings.Cut(e.url.s, "?"); ok {
			raws = strings.Split(q, "&")
		}
	case ofCookie:
		for _, c := range strings.Split(e.heads[b.row].value.s, ";") {
			raws = append(raws, strings.TrimLeft(c, " "))
		}
	case ofForm:
		if e.body.s != "" {
			raws = strings.Split(e.body.s, "&")
		}
	}
	for _, raw := range raws {
		if raw != "" {
			b.rows = append(b.rows, b.part(raw))
		}
	}
	for _, o := range e.out {
		if o.of == b.of {
			r := b.part(o.raw)
			r.off = true
			b.rows = slices.Insert(b.rows, min(o.index, len(b.rows)), r)
		}
	}
	b.was = slices.Clone(b.rows)
	if b.col = 1; len(b.rows) == 0 {
		b.add()
	}
}

// part is one part as it is written.
func (b *partsBox) part(raw string) partRow {
	name, value, _ := strings.Cut(raw, "=")
	if b.of != ofCookie {
		if p := decode.Query(raw); len(p) == 1 {
			name, value = p[0].Name, p[0].Value
		}
	}
	return partRow{raw: raw, name: newInput(name), value: newInput(value), wasName: name, wasV: value}
}

// learn notes what accepted requests have in this place.
func (b *partsBox) learn(e *editor) {
	values := map[string][]string{}
	for _, f := range e.accepted {
		var pairs []decode.Pair
		switch b.of {
		case ofQuery:
			pairs = decode.Query(f.Query())
		case ofCookie:
			for _, c := range decode.Cookies(f.Request.Header) {
				pairs = append(pairs, decode.Pair{Name: c.Name, Value: c.Value})
			}
		case ofForm:
			if media, _ := decode.MediaType(f.Request.Header); decode.IsForm(media) {
				pairs = decode.Form(f.Request.Body.Data)
			}
		}
		for _, p := range pairs {
			if !slices.Contains(b.names, p.Name) {
				b.names = append(b.names, p.Name)
			}
			values[p.Name] = append(values[p.Name], p.Value)
		}
	}
	b.offer = func(name string) []string { return values[name] }
}

// text is a row as it is sent.
func (b *partsBox) text(r *partRow) string {
	switch {
	case r.name.s == r.wasName && r.value.s == r.wasV && r.raw != "":
		return r.raw
	case b.of == ofCookie:
		return r.name.s + "=" + r.value.s
	case b.of == ofForm:
		return decode.EscapeForm(r.name.s) + "=" + decode.EscapeForm(r.value.s)
	}
	return strings.ReplaceAll(decode.EscapeForm(r.name.s)+"="+decode.EscapeForm(r.value.s), "+", "%20")
}

// apply writes the rows back into the form.
func (b *partsBox) apply(e *editor) {
	if slices.EqualFunc(b.rows, b.was, func(x, y partRow) bool { return x.off == y.off && b.text(&x) == b.text(&y) }) {
		return // what stands between them stays as it is
	}
	e.keep()
	e.out = slices.DeleteFunc(slices.Clone(e.out), func(o leftOutPart) bool { return o.of == b.of })
	var sent []string
	for i := range b.rows {
		switch r := &b.rows[i]; {
		case r.name.s == "" && r.value.s == "" && r.raw == "":
		case r.off:
			e.out = append(e.out, leftOutPart{b.of, i, b.text(r)})
		default:
			sent = append(sent, b.text(r))
		}
	}
	switch b.of {
	case ofQuery:
		base, _, had := strings.Cut(e.url.s, "?")
		if len(sent) > 0 || had && len(b.rows) == 0 {
			base += "?" + strings.Join(sent, "&")
		}
		e.url.set(base)
	case ofCookie:
		h := &e.heads[b.row]
		h.value.set(strings.Join(sent, "; "))
		h.from = 0
	case ofForm:
		e.body = newArea(strings.Join(sent, "&"))
	}
	if n := len(e.undo); n > 0 && e.form.same(&e.undo[n-1]) {
		e.undo = e.undo[:n-1]
	}
	e.problem = ""
}

func (b *partsBox) name() words { return partsNames[b.of] }

func (b *partsBox) keep() {
	b.undo = append(b.undo, slices.Clone(b.rows))
	if len(b.undo) > partsUndo {
		b.undo = b.undo[1:]
	}
}

func (b *partsBox) add() {
	b.keep()
	at := min(b.cur+1, len(b.rows))
	b.rows = slices.Insert(b.rows, at, partRow{})
	b.cur, b.col = at, 0
}

// field is the input under the cursor, nil if there is no row.
func (b *partsBox) field() *input {
	if b.cur >= len(b.rows) {
		return nil
	}
	if b.col == 0 {
		return &b.rows[b.cur].name
	}
	return &b.rows[b.cur].value
}

// ghost is how the field under the cursor may go on.
func (b *partsBox) ghost() string {
	f := b.field()
	if f == nil || f.at != len(f.s) {
		return ""
	}
	list := b.names
	if b.col == 1 {
		list = b.offer(b.rows[b.cur].name.s)
	} else {
		list = slices.DeleteFunc(slices.Clone(list), func(n string) bool {
			return slices.ContainsFunc(b.rows, func(r partRow) bool { return r.name.s == n })
		})
	}
	if o := goesOn(f.s, list); o != "" {
		return o[len(f.s):]
	}
	return ""
}

func (b *partsBox) key(m *model, name, text string) tea.Cmd {
	e := m.editor
	if e == nil {
		m.pop()
		return nil
	}
	n := len(b.rows)
	switch a := lookup(inEditor, name); {
	case a == editClose:
		m.pop()
		return nil
	case name == "enter", a == editSend:
		m.pop()
		b.apply(e)
		return nil
	case a == editNext:
		if b.col++; b.col > 1 {
			b.col, b.cur = 0, (b.cur+1)%max(1, n)
		}
		return nil
	case a == editPrev:
		if b.col--; b.col < 0 {
			b.col, b.cur = 1, (b.cur+n-1)%max(1, n)
		}
		return nil
	case name == "down":
		b.cur = min(b.cur+1, max(0, n-1))
		return nil
	case name == "up":
		b.cur = max(b.cur-1, 0)
		return nil
	case a == editAdd:
		b.add()
		return nil
	case a == editUndo:
		if k := len(b.undo); k > 0 {
			b.rows, b.undo = b.undo[k-1], b.undo[:k-1]
			b.cur = max(0, min(b.cur, len(b.rows)-1))
		}
		return nil
	case n == 0:
		return nil
	case a == editToggle:
		b.keep()
		b.rows[b.cur].off = !b.rows[b.cur].off
		return nil
	case a == editDelete:
		b.keep()
		b.rows = slices.Delete(b.rows, b.cur, b.cur+1)
		b.cur = max(0, min(b.cur, len(b.rows)-1))
		return nil
	case a == editDouble:
		b.keep()
		b.rows = slices.Insert(b.rows, b.cur+1, b.rows[b.cur])
		b.cur++
		return nil
	case a == editRaise || a == editLower:
		to := b.cur + 1
		if a == editRaise {
			to = b.cur - 1
		}
		if to >= 0 && to < n {
			b.keep()
			b.rows[b.cur], b.rows[to] = b.rows[to], b.rows[b.cur]
			b.cur = to
		}
		return nil
	case a != none:
		return nil
	}
	f := b.field()
	if name == "right" {
		if g := b.ghost(); g != "" {
			b.keep()
			f.set(f.s + g)
			return nil
		}
	}
	was := slices.Clone(b.rows)
	if f.key(name, text) && (b.rows[b.cur].name.s != was[b.cur].name.s || b.rows[b.cur].value.s != was[b.cur].value.s) {
		b.undo = append(b.undo, was)
		b.undo = b.undo[max(0, len(b.undo)-partsUndo):]
	}
	return nil
}

// fault is what is wrong with a row, "" nothing.
func (b *partsBox) fault(r *partRow) words {
	switch {
	case r.off:
	case b.of == ofCookie && strings.ContainsAny(r.name.s+r.value.s, ";\r\n"):
		return "a cookie holds no ;"
	case b.of == ofCookie && r.raw == "" && r.name.s == "" && r.value.s != "":
		return "it has no name"
	}
	return ""
}

func (b *partsBox) view(th *theme, w, h int) []string {
	w = min(w, 100)
	out := []string{row(w).on(th.box).gap(2).put(th.muted, "on  ").left(th.muted, safe.Of("name"), nameWidth).put(th.muted, "value").end()}
	n := max(1, min(len(b.rows), h-5))
	top := max(0, min(b.cur-n/2, len(b.rows)-n))
	for i := top; i < min(len(b.rows), top+n); i++ {
		out = append(out, b.draw(th, w, i))
	}
	out = append(out, row(w).on(th.box).end())
	l := row(w).on(th.box)
	keys := []struct {
		key, name words
	}{{"enter", "done"}, {keyOf(editToggle), "on/off"}, {keyOf(editAdd), "add"}, {keyOf(editDelete), "delete"}, {keyOf(editDouble), "duplicate"}, {keyOf(editRaise), "up"}, {keyOf(editUndo), "undo"}, {keyOf(editClose), "back"}}
	for _, k := range keys {
		if l.room() < len(k.key)+len(k.name)+3 {
			out = append(out, l.end())
			l = row(w).on(th.box)
		}
		l.put(th.key, k.key).gap(1).put(th.muted, k.name).gap(2)
	}
	return append(out, l.end())
}

func (b *partsBox) draw(th *theme, w, i int) string {
	r := &b.rows[i]
	on := i == b.cur
	l := row(w).on(th.box)
	sign, dot, ds, s, vs := words("  "), words(signOn+"   "), th.good, th.text, th.text
	if on {
		sign = signCursor + " "
	}
	note, ns := words(""), th.muted
	switch {
	case r.off:
		dot, ds, s, vs, note = signOff+"   ", th.muted, th.faint, th.faint, "left out"
	case r.raw == "":
		note, ns = "+ added", th.good
	case r.name.s != r.wasName || r.value.s != r.wasV:
		s, vs, note, ns = th.accent, th.good, "~ changed", th.warn
	}
	if f := b.fault(r); f != "" {
		note, ns = f, th.bad
	}
	l.put(th.key, sign).put(ds, dot)
	ghost := ""
	if on {
		ghost = b.ghost()
	}
	if ghost != "" {
		note, ns = signTo+" takes it", th.key
	}
	field(th, l, &r.name, s, nameWidth-1, on && b.col == 0, ghost)
	l.gap(1)
	v := &r.value
	if b.veil != nil && !(on && b.col == 1) {
		ch := b.veil.change(flow.Change{Part: [...]flow.Place{flow.InQuery, flow.InCookie, flow.InForm}[b.of], Name: r.name.s, After: &v.s})
		v = &input{s: *ch.After}
	}
	field(th, l, v, vs, w-l.w-20, on && b.col == 1, ghost)
	return l.gap(1).put(ns, note).end()
}
