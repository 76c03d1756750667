package main

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/cmd/why403/demo"
	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
)

// clock is the demo server's, so that a test can let time pass.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// TestDemoVerdictsAreCured plays the demo through the real proxy, lets every
// refusal be explained, applies the fix that the verdict offers, sends the
// request again, and wants it accepted.
func TestDemoVerdictsAreCured(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	wall := &clock{now: time.Now().Truncate(time.Second)}
	shop := demo.NewServer(wall.time)
	if err := shop.Start(); err != nil {
		t.Fatal(err)
	}
	defer shop.Close()
	ca, err := certs.Ephemeral(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := proxyFlags{listen: []string{"127.0.0.1:0"}, session: "none"}
	var g guide
	s, err := o.open(parts{ca: ca, roots: shop.Roots(), dial: shop.Dial, settled: g.settled})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	told := make(chan flow.ID, 1000)
	g.note = func(id flow.ID, a flow.Annotation) error {
		defer func() { told <- id }()
		return s.store.Note(id, a)
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.serve(serving) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	client := demo.Client{Proxy: &url.URL{Scheme: "http", Host: s.address()}, Roots: trusting(ca), Server: shop}
	if err := client.Tour(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	flows := map[flow.ID]*flow.Flow{}
	var all []*flow.Flow
	for id := flow.ID(1); id <= s.store.Last(); id++ {
		f, err := s.store.Flow(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		flows[id], all = f, append(all, f)
	}
	explained, err := explain.Flows(ctx, all, explain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spoken := map[flow.ID]bool{}
	for range demo.Scenarios() {
		select {
		case id := <-told:
			spoken[id] = true
		case <-ctx.Done():
			t.Fatalf("%d refusals have a word of the demo beside them, want one for each scenario", len(spoken))
		}
	}
	for _, sc := range demo.Scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			e := refusalOf(t, explained, sc)
			v := e.Verdict
			if !spoken[e.ID] {
				t.Error("nothing says what it is good to look at")
			}
			if got := string(v.Cause); got != sc.Cause && !slices.Contains(sc.Also, got) {
				t.Errorf("cause %s (%s), want %s", got, v.Summary, sc.Cause)
			}
			if sc.Vendor != "" && string(v.Vendor) != sc.Vendor {
				t.Logf("vendor %q, the demo behaves like %q", v.Vendor, sc.Vendor)
			}
			if len(v.Evidence) == 0 || v.NextStep == "" {
				t.Errorf("a verdict needs evidence and a next step: %+v", v)
			}
			f := flows[e.ID]
			request := f.Request.Clone()
			switch {
			case sc.Fix == demo.FixWait:
				wall.pass(time.Minute)
			case v.Fix == nil || len(v.Fix.Patch) == 0:
				if sc.Fix == demo.FixPatch {
					t.Errorf("no fix to apply; next step: %s", v.NextStep)
				}
				return // a right that somebody has to give
			default:
				if request, err = diff.Apply(f, v.Fix.Patch); err != nil {
					t.Fatalf("apply %q: %v", v.Fix.Summary, err)
				}
			}
			child, err := s.sender.Send(ctx, f, request)
			if err != nil {
				t.Fatal(err)
			}
			if child.Status() < 200 || child.Status() > 299 {
				t.Errorf("with %+v: %d %s", v.Fix, child.Status(), child.Response.Body.Data)
			}
			if child.Parent != e.ID || child.Origin != flow.FromReplay {
				t.Errorf("the replay is a %v of %d, want a replay of %d", child.Origin, child.Parent, e.ID)
			}
		})
	}
}

func refusalOf(t *testing.T, all []inspect.Explained, sc demo.Scenario) inspect.Explained {
	t.Helper()
	for _, e := range all {
		if e.Method == sc.Refused.Method && e.URL == sc.Refused.URL && e.Status == sc.Refused.Status {
			if !e.Refused || e.Verdict == nil {
				t.Fatalf("%s %s %d is not taken for a refusal", e.Method, e.URL, e.Status)
			}
			return e
		}
	}
	t.Fatalf("%+v is not among the recorded flows", sc.Refused)
	return inspect.Explained{}
}
