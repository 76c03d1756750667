package inspect

import (
	"regexp"
	"strings"
	"sync"
)

// fieldCheck is how forms and schemas report a field of the request.
var fieldCheck = regexp.MustCompile(`\b\w+ (field|parameter|property|attribute) (is|was) (required|missing|mandatory|invalid)\b`)

// firstSense is the place in the lexicon of the first sense that words have, -1 if they have none.
func firstSense(words string, logLine bool) int {
	checked := !logLine && fieldCheck.MatchString(words)
	for i := range lexicon {
		s := &lexicon[i]
		if checked && (s.cause == GeoBlocked || s.cause == Ownership || s.cause == QuotaExhausted || s.cause == OriginMismatch) {
			continue // the name of the field is no reason
		}
		if logLine && !inLogs(s.cause) && !inLogAfterAll(s.cause, words) || !s.re().MatchString(words) || s.not != nil && s.not().MatchString(words) {
			continue
		}
		return i
	}
	return -1
}

// senses remembers what words mean: a server says the same few things again and
// again, and to look them up takes some hundred expressions.
var senses glossary

type glossary struct {
	sync.Mutex
	known map[saying]int // at most maxMeanings
}

type saying struct {
	words   string
	logLine bool
}

const maxMeanings = 500 // of at most maxPhraseText bytes each

// first is firstSense, remembered.
func (m *glossary) first(words string, logLine bool) int {
	key := saying{words, logLine}
	m.Lock()
	i, known := m.known[key]
	m.Unlock()
	if known {
		return i
	}
	i = firstSense(words, logLine)
	if len(words) > maxPhraseText {
		return i
	}
	m.Lock()
	defer m.Unlock()
	if m.known == nil || len(m.known) >= maxMeanings {
		m.known = map[saying]int{}
	}
	key.words = strings.Clone(words)
	m.known[key] = i
	return i
}
