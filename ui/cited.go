package ui

import (
	"bytes"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/ui/safe"
)

// cite is what the verdict, or a simulated rule, quotes of a flow.
type cite struct {
	where  string // as in inspect.Evidence
	quote  []byte
	text   string // the quotation without its escapes
	offset int    // of the quotation in the decoded body
	nth    int    // how often the body holds it before
}

// citesOf is what is quoted in an explanation: its evidence, then what the simulated rules match, in
// the order in which the tab Why tells it.
func citesOf(e *inspect.Explained) (list []cite) {
	if e == nil || e.Verdict == nil {
		return nil
	}
	for _, v := range e.Verdict.Evidence {
		list = append(list, cite{where: v.Where, quote: []byte(v.Quote), text: v.Quote, offset: v.Offset})
	}
	for _, h := range shownHits(e.WAF) {
		list = append(list, cite{where: h.Where, quote: []byte(h.Quote), text: h.Text, offset: h.Offset})
	}
	return list
}

// tab is the tab that shows the place, false: none does.
func (c *cite) tab() (tab, bool) {
	switch place, _, _ := strings.Cut(c.where, "."); {
	case place == "request":
		return tabRequest, true
	case place == "response":
		return tabResponse, true
	case c.where == "diff":
		return tabDiff, true
	case c.where == "tls":
		return tabTiming, true
	case strings.HasPrefix(c.where, "log:"):
		return tabLogs, true
	}
	return tabWhy, false
}

// citable is a document that can point out what is quoted of it.
type citable interface {
	// cite points out the k-th quotation if it stands here, and reports whether it does.
	cite(k int, c *cite) bool
	// cited is the row at w cells in which the k-th quotation begins; false: it is not here.
	cited(k, w int) (row int, ok bool)
}

// pointOut has the documents of a flow point out what its explanation quotes.
func (d *dossier) pointOut(docs ...document) {
	of := d
	if d.shown != nil {
		of = d.shown
	}
	if of.flow == nil {
		return
	}
	for k, c := range citesOf(of.exp) {
		t, _ := c.tab()
		m := of.flow.Request
		if t == tabResponse {
			m = of.flow.Response
		}
		if m == nil || t != tabRequest && t != tabResponse || len(c.quote) == 0 {
			continue
		}
		if strings.HasSuffix(c.where, ".body") && c.offset > 0 {
			if data, _, err := decode.Content(m, int64(c.offset)); err == nil {
				c.nth = bytes.Count(data[:min(len(data), c.offset)], c.quote)
			}
		}
		if media, _ := decode.MediaType(m.Header); decode.IsForm(media) && c.text == string(c.quote) {
			if p := decode.Form(append([]byte("x="), c.quote...)); len(p) == 1 { // as the fields of a form are shown
				c.text = p[0].Value
			}
		}
		for i, doc := range docs {
			if side := tabRequest + tab(i); doc != nil && side == t {
				if s, ok := doc.(citable); ok {
					s.cite(k, &c)
				}
			}
		}
	}
}

// citedSpan is a part of a text that the k-th quotation is: bytes, or cells, from one to another.
type citedSpan struct{ k, from, to int }

func (s *sequence) cite(k int, c *cite) bool {
	for _, doc := range s.docs {
		_, head := doc.(*headDoc)
		_, parts := doc.(*sequence)
		if d, ok := doc.(citable); ok && (parts || head != strings.HasSuffix(c.where, ".body")) && d.cite(k, c) {
			return true
		}
	}
	return false
}

func (s *sequence) cited(k, w int) (int, bool) {
	first := 0
	for _, doc := range s.docs {
		if d, ok := doc.(citable); ok {
			if r, ok := d.cited(k, w); ok {
				return first + r, true
			}
		}
		first += doc.rows(w)
	}
	return 0, false
}

// cite points out the quotation in the start line, or in the first field of that name that holds it.
func (d *headDoc) cite(k int, c *cite) bool {
	place, name, field := strings.Cut(c.where, ":")
	if (place == "response.trailer") == d.first {
		return false
	}
	for i, line := range d.lines {
		line = bytes.TrimRight(line, "\r\n")
		at := 0
		if start := i == 0 && d.first; field == start {
			continue
		} else if field {
			n, _, ok := bytes.Cut(line, []byte(":"))
			if !ok || !strings.EqualFold(string(bytes.TrimSpace(n)), name) {
				continue
			}
			at = len(n) + 1
		}
		quote := c.quote
		if rest, ok := bytes.CutPrefix(quote, []byte("http")); ok && c.where == "request.url" && !bytes.Contains(line, quote) { // the whole URL: its target stands here
			if _, after, ok := bytes.Cut(rest, []byte("://")); ok {
				_, target, _ := bytes.Cut(after, []byte("/"))
				quote = append([]byte("/"), target...)
			}
		}
		if n := bytes.Index(line[at:], quote); n >= 0 {
			d.spans = append(d.spans, citedSpan{k, at + n, at + n + len(quote)})
			d.spanOf = append(d.spanOf, i)
			d.w = 0
			return true
		}
		if !field {
			return false
		}
	}
	return false
}

func (d *headDoc) cited(k, w int) (int, bool) {
	d.rows(w)
	for n, s := range d.spans {
		if s.k != k {
			continue
		}
		line := d.lines[d.spanOf[n]]
		return min(slices.Index(d.of, d.spanOf[n])+safe.Bytes(line[:s.from]).Width()/max(1, w), max(0, len(d.of)-1)), true
	}
	return 0, false
}

// cite points out the quotation as it stands in the text: as sent, or without its escapes.
func (d *textDoc) cite(k int, c *cite) bool {
	for _, quote := range [][]byte{c.quote, []byte(c.text)} {
		if len(quote) == 0 {
			continue
		}
		found, at := -1, 0
		for n := 0; n <= c.nth; n++ {
			i := bytes.Index(d.data[at:], quote)
			if i < 0 {
				break // it stands here less often than in the body: the last one is the nearest
			}
			found, at = at+i, at+i+len(quote)
		}
		if found >= 0 {
			d.spans = append(d.spans, citedSpan{k, found, found + len(quote)})
			d.lastLine = -1
			return true
		}
	}
	return false
}

func (d *textDoc) cited(k, w int) (int, bool) {
	for _, s := range d.spans {
		if s.k == k {
			d.rows(w)
			return d.rowAt(s.from), true
		}
	}
	return 0, false
}

// pointOut gives what is quoted in the text's line at its look. What a line is folded with has none.
func (d *textDoc) pointOut(th *theme, at int, ps []piece) []piece {
	if len(d.spans) == 0 || d.hidden(at) > 0 {
		return ps
	}
	start, text := int(d.start[d.source(at)]), d.text(d.source(at))
	for _, s := range d.spans {
		if from, to := max(s.from-start, 0), min(s.to-start, len(text)); from < to {
			ps = restyle(ps, cells(text[:from]), cells(text[:to]), th.cited)
		}
	}
	return ps
}

func cells(text []byte) int { return safe.Bytes(untab(text)).Width() }

func (d *wrapped) cite(k int, c *cite) bool {
	for i, r := range d.list {
		before := 0
		for _, p := range r {
			text := p.text.String()
			for _, quote := range []string{string(c.quote), c.text} {
				shown := safe.Of(quote)
				n := strings.Index(text, shown.String())
				if quote == "" || n < 0 {
					continue
				}
				from := before + ansi.StringWidth(text[:n])
				if d.spans == nil {
					d.spans = map[int][]citedSpan{}
				}
				d.spans[i] = append(d.spans[i], citedSpan{k, from, from + shown.Width()})
				return true
			}
			before += p.text.Width()
		}
	}
	return false
}

func (d *wrapped) cited(k, w int) (int, bool) {
	at := 0
	for i, r := range d.list {
		for _, s := range d.spans[i] {
			if s.k == k {
				return at + s.from/max(1, w), true
			}
		}
		at += len(fold(r, w))
	}
	return 0, false
}

// restyle is a row of pieces whose cells from one to another have another style.
func restyle(ps []piece, from, to int, s style) []piece {
	out := make([]piece, 0, len(ps)+2)
	at := 0
	for _, p := range ps {
		w := p.text.Width()
		a, b := max(0, min(from-at, w)), max(0, min(to-at, w))
		at += w
		if a >= b {
			out = append(out, p)
			continue
		}
		for _, part := range []piece{{p.style, p.text.Head(a)}, {s, p.text.Head(b).Skip(a)}, {p.style, p.text.Skip(b)}} {
			if !part.text.Empty() {
				out = append(out, part)
			}
		}
	}
	return out
}

// target is where a row of the tab Why leads to.
type target struct {
	cite int     // the number of a quotation, if there is nothing else
	flow flow.ID // a flow of the story
	do   action  // what is done; open is for the checklist
}

// linked is a page some of whose rows lead to a place elsewhere.
type linked struct {
	pieces
	to    map[int]target // by row
	lines map[string]int // the row of each line of a log
}

// leads has the rows from one on to the last written lead somewhere.
func (p *writer) leads(from int, t target) {
	if p.to == nil {
		p.to = map[int]target{}
	}
	for i := from; i < len(p.out); i++ {
		p.to[i] = t
	}
}

// onLead reports whether row i of the tab Why is one that leads where the cursor stands.
func (v *inspector) onLead(i int) bool {
	t, ok := v.leads[i]
	at, on := v.leads[v.line[tabWhy]]
	return ok && on && t == at
}

// moveLead moves the cursor to the next row that leads somewhere else, and reports whether there is one
// to be seen: rows that lead nowhere are only scrolled by.
func (v *inspector) moveLead(by int) bool {
	line, off := &v.line[tabWhy], &v.off[tabWhy]
	if *line < *off || *line >= *off+v.h { // it was scrolled away
		*line = *off - 1
		if by < 0 {
			*line = *off + v.h
		}
	}
	for i := *line + by; i >= max(0, *off-1) && i <= min(v.rows-1, *off+v.h); i += by {
		t, ok := v.leads[i]
		if !ok || v.onLead(i) {
			continue
		}
		for v.leads[i-1] == t && i > 0 { // the first row of several
			if _, same := v.leads[i-1]; !same {
				break
			}
			i--
		}
		*line = i
		if i < *off {
			*off = i
		}
		if i >= *off+v.h {
			*off = i - v.h + 1
		}
		return true
	}
	return false
}

// follow goes to where the row under the cursor of the tab Why leads.
func (m *model) follow() (tea.Cmd, bool) {
	v := &m.inspector
	at := v.line[tabWhy]
	t, ok := v.leads[at]
	if !ok || v.tab != tabWhy || v.d == nil || at < v.off[tabWhy] || at >= v.off[tabWhy]+v.h {
		return nil, false
	}
	switch {
	case t.do == open:
		v.toggleChecks()
		return nil, true
	case t.do != none:
		return m.do(t.do), true
	case t.flow != 0:
		return m.goTo(t.flow), true
	}
	list := citesOf(v.d.exp)
	if t.cite >= len(list) {
		return nil, false
	}
	to, ok := list[t.cite].tab()
	if !ok || !v.has(to) {
		return nil, false
	}
	v.tab, v.jumped = to, true
	m.dropPath()
	v.wanted = t.cite + 1
	m.showCite()
	return nil, true
}

// showCite puts the cursor on the quotation that somebody asked for, once it is there.
func (m *model) showCite() {
	v := &m.inspector
	if v.wanted == 0 || v.d == nil {
		return
	}
	k := v.wanted - 1
	list := citesOf(v.d.exp)
	if k >= len(list) {
		v.wanted = 0
		return
	}
	w := m.lay.inspector.w - 2
	switch doc := v.doc(m.th, w, true, m.now, m.o.Zone).(type) {
	case linked:
		if at, ok := doc.lines[strings.TrimPrefix(list[k].where, "log:")]; ok {
			v.off[v.tab] = max(0, at-v.h/3)
		}
		v.wanted = 0
	case citable:
		if at, ok := doc.cited(k, w); ok {
			v.goToRow(at)
			v.wanted = 0
		} else if _, more := v.lacking(); !more {
			v.wanted = 0
			m.say(false, "it does not stand here as it is quoted; "+string(keyOf(toggleRaw))+" shows the body as it was sent")
		}
	default:
		v.wanted = 0
	}
}

// goToRow puts the cursor of the open tab on a row, a third from the top.
func (v *inspector) goToRow(at int) {
	v.line[v.tab] = at
	if at < v.off[v.tab] || at >= v.off[v.tab]+v.h {
		v.off[v.tab] = max(0, at-v.h/3)
	}
}

// nextCite goes to the next quotation in the open tab, around the end, and reports whether there is one.
func (m *model) nextCite(down bool) bool {
	v := &m.inspector
	if v.d == nil || v.tab != tabRequest && v.tab != tabResponse {
		return false
	}
	w := m.lay.inspector.w - 2
	doc, ok := v.doc(m.th, w, true, m.now, m.o.Zone).(citable)
	if !ok {
		return false
	}
	var rows []int
	for k := range citesOf(v.d.exp) {
		if r, ok := doc.cited(k, w); ok {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return false
	}
	slices.Sort(rows)
	at := v.line[v.tab]
	next := rows[0]
	if down {
		if i := slices.IndexFunc(rows, func(r int) bool { return r > at }); i >= 0 {
			next = rows[i]
		}
	} else {
		next = rows[len(rows)-1]
		for _, r := range rows {
			if r < at {
				next = r
			}
		}
	}
	v.goToRow(next)
	return true
}
