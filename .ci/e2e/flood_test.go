//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// TestAFlood sends 5,000 requests a second for ten seconds, or as many as this
// machine manages. The screen goes on, keys do what they do, and the count is
// right in the end. Then the program is killed in the middle of more, and all that
// was ever shown as done is in the session.
func TestAFlood(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "00") {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprintf(w, "answer to %s", r.URL.Path)
	}))
	defer origin.Close()
	env, dir := home(t), t.TempDir()
	proxy := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	file, pid := filepath.Join(dir, "flood.why403"), filepath.Join(dir, "pid")
	term := openTerminal(t, 160, 45, env, "sh -c 'echo $$ >"+pid+"; exec "+program+" --listen "+proxy+" --session "+file+"'")
	term.waitFor(proxy, "waiting for traffic")
	f := &flood{origin: origin.URL, proxy: proxy}
	shown := map[flow.ID]string{}
	// While the cursor stands nothing scrolls, so that a screen that stays the same is whole.
	stand := func() string {
		term.press("k")
		term.waitFor("not following")
		screen := ""
		term.waitThat("a list that stands still", func(now string) bool {
			same := listOf(now) == listOf(screen)
			screen = now
			if !same {
				time.Sleep(100 * time.Millisecond) // for the rest of a frame; the next look decides
			}
			return same
		})
		for id, path := range doneRows(screen) {
			shown[id] = path
		}
		return screen
	}

	begun := time.Now()
	wait := f.pour(t, 10*time.Second, 5000)
	term.waitThat("more flows than the window has rows", func(screen string) bool {
		return strings.Contains(screen, ",") && strings.Contains(screen, " flows ") && cursorOf(screen) > 20
	})
	rounds := 0
	for time.Since(begun) < 9*time.Second {
		rounds++
		at := cursorOf(stand())
		term.press("k")
		term.waitThat("the cursor a row up", func(screen string) bool { return cursorOf(screen) == at-1 })
		term.press("/")
		term.enter("status:403")
		term.waitThat("refused flows alone", func(screen string) bool {
			rows := doneRows(screen)
			for _, path := range rows {
				if !strings.HasSuffix(path, "00") {
					return false
				}
			}
			return len(rows) > 0
		})
		term.press("Escape")
		term.waitFor("filter none")
		term.press("Tab", "l", "Tab", "G")
		term.waitThat("the newest flow, followed", func(screen string) bool { return !strings.Contains(screen, "not following") })
	}
	answered := wait()
	t.Logf("%.0f flows a second, %d rounds of keys beside them, %d rows seen as done", float64(answered)/time.Since(begun).Seconds(), rounds, len(shown))
	term.waitThat("the count of all "+strconv.Itoa(answered), func(screen string) bool { return flowsCounted(screen) == answered })
	if screen := stand(); strings.Contains(screen, "not kept") {
		t.Errorf("not everything was kept:\n%s", screen)
	}
	term.press("G")

	wait = f.pour(t, time.Minute, 400) // slow enough that some of the rows that are seen are done
	for flowsCounted(term.screen()) < answered+200 {
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(read(t, pid))))
	if err != nil {
		t.Fatal(err)
	}
	f.killed.Store(true)
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait()
	_, last := term.ended()

	store, err := session.Open(file, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	row := func(id flow.ID) session.Row {
		r, err := store.Row(context.Background(), id)
		if err != nil || r.State != session.Done {
			t.Errorf("flow %d was shown as done; in the session it is %s (%v)", id, r.State, err)
		}
		return r
	}
	for id, path := range shown {
		if r := row(id); r.Target != path {
			t.Errorf("flow %d was shown with %s; in the session it has %s", id, path, r.Target)
		}
	}
	// The last screen may be half written; what stands in its order there is not.
	rows, checked := doneRows(last), 0
	for id := range rows {
		if rows[id-1] != "" || rows[id+1] != "" {
			row(id)
			checked++
		}
	}
	if checked == 0 {
		t.Errorf("nothing was shown as done when it was killed:\n%s", last)
	}
	if int(store.Stats().Flows) < answered {
		t.Errorf("%d flows are in the session, %d were counted before the kill", store.Stats().Flows, answered)
	}
}

// listOf is the list with its rows, without what stands around it.
func listOf(screen string) string {
	var list strings.Builder
	for line := range strings.Lines(screen) {
		if left, _, split := strings.Cut(line, "│"); split {
			list.WriteString(left)
		}
	}
	return list.String()
}

// flood sends requests for /n/1, /n/2 and so on through the proxy.
type flood struct {
	origin, proxy string
	next          atomic.Int64
	killed        atomic.Bool // the proxy is gone, and errors mean nothing
}

// pour sends for so long at most so many a second. What it returns waits for the
// end, and tells how many have been answered since the flood's beginning.
func (f *flood) pour(t *testing.T, long time.Duration, rate int) func() int {
	transport := &http.Transport{MaxIdleConnsPerHost: 32, Proxy: func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: f.proxy}, nil }}
	client := &http.Client{Transport: transport, Timeout: patience}
	begun := time.Now()
	var senders sync.WaitGroup
	var turn atomic.Int64
	for range 32 {
		senders.Go(func() {
			for time.Since(begun) < long && !f.killed.Load() {
				due := begun.Add(time.Duration(turn.Add(1)) * time.Second / time.Duration(rate))
				time.Sleep(time.Until(due)) // the pace; nothing is waited for
				answer, err := client.Get(f.origin + "/n/" + strconv.FormatInt(f.next.Add(1), 10))
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
				if err != nil && !f.killed.Load() {
					t.Errorf("through the proxy: %v", err)
					return
				}
			}
		})
	}
	return func() int {
		senders.Wait()
		transport.CloseIdleConnections()
		return int(f.next.Load())
	}
}

// doneRow is a row of the list of a flow that is done: its number, its status and its path.
var doneRow = regexp.MustCompile(`^.\s*(\d+)[ *](?:.*\s)?GET\s+(?:200|403)\s.*?(/n/\d+)`)

// doneRows are the paths of the flows that the list shows as done.
func doneRows(screen string) map[flow.ID]string {
	rows := map[flow.ID]string{}
	for line := range strings.Lines(screen) {
		left, _, _ := strings.Cut(line, "│")
		if m := doneRow.FindStringSubmatch(left); m != nil && !strings.Contains(left, "streaming") {
			id, _ := strconv.Atoi(m[1])
			rows[flow.ID(id)] = m[2]
		}
	}
	return rows
}

// cursorOf is the number of the flow under the cursor of the list, 0 if none is seen.
func cursorOf(screen string) int {
	for line := range strings.Lines(screen) {
		for _, sign := range []string{"›", "▶"} {
			if rest, ok := strings.CutPrefix(line, sign); ok {
				word, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
				n, _ := strconv.Atoi(word)
				return n
			}
		}
	}
	return 0
}

// flowsCounted is the number of flows in the first row.
func flowsCounted(screen string) int {
	first, _, _ := strings.Cut(screen, "\n")
	words := strings.Fields(first)
	for i, w := range words {
		if i > 0 && (w == "flow" || w == "flows") {
			n, _ := strconv.Atoi(strings.ReplaceAll(words[i-1], ",", ""))
			return n
		}
	}
	return 0
}
