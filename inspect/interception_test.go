package inspect_test

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

// What why403 did to a request is told where nothing else is known, and only
// what the accepted request was spared.
func TestVerdictTellsWhatWeDid(t *testing.T) {
	rule := `set User-Agent by rule "agent"`
	for _, c := range []struct {
		name              string
		altered, accepted []string
		differs           bool
		says              string
	}{
		{"nothing", nil, nil, false, ""},
		{"a rule", []string{rule}, nil, false, rule},
		{"a rule that the accepted request had too", []string{rule}, []string{rule}, false, ""},
		{"what no server sees", []string{"left out an empty line before the request"}, nil, false, ""},
		{"a fault of ours", nil, nil, true, "by a fault of why403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := func(status int, altered []string) *flow.Flow {
				return &flow.Flow{Scheme: "https", Authority: "api.test", Altered: altered,
					Request: &flow.Message{Method: "POST", Target: "/orders", Proto: "HTTP/1.1"}, Response: &flow.Message{Status: status, Proto: "HTTP/1.1"}}
			}
			refused := at(403, c.altered)
			if c.differs {
				refused.Fidelity.Request = flow.Differs
			}
			e, _ := inspect.Explain(inspect.Case{Flow: refused, Success: at(201, c.accepted)})
			if e.Verdict.Cause != inspect.UnknownCause {
				t.Fatalf("the cause is %s", e.Verdict.Cause)
			}
			if told := strings.Contains(e.Verdict.Summary, "why403 itself may be the cause"); told != (c.says != "") || !strings.Contains(e.Verdict.Summary, c.says) {
				t.Errorf("the verdict says %q", e.Verdict.Summary)
			}
		})
	}
}
