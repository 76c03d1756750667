package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"html"
	"slices"
	"strings"

	"github.com/why403/why403/flow/decode"
)

// The forms in which a secret can be met, as they end the names of variables.
const (
	asIs    = ""
	part    = "LONG" // with letters that adjoin it
	percent = "URL"
	base    = "B64"
	hexa    = "HEX"
	escaped = "ESC"
)

var forms = map[string]string{asIs: "", part: "with what adjoins it", percent: "percent-encoded", base: "in base64", hexa: "in hex", escaped: "with escapes"}

// span is a piece of a text that is to be masked.
type span struct {
	start, end int
	of         *secret
	form       string
	quote      bool // the mask has to be a JSON string
}

const (
	minSweep = window // bytes of a secret that is looked for everywhere
	bounded  = 12     // shorter ones count only where no letter or digit adjoins them
	window   = 6      // bytes that decide whether a secret may begin here
	maxRun   = 64 << 10
)

// index finds all known secrets in one pass over a text: a table of what they begin with.
type index struct {
	table map[uint64][]variant // by the first window bytes
	seen  []uint64             // 1<<seenBits bits: which hashes of them exist
}

const seenBits = 20

// variant is one form of a secret.
type variant struct {
	text string
	of   *secret
	form string
}

func hash(k uint64) uint64 { return k * 0x9E3779B97F4A7C15 >> (64 - seenBits) }

func (x *index) add(s *secret) {
	if x.table == nil {
		x.table, x.seen = map[uint64][]variant{}, make([]uint64, 1<<(seenBits-6))
	}
	x.put(s, s.text, asIs)
	if t := decode.QuoteJSON(s.text); t[1:len(t)-1] != s.text {
		x.put(s, t[1:len(t)-1], escaped)
	}
	if strings.Contains(s.text, "/") {
		x.put(s, strings.ReplaceAll(s.text, "/", `\/`), escaped)
	}
	if t := html.EscapeString(s.text); t != s.text {
		x.put(s, t, escaped)
	}
	if strings.Contains(s.text, " ") {
		x.put(s, strings.ReplaceAll(s.text, " ", "+"), percent)
	}
	h := hex.EncodeToString([]byte(s.text))
	x.put(s, h, hexa)
	x.put(s, strings.ToUpper(h), hexa)
	for shift := range 3 {
		std := inner(base64.RawStdEncoding, s.text, shift)
		x.put(s, std, base)
		if url := inner(base64.RawURLEncoding, s.text, shift); url != std {
			x.put(s, url, base)
		}
	}
}

// inner is what s looks like in base64 when shift bytes stand before it, without the characters at both ends that its neighbours have a say in.
func inner(enc *base64.Encoding, s string, shift int) string {
	t := enc.EncodeToString(append(make([]byte, shift, shift+len(s)), s...))
	first := (shift*8 + 5) / 6
	last := (shift + len(s)) * 8 / 6
	return t[first:last]
}

func (x *index) put(s *secret, text, form string) {
	if len(text) < window {
		return
	}
	k := uint64(0)
	for i := range window {
		k = k<<8 | uint64(text[i])
	}
	if slices.ContainsFunc(x.table[k], func(v variant) bool { return v.text == text }) {
		return
	}
	list := append(x.table[k], variant{text, s, form})
	slices.SortStableFunc(list, func(a, b variant) int { return cmp.Compare(len(b.text), len(a.text)) })
	x.table[k] = list
	h := hash(k)
	x.seen[h>>6] |= 1 << (h & 63)
}

// hits are the known secrets in s, in order and apart from each other.
func (x *index) hits(s string) []span {
	if x.table == nil {
		return nil
	}
	list := x.scan(s, nil)
	return x.behindEscapes(s, list)
}

func (x *index) scan(s string, list []span) []span {
	k := uint64(0)
	const mask = 1<<(8*window) - 1
	for i, from := 0, 0; i < len(s); i++ {
		k = (k<<8 | uint64(s[i])) & mask
		if i < from+window-1 {
			continue
		}
		h := hash(k)
		if x.seen[h>>6]>>(h&63)&1 == 0 {
			continue
		}
		if hit, ok := x.at(s, i-window+1, k); ok {
			hit.start = max(hit.start, from)
			list = append(list, hit)
			i, from = hit.end-1, hit.end
		}
	}
	return list
}

// at is the longest secret that begins at a place, with what has to be masked along with it.
func (x *index) at(s string, start int, k uint64) (span, bool) {
	for _, v := range x.table[k] {
		if !strings.HasPrefix(s[start:], v.text) {
			continue
		}
		end := start + len(v.text)
		if v.form == asIs && len(v.text) < bounded && (start > 0 && isLetterOrDigit(s[start-1]) || end < len(s) && isLetterOrDigit(s[end])) {
			continue
		}
		hit := span{start: start, end: end, of: v.of, form: v.form}
		hit.widen(s)
		return hit, true
	}
	return span{}, false
}

// widen takes in the rest of an encoded run, of which the secret is only a part.
func (p *span) widen(s string) {
	in := func(byte) bool { return false }
	switch p.form {
	case base:
		in = func(c byte) bool { return isWordByte(c) || c == '+' || c == '/' || c == '-' || c == '=' }
	case hexa:
		in = isLetterOrDigit
	}
	for n := 0; p.start > 0 && in(s[p.start-1]) && n < maxRun; n++ {
		p.start--
	}
	for n := 0; p.end < len(s) && in(s[p.end]) && n < maxRun; n++ {
		p.end++
	}
}

func isLetterOrDigit(c byte) bool { return isWordByte(c) && c != '_' }

// behindEscapes adds what shows only once percent escapes are undone, be it twice.
func (x *index) behindEscapes(s string, list []span) []span {
	for i := 0; ; {
		at := strings.IndexByte(s[i:], '%')
		if at < 0 {
			return list
		}
		at += i
		if !isEscape(s, at) {
			i = at + 1
			continue
		}
		start, end := at, at
		for start > i && !isDelimiter(s[start-1]) && at-start < maxRun {
			start--
		}
		for end < len(s) && !isDelimiter(s[end]) && end-at < maxRun {
			end++
		}
		for _, hit := range x.undone(s[start:end], 2) {
			hit.start, hit.end = hit.start+start, hit.end+start
			list = append(list, hit)
		}
		i = end
	}
}

// undone are the secrets in s after its escapes are undone, with their places in s.
func (x *index) undone(s string, times int) []span {
	text := make([]byte, 0, len(s))
	places := make([]int, 0, len(s)+1)
	more := false
	for i := 0; i < len(s); i++ {
		places = append(places, i)
		c := s[i]
		if isEscape(s, i) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			more = more || c == '%'
			i += 2
		}
		text = append(text, c)
	}
	places = append(places, len(s))
	list := x.scan(string(text), nil)
	if more && times > 1 {
		list = append(list, x.undone(string(text), times-1)...)
	}
	for i := range list {
		p := &list[i]
		p.start, p.end = places[p.start], places[p.end]
		if p.form == asIs {
			p.form = percent
		}
	}
	return list
}

func isEscape(s string, i int) bool {
	return s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

func isDelimiter(c byte) bool {
	return c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '&' || c == '?' || c == ';' || c == '=' || c == '#'
}

// replace writes s with the spans, and all known secrets between them, masked.
func (m *Masker) replace(s string, spans []span) string {
	spans = append(spans, m.index.hits(s)...)
	spans = m.shortHits(s, spans)
	if len(spans) == 0 {
		return s
	}
	spans = join(s, spans)
	var b strings.Builder
	b.Grow(len(s))
	last := 0
	for _, p := range spans {
		b.WriteString(s[last:p.start])
		mask := m.nameOf(p.of, s[p.start:p.end], p.form)
		if p.quote && !m.runnable {
			mask = `"` + mask + `"`
		}
		b.WriteString(mask)
		last = p.end
		if last < len(s) && isWordByte(s[last]) {
			b.WriteByte('-') // only behind runs of extreme length: a name must end where it ends
		}
	}
	b.WriteString(s[last:])
	return b.String()
}

// shortHits adds the short secrets that stand in s as words of their own.
func (m *Masker) shortHits(s string, spans []span) []span {
	for _, k := range m.short {
		for at := 0; ; {
			n := strings.Index(s[at:], k.text)
			if n < 0 {
				break
			}
			start := at + n
			at = start + len(k.text)
			if (start == 0 || !isWordByte(s[start-1])) && (at == len(s) || !isWordByte(s[at])) {
				spans = append(spans, span{start: start, end: at, of: k})
			}
		}
	}
	return spans
}

// join orders spans, makes one of those that overlap, and has each end where a name can end.
func join(s string, spans []span) []span {
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	list := spans[:0]
	for _, p := range spans {
		if p.end <= p.start {
			continue
		}
		if n := len(list); n > 0 && p.start < list[n-1].end {
			if q := &list[n-1]; p.end > q.end {
				q.end, q.form = p.end, part
			}
			continue
		}
		for n := 0; p.end < len(s) && isWordByte(s[p.end]) && n < maxRun; n++ {
			p.end++
			p.form = part
		}
		list = append(list, p)
	}
	return list
}
