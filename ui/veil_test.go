package ui

import (
	"strings"
	"testing"
	"time"
)

// TestStageMode goes everywhere that the token and the cookies of a refused request are shown.
func TestStageMode(t *testing.T) {
	const secret = "sk_live_51Hq2eXQ9vKpT7mZr4Yb"
	f := shop()
	id := f.done(request(22*time.Second, "POST", "https://api.shop.test/v1/orders?api_key="+secret, `{"password": "`+secret+`"}`, "Cookie", cookie, "Content-Type", "application/json", "Authorization", "Bearer "+secret),
		38*time.Millisecond, response(403, "Forbidden", "application/json", `{"detail":"CSRF Failed: CSRF token missing.","token":"`+secret+`"}`))
	f.judge(id, csrf(id))
	s := play(t, f, 200, 60)
	s.press("tab", "l", "l")
	s.sees(secret)

	s.press("S")
	s.sees("stage mode", "WHY403_SECRET_")
	for range int(tabCount) {
		s.seesNot(secret, "kH3vXq0a", "sessionid=9f8e7d")
		s.press("l")
	}
	s.press("y", "b")
	if !strings.Contains(s.clip.text, secret) {
		t.Errorf("a copy of the truth is masked: %q", s.clip.text)
	}

	s.press("f")
	s.seesNot("kH3vXq0a")
	s.press("esc", "e")
	s.sees("only what is under the cursor is shown")
	s.seesNot(secret, "kH3vXq0a")
	s.press("up", "up") // to the URL
	s.sees("api_key=" + secret)
	s.press("down")
	s.seesNot(secret)
	s.press("ctrl+s")
	if got := s.sender.sent[0].Header.Get("Authorization"); got != "Bearer "+secret {
		t.Errorf("sent %q", got)
	}
	s.press("esc", "S")
	s.sees(secret)
	s.seesNot("WHY403_SECRET_")
}
