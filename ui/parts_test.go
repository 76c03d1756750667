package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
)

func TestQueryParametersAreEditedOneByOne(t *testing.T) {
	f := newFake()
	f.done(request(0, "GET", "https://a.test/x?page=1&tag=old&tag=new&q=a%20b&flag&sort=price+up", ""), time.Millisecond, response(200, "OK", "", ""))
	f.done(request(time.Second, "GET", "https://a.test/x?page=2&tag=a%2Bb&flag", ""), time.Millisecond, response(403, "Forbidden", "", ""))
	s := play(t, f, 140, 40)
	s.press("e", "shift+tab", "shift+tab") // into the URL
	for s.m.editor.at.part != partURL {
		s.press("tab")
	}
	s.press("ctrl+p")
	s.sees("Query parameters", "page", "a+b", "flag")
	s.press("ctrl+t", "down", "down", "ctrl+n")
	s.write("s")
	s.sees("→ takes it")
	s.press("right", "tab", "right") // name and value of the accepted request
	s.sees("price up")
	s.press("up", "up")
	s.write(" & c")
	s.press("enter")
	if got, want := s.m.editor.url.s, "https://a.test/x?tag=a%2Bb%20%26%20c&flag&sort=price%20up"; got != want {
		t.Errorf("the URL is %s, want %s", got, want)
	}
	s.press("ctrl+p") // what was left out is still there
	s.sees("left out")
	s.press("up", "up", "up", "up", "ctrl+t", "enter")
	if got, want := s.m.editor.url.s, "https://a.test/x?page=2&tag=a%2Bb%20%26%20c&flag&sort=price%20up"; got != want {
		t.Errorf("the URL is %s, want %s", got, want)
	}
	s.press("ctrl+z", "ctrl+z")
	if got := s.m.editor.url.s; got != "https://a.test/x?page=2&tag=a%2Bb&flag" {
		t.Errorf("after undo the URL is %s", got)
	}
	s.press("ctrl+p", "enter")
	if s.m.editor.changed() {
		t.Error("looking changed something")
	}
}

func TestCookiesAreEditedOneByOne(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e")
	e := s.m.editor
	at := slices.IndexFunc(e.heads, func(h head) bool { return h.name.s == "Cookie" })
	e.at = fieldID{partHeader, at, 1}
	was := e.heads[at].value.s
	s.press("ctrl+p")
	s.sees("Cookies", "csrftoken", "sessionid", "9f8e7d")
	s.press("enter")
	if e.heads[at].value.s != was || e.changed() {
		t.Errorf("looking changed it to %q", e.heads[at].value.s)
	}
	s.press("ctrl+p", "down", "ctrl+d", "ctrl+n")
	s.write("theme")
	s.press("tab")
	s.write("dark")
	s.press("enter")
	if got := e.heads[at].value.s; got != "csrftoken=kH3vXq0a; theme=dark" {
		t.Errorf("Cookie: %s", got)
	}
	s.press("ctrl+s")
	if got := s.sender.sent[0].Header.Get("Cookie"); got != "csrftoken=kH3vXq0a; theme=dark" {
		t.Errorf("sent %q", got)
	}
}

func TestFormFieldsAreEditedOneByOne(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "e")
	s.m.editor.at = fieldID{part: partBody}
	s.press("ctrl+p")
	s.sees("Form fields", "refresh_token", "a b")
	s.press("down")
	s.write("&c")
	s.press("enter")
	if got := s.m.editor.body.s; got != "grant_type=refresh_token&scope=a+b%26c" {
		t.Errorf("the body is %s", got)
	}
	s.m.editor.at = fieldID{partHeader, 0, 1}
	s.press("ctrl+p")
	s.sees("the cursor is in no URL, Cookie or form body")
}

func TestARequestFromNothing(t *testing.T) {
	s := play(t, newFake(), 140, 40)
	s.press("ctrl+n")
	s.sees("A new request", "it becomes a flow when it is sent")
	s.seesNot("#0")
	s.m.editor.url.set("")
	s.write("http://other.test:8080/v2/things?x=1")
	s.press("ctrl+s")
	if len(s.sender.sent) != 1 {
		t.Fatalf("nothing was sent:\n%s", s.screen())
	}
	m, to := s.sender.sent[0], s.sender.to[0]
	if m.Method != "GET" || m.Target != "/v2/things?x=1" || to.Authority != "other.test:8080" || to.Scheme != "http" || m.Header.Get("Host") != "other.test:8080" || to.ID != 0 {
		t.Errorf("sent %s %s to %s://%s with Host %q, parent %d", m.Method, m.Target, to.Scheme, to.Authority, m.Header.Get("Host"), to.ID)
	}
	s.sees("attempt 1  ✗ 403 Forbidden")

	s = play(t, shop(), 140, 40)
	s.press("g", "ctrl+n")
	s.sees("https://api.shop.test/")
}

func TestContentLengthFollowsUnlessToldNotTo(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e")
	e := s.m.editor
	at := slices.IndexFunc(e.heads, func(h head) bool { return h.name.s == "Content-Length" })
	e.at = fieldID{partHeader, at, 1}
	s.press("ctrl+t")
	s.sees("fixed")
	e.at = fieldID{part: partBody}
	s.write("more")
	s.sees("fixed, wrong")
	s.press("ctrl+s")
	if got := s.sender.sent[0].Header.Get("Content-Length"); got != "36" {
		t.Errorf("sent a length of %s", got)
	}
	e.at = fieldID{partHeader, at, 1}
	s.press("ctrl+t", "ctrl+t") // left out, then following again
	s.sees("automatic")
	s.press("ctrl+s")
	if got := s.sender.sent[1].Header.Get("Content-Length"); got != "40" {
		t.Errorf("sent a length of %s", got)
	}
}

func TestValuesOfOtherSuccessesAreOffered(t *testing.T) {
	f := newFake()
	ok := func(at time.Duration, tenant string) {
		f.done(request(at, "POST", "https://a.test/x", "{}", "Content-Type", "application/json", "X-Tenant", tenant), time.Millisecond, response(200, "OK", "", ""))
	}
	ok(0, "blue-1")
	ok(time.Second, "red-2")
	f.done(request(2*time.Second, "POST", "https://a.test/x", "{}"), time.Millisecond, response(403, "Forbidden", "", ""))
	s := play(t, f, 140, 40)
	s.press("e", "ctrl+n")
	s.write("x-t")
	s.press("right", "tab")
	s.write("bl")
	s.press("right")
	s.sees("blue-1", "+ from #1")
	s.press("ctrl+n")
	s.write("content-t")
	s.press("right", "tab")
	s.write("application/x-w")
	s.sees("ww-form-urlencoded")
}

func TestDiffBesideAndUnified(t *testing.T) {
	s := play(t, shop(), 240, 40)
	s.press("N", "N", "d")
	if row := rowWith(s.screen(), "absent"); !strings.Contains(row, "X-CSRFToken") || !strings.Contains(row, "kH3vXq0a") {
		t.Errorf("not side by side: %s", row)
	}
	s.press("v")
	s.sees("- #5      absent", "+ #3      kH3vXq0a")
	s.press("v")
	s.seesNot("- #5")
	s = play(t, shop(), 90, 30)
	s.press("N", "N", "d")
	s.sees("- #5      absent")
	s.press("v")
	if row := rowWith(s.screen(), "absent"); !strings.Contains(row, "kH3vXq0a") {
		t.Errorf("not side by side: %s", row)
	}
	s.press("l", "v")
	s.sees("is for the tab Diff")
}

// rowWith is the first row of a screen that holds text.
func rowWith(screen, text string) string {
	for r := range strings.SplitSeq(screen, "\n") {
		if strings.Contains(r, text) {
			return r
		}
	}
	return ""
}

func TestDiffTellsWhatOtherSuccessesHad(t *testing.T) {
	f := newFake()
	for i, token := range []string{"aa", "bb", "cc"} {
		f.done(request(time.Duration(i)*time.Second, "POST", "https://a.test/x", "{}", "X-CSRFToken", token, "X-App", "7"), time.Millisecond, response(200, "OK", "", ""))
	}
	f.done(request(4*time.Second, "POST", "https://a.test/x", "{}", "X-App", "8", "X-Extra", "1"), time.Millisecond, response(403, "Forbidden", "", ""))
	s := play(t, f, 320, 40)
	s.press("d")
	for name, want := range map[string]string{"X-CSRFToken": "in all 3 accepted", "X-App": "the same in all 3 accepted", "X-Extra": "in none of 3 accepted"} {
		if row := rowWith(s.screen(), " "+name+" "); !strings.Contains(row, want) {
			t.Errorf("%s: %q, want %q", name, row, want)
		}
	}
}

func TestOneValueIsCopied(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "y", "o")
	s.sees("Copy one value", "cookie   csrftoken")
	s.write("sess")
	s.press("enter")
	if s.clip.text != "9f8e7d" {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("Y", "o")
	s.write("sess")
	s.press("enter")
	if s.clip.text == "9f8e7d" || s.clip.text == "" {
		t.Errorf("copied %q, masked", s.clip.text)
	}
	s.press("y", "o")
	s.write("zzz")
	s.sees("no such name")
	s.press("enter", "esc")
}

func TestAgesGoOn(t *testing.T) {
	s := play(t, shop(), 160, 30)
	s.press("C", "a", "esc")
	s.sees("age", "23 s", "1 s")
	s.now = s.now.Add(2 * time.Minute)
	if s.m.pulse() != time.Second && s.m.pulse() != 200*time.Millisecond {
		t.Errorf("a tick each %v", s.m.pulse())
	}
	s.tell(tickMsg(s.now))
	s.sees("2 min")
	for d, want := range map[time.Duration]string{0: "now", 59 * time.Second: "59 s", 90 * time.Minute: "1 h", 47 * time.Hour: "47 h", 72 * time.Hour: "3 d"} {
		if got := age(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestSeenValuesAreOffered(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.press("N", "N") // its flow is looked at
	for typed, want := range map[string]string{"status:4": "status:403", "path:/v1/c": "path:/v1/cart", "header:x-c": "header:content-length", "process:c": "process:curl", "method:po": "method:post", "endpoint:orders": `endpoint:"POST https://api.shop.test/v1/orders"`} {
		s.press("/", "ctrl+u")
		s.write(typed)
		if strings.HasPrefix(typed, "header") {
			s.press("backspace", "backspace", "backspace")
			s.write("content-l")
		}
		if list := suggest(s.m.filter.in.s, s.m.filter.in.at, &s.m.seen); !slices.ContainsFunc(list, func(x suggestion) bool { return x.word == want }) {
			t.Errorf("%s offers %v", typed, list)
		}
		s.press("esc")
	}
}

func TestTokensInCookiesExpireToo(t *testing.T) {
	// {"alg":"HS256"} {"sub":"42","exp":1795335051} that is, 2026-11-22 08:10:51 UTC
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MTc5NTMzNTA1MX0.c2ln"
	for _, h := range []flow.Field{{Name: "Authorization", Value: "Bearer " + token}, {Name: "Cookie", Value: "a=1; session=" + token}, {Name: "X-Token", Value: token}} {
		if got := expired(h.Name, h.Value, day); got != "expired 20 min ago" {
			t.Errorf("%s: %q", h.Name, got)
		}
	}
	if got := expired("Authorization", "Bearer "+token, day.Add(-time.Hour)); got != "" {
		t.Errorf("a valid token: %q", got)
	}
}

func TestWhatIsNoHeaderIsMarkedAsItIsWritten(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "e", "ctrl+n")
	s.write("X A")
	s.sees("✗ name")
	s.press("backspace", "backspace")
	s.write("-A")
	s.seesNot("✗ name")
	s.press("tab")
	s.write("1 ")
	s.sees("! blank")
	s.press("backspace")
	s.seesNot("! blank")
	s.tell(tea.PasteMsg{Content: "a\x01b"})
	s.sees("✗ value")
}
