package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeysOfTheConfiguration reads what is wrong alone: what is right holds for the whole program.
func TestKeysOfTheConfiguration(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"no section", "insecure: true\n", ""},
		{"an empty one", "keys:\n", ""},
		{"an unknown action", "insecure: true\nkeys:\n  replay: r\n  reply: x\n", `config.yaml:4: keys: there is no action "reply"`},
		{"no key", "keys:\n  replay: [r, ctrl-r]\n", `config.yaml:2: keys: replay: "ctrl-r" is no key`},
		{"taken", "keys:\n  # as elsewhere\n  quit: [Q]\n  replay: [n]\n", `config.yaml:4: keys: "n" would be both replay and next-refusal | give one of the two another key`},
		{"no value", "keys:\n  zoom:\n", "config.yaml:2: keys: zoom: no value"},
		{"twice", "keys:\n  zoom: Z\n  zoom: W\n", "config.yaml:3: keys: zoom stands on line 2 already"},
		{"no mapping", "keys: [a]\n", "config.yaml:1: keys: actions and their keys are wanted here"},
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		err := rebind(func(string) (string, bool) { return path, true })
		if err == nil {
			if c.want != "" {
				t.Errorf("%s: passes, want %q", c.name, c.want)
			}
			continue
		}
		var out strings.Builder
		conclude(&out, err)
		said := strings.ReplaceAll(strings.ReplaceAll(out.String(), "\nwhy403: hint: ", " | "), path, "config.yaml")
		if c.want == "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: said %q, want %q", c.name, said, c.want)
		}
	}
}
