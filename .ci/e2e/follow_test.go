//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestALiveSessionIsFollowedFromAnotherTerminal looks on, from a screen of its own, while a capture records.
func TestALiveSessionIsFollowedFromAnotherTerminal(t *testing.T) {
	o := startMarkers(t)
	env := home(t)
	proxy := startCapture(t, env, "--session", filepath.Join(t.TempDir(), "live.why403"), "--upstream-ca", o.ca)
	get := func(path string) {
		t.Helper()
		if r := run(t, env, program, "run", "--", "curl", "-fsS", o.https+"/https"+path); r.code != 0 {
			t.Fatal(r)
		}
	}
	get("/first")
	term := openTerminal(t, 130, 30, env, program+" open --follow")
	term.waitFor("recorded by another why403", "read-only", "/first")
	get("/second")
	term.waitFor("/second", "2 flows")
	term.press("r") // nothing is sent from here: it says how in a shell
	term.waitFor("In a shell", "why403 replay")
	term.press("q")
	term.waitThat("the box closed", func(screen string) bool { return !strings.Contains(screen, "In a shell") })
	proxy.stop()
	term.waitFor("saved session", "/second", "2 flows")
	if n := proxy.count(); n != 2 {
		t.Errorf("%d exchanges came in, 2 were made", n)
	}
	term.press("q")
	if status, screen := term.ended(); status != 0 {
		t.Errorf("status %d: %s", status, screen)
	}
}
