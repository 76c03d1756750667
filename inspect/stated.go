package inspect

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// unstated are parts of an answer that name a cause and do not say that it is the one here:
// what is supposed ("If your session has expired, …"), what is denied ("is not a CSRF problem",
// "has not expired"), and what was checked and found in order ("the CSRF check passed").
var unstated = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(?:^|[.!?;>"]\s*)if (?:your|the|this|that|you|an?) [^.!?;"<>{}\n]*`),
	regexp.MustCompile(`(?i)\bif (?:your|the|this|that) (?:[\w-]+ ){1,3}(?:has |have |is |was |had )?expired\b`),
	regexp.MustCompile(`(?i)[^.!?;,"<>{}\n]*\b(?:is|was|are|were)(?:n['’]t| not) (?:an? |the |any )?(?:[\w-]+ ){0,3}(?:problem|issue|reason|cause)\b`),
	regexp.MustCompile(`(?i)\b(?:has|have|had|is|was|are|did)(?:n['’]t| not) (?:yet |been )?expired?\b`),
	regexp.MustCompile(`(?i)(?:[\w-]+ ){0,2}\b(?:check|validation|verification)s? (?:has |have |had |was |is )?(?:passed|succeeded|successful|ok)\b`),
	regexp.MustCompile(`(?i)\b(?:[\w-]+ )?(?:token|session|signature|credentials?) (?:is|are|was) (?:valid|ok|fine|in order)\b`),
}

// alternatives joins causes of which the answer does not say which one it was.
var alternatives = regexp.MustCompile(`\beither\b.+\bor\b|\b(expired|revoked|malformed|invalid) (\w+ ){0,3}or (\w+ ){0,3}(expired|revoked|malformed|invalid|not valid)\b`)

// stated is text with what is not stated of this request blanked; offsets stay.
func (c *Case) stated(text string) string {
	for _, v := range c.requestTexts() {
		if strings.Contains(text, v) {
			text = strings.ReplaceAll(text, v, strings.Repeat(" ", len(v)))
		}
	}
	for _, re := range unstated {
		text = re.ReplaceAllStringFunc(text, func(m string) string { return strings.Repeat(" ", len(m)) })
	}
	return text
}

const (
	minEcho  = 10 // bytes; a shorter value may stand in an answer by chance
	maxEchos = 100
)

// requestTexts are the values of the request's query and body that read as text, at most maxEchos:
// an answer that repeats one says what it was sent, not why it refuses.
func (c *Case) requestTexts() []string {
	if c.facts.textsDone {
		return c.facts.texts
	}
	c.facts.textsDone = true
	add := func(s string) {
		if s = strings.TrimSpace(s); len(s) >= minEcho && strings.Contains(s, " ") && len(c.facts.texts) < maxEchos {
			c.facts.texts = append(c.facts.texts, s)
		}
	}
	form := func(q string) {
		vs, _ := url.ParseQuery(q)
		for _, list := range vs {
			for _, v := range list {
				add(v)
			}
		}
	}
	if u, err := url.Parse(c.Flow.URL()); err == nil {
		form(u.RawQuery)
	}
	q := c.req()
	data := bytes.TrimSpace(q.Body.Data)
	switch {
	case len(data) == 0 || len(data) > BodyLimit:
	case strings.Contains(strings.ToLower(q.Header.Get("Content-Type")), "x-www-form-urlencoded"):
		form(string(data))
	case (data[0] == '{' || data[0] == '[') && shallow(data, 1000):
		var v any
		if json.Unmarshal(data, &v) == nil {
			eachString(v, 0, add)
		}
	}
	return c.facts.texts
}

func eachString(v any, depth int, do func(string)) {
	if depth > maxJSONDepth {
		return
	}
	switch v := v.(type) {
	case string:
		do(v)
	case []any:
		for _, e := range v {
			eachString(e, depth+1, do)
		}
	case map[string]any:
		for _, k := range orderedKeys(v) {
			eachString(v[k], depth+1, do)
		}
	}
}

// onlyStated takes out of the answer's phrases what they do not state of this request.
func (c *Case) onlyStated(a *answer) {
	kept := a.phrases[:0]
	for _, p := range a.phrases {
		if s := c.stated(p.text); s != p.text {
			if p.words = words(withoutPointers(withoutLinks(s, p.key))); p.words == "" {
				continue
			}
		}
		kept = append(kept, p)
	}
	a.phrases = kept
}

// unstatedHit reports whether what a sentence of a product rests on in the body is not stated of this request.
func (c *Case) unstatedHit(h vendors.Hit) bool {
	if h.Logged || h.Basis == "code" {
		return false
	}
	b := c.said().body
	for _, q := range h.Quotes {
		if end := q.Offset + len(q.Quote); q.Where == "response.body" && end <= len(b) && strings.Contains(q.Quote, " ") {
			from, to := max(0, q.Offset-300), min(len(b), end+300)
			if c.stated(b[from:to])[q.Offset-from:end-from] != b[q.Offset:end] {
				return true
			}
		}
	}
	return false
}

// oneOfSeveral weakens what the phrase names beside other causes, and gives the other one.
func (c *Case) oneOfSeveral(p phrase, f *Finding) (other Finding, ok bool) {
	if !alternatives.MatchString(p.words) {
		return Finding{}, false
	}
	f.Confidence = min(f.Confidence, flow.Likely)
	_, rest, _ := strings.Cut(p.words, " or ")
	i := senses.first(rest, false)
	if i < 0 {
		i = senses.first("token "+rest, false)
	}
	if i < 0 || lexicon[i].cause == f.Cause {
		return Finding{}, false
	}
	other = because("the answer names it beside another cause: %s", clip(p.text, 160)).Of(lexicon[i].cause).On(BySentence).Quote(p.quote)
	other.Confidence = flow.Possible
	return other, true
}
