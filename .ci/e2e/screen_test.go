//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// gate is a server that lets a POST through if its header X-Tenant names a tenant, and keeps the last one's body.
type gate struct {
	url  string
	mu   sync.Mutex
	last []byte
}

func openGate(t *testing.T) *gate {
	g := &gate{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		g.last = body
		g.mu.Unlock()
		switch {
		case r.URL.Path == "/large":
			w.Header().Set("Content-Type", "application/json")
			w.Write(largeJSON())
		case r.URL.Path == "/missing":
			http.NotFound(w, r)
		case r.Method == "POST" && r.Header.Get("X-Tenant") == "":
			http.Error(w, "Forbidden", http.StatusForbidden)
		default:
			fmt.Fprintf(w, "hello %s", r.URL.Path)
		}
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *gate) received() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// largeJSON has three megabytes, and a word near its end: far behind what a flow is first read with.
func largeJSON() []byte {
	b := bytes.NewBufferString("[")
	for i := 0; b.Len() < 3_000_000; i++ {
		fmt.Fprintf(b, `{"id":%d,"name":"item %d"},`, i, i)
	}
	b.WriteString(`{"note":"the Needle in it"},{"id":0}]`)
	return b.Bytes()
}

// openScreen starts the program in a terminal of that size and gives a client that goes through it.
func openScreen(t *testing.T, columns, rows int, args ...string) (*terminal, *client) {
	t.Helper()
	env := home(t)
	proxy := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	term := openTerminal(t, columns, rows, env, quoted(append([]string{program, "--listen", proxy}, args...)...))
	term.waitFor(proxy)
	return term, newClient(t, env, proxy)
}

func (s *terminal) quit() {
	s.t.Helper()
	s.press("q")
	if code, screen := s.ended(); code != 0 {
		s.t.Errorf("q ended it with status %d:\n%s", code, screen)
	}
}

// TestTwoFlowsAreComparedAndWhatDecidesIsTaken marks a refused and an accepted
// request among others and sends the refused one again with the header that the
// other one has.
func TestTwoFlowsAreComparedAndWhatDecidesIsTaken(t *testing.T) {
	g := openGate(t)
	term, c := openScreen(t, 160, 45)
	c.curl("-d", "a=1", "-H", "X-Tenant: north", g.url+"/orders/7") // #1
	c.curl(g.url + "/elsewhere")                                    // #2
	c.curl("-d", "b=1", "-H", "X-Colour: red", g.url+"/invoices")   // #3: another endpoint, never accepted
	c.curl(g.url + "/elsewhere")                                    // #4
	term.waitFor("4 flows", "1 refused")

	term.press("g", "Space")
	term.waitFor("1*")
	term.press("n")
	term.waitThat("the cursor on the refused one", func(screen string) bool { return cursorOf(screen) == 3 })
	term.press("Space")
	term.waitFor("3*")
	term.press("d")
	diff := term.waitFor("#3 403", "against", "#1 200", "X-Tenant", "X-Colour")
	if line := lineWith(diff, "X-Tenant"); !strings.Contains(diff, "north") || line == "" {
		t.Errorf("the comparison does not say what the accepted one has:\n%s", diff)
	}
	for i := 0; !strings.Contains(lineWith(term.screen(), "☑"), "X-Tenant"); i++ { // go down to the header, and tick it
		if i > 20 {
			t.Fatalf("the difference cannot be ticked:\n%s", term.screen())
		}
		if strings.Contains(lineWith(term.screen(), "›☐"), "X-Tenant") {
			term.press("Space")
			term.waitFor("☑")
			continue
		}
		before := lineWith(term.screen(), "›☐")
		term.press("j")
		term.waitThat("the cursor on another difference", func(screen string) bool { return lineWith(screen, "›☐") != before })
	}
	term.press("Enter")
	term.waitFor("Send with these?", "+ header X-Tenant: north")
	term.press("Enter")
	screen := term.waitThat("the replay", func(screen string) bool { return strings.Contains(lineWith(screen, "of 3"), "200") })
	if body := string(g.received()); body != "b=1" {
		t.Errorf("the replay has the body %q:\n%s", body, screen)
	}
	term.quit()
}

// TestFilterAndSearch types filters as they are typed, with a mistake and a
// completion, lets flows come while one is set, and looks for a word that stands
// megabytes deep in a body.
func TestFilterAndSearch(t *testing.T) {
	g := openGate(t)
	term, c := openScreen(t, 160, 45)
	for i := range 30 {
		c.curl(g.url + "/item/" + strconv.Itoa(i))
	}
	c.curl(g.url + "/missing")
	c.curl("-d", "a=1", g.url+"/orders")
	c.curl(g.url + "/large")
	term.waitFor("33 flows", "1 refused")

	term.press("/")
	term.enter("status:4xx path:/(")
	term.waitFor("✗", "at ")
	term.press("C-u")
	term.enter("stat")
	term.waitFor("status:")
	term.press("Tab")
	term.enter("404")
	only := func(n int, paths ...string) {
		t.Helper()
		term.waitThat(fmt.Sprintf("%d flows of %q alone", n, paths), func(screen string) bool {
			seen := 0
			for line := range strings.Lines(screen) {
				left, _, _ := strings.Cut(line, "│")
				switch {
				case !strings.Contains(left, "GET") && !strings.Contains(left, "POST"):
				case strings.Contains(left, "POST 403"): // the preset's name
				case containsAny(left, paths):
					seen++
				default:
					return false
				}
			}
			return seen == n
		})
	}
	only(1, "/missing")
	term.press("Enter")
	term.waitFor("status:404  1 of 33")
	c.curl(g.url + "/item/30")
	c.curl(g.url + "/missing")
	term.waitFor("2 of 35")
	only(2, "/missing")
	term.press("2")
	only(1, "/orders")

	term.press("/", "C-u")
	term.enter(`body:"needle in"`)
	term.press("Enter")
	term.waitFor("1 of 35")
	only(1, "/large")
	term.press("Enter")
	term.waitThat("the tab Response", func(screen string) bool {
		there := strings.Contains(screen, "HTTP/1.1 200 OK")
		if !there {
			term.press("l")
			time.Sleep(100 * time.Millisecond) // for a frame, or it would be turned past
		}
		return there
	})
	term.waitFor(`"name": "item 1"`)
	term.press("s")
	term.enter("needle in it")
	term.waitFor("the Needle in it")
	term.press("Enter", "1")
	term.waitFor("filter none")
	term.press("G")
	term.waitFor("/item/30")
	term.quit()
}

func containsAny(s string, list []string) bool {
	for _, one := range list {
		if strings.Contains(s, one) {
			return true
		}
	}
	return false
}

// TestResizing changes the size of the window again and again, far below what
// can be used and far above, while flows come and keys are pressed, and finds each
// frame whole.
func TestResizing(t *testing.T) {
	g := openGate(t)
	term, c := openScreen(t, 160, 45)
	for range 5 {
		c.curl(g.url + "/début/日本語/😀")
		c.curl("-d", "a=1", g.url+"/orders")
	}
	term.waitFor("10 flows")
	resize := func(w, h int) { term.tmux("resize-window", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h)) }
	whole := func(w, h int) {
		t.Helper()
		term.waitThat(fmt.Sprintf("a frame of %d×%d cells", w, h), func(screen string) bool {
			if w < 60 || h < 15 {
				return strings.Contains(screen, "needs 60 columns")
			}
			rows := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
			if len(rows) != h || !strings.HasPrefix(rows[0], " why403") || !strings.Contains(rows[h-1], "?") {
				return false
			}
			for _, i := range []int{2, h - 2} { // the lines across
				if utf8.RuneCountInString(rows[i]) != w || strings.Trim(rows[i], "─┬┴") != "" {
					return false
				}
			}
			return true
		})
	}
	for i, size := range [][2]int{{60, 15}, {400, 120}, {20, 5}, {110, 30}, {109, 30}, {1, 1}, {80, 24}, {59, 40}, {200, 14}, {200, 60}, {61, 119}} {
		resize(size[0], size[1])
		term.press([]string{"j", "k", "G", "g", "n", "Enter", "Escape", "z", "z"}[i%9])
		if size[0] > 30 {
			whole(size[0], size[1])
		}
	}
	for i := range 60 { // a window dragged by its corner
		resize(40+3*i%160, 10+i*7%50)
		if i%10 == 0 {
			c.curl(g.url + "/during")
			term.press("Escape")
		}
	}
	resize(160, 45)
	whole(160, 45)
	term.press("Escape", "G")
	term.waitFor("16 flows", "/during")
	term.quit()
}

// TestAMegabyteIsPasted pastes a curl command with a large body onto the screen
// and sends it; then it pastes a megabyte into a field for one line.
func TestAMegabyteIsPasted(t *testing.T) {
	g := openGate(t)
	term, c := openScreen(t, 160, 45)
	c.curl(g.url + "/first")
	term.waitFor("1 flow")
	var text strings.Builder
	text.WriteString(`{"rows":["`)
	for i := 0; text.Len() < 1_000_000; i++ {
		fmt.Fprintf(&text, "row %d of many,", i)
	}
	text.WriteString(`"]}`)
	body := text.String()
	paste := func(text string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "paste")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		term.tmux("load-buffer", file, ";", "paste-buffer", "-p")
	}
	paste("curl '" + g.url + "/orders' -H 'X-Tenant: north' -H 'Content-Type: application/json' --data-raw '" + body + "'")
	term.waitFor("as pasted", "/orders", "body, 1 MB")
	term.press("C-s")
	term.waitFor("attempt 1", "200 OK")
	if got := g.received(); sha256.Sum256(got) != sha256.Sum256([]byte(body)) {
		t.Errorf("of %d bytes came %d, or others", len(body), len(got))
	}
	term.press("C-o")
	term.waitFor("2 flows")

	term.press("/")
	term.waitFor("tab ")
	paste(strings.Repeat("0123456789 abcdef ", 58_000))
	term.waitFor("✗", "longer than")
	term.press("C-u")
	term.enter("path:/first")
	term.waitFor("1 match")
	term.press("Escape")
	term.waitFor("/orders", "/first")
	term.quit()
}
