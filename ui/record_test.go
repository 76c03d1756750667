package ui

import (
	"slices"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

type fakeCapture struct {
	on      bool
	omitted int64
	hosts   []string
}

func (c *fakeCapture) Pause(on bool)         { c.on = on }
func (c *fakeCapture) Paused() (bool, int64) { return c.on, c.omitted }
func (c *fakeCapture) Ignore(p string)       { c.hosts = append(c.hosts, p) }
func (c *fakeCapture) Ignored() []string     { return c.hosts }
func (c *fakeCapture) Heed(p string) {
	c.hosts = slices.DeleteFunc(c.hosts, func(h string) bool { return h == p })
}

func TestPauseAndIgnore(t *testing.T) {
	s := play(t, shop(), 160, 40)
	s.press("P")
	s.sees("nothing is recorded from here")
	c := &fakeCapture{omitted: 7}
	s.m.o.Capture = c
	s.press("P")
	if !c.on {
		t.Fatal("P does not pause")
	}
	s.sees("‖ 127.0.0.1:8403  paused, 7 not recorded P goes on")
	s.press("P")
	s.sees("recording goes on; 7 flows went through unrecorded", "● 127.0.0.1:8403")

	s.press("N", "N", "I")
	s.sees("Ignore this host?", "api.shop.test is passed through unread")
	s.press("esc")
	if len(c.hosts) > 0 {
		t.Fatal("it was ignored before anybody agreed")
	}
	s.press("I", "enter")
	if !slices.Equal(c.hosts, []string{"api.shop.test"}) {
		t.Fatalf("ignored: %v", c.hosts)
	}
	s.press("I")
	s.sees("api.shop.test is recorded again")
}

func TestDelete(t *testing.T) {
	s := play(t, shop(), 160, 40)
	s.press("N", "N", "D")
	s.sees("Delete?", "Flow #5 is deleted", "That cannot be")
	s.press("esc")
	s.sees("CSRF header missing")
	s.press("D", "enter")
	s.sees("1 flow deleted", "› ")
	s.seesNot("CSRF header missing", "not in the session")
	if s.m.list.cur != 6 {
		t.Errorf("the cursor went to %d", s.m.list.cur)
	}

	// What arrives later is shown, also with a filter and without again.
	s.feed.done(request(30*time.Second, "GET", "https://api.shop.test/late", ""), time.Millisecond, response(200, "OK", "", ""))
	s.arrive()
	s.sees("/late")
	s.press("2")
	s.seesNot("/late", "CSRF")
	s.press("1")
	s.sees("/late", "/v1/cart")
	s.seesNot("not in the session")

	s.press("g", "space", "space", "D")
	s.sees("The 2 marked flows are deleted")
	s.press("enter")
	s.seesNot("/v1/cart")

	s.press("ctrl+x")
	s.sees("Clear the session?", "1 under way stay")
	s.press("enter")
	s.sees("flows deleted", "/v1/pay")
	s.seesNot("/late", "logo.png")
	if s.m.list.len() != 1 || s.m.list.cur != 9 {
		t.Errorf("%d rows, the cursor on %d", s.m.list.len(), s.m.list.cur)
	}
}

func TestDeleteNothingOfSomebodyElse(t *testing.T) {
	s := play(t, shop(), 160, 40)
	s.m.o.ReadOnly = true
	for _, k := range []string{"D", "ctrl+x", ";"} {
		s.press(k)
		s.sees("read-only")
	}
}

func TestComment(t *testing.T) {
	s := play(t, shop(), 200, 40)
	s.press("N", "N", ";")
	s.write("ask the team of the shop")
	s.press("enter")
	s.sees("✗ CSRF header missing · ask the team")
	if c := s.feed.notes[flow.ID(5)].Comment; c == nil || *c != "ask the team of the shop" {
		t.Fatal("it was not kept")
	}
	s.press("/")
	s.write("comment:shop")
	s.press("enter")
	if s.m.list.len() != 1 {
		t.Errorf("%d rows have the comment", s.m.list.len())
	}
	s.press(";", "ctrl+u", "enter")
	s.arrive()
	s.sees("No flow matches")
}
