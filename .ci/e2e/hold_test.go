//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestAHeldOrderIsMended holds an order that Django would refuse, gives it the
// header that it lacks, and lets it go on: curl itself sees it accepted. The next
// one is dropped, the answer to the one after that is changed, and then a rule
// does what was done by hand.
func TestAHeldOrderIsMended(t *testing.T) {
	s := openShop(t)
	env := home(t)
	proxy := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	term := openTerminal(t, 160, 45, env, quoted(program, "--listen", proxy, "--upstream-ca", s.ca))
	term.waitFor(proxy)
	url := s.tls
	client := newClient(t, env, proxy)
	client.curl("-c", client.jar, url+"/shop")
	token := client.cookie("csrftoken")

	term.press("B")
	term.waitFor("hold requests")
	term.enter("method:post")
	term.press("Enter", "Escape")
	term.waitThat("the list alone", func(screen string) bool { return !strings.Contains(screen, "Breakpoints") })

	order := client.begin(url, `{"item":"tea","qty":1}`)
	term.waitFor("request held", "Held before it is sent")
	if n := len(s.orders(t)); n != 0 { // only what it accepts is stored
		t.Errorf("Django has %d orders while it is held", n)
	}
	term.press("e")
	term.waitFor("Held request #2", "waits while you edit it")
	term.press("C-n")
	term.enter("X-CSRFToken")
	term.press("Tab")
	term.enter(token)
	term.press("C-s")
	if got := <-order; !strings.HasSuffix(got, " 201") {
		t.Fatalf("the order went on as edited: %q", got)
	}
	term.waitFor("request #2 was sent on as edited", "altered")

	order = client.begin(url, `{"item":"tea","qty":2}`)
	term.waitFor("request held")
	term.press("x")
	if got := <-order; !strings.HasSuffix(got, " 000") {
		t.Errorf("the dropped order: %q", got)
	}
	term.waitFor("dropped by you")

	term.press("B", "a")
	term.enter("status:403")
	term.press("Tab", "Enter", "k", "Space", "Escape") // answers alone
	order = client.begin(url, `{"item":"tea","qty":3}`)
	term.waitFor("answer held", "Held before the client gets the answer")
	term.press("e", "BTab", "BTab", "BTab")
	term.waitFor("Held answer to #4")
	term.press("End", "C-u")
	term.enter("202")
	term.press("C-s")
	if got := <-order; !strings.HasSuffix(got, " 202") {
		t.Errorf("the answer went on as edited: %q", got)
	}

	term.press("R", "a")
	term.waitFor("New rule")
	term.press("Down", "Down", "Down", "Home", "C-k")
	term.enter("  - 'X-CSRFToken: " + token + "'")
	term.waitFor("✓ set X-CSRFToken")
	term.press("C-s", "Escape")
	term.waitFor("1 rule on")
	term.waitThat("the list alone", func(screen string) bool { return !strings.Contains(screen, "Rewrite rules") }) // Escape and a key at once are one with alt
	client.order(url, 201, `{"item":"tea","qty":4}`)
	if got := string(read(t, strings.TrimPrefix(env[0], "HOME=")+"/config/why403/config.yaml")); !strings.Contains(got, "X-CSRFToken") {
		t.Errorf("saved: %s", got)
	}

	var stored []string
	for _, o := range s.orders(t) {
		stored = append(stored, string(o.Body))
	}
	if got, want := strings.Join(stored, " "), `{"item": "tea", "qty": 1} {"item": "tea", "qty": 4}`; got != want {
		t.Errorf("Django stored %s, want %s", got, want)
	}
	term.press("q")
	if code, screen := term.ended(); code != 0 {
		t.Errorf("q ended it with status %d:\n%s", code, screen)
	}
}

// begin orders while the test goes on: what comes is what curl prints, the status last.
func (c *client) begin(url, body string) <-chan string {
	c.t.Helper()
	cmd := exec.Command("curl", "-sS", "-m", "60", "-w", " %{http_code}", "-b", c.jar, "-H", "Referer: "+url+"/shop", "-H", "Content-Type: application/json", "--data-raw", body, url+"/orders")
	cmd.Env = c.env
	printed := make(chan string, 1)
	go func() {
		out, _ := cmd.Output() // -m bounds it
		printed <- string(out)
	}()
	return printed
}
