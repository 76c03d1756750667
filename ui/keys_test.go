package ui

import (
	"os"
	"testing"
)

const keysDoc = "../docs/keys.md"

// TestKeysDoc keeps docs/keys.md true: go test ./ui -update rewrites it.
func TestKeysDoc(t *testing.T) {
	want := "# Keys\n\nGenerated from the program: `go test ./ui -update`. The same list is under `?` on the screen; `:` finds an action by its name.\n\n" + KeysMarkdown()
	if *update {
		if err := os.WriteFile(keysDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(keysDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is stale: go test ./ui -update\n%s", keysDoc, firstDifference(want, string(have)))
	}
}
