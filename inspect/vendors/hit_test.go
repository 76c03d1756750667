package vendors

import (
	"testing"

	"github.com/why403/why403/flow"
)

func exchangeAt(host string, status int, body string, header ...flow.Field) *Exchange {
	m := &flow.Message{Status: status}
	for _, f := range header {
		m.Header.Add(f.Name, f.Value)
	}
	return &Exchange{Request: &flow.Message{Method: "POST"}, Response: m, Host: host, URL: "https://" + host + "/", Path: "/", Body: body, Lower: Lower(body),
		JSON: func(path string) []string {
			if path == "error" || path == "code" {
				return []string{"busy"}
			}
			return nil
		}}
}

// products stands for the files while a test runs.
func products(t *testing.T, files map[string]string) []*Section {
	t.Helper()
	var out []*Section
	for id, text := range files {
		v, err := parse(id, text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v.Decisions...)
	}
	return out
}

// TestServiceElsewhere: a service's codes are its own at its hosts, in
// documentation, and where a whole sentence of it is passed on.
func TestServiceElsewhere(t *testing.T) {
	s := products(t, map[string]string{"acme": "name Acme\nlayer backend-app\nat (^|\\.)acme\\.test$\ndecision rate-limit certain\n  from x\n  json error = \"busy\"\n"})[0]
	for host, want := range map[string]bool{"api.acme.test": false, "acme.test": false, "api.other.test": true, "acme.test.evil.test": true, "api.example": false, "shop.example.com": false, "localhost:3000": true} {
		if got := s.Vendor.elsewhere(host); got != want {
			t.Errorf("elsewhere(%q) = %v, want %v", host, got, want)
		}
	}
	if wordy([]Quote{{"response.body", "busy", 0}}) || !wordy([]Quote{{"response.body", "Acme says that you have asked too often today.", 0}}) {
		t.Error("a word is no sentence, and a sentence is one")
	}
}

// TestCommonWords: words that others use too name the product only where something else shows it.
func TestCommonWords(t *testing.T) {
	s := products(t, map[string]string{"acme": "name Acme\nlayer backend-app\nserver ^acme\nanswered\n  header X-Acme\ndecision rate-limit certain\n  common\n  from x\n  json error = \"busy\"\n"})[0]
	if !s.Common {
		t.Fatal("common is not read")
	}
	for _, c := range []struct {
		header flow.Field
		want   bool
	}{{flow.Field{Name: "Server", Value: "nginx"}, false}, {flow.Field{Name: "Server", Value: "acme/2"}, true}, {flow.Field{Name: "X-Acme", Value: "1"}, true}} {
		if got := s.Vendor.shown(exchangeAt("a.test", 429, "{}", c.header)); got != c.want {
			t.Errorf("shown with %s: %s is %v, want %v", c.header.Name, c.header.Value, got, c.want)
		}
	}
}

// TestStrength: the surer hit first, then the one that more of the answer shows.
func TestStrength(t *testing.T) {
	word := Hit{Section: &Section{Confidence: "certain", Conds: []*Cond{{Kind: "body"}}}, Quotes: []Quote{{"response.body", "denied", 0}}}
	sentence := Hit{Section: &Section{Confidence: "certain", Conds: []*Cond{{Kind: "body"}}}, Quotes: []Quote{{"response.body", "denied by the rule of the gateway", 0}}}
	likely := Hit{Section: &Section{Confidence: "likely", Conds: []*Cond{{Kind: "body"}}}, Quotes: sentence.Quotes}
	anybody := sentence
	anybody.Anybody = true
	elsewhere := sentence
	elsewhere.Elsewhere = true
	order := []Hit{sentence, word, likely, anybody, elsewhere}
	for i := 1; i < len(order); i++ {
		if order[i-1].strength() <= order[i].strength() {
			t.Errorf("hit %d is not stronger than hit %d: %d, %d", i-1, i, order[i-1].strength(), order[i].strength())
		}
	}
}

// TestNearLine: a line by time alone does not make a refusal of a 422, one with the request's id does.
func TestNearLine(t *testing.T) {
	for near, want := range map[bool]int{true: 0, false: 1} {
		x := exchangeAt("a.test", 422, "")
		x.Logs = []LogLine{{Label: "log", N: 1, Text: "HTTP Origin header (https://a.test) didn't match request.base_url (http://a.test)", Near: near}}
		if got := len(Decisions(x, false)); got != want {
			t.Errorf("near %v: %d decisions, want %d", near, got, want)
		}
	}
}

// TestNearSubject: a line by time alone holds for the request whose Origin it names,
// and where something else says that the request was refused.
func TestNearSubject(t *testing.T) {
	line := LogLine{Label: "log", N: 1, Text: "HTTP Origin header (https://a.test) didn't match request.base_url (http://a.test)", Near: true}
	for _, c := range []struct {
		name, origin, body string
		want               int
	}{
		{"its Origin", "https://a.test", "", 1},
		{"another Origin", "https://b.test", "", 0},
		{"no Origin", "", "", 0},
		{"Rails' page of a refusal", "", "<h1>The change you wanted was rejected.</h1>", 2},
	} {
		x := exchangeAt("a.test", 422, c.body)
		if c.origin != "" {
			x.Request.Header = append(x.Request.Header, flow.Field{Name: "Origin", Value: c.origin})
		}
		x.Logs = []LogLine{line}
		if got := len(Decisions(x, false)); got != c.want {
			t.Errorf("%s: %d decisions, want %d", c.name, got, c.want)
		}
	}
}

// TestReported: what a page of a firewall says inside the text of a JSON
// document is an application's report, not that firewall's answer.
func TestReported(t *testing.T) {
	s := products(t, map[string]string{"acme": "name Acme\nlayer cdn-waf\ndecision waf-rule certain\n  from x\n  body \"Blocked by Acme.\"\n"})[0]
	for body, want := range map[string]bool{
		`Blocked by Acme.`:                                                                                     false,
		`{"message":"Blocked by Acme."}`:                                                                       false,
		`{"message":"Blocked by Acme. The incident is 77."}`:                                                   false,
		`{"error":"the upstream answered 403: Blocked by Acme."}`:                                              true,
		`{"a":[1,{"b":"request failed with status code 403, \"Blocked by Acme.\""}]}`:                          true,
		`[{"page":"<html><body>Blocked by Acme.</body></html>"}]`:                                              true,
		`{"page":"\u003chtml\u003eBlocked by Acme."}`:                                                          true,
		`<html><script>var a = {"page":"<html><body>Blocked by Acme.</body></html>"}</script>Blocked by Acme.`: false,
		`{"upstream":"shop","message":"Blocked by Acme."}`:                                                     false,
		`{"message":"Blocked by Acme. cut off`:                                                                 false,
	} {
		q, ok := s.holds(exchangeAt("a.test", 403, body))
		if !ok {
			t.Fatalf("does not hold for %s", body)
		}
		if got := s.reported(exchangeAt("a.test", 403, body), q); got != want {
			t.Errorf("%s: reported %v, want %v", body, got, want)
		}
	}
	if _, at := jsonText(`{"a\"b":"c"}`, 9); at != 0 {
		t.Errorf("an escaped quote ends a text: at %d", at)
	}
}
