package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

const nested = `{"order":{"id":7,"lines":[{"sku":"A1","tags":["x","y"]},{"sku":"B2","tags":[]}]},"ok":true}`

// shownLines is what d shows, a line each.
func shownLines(d *textDoc) string {
	var b strings.Builder
	for k := range d.lines() {
		fmt.Fprintf(&b, "%s\n", d.line(k))
	}
	return b.String()
}

func TestFoldingShowsAnObjectAsOneLine(t *testing.T) {
	pretty, _ := indentJSON([]byte(nested))
	d := newTextDoc(pretty, true)
	all := shownLines(d)
	if d.deepest() != 4 {
		t.Errorf("deepest %d", d.deepest())
	}
	for depth, want := range map[int]string{
		1: "{\n  \"order\": { ... 14 lines },\n  \"ok\": true\n}\n",
		2: "{\n  \"order\": {\n    \"id\": 7,\n    \"lines\": [ ... 11 lines ]\n  },\n  \"ok\": true\n}\n",
		9: all,
	} {
		d.foldTo(depth)
		if got := shownLines(d); got != want {
			t.Errorf("depth %d:\n%s", depth, got)
		}
	}
	d.foldTo(1)
	d.rows(80)
	if !d.toggle(1) {
		t.Fatal("the second line does not open")
	}
	d.rows(80)
	if got := shownLines(d); !strings.Contains(got, `"id": 7`) || !strings.Contains(got, `"lines": [ ... 11 lines ]`) {
		t.Errorf("opened by hand:\n%s", got)
	}
	if d.toggle(2) {
		t.Error("a number opens")
	}
	d.foldTo(unfolded)
	if got := shownLines(d); got != all {
		t.Errorf("all open again:\n%s", got)
	}
	d.foldTo(1)
	d.rows(40)
	if row, ok := d.find("b2", 40, 0, true); !ok || row != 1 {
		t.Errorf("text in what is folded away is found in row %d, %v", row, ok)
	}
}

func TestFoldingByKeysAndMouse(t *testing.T) {
	f := newFake()
	f.done(request(time.Second, "GET", "https://h.test/order", ""), time.Second, response(200, "OK", "application/json", nested))
	s := play(t, f, 160, 40)
	s.press("tab", "l", "l", "l")
	s.sees(`"sku": "A1"`, `"x"`)
	s.press("-")
	s.sees(`"tags": [ ... 2 lines ]`, `"sku": "A1"`)
	s.press("-", "-", "-", "-")
	s.sees(`"order": { ... 14 lines },`)
	s.seesNot("sku")
	at := -1
	for y, row := range strings.Split(s.screen(), "\n") {
		if strings.Contains(row, `"order": {`) {
			at = y
		}
	}
	s.tell(tea.MouseClickMsg{X: 120, Y: at, Button: tea.MouseLeft})
	s.sees(`"id": 7`, `"lines": [ ... 11 lines ]`)
	s.press("+", "+", "+", "+")
	s.sees(`"sku": "A1"`, `"x"`)
	s.press("h")
	s.press("-") // a request without a body
	s.press("h")
	s.press("-")
	s.sees("only JSON")
}
