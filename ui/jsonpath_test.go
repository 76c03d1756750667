package ui

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// orderFeed has one answered request whose answer is nested JSON.
func orderFeed() *fakeFeed {
	f := newFake()
	f.done(request(time.Second, "GET", "https://h.test/order", ""), time.Second, response(200, "OK", "application/json", nested))
	f.done(request(2*time.Second, "GET", "https://h.test/order", ""), time.Second, response(200, "OK", "application/json", strings.ReplaceAll(nested, `"A1"`, `"C3"`)))
	return f
}

func TestAJSONPathShowsItsValuesAlone(t *testing.T) {
	s := play(t, orderFeed(), 160, 40)
	s.press("g", "tab", "l", "l", "l")
	s.press("$")
	s.write(".order.lines[*].sku")
	s.sees(`$.order.lines[0].sku  "A1"`, `$.order.lines[1].sku  "B2"`, "JSONPath $.order.lines[*].sku  2 values")
	s.seesNot(`"ok"`)
	s.write("[")
	s.sees("✗ at 22: a ] is missing", `$.order.lines[0].sku  "A1"`) // what was valid still holds
	s.press("esc")
	s.sees(`"ok": true`, "HTTP/1.1 200 OK")
	s.press("$")
	s.write(".order.lines")
	s.press("enter")
	s.sees("1 value", `$.order.lines`, `"sku": "B2"`)
	s.press("j", "down", "-", "-")
	s.sees("  { ... 5 lines },")

	s.press("y", "s")
	if !strings.HasPrefix(s.clip.text, "[\n  {\n    \"sku\": \"A1\",") {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("$", "ctrl+u")
	s.write("$..sku")
	s.press("enter", "y", "s")
	if s.clip.text != "\"A1\"\n\"B2\"" {
		t.Errorf("copied %q", s.clip.text)
	}
	// It holds for the next answer too, and goes with esc.
	s.press("tab", "j", "tab")
	s.sees(`$.order.lines[0].sku  "C3"`)
	s.press("h")
	s.sees("GET /order HTTP/1.1")
	s.press("l", "esc")
	s.sees(`"ok": true`)
	s.seesNot("JSONPath $")
}

func TestAPastedJSONPathTakesThePlaceOfTheOneBefore(t *testing.T) {
	s := play(t, orderFeed(), 140, 40)
	s.press("g", "tab", "l", "l", "l", "$")
	s.tell(tea.PasteMsg{Content: "$..sku\n"})
	s.sees("JSONPath $..sku ", "2 values")
	s.tell(tea.PasteMsg{Content: "$.order"})
	if got := s.m.inspector.path.in.s; got != "$.order" {
		t.Errorf("the box holds %q", got)
	}
	s.tell(tea.PasteMsg{Content: ".items"})
	if got := s.m.inspector.path.in.s; got != "$.order.items" {
		t.Errorf("a part that is pasted goes where the cursor is: %q", got)
	}
}

func TestAJSONPathIsForJSON(t *testing.T) {
	s := play(t, shop(), 160, 40)
	s.press("N", "N", "tab", "$")
	s.sees("JSONPath is for bodies")
	s.press("tab", "k", "tab", "l", "l", "$") // a request without a body
	s.sees("there is no JSON in this tab")
	if s.m.inspector.path.open {
		t.Error("the box is open")
	}
}

func TestAJSONPathLooksAgainWhenTheWholeBodyComes(t *testing.T) {
	f := newFake()
	f.prefix = 1000
	var body strings.Builder
	body.WriteString(`[0`)
	for body.Len() < 300_000 {
		body.WriteString(`,{"id":12345}`)
	}
	body.WriteString(`,{"last":"the end"}]`)
	f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(200, "OK", "application/json", body.String()))
	s := play(t, f, 140, 30)
	s.press("-", "-")
	s.press("tab", "l", "l", "l", "$")
	s.write("..last")
	s.sees(`"the end"`, "1 value")
	s.press("ctrl+u")
	s.write("..id")
	s.sees(count(int64(strings.Count(body.String(), "id"))) + " values, the first 10,000")
}

func TestAFoldHoldsWhenTheWholeBodyComes(t *testing.T) {
	f := newFake()
	f.prefix = 60
	f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(200, "OK", "application/json", nested))
	f.done(request(0, "GET", "https://a.test/y", ""), time.Millisecond, response(200, "OK", "application/json", nested))
	s := play(t, f, 140, 40)
	s.press("g", "tab", "l", "l", "l", "-", "-", "-", "-", "-")
	s.sees(`"order": { ... 14 lines },`)
	s.press("tab", "j", "tab") // another flow, of which a part comes first
	s.sees(`"order": { ... 14 lines },`)
}

func TestTheValueUnderTheCursorIsCopied(t *testing.T) {
	s := play(t, orderFeed(), 160, 40)
	s.press("g", "tab", "l", "l", "l")
	for range 40 {
		if strings.Contains(s.m.under().text, `"B2"`) {
			break
		}
		s.press("j")
	}
	s.press("y")
	s.sees("value under the cursor", "its JSONPath")
	s.press("n")
	if s.clip.text != "B2" {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("y", "N")
	if s.clip.text != "$.order.lines[1].sku" {
		t.Errorf("copied the path %q", s.clip.text)
	}
	s.press("k", "y", "n")
	if s.clip.text != "{\n  \"sku\": \"B2\",\n  \"tags\": []\n}" {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("enter") // the line folds, and the cursor stays on it
	if got := s.m.under().text; strings.TrimSpace(got) != "{" {
		t.Errorf("the cursor is on %q", got)
	}
	s.sees("{ ... 2 lines }")
	s.press("g", "j", "y", "n")
	if !strings.HasPrefix(s.clip.text, "Date: ") {
		t.Errorf("copied the header line %q", s.clip.text)
	}
}

func TestLinesHaveNumbers(t *testing.T) {
	s := play(t, orderFeed(), 160, 40)
	s.press("g", "tab", "l", "l", "l", "#")
	s.sees(" 1  {", ` 3      "id": 7,`)
	s.press("-")
	s.sees(`18    "ok": true`)
	s.press("#")
	s.seesNot(" 1  {")
}

func TestAJSONPathInAMessage(t *testing.T) {
	s := play(t, chat(), 160, 40)
	s.press("enter", "g")
	for range 12 {
		if s.press("enter"); jsonIn(s.m.inspector.whole()) != nil {
			break
		}
		s.press("esc", "j")
	}
	if jsonIn(s.m.inspector.whole()) == nil {
		t.Fatalf("no message holds JSON:\n%s", s.screen())
	}
	s.press("$")
	s.write(".*")
	s.sees("JSONPath $.*", "$.")
	s.press("enter", "j", "y", "s")
	if s.clip.text == "" {
		t.Error("nothing was copied")
	}
	s.press("esc")
	s.seesNot("JSONPath $.*")
	s.press("esc")
	if s.m.inspector.messages.open != nil {
		t.Error("the message is still open")
	}
}

func TestAJSONPathSaysWhatItCouldNotRead(t *testing.T) {
	f := newFake()
	f.done(request(time.Second, "GET", "https://h.test/x", ""), time.Second, response(200, "OK", "application/json", `{"a":[1,2],"b":3 "c":4}`))
	s := play(t, f, 160, 40)
	s.press("tab", "l", "l", "l", "$")
	s.write(".b")
	s.sees("$.b  3", "1 value in the part that was read", "the body was read up to line")
	s.press("ctrl+u")
	s.write("$.c") // the tree is there already: the same is said of it
	s.sees("no value in the part that was read", "the body was read up to line")
}
