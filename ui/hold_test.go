package ui

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/flow/session"
)

// fakeGate holds what a test puts into it. It never waits.
type fakeGate struct {
	held     []hold.Held
	points   []hold.Point
	answers  map[flow.ID]hold.Decision
	extended int
}

func (g *fakeGate) Attach() func()           { return func() {} }
func (g *fakeGate) Held() []hold.Held        { return g.held }
func (g *fakeGate) Changed() <-chan struct{} { return make(chan struct{}) }
func (g *fakeGate) Points() []hold.Point     { return append([]hold.Point(nil), g.points...) }

func (g *fakeGate) SetPoints(p []hold.Point) error {
	for i := range p {
		if err := hold.Check(p[i]); err != nil {
			return err
		}
	}
	g.points = p
	return nil
}

func (g *fakeGate) Answer(id flow.ID, at filter.Phase, d hold.Decision) error {
	for i, h := range g.held {
		if h.ID == id && h.Stage == at {
			g.held = append(append([]hold.Held(nil), g.held[:i]...), g.held[i+1:]...)
			g.answers[id] = d
			return nil
		}
	}
	return hold.ErrGone
}

func (g *fakeGate) Extend(flow.ID, filter.Phase) error { g.extended++; return nil }

func (g *fakeGate) ResumeAll() int {
	n := len(g.held)
	for _, h := range g.held {
		g.answers[h.ID] = hold.Decision{}
	}
	g.held = nil
	return n
}

// holding is shop with two messages that wait: flow 9, a request, and flow 11, an answer.
func holding() *fakeFeed {
	feed := shop()
	refused := request(22*time.Second, "POST", "https://api.shop.test/v1/orders", `{"qty": 4}`, "Cookie", cookie, "Content-Type", "application/json")
	refused.Response = response(403, "Forbidden", "application/json", `{"detail":"CSRF Failed"}`)
	feed.add(refused, session.Streaming)
	g := &fakeGate{answers: map[flow.ID]hold.Decision{}, points: []hold.Point{{Match: "method:post", Requests: true}, {Match: "status:4xx", Responses: true, Off: true}}}
	for _, h := range []hold.Held{{ID: 9, Stage: filter.Requests}, {ID: 11, Stage: filter.Responses}} {
		h.Flow = feed.flows[h.ID]
		h.Since = day.Add(20 * time.Second)
		h.Until = h.Since.Add(2 * time.Minute)
		g.held = append(g.held, h)
	}
	feed.gate = g
	return feed
}

func playHeld(t testing.TB, w, h int) (*stage, *fakeGate) {
	t.Helper()
	feed := holding()
	return play(t, feed, w, h), feed.gate
}

// see is the news of the gate.
func (s *stage) see(g *fakeGate) { s.tell(heldMsg{list: g.held}) }

func TestHeldFlowsInTheInspector(t *testing.T) {
	s, _ := playHeld(t, 140, 40)
	s.sees("Held before the client gets the answer", "by itself in 1:57, as it came", "x  drop it")
	s.press("l", "l", "l")
	s.sees(`"detail": "CSRF Failed"`)
	s.press("k", "k", "h")
	s.sees("POST /v1/pay HTTP/1.1")
}

func TestHoldAndEdit(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.sees("‖ 2 held", "‖ request held 1:57", "‖ answer held 1:57", "H held list", "c resume", "x drop", "A resume all")

	s.press("k", "k", "e")
	s.sees("Held request #9", "waits while you edit it")
	s.press("ctrl+n")
	s.write("X-CSRFToken")
	s.press("tab")
	s.write("kH3vXq0a")
	s.press("ctrl+s")
	s.sees("request #9 was sent on as edited", "‖ 1 held")
	d := g.answers[9]
	if d.Edited == nil || d.Edited.Request.Header.Get("X-CSRFToken") != "kH3vXq0a" || d.Edited.Request.Header[0].Raw != "Host: api.shop.test\r\n" {
		t.Fatalf("%+v", d)
	}
	if s.feed.flows[9].Request.Header.Has("X-CSRFToken") {
		t.Error("the flow that was held was changed")
	}
	if len(s.sender.sent) != 0 {
		t.Error("it was replayed instead of sent on")
	}
}

func TestAHeldAnswerIsEdited(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("e")
	s.sees("Held answer to #11", " 403 ", "Forbidden", `{"detail":"CSRF Failed"}`)
	s.press("shift+tab", "shift+tab", "shift+tab", "ctrl+u") // from the first header's value to the status
	s.write("9")
	s.press("ctrl+s")
	s.sees(`status "9`, "a number from 200 to 599")
	s.press("home", "ctrl+k")
	s.write("200")
	s.press("tab", "home", "ctrl+k")
	s.write("OK")
	s.press("ctrl+s")
	s.sees("the answer to #11 was sent on as edited")
	if a := g.answers[11].Edited.Response; a.Status != 200 || a.Reason != "OK" || a.Header.Get("Content-Length") != "24" || string(a.Body.Data) != `{"detail":"CSRF Failed"}` {
		t.Errorf("%+v", a)
	}
}

func TestWhatIsNotChangedGoesOnAsItCame(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("e", "ctrl+s")
	if d, ok := g.answers[11]; !ok || d.Edited != nil {
		t.Errorf("%+v", d)
	}
	s.press("k", "k", "c")
	s.sees("request #9 was sent on as it came")
	s.seesNot("‖")
	s.press("c")
	s.sees("nothing is held; B sets a breakpoint")
}

func TestAHeldFlowIsDropped(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("x")
	s.sees("the answer to #11 is dropped")
	if g.answers[11].Verb != hold.Drop {
		t.Errorf("%+v", g.answers)
	}
	s.press("k", "x")
	s.sees("this flow is not held; H lists what is")
}

func TestEverythingHeldGoesOn(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("A")
	s.sees("2 held messages sent on")
	if len(g.answers) != 2 || len(g.held) != 0 {
		t.Errorf("%+v", g)
	}
}

func TestTheListOfWhatIsHeld(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("g", "H")
	s.sees("Held", "#9     request", "https://api.shop.test/v1/pay", "#11    answer 403", "1:57 left", "enter resume", "e edit", "x drop", "w more time")
	s.press("w")
	if g.extended != 1 {
		t.Error("w gives no more time")
	}
	s.press("j", "enter")
	s.sees("the answer to #11 was sent on as it came")
	s.press("e")
	s.sees("Held request #9")
	if s.m.list.cur != 9 {
		t.Errorf("the cursor is at %d", s.m.list.cur)
	}
}

func TestTheEditorOfWhatWentOnMeanwhile(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("k", "k", "e", "ctrl+n", "X")
	s.now = s.now.Add(10 * time.Second)
	s.press("Y")
	if g.extended != 2 { // when the editor opened, and at work
		t.Errorf("kept waiting %d times", g.extended)
	}
	g.held = nil
	s.see(g)
	s.sees("it went on as it came meanwhile; ctrl+s sends this as a new request")
	s.press("tab", "1", "ctrl+s")
	if len(s.sender.sent) != 1 || s.sender.sent[0].Header.Get("XY") != "1" {
		t.Errorf("%+v", s.sender.sent)
	}
	s.sees("attempt 1")
}

func TestWhatIsEditedWaitsWithoutAKey(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("k", "k", "e")
	pass := func(d time.Duration) {
		for end := s.now.Add(d); s.now.Before(end); {
			s.now = s.now.Add(10 * time.Second)
			s.tell(tickMsg(s.now))
		}
	}
	was := g.extended
	pass(29 * time.Minute)
	if n := g.extended - was; n != 29*6 {
		t.Errorf("kept waiting %d times while somebody thinks", n)
	}
	s.sees("waits while you edit it")
	pass(2 * time.Minute)
	was = g.extended
	pass(time.Minute)
	if g.extended != was {
		t.Error("a message waits for somebody who has gone")
	}
	s.sees("goes on by itself in", "unless you press a key")
	s.press("X")
	if g.extended != was+1 {
		t.Error("somebody came back, and it is not kept waiting")
	}
	s.sees("waits while you edit it")
	s.press("esc", "enter")
	was = g.extended
	pass(time.Minute)
	if g.extended != was {
		t.Error("it is kept waiting with no editor open")
	}
}

func TestAnAnswersEditorClosesWhenItWentOn(t *testing.T) {
	s, g := playHeld(t, 140, 40)
	s.press("e")
	g.held = nil
	s.see(g)
	s.seesNot("Held answer")
	s.sees("went on as it came")
}

func TestABodyThatIsNotThereStaysAsItIs(t *testing.T) {
	feed := holding()
	g := feed.gate
	g.held[0].NoBody = "it is larger than 1 MiB"
	s := play(t, feed, 140, 40)
	s.press("k", "k", "e")
	s.sees("the body goes on as it is: it is larger than 1 MiB")
	s.press("ctrl+e")
	s.sees("the body goes on as it is")
	s.press("ctrl+n", "X", "tab", "1", "ctrl+s")
	if a := g.answers[9].Edited; a == nil || a.Request.Header.Get("X") != "1" || string(a.Request.Body.Data) != "{}" {
		t.Errorf("%+v", a)
	}
}

func TestAChangedHeadIsShownAsItWentOn(t *testing.T) {
	feed := shop()
	f := request(30*time.Second, "POST", "https://api.shop.test/v1/orders", "{}", "X-Old", "1")
	f.Request.Head = []byte("POST http://api.shop.test/v1/orders HTTP/1.1\r\nProxy-Connection: x\r\n" + strings.SplitAfterN(string(f.Request.Head), "\r\n", 2)[1])
	if restated(f.Request) {
		t.Error("what a proxy must change counts as changed")
	}
	f.Request.Header.Set("X-Old", "2")
	answer := response(200, "OK", "text/plain", "fine")
	answer.Head = []byte(strings.Replace(string(answer.Head), "200 OK", "403 Forbidden", 1))
	f.Altered = []string{"rule 1: header X-Old"}
	feed.done(f, time.Millisecond, answer)
	s := play(t, feed, 140, 40)
	s.press("enter", "l", "l")
	s.sees("changed on its way  b as it came", "X-Old: 2", "POST /v1/orders HTTP/1.1")
	s.press("b")
	s.sees("as it came; it was changed on its way", "X-Old: 1", "POST http://api.shop.test")
	s.press("l")
	s.sees("HTTP/1.1 403 Forbidden")
	s.press("b")
	s.sees("HTTP/1.1 200 OK")
}

func TestWhySaysThatWeChangedARefusedRequest(t *testing.T) {
	feed := shop()
	feed.flows[5].Altered = []string{`rule "mine": header X-CSRFToken`}
	s := play(t, feed, 140, 40)
	s.press("N", "N")
	s.sees("altered", "by why403, on the way:", "X-CSRFToken")
}

func TestBreakpoints(t *testing.T) {
	feed := shop()
	g := &fakeGate{answers: map[flow.ID]hold.Decision{}}
	feed.gate = g
	s := play(t, feed, 140, 40)
	s.press("N", "N", "B")
	s.sees("Breakpoints", "hold requests", "method:post host:api.shop.test path:/v1/orders", "→ like this flow")
	s.press("right", "enter")
	s.press("a")
	s.write("status:")
	s.sees("✗")
	s.press("tab") // responses
	s.write("4xx")
	s.sees("hold responses", "✓")
	s.press("enter")
	want := []hold.Point{{Match: "method:post host:api.shop.test path:/v1/orders", Requests: true}, {Match: "status:4xx", Responses: true}}
	if len(g.points) != 2 || g.points[0] != want[0] || g.points[1] != want[1] {
		t.Fatalf("%+v", g.points)
	}
	s.press("space")
	if !g.points[1].Off {
		t.Error("it is still on")
	}
	s.press("e", "tab", "tab")
	s.sees("hold requests", "status") // a request has no status
	s.press("enter")
	s.sees("✗")
	s.press("esc", "d")
	if len(g.points) != 1 {
		t.Errorf("%+v", g.points)
	}
	s.press("esc")
	s.seesNot("Breakpoints")
}

// ruled is shop with a book of rules at path.
func ruled(path, rules string) *fakeFeed {
	list, err := rewrite.Parse([]byte(rules))
	if err != nil {
		panic(err)
	}
	feed := shop()
	feed.rules = rewrite.NewBook(path)
	if err := feed.rules.Replace(list); err != nil {
		panic(err)
	}
	return feed
}

func playRules(t testing.TB, path string) (*stage, *rewrite.Book) {
	t.Helper()
	feed := ruled(path, someRules)
	return play(t, feed, 140, 40), feed.rules
}

const someRules = `
- name: send the CSRF header
  match: method:post host:api.shop.test
  set-header: ["X-CSRFToken: kH3vXq0a"]
- match: path:/v1/cart
  answer: {status: 200, file: cart.json}
  disabled: true
- at: response
  match: status:403
  status: 200
`

func TestRulesAreListedAndSwitched(t *testing.T) {
	path := t.TempDir() + "/rules.yaml"
	s, book := playRules(t, path)
	s.press("R")
	s.sees("Rewrite rules", "● send the CSRF header", "set X-CSRFToken", "○ answer 200 from cart.json", "● status 200", "responses, status:403", "saved in")
	s.sees("2 rules on")
	s.press("j", "space", "K")
	s.sees("3 rules on")
	s.press("j", "j", "d", "enter")
	rules := book.Rules()
	if len(rules) != 2 || rules[0].Answer == nil || rules[0].Disabled || rules[1].Name != "send the CSRF header" {
		t.Fatalf("%+v", rules)
	}
	saved, err := rewrite.Load(path)
	if err != nil || len(saved) != 2 || saved[0].Answer == nil {
		t.Errorf("saved %+v, %v", saved, err)
	}
}

func TestARuleIsWritten(t *testing.T) {
	s, book := playRules(t, "")
	s.press("N", "N", "R", "a")
	s.sees("New rule", "match: 'method:post host:api.shop.test path:/v1/orders'", "set-header", "✓ set X-Debug")
	s.write("mine")
	s.press("down", "down", "home", "ctrl+k")
	s.write("set-heder:")
	s.sees(`✗ line 3: "set-heder" is no key of a rule; set-header is one`)
	s.press("ctrl+s")
	s.sees("New rule") // it stays open
	s.press("home", "ctrl+k")
	s.write("set-header:")
	s.press("ctrl+s")
	s.seesNot("New rule")
	rules := book.Rules()
	if len(rules) != 4 || rules[3].Name != "mine" || strings.Join(rules[3].SetHeader, "") != "X-Debug: 1" {
		t.Fatalf("%+v", rules)
	}
	s.press("e", "!", "esc")
	s.sees("What you wrote has not been saved")
	s.press("enter", "esc")
	s.seesNot("Rewrite rules")
}

func TestARuleWithoutItsQuotesSaysSo(t *testing.T) {
	s, book := playRules(t, "")
	s.press("R", "a")
	s.m.dialogs[len(s.m.dialogs)-1].(*ruleBox).text = newArea("")
	s.tell(tea.PasteMsg{Content: "set-header:\n  - X-CSRFToken: tok"})
	s.sees("✗ ", `"X-CSRFToken" is read as a key, and set-header has none: put the whole text in`)
	before := len(book.Rules())
	s.press("ctrl+s")
	if len(book.Rules()) != before {
		t.Error("a rule that is not understood was saved")
	}
	s.press("end")
	s.write("'")
	s.press("home", "right", "right", "right", "right")
	s.write("'")
	s.sees("✓ set X-CSRFToken")
}

func TestASavedSessionHoldsNothing(t *testing.T) {
	s := play(t, shop(), 140, 40)
	for _, k := range []string{"B", "H", "c", "x", "A", "R"} {
		s.press(k)
		s.sees("this session was opened without a proxy")
	}
}

func TestAHeldBodyIsSeenWhole(t *testing.T) {
	s, g := playHeld(t, 100, 20)
	f := *g.held[0].Flow
	req := *f.Request
	req.SetBody([]byte(`{"a":1}`))
	for _, n := range []string{"Accept", "Accept-Language", "Accept-Encoding", "Origin", "Referer", "X-A", "X-B"} {
		req.Header.Add(n, "v")
	}
	f.Request = &req
	g.held = g.held[:1]
	g.held[0].Flow = &f
	s.see(g)
	s.press("H")
	s.sees(`{"a":1}`)

	req.SetBody([]byte(strings.Repeat("one line of many\n", 40)))
	s.sees("… ", " more rows")
}

func TestWhatWasEditedWhileHeldIsMarked(t *testing.T) {
	s, _ := playHeld(t, 140, 40)
	s.press("k", "k", "e", "ctrl+n")
	s.write("X-A")
	s.press("tab")
	s.write("1")
	s.press("ctrl+s")
	s.sees(signEdited)
	s, _ = playHeld(t, 140, 40)
	s.press("k", "k", "c")
	s.seesNot(signEdited)
}

func TestTimingTellsHowLongItWasHeld(t *testing.T) {
	f := &flow.Flow{Altered: []string{hold.Decision{Why: hold.Answered, Edited: &flow.Flow{}}.Words(filter.Requests, 3*time.Minute+2*time.Second), hold.Decision{Why: hold.Answered}.Words(filter.Responses, 10*time.Second)}}
	f.Times.Start = day
	f.Times.End = day.Add(3*time.Minute + 17*time.Second)
	if got, want := tookWith(f), "3:17, 3:12 of it held"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	f.Altered = []string{"Host: a instead of b"}
	if got, want := tookWith(f), "3:17"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCopySaysThatThereIsMore(t *testing.T) {
	s := play(t, shop(), 60, 15)
	s.press("y")
	s.sees(" below")
	s.seesNot(" above")
	s.press("k")
	for range 30 {
		s.press("j")
	}
	s.sees(" above")
	s.seesNot(" below")
}
