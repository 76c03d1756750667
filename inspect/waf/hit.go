package waf

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/types"
)

// Hit is one match of one rule.
type Hit struct {
	Rule     int    // such as 942100
	Message  string // of the rule
	Severity string // "critical", "error", "warning", "notice"
	Level    int    // paranoia level from which the rule is in use: 1 or 2
	Score    int    // that a match adds: 5, 4, 3, 2 by severity (rules 901140 to 901143)
	// Target is the variable that matched, as an exclusion names it: "ARGS:json.note",
	// "REQUEST_HEADERS:User-Agent", "REQUEST_METHOD".
	Target string
	// Place is the same for people: "the JSON field note".
	Place string
	// Where and Offset say where Quote, the bytes that matched, stands, as evidence does; "" where the
	// match is no bytes of the request: a method, a header that is missing. At most maxQuote bytes.
	Where  string
	Quote  string
	Offset int
	// Text is Quote without its escapes.
	Text string
	// Whole is true where a rule judged the value as a whole, and Quote is all of it.
	Whole bool
	// Shared is true where the rule fires for the accepted request too (see Compare).
	Shared bool
}

// maxQuote is the longest quotation in bytes.
const maxQuote = 300

// Compare marks the hits of rules that fire for an accepted request of the
// endpoint as well: they do not tell why this one was refused.
func (r *Result) Compare(accepted Result) {
	for i := range r.Hits {
		h := &r.Hits[i]
		h.Shared = slices.ContainsFunc(accepted.Hits, func(o Hit) bool { return o.Rule == h.Rule })
	}
}

// hits are the matches of the rules that count, in a fixed order: Coraza looks at
// the arguments of a form in the order of a map.
func (in *input) hits(matched []types.MatchedRule) []Hit {
	var out []Hit
	for _, m := range matched {
		points := scores[m.Rule().Severity()]
		level := levelOf(m.Rule().Tags())
		if points == 0 || level == 0 || in.blind(m.Rule().ID()) {
			continue
		}
		base := Hit{Rule: m.Rule().ID(), Message: m.Message(), Severity: m.Rule().Severity().String(), Level: level, Score: points}
		data := m.MatchedDatas()
		if chained(data) {
			out = append(out, in.chain(base, data))
			continue
		}
		for _, d := range data {
			out = append(out, in.locate(base, d))
		}
	}
	slices.SortFunc(out, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Where, b.Where), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Quote, b.Quote))
	})
	// Rules with multiMatch match one value before and after each of its transformations.
	out = slices.CompactFunc(out, func(a, b Hit) bool {
		return a.Rule == b.Rule && a.Target == b.Target && a.Where == b.Where && a.Offset == b.Offset && a.Quote == b.Quote
	})
	return out[:min(len(out), maxHits)]
}

var scores = map[types.RuleSeverity]int{types.RuleSeverityCritical: 5, types.RuleSeverityError: 4, types.RuleSeverityWarning: 3, types.RuleSeverityNotice: 2}

// levelOf is the paranoia level that a rule's tags name, 0 if they name none.
func levelOf(tags []string) int {
	for _, t := range tags {
		if n, ok := strings.CutPrefix(t, "paranoia-level/"); ok {
			level, _ := strconv.Atoi(n)
			return level
		}
	}
	return 0
}

// blind reports whether a rule judges what is not known of this request.
func (in *input) blind(rule int) bool {
	switch rule {
	case 920180: // POST without a length: where the head was not seen, that is how it was written down
		return len(in.f.Request.Head) == 0
	}
	return false
}

// chained reports whether the matches are the links of one chain of conditions
// and not as many matches of one condition.
func chained(data []types.MatchData) bool {
	return slices.ContainsFunc(data, func(d types.MatchData) bool { return d.ChainLevel() > 0 })
}

// chain is the one hit of a chain: its place is that of the first link that says
// something of the request, its quotation the first that can be found there.
func (in *input) chain(base Hit, data []types.MatchData) Hit {
	if base.Rule == 920450 || base.Rule == 920451 {
		return in.restricted(base, data)
	}
	var first *Hit
	for _, d := range data {
		if d.Variable().Name() == "TX" {
			continue
		}
		h := in.locate(base, d)
		if h.Quote != "" {
			return h
		}
		if first == nil {
			first = &h
		}
	}
	if first != nil {
		return *first
	}
	return base
}

// restricted is a hit of the rules on names of headers: the first link matches all
// of them, the last one names the one that is meant, between slashes.
func (in *input) restricted(base Hit, data []types.MatchData) Hit {
	name := strings.Trim(data[len(data)-1].Value(), "/")
	base.Target = "REQUEST_HEADERS_NAMES:" + name
	for _, s := range in.places.names(in, name) {
		base.Target = "REQUEST_HEADERS_NAMES:" + s.name
		base.take(s, mapped(s), 0, len(s.raw))
		base.Whole = true
		break
	}
	return base
}

// locate finds the bytes of one match in the request.
func (in *input) locate(h Hit, d types.MatchData) Hit {
	variable := d.Variable().Name()
	h.Target = variable
	if d.Key() != "" {
		h.Target += ":" + d.Key()
	}
	list := in.places.of(in, variable, d.Key())
	if len(list) == 0 {
		h.Place = placeless[variable]
		if variable == "REQUEST_METHOD" {
			h.Place += " " + in.f.Request.Method
		}
		return h
	}
	piece := matchedPiece(d.Data())
	if byFingerprint[h.Rule] {
		piece = ""
	}
	for _, s := range list {
		m := mapped(s)
		if from, to, ok := m.find(piece); ok {
			h.Whole = from == 0 && to == len(s.raw)
			h.take(s, m, from, to)
			return h
		}
	}
	// What matched is no piece of what was sent: the value as a whole, that of this match if several have the name.
	best := list[0]
	for _, s := range list {
		if strings.EqualFold(string(mapped(s).text), d.Value()) {
			best = s
			break
		}
	}
	h.Whole = true
	h.take(best, mapped(best), 0, len(best.raw))
	return h
}

// placeless are the variables that are no bytes of a place that evidence can name.
var placeless = map[string]string{"REQUEST_METHOD": "the method", "REQUEST_PROTOCOL": "the protocol version", "REQUEST_HEADERS": "the headers", "ARGS_COMBINED_SIZE": "the arguments", "REQUEST_BODY_LENGTH": "the body"}

// byFingerprint are the rules of libinjection: what they call matched data is a
// fingerprint of the value, or a word of their own.
var byFingerprint = map[int]bool{942100: true, 942101: true, 941100: true, 941101: true}

var foundWithin = regexp.MustCompile(` found within (?:[A-Z_]+(?::|$)|Content-Type multipart form$)`)

// matchedPiece is what matched, as the rule's log line tells it.
func matchedPiece(data string) string {
	s, ok := strings.CutPrefix(data, "Matched Data: ")
	if !ok {
		return data
	}
	if at := foundWithin.FindStringIndex(s); at != nil {
		return s[:at[0]]
	}
	return s
}

// take makes the bytes [from, to) of s those that matched.
func (h *Hit) take(s source, m decoded, from, to int) {
	h.Place, h.Where = s.place, s.where
	h.Offset = s.base + from
	h.Quote = shortened(s.raw[from:to])
	h.Text = shortened(m.between(from, to))
	if h.Quote == "" {
		h.Where, h.Offset = "", 0
	}
}

// shortened is s in at most maxQuote bytes; no character is cut in two.
func shortened(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	n := maxQuote
	for n > maxQuote-4 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
