package ui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// click clicks on the first place of text on the screen.
func (s *stage) click(text string) {
	s.t.Helper()
	for y, row := range strings.Split(s.screen(), "\n") {
		if i := strings.Index(row, text); i >= 0 {
			s.tell(tea.MouseClickMsg{X: ansi.StringWidth(row[:i]), Y: y, Button: tea.MouseLeft})
			return
		}
	}
	s.t.Fatalf("%q is not on the screen:\n%s", text, s.screen())
}

func TestTheMouseDoesWhatItPointsAt(t *testing.T) {
	s := play(t, shop(), 150, 40)
	s.click("/v1/cart/items")
	if s.m.list.cur != 2 || s.m.focus != inList {
		t.Fatalf("the cursor is on %d", s.m.list.cur)
	}
	s.click("/v1/cart/items") // once more opens it
	if s.m.focus != inInspector {
		t.Error("a second click does not open the flow")
	}
	s.click("y copy")
	s.sees("curl command")
	s.click("URL")
	if s.clip.text != "https://api.shop.test/v1/cart/items" {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("esc")
	s.click("2 refused  3")
	if s.m.filterText() != "refused:yes" {
		t.Errorf("the preset gave %q", s.m.filterText())
	}
	s.click("1 all")
	s.press("E")
	s.tell(tea.MouseWheelMsg{X: 1, Y: 1, Button: tea.MouseWheelDown})
	s.click("50 %")
	if !strings.HasPrefix(s.m.filterText(), "endpoint:") {
		t.Errorf("a click on an endpoint gave the filter %q", s.m.filterText())
	}
	s.press("1")
	s.click("st  host") // the name of a column
	s.sees("by status")
}

func TestTheMouseInTheEditor(t *testing.T) {
	s := play(t, shop(), 150, 40)
	s.press("N", "N", "e")
	s.click("application/json")
	if f := s.m.editor.field(); f == nil || f.s != "application/json" {
		t.Fatalf("the cursor is in %+v", s.m.editor.at)
	}
	s.click("csrftoken=kH")
	s.click("POST    https")
	if s.m.editor.at.part != partMethod {
		t.Errorf("the cursor is in %+v", s.m.editor.at)
	}
	s.click(`"qty": 3`)
	s.write("9")
	if got := string(s.m.editor.content()); got != `{"items": [{"sku": "A1", 9"qty": 3}]}` {
		t.Errorf("typed where it was not clicked: %s", got)
	}
	before := s.m.editor.heads[0].off
	s.click("●   Host")
	if s.m.editor.heads[0].off == before {
		t.Error("a click on the dot does not leave the header out")
	}
	s.press("ctrl+x")
	s.click("Content-Type")
	s.write("X-")
	if !strings.Contains(s.m.editor.raw.s, "\nX-Content-Type:") {
		t.Errorf("typed elsewhere in the text:\n%s", s.m.editor.raw.s)
	}
}

func TestTheAnswerIsBelowTheFormOnANarrowScreen(t *testing.T) {
	s := play(t, shop(), 90, 30)
	s.press("N", "N", "e", "ctrl+s")
	s.sees("attempt 1  ✗ 403", "HTTP/1.1 403 Forbidden", "X-CSRFToken", "POST")
}

func TestHeldMessagesAreMaskedInStageMode(t *testing.T) {
	f := holding()
	f.gate.held[0].Flow.Request.Header.Add("Authorization", "Bearer sk-live-0123456789abcdef0123456789")
	s := play(t, f, 140, 40)
	s.press("S", "H")
	s.seesNot("sk-live-0123456789abcdef0123456789")
}
