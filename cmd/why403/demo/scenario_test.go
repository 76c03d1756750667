package demo

import (
	"context"
	"strconv"
	"testing"
	"time"
)

// Each scenario is refused as declared, stays refused when it is sent again,
// and is accepted with its smallest change, or in its time.
func TestEachRefusalHasItsCure(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			server, clock := startShop(t)
			var wire tape
			if err := (&Client{Server: server, wrap: wire.around}).Play(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			accepted, refused := wire.find(s.Accepted), wire.find(s.Refused)
			if accepted == nil || refused == nil {
				t.Fatalf("accepted %v, refused %v: a flow with a declared mark is missing", accepted != nil, refused != nil)
			}
			if s.Accepted.Status/100 != 2 {
				t.Errorf("the accepted request got %d", s.Accepted.Status)
			}
			if x := refused.again(t, server, accepted, nil); x.status != s.Refused.Status || x.answer != refused.answer {
				t.Errorf("sent again it got %d %s, first %d %s", x.status, x.answer, refused.status, refused.answer)
			}
			if s.Fix == FixWait {
				seconds, err := strconv.Atoi(refused.header.Get("Retry-After"))
				if err != nil || seconds < 1 || len(s.Edits) > 0 {
					t.Fatalf("Retry-After %q, edits %v", refused.header.Get("Retry-After"), s.Edits)
				}
				clock.forward(time.Duration(seconds) * time.Second)
			} else if len(s.Edits) == 0 {
				t.Fatal("no change is declared")
			}
			if x := refused.again(t, server, accepted, s.Edits); x.status/100 != 2 {
				t.Errorf("with its cure it got %d %s", x.status, x.answer)
			}
		})
	}
}

func TestScenariosAreToldApart(t *testing.T) {
	names, marks := map[string]bool{}, map[Mark]string{}
	for _, s := range Scenarios() {
		if names[s.Name] {
			t.Errorf("two scenarios are called %s", s.Name)
		}
		names[s.Name] = true
		if other := marks[s.Refused]; other != "" {
			t.Errorf("%s and %s have the same refused flow %v", s.Name, other, s.Refused)
		}
		marks[s.Refused] = s.Name
		if s.Title == "" || s.Feature == "" || s.Client == "" || s.Cause == "" || s.Item < 1 || s.Item > 21 {
			t.Errorf("%s says too little: %+v", s.Name, s)
		}
	}
	if len(names) < 10 {
		t.Errorf("%d scenarios, at least 10 are promised", len(names))
	}
}

// A tour shows every refusal once, and none that no scenario answers for.
func TestTourRefusesWhatItDeclares(t *testing.T) {
	server, _ := startShop(t)
	var wire tape
	if err := (&Client{Server: server, wrap: wire.around}).Tour(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[Mark]int{}
	for _, x := range wire.flows {
		switch x.status {
		case 200, 201, 204, 301, 302, 304, 308:
		default:
			seen[Mark{x.request.Method, x.request.URL.String(), x.status}]++
		}
		if x.header.Get("Date") != "Sun, 22 Nov 2026 08:31:04 GMT" || x.header.Get("Server") == "" {
			t.Errorf("%s: Date %q, Server %q", x.request.URL, x.header.Get("Date"), x.header.Get("Server"))
		}
	}
	for _, s := range Scenarios() {
		if seen[s.Refused] != 1 {
			t.Errorf("%s: %v was seen %d times", s.Name, s.Refused, seen[s.Refused])
		}
		delete(seen, s.Refused)
	}
	for m := range seen {
		t.Errorf("%v is refused and no scenario says why", m)
	}
	for _, m := range []Mark{
		{"GET", "http://www.shop.test/", 308},
		{"GET", "https://cdn.shop.test/app.9f2c.js", 304},
		{"POST", "https://www.shop.test/login/", 302},
		{"POST", "https://www.shop.test/basket/clear", 301},
		{"OPTIONS", "https://api.shop.test/v1/orders", 204},
		{"GET", "https://www.shop.test/events/", 200},
		{"GET", "https://www.shop.test/report/", 200},
	} {
		if wire.find(m) == nil {
			t.Errorf("%v is missing", m)
		}
	}
}

// The gentle part goes on after the tour, and all of it ends with the context.
func TestRunGoesOnAndStops(t *testing.T) {
	server, clock := startShop(t)
	var wire tape
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- (&Client{Server: server, Pace: time.Millisecond, wrap: wire.around}).Run(ctx) }()
	last := Mark{"POST", "https://catalog.shop.test/v1/search", 429}
	rounds := func() (n int) {
		wire.mu.Lock()
		defer wire.mu.Unlock()
		for _, x := range wire.flows {
			if x.is(last) {
				n++
			}
		}
		return n
	}
	deadline := time.After(time.Minute)
	for rounds() < 2 {
		select {
		case err := <-done:
			t.Fatalf("Run ended by itself: %v", err)
		case <-deadline:
			t.Fatal("no second round within a minute")
		case <-time.After(time.Millisecond):
			clock.forward(10 * time.Millisecond)
		}
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-deadline:
		t.Fatal("Run goes on after its context")
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if left := leftovers(); left != "" {
		t.Errorf("goroutines are left:\n%s", left)
	}
}
