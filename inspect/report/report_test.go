package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

var update = flag.Bool("update", false, "write the golden files anew")

func str(s string) *string { return &s }

// sample is a refusal with everything that there can be, and an accepted flow.
func sample() []inspect.Explained {
	token := flow.Change{Part: flow.InHeader, Name: "X-CSRFToken", After: str("aaaabbbb")}
	return []inspect.Explained{
		{ID: 1, Method: "POST", URL: "https://shop.test/orders", Status: 201},
		{
			ID: 3, Method: "POST", URL: "https://shop.test/orders?a|b", Status: 403, Refused: true,
			Verdict: &inspect.Verdict{
				Cause: inspect.CSRFMissing, Layer: "backend-app", Vendor: "django", Confidence: flow.Certain,
				Headline: "CSRF token missing", Summary: "The CSRF cookie csrftoken was sent, the token in X-CSRFToken was not.",
				NextStep: "Send the CSRF token in X-CSRFToken.", Checklist: []int{5},
				Evidence: []inspect.Evidence{
					{Where: "response.body", Quote: "CSRF Failed: `token`\nmissing", Offset: 11},
					{Where: "request.header:Cookie", Quote: "csrftoken\x1b[31m\u202e", Offset: 0},
				},
				Fix: &inspect.Fix{Summary: "Send the token.", Patch: flow.Patch{token}},
			},
			Candidates:   []inspect.Verdict{{Cause: inspect.MissingRole, Confidence: flow.Possible, Summary: "The same request was accepted (#1) with another *sessionid*.", Checklist: []int{18}, Evidence: []inspect.Evidence{}}},
			ComparedWith: &inspect.Compared{ID: 1, Changes: []flow.Change{token, {Part: flow.InMethod, Before: str("PUT"), After: str("POST")}, {Part: flow.InQuery, Name: "a", Before: str(strings.Repeat("x", 300))}}},
			Checklist: []inspect.Check{
				{Item: 1, Name: "HTTP method", State: inspect.OK, Note: "the same as in the accepted request #1", Verify: "curl -i -X OPTIONS https://shop.test/orders"},
				{Item: 5, Name: "CSRF token", State: inspect.Suspect, Note: "The CSRF cookie csrftoken was sent.", Verify: "the framework's CSRF settings | trusted origins"},
				{Item: 8, Name: "web server log", State: inspect.Unknown, Note: "no log was given (--log)", Verify: "grep -F /orders /var/log/nginx/error.log"},
				{Item: 14, Name: "AI model access", State: inspect.NotApplicable, Note: "this is no call of a language model's API"},
			},
			FixedOnce: []flow.ID{4},
			Time:      time.Date(2026, 6, 2, 10, 15, 30, 250e6, time.UTC), IDs: []string{"X-Request-Id: a|b-1", "CF-Ray: 7d1-FRA"},
			Credentials: []inspect.Life{{Credential: "cookie sessionid", Events: []inspect.Event{
				{What: inspect.Issued, Flow: 1, At: time.Date(2026, 6, 2, 9, 0, 0, 0, time.UTC)}, {What: inspect.Replaced, Flow: 2, At: time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC)}}}},
		},
		{ID: 5, Method: "GET", URL: "https://shop.test/a", Status: 403, Refused: true,
			Verdict: &inspect.Verdict{Cause: inspect.UnknownCause, Confidence: flow.Possible, Headline: "refused; the answer does not say why", Summary: "The answer does not say why.", NextStep: "Look into the server's log.", Checklist: []int{}, Evidence: []inspect.Evidence{}}},
		{ID: 6, Method: "PUT", URL: "https://shop.test/a", Status: 403, Refused: true, ProvenBy: 9, Proof: "The server refuses this request for want of the X-Role header.",
			Verdict: &inspect.Verdict{Cause: inspect.MissingRole, Layer: "client", Confidence: flow.Likely, Proven: true, Headline: "the role is missing", Summary: "The role is missing; that is proven.", NextStep: "Ask for the role.", Checklist: []int{}, Evidence: []inspect.Evidence{}}},
	}
}

// repro is a command for the first refusal alone.
func repro(id flow.ID) string {
	if id != 3 {
		return ""
	}
	return "# not verified\ncurl --data-raw '~~~\x1b[31m' https://shop.test/orders\n"
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestGolden(t *testing.T) {
	var text, all, md, js bytes.Buffer
	if err := errors.Join(Text(&text, sample(), TextOptions{}), Text(&all, sample(), TextOptions{All: true, Checks: true, Changes: 2}), Markdown(&md, sample(), repro), JSON(&js, sample())); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", text.Bytes())
	golden(t, "report-all.txt", all.Bytes())
	golden(t, "report.md", md.Bytes())
	golden(t, "report.json", js.Bytes())
	for name, b := range map[string][]byte{"text": text.Bytes(), "all": all.Bytes(), "markdown": md.Bytes()} {
		if bytes.ContainsAny(b, "\x1b\u202e") {
			t.Errorf("%s: a control character of the network got through", name)
		}
	}
}

// TestContract reads the JSON as a script does, by the names of the contract.
func TestContract(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Version int
		Flows   []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != 1 || len(doc.Flows) != 4 {
		t.Fatalf("version %d, %d flows", doc.Version, len(doc.Flows))
	}
	if _, there := doc.Flows[0]["verdict"]; there || doc.Flows[0]["refused"] != false {
		t.Errorf("an accepted flow has a verdict: %v", doc.Flows[0])
	}
	v := doc.Flows[1]["verdict"].(map[string]any)
	for _, k := range []string{"cause", "layer", "vendor", "confidence", "proven", "summary", "next_step", "checklist", "evidence", "fix"} {
		if _, there := v[k]; !there {
			t.Errorf("the verdict lacks %q", k)
		}
	}
	if p := doc.Flows[3]; p["proven_by"] != 9.0 || p["proof"] == "" || p["verdict"].(map[string]any)["proven"] != true {
		t.Errorf("what was proven is %v", p)
	}
	change := v["fix"].(map[string]any)["patch"].([]any)[0].(map[string]any)
	if b, there := change["before"]; !there || b != nil || change["part"] != "header" {
		t.Errorf("a change is %v", change)
	}
	if u := doc.Flows[2]["verdict"].(map[string]any); u["layer"] != nil || u["vendor"] != nil || u["confidence"] != "possible" {
		t.Errorf("who is not known is null: %v", u)
	}
	for _, k := range []string{"candidates", "compared_with", "checklist"} {
		if _, there := doc.Flows[1][k]; !there {
			t.Errorf("the flow lacks %q", k)
		}
	}
	b.Reset()
	if err := JSON(&b, nil); err != nil || !strings.Contains(b.String(), `"flows": []`) {
		t.Errorf("no flows: %s, %v", b.String(), err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrorsAreTold(t *testing.T) {
	if Text(broken{}, sample(), TextOptions{}) == nil || Markdown(broken{}, sample(), nil) == nil || JSON(broken{}, sample()) == nil {
		t.Error("a writer that fails goes unnoticed")
	}
}
