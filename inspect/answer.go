package inspect

import (
	"bytes"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"unicode"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// phrase is one thing that an answer says: a string of a JSON document, a piece
// of text of a page, a parameter of a header.
type phrase struct {
	text  string // what it says, unescaped
	words string // text in lower case, split into words by single spaces
	key   string // JSON key, XML element or header parameter that holds it; "" in plain text
	quote Evidence
}

// answer is the response reduced to what it says.
type answer struct {
	body    string // decoded prefix
	lower   string
	json    any // nil: no JSON
	isHTML  bool
	isXML   bool
	title   string // of an HTML page
	phrases []phrase
}

const (
	maxPhrases    = 200
	maxPhraseText = 600 // bytes
	// maxAnswerJSON is up to which size a body is parsed as a whole.
	maxAnswerJSON = BodyLimit
	maxJSONDepth  = 40
)

// said is the answer of the refused flow.
func (c *Case) said() *answer {
	if c.facts.answer == nil {
		c.facts.answer = readAnswer(c.resp())
		c.onlyStated(c.facts.answer)
	}
	return c.facts.answer
}

func readAnswer(m *flow.Message) *answer {
	data := m.Body.Data
	if len(data) > BodyLimit {
		data = data[:BodyLimit]
	}
	a := &answer{body: string(data)}
	a.lower = vendors.Lower(a.body[:min(len(a.body), 64<<10)])
	for _, f := range m.Header {
		a.fromHeader(f, "response.header:")
	}
	for _, f := range m.Trailers {
		a.fromHeader(f, "response.trailer:")
	}
	ct := strings.ToLower(m.Header.Get("Content-Type"))
	trimmed := strings.TrimSpace(a.body)
	switch {
	case trimmed == "":
	case trimmed[0] == '{' || trimmed[0] == '[' || strings.Contains(ct, "json"):
		if !a.fromJSON(data) {
			a.fromText(a.body)
		}
	case strings.HasPrefix(trimmed, "<?xml") || strings.Contains(ct, "xml") && !strings.Contains(ct, "html") || strings.HasPrefix(trimmed, "<Error>"):
		a.isXML = true
		a.fromMarkup(a.body)
	case strings.Contains(ct, "html") || trimmed[0] == '<':
		a.isHTML = true
		a.fromMarkup(a.body)
	case isText(trimmed):
		a.fromText(a.body)
	}
	return a
}

func isText(s string) bool {
	head := s[:min(len(s), 512)]
	for i := range len(head) {
		if c := head[i]; c < 9 || c > 13 && c < 32 && c != 27 {
			return false
		}
	}
	return true
}

func (a *answer) add(text, key string, e Evidence) {
	text = strings.TrimSpace(text)
	if text == "" || len(a.phrases) >= maxPhrases {
		return
	}
	if len(text) > maxPhraseText {
		text = text[:maxPhraseText]
	}
	a.phrases = append(a.phrases, phrase{text: text, words: words(withoutPointers(withoutLinks(text, key))), key: key, quote: e})
}

var links = regexp.MustCompile(`\bhttps?://\S+`)

// withoutLinks is text without the addresses in it: where to read on is not why.
// The type of a problem is one that says why (RFC 9457, 3.1.1).
func withoutLinks(text, key string) string {
	if strings.EqualFold(key, "type") || !strings.Contains(text, "://") {
		return text
	}
	return links.ReplaceAllString(text, " ")
}

var pointers = regexp.MustCompile(`(?i)(?:^|[.!?;]\s+)(?:please )?(?:see|refer to|read|visit|consult|learn more|for (?:more|help|further)) [^.!?;]*\b(?:help|docs|documentation|articles?|guides?|faq|knowledge base|troubleshooting)\b[^.!?;]*`)

// withoutPointers is text without the sentences after the first that say where
// to read on: what those pages are about is not why.
func withoutPointers(text string) string {
	at := strings.IndexAny(text, ".!?;")
	if at < 0 {
		return text
	}
	return text[:at] + pointers.ReplaceAllString(text[at:], " ")
}

// fromHeader takes the fields in which servers say why: challenges, and those
// that are called an error, a reason or a message.
func (a *answer) fromHeader(f flow.Field, where string) {
	name := strings.ToLower(f.Name)
	switch {
	case name == "www-authenticate" || name == "proxy-authenticate":
		for _, p := range []string{"error", "error_description"} {
			if v, ok := challengeParam(f.Value, p); ok {
				a.add(v, p, Evidence{Where: where + f.Name, Quote: v, Offset: strings.Index(f.Value, v)})
			}
		}
	case name == "grpc-message":
		a.add(percentDecode(f.Value), "message", Evidence{Where: where + f.Name, Quote: f.Value})
	case strings.Contains(name, "error") || strings.Contains(name, "reason") || strings.HasSuffix(name, "-message") || strings.Contains(name, "denied"):
		if !strings.Contains(name, "report") && !strings.HasPrefix(name, "x-cache") && !strings.HasSuffix(name, "-id") {
			a.add(f.Value, f.Name, Evidence{Where: where + f.Name, Quote: f.Value})
		}
	}
}

// echoKeys hold what the request said or where and when it went wrong, not why.
var echoKeys = map[string]bool{"path": true, "uri": true, "url": true, "instance": true, "timestamp": true, "date": true, "time": true,
	"documentation_url": true, "doc_url": true, "docs": true, "more_info": true, "moreinfo": true, "help_url": true, "resource": true, "requestid": true, "request_id": true, "trace": true, "stack": true,
	"hostid": true, "method": true, "@type": true, "kind": true, "apiversion": true, "email": true, "id": true}

func (a *answer) fromJSON(data []byte) bool {
	if len(data) > maxAnswerJSON || !shallow(data, 1000) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return false
	}
	a.json = v
	a.walk(v, "", 0)
	return true
}

// shallow reports whether brackets nest at most depth deep; a cheap guard for
// documents made to exhaust a parser.
func shallow(data []byte, depth int) bool {
	d, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if d++; d > depth {
				return false
			}
		case c == '}' || c == ']':
			d--
		}
	}
	return true
}

func (a *answer) walk(v any, key string, depth int) {
	if depth > maxJSONDepth || len(a.phrases) >= maxPhrases {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		// Map order is random: what an error says first are these keys; the rest in sorted order.
		for _, k := range orderedKeys(v) {
			if !echoKeys[strings.ToLower(k)] {
				a.walk(v[k], k, depth+1)
			}
		}
	case []any:
		for _, e := range v {
			a.walk(e, key, depth+1)
		}
	case string:
		if q, ok := rawJSON(a.body, v); ok {
			a.add(v, key, q)
		}
	case json.Number:
		switch strings.ToLower(key) {
		case "code", "errno", "error_code", "errorcode":
			if i := strings.Index(a.body, v.String()); i >= 0 {
				a.add(v.String(), key, Evidence{Where: "response.body", Quote: v.String(), Offset: i})
			}
		}
	}
}

// rawJSON finds the string as it is written in the document.
func rawJSON(body, s string) (Evidence, bool) {
	if s == "" {
		return Evidence{}, false
	}
	if i := strings.Index(body, s); i >= 0 {
		return Evidence{Where: "response.body", Quote: s, Offset: i}, true
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) == nil {
		if q := strings.Trim(strings.TrimSpace(b.String()), `"`); q != "" {
			if i := strings.Index(body, q); i >= 0 {
				return Evidence{Where: "response.body", Quote: q, Offset: i}, true
			}
		}
	}
	// Written with other escapes: quote the longest piece that is there as it is.
	best, at := "", -1
	for piece := range strings.FieldsFuncSeq(s, func(r rune) bool {
		return r > 126 || r < 32 || r == '"' || r == '\\' || r == '/' || r == '<' || r == '>' || r == '&' || r == '\''
	}) {
		if len(piece) > len(best) {
			if i := strings.Index(body, piece); i >= 0 {
				best, at = piece, i
			}
		}
	}
	return Evidence{Where: "response.body", Quote: best, Offset: at}, at >= 0
}

func (a *answer) fromText(s string) {
	at := 0
	for line := range strings.Lines(s) {
		if t := strings.TrimSpace(line); t != "" {
			q := t[:min(len(t), maxPhraseText)]
			a.add(t, "", Evidence{Where: "response.body", Quote: strings.ToValidUTF8(q, ""), Offset: at + strings.Index(line, t)})
		}
		at += len(line)
		if at > 16<<10 {
			return
		}
	}
}

// fromMarkup takes the text between tags, without scripts and styles; element
// names are kept as keys.
func (a *answer) fromMarkup(s string) {
	const limit = 128 << 10
	s = s[:min(len(s), limit)]
	element := ""
	for i := 0; i < len(s) && len(a.phrases) < maxPhrases; {
		lt := strings.IndexByte(s[i:], '<')
		if lt < 0 {
			lt = len(s) - i
		}
		if raw := s[i : i+lt]; strings.TrimSpace(raw) != "" && element != "script" && element != "style" {
			lead := len(raw) - len(strings.TrimLeftFunc(raw, unicode.IsSpace))
			trimmed := strings.TrimSpace(raw)
			text := strings.Join(strings.Fields(html.UnescapeString(trimmed)), " ")
			if element == "title" && a.title == "" {
				a.title = text
			}
			a.add(text, element, Evidence{Where: "response.body", Quote: strings.ToValidUTF8(trimmed[:min(len(trimmed), maxPhraseText)], ""), Offset: i + lead})
		}
		i += lt
		if i >= len(s) {
			return
		}
		if strings.HasPrefix(s[i:], "<!--") {
			end := strings.Index(s[i:], "-->")
			if end < 0 {
				return
			}
			i += end + 3
			continue
		}
		gt := strings.IndexByte(s[i:], '>')
		if gt < 0 {
			return
		}
		tag := s[i+1 : i+gt]
		i += gt + 1
		name := tag
		if sp := strings.IndexAny(tag, " \t\r\n/"); sp > 0 {
			name = tag[:sp]
		}
		if a.isHTML {
			name = strings.ToLower(name)
		}
		if strings.HasPrefix(tag, "/") {
			element = ""
		} else {
			element = name
		}
		if element == "script" || element == "style" {
			end := strings.Index(vendors.Lower(s[i:min(len(s), i+64<<10)]), "</"+element)
			if end < 0 {
				return
			}
			i += end
		}
	}
}

// words is s in lower case as words with one space between: "TOKEN_EXPIRED",
// "tokenExpired" and "Token expired." are all "token expired". Apostrophes vanish ("don't" is "dont").
func words(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 8)
	prev, space := rune(0), true
	for _, r := range s {
		switch {
		case r == '\'' || r == '’':
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if unicode.IsUpper(r) && unicode.IsLower(prev) && !space {
				b.WriteByte(' ')
			}
			b.WriteRune(unicode.ToLower(r))
			space = false
		default:
			if !space {
				b.WriteByte(' ')
			}
			space = true
		}
		prev = r
	}
	return strings.TrimSpace(b.String())
}

// lookJSON is the value at path ("error.code", "errors.0.message"; "*" is any
// element of an array) as text, "" if it is not there.
func lookJSON(v any, path string) []string {
	key, rest, more := strings.Cut(path, ".")
	next := func(v any) []string {
		if more {
			return lookJSON(v, rest)
		}
		switch v := v.(type) {
		case string:
			return []string{v}
		case json.Number:
			return []string{v.String()}
		case bool:
			if v {
				return []string{"true"}
			}
			return []string{"false"}
		case nil:
			return []string{"null"}
		}
		return []string{""}
	}
	switch v := v.(type) {
	case map[string]any:
		if e, ok := v[key]; ok {
			return next(e)
		}
	case []any:
		var out []string
		for i, e := range v {
			if i > 20 {
				break
			}
			if key == "*" {
				out = append(out, next(e)...)
			}
		}
		return out
	}
	return nil
}
