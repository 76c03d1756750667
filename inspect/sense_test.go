package inspect

import (
	"fmt"
	"strings"
	"testing"
)

// What is remembered is what the lexicon says, of answers and of log lines, however much is asked.
func TestMeaningsAreThoseOfTheLexicon(t *testing.T) {
	var m glossary
	said := []string{"csrf token missing", "the token has expired", "feature x is disabled", "nothing that anybody knows", "the location field is required", strings.Repeat("a long story ", 100) + "csrf token missing"}
	for i := range 2 * maxMeanings {
		said = append(said, fmt.Sprint("csrf token missing in form ", i), fmt.Sprint("nothing ", i))
	}
	told := 0
	for range 2 {
		for _, text := range said {
			for _, logLine := range []bool{false, true} {
				got, want := m.first(text, logLine), firstSense(text, logLine)
				if got != want {
					t.Fatalf("%q, log line %v: sense %d, want %d", text, logLine, got, want)
				}
				if got >= 0 {
					told++
				}
			}
		}
	}
	if len(m.known) > maxMeanings || told < len(said) {
		t.Errorf("%d are remembered, %d mean something", len(m.known), told)
	}
	for key := range m.known {
		if len(key.words) > maxPhraseText {
			t.Errorf("%d bytes are remembered", len(key.words))
		}
	}
}
