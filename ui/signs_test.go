package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestEverySignIsExplained finds a sign on a golden frame that the help does not explain, and one in the
// help that no frame shows.
func TestEverySignIsExplained(t *testing.T) {
	explained := ""
	for _, s := range signs {
		explained += string(s.sign)
		if !strings.Contains(KeysMarkdown(), "| `"+string(s.sign)+"` | "+string(s.about)) {
			t.Errorf("the documentation lacks %s", s.sign)
		}
	}
	frames, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(frames) == 0 {
		t.Fatal(err, len(frames))
	}
	drawn := map[rune]string{}
	for _, path := range frames {
		if strings.HasPrefix(filepath.Base(path), "help.") || strings.Contains(path, ".colour.") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(text) {
			drawn[r] = filepath.Base(path)
		}
	}
	for r, where := range drawn {
		switch {
		case r < 0x80, r >= 0x2500 && r < 0x2580, r >= 0x2580 && r < 0x2589: // rules, frames, levels
		case strings.ContainsRune("≤×", r): // they read as words
		case !unicode.IsSymbol(r) && !strings.ContainsRune("‖›·", r):
		case !strings.ContainsRune(explained, r):
			t.Errorf("%s shows %q, which nothing explains", where, r)
		}
	}
	for _, r := range strings.ReplaceAll(explained, " ", "") {
		if drawn[r] == "" && !strings.ContainsRune(signLevel, r) {
			t.Errorf("no frame shows %q", r)
		}
	}
}
