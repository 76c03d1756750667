package inspect

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

var logSays = &Rule{
	Name: "log", Title: "a line of the server's log says why", Item: 17, Reads: true,
	Doc: `A log line that belongs to the request (by an id, or by time, method and path) and that reports a denial says why more exactly than the answer, which often must not.
Lines of known products are read by the data files; this rule reads the words of all others.`,
	Run: func(c *Case) []Finding {
		var fs []Finding
		for _, l := range c.Logs {
			if len(fs) > 20 || !negative(l.Text) || accessLine.MatchString(l.Text) {
				continue
			}
			f, ok := c.readPhrase(logPhrase(l), true)
			if !ok {
				continue
			}
			f.Basis = ByLog
			if l.Tied == "near" {
				f.Confidence = min(f.Confidence, flow.Likely)
				if Any(StateRestriction, Subscription)(f.Cause) {
					continue // somebody's account: the line does not say whose request that was
				}
			}
			f.Summary = "the log " + l.Label + " says: " + clip(strings.TrimSpace(l.Text), 160)
			fs = append(fs, f)
		}
		return fs
	},
}

func logPhrase(l Line) phrase {
	return phrase{text: clip(l.Text, maxPhraseText), words: words(l.Text[:min(len(l.Text), 1000)]), quote: Evidence{Where: "log:" + l.Label + ":" + strconv.Itoa(l.N), Quote: l.Text}}
}

// accessLine is a line of an access log: it says that, not why.
var accessLine = regexp.MustCompile(`"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|CONNECT) [^"]* HTTP/[0-9.]+(\x1b\[0m)?" \d{3}`)

// denials are pieces of words, one of which a line must hold to be worth reading: most lines of a log tell no refusal.
var denials = []string{"den", "forbid", "fail", "invalid", "missing", "expired", "refus", "reject", "not ", "n't", "unauthor", "block", "limit", "exceed", "require", "lack", "mismatch", "disallow", "restrict", "permission", "quota", "csrf", "illegal", "malformed", "untrusted", "unknown", "disabled", "already", "readonly", "read-only", "no "}

func negative(line string) bool {
	low := strings.ToLower(line[:min(len(line), 1000)])
	return slices.ContainsFunc(denials, func(d string) bool { return strings.Contains(low, d) })
}
