package ui

import (
	"context"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/inspect/pinpoint"
)

func TestPinpointShowsItsPlanFirstThenProves(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "p")
	s.sees("Pinpoint", "#5 POST /v1/orders 403  against  #3 201", "may succeed", "#5 with X-CSRFToken", "enter start")
	if len(s.sender.sent) != 0 {
		t.Fatal("something was sent before anybody agreed")
	}
	s.press("enter")
	s.sees("5 of ≤ 12 requests", "fixed by this guess", "refused again without it", "broken by this alone", "proven", "for want of the X-CSRFToken header.")
	if len(s.sender.sent) != 5 {
		t.Errorf("%d requests, want 5", len(s.sender.sent))
	}
	note := s.feed.notes[5]
	if note.ProvenBy == nil || *note.ProvenBy != 13 || note.Comment == nil || !strings.Contains(*note.Comment, "X-CSRFToken") {
		t.Errorf("the proof was not noted: %+v", note)
	}
	s.seesNot("kH3vXq0a") // names are shown, values are not
	s.press("k", "k", "enter")
	s.arrive()
	if s.m.list.cur != 13 {
		t.Errorf("enter leads to %d, want the attempt 13", s.m.list.cur)
	}
}

func TestPinpointWantsARefusal(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("g", "p")
	s.sees("was not refused")
	if s.m.lab != nil {
		t.Error("an experiment was begun")
	}
}

func TestPinpointBudgets(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "p", "-", "-")
	s.sees("≤ 4 requests")
	s.press("1")
	s.sees("at most 1 may succeed", "let as many succeed as it takes")
	s.press("enter")
	s.sees("proven", "1 of ≤ 1 that may create something")
	if n := len(s.sender.sent); n != 3 {
		t.Errorf("%d requests, want 3: refused, fixed, refused", n)
	}
}

// TestPinpointGoesOnUnseen leaves the experiment, and is told of its end.
func TestPinpointGoesOnUnseen(t *testing.T) {
	s := play(t, shop(), 140, 40)
	var finish func()
	s.m.o.Pinpoint = func(ctx context.Context, in pinpoint.Input, _ pinpoint.Sender, o pinpoint.Options, _ pinpoint.State) pinpoint.Result {
		o.Observe(pinpoint.Step{N: 1, Base: pinpoint.Refused, Class: pinpoint.Sending})
		finish = func() {}
		return pinpoint.Result{Outcome: pinpoint.NothingFound, Reason: "Nothing helped."}
	}
	s.press("N", "N", "p")
	l := s.m.lab
	s.tell(nil)
	cmd := l.start(s.m)
	s.press("esc")
	s.seesNot("Pinpoint")
	s.tell(cmd())
	if finish == nil || s.m.running != 0 {
		t.Fatalf("it did not run to its end: running %d", s.m.running)
	}
	s.sees("experiment on #5: nothing-found. Nothing helped.")
	s.press("p")
	s.sees("Pinpoint", "nothing-found", "a once more")
}

func TestIsItMe(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "p")
	s.sees("m is it me?")
	s.press("m")
	s.sees("✗ why403 over HTTP/1.1", "✓ curl", "It is us", "c copy --tunnel api.shop.test")
	s.press("c")
	if s.clip.text != "--tunnel api.shop.test" {
		t.Errorf("copied %q", s.clip.text)
	}
	if s.m.running != 0 {
		t.Error("it is under way still")
	}
}

func TestPasteARequest(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.tell(tea.PasteMsg{Content: "curl 'https://api.shop.test/v1/orders' \\\r  -H 'X-CSRFToken: kH3vXq0a' --data-raw '{\"a\":1}'"})
	s.sees("A new request, as pasted", "https://api.shop.test/v1/orders", "X-CSRFToken")
	s.press("ctrl+s")
	s.sees("attempt 1  ✓ 201 Created")
	if q := s.sender.sent[0]; q.Method != "POST" || string(q.Body.Data) != `{"a":1}` {
		t.Errorf("sent %s %q", q.Method, q.Body.Data)
	}
	s.press("esc")
	s.tell(tea.PasteMsg{Content: "hello"})
	s.sees("paste a curl command")
	s.tell(tea.PasteMsg{Content: "curl http://a.test/ -d @/etc/hostname"})
	s.sees("the file /etc/hostname, which is not read")
}

func TestCopyAsProgram(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "y", "p")
	for _, want := range []string{"# not verified", "requests.Request(\"POST\"", "csrftoken=kH3vXq0a"} {
		if !strings.Contains(s.clip.text, want) {
			t.Errorf("no %q in\n%s", want, s.clip.text)
		}
	}
	s.press("Y", "p")
	if strings.Contains(s.clip.text, "9f8e7d") || !strings.Contains(s.clip.text, `os.environ["WHY403_SECRET_`) {
		t.Errorf("not masked:\n%s", s.clip.text)
	}
}

func TestPinpointStopsAndPauses(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("N", "N", "p")
	l := s.m.lab
	s.m.o.Pinpoint = func(ctx context.Context, _ pinpoint.Input, _ pinpoint.Sender, o pinpoint.Options, _ pinpoint.State) pinpoint.Result {
		if err := o.Sleep(ctx, 0); err != context.Canceled {
			t.Errorf("the pause ended with %v, want it cancelled", err)
		}
		return pinpoint.Result{Outcome: pinpoint.Stopped, Reason: "Stopped by the user."}
	}
	cmd := l.start(s.m)
	s.press("space")
	s.sees("space go on")
	s.press("ctrl+c")
	s.tell(cmd())
	s.sees("stopped", "+ go on with more")
}

func TestPinpointTellsItsWholeCostOnANarrowScreen(t *testing.T) {
	s := play(t, shop(), 60, 15)
	s.press("N", "N", "p")
	s.sees("≤ 12 requests · 500 ms apart", "at most 11 may succeed and so create something", "search    X-CSRFToken header", "on ctrl+c", "enter start")
}
