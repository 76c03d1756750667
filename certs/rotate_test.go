package certs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRotatePutsANewOneInItsPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first, err := LoadOrCreate(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(first.Info().Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []struct {
		name  string
		spoil func() error
	}{
		{"whole", func() error { return nil }},
		{"expired or broken", func() error { return os.WriteFile(first.Info().Key, []byte("no key"), 0o600) }},
		{"half", func() error { return os.Remove(first.Info().Key) }},
		{"none", func() error { return os.RemoveAll(dir) }},
	} {
		if err := state.spoil(); err != nil {
			t.Fatal(err)
		}
		next, err := Rotate(dir, time.Now)
		if err != nil {
			t.Fatalf("%s: %v", state.name, err)
		}
		if next.Info().SHA256 == first.Info().SHA256 {
			t.Errorf("%s: it is the old one", state.name)
		}
		if again, err := Load(dir, time.Now); err != nil || again.Info().SHA256 != next.Info().SHA256 {
			t.Errorf("%s: loaded %v, %v", state.name, again, err)
		}
		if key, err := os.ReadFile(next.Info().Key); err != nil || bytes.Equal(key, old) {
			t.Errorf("%s: the old key is still there (%v)", state.name, err)
		}
	}
}
