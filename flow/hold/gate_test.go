package hold_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
)

func post(id flow.ID) *flow.Flow {
	return &flow.Flow{ID: id, Scheme: "https", Authority: "api.shop.test",
		Request: &flow.Message{Method: "POST", Target: "/v1/orders"}}
}

// ask asks g in a goroutine of its own; the answer comes on the channel.
func ask(ctx context.Context, g *hold.Gate, f *flow.Flow, at filter.Phase) <-chan hold.Decision {
	c := make(chan hold.Decision, 1)
	go func() { c <- g.Ask(ctx, f, at, "") }()
	return c
}

func set(t *testing.T, g *hold.Gate, points ...hold.Point) {
	t.Helper()
	if err := g.SetPoints(points); err != nil {
		t.Fatal(err)
	}
}

var posts = hold.Point{Match: "method:post", Requests: true}

func TestNobodyAttachedHoldsNothing(t *testing.T) {
	g := hold.New(0, 0)
	set(t, g, posts)
	if g.Wants(filter.Requests) {
		t.Error("a gate that nobody stands at wants requests")
	}
	if d := g.Ask(context.Background(), post(1), filter.Requests, ""); d.Verb != hold.Resume || d.Why != hold.Left {
		t.Errorf("%+v", d)
	}
	detach := g.Attach()
	if !g.Wants(filter.Requests) || g.Wants(filter.Responses) {
		t.Error("the gate does not want what its point says")
	}
	detach()
	if g.Wants(filter.Requests) {
		t.Error("it still wants requests when everybody has left")
	}
	var none *hold.Gate
	if none.Wants(filter.Requests) {
		t.Error("no gate wants requests")
	}
}

func TestOnlyWhatMatchesIsHeld(t *testing.T) {
	g := hold.New(0, 0)
	defer g.Attach()()
	set(t, g, posts, hold.Point{Match: "status:403", Responses: true}, hold.Point{Match: "", Requests: true, Off: true})
	get := post(1)
	get.Request = &flow.Message{Method: "GET", Target: "/"}
	refused := post(2)
	refused.Response = &flow.Message{Status: 403}
	for _, c := range []struct {
		name string
		f    *flow.Flow
		at   filter.Phase
		want bool
	}{
		{"a POST", post(1), filter.Requests, true},
		{"a GET", get, filter.Requests, false},
		{"a 403", refused, filter.Responses, true},
		{"a POST's answer", post(3), filter.Responses, false},
	} {
		if got := g.Match(c.f, c.at, time.Now()); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if g.NeedsBody(filter.Requests) {
		t.Error("no point looks into bodies")
	}
	set(t, g, hold.Point{Match: "!body:ok", Requests: true})
	if !g.NeedsBody(filter.Requests) || g.NeedsBody(filter.Responses) {
		t.Error("a point looks into the bodies of requests")
	}
}

func TestHeldUntilAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hold.New(time.Minute, 0)
		defer g.Attach()()
		set(t, g, posts)
		changed := g.Changed()
		answer := ask(t.Context(), g, post(7), filter.Requests)
		synctest.Wait()
		<-changed
		held := g.Held()
		if len(held) != 1 || held[0].ID != 7 || held[0].Stage != filter.Requests || held[0].Until.Sub(held[0].Since) != time.Minute {
			t.Fatalf("%+v", held)
		}
		if err := g.Answer(7, filter.Responses, hold.Decision{}); !errors.Is(err, hold.ErrGone) {
			t.Errorf("an answer for another stage: %v", err)
		}
		edited := post(7)
		edited.Request.Method = "PUT"
		if err := g.Answer(7, filter.Requests, hold.Decision{Edited: edited}); err != nil {
			t.Fatal(err)
		}
		if d := <-answer; d.Why != hold.Answered || d.Edited != edited {
			t.Errorf("%+v", d)
		}
		if err := g.Answer(7, filter.Requests, hold.Decision{}); !errors.Is(err, hold.ErrGone) {
			t.Errorf("the second answer: %v", err)
		}
	})
}

func TestItGoesOnByItself(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(g *hold.Gate, cancel, detach func())
		want hold.Why
		wait time.Duration
	}{
		{"when the time is over", func(*hold.Gate, func(), func()) { time.Sleep(time.Minute) }, hold.TimedOut, time.Minute},
		{"later when somebody is at work on it", func(g *hold.Gate, _, _ func()) {
			time.Sleep(50 * time.Second)
			g.Extend(1, filter.Requests)
			time.Sleep(time.Minute)
		}, hold.TimedOut, 110 * time.Second},
		{"when the client goes", func(_ *hold.Gate, cancel, _ func()) { cancel() }, hold.Cancelled, 0},
		{"when the person leaves", func(_ *hold.Gate, _, detach func()) { detach() }, hold.Left, 0},
		{"when the breakpoint is taken away", func(g *hold.Gate, _, _ func()) { g.SetPoints(nil) }, hold.Left, 0},
		{"when everything is let go", func(g *hold.Gate, _, _ func()) { g.ResumeAll() }, hold.Answered, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := hold.New(time.Minute, 0)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				detach := g.Attach()
				defer detach()
				set(t, g, posts)
				began := time.Now()
				answer := ask(ctx, g, post(1), filter.Requests)
				synctest.Wait()
				c.do(g, cancel, detach)
				d := <-answer
				if d.Why != c.want || d.Verb != hold.Resume || d.Edited != nil || time.Since(began) != c.wait {
					t.Errorf("%+v after %s", d, time.Since(began))
				}
				if n := len(g.Held()); n != 0 {
					t.Errorf("%d still wait", n)
				}
			})
		})
	}
}

func TestNoMoreThanTheMostAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hold.New(time.Minute, 2)
		detach := g.Attach()
		set(t, g, posts)
		var waiting []<-chan hold.Decision
		for id := range flow.ID(2) {
			waiting = append(waiting, ask(t.Context(), g, post(id), filter.Requests))
		}
		synctest.Wait()
		d := g.Ask(t.Context(), post(3), filter.Requests, "")
		if d.Why != hold.Full || !strings.Contains(d.Words(filter.Requests, 0), "too many") {
			t.Errorf("%+v %q", d, d.Words(filter.Requests, 0))
		}
		detach()
		for _, w := range waiting {
			<-w
		}
	})
}

func TestABreakpointThatCannotBe(t *testing.T) {
	g := hold.New(0, 0)
	set(t, g, posts)
	for _, c := range []struct {
		p    hold.Point
		want string
	}{
		{hold.Point{Match: "status:403", Requests: true}, "breakpoint 1 on requests: at 1:"},
		{hold.Point{Match: "method:(", Responses: true}, "breakpoint 1 on responses: at"},
		{hold.Point{Match: "x"}, "neither requests nor responses"},
	} {
		if err := g.SetPoints([]hold.Point{c.p}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.p, err)
		}
	}
	if got := g.Points(); !slices.Equal(got, []hold.Point{posts}) {
		t.Errorf("a broken breakpoint changed those at work: %+v", got)
	}
}

func TestWords(t *testing.T) {
	for want, d := range map[string]hold.Decision{
		"held the response for 1.5s":                                   {Why: hold.Answered},
		"held the response for 1.5s, then you dropped it":              {Why: hold.Answered, Verb: hold.Drop},
		"held the response for 1.5s, then sent it on as you edited it": {Why: hold.Answered, Edited: post(1)},
		"held the response for 1.5s, then sent it on: nobody answered": {Why: hold.TimedOut},
		"": {Why: hold.Cancelled},
	} {
		if got := d.Words(filter.Responses, 1520*time.Millisecond); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func BenchmarkWantsNothing(b *testing.B) {
	g := hold.New(0, 0)
	for b.Loop() {
		if g.Wants(filter.Requests) {
			b.Fatal()
		}
	}
}
