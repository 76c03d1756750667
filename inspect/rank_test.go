package inspect

import (
	"testing"

	"github.com/why403/why403/flow"
)

// Words that nobody has compared with their source keep their rank, and are
// never certain by themselves; a certain finding of the same cause makes up for it.
func TestUncheckedWordsAreLikelyAtMost(t *testing.T) {
	c := &Case{Flow: &flow.Flow{Request: &flow.Message{Method: "GET", Target: "/"}, Response: &flow.Message{Status: 403}}}
	unchecked := Finding{Cause: GeoBlocked, Vendor: "acme", Confidence: flow.Certain, Basis: ByCode, Unchecked: true}
	other := Finding{Cause: RateLimit, Confidence: flow.Likely, Basis: ByCode}
	computed := Finding{Cause: GeoBlocked, Confidence: flow.Certain, Basis: ByComputation}
	hint := Finding{Cause: GeoBlocked, Confidence: flow.Likely, Basis: ByComputation}
	for _, s := range []struct {
		name     string
		findings []Finding
		want     flow.Confidence
	}{
		{"alone", []Finding{unchecked}, flow.Likely},
		{"before another cause", []Finding{other, unchecked}, flow.Likely},
		{"with a hint", []Finding{unchecked, hint}, flow.Likely},
		{"with what was computed", []Finding{computed, unchecked}, flow.Certain},
		{"checked", []Finding{{Cause: GeoBlocked, Vendor: "acme", Confidence: flow.Certain, Basis: ByCode}}, flow.Certain},
	} {
		if v := c.rank(s.findings)[0]; v.Cause != GeoBlocked || v.Vendor != "acme" || v.Confidence != s.want {
			t.Errorf("%s: %s by %q, %v; want %v", s.name, v.Cause, v.Vendor, v.Confidence, s.want)
		}
	}
}
