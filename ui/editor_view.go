package ui

import (
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// nameWidth is the column of header names.
const nameWidth = 22

// view draws the editor: what differs from the last success, the form, the answers.
func (e *editor) view(m *model, w, h int) []string {
	th := m.th
	e.now = m.now
	var out []string
	if h >= 24 && len(e.compare.changes) > 0 {
		out = append(out, e.differences(th, w)...)
		out = append(out, row(w).text(th.rule, dashes(w)).end())
	}
	out = append(out, e.title(th, w))
	foot := e.results(m, w)
	room := h - len(out) - len(foot)
	formW := w
	if e.answer != nil && w >= wide {
		formW = w * 58 / 100
	}
	below := 0 // rows for the answer, where it does not fit beside the form
	if e.answer != nil && w < wide && room >= 14 {
		below = room / 3
		room -= below + 1
	}
	e.formTop = len(out)
	var left []string
	if e.raw != nil {
		left = e.rawView(th, formW, room)
	} else {
		left = e.form.draw(th, e, formW, room)
	}
	if below > 0 {
		left = append(append(left, row(w).text(th.rule, dashes(w)).end()), e.answerView(th, w, below)...)
	}
	if formW < w {
		left = beside(th, left, e.answerView(th, w-formW-1, room))
	}
	out = append(out, left...)
	return fill(append(out, foot...), w, h)
}

func dashes(n int) safe.Text {
	b := make([]rune, max(0, n))
	for i := range b {
		b[i] = '─'
	}
	return safe.Of(string(b))
}

func beside(th *theme, left, right []string) []string {
	bar := row(1).text(th.rule, safe.Of("│")).end()
	for i := range left {
		left[i] += bar + right[i]
	}
	return left
}

// differences are the first changes of the comparison, one a row.
func (e *editor) differences(th *theme, w int) []string {
	var out []string
	l := row(w).gap(1).put(th.muted, "differs from ").text(th.accent, safe.Of("#"+id(e.partner.ID)+" "+strconv.Itoa(e.partner.Status())))
	l.put(th.muted, "   ").put(th.key, keyOf(editTake)).put(th.muted, " takes a value from it")
	out = append(out, l.end())
	const most = 4
	for i, ch := range e.compare.changes {
		ch = inWords(e.veil.change(ch))
		if i == most && len(e.compare.changes) > most+1 {
			out = append(out, row(w).gap(2).text(th.muted, safe.Of("and "+strconv.Itoa(len(e.compare.changes)-most)+" more")).end())
			break
		}
		s := th.warn
		if i == 0 {
			s = th.bad
		}
		before, bs := value(th, ch.Before, th.text)
		after, as := value(th, ch.After, th.good)
		val := max(12, (w-2-13-nameWidth)/2)
		out = append(out, row(w).gap(2).left(s, safe.Of(string(ch.Part)), 12).gap(1).left(s, safe.Of(ch.Name), nameWidth-1).gap(1).
			left(bs, before, val-1).gap(1).left(as, after, val-1).end())
	}
	return out
}

func (e *editor) title(th *theme, w int) string {
	if e.held != nil {
		what := "Held request "
		if e.answers {
			what = "Held answer to "
		}
		l := row(w).put(th.bright, words(what)).text(th.muted, safe.Of("#"+id(e.parent.ID)))
		note := "waits while you edit it"
		if !e.tended(e.now) {
			note = "goes on by itself in " + left(*e.held, e.now) + ", unless you press a key"
		}
		if l.room() > len(note)+2 {
			l.to(w-len(note)-1).text(th.warn, safe.Of(note))
		}
		return l.end()
	}
	l := row(w)
	if e.parent.ID == 0 {
		title := words("A new request")
		if e.pasted {
			title = "A new request, as pasted"
		}
		l.put(th.bright, title)
	} else {
		l.put(th.bright, "Edit & replay ").text(th.muted, safe.Of("#"+id(e.parent.ID)))
	}
	if e.row.Status != 0 {
		l.gap(1).text(statusStyle(th, e.row.Status, e.row.Refused()), safe.Of(strconv.Itoa(e.row.Status)))
	}
	if e.veil != nil {
		note := words("stage mode: only what is under the cursor is shown as it is")
		if e.raw != nil {
			note = "stage mode does not mask this text"
		}
		l.gap(2).put(th.warn, note)
	}
	note := "it becomes a flow when it is sent"
	if e.parent.ID != 0 {
		note = "a new flow; #" + id(e.parent.ID) + " stays as it is"
	}
	if l.room() > len(note)+2 {
		l.to(w-len(note)-1).text(th.muted, safe.Of(note))
	}
	return l.end()
}

// draw draws the form in h rows of w cells.
func (g *form) draw(th *theme, e *editor, w, h int) []string {
	out := make([]string, 0, h)
	l := row(w).gap(1)
	field(th, l, &g.method, th.verb, max(7, len(g.method.s)+1), e.at.part == partMethod, e.ghost())
	l.gap(1)
	url := &g.url
	if e.veil != nil && e.at.part != partURL {
		url = &input{s: e.veil.url(g.url.s)}
	}
	field(th, l, url, th.bright, w-l.w-1, e.at.part == partURL, "")
	out = append(out, l.end(), blank(w))
	out = append(out, row(w).gap(1).put(th.muted, "on  ").left(th.muted, safe.Of("name"), nameWidth).put(th.muted, "value").end())
	bodyRows := 1
	if g.asText {
		g.body.w = w - 3
		g.body.rows = nil
		g.body.layout()
		bodyRows = len(g.body.rows)
	}
	heads := len(g.heads) + g.ghost()
	gap := 0
	if h >= 20 {
		gap = 1
	}
	room := h - len(out) - 1 - gap
	forBody := max(3, min(bodyRows, room-heads))
	forHeads := max(3, min(heads, room-forBody))
	forBody = max(1, room-forHeads)
	if e.at.part == partHeader {
		if e.at.row < e.top {
			e.top = e.at.row
		}
		if e.at.row >= e.top+forHeads {
			e.top = e.at.row - forHeads + 1
		}
	}
	e.top = max(0, min(e.top, heads-forHeads))
	e.headTop, e.headRows = len(out), min(heads, e.top+forHeads)-e.top
	for i := e.top; i < min(heads, e.top+forHeads); i++ {
		if i == len(g.heads) {
			out = append(out, row(w).gap(1).put(th.muted, signOn+"   ").left(th.muted, safe.Of("Content-Length"), nameWidth).
				left(th.muted, safe.Of(strconv.Itoa(len(g.content()))), 12).put(th.muted, "automatic").end())
			continue
		}
		out = append(out, g.header(th, e, i, w))
	}
	if gap > 0 {
		out = append(out, blank(w))
	}
	out = append(out, g.bodyTitle(th, w))
	e.bodyTop, e.formW = len(out), w
	return fill(append(out, g.drawBody(th, e, w, forBody)...), w, h)
}

// ghost is 1 if a Content-Length will be added, as a row of its own.
func (g *form) ghost() int {
	if len(g.content()) == 0 {
		return 0
	}
	for i := range g.heads {
		switch n := g.heads[i].name.s; {
		case g.heads[i].off:
		case strings.EqualFold(n, "Content-Length"), strings.EqualFold(n, "Transfer-Encoding"):
			return 0
		}
	}
	return 1
}

func field(th *theme, l *line, f *input, s style, w int, focused bool, ghost string) {
	base := l.base
	if focused {
		l.base, l.styled = th.field, false
		l.sgr("")
	}
	start := l.w
	f.draw(th, l, s, w, focused)
	if used := safe.Of(f.s).Width(); focused && ghost != "" && used+2 < w {
		l.back(start + used + 1) // behind the cursor
		l.text(th.faint, safe.Of(ghost).Cut(w-used-1)).to(start + w)
	}
	if focused {
		l.base = base
		l.cur, l.styled = "", true
		l.b = append(l.b, "\x1b[m"...)
		l.styled = false
	}
}

func (g *form) header(th *theme, e *editor, i, w int) string {
	h := &g.heads[i]
	on := e.at.part == partHeader && e.at.row == i
	l := row(w)
	if on {
		l.put(th.key, signCursor)
	} else {
		l.gap(1)
	}
	dot, s, vs := words(signOn+"   "), th.text, th.text
	ds := th.good
	switch {
	case h.off:
		dot, s, vs, ds = signOff+"   ", th.faint, th.faint, th.muted
	case h.auto:
		s, vs, ds = th.muted, th.muted, th.muted
	case h.name.s != h.orig.Name || h.value.s != h.orig.Value:
		s, vs = th.accent, th.good
	}
	l.put(ds, dot)
	note := words("")
	noteStyle := th.muted
	switch {
	case h.off:
		note = "left out"
	case strings.EqualFold(h.name.s, "Content-Length") && !h.auto:
		note, noteStyle = "fixed", th.warn
		if h.value.s != strconv.Itoa(len(g.content())) {
			note = "fixed, wrong"
		}
	case h.auto:
		note = "automatic"
	case h.from != 0:
		note, noteStyle = "+ from #", th.good
	case h.orig.Name == "":
		note, noteStyle = "+ added", th.good
	case h.name.s != h.orig.Name || h.value.s != h.orig.Value:
		note, noteStyle = "~ changed", th.warn
	}
	old := ""
	if !h.off {
		old = expired(h.name.s, h.value.s, e.now)
	}
	if old != "" {
		note = signTrouble
	}
	if fault := h.fault(); fault != "" && !h.off {
		note, noteStyle, old = fault, th.bad, ""
	}
	if on && e.ghost() != "" {
		note, noteStyle = signTo+" takes it", th.key
	}
	noteW := 0
	if note != "" {
		noteW = min(14, max(0, w-nameWidth-30))
		if old != "" {
			noteW = min(20, max(0, w-nameWidth-24))
		}
	}
	field(th, l, &h.name, s, nameWidth-1, on && e.at.col == 0, e.ghost())
	l.gap(1)
	auto := h.value
	if h.auto && !h.off {
		auto.s = strconv.Itoa(len(g.content()))
	}
	v := &h.value
	if h.auto && !(on && e.at.col == 1) {
		v = &auto
	}
	if e.veil != nil && !(on && e.at.col == 1) {
		v = &input{s: e.veil.field(h.name.s, v.s)}
	}
	field(th, l, v, vs, w-l.w-noteW-1, on && e.at.col == 1, e.ghost())
	if noteW > 0 {
		l.gap(1)
		if note == signTrouble {
			l.text(th.warn, safe.Of(old))
		} else {
			l.put(noteStyle, note)
		}
		if h.from != 0 && note == "+ from #" {
			l.text(noteStyle, safe.Of(id(h.from)))
		}
	}
	return l.end()
}

// bodyTitle is the row above the body: its size, and whether it is what its type says.
func (g *form) bodyTitle(th *theme, w int) string {
	l := row(w)
	data := g.content()
	if len(data) == 0 {
		return l.end()
	}
	l.gap(1).put(th.muted, "body  ").text(th.muted, safe.Of(size(int64(len(data)))))
	if media, _ := decode.ParseMediaType(g.media()); decode.IsJSON(media) && g.asText {
		if _, err := decode.ParseJSON(data); err != nil {
			l.gap(2).put(th.bad, signNo+" ").text(th.warn, safe.Of("no valid JSON: "+err.Error()))
		} else {
			l.gap(2).put(th.good, signYes+" JSON")
		}
	}
	return l.end()
}

// media is the Content-Type that would be sent.
func (g *form) media() string {
	for i := range g.heads {
		if !g.heads[i].off && strings.EqualFold(g.heads[i].name.s, "Content-Type") {
			return g.heads[i].value.s
		}
	}
	return ""
}

// expired is what to say about a token in a header, a cookie among them, that is no longer valid; "" if there is none.
func expired(name, value string, now time.Time) string {
	if !strings.Contains(value, "eyJ") { // how a JWT begins: {" in base64
		return ""
	}
	for _, t := range decode.Tokens(flow.Header{{Name: name, Value: value}}) {
		if exp, ok := t.Token.Expiry(); ok && !now.Before(exp) {
			return "expired " + about(now.Sub(exp)) + " ago"
		}
	}
	return ""
}

func (g *form) drawBody(th *theme, e *editor, w, h int) []string {
	on := e.at.part == partBody
	switch {
	case e.noBody != "":
		return []string{row(w).gap(1).text(th.warn, safe.Of(e.noBody)).end()}
	case !g.asText:
		l := row(w)
		if on {
			l.put(th.key, signCursor)
		} else {
			l.gap(1)
		}
		what := "binary body"
		if isText(g.bytes) {
			what = "body"
		}
		return []string{l.text(th.muted, safe.Of(what+", "+size(int64(len(g.bytes)))+": sent as it is; ")).put(th.key, keyOf(editExternal)).put(th.muted, " edits it").end()}
	case g.body.s == "" && !on:
		return []string{row(w).gap(1).put(th.faint, "no body").end()}
	}
	var out []string
	body := &g.body
	if e.veil != nil && !on {
		masked := newArea(string(e.veil.data([]byte(g.body.s), g.media())))
		body = &masked
	}
	for _, r := range body.view(th, w-2, h, on) {
		if on {
			out = append(out, row(1).put(th.key, signWriting).end()+r+" ")
		} else {
			out = append(out, " "+r+" ")
		}
	}
	return out
}

// results are the attempts, the newest last, or what is wrong with the form.
func (e *editor) results(m *model, w int) []string {
	th := m.th
	if e.problem != "" {
		return []string{row(w).text(th.rule, dashes(w)).end(), row(w).put(th.bad, " "+signNo+" ").text(th.warn, safe.Of(e.problem)).end()}
	}
	if len(e.tries) == 0 {
		return nil
	}
	out := []string{row(w).text(th.rule, dashes(w)).end()}
	for i := max(0, len(e.tries)-3); i < len(e.tries); i++ {
		t := &e.tries[i]
		l := row(w)
		if !t.done {
			l.text(th.muted, safe.Of(" attempt "+strconv.Itoa(i+1)+"  ")).put(th.warn, "sending ").text(th.muted, safe.Of(span(m.now.Sub(t.began))))
			out = append(out, l.end())
			continue
		}
		for _, p := range attempt(th, i+1, t, e.row.Status) {
			l.text(p.style, p.text)
		}
		if i == len(e.tries)-1 && l.room() > 24 {
			l.gap(3).put(th.key, keyOf(editShow)).put(th.muted, " show it")
		}
		out = append(out, l.end())
	}
	return out
}

// attempt is one replay in a row, beside what the original got.
func attempt(th *theme, n int, t *try, was int) []piece {
	ps := []piece{said(th.muted, " attempt "+strconv.Itoa(n)+"  ")}
	if t.status == 0 {
		return append(ps, said(th.warn, firstOf(t.err, "no answer")))
	}
	refused := flow.RefusedByStatus(t.status)
	s := statusStyle(th, t.status, refused)
	sign := words(signNo + " ")
	if t.status >= 200 && t.status < 300 {
		sign = signYes + " "
	} else if !refused {
		sign = ""
	}
	ps = append(ps, lit(s, sign), said(s, strconv.Itoa(t.status)+" "+t.reason), said(th.text, "  "+span(t.took)))
	if was != 0 {
		ps = append(ps, said(th.muted, "   was "+strconv.Itoa(was)))
	}
	if was != 0 && flow.RefusedByStatus(was) && t.status >= 200 && t.status < 300 {
		ps = append(ps, lit(th.good, "   fixed once"))
	}
	if t.id != 0 {
		ps = append(ps, said(th.muted, "   #"+id(t.id)))
	}
	return ps
}

// answerView is the answer to the last attempt, beside the form.
func (e *editor) answerView(th *theme, w, h int) []string {
	inner := w - 2
	n := e.answer.rows(inner)
	e.answered = max(0, min(e.answered, n-h))
	var out []string
	for i := e.answered; i < n && len(out) < h; i++ {
		l := row(inner)
		e.answer.draw(th, i, l)
		out = append(out, " "+l.end()+" ")
	}
	return fill(out, w, h)
}
