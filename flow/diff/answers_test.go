package diff

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

func answered(head, body string) *flow.Flow {
	m := &flow.Message{Proto: "HTTP/1.1", Status: 403}
	for l := range strings.SplitSeq(head, "|") {
		name, value, _ := strings.Cut(l, ": ")
		m.Header.Add(name, value)
	}
	m.SetBody([]byte(body))
	return &flow.Flow{Scheme: "https", Authority: "a.test", Request: &flow.Message{Method: "GET", Target: "/"}, Response: m}
}

func TestAnswersAreComparedByMeaning(t *testing.T) {
	was := answered("Date: Mon, 02 Mar 2026 10:00:00 GMT|CF-Ray: 1-FRA|Set-Cookie: a=1|Content-Type: application/json|Content-Length: 34", `{"error":"csrf", "detail":{"n":1}}`)
	is := answered("Content-Type: application/json|Date: Mon, 02 Mar 2026 10:00:09 GMT|CF-Ray: 2-FRA|Set-Cookie: a=2|X-New: y|Content-Length: 33", `{"detail":{"n":2},"error":"csrf"}`)
	is.Response.Status = 201
	d := Answers(was, is)
	var got []string
	for _, c := range d.Changes {
		got = append(got, string(c.Part)+" "+c.Name)
	}
	if s := strings.Join(got, ", "); s != "json $.detail.n, header X-New, header-order " && s != "header X-New, json $.detail.n, header-order " {
		t.Errorf("changes: %s", s)
	}
	if len(d.Muted) < 3 {
		t.Errorf("muted: %+v", d.Muted)
	}
	if d := Answers(was, was); !d.Empty() || len(d.Muted) > 0 {
		t.Errorf("an answer differs from itself: %+v", d)
	}
	none := answered("", "")
	none.Response = nil
	if d := Answers(was, none); !d.Empty() {
		t.Errorf("no answer: %+v", d)
	}
}
