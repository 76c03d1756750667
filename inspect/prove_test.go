package inspect

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// TestWhatAnExperimentProvesStandsFirst gives an experiment's result to verdicts that suggested it, suggested another, or knew none.
func TestWhatAnExperimentProvesStandsFirst(t *testing.T) {
	value := "t"
	sets := func(cause Name, header string) Verdict {
		return Verdict{Cause: cause, Confidence: flow.Likely, Summary: "It lacks " + header + "; with this change it was accepted once (#7).",
			Fix: &Fix{Patch: flow.Patch{{Part: flow.InHeader, Name: header, After: &value}}}}
	}
	by := &flow.Flow{ID: 8, Request: &flow.Message{Method: "GET", Target: "/", Header: flow.Header{{Name: "X-Token", Value: value}}}}
	const said = "The server refuses this request for want of the X-Token header."
	token, other, nothing := sets(CSRFMissing, "X-Token"), sets(MissingRole, "X-Role"), Verdict{Cause: UnknownCause, Confidence: flow.Possible, Summary: "The answer does not say why."}
	for _, c := range []struct {
		name       string
		verdict    Verdict
		candidates []Verdict
		cause      Name
		proven     bool
		summary    string
	}{
		{"the verdict", token, []Verdict{other}, CSRFMissing, true, "It lacks X-Token; that is proven: with the change it was accepted (#8), without it refused again."},
		{"a candidate", other, []Verdict{nothing, token}, CSRFMissing, true, "It lacks X-Token; that is proven: with the change it was accepted (#8), without it refused again."},
		{"none, and nothing was known", nothing, nil, UnknownCause, true, said},
		{"none", other, nil, MissingRole, false, other.Summary},
	} {
		e := Explained{ID: 1, Refused: true, Verdict: &c.verdict, Candidates: c.candidates}
		e.Prove(by, said)
		if v := e.Verdict; v.Cause != c.cause || v.Proven != c.proven || v.Summary != c.summary || e.ProvenBy != 8 || e.Proof != said || len(e.Candidates) != len(c.candidates) {
			t.Errorf("%s: %+v, %+v", c.name, v, e.Candidates)
		}
		if sure := e.Verdict.Sure(); (sure == "proven") != c.proven {
			t.Errorf("%s: %q", c.name, sure)
		}
	}
	if v := (&Verdict{Cause: UnknownCause, Confidence: flow.Possible}); v.Sure() != "" || !strings.HasPrefix(v.Who(), "Refused") {
		t.Errorf("unknown is %q, by %q", v.Sure(), v.Who())
	}
}
