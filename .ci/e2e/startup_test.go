//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStartUp measures how long a user waits. The figures are for reading: wall
// time on a busy machine proves nothing, so only a bound that no working build
// comes near is enforced.
func TestStartUp(t *testing.T) {
	const runs = 9
	env, dir := home(t), t.TempDir()
	_, har := recordOneRefusal(t, env, dir)

	term := idleTerminal(t, 160, 45, env)
	frame := func(command, shows string, leave ...string) func() time.Duration {
		return func() time.Duration {
			begun := time.Now()
			term.exec(command)
			for !strings.Contains(term.screen(), shows) {
				if time.Since(begun) > patience {
					t.Fatalf("no frame:\n%s", term.screen())
				}
			}
			took := time.Since(begun)
			term.press(leave...)
			if code, screen := term.ended(); code != 0 {
				t.Fatalf("it ended with status %d:\n%s", code, screen)
			}
			return took
		}
	}
	why403 := quoted(program, "--listen", "127.0.0.1:0", "--session", "none")
	report(t, "what the looking itself takes", 0, 5*time.Second, runs, frame("echo seen; read x", "seen", "Enter"))
	report(t, "first frame", 150*time.Millisecond, 5*time.Second, runs, frame("env -u TMUX "+why403, "127.0.0.1:", "q"))
	report(t, "first frame, told of tmux", 150*time.Millisecond, 5*time.Second, runs, frame(why403, "127.0.0.1:", "q"))
	report(t, "explain of a one-flow HAR", 80*time.Millisecond, 5*time.Second, runs, func() time.Duration {
		begun := time.Now()
		if r := run(t, env, program, "explain", har); r.code != 3 || !strings.Contains(r.out, "403") {
			t.Fatalf("explain: %s", r)
		}
		return time.Since(begun)
	})
	once := func(command ...string) func() time.Duration {
		return func() time.Duration {
			begun := time.Now()
			if r := run(t, env, command[0], command[1:]...); r.code != 0 {
				t.Fatalf("%q: %s", command, r)
			}
			return time.Since(begun)
		}
	}
	report(t, "true", 0, 5*time.Second, runs, once("true"))
	report(t, "run -- true", 100*time.Millisecond, 5*time.Second, runs, once(program, "run", "--", "true"))
	startCapture(t, env, "--session", "none")
	report(t, "run -- true beside another", 100*time.Millisecond, 5*time.Second, runs, once(program, "run", "--", "true"))
	report(t, "version", 60*time.Millisecond, 5*time.Second, runs, func() time.Duration {
		begun := time.Now()
		if r := run(t, env, program, "version"); r.code != 0 {
			t.Fatalf("version: %s", r)
		}
		return time.Since(begun)
	})
}

// report runs once to warm the caches and then as often as it is told.
func report(t *testing.T, what string, aim, bound time.Duration, runs int, once func() time.Duration) {
	t.Helper()
	once()
	var times []time.Duration
	for range runs {
		times = append(times, once())
	}
	slices.Sort(times)
	median := times[runs/2]
	t.Logf("%-30s median %3d ms of %d runs (%d to %d); the aim is %d", what, median.Milliseconds(), runs, times[0].Milliseconds(), times[runs-1].Milliseconds(), aim.Milliseconds())
	if median > bound {
		t.Errorf("%s took %s", what, median)
	}
}

// startRefuser is a server that refuses every POST and says nothing about it.
func startRefuser(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Forbidden", http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
