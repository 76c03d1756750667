package inspect

import (
	"fmt"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

func TestTheLifeOfACredential(t *testing.T) {
	start := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	at := func(id flow.ID, minute int, cookie, setCookie, body string, status int) *flow.Flow {
		f := &flow.Flow{ID: id, Scheme: "https", Authority: "shop.test", Request: &flow.Message{Method: "POST", Target: "/orders", Header: flow.Header{{Name: "Host", Value: "shop.test"}}}}
		if cookie != "" {
			f.Request.Header.Add("Cookie", cookie)
		}
		f.Response = &flow.Message{Status: status}
		if setCookie != "" {
			f.Response.Header.Add("Set-Cookie", setCookie)
		}
		f.Response.SetBody([]byte(body))
		f.Times.Start = start.Add(time.Duration(minute) * time.Minute)
		f.Times.End = f.Times.Start
		return f
	}
	refused := at(5, 40, "sessionid=first-value-1; csrftoken=token-value-1", "", "", 403)
	refused.Request.Header.Add("Authorization", "Bearer opaque-token-9")
	c := &Case{Flow: refused, Now: refused.Times.End, History: History{Before: []*flow.Flow{
		at(1, 0, "", "sessionid=first-value-1; Path=/", `{"access_token":"opaque-token-9"}`, 200),
		at(2, 10, "sessionid=first-value-1", "", "", 201),
		at(3, 20, "sessionid=first-value-1", "", "", 201),
		at(4, 30, "", "sessionid=other-value-2; Path=/", "", 200),
	}}}
	got := ""
	for _, l := range c.lives() {
		for _, e := range l.Events {
			got += fmt.Sprintf("%s: %s #%d %s\n", l.Credential, e.What, e.Flow, e.At.Format("15:04"))
		}
	}
	want := "Authorization: issued #1 08:00\n" +
		"cookie sessionid: issued #1 08:00\ncookie sessionid: worked-last #3 08:20\ncookie sessionid: replaced #4 08:30\n"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
