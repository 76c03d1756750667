package ui

import (
	"bytes"
	"strings"

	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// prettyLimit is how much longer than its text an indented one may become, in bytes: deep nesting multiplies.
const prettyLimit = 128 << 20

// markupDepth bounds the indentation of XML and HTML: elements of HTML are often left open.
const markupDepth = 24

// indentMarkup breaks XML or HTML into a line for each element and indents these by two. An element
// with text alone stays on one line, and so does the text around inline elements of
// HTML. White space between words is collapsed, as it means nothing there; what stands in pre,
// textarea, script, style, comments and CDATA keeps its lines. false: it would become too long.
func indentMarkup(data []byte, html bool) ([]byte, bool) {
	m := markup{in: data, html: html, since: -1}
	for m.i < len(data) {
		m.step()
		if len(m.out) > len(data)+prettyLimit {
			return nil, false
		}
	}
	m.flush()
	return bytes.TrimRight(m.out, "\n"), true
}

// markup is the state of one pass over a text.
type markup struct {
	in   []byte
	i    int
	html bool
	out  []byte
	open []string // names of the elements that are open
	line []byte   // of the line that is being written
	// since is how many elements were open when line began with a start tag; -1: it did not.
	since int
	bare  bool // that tag is all there is in line
}

func (m *markup) step() {
	rest := m.in[m.i:]
	if rest[0] != '<' || len(rest) > 1 && !tagStart(rest[1]) {
		end := bytes.IndexByte(rest[1:], '<')
		if end < 0 {
			end = len(rest)
		} else {
			end++
		}
		m.text(rest[:end])
		m.i += end
		return
	}
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		m.whole(rest, "-->")
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		m.whole(rest, "]]>")
	case bytes.HasPrefix(rest, []byte("<?")):
		m.whole(rest, "?>")
	case bytes.HasPrefix(rest, []byte("<!")):
		m.whole(rest, ">")
	default:
		m.tag(rest[:tagEnd(rest)])
	}
}

func tagStart(c byte) bool {
	return c == '/' || c == '!' || c == '?' || c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// tagEnd is the length of the tag that data begins with: up to the > outside of quotes.
func tagEnd(data []byte) int {
	quote := byte(0)
	for i := 1; i < len(data); i++ {
		switch c := data[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if data[i-1] == '=' || data[i-1] == ' ' { // an apostrophe elsewhere is no quote
				quote = c
			}
		case c == '>':
			return i + 1
		}
	}
	return len(data)
}

// flush ends the line that is being written.
func (m *markup) flush() {
	if line := bytes.TrimRight(m.line, " "); len(bytes.TrimSpace(line)) > 0 {
		m.out = append(append(m.out, line...), '\n')
	}
	m.line, m.since, m.bare = m.line[:0], -1, false
}

// indent begins a line if none has begun.
func (m *markup) indent() {
	if len(m.line) == 0 {
		for range min(len(m.open), markupDepth) {
			m.line = append(m.line, "  "...)
		}
	}
}

// text adds words, with one space where there was any white space.
func (m *markup) text(data []byte) {
	words := bytes.Fields(data)
	if len(words) == 0 {
		if len(m.line) > 0 && !m.bare && m.html {
			m.line = append(m.line, ' ')
		}
		return
	}
	m.indent()
	if isSpace(data[0]) && !m.bare && len(bytes.TrimSpace(m.line)) > 0 && m.line[len(m.line)-1] != ' ' {
		m.line = append(m.line, ' ')
	}
	m.bare = false
	for i, w := range words {
		if i > 0 {
			m.line = append(m.line, ' ')
		}
		m.line = append(m.line, w...)
	}
	if isSpace(data[len(data)-1]) {
		m.line = append(m.line, ' ')
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// whole adds what ends in end on lines of its own, as it is.
func (m *markup) whole(rest []byte, end string) {
	n := bytes.Index(rest, []byte(end))
	if n < 0 {
		n = len(rest)
	} else {
		n += len(end)
	}
	m.flush()
	m.verbatim(rest[:n])
	m.i += n
}

func (m *markup) verbatim(data []byte) {
	for l := range bytes.Lines(data) {
		m.indent()
		m.line = append(m.line, bytes.TrimRight(l, "\r\n")...)
		m.flush()
	}
}

func (m *markup) tag(tag []byte) {
	m.i += len(tag)
	name := tagName(tag)
	closing := len(tag) > 1 && tag[1] == '/'
	alone := bytes.HasSuffix(tag, []byte("/>")) || m.html && void(name)
	if m.html && inlineTag(name) {
		m.indent()
		m.line = append(m.line, oneLine(tag)...)
		m.bare = false
		return
	}
	switch {
	case closing:
		at := len(m.open) - 1
		for at >= 0 && m.open[at] != name {
			at--
		}
		if at < 0 { // nothing of that name is open
			m.flush()
			m.indent()
			m.line = append(m.line, oneLine(tag)...)
			m.flush()
			return
		}
		if m.since == at && at == len(m.open)-1 { // <name>text</name>
			m.open = m.open[:at]
			m.line = append(bytes.TrimRight(m.line, " "), oneLine(tag)...)
			m.flush()
			return
		}
		m.flush()
		m.open = m.open[:at]
		m.indent()
		m.line = append(m.line, oneLine(tag)...)
		m.flush()
	case alone:
		m.flush()
		m.indent()
		m.line = append(m.line, oneLine(tag)...)
		m.flush()
	default:
		m.flush()
		m.indent()
		m.line = append(m.line, oneLine(tag)...)
		m.since, m.bare = len(m.open), true
		m.open = append(m.open, name)
		if m.html && verbatimTag(name) {
			m.raw(name)
		}
	}
}

// raw adds the content of an element in which white space counts, or which is no markup (HTML, 13.2.5).
func (m *markup) raw(name string) {
	rest := m.in[m.i:]
	n := indexFold(rest, "</"+name)
	if n < 0 {
		n = len(rest)
	}
	if content := rest[:n]; bytes.IndexByte(bytes.TrimSpace(content), '\n') >= 0 {
		m.flush()
		m.verbatim(bytes.Trim(content, "\r\n"))
	} else {
		m.text(content)
	}
	m.i += n
}

// oneLine is a tag with its white space collapsed, outside of values in quotes.
func oneLine(tag []byte) []byte {
	if !bytes.ContainsAny(tag, "\n\t\r") && !bytes.Contains(tag, []byte("  ")) {
		return tag
	}
	var out []byte
	quote := byte(0)
	for i, c := range tag {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\'') && i > 0 && (tag[i-1] == '=' || isSpace(tag[i-1])):
			quote = c
		}
		if isSpace(c) && (quote == 0 || c != ' ') {
			if quote == 0 && len(out) > 0 && out[len(out)-1] == ' ' {
				continue
			}
			c = ' '
		}
		out = append(out, c)
	}
	return out
}

func tagName(tag []byte) string {
	i := 1
	if i < len(tag) && tag[i] == '/' {
		i++
	}
	end := i
	for end < len(tag) && !isSpace(tag[end]) && tag[end] != '>' && (tag[end] != '/' || end+1 < len(tag) && tag[end+1] != '>') {
		end++
	}
	return strings.ToLower(string(tag[i:end]))
}

// void reports whether an element of HTML has no content (HTML, 13.1.2).
func void(name string) bool {
	switch name {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr":
		return true
	}
	return false
}

// verbatimTag reports whether the content of an element keeps its lines.
func verbatimTag(name string) bool {
	switch name {
	case "script", "style", "pre", "textarea":
		return true
	}
	return false
}

func inlineTag(name string) bool {
	switch name {
	case "a", "abbr", "b", "br", "cite", "code", "em", "font", "i", "kbd", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var":
		return true
	}
	return false
}

// markupPieces colours one line of indented XML or HTML. What goes over several lines has no colours.
func markupPieces(th *theme, text []byte) []piece {
	var ps []piece
	add := func(s style, t []byte) {
		if len(t) > 0 {
			ps = append(ps, piece{s, safe.Bytes(untab(t))})
		}
	}
	for len(text) > 0 {
		n := bytes.IndexByte(text, '<')
		if n < 0 || n+1 < len(text) && !tagStart(text[n+1]) {
			add(th.text, text)
			break
		}
		add(th.text, text[:n])
		if text = text[n:]; bytes.HasPrefix(text, []byte("<!")) || bytes.HasPrefix(text, []byte("<?")) {
			add(th.muted, text)
			break
		}
		end := tagEnd(text)
		tagPieces(th, text[:end], add)
		text = text[end:]
	}
	return ps
}

func tagPieces(th *theme, tag []byte, add func(style, []byte)) {
	i := 1
	for i < len(tag) && !isSpace(tag[i]) && tag[i] != '>' {
		i++
	}
	add(th.accent, tag[:i])
	for i < len(tag) {
		from := i
		switch c := tag[i]; {
		case c == '"' || c == '\'':
			for i++; i < len(tag) && tag[i] != c; i++ {
			}
			i = min(i+1, len(tag))
			add(th.str, tag[from:i])
		case c == '>' || c == '/' && i == len(tag)-2:
			add(th.accent, tag[i:])
			return
		default:
			for i++; i < len(tag) && tag[i] != '"' && tag[i] != '\'' && tag[i] != '>' && (tag[i] != '/' || i != len(tag)-2); i++ {
			}
			add(th.muted, tag[from:i])
		}
	}
}

// jsonLines is a text with a JSON value on each line (NDJSON, JSON Lines, JSON text sequences of RFC 7464); nil: it is none.
func jsonLines(media string, data []byte) *textDoc {
	switch media {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines", "application/json-lines", "application/x-json-stream", "application/stream+json":
	case "application/json-seq":
		data = bytes.ReplaceAll(data, []byte("\x1e"), nil)
	default:
		return nil
	}
	for l := range bytes.Lines(data) {
		if l = bytes.TrimSpace(l); len(l) > 0 {
			if _, err := decode.ParseJSON(l); err != nil {
				return nil
			}
			break
		}
	}
	return newTextDoc(data, true)
}
