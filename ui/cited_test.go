package ui

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

// flagged is a refused form and a refused JSON text in which the firewall's rules match.
func flagged() *fakeFeed {
	f := newFake()
	waf := func(id flow.ID, evidence []inspect.Evidence, hit inspect.Hit) {
		hit.Rule, hit.Message, hit.Level, hit.Score = 942100, "SQL Injection Attack Detected via libinjection", 1, 5
		f.judge(id, inspect.Explained{
			ID: id, Method: "POST", Status: 403, Refused: true, WAF: &inspect.Simulation{Score: 5, Threshold: 5, Hits: []inspect.Hit{hit}},
			Verdict: &inspect.Verdict{Cause: "waf-rule", Layer: "cdn-waf", Vendor: "modsecurity", Confidence: flow.Certain, Headline: "WAF rule", Summary: "a firewall's rule matched",
				Evidence: evidence, NextStep: "ask for an exclusion"},
		})
	}
	long := strings.Repeat("x", 300)
	body := `{"first":"1 OR 1=1","note":"` + long + `","last":{"deep":["1 OR 1=1"]}}`
	id := f.done(request(0, "POST", "https://api.test/v1/search?q=%3Cscript%3E", body, "Content-Type", "application/json", "Referer", "https://evil.test/"),
		time.Second, response(403, "Forbidden", "text/html", "<h1>Forbidden</h1>"))
	waf(id, []inspect.Evidence{
		{Where: "response.body", Quote: "Forbidden", Offset: 4},
		{Where: "request.url", Quote: "%3Cscript%3E", Offset: 30},
		{Where: "request.header:referer", Quote: "evil.test"},
		{Where: "diff", Quote: "q"},
		{Where: "history", Quote: "POST https://api.test/ 200"},
	}, inspect.Hit{Where: "request.body", Quote: "1 OR 1=1", Offset: strings.LastIndex(body, "1 OR"), Text: "1 OR 1=1", Place: "the JSON field last.deep"})
	id = f.done(request(time.Second, "POST", "https://api.test/v1/login", "user=me&note=1%27+OR+1%3D1", "Content-Type", "application/x-www-form-urlencoded"),
		time.Second, response(403, "Forbidden", "text/plain", "no"))
	waf(id, []inspect.Evidence{{Where: "request.body", Quote: "OR+1%3D1", Offset: 18}}, inspect.Hit{Where: "request.body", Quote: "1%27+OR+1%3D1", Offset: 13, Text: "1' OR 1=1", Place: "the form field note"})
	return f
}

// cursorRow is the row under the cursor in the inspector.
func cursorRow(s *stage) string {
	v := &s.m.inspector
	w := s.m.lay.inspector.w - 2
	l := row(w)
	doc := v.doc(s.m.th, w, true, s.now, time.UTC)
	doc.draw(plain(), v.line[v.tab], l)
	return strings.TrimSpace(ansi.Strip(string(l.b)))
}

func TestEvidenceLeadsToItsPlace(t *testing.T) {
	s := play(t, flagged(), 140, 40)
	s.press("g", "enter")
	s.sees("evidence   enter on a line shows its place")
	for _, c := range []struct {
		down int
		tab  tab
		want string
	}{
		{1, tabResponse, "Forbidden"},
		{2, tabRequest, "POST /v1/search?q=%3Cscript%3E HTTP/1.1"},
		{3, tabRequest, "Referer: https://evil.test/"},
		{4, tabDiff, ""},
		{5, tabRequest, `"1 OR 1=1"`}, // the second place of it, as the rule says; the history has none
	} {
		s.press("g")
		s.m.inspector.line[tabWhy] = 0
		for range c.down {
			s.press("j")
		}
		s.press("enter")
		if s.m.inspector.tab != c.tab {
			t.Errorf("line %d leads to %s, want %s", c.down, tabNames[s.m.inspector.tab], tabNames[c.tab])
		}
		if got := cursorRow(s); c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("line %d leads to %q, want %q", c.down, got, c.want)
		}
		s.press("esc")
		if s.m.inspector.tab != tabWhy || s.m.focus != inInspector {
			t.Fatalf("esc does not lead back: %s", tabNames[s.m.inspector.tab])
		}
	}
	s.press("esc")
	if s.m.focus != inList {
		t.Error("esc again is for the list")
	}
}

func TestWhatIsFlaggedIsPointedOut(t *testing.T) {
	cited := string(dark().cited)
	marked := func(s *stage) (list []string) {
		for _, part := range strings.Split(s.m.screen(), ";"+cited+"m")[1:] {
			text, _, _ := strings.Cut(part, "\x1b")
			list = append(list, text)
		}
		return list
	}
	s := play(t, flagged(), 140, 60)
	s.press("g", "enter", "l", "l")
	if got := strings.Join(marked(s), "|"); got != "%3Cscript%3E|evil.test|1 OR 1=1" {
		t.Errorf("pointed out: %q", got)
	}
	s.press("b")
	if got := strings.Join(marked(s), "|"); got != "%3Cscript%3E|evil.test|1 OR 1=1" {
		t.Errorf("pointed out in the body as sent: %q", got)
	}
	s.press("b", "tab", "j", "tab") // in the form, the one lies in the other
	if got := strings.Join(marked(s), ""); got != "1' OR 1=1" {
		t.Errorf("pointed out in a form: %q", got)
	}
	s.press("b")
	if got := strings.Join(marked(s), ""); got != "1%27+OR+1%3D1" {
		t.Errorf("pointed out in a form as sent: %q", got)
	}
}

func TestQuotedPlacesAreGoneThrough(t *testing.T) {
	s := play(t, flagged(), 140, 40)
	s.press("g", "enter", "l", "l", ">")
	if got := cursorRow(s); !strings.Contains(got, "Referer") {
		t.Errorf("from the first row the next place is %q", got)
	}
	s.press(">")
	if got := cursorRow(s); got != `"1 OR 1=1"` {
		t.Errorf("then %q", got)
	}
	s.press(">")
	if got := cursorRow(s); !strings.HasPrefix(got, "POST ") {
		t.Errorf("around the end: %q", got)
	}
	s.press("<")
	if got := cursorRow(s); got != `"1 OR 1=1"` {
		t.Errorf("around the start: %q", got)
	}
}

func TestALogLineIsGoneTo(t *testing.T) {
	s := play(t, logged(), 140, 40)
	s.press("N", "N", "enter", "j", "j", "j", "enter")
	if s.m.inspector.tab != tabLogs {
		t.Errorf("it leads to %s", tabNames[s.m.inspector.tab])
	}
	s.sees("WARNING Forbidden (CSRF token")
}

func TestAClickOnEvidenceGoesThere(t *testing.T) {
	s := play(t, flagged(), 140, 40)
	s.press("g")
	for y, r := range strings.Split(s.screen(), "\n") {
		if x := strings.Index(r, "“evil.test”"); x >= 0 {
			s.tell(tea.MouseClickMsg{X: ansi.StringWidth(r[:x]), Y: y, Button: tea.MouseLeft})
		}
	}
	if got := cursorRow(s); s.m.inspector.tab != tabRequest || !strings.Contains(got, "Referer") {
		t.Errorf("it leads to %s: %q", tabNames[s.m.inspector.tab], got)
	}
}

func TestAStepOfAStoryIsGoneTo(t *testing.T) {
	s := play(t, journeys(), 140, 40)
	s.press("g", "enter")
	before := s.m.list.cur
	s.press("j", "enter")
	if s.m.list.cur == before {
		t.Error("enter on another step of the story does not go there")
	}
}

// TestEvidenceInABodyThatIsReadLater goes to a place that is not in memory when it is asked for.
func TestEvidenceInABodyThatIsReadLater(t *testing.T) {
	f := newFake()
	text := strings.Repeat("line\n", 4000) + "the reason stands here"
	id := f.done(request(0, "POST", "https://api.test/x", "{}"), time.Second, response(403, "Forbidden", "text/plain", text))
	f.judge(id, inspect.Explained{ID: id, Status: 403, Refused: true, Verdict: &inspect.Verdict{Cause: "acl", Confidence: flow.Likely, Summary: "s",
		Evidence: []inspect.Evidence{{Where: "response.body", Quote: "the reason", Offset: 20000}}}})
	f.flows[id].Response.Body.Kept = int64(len(text))
	f.prefix = 100
	s := play(t, f, 140, 40)
	s.press("g", "enter", "j", "enter")
	if got := cursorRow(s); !strings.Contains(got, "the reason stands here") {
		t.Errorf("the cursor is on %q", got)
	}
}

func TestEnterOnTheFixAndTheChecks(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "enter", "j", "j", "j")
	s.press("enter")
	s.sees("Send with the fix?")
	s.press("esc", "j", "enter")
	s.sees("grep '08:31:04' /var/log/nginx/error.log", "enter closes")
	s.press("enter")
	s.seesNot("enter closes")
}

func TestEvidenceFromTheHistoryLeadsToItsFlow(t *testing.T) {
	f := journeys() // flow 1 was redirected to flow 2
	f.judge(2, inspect.Explained{ID: 2, Status: 405, Refused: true, Verdict: &inspect.Verdict{Cause: "wrong-method", Confidence: flow.Likely, Summary: "s",
		Evidence: []inspect.Evidence{{Where: "history", Quote: inspect.HistoryLine(f.flows[1])}}}})
	s := play(t, f, 140, 40)
	s.press("g", "j", "enter", "j")
	if got := s.m.inspector.leads[s.m.inspector.line[tabWhy]]; got.flow != 1 {
		t.Fatalf("the evidence leads to %+v", got)
	}
	s.press("enter")
	if s.m.list.cur != 1 {
		t.Errorf("the cursor is on %d", s.m.list.cur)
	}
}

func TestWhatIsPointedOutIsMaskedInStageMode(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "S", "enter", "j", "j", "enter")
	if got := cursorRow(s); !strings.HasPrefix(got, "Cookie:") || strings.Contains(got, "kH3vXq0a") {
		t.Errorf("the evidence leads to %q", got)
	}
	if !strings.Contains(s.m.screen(), ";"+string(dark().cited)+"mcsrftoken=") {
		t.Error("the cookie is not pointed out")
	}
}
