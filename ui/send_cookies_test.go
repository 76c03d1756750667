package ui

import (
	"strings"
	"testing"
	"time"
)

// TestTheNewestCookiesAreSent: a login came after the refused request; its cookies are shown first, then sent.
func TestTheNewestCookiesAreSent(t *testing.T) {
	feed := shop()
	s := play(t, feed, 140, 40)
	s.press("N", "N", "K")
	s.sees("no answer set newer cookies")

	login := response(200, "OK", "application/json", `{}`)
	login.Header.Add("Set-Cookie", "session=of-the-new-login; Path=/")
	feed.done(request(30*time.Second, "POST", "https://api.shop.test/login", `{}`), time.Millisecond, login)
	s.arrive()
	s.press("K")
	s.sees("Send with the newest cookies?", "+ cookie session: of-the-new-login")
	if len(s.sender.sent) != 0 {
		t.Fatal("it was sent before anybody agreed")
	}
	s.press("enter")
	if len(s.sender.sent) != 1 || !strings.Contains(s.sender.sent[0].Header.Get("Cookie"), "session=of-the-new-login") {
		t.Fatalf("sent %+v", s.sender.sent)
	}
	if was := s.feed.flows[5].Request.Header.Get("Cookie"); strings.Contains(was, "of-the-new-login") {
		t.Errorf("the evidence was changed: %q", was)
	}
}
