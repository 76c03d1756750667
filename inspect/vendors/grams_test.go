package vendors

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

func TestGramsNeverHideAPhrase(t *testing.T) {
	text := "<html><title>Zugriff verweigert</title>Access DENIED; Grüße, \x00\xff und 访问被拒绝 ok"
	g := gramsOf(Lower(text))
	for i := range text {
		for j := i; j <= len(text); j++ {
			if g.lacks(text[i:j]) {
				t.Fatalf("hides %q", text[i:j])
			}
		}
	}
	for _, p := range []string{"access denied", "ACCESS denied", "GRÜ"[:2], ""} {
		if g.lacks(p) {
			t.Errorf("hides %q", p)
		}
	}
	for _, p := range []string{"forbidden", "blocked by", "access  denied"} {
		if !g.lacks(p) {
			t.Errorf("does not tell that %q is missing", p)
		}
	}
}

// TestFilesWithoutGrams compares with a search that skips nothing.
func TestFilesWithoutGrams(t *testing.T) {
	full := gramsOf(strings.Repeat("long", shortText))
	for i := range full.bits {
		full.bits[i] = ^uint64(0)
	}
	for _, v := range All() {
		if v.Examples == "" {
			continue
		}
		for _, part := range strings.Split(v.Examples, "\n--\n") {
			x, y := exampleOf(part), exampleOf(part)
			y.cached.body, y.cached.log = full, full
			a, b := Decisions(x, true), Decisions(y, true)
			if len(a) != len(b) {
				t.Errorf("%s: %d hits, %d without grams, in %.80q", v.ID, len(a), len(b), part)
			}
		}
	}
}

// exampleOf takes a part of a transcript for an answer of status 403 and its log.
func exampleOf(part string) *Exchange {
	x := &Exchange{Body: part, Lower: Lower(part), Request: &flow.Message{}, Response: &flow.Message{Status: 403},
		JSON: func(string) []string { return nil }}
	for i, l := range strings.Split(part, "\n") {
		x.Logs = append(x.Logs, LogLine{Label: "log", N: i, Text: l})
	}
	return x
}
