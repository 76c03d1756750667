package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/inspect"
)

func simulatedSample() inspect.Explained {
	e := sample()[2]
	e.Verdict.Fix = &inspect.Fix{Test: true, Summary: "a test, not a fix: send it without it", Patch: flow.Patch{{Part: flow.InJSON, Name: "$.note", Before: str(`"$(x)"`), After: str(`""`)}}}
	e.WAF = &inspect.Simulation{
		Rules: "Core Rule Set 4.25.0", Score: 5, Beyond: 5, Threshold: 5, Cut: true, Accepted: &inspect.Accepted{ID: 1, Score: 3},
		Hits: []inspect.Hit{
			{Rule: 920350, Level: 1, Message: "Host header is a numeric IP address", Place: "the header Host", Shared: true},
			{Rule: 932130, Level: 1, Message: "Unix Shell Expression Found", Place: "the JSON field note", Where: "request.body", Quote: "$(x)", Text: "$(x)\x1b[2J"},
			{Rule: 942480, Level: 2, Message: "SQL Injection Attack", Where: "request.header:Authorization", Quote: "Bearer abcdefghijklmnop", Text: "Bearer abcdefghijklmnop"},
		},
	}
	return e
}

func TestTheSimulatedFirewallIsTold(t *testing.T) {
	var text, md bytes.Buffer
	list := []inspect.Explained{simulatedSample()}
	if err := Text(&text, list, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&md, list, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  test        a test, not a fix: send it without it\n",
		"  simulated   Core Rule Set 4.25: 5 points, 5 refuse; only a first part of the request was looked at\n",
		"              932130 the JSON field note: $(x)\\x1b[2J (Unix Shell Expression Found)\n",
		"              in the accepted #1 as well: 920350\n",
		"              only at paranoia level 2: 942480\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text has no %q:\n%s", want, text.String())
		}
	}
	for _, want := range []string{"### Test\n", "### Firewall, simulated\n\nCore Rule Set 4.25: 5 points", "* 932130 the JSON field note: $(x)"} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("the Markdown has no %q:\n%s", want, md.String())
		}
	}
}

func TestQuotationsOfTheSimulationAreMasked(t *testing.T) {
	e := simulatedSample()
	var js bytes.Buffer
	if err := JSON(&js, []inspect.Explained{Masked(redact.New(), e)}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(js.String(), "abcdefghijklmnop") || !strings.Contains(js.String(), `"quote": "$(x)"`) {
		t.Errorf("got %s", js.String())
	}
	if e.WAF.Hits[2].Quote != "Bearer abcdefghijklmnop" {
		t.Error("what was explained has changed")
	}
}
