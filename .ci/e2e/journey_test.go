//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// skipEdit is the journey without its decisive step, to show that the step decides.
var skipEdit = os.Getenv("E2E_SKIP_EDIT") == "1"

// TestARefusedOrderIsMended is the main job of the program: a POST that Django
// refuses for a missing CSRF header is seen, explained, edited, sent again and
// taken away as a curl that does the same.
func TestARefusedOrderIsMended(t *testing.T) {
	t.Run("plain with the clipboard of the terminal", func(t *testing.T) {
		s := openShop(t)
		env := home(t, "SSH_TTY=/dev/tty", "SSH_CONNECTION=192.0.2.1 50000 192.0.2.2 22") // no clipboard of a desktop at the other end
		mendAnOrder(t, s, s.plain, env, func(term *terminal) string { return term.clipboard() })
	})
	t.Run("TLS behind nginx with the clipboard of the desktop", func(t *testing.T) {
		s := openShop(t)
		env, clipboard := withDesktop(t, home(t))
		mendAnOrder(t, s, s.tls, env, func(*terminal) string {
			copied, _ := os.ReadFile(clipboard)
			return string(copied)
		})
	})
}

// TestTheJourneyNeedsItsEdit runs the journey again with the edit left out, which must not succeed.
func TestTheJourneyNeedsItsEdit(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestARefusedOrderIsMended$/^plain", "-test.v")
	cmd.Env = append(os.Environ(), "E2E_SKIP_EDIT=1", "WHY403_E2E_PROGRAM="+program)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the replay was answered 403, not 201") {
		t.Errorf("want the journey without its edit to fail at the replay's status; got %v:\n%s", err, out)
	}
}

func mendAnOrder(t *testing.T, s *shop, url string, env []string, copied func(*terminal) string) {
	proxy := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	complaints := filepath.Join(t.TempDir(), "stderr")
	term := openTerminal(t, 160, 45, env, quoted(program, "--listen", proxy, "--upstream-ca", s.ca)+" 2>"+quoted(complaints))
	term.waitFor(proxy)

	// A shopper loads the page, orders once as the page would, and once as a script that forgot the header.
	client := newClient(t, env, proxy)
	client.curl("-c", client.jar, url+"/shop")
	token := client.cookie("csrftoken")
	client.order(url, 201, `{"item":"tea","qty":1}`, "X-CSRFToken: "+token)
	client.order(url, 403, `{"item":"tea","qty":2}`)
	client.curl("-d", "a=1", s.front+"/internal/report")

	// It cannot be missed: it is a row that says so, and n goes there.
	term.waitFor("/internal/report", "2 refused", "CSRF")
	term.press("g", "n")
	why := term.waitFor("#3 POST "+url+"/orders 403", "X-CSRFToken")
	if !strings.Contains(strings.ToLower(why), "django") {
		t.Errorf("the screen does not say who refused:\n%s", why)
	}

	// What differs from the order that was accepted.
	term.press("l")
	term.waitFor("X-CSRFToken", token[:20])

	// Mend it.
	term.press("e")
	term.waitFor("ctrl+s")
	if !skipEdit {
		term.press("C-n")
		term.enter("X-CSRFToken")
		term.press("Tab")
		term.enter(token)
		term.waitFor("X-CSRFToken", token[:20])
	}
	term.press("C-s")
	screen := term.waitFor("attempt 1", "was 403")
	if attempt := lineWith(screen, "attempt 1"); !strings.Contains(attempt, "201 Created") {
		t.Fatalf("the replay was answered 403, not 201:\n%s", screen)
	}
	term.press("C-o")
	term.waitThat("the list with the refused order and its replay", func(screen string) bool {
		return strings.Contains(lineWith(screen, "of 3"), "201") && strings.Contains(lineWith(screen, "CSRF"), "403")
	})

	// Take it away.
	term.press("y")
	term.waitFor("curl command")
	term.press("c")
	var command string
	term.waitFor("curl command copied")
	waitUntil(t, "the copied command", func() bool { command = copied(term); return command != "" })
	if !strings.HasPrefix(command, "curl ") {
		t.Fatalf("copied: %s", command)
	}
	if got := runCopied(t, s, command); !strings.HasSuffix(got, " 201") {
		t.Errorf("the copied command was answered %q:\n%s", got, command)
	}
	posts := s.tap.posts()
	if replayed, pasted := posts[len(posts)-2].sorted(), posts[len(posts)-1].sorted(); replayed != pasted {
		t.Errorf("the copied command sent\n%s\n\nand the replay had sent\n%s", pasted, replayed)
	}
	var stored []string
	for _, o := range s.orders(t) {
		stored = append(stored, string(o.Body))
	}
	if got, want := strings.Join(stored, " "), `{"item": "tea", "qty": 1} {"item": "tea", "qty": 2} {"item": "tea", "qty": 2}`; got != want {
		t.Errorf("Django stored %s, want %s", got, want)
	}
	term.press("q")
	if code, screen := term.ended(); code != 0 {
		t.Errorf("q ended it with status %d: %s\n%s", code, read(t, complaints), screen)
	}
}

// lineWith is the first line of the screen that holds text.
func lineWith(screen, text string) string {
	for line := range strings.Lines(screen) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// client is a user of the proxy with curl and a cookie jar.
type client struct {
	t   *testing.T
	env []string
	jar string
}

func newClient(t *testing.T, env []string, proxy string) *client {
	t.Helper()
	ca := run(t, env, program, "ca", "path")
	if ca.code != 0 {
		t.Fatalf("ca path: %s", ca)
	}
	env = append(env[:len(env):len(env)], "http_proxy=http://"+proxy, "https_proxy=http://"+proxy, "CURL_CA_BUNDLE="+strings.TrimSpace(ca.out))
	return &client{t, env, filepath.Join(t.TempDir(), "jar")}
}

// curl gives the answer's body and its status, a space between them.
func (c *client) curl(args ...string) string {
	c.t.Helper()
	r := run(c.t, c.env, "curl", append([]string{"-sS", "-w", " %{http_code}"}, args...)...)
	if r.code != 0 {
		c.t.Fatalf("curl %q: %s", args, r)
	}
	return r.out
}

func (c *client) order(url string, want int, body string, headers ...string) {
	c.t.Helper()
	args := []string{"-b", c.jar, "-H", "Referer: " + url + "/shop", "-H", "Content-Type: application/json", "--data-raw", body}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	if got := c.curl(append(args, url+"/orders")...); !strings.HasSuffix(got, fmt.Sprint(" ", want)) {
		c.t.Fatalf("want %d, got %s", want, got)
	}
}

// cookie reads curl's jar: seven columns, name and value last.
func (c *client) cookie(name string) string {
	c.t.Helper()
	for line := range strings.Lines(string(read(c.t, c.jar))) {
		if column := strings.Fields(line); len(column) == 7 && column[5] == name {
			return column[6]
		}
	}
	c.t.Fatalf("no cookie %s in the jar", name)
	return ""
}

// runCopied pastes command into a shell on a machine without the proxy.
func runCopied(t *testing.T, s *shop, command string) string {
	t.Helper()
	env := home(t, "CURL_CA_BUNDLE="+s.ca)
	rc := filepath.Join(strings.TrimPrefix(env[0], "HOME="), ".curlrc")
	if err := os.WriteFile(rc, []byte("silent\nshow-error\nwrite-out = \" %{http_code}\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, env, "sh", "-c", command)
	if r.code != 0 {
		t.Errorf("the copied command: %s\n%s", r, command)
	}
	return r.out
}

// withDesktop puts an xclip first in the PATH that keeps what it is given in a file.
func withDesktop(t *testing.T, env []string) (withClipboard []string, file string) {
	t.Helper()
	bin := t.TempDir()
	file = filepath.Join(bin, "clipboard")
	script := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *\" -out \"*) cat '%s' ;; *) cat >'%[1]s.new' && mv '%[1]s.new' '%[1]s' ;; esac\n", file)
	if err := os.WriteFile(filepath.Join(bin, "xclip"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range env {
		if path, is := strings.CutPrefix(e, "PATH="); is {
			e = "PATH=" + bin + ":" + path
		}
		withClipboard = append(withClipboard, e)
	}
	return append(withClipboard, "DISPLAY=:0"), file
}
