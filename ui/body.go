package ui

import (
	"bytes"
	"strconv"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// bodyLimit bounds what is decoded of one body for the screen, in bytes.
const bodyLimit = 64 << 20

// validLimit bounds the JSON that is checked whole before it is shown, in bytes.
const validLimit = 4 << 20

// bodyDoc chooses how to show the body of m. It is made in a command; raw shows what was sent.
func bodyDoc(th *theme, m *flow.Message, raw bool) document {
	if m == nil || m.Body.Size == 0 {
		return pieces{}
	}
	data, note := m.Body.Data, ""
	if !raw {
		text, cut, err := decode.Content(m, bodyLimit)
		switch {
		case err != nil:
			note = "shown as sent: " + err.Error()
		default:
			data = text
			if cut {
				note = "the first " + size(int64(len(data))) + " of the decoded body"
			}
		}
	}
	if !m.Body.Whole() && note == "" {
		note = "the first " + size(int64(len(m.Body.Data))) + " of " + size(m.Body.Size)
	}
	if m.Body.Cut() {
		note += "; only " + size(m.Body.Kept) + " were kept"
	}
	docs := []document{}
	if note != "" {
		docs = append(docs, pieces{{said(th.warn, note)}})
	}
	return joined(append(docs, render(th, m, data, raw)...)...)
}

func render(th *theme, m *flow.Message, data []byte, raw bool) []document {
	media, _ := decode.MediaType(m.Header)
	if raw {
		if isText(data) {
			return []document{newTextDoc(data, false)}
		}
		return []document{hexDoc(data)}
	}
	switch {
	case decode.IsJSON(media) || looksJSON(data):
		if m.Body.Whole() && len(data) < validLimit {
			if _, err := decode.ParseJSON(data); err != nil {
				if lines := jsonLines(media, data); lines != nil {
					return []document{lines}
				}
				if isText(data) {
					return []document{pieces{{said(th.warn, "no valid JSON: "+err.Error())}}, newTextDoc(data, true)}
				}
				break
			}
		}
		if pretty, ok := indentJSON(data); ok {
			return []document{newTextDoc(pretty, true)}
		}
	case decode.IsForm(media):
		if pairs := decode.Form(data); len(pairs) > 0 && isText(data) {
			return []document{&wrapped{list: pairRows(th, pairs)}}
		}
	case decode.IsMultipart(media):
		_, params := decode.MediaType(m.Header)
		if docs := partRows(th, data, params["boundary"]); docs != nil {
			return docs
		}
	case decode.IsProtobuf(media):
		if text, ok := decode.ProtobufText(data, !m.Body.Whole()); ok {
			return []document{pieces{{lit(th.muted, "protobuf without its schema: field numbers, and what their bytes look like")}}, newTextDoc(text, false)}
		}
	}
	if lines := jsonLines(media, data); lines != nil {
		return []document{lines}
	}
	if decode.IsXML(media) || decode.IsHTML(media) {
		if text, _ := decode.UTF8(data, m.Header.Get("Content-Type")); isText(text) {
			if pretty, ok := indentMarkup(text, decode.IsHTML(media)); ok {
				d := newTextDoc(pretty, false)
				d.markup = true
				return []document{d}
			}
		}
	}
	if facts := fileFacts(data, m.Body.Size); facts != "" && !isText(data) {
		return []document{pieces{{said(th.bright, facts)}, nil}, hexDoc(data)}
	}
	if text, _ := decode.UTF8(data, m.Header.Get("Content-Type")); (decode.IsText(media) || media == "") && isText(text) {
		return []document{newTextDoc(text, false)}
	}
	if isText(data) {
		return []document{newTextDoc(data, false)}
	}
	return []document{hexDoc(data)}
}

// isText reports whether the beginning of data looks like text rather than like bytes.
func isText(data []byte) bool {
	head := data[:min(len(data), 4096)]
	odd := 0
	for _, c := range head {
		if c == 0 {
			return false
		}
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0x1b && c != '\f' {
			odd++
		}
	}
	t := bytes.ToValidUTF8(head, nil)
	odd += len(head) - len(t)
	return odd*20 <= len(head)
}

func looksJSON(data []byte) bool {
	t := bytes.TrimSpace(data[:min(len(data), 64)])
	return len(t) > 1 && (t[0] == '{' && (t[1] == '"' || t[1] == '}' || t[1] == ' ' || t[1] == '\n' || t[1] == '\r') || t[0] == '[' && bytes.IndexByte([]byte(`{["-0123456789]tfn `), t[1]) >= 0)
}

// textDoc is text of any length, broken into rows of the width of the screen. What it keeps is the
// place where each line begins; rows are made when they are seen.
type textDoc struct {
	data  []byte
	start []int32 // offset of each line
	json  bool    // colour it as JSON
	// markup: colour it as XML or HTML, whose lines are indented by two.
	markup   bool
	numbered bool // each line's number stands before it
	// first is the index of the first row at width w of each line that is seen.
	first []int32
	w     int
	// last remembers the rows of one line that is not plain ASCII or is long.
	lastLine int
	lastRows [][]piece
	folds    folds
	deep     int         // see deepest; -1: not known
	spans    []citedSpan // what is quoted, as offsets in data
}

func newTextDoc(data []byte, json bool) *textDoc {
	data = bytes.TrimSuffix(data, []byte("\n"))
	d := &textDoc{data: data, json: json, lastLine: -1, deep: -1, start: []int32{0}}
	for i := 0; ; {
		n := bytes.IndexByte(data[i:], '\n')
		if n < 0 {
			return d
		}
		i += n + 1
		d.start = append(d.start, int32(i))
	}
}

// text is line i as it stands in data.
func (d *textDoc) text(i int) []byte {
	end := len(d.data)
	if i+1 < len(d.start) {
		end = int(d.start[i+1]) - 1
	}
	return bytes.TrimSuffix(d.data[d.start[i]:end], []byte("\r"))
}

// gutter is how many cells the numbers of lines take.
func (d *textDoc) gutter() int {
	if !d.numbered {
		return 0
	}
	return len(strconv.Itoa(len(d.start))) + 2
}

func (d *textDoc) rows(w int) int {
	if w = max(8, w-d.gutter()); d.w != w {
		d.w, d.lastLine = w, -1
		n := d.lines()
		d.first = make([]int32, n+1)
		for i := range n {
			d.first[i+1] = d.first[i] + int32(d.height(i))
		}
	}
	return int(d.first[d.lines()])
}

// height is how many rows line i takes as it is shown.
func (d *textDoc) height(i int) int {
	text := d.line(i)
	if simple(text) {
		return max(1, (len(text)+d.w-1)/d.w)
	}
	return len(fold([]piece{{"", safe.Bytes(untab(text))}}, d.w))
}

func (d *textDoc) draw(th *theme, i int, l *line) {
	n := d.rows(l.max)
	if i >= n {
		return
	}
	at := d.lineOf(i)
	if g := d.gutter(); g > 0 {
		if i == int(d.first[at]) {
			l.right(th.faint, safe.Of(strconv.Itoa(d.source(at)+1)), g-2)
		}
		l.to(g)
	}
	if at != d.lastLine {
		text := d.line(at)
		if len(text) > colourLimit && simple(text) {
			k := (i - int(d.first[at])) * d.w
			part := []piece{{th.text, safe.Bytes(text[k:min(len(text), k+d.w)])}}
			for _, s := range d.spans {
				off := int(d.start[d.source(at)]) + k
				part = restyle(part, s.from-off, s.to-off, th.cited)
			}
			for _, p := range part {
				l.text(p.style, p.text)
			}
			return
		}
		var ps []piece
		switch {
		case len(text) > colourLimit:
			ps = []piece{{th.text, safe.Bytes(untab(text))}}
		case d.json && bytes.HasPrefix(text, []byte("$")): // no line of JSON begins so
			ps = pathPieces(th, text)
		case d.json:
			ps = jsonPieces(th, text)
		case d.markup:
			ps = markupPieces(th, text)
		default:
			ps = []piece{{th.text, safe.Bytes(untab(text))}}
		}
		d.lastRows = fold(d.pointOut(th, at, ps), d.w)
		d.lastLine = at
	}
	if k := i - int(d.first[at]); k < len(d.lastRows) {
		for _, p := range d.lastRows[k] {
			l.text(p.style, p.text)
		}
	}
}

// colourLimit is the length of a line in bytes up to which it is taken apart for its colours.
const colourLimit = 16 << 10

// simple reports whether every byte of text is one cell.
func simple(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// untab replaces tabs by spaces up to the next multiple of four.
func untab(text []byte) []byte {
	if bytes.IndexByte(text, '\t') < 0 {
		return text
	}
	var out []byte
	for _, c := range text {
		if c != '\t' {
			out = append(out, c)
			continue
		}
		out = append(out, spaces[:4-len(out)%4]...)
	}
	return out
}

// fold breaks pieces into rows of at most w cells; there is always one row.
func fold(ps []piece, w int) [][]piece {
	w = max(w, 2)
	rows := [][]piece{nil}
	left := w
	for _, p := range ps {
		if p.text.Empty() {
			continue
		}
		for i, part := range p.text.Fold(left, w) {
			if i > 0 {
				rows, left = append(rows, nil), w
			}
			if !part.Empty() {
				rows[len(rows)-1] = append(rows[len(rows)-1], piece{p.style, part})
				left -= part.Width()
			}
		}
	}
	return rows
}

// hexDoc is bytes: offset, sixteen of them, and what they are as ASCII.
type hexDoc []byte

func (d hexDoc) per(w int) int {
	if w < 10+3*16+17 {
		return 8
	}
	return 16
}

func (d hexDoc) rows(w int) int { n := d.per(w); return (len(d) + n - 1) / n }

func (d hexDoc) draw(th *theme, i int, l *line) {
	n := d.per(l.max)
	part := d[i*n : min(len(d), (i+1)*n)]
	off := strconv.FormatInt(int64(i*n), 16)
	l.put(th.muted, words("00000000"[:max(0, 8-len(off))])).text(th.muted, safe.Of(off)).gap(2)
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 16)
	hex := make([]byte, 0, 48)
	for _, c := range part {
		hex = append(hex, digits[c>>4], digits[c&15], ' ')
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		text = append(text, c)
	}
	l.text(th.text, safe.Bytes(hex)).to(10+3*n+1).text(th.accent, safe.Bytes(text))
}
