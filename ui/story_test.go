package ui

import (
	"image/color"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

func TestFindExplainEditReplay(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N") // from the newest: 401, then the POST that got 403
	s.sees("✗ CSRF header missing", "Refused by the application (django):", "“CSRF Failed: CSRF token missing.”", "certain")

	s.press("tab", "l")
	s.sees("#5 403  against  #3 201", "X-CSRFToken")

	s.press("e")
	s.sees("Edit & replay #5 403", "differs from #3 201", "Content-Length", "automatic")
	s.press("ctrl+g", "enter")
	s.sees("+ from #3")
	s.press("ctrl+s")
	s.sees("attempt 1  ✓ 201 Created  52 ms   was 403   fixed once", `"state": "open"`)

	req := s.sender.sent[0]
	if got := req.Header.Get("X-CSRFToken"); got != "kH3vXq0a" {
		t.Errorf("sent X-CSRFToken %q", got)
	}
	if h := req.Header[0]; h.Raw != "Host: api.shop.test\r\n" {
		t.Errorf("an unchanged line lost its bytes: %+v", h)
	}
	if s.feed.flows[5].Request.Header.Has("X-CSRFToken") {
		t.Error("the original was changed")
	}

	s.press("esc")
	s.arrive()
	s.sees("↻ of 5: 201 ✓", "Attempts 1")
	s.press("h")
	s.sees("fixed once by #11")
}

func TestFixShowsItsPatchFirst(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "f")
	s.sees("Send with the fix?", "+ header X-CSRFToken: kH3vXq0a")
	if len(s.sender.sent) != 0 {
		t.Fatal("it was sent before anybody agreed")
	}
	s.press("enter")
	s.sees("replay of 5: 201 Created in 52 ms, was 403")
}

func TestReplayUnchanged(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "r")
	s.sees("replay of 5: 403 Forbidden in 52 ms, was 403")
	if got := s.sender.sent[0]; len(got.Header) != len(s.feed.flows[5].Request.Header) || string(got.Body.Data) != string(s.feed.flows[5].Request.Body.Data) {
		t.Errorf("sent %+v", got)
	}
}

func TestTickedDifferencesAreReplayed(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "tab", "l")
	s.press("enter")
	s.sees("tick a difference with space first")
	s.press("space", "enter")
	s.sees("Send with these?", "+ header X-CSRFToken: kH3vXq0a")
	s.press("enter")
	s.sees("201 Created")
}

func TestCursorStaysWhenRowsArrive(t *testing.T) {
	s := play(t, shop(), 140, 20)
	if s.m.list.cur != 10 {
		t.Fatalf("starts at %d, not at the newest", s.m.list.cur)
	}
	s.press("k", "k")
	at, top := s.m.list.cur, s.m.list.top
	for range 50 {
		s.feed.done(request(time.Minute, "GET", "https://api.shop.test/v1/cart", ""), time.Millisecond, response(200, "OK", "", ""))
		s.arrive()
	}
	if s.m.list.cur != at || s.m.list.top != top {
		t.Errorf("the cursor went from %d (top %d) to %d (top %d)", at, top, s.m.list.cur, s.m.list.top)
	}
	s.sees("not following, 50 newer", "G newest")
	s.press("G")
	if s.m.list.cur != 60 {
		t.Errorf("G went to %d", s.m.list.cur)
	}
	s.seesNot("not following")
	s.feed.done(request(time.Minute, "GET", "https://api.shop.test/v1/cart", ""), time.Millisecond, response(200, "OK", "", ""))
	s.arrive()
	if s.m.list.cur != 61 {
		t.Errorf("following stopped at %d", s.m.list.cur)
	}
}

func TestFilterAppliesToRowsThatArriveLater(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.press("/")
	s.write("status:403")
	s.press("enter")
	s.sees("filter status:403", "1 of 10", "/v1/orders")
	s.seesNot("/v1/cart", "/logo.png")

	s.feed.done(request(time.Minute, "GET", "https://api.shop.test/v1/fresh", ""), time.Millisecond, response(200, "OK", "", ""))
	s.feed.done(request(time.Minute, "DELETE", "https://api.shop.test/v1/later", ""), time.Millisecond, response(403, "Forbidden", "", ""))
	open := request(time.Minute, "PUT", "https://api.shop.test/v1/slow", "")
	s.feed.add(open, session.Waiting)
	s.arrive()
	s.sees("/v1/later", "2 of 13")
	s.seesNot("/v1/fresh", "/v1/slow")

	open.Response, open.Times.End = response(403, "Forbidden", "", ""), open.Times.Start.Add(time.Second)
	s.feed.update(open, session.Done)
	s.arrive()
	s.sees("/v1/slow", "3 of 13") // a row that begins to match when its answer comes

	s.press("1")
	s.sees("/v1/fresh", "/v1/cart")
}

func TestFilterSaysWhereItIsWrong(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.press("/")
	s.write("status:403")
	s.tell(tea.PasteMsg{Content: " sttus:4"})
	s.sees("✗ at 12", "sttus")
	s.sees("/v1/orders") // what was valid still holds
	s.seesNot("/logo.png")
	s.press("esc")
	s.sees("/logo.png", "filter none")
}

func TestPresets(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.press("2")
	s.sees("/v1/orders", "/oauth/token")
	s.seesNot("/v1/cart")
	s.press("3")
	s.sees("/v1/orders")
	s.seesNot("/oauth/token")
	s.press("esc")
	s.sees("/v1/cart")
}

func TestVirtualListReadsOnlyWhatIsSeen(t *testing.T) {
	f := newFake()
	for range 50_000 {
		f.rows = append(f.rows, session.Row{ID: flow.ID(len(f.rows) + 1), State: session.Done, Method: "GET", Authority: "a.test", Target: "/x", Status: 200})
	}
	s := play(t, f, 140, 30)
	s.press("g")
	s.sees("    1 ")
	s.press("pgdown", "pgdown", "G")
	s.sees("50000")
	if f.pages > 8 {
		t.Errorf("%d pages were read", f.pages)
	}
	if n := len(s.m.list.rows.have); n > keepRows {
		t.Errorf("%d rows are in memory", n)
	}
}

func TestFollowingANotYetFinishedFlow(t *testing.T) {
	f := newFake()
	open := request(0, "POST", "https://a.test/pay", "{}")
	f.add(open, session.Waiting)
	s := play(t, f, 140, 30)
	s.now = day.Add(3200 * time.Millisecond)
	s.tell(tickMsg(s.now))
	s.sees("3.2 s", "waiting", "Waiting for the answer")
	open.Response, open.Times.End = response(200, "OK", "text/plain", "done"), day.Add(4*time.Second)
	f.update(open, session.Done)
	s.now = day.Add(4 * time.Second)
	s.arrive()
	s.sees("Not refused: 200 OK", "4.0 s")
	s.press("tab", "l", "l", "l")
	s.sees("HTTP/1.1 200 OK", "done")
}

func TestResizeKeepsThePlace(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N")
	for _, size := range [][2]int{{80, 24}, {60, 15}, {40, 10}, {300, 90}, {140, 40}} {
		s.resize(size[0], size[1])
		if s.m.list.cur != 5 {
			t.Fatalf("at %v the cursor is on %d", size, s.m.list.cur)
		}
	}
	s.sees("CSRF header missing", "Refused by the application")
}

func TestNarrowScreenShowsOnePane(t *testing.T) {
	s := play(t, shop(), 80, 24)
	s.press("N", "N")
	s.sees("/v1/cart")
	s.seesNot("evidence")
	s.press("enter")
	s.sees("evidence")
	s.seesNot("/v1/cart")
	s.press("esc")
	s.sees("/v1/cart")
}

func TestHostileBytesDoNotReachTheTerminal(t *testing.T) {
	s := play(t, shop(), 140, 40)
	for _, keys := range [][]string{{"g"}, {"tab"}, {"l"}, {"l"}, {"l"}, {"l"}, {"l"}, {"tab", "G", "k", "k", "tab"}, {"l"}, {"l"}, {"l"}, {"l"}, {"e"}} {
		s.press(keys...)
		frame := s.m.screen()
		for _, bad := range []string{"\x1b[2J", "\x1b[31m", "\u202e", "\r"} {
			if strings.Contains(frame, bad) {
				t.Fatalf("after %v the frame holds %q", keys, bad)
			}
		}
	}
	s.press("esc", "G", "k", "k")
	s.sees(`?q=\x1b[31m`, `hi\x1b[2J there 注文`)
}

func TestMarksAndComparison(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("g", "j", "j", "space") // flow 3
	s.press("j", "space")           // flow 5
	if a := s.feed.notes[3]; a.Mark == nil || !*a.Mark {
		t.Fatal("flow 3 was not marked in the session")
	}
	s.press("d")
	s.sees("#5 403  against  #3 201", "X-CSRFToken")
}

func TestCopy(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "y")
	s.sees("Copy", "curl command", "URL")
	s.press("u")
	if s.clip.text != "https://api.shop.test/v1/orders" {
		t.Errorf("copied %q", s.clip.text)
	}
	s.sees("URL copied")
	s.press("y", "B")
	if !strings.Contains(s.clip.text, "CSRF Failed") {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("y", "c")
	if !strings.HasPrefix(s.clip.text, "curl ") || !strings.Contains(s.clip.text, "csrftoken=kH3vXq0a") {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("Y", "c")
	s.sees("curl command (masked) copied")
	if !strings.HasPrefix(s.clip.text, "curl ") && !strings.Contains(s.clip.text, "WHY403_SECRET") || strings.Contains(s.clip.text, "9f8e7d") {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("y", "v")
	if !strings.Contains(s.clip.text, "csrf-missing") {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("Y", "m")
	if !strings.Contains(s.clip.text, "# Refused requests") || strings.Contains(s.clip.text, "kH3vXq0a") {
		t.Errorf("copied %q", s.clip.text)
	}
	s.clip.local, s.clip.text = false, ""
	s.press("y", "u")
	s.sees("URL copied through the terminal (OSC 52), to where it runs")
	if s.clip.text != "" {
		t.Error("the clipboard of the wrong machine was written")
	}
}

func TestQuitAsksWhenSomethingIsUnderWay(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.m.running = 1
	s.press("q")
	s.sees("Quit?", "a replay is under way")
	s.press("esc")
	if s.quit {
		t.Fatal("it quit")
	}
	s.m.running = 0
	s.press("q")
	if !s.quit {
		t.Fatal("it did not quit")
	}
}

func TestWelcome(t *testing.T) {
	s := play(t, newFake(), 140, 40)
	s.sees("Send something through the proxy.", "why403 run -- npm test", `eval "$(why403 env)"`, "certificate authority: not trusted by this system", "why403 ca install", "--cacert /home/me/.local/state/why403/ca.pem", "why403 demo")
	s.press("1")
	if s.clip.text != "why403 run -- npm test" {
		t.Errorf("copied %q", s.clip.text)
	}
	s.feed.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(200, "OK", "", ""))
	s.arrive()
	s.sees("a.test")
	s.seesNot("Send something")
}

func TestPaletteDoesWhatItNames(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press(":")
	s.write("zoom")
	s.sees("give the focused pane the whole screen")
	s.press("enter")
	if !s.m.zoomed {
		t.Error("zoom was not done")
	}
}

func TestEditorAsksBeforeItForgets(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e")
	s.press("esc")
	if s.m.editor != nil {
		t.Fatal("nothing was changed, and yet it asks")
	}
	s.press("e")
	s.write("x")
	s.press("esc")
	s.sees("Close the editor?")
	s.press("esc")
	if s.m.editor == nil {
		t.Fatal("it closed")
	}
	s.press("ctrl+z")
	s.press("esc")
	if s.m.editor != nil {
		t.Fatal("undo left something behind")
	}
}

func TestFilterCompletes(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.press("/")
	s.write("sta")
	s.sees("tab status:")
	s.press("tab")
	s.write("403 ho")
	s.press("tab")
	s.write("api")
	s.press("tab")
	if got := s.m.filter.in.s; got != "status:403 host:api.shop.test " {
		t.Errorf("completed to %q", got)
	}
	s.sees("1 match")
}

func TestFilterLooksIntoBodies(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.press("/")
	s.write(`body:"csrf failed"`)
	s.press("enter")
	s.sees("/v1/orders", "1 of 10")
	s.feed.done(request(time.Minute, "PUT", "https://api.shop.test/v1/late", ""), time.Millisecond, response(403, "Forbidden", "text/plain", "CSRF FAILED again"))
	s.feed.done(request(time.Minute, "PUT", "https://api.shop.test/v1/other", ""), time.Millisecond, response(403, "Forbidden", "text/plain", "no"))
	s.arrive()
	s.sees("/v1/late", "2 of 12")
	s.seesNot("/v1/other")
}

func TestSearchInATab(t *testing.T) {
	f := newFake()
	var body strings.Builder
	for i := range 5000 {
		body.WriteString("line " + strings.Repeat("x", i%300) + "\n")
		if i == 3000 || i == 4000 {
			body.WriteString("here is the Needle\n")
		}
	}
	f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(200, "OK", "text/plain", body.String()))
	s := play(t, f, 140, 30)
	s.press("tab", "l", "l", "l", "s")
	s.write("nEEdle")
	s.sees("here is the Needle", "row ")
	first := s.m.inspector.search.row
	s.press("down")
	if second := s.m.inspector.search.row; second <= first {
		t.Errorf("the next hit is in row %d after %d", second, first)
	}
	s.sees("here is the Needle")
	s.press("down") // around the end
	if again := s.m.inspector.search.row; again != first {
		t.Errorf("around the end: row %d, want %d", again, first)
	}
	s.press("up")
	s.press("enter", ">", "<")
	if !strings.Contains(s.m.screen(), string(dark().hit)) {
		t.Error("the hit is not marked")
	}
	s.press("s")
	s.write("zzz")
	s.sees("not in this tab")
	s.press("esc")
	if strings.Contains(s.m.screen(), string(dark().hit)) {
		t.Error("the mark stays after the search")
	}
}

func TestGoingToTheAnswerDropsAFilterThatHidesIt(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("3", "e", "ctrl+g", "enter", "ctrl+s", "ctrl+o")
	if s.m.list.cur != 11 || s.m.list.match != nil {
		t.Errorf("on flow %d with filter %q", s.m.list.cur, s.m.filterText())
	}
	s.sees("Not refused: 201 Created", "of #5, which was answered 403")
}

func TestLightTerminal(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "tab")
	s.tell(tea.BackgroundColorMsg{Color: color.White})
	if f := s.m.screen(); strings.Contains(f, string(dark().text)) || !strings.Contains(f, string(light().bright)) {
		t.Error("dark colours on a light background")
	}
}

func TestRequestIsTakenApart(t *testing.T) {
	f := newFake()
	// {"alg":"HS256"} {"sub":"42","exp":1795335051} that is, 2026-11-22 08:10:51 UTC
	token := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MTc5NTMzNTA1MX0.c2ln"
	body := "--b\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{\"a\":[1,2]}\r\n--b--\r\n"
	f.done(request(0, "POST", "https://a.test/x?q=a%20b&n=1", body, "Authorization", "Bearer "+token, "Cookie", "a=1; b=2", "Content-Type", "multipart/form-data; boundary=b"),
		time.Millisecond, response(401, "Unauthorized", "text/plain", "no"))
	s := play(t, f, 160, 50)
	s.press("tab", "l", "l")
	s.sees("q  a b", "cookies", "a  1", "token in Authorization", "HS256", "2026-11-22 08:10:51 UTC  expired 20 min before",
		"part doc  file a.json, application/json, 11 B", `"a": [`)
	s.press("b")
	s.sees(`Content-Disposition: form-data; name="doc"`)
	s.seesNot("token in Authorization")
}

func TestALargeBodyIsReadWholeWhenItIsLookedAt(t *testing.T) {
	f := newFake()
	f.prefix = 1000
	var body strings.Builder
	body.WriteString(`[0`)
	for body.Len() < 300_000 {
		body.WriteString(`,{"id":12345}`)
	}
	body.WriteString(`,"the end"]`)
	f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(200, "OK", "application/json", body.String()))
	s := play(t, f, 140, 30)
	s.press("tab", "l", "l", "l", "G")
	s.sees(`"the end"`)
	s.press("g")
	s.seesNot("the first 1 kB")
	s.press("b", "G") // as sent: one line
	s.sees(`"the end"]`)
}

func TestMouse(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.tell(tea.MouseClickMsg{X: 20, Y: 8, Button: tea.MouseLeft}) // row 5: three rows above the list, one for its header
	if s.m.list.cur != 5 {
		t.Errorf("clicked flow %d", s.m.list.cur)
	}
	tabs := strings.Split(s.screen(), "\n")[3]
	x := ansi.StringWidth(tabs[:strings.Index(tabs, "Request")])
	s.tell(tea.MouseClickMsg{X: x, Y: 3, Button: tea.MouseLeft})
	s.sees("POST /v1/orders HTTP/1.1")
	s.press("M")
	if s.m.View().MouseMode != tea.MouseModeNone {
		t.Error("M does not release the mouse")
	}
}

func TestTrustIsAskedBesideTheFirstFrame(t *testing.T) {
	s := play(t, newFake(), 140, 40)
	s.m.o.CA.Ask = func() bool { return true }
	s.seesNot("trusted")
	s.tell(s.m.askTrust()())
	s.sees("CA trusted")
}
