package ui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// scenes are the panes and dialogs, each by the keys that lead there.
var scenes = []struct {
	name string
	feed func() *fakeFeed
	keys []string
}{
	{"welcome", newFake, nil},
	{"list", shop, []string{"N", "N", "j"}},
	{"why", shop, []string{"N", "N", "enter"}},
	{"checks", shop, []string{"N", "N", "enter", "enter"}},
	{"diff", shop, []string{"N", "N", "enter", "l", "space"}},
	{"request", shop, []string{"N", "N", "enter", "l", "l"}},
	{"response", shop, []string{"N", "N", "enter", "l", "l", "l"}},
	{"form", shop, []string{"N", "enter", "l", "l"}},
	{"binary", shop, []string{"N", "k", "enter", "l", "l", "l"}},
	{"hostile", shop, []string{"N", "j", "enter", "l", "l", "l"}},
	{"timing", shop, []string{"N", "N", "enter", "l", "l", "l", "l"}},
	{"messages", chat, []string{"enter"}},
	{"message", chat, []string{"enter", "g", "j", "enter"}},
	{"events", ticker, []string{"enter"}},
	{"attempts", shop, []string{"N", "N", "r", "enter", "h"}},
	{"waiting", shop, []string{"k", "enter"}},
	{"handshake", shop, []string{"enter"}},
	{"refused", odd, []string{"g", "enter"}},
	{"tunnel", odd, []string{"g", "j", "enter"}},
	{"unreachable", odd, []string{"G", "enter"}},
	{"certificate", troubled, []string{"g", "enter"}},
	{"dropped-request", troubled, []string{"g", "j", "enter"}},
	{"dropped-answer", troubled, []string{"G", "enter"}},
	{"filter", shop, []string{"2"}},
	{"filter-typing", shop, []string{"/", "p", "o", "s", "t"}},
	{"filter-wrong", shop, []string{"/", "s", "t", ":", "4"}},
	{"filter-empty", shop, []string{"/", "q", "q", "enter"}},
	{"editor", shop, []string{"N", "N", "e", "ctrl+n", "X", "-", "A", "tab", "1", "down", "ctrl+t"}},
	{"editor-body", shop, []string{"N", "N", "e", "shift+tab", "shift+tab", "shift+tab", "shift+tab"}},
	{"editor-sent", shop, []string{"N", "N", "e", "ctrl+s", "ctrl+g", "enter", "ctrl+s"}},
	{"editor-wrong", shop, []string{"N", "N", "e", "ctrl+n", "tab", "1", "ctrl+s"}},
	{"editor-raw", shop, []string{"N", "N", "e", "ctrl+x"}},
	{"take", shop, []string{"N", "N", "e", "ctrl+g"}},
	{"fix", shop, []string{"N", "N", "f"}},
	{"pinpoint-plan", shop, []string{"N", "N", "p"}},
	{"pinpoint", shop, []string{"N", "N", "p", "enter"}},
	{"is-it-me", shop, []string{"N", "N", "p", "m"}},
	{"copy", shop, []string{"N", "N", "y"}},
	{"help", shop, []string{"?"}},
	{"palette", shop, []string{":", "d", "i"}},
	{"held", holding, []string{"k", "k", "enter"}},
	{"held-list", holding, []string{"H"}},
	{"held-request", holding, []string{"k", "k", "e", "ctrl+n", "X", "-", "A", "tab", "1"}},
	{"held-edited", holding, []string{"k", "k", "e", "ctrl+n", "X", "-", "A", "tab", "1", "ctrl+s"}},
	{"held-answer", holding, []string{"e"}},
	{"breakpoints", holding, []string{"B"}},
	{"breakpoint", holding, []string{"B", "a", "s", "t", ":"}},
	{"rules", func() *fakeFeed { return ruled("/config/why403/config.yaml", someRules) }, []string{"R", "j"}},
	{"rule", func() *fakeFeed { return ruled("", someRules) }, []string{"R", "e"}},
	{"rule-new", func() *fakeFeed { return ruled("", "") }, []string{"N", "N", "R", "a"}},
	{"jsonpath", orderFeed, []string{"g", "tab", "l", "l", "l", "$", ".", ".", "s", "k", "u"}},
	{"jsonpath-wrong", orderFeed, []string{"g", "tab", "l", "l", "l", "$", ".", "o", "r", "d", "e", "r", "[", "x", "]"}},
	{"jsonpath-kept", orderFeed, []string{"g", "tab", "l", "l", "l", "$", ".", "o", "r", "d", "e", "r", "enter", "-"}},
	{"line-numbers", orderFeed, []string{"g", "tab", "l", "l", "l", "#", "j", "j", "j", "j", "j", "j"}},
	{"markup", readables, []string{"g", "tab", "l", "l", "l"}},
	{"picture", readables, []string{"g", "j", "tab", "l", "l", "l"}},
	{"graphql", readables, []string{"g", "j", "j", "tab", "l", "l"}},
	{"search", shop, []string{"N", "N", "tab", "l", "l", "s", "c", "o"}},
	{"stories", journeys, []string{"g", "tab"}},
	{"stories-folded", journeys, []string{"F", "g", "j", "j", "j"}},
	{"preflight", journeys, []string{"G", "k", "k", "k", "tab"}},
	{"diff-turned", shop, []string{"N", "N", "d", "v"}},
	{"copy-one", shop, []string{"N", "N", "y", "o", "c"}},
	{"copy-line", shop, []string{"N", "N", "tab", "l", "l", "l", "j", "j", "y"}},
	{"columns", shop, []string{"C", "a", "b", "c"}},
	{"theme", shop, []string{"N", "N", "T"}},
	{"sort", shop, []string{"o"}},
	{"sorted", shop, []string{"o", "s"}},
	{"endpoints", shop, []string{"E", "j"}},
	{"comment", shop, []string{"N", "N", ";", "n", "o", "t", "e"}},
	{"marked", shop, []string{"N", "N", "space", "space"}},
	{"save", shop, []string{"N", "N", "w", "down"}},
	{"save-there", shop, []string{"N", "N", "w", "ctrl+u", "enter"}},
	{"delete", shop, []string{"N", "N", "D"}},
	{"quit", sending, []string{"q"}},
	{"logs", logged, []string{"N", "N", "tab", "h", "h"}},
	{"stage", shop, []string{"N", "N", "S", "tab", "l", "l"}},
	{"zoom", shop, []string{"N", "N", "tab", "z"}},
	{"editor-query", journeys, []string{"G", "e", "shift+tab", "shift+tab", "?", "a", "=", "1", "&", "b", "=", "x", "%", "2", "0", "y", "ctrl+p", "ctrl+t"}},
	{"editor-cookies", shop, []string{"N", "N", "e", "tab", "tab", "tab", "tab", "ctrl+p", "down"}},
	{"editor-new", shop, []string{"ctrl+n"}},
	{"toast", shop, []string{"N", "N", "y", "u"}},
}

// readables are bodies of several kinds.
func readables() *fakeFeed {
	f := newFake()
	f.done(request(0, "GET", "https://s3.test/b/k", ""), time.Second, response(403, "Forbidden", "application/xml",
		`<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message><Details><RequestId>4Z1</RequestId><Bucket name="b">注文</Bucket></Details></Error>`))
	f.done(request(time.Second, "GET", "https://s3.test/b/logo.png", ""), time.Second, response(200, "OK", "image/png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0\x08\x06\x00\x00\x00\x35"))
	f.done(request(2*time.Second, "POST", "https://api.test/graphql?tenant=blue", `{"operationName":"Cart","query":"query Cart {\n  cart {\n    id\n  }\n}","variables":{"n":1}}`, "Content-Type", "application/json"),
		time.Second, response(200, "OK", "application/json", `{"data":null}`))
	return f
}

// logged is shop with lines of logs that belong to its refusal.
func logged() *fakeFeed {
	f := shop()
	e := f.exps[5]
	e.Logs = []inspect.Line{
		{Label: "nginx", N: 812, Time: day.Add(13 * time.Second), Text: `203.0.113.7 "POST /v1/orders HTTP/1.1" 403 45`, Tied: "request"},
		{Label: "app", N: 40, Time: day.Add(13*time.Second + 20*time.Millisecond), Text: "WARNING Forbidden (CSRF token missing.): /v1/orders", Tied: "id"},
		{Label: "app", N: 41, Time: day.Add(13*time.Second + 30*time.Millisecond), Text: "slow query", Tied: "near"},
	}
	v := *e.Verdict
	v.Evidence = append(v.Evidence[:len(v.Evidence):len(v.Evidence)], inspect.Evidence{Where: "log:app:40", Quote: "CSRF token missing."})
	e.Verdict = &v
	f.exps[5] = e
	return f
}

// sending is shop while a replay is under way.
func sending() *fakeFeed {
	f := shop()
	f.busy = true
	return f
}

// odd holds what is not an ordinary exchange.
func odd() *fakeFeed {
	f := newFake()
	bad := &flow.Flow{Kind: flow.Rejected, Authority: "a.test", Scheme: "http", Err: &flow.Failure{Side: "client", Op: "parse", Text: "Content-Length 5 and 7"}}
	bad.Times.Start = day
	f.add(bad, session.Done)
	tun := &flow.Flow{Kind: flow.Tunnel, Authority: "bank.test", Scheme: "https"}
	tun.Times.Start = day
	f.add(tun, session.Streaming)
	down := request(time.Second, "POST", "https://down.test/x", "{}")
	down.Err = &flow.Failure{Side: "origin", Op: "dial", Text: "dial tcp 203.0.113.1:443: connection refused"}
	down.Times.End = down.Times.Start.Add(3 * time.Second)
	down.Response = response(502, "Bad Gateway", "text/plain", "why403")
	f.add(down, session.Done)
	return f
}

// troubled holds an exchange whose server is not trusted, and two that a person dropped.
func troubled() *fakeFeed {
	f := newFake()
	add := func(fl *flow.Flow, status int, failure flow.Failure, altered string) {
		fl.Err, fl.Times.End = &failure, fl.Times.Start.Add(time.Second)
		if status != 0 {
			fl.Response = response(status, "", "text/plain", "x")
		}
		if altered != "" {
			fl.Altered = []string{altered}
		}
		f.add(fl, session.Done)
	}
	add(request(0, "POST", "https://dev.test:8443/v1/orders", "{}"), 502,
		flow.Failure{Side: "origin", Op: "tls", Text: "the certificate of dev.test is signed by CN=dev, which this machine does not trust"}, "")
	add(request(time.Second, "POST", "https://api.test/v1/orders", "{}"), 0,
		flow.Failure{Side: "why403", Op: "abort", Text: droppedText}, "held the request for 3.2s, then you dropped it")
	add(request(2*time.Second, "POST", "https://api.test/v1/orders", "{}"), 403,
		flow.Failure{Side: "why403", Op: "abort", Text: droppedText}, "held the response for 1.5s, then you dropped it")
	return f
}

var sizes = [][2]int{{60, 15}, {80, 24}, {120, 40}, {200, 60}}

func TestFrames(t *testing.T) {
	for _, c := range scenes {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name+".golden", c.feed, c.keys, false)
			golden(t, c.name+".colour.golden", c.feed, c.keys, true)
		})
	}
}

// TestThemes draws the same scene in each theme.
func TestThemes(t *testing.T) {
	for i, th := range themes[1:] {
		keys := []string{"N", "N", "T"}
		for range i + 1 {
			keys = append(keys, "j")
		}
		golden(t, "theme-"+string(th.name)+".colour.golden", shop, keys, true)
	}
}

func TestTooSmall(t *testing.T) {
	for _, size := range [][2]int{{59, 30}, {100, 14}, {40, 10}, {12, 3}, {1, 1}} {
		s := play(t, shop(), size[0], size[1])
		rect := checkFrame(t, s.m.screen(), size[0], size[1])
		if size[0] >= 30 && !strings.Contains(rect, "needs 60 columns and 15 rows") {
			t.Errorf("%v: %q", size, rect)
		}
		s.press("q")
		if !s.quit {
			t.Errorf("%v: q does not quit", size)
		}
	}
}

func golden(t *testing.T, name string, feed func() *fakeFeed, keys []string, colour bool) {
	var out strings.Builder
	for _, size := range sizes {
		s := play(t, feed(), size[0], size[1])
		s.press(keys...)
		s.arrive()
		frame := s.m.screen()
		plain := checkFrame(t, frame, size[0], size[1])
		if colour {
			plain = strings.ReplaceAll(frame, "\x1b", "␛")
		}
		fmt.Fprintf(&out, "-- %d×%d --\n", size[0], size[1])
		for r := range strings.SplitSeq(plain, "\n") {
			out.WriteString(strings.TrimRight(r, " ") + "\n")
		}
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("%s differs; if that is meant: go test ./ui -run TestFrames -update\n%s", path, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n-%s\n+%s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// checkFrame returns the frame without styles, having checked that it is h rows of exactly w cells.
func checkFrame(t *testing.T, frame string, w, h int) string {
	t.Helper()
	rows := strings.Split(frame, "\n")
	if len(rows) != h {
		t.Errorf("%d×%d: the frame has %d rows", w, h, len(rows))
	}
	for i, r := range rows {
		if n := ansi.StringWidth(r); n != w {
			t.Errorf("%d×%d: row %d is %d cells wide: %q", w, h, i, n, ansi.Strip(r))
		}
	}
	return ansi.Strip(frame)
}

func TestNoColourSaysTheSame(t *testing.T) {
	for _, c := range scenes {
		a, b := play(t, c.feed(), 120, 40), play(t, c.feed(), 120, 40, "NO_COLOR", "1")
		a.press(c.keys...)
		b.press(c.keys...)
		if d := cmp.Diff(a.screen(), b.screen()); d != "" {
			t.Errorf("%s: the words differ without colour:\n%s", c.name, d)
		}
		if f := b.m.screen(); strings.Contains(f, "38;") || strings.Contains(f, "48;") {
			t.Errorf("%s: there is a colour under NO_COLOR", c.name)
		}
	}
}

func TestKeys(t *testing.T) {
	type at struct {
		place place
		key   string
	}
	owner := map[at]words{}
	for _, b := range bindings {
		for _, k := range b.keys {
			for _, p := range []place{inList, inInspector, inEditor} {
				if b.where&p == 0 {
					continue
				}
				if o, ok := owner[at{p, k}]; ok {
					t.Errorf("%s means %q and %q in the same place", k, o, b.name)
				}
				owner[at{p, k}] = b.name
			}
		}
		if b.name == "" || b.about == "" || b.group == "" {
			t.Errorf("%v lacks words", b.keys)
		}
		if !strings.Contains(KeysMarkdown(), string(b.about)) {
			t.Errorf("the documentation lacks %v", b.keys)
		}
	}
}
