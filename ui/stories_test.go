package ui

import (
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// journeys has a redirect that made a GET of a POST, an answered challenge, a preflight that was followed by its
// request, and two that were not.
func journeys() *fakeFeed {
	f := newFake()
	const js = "application/json"
	ask := func(at time.Duration, path, method string) *flow.Flow {
		return request(at, "OPTIONS", "https://api.shop.test"+path, "", "Origin", "https://www.shop.test", "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "content-type,x-csrf-token")
	}
	answered := func(status int, headers ...string) *flow.Message {
		m := response(status, "", "", "")
		for i := 0; i < len(headers); i += 2 {
			m.Header.Add(headers[i], headers[i+1])
		}
		return wire(m)
	}
	f.done(request(0, "POST", "https://www.shop.test/basket/clear", ""), time.Millisecond, answered(301, "Location", "/basket/clear/"))
	f.done(request(time.Second, "GET", "https://www.shop.test/basket/clear/", ""), time.Millisecond, response(405, "Method Not Allowed", "", ""))
	f.done(request(2*time.Second, "GET", "https://git.test/info/refs", ""), time.Millisecond, answered(401, "WWW-Authenticate", "Basic realm=git"))
	f.done(request(3*time.Second, "GET", "https://git.test/info/refs", "", "Authorization", "Basic dTpw"), time.Millisecond, response(200, "OK", "text/plain", "refs"))
	f.done(ask(4*time.Second, "/v1/cart", "PUT"), time.Millisecond, answered(204, "Access-Control-Allow-Origin", "*", "Access-Control-Allow-Methods", "PUT", "Access-Control-Allow-Headers", "Content-Type, X-CSRF-Token"))
	f.done(request(5*time.Second, "PUT", "https://api.shop.test/v1/cart", `{}`, "Content-Type", js), time.Millisecond, response(200, "OK", js, `{}`))
	f.done(ask(6*time.Second, "/v1/orders", "POST"), time.Millisecond, answered(204, "Access-Control-Allow-Origin", "https://www.shop.test", "Access-Control-Allow-Headers", "Content-Type"))
	f.done(ask(7*time.Second, "/v1/pay", "POST"), time.Millisecond, response(403, "Forbidden", "", ""))
	// the same path, by somebody else, and much later
	other := request(8*time.Second, "POST", "https://api.shop.test/v1/orders", `{}`)
	other.Request.Header.Set("User-Agent", "curl/8.9")
	f.done(other, time.Millisecond, response(201, "Created", js, `{}`))
	f.done(request(40*time.Second, "POST", "https://api.shop.test/v1/pay", `{}`), time.Millisecond, response(201, "Created", js, `{}`))
	return f
}

func TestStoriesAreLinked(t *testing.T) {
	s := play(t, journeys(), 170, 40)
	s.now = day.Add(time.Minute)
	s.press("g")
	s.sees("→ 2, as GET", "challenge, answered in 4", "preflight of 6", "✗ preflight: POST never came")
	s.sees("✗ refused · POST never came")
	s.press("tab")
	s.sees("story", "› #1 POST www.shop.test/basket/clear 301", "the redirect turned POST into GET", "#2 GET www.shop.test/basket/clear/ 405", "{ } go through them")
	s.press("}")
	if s.m.list.cur != 2 {
		t.Fatalf("went to %d", s.m.list.cur)
	}
	s.sees("› #2 GET")
	s.press("}")
	s.sees("this request led to no other one")
	s.press("{", "{")
	if s.m.list.cur != 1 {
		t.Fatalf("went to %d", s.m.list.cur)
	}
	s.sees("no other request led to this one")
	s.press("tab", "j", "j", "tab")
	s.sees("the challenge was answered")
	s.press("tab", "j", "j", "tab")
	s.sees("asked whether the PUT is allowed")
	s.press("tab", "j", "j", "tab")
	s.sees("a browser does not send the POST: the answer does not allow", "the header x-csrf-token")
	s.press("tab", "j", "tab")
	s.sees("a browser does not send the POST: it was answered 403")
}

func TestStoriesAreFolded(t *testing.T) {
	s := play(t, journeys(), 170, 40)
	s.now = day.Add(time.Minute)
	s.press("F")
	s.sees("stories folded", "after 1 step")
	for _, hidden := range []flow.ID{1, 3, 5} {
		if _, shown := s.m.list.match.index(hidden); shown {
			t.Errorf("#%d has a row of its own", hidden)
		}
	}
	if n := s.m.list.len(); n != 7 {
		t.Errorf("%d rows", n)
	}
	s.press("2") // with a filter
	if n := s.m.list.len(); n != 2 {
		t.Errorf("%d refused rows", n)
	}
	s.press("1", "g", "{") // the step before shows itself
	if s.m.list.cur != 1 || s.m.folded {
		t.Errorf("at %d, folded %v", s.m.list.cur, s.m.folded)
	}
	s.press("F")

	// A redirect that comes now loses its row once it is followed.
	f := s.feed
	a := request(time.Minute, "GET", "https://www.shop.test/old", "")
	m := response(302, "Found", "", "")
	m.Header.Add("Location", "https://www.shop.test/new")
	f.done(a, time.Millisecond, wire(m))
	s.arrive()
	s.press("G")
	if _, shown := s.m.list.match.index(11); !shown {
		t.Fatal("a redirect has no row before it was followed")
	}
	f.done(request(time.Minute+time.Second, "GET", "https://www.shop.test/new", ""), time.Millisecond, response(200, "OK", "", ""))
	s.now = day.Add(62 * time.Second)
	s.arrive()
	s.now = s.now.Add(time.Second) // it no longer flies by
	s.tell(tickMsg(s.now))
	if _, shown := s.m.list.match.index(11); shown {
		t.Error("the redirect still has its row")
	}
	if s.m.list.cur != 12 {
		t.Errorf("the cursor is on %d", s.m.list.cur)
	}
	s.press("F")
	if s.m.list.match != nil || s.m.list.len() != 12 {
		t.Errorf("not all are shown again: %d", s.m.list.len())
	}
}

// TestNothingIsToldBeforeItIsKnown: a preflight whose request may yet come is not called unanswered.
func TestNothingIsToldBeforeItIsKnown(t *testing.T) {
	f := newFake()
	f.done(request(22*time.Second, "OPTIONS", "https://api.shop.test/v1/x", "", "Origin", "https://a.test", "Access-Control-Request-Method", "POST"), time.Millisecond, response(204, "", "", ""))
	s := play(t, f, 170, 40)
	s.now = day.Add(24 * time.Second)
	s.tell(tickMsg(s.now))
	s.seesNot("never came")
	s.now = day.Add(storyWindow + 24*time.Second)
	s.tell(tickMsg(s.now))
	s.sees("✗ preflight: POST never came")
}

func TestAStoryIsToldInStageModeToo(t *testing.T) {
	f := journeys()
	f.flows[1].Request.Target = "/basket/clear?api_key=sk-live-0123456789abcdef"
	f.rows[0].Target = f.flows[1].Request.Target
	s := play(t, f, 170, 40)
	s.now = day.Add(time.Minute)
	s.press("g", "S", "tab")
	s.sees("story", "the redirect turned POST into GET")
	s.seesNot("sk-live-0123456789abcdef")
}
