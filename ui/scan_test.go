package ui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
)

// TestAllBodiesAreLookedThrough has a word behind what a flow is first read with, in the oldest of
// more flows than one step looks at.
func TestAllBodiesAreLookedThrough(t *testing.T) {
	f := newFake()
	f.prefix = 16
	const flows = deepFlows + 50
	for i := range flows {
		body := fmt.Sprintf(`{"id":%d,"text":"%s"}`, i, strings.Repeat("x", 40))
		if i == 0 {
			body = `{"id":0,"text":"far behind the beginning: Denied by policy"}`
		}
		f.done(request(time.Duration(i)*time.Millisecond, "GET", "https://api.shop.test/"+fmt.Sprint(i), ""), time.Millisecond, response(200, "OK", "application/json", body))
	}
	s := play(t, f, 140, 30)
	s.press("/")
	s.write(`body:"denied by"`)
	s.sees("1 match")
	s.seesNot("looking")
	if s.m.list.at(0) != 1 || s.m.list.len() != 1 {
		t.Errorf("%d flows are listed, the first is %d", s.m.list.len(), s.m.list.at(0))
	}
}

// TestAScanTakesSmallStepsThenLargeOnes counts what each step looks at, and that none is left out.
func TestAScanTakesSmallStepsThenLargeOnes(t *testing.T) {
	f := many(60_000)
	match := newMatches("refused:yes", compiled(t, "refused:yes"), sorting{}, 60_000)
	var steps []flow.ID
	found := 0
	for next := flow.ID(60_000); next > 0; {
		msg := lookAtRows(context.Background(), f, match, next, day)
		if msg.err != nil {
			t.Fatal(msg.err)
		}
		for i, id := range msg.ids {
			if id > next || id <= msg.next || i > 0 && id >= msg.ids[i-1] {
				t.Fatalf("flow %d came in the step from %d to %d", id, next, msg.next+1)
			}
		}
		for i := range msg.rows {
			if msg.rows[i].ID != msg.ids[i] {
				t.Fatalf("row %d of a step is of flow %d, want %d", i, msg.rows[i].ID, msg.ids[i])
			}
		}
		found += len(msg.ids)
		if match.next = msg.next; len(msg.rows) == 0 || len(msg.rows) > 200 || msg.rows[0].ID != msg.ids[0] {
			t.Errorf("with %d flows come %d rows", len(msg.ids), len(msg.rows))
		}
		steps = append(steps, next-msg.next)
		next = msg.next
	}
	if found != 60_000/50 || len(steps) != 4 || steps[0] != scanFirst || steps[1] != scanStep {
		t.Errorf("%d found, in steps of %v", found, steps)
	}
}

// TestAnotherFilterEndsTheScanOfTheOneBefore types on while flows are looked through.
func TestAnotherFilterEndsTheScanOfTheOneBefore(t *testing.T) {
	s := play(t, shop(), 140, 30)
	s.m.setFilter("body:a")
	first := s.m.scanCtx
	cmd := s.m.setFilter("body:ab")
	if first.Err() == nil {
		t.Error("nobody is told that the answer is not wanted any more")
	}
	if msg := cmd().(scanMsg); msg.err != nil || msg.version != s.m.scanning {
		t.Errorf("the new one does not go on: %+v", msg)
	}
}

func compiled(t testing.TB, text string) *filter.Expr {
	t.Helper()
	e, err := filter.Compile(text, filter.Rows)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWhatTheFilterFoundIsPointedOut opens what was found: the place is coloured, and a key goes there.
func TestWhatTheFilterFoundIsPointedOut(t *testing.T) {
	f := newFake()
	long := strings.Repeat("nothing here\n", 200)
	f.done(request(0, "GET", "https://api.shop.test/log", ""), time.Millisecond, response(200, "OK", "text/plain", "first Denied\n"+long+"and denied again\n"+long))
	s := play(t, f, 140, 30)
	hit := func() int { return strings.Count(s.m.screen(), string(s.m.th.hit)+"m") }
	s.press("tab", "l", "l", "l")
	s.sees("first Denied")
	if hit() != 0 {
		t.Error("something is pointed out though nobody looks for it")
	}
	s.press("/")
	s.write("body:denied !body:nowhere")
	s.press("enter")
	s.sees("first Denied")
	if hit() != 1 {
		t.Errorf("%d places are pointed out", hit())
	}
	s.press(">")
	s.press(">")
	s.sees("and denied again")
	s.press(">")
	s.sees("first Denied")
	s.press("<")
	s.sees("and denied again")
	s.press("/", "ctrl+u", "enter", "<")
	s.sees("and denied again")
	if hit() != 0 {
		t.Error("it is pointed out though the filter is gone")
	}
}
