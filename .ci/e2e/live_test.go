//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wsPackage is the folder of the npm package ws.
func wsPackage(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WS_PACKAGE")
	if dir == "" {
		t.Skip("WS_PACKAGE does not name the folder of the npm package ws")
	}
	return dir
}

// TestMessagesOfARealWebSocketAreInTheSession lets two programs of the ws package
// speak to each other, compressed, directly and through the proxy.
func TestMessagesOfARealWebSocketAreInTheSession(t *testing.T) {
	dir, ws := t.TempDir(), wsPackage(t)
	originCA := makeCA(t, dir)
	cmd := exec.Command("node", "testdata/chat.cjs", filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	said := &output{}
	cmd.Stdout, cmd.Env = said, append(os.Environ(), "WS_PACKAGE="+ws)
	server := start(t, cmd)
	var ports []string
	waitUntil(t, "the ports of the chat", func() bool {
		if server.ended() {
			t.Fatal("the chat ended at once")
		}
		ports = strings.Fields(said.String())
		return len(ports) == 2 && strings.HasSuffix(said.String(), "\n")
	})
	env := home(t, "WS_PACKAGE="+ws)
	session := filepath.Join(dir, "chat.why403")
	c := startCapture(t, env, "--session", session, "--upstream-ca", originCA)
	ca := filepath.Join(dir, "both.pem")
	if err := os.WriteFile(ca, append(read(t, originCA), read(t, c.ca)...), 0o644); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("node-socket ", 20) + "and the end"
	for _, url := range []string{"http://127.0.0.1:" + ports[0], "https://localhost:" + ports[1]} {
		at := place{t, env, url, ca, ""}
		direct := node("ws").send(at)
		at.proxy = c.address
		if through := node("ws").send(at); through != direct || !strings.Contains(through, "text "+long+"\n") || !strings.HasSuffix(through, "closed 1008 that is enough\n") {
			t.Errorf("%s: through the proxy\n%s\nwithout\n%s", url, through, direct)
		}
	}
	waitUntil(t, "both connections", func() bool { return c.count() >= 2 })
	c.stop()
	want := []string{
		fmt.Sprintf("send 1 %q", long), `send 9 "are you there"`, `send 2 "\x00\x01\xff"`, `send 8 "\x03\xf0that is enough"`,
		fmt.Sprintf("receive 1 %q", long), `receive 10 "are you there"`, `receive 2 "\x00\x01\xff"`, `receive 8 "\x03\xf0that is enough"`,
	}
	slices.Sort(want)
	entries := readSession(t, env, session)
	if len(entries) != 2 {
		t.Fatalf("%d entries in the session", len(entries))
	}
	for _, e := range entries {
		var got []string
		packed := 0
		for _, m := range e.Messages {
			got = append(got, m.String())
			if m.Packed {
				packed++
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || packed != 4 || e.Error != "" {
			t.Errorf("%s: %d compressed, error %q, messages\n%s\nwant\n%s", e.Request.URL, packed, e.Error, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestAPageInChromium loads a page that posts, uploads, is refused, speaks
// through a WebSocket and listens to events, directly and through the proxy.
func TestAPageInChromium(t *testing.T) {
	dir := t.TempDir()
	originCA := makeCA(t, dir)
	o := openOrigin(t, dir)
	env := home(t)
	session := filepath.Join(dir, "page.why403")
	c := startCapture(t, env, "--session", session, "--upstream-ca", originCA)
	for _, url := range []string{o.plain, o.secure} {
		load := func(more ...string) (page string, requests []string) {
			o.requests()
			args := []string{
				"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--disable-domain-reliability", "--remote-debugging-port=0", "--user-data-dir=" + t.TempDir(), "--ignore-certificate-errors",
			}
			cmd := exec.Command("chromium", append(append(args, more...), url+"/page")...)
			cmd.Env, cmd.Stdout, cmd.Stderr = env, io.Discard, io.Discard // it complains of much that it does without
			browser := start(t, cmd)
			defer browser.stop()
			waitUntil(t, "the page's report", func() bool {
				if browser.ended() {
					t.Fatal("chromium ended at once")
				}
				for _, a := range o.requests() {
					if a.path != "/favicon.ico" {
						// To a proxy it says Proxy-Connection instead, which no server gets.
						requests = append(requests, comparable(strings.Replace(a.raw, "Connection: keep-alive\r\n", "", 1)))
					}
					if a.path == "/done" {
						_, page, _ = strings.Cut(a.raw, "\r\n\r\n")
					}
				}
				return page != ""
			})
			slices.Sort(requests)
			return page, requests
		}
		page, direct := load("--no-proxy-server")
		if want := "post 200 POST /api/orders: 26 bytes|upload 200|denied 403|socket CHROMIUM-SOCKET|socket SECOND|closed 4001 enough|event 0 event 0|event 1 event 1|event 2 event 2"; page != want {
			t.Fatalf("%s, without the proxy: the page says %q", url, page)
		}
		same, through := load("--proxy-server="+c.address, "--proxy-bypass-list=<-loopback>")
		if same != page {
			t.Errorf("%s: the page says %q", url, same)
		}
		if len(direct) != len(through) {
			t.Errorf("%s: %d requests came, %d without the proxy", url, len(through), len(direct))
			continue
		}
		for i := range direct {
			if direct[i] != through[i] {
				t.Errorf("the server saw\n%q\nand without the proxy\n%q", through[i], direct[i])
			}
		}
	}
	c.stop()
	said := map[string]int{}
	bodies := ""
	for _, e := range readSession(t, env, session) {
		bodies += e.Request.PostData.content()
		for _, m := range e.Messages {
			said[m.String()]++
		}
		for _, m := range e.Own.Messages {
			said[m.Kind+" "+m.Data]++
		}
	}
	for _, want := range []string{`send 1 "second"`, `receive 1 "SECOND"`, `receive 8 "\x0f\xa1enough"`, "event id: 2\ndata: event 2\n"} {
		if said[want] != 2 {
			t.Errorf("%q is %d times in the session: %v", want, said[want], said)
		}
	}
	for _, want := range []string{"chromium-json", "chromium-form", "chromium-file"} {
		if strings.Count(bodies, want) != 2 {
			t.Errorf("%q is %d times in the session's bodies", want, strings.Count(bodies, want))
		}
	}
}
