package ui

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/ui/safe"
)

// search looks for text in the open tab.
type search struct {
	open bool // being typed
	in   input
	text string // what is looked for, "" nothing
	row  int    // of the last hit, -1 none
}

// finder is a document that can look for text faster than row by row.
type finder interface {
	// find is the first row from row from on (or back) at w cells that holds text; text is in lower case.
	find(text string, w, from int, down bool) (int, bool)
}

// find looks through a document; what is no finder is drawn row by row.
func find(d document, text string, w, from int, down bool) (int, bool) {
	if f, ok := d.(finder); ok {
		return f.find(text, w, from, down)
	}
	n := d.rows(w)
	step := 1
	if !down {
		step = -1
	}
	for i := from; i >= 0 && i < n; i += step {
		l := row(w)
		d.draw(plain(), i, l)
		if strings.Contains(strings.ToLower(ansi.Strip(string(l.b))), text) {
			return i, true
		}
	}
	return 0, false
}

func (s *sequence) find(text string, w, from int, down bool) (int, bool) {
	starts, at := make([]int, len(s.docs)), 0
	for i, d := range s.docs {
		starts[i] = at
		at += d.rows(w)
	}
	for k := range s.docs {
		i := k
		if !down {
			i = len(s.docs) - 1 - k
		}
		n := s.docs[i].rows(w)
		local := from - starts[i]
		switch {
		case n == 0, down && local >= n, !down && local < 0:
			continue
		case down:
			local = max(local, 0)
		default:
			local = min(local, n-1)
		}
		if r, ok := find(s.docs[i], text, w, local, down); ok {
			return starts[i] + r, true
		}
	}
	return 0, false
}

// find searches the bytes, not the rows: a hit may be wrapped over two of them.
func (d *textDoc) find(text string, w, from int, down bool) (int, bool) {
	n := d.rows(w)
	if from < 0 || from >= n {
		return 0, false
	}
	start := d.offset(from)
	if down {
		for start < len(d.data) {
			i := indexFold(d.data[start:], text)
			if i < 0 {
				return 0, false
			}
			if r := d.rowAt(start + i); r >= from {
				return r, true
			}
			start += i + 1
		}
		return 0, false
	}
	end := len(d.data)
	if from+1 < n {
		end = d.offset(from + 1)
	}
	i := lastIndexFold(d.data[:end], text)
	if i < 0 {
		return 0, false
	}
	return d.rowAt(i), true
}

// offset is where row i begins. In a line that is not plain ASCII it is where the line begins.
func (d *textDoc) offset(i int) int {
	at := d.lineOf(i)
	off := int(d.start[d.source(at)])
	if sub := i - int(d.first[at]); sub > 0 && d.hidden(at) == 0 && simple(d.line(at)) {
		off += sub * d.w
	}
	return off
}

// rowAt is the row that shows the byte at off.
func (d *textDoc) rowAt(off int) int {
	line := sort.Search(len(d.start), func(k int) bool { return k+1 >= len(d.start) || int(d.start[k+1]) > off })
	at := d.seenAs(line)
	if d.hidden(at) > 0 { // what is folded away is found where it is folded into
		return int(d.first[at])
	}
	sub := 0
	switch text := d.line(at); {
	case simple(text):
		sub = (off - int(d.start[line])) / d.w
	default:
		head := safe.Bytes(untab(text[:min(len(text), off-int(d.start[line]))]))
		sub = len(fold([]piece{{"", head}}, d.w)) - 1
	}
	return min(int(d.first[at])+sub, int(d.first[at+1])-1)
}

// indexFold is the first place of text (in lower case) in data without regard to the case of ASCII
// letters, -1 if there is none.
func indexFold(data []byte, text string) int {
	if text == "" || len(data) < len(text) {
		return -1
	}
	low := text[0]
	up := low
	if low >= 'a' && low <= 'z' {
		up = low - 'a' + 'A'
	}
	for i := 0; i <= len(data)-len(text); {
		rest := data[i : len(data)-len(text)+1]
		k := bytes.IndexByte(rest, low)
		if up != low {
			if k >= 0 {
				rest = rest[:k]
			}
			if u := bytes.IndexByte(rest, up); u >= 0 {
				k = u
			}
		}
		if k < 0 {
			return -1
		}
		i += k
		if foldEqual(data[i:i+len(text)], text) {
			return i
		}
		i++
	}
	return -1
}

func lastIndexFold(data []byte, text string) int {
	for i := len(data) - len(text); i >= 0; i-- {
		if foldEqual(data[i:i+len(text)], text) {
			return i
		}
	}
	return -1
}

func foldEqual(data []byte, lower string) bool {
	for i := range len(lower) {
		c := data[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// highlight marks the hits of text in a finished row.
func highlight(th *theme, drawn, text string) string {
	plainText := strings.ToLower(ansi.Strip(drawn))
	out, shift := drawn, 0
	for {
		i := strings.Index(plainText[shift:], text)
		if i < 0 {
			return out
		}
		i += shift
		from := ansi.StringWidth(plainText[:i])
		to := from + ansi.StringWidth(text)
		hit := row(to - from)
		hit.over = th.hit
		hit.text("", safe.Of(ansi.Strip(ansi.Cut(out, from, to))))
		out = ansi.Truncate(out, from, "") + hit.end() + ansi.TruncateLeft(out, to, "")
		shift = i + len(text)
	}
}

// texts are what is pointed out in the open tab: what somebody looks for there, else what the filter
// looks for in bodies.
func (v *inspector) texts() []string {
	switch {
	case v.search.text != "":
		return []string{v.search.text}
	case v.tab == tabRequest || v.tab == tabResponse:
		return v.sought
	}
	return nil
}

// nearest is the first row from row from on (or back) that holds one of the texts.
func nearest(d document, texts []string, w, from int, down bool) (row int, ok bool) {
	for _, text := range texts {
		r, there := find(d, text, w, from, down)
		if there && (!ok || (r < row) == down) {
			row, ok = r, true
		}
	}
	return row, ok
}

// seekText goes to the next hit in the open tab, around the end if need be.
func (m *model) seekText(from int, down bool) {
	v := &m.inspector
	s, texts := &v.search, v.texts()
	if len(texts) == 0 {
		return
	}
	w := m.lay.inspector.w - 2
	doc := v.doc(m.th, w, true, m.now, m.o.Zone)
	r, ok := nearest(doc, texts, w, from, down)
	if !ok {
		start := 0
		if !down {
			start = doc.rows(w) - 1
		}
		r, ok = nearest(doc, texts, w, start, down)
	}
	if !ok {
		s.row = -1
		return
	}
	s.row, v.line[v.tab] = r, r
	if r < v.off[v.tab] || r >= v.off[v.tab]+v.h {
		v.off[v.tab] = max(0, r-v.h/3)
	}
}

// searchOn looks again for what was not found, in what has been read since.
func (m *model) searchOn() {
	if v := &m.inspector; len(v.texts()) > 0 && v.search.row < 0 {
		m.seekText(v.off[v.tab], true)
	}
}

// searchKey handles a key while the search is typed.
func (m *model) searchKey(name, text string) tea.Cmd {
	s := &m.inspector.search
	switch name {
	case "esc", "ctrl+c":
		*s = search{row: -1}
	case "enter":
		s.open = false
	case "down", "ctrl+n", "tab":
		m.seekText(s.row+1, true)
	case "up", "ctrl+p", "shift+tab":
		m.seekText(s.row-1, false)
	default:
		if s.in.key(name, text) {
			s.text = strings.ToLower(s.in.s)
			if !utf8.ValidString(s.text) {
				s.text = ""
			}
			m.seekText(m.inspector.off[m.inspector.tab], true)
		}
	}
	return nil
}

// searchLine is the footer while a search is typed.
func (m *model) searchLine(w int) string {
	th, s := m.th, &m.inspector.search
	l := row(w).put(th.key, "search ")
	s.in.draw(th, l, th.bright, w/2, true)
	switch {
	case s.text == "":
	case s.row < 0:
		l.gap(2).put(th.warn, "not in this tab")
	default:
		l.gap(2).text(th.muted, safe.Of("row "+count(int64(s.row+1))+" of "+count(int64(m.inspector.rows))))
	}
	return l.gap(3).put(th.key, "↓ ↑ ").put(th.muted, "next, previous   ").put(th.key, "enter ").put(th.muted, "keep   ").put(th.key, "esc ").put(th.muted, "end").end()
}
