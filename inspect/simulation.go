package inspect

import (
	"regexp"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Simulation is what a rule set for web application firewalls says of a request
// when it is run here, as a fresh installation has it. It is no statement of the server's.
type Simulation struct {
	// Rules is the rule set with its version, "Core Rule Set 4.25.0".
	Rules string `json:"rules"`
	// Score is what the rules of paranoia level 1 add up to, Beyond what those of
	// level 2 would add; a fresh installation refuses from Threshold on, counting level 1 alone.
	Score     int `json:"score"`
	Beyond    int `json:"score_level_2"`
	Threshold int `json:"threshold"`
	// Hits are the matches: those of level 1 first, then by rule.
	Hits []Hit `json:"hits"`
	// Cut is set where only a first part of the request was looked at.
	Cut bool `json:"cut,omitempty"`
	// Accepted is the accepted request that was run as well, to compare with; nil: none.
	Accepted *Accepted `json:"accepted,omitempty"`
	// Trial leaves out of the arguments what the rules flag that the accepted request does not set off:
	// run again without it, none of these fires. nil: there is no such change.
	Trial []Cut `json:"-"`
	// Failed says why there is no result; then nothing else is set.
	Failed string `json:"failed,omitempty"`
}

// Accepted is what the rules say of an accepted request.
type Accepted struct {
	ID    flow.ID `json:"id"`
	Score int     `json:"score"`
}

// Hit is one match of one rule in a Simulation.
type Hit struct {
	Rule     int    `json:"rule"`
	Message  string `json:"message"`
	Severity string `json:"severity"`
	Level    int    `json:"paranoia_level"`
	Score    int    `json:"score"`
	Target   string `json:"target"` // the variable, as an exclusion names it: "ARGS:json.note"
	Place    string `json:"place"`  // the same for people: "the JSON field note"
	// Where, Quote and Offset are the bytes that matched, as in Evidence; "" where they are
	// no bytes of the request. Text is Quote without its escapes.
	Where  string `json:"where"`
	Quote  string `json:"quote"`
	Offset int    `json:"offset"`
	Text   string `json:"text"`
	// Whole is true where the rule judged the value as a whole.
	Whole bool `json:"whole"`
	// Shared is true where the rule fires for the accepted request as well.
	Shared bool `json:"shared"`
}

// Cut is a change that leaves a part of an argument out.
type Cut struct {
	Change flow.Change
	Place  string // the argument, for people
	Text   string // what is left out, without escapes
}

// Own are the matches of a level that the accepted request does not have.
func (s *Simulation) Own(level int) []Hit {
	var out []Hit
	for _, h := range s.Hits {
		if h.Level == level && !h.Shared {
			out = append(out, h)
		}
	}
	return out
}

// note is what it says in a line.
func (s *Simulation) note() string {
	switch own := s.Own(1); {
	case len(own) > 0 && s.Score >= s.Threshold:
		return "the " + s.Short() + ", run here, flags the request: " + inWords(own)
	case s.Score >= s.Threshold:
		return "the " + s.Short() + ", run here, flags the request, and the accepted request as well"
	}
	return "the " + s.Short() + ", run here, lets the request pass"
}

// Short is the rule set without the last part of its version: "Core Rule Set 4.25".
func (s *Simulation) Short() string {
	if i := strings.LastIndexByte(s.Rules, '.'); i > strings.IndexByte(s.Rules, '.') {
		return s.Rules[:i]
	}
	return s.Rules
}

// wantsSimulation reports whether a simulation could make the verdict better: a
// firewall refused, or nothing says who did and the request holds what rules look for.
func (c *Case) wantsSimulation(v Verdict) bool {
	if c.WAF != nil || c.Flow.Request == nil || c.req().Method == "CONNECT" {
		return false
	}
	return c.blocked() != nil || v.Confidence < flow.Likely && c.plainAnswer() && c.striking()
}

// plainAnswer reports whether the answer is of the kind that a server gives for a
// firewall inside it: the stock page of a web server or a load balancer, a bare
// word, nothing. It is not the application's own.
func (c *Case) plainAnswer() bool {
	switch who := c.whoAnswered(); who.layer {
	case layerWebServer, layerCDN, layerLoadBalancer:
		return true
	case "":
		a := c.said()
		return a.json == nil && !a.isXML && len(a.body) < plainPage
	}
	return false
}

const plainPage = 2 << 10 // bytes of a page that says no more than its status

// Shapes without which next to no rule of paranoia level 1 fires. They are looked at
// so that the rules, which take half a second to load, are not loaded for each refusal.
var (
	strikingText   = regexp.MustCompile(`['"<>(){}\[\]$|;&\x60*\\!^\x00-\x08\x0a-\x1f]|\.\.|--|//|/\*|#|(?i:\b(?:select|union|insert|delete|update|drop|exec|script|etc|passwd|bin|cmd|powershell|wget|curl|bash|java|php|information_schema)\b)`)
	strikingHeader = regexp.MustCompile(`[<'\x60]|\$\{|\(\)\s*\{|\.\.[/\\]|(?i:java\.|sqlmap|nikto|nmap|nessus|scan)`)
	strikingPath   = regexp.MustCompile(`(?i)\.\.|/\.|//|~|%|['"<>(){};|$]|\.(?:bak|backup|old|orig|copy|sw[op]|sql|sqlite3?|db|mdb|ini|conf|config|cfg|log|key|pem|pfx|crt|env|inc|sh|bat|cmd|dll|exe|tmp|temp|dat)$`)
)

// commonTypes are the content types that a fresh installation accepts (rule 901162).
var commonTypes = []string{"application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml", "application/json"}

// striking reports whether the request holds something that rules are likely to flag.
func (c *Case) striking() bool {
	q := c.req()
	switch q.Method {
	case "GET", "HEAD", "POST", "OPTIONS":
	default:
		return true // rule 911100
	}
	if q.Body.Size > 0 && !slices.Contains(commonTypes, mediaType(q)) || strikingPath.MatchString(c.Flow.Path()) {
		return true
	}
	for _, h := range q.Header {
		switch strings.ToLower(h.Name) {
		case "content-encoding", "expect", "proxy", "content-range", "x-http-method-override", "x-http-method", "x-method-override":
			return true // rule 920450
		case "cookie", "authorization", "sec-ch-ua", "if-none-match", "etag":
			continue
		}
		if strikingHeader.MatchString(h.Value[:min(len(h.Value), maxPhraseText*8)]) {
			return true
		}
	}
	for _, k := range decode.Cookies(q.Header) {
		if strikingText.MatchString(k.Value) {
			return true
		}
	}
	for _, p := range decode.Query(c.Flow.Query()) {
		if strikingText.MatchString(p.Name) || strikingText.MatchString(p.Value) {
			return true
		}
	}
	return c.strikingBody()
}

func (c *Case) strikingBody() bool {
	q := c.req()
	data := q.Body.Data
	if t := mediaType(q); decode.IsJSON(t) {
		doc, err := decode.ParseJSON(data)
		if err != nil {
			return true
		}
		for _, v := range doc.Leaves() {
			if s, text := v.Str(); text && strikingText.MatchString(s) || strikingText.MatchString(v.Name()) {
				return true
			}
		}
		return false
	} else if decode.IsForm(t) {
		for _, p := range decode.Form(data) {
			if strikingText.MatchString(p.Name) || strikingText.MatchString(p.Value) {
				return true
			}
		}
		return false
	}
	return len(data) > 0
}
