package ui

import (
	"errors"
	"strings"
	"testing"
)

func TestActionNames(t *testing.T) {
	seen := map[string]words{}
	for i := range bindings {
		id := bindings[i].id()
		if other, taken := seen[id]; taken || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz-.") != "" || strings.HasSuffix(id, ".") {
			t.Errorf("%q is the name of %q and of %q", id, bindings[i].about, other)
		}
		seen[id] = bindings[i].about
		for j := i + 1; j < len(bindings); j++ {
			for _, k := range bindings[i].keys {
				for _, l := range bindings[j].keys {
					if k == l && bindings[i].where&bindings[j].where != 0 {
						t.Errorf("%s and %s are both on %s", id, bindings[j].id(), k)
					}
				}
			}
		}
	}
}

func TestRebind(t *testing.T) {
	was := bindings
	defer func() { bindings = was }()
	for _, c := range []struct {
		name string
		list []Rebinding
		at   int
		want string
	}{
		{"no such action", []Rebinding{{"quit", []string{"Q"}}, {"next-refusl", nil}}, 1, `there is no action "next-refusl"`},
		{"no key", []Rebinding{{"quit", []string{"contrl+q"}}}, 0, `quit: "contrl+q" is no key`},
		{"two at once", []Rebinding{{"replay", []string{"n"}}}, 0, `"n" would be both replay and next-refusal`},
		{"typed in a text", []Rebinding{{"editor.send", []string{"s"}}}, 0, `editor.send: "s" is typed there`},
		{"no way out", []Rebinding{{"quit", nil}}, 0, "quit: there must be a key to leave"},
	} {
		var e *RebindError
		if err := Rebind(c.list); !errors.As(err, &e) || e.At != c.at || e.Text != c.want || e.Hint == "" {
			t.Errorf("%s: %+v, want %d %q", c.name, e, c.at, c.want)
		}
	}
	if keyOf(replay) != "r" {
		t.Fatal("what was wrong changed something")
	}

	// Two swap their keys, one gets none.
	if err := Rebind([]Rebinding{{"replay", []string{"n", "f5"}}, {"next-refusal", []string{"r"}}, {"zoom", nil}, {"editor.send", []string{"alt+enter"}}}); err != nil {
		t.Fatal(err)
	}
	s := play(t, shop(), 160, 40)
	s.sees("r next refusal")
	s.press("N", "N")
	s.sees("CSRF header missing", "n replay")
	s.press("n")
	if len(s.sender.sent) != 1 {
		t.Fatal("n did not send it again")
	}
	s.press("z", ":", "z", "o", "o")
	s.sees("zoom")
	s.press("esc", "?")
	s.sees("n f5", "Keys")
}
