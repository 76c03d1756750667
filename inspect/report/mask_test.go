package report

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/inspect"
)

// TestEvidenceStaysEvidenceWhenMasked: of a token the claims stand, the name of a cookie is no
// secret, and a part of a secret has the name of the whole.
func TestEvidenceStaysEvidenceWhenMasked(t *testing.T) {
	const (
		head      = "eyJhbGciOiJIUzI1NiJ9"
		payload   = "eyJzdWIiOiJqb2UiLCJleHAiOjE3NzI0NDU2MDB9" // {"sub":"joe","exp":1772445600}
		signature = "dBjftJeZ4CVPmB92K27uhbUJU1p1rwW1gFWFOEjXk"
		key       = "Zk39sl20skdlqpwoZZ41xx"
	)
	f := &flow.Flow{ID: 1, Scheme: "https", Authority: "shop.test", Request: &flow.Message{Method: "GET", Target: "/", Header: flow.Header{
		{Name: "Authorization", Value: "Bearer " + head + "." + payload + "." + signature}, {Name: "X-Api-Key", Value: key}, {Name: "Cookie", Value: "csrftoken=abcdef0123456789"}}}}
	m := redact.New()
	m.Learn(f)
	value := "Bearer " + head + "." + payload + "." + signature
	e := inspect.Explained{ID: 1, URL: f.URL(), Refused: true, Verdict: &inspect.Verdict{
		Evidence: []inspect.Evidence{
			{Where: "request.header:Authorization", Quote: payload},
			{Where: "request.header:Cookie", Quote: "csrftoken"},
			{Where: "request.header:X-Api-Key", Quote: key[:12]},
			{Where: "request.header:X-Api-Key", Quote: key},
		},
		Fix: &inspect.Fix{Patch: flow.Patch{{Part: flow.InHeader, Name: "Authorization", Before: &value}, {Part: flow.InHeader, Name: "X-Api-Key", Before: str(key)}}}}}
	v := Masked(m, e).Verdict
	if got := v.Evidence[0].Quote; got != payload {
		t.Errorf("the claims of a token are %q", got)
	}
	if got := v.Evidence[1].Quote; got != "csrftoken" {
		t.Errorf("the name of a cookie is %q", got)
	}
	whole := *v.Fix.Patch[1].Before
	if v.Evidence[2].Quote != whole || v.Evidence[3].Quote != whole || !strings.HasPrefix(whole, redact.Prefix) {
		t.Errorf("a part is %q, the whole %q, in the fix it is %q", v.Evidence[2].Quote, v.Evidence[3].Quote, whole)
	}
	if got := *v.Fix.Patch[0].Before; !strings.Contains(got, payload) || strings.Contains(got, signature) {
		t.Errorf("the token in the fix is %q", got)
	}
	for quote, want := range map[string]string{payload: `{"sub":"joe","exp":1772445600}`, payload[:30]: `{"sub":"joe","exp":17…`, "csrftoken": "", "eyJhbGci\x00": ""} {
		if got := claims(quote); got != want {
			t.Errorf("%q says %q, want %q", quote, got, want)
		}
	}
}
