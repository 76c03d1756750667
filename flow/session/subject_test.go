package session

import (
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
)

// TestARowAnswersForAllThatAListFilterAsks holds each key against a row that it fits and an empty one.
func TestARowAnswersForAllThatAListFilterAsks(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := Row{
		ID: 12, Kind: flow.Tunnel, Origin: flow.FromReplay, State: Done, Start: now.Add(-time.Minute), Duration: 2 * time.Second,
		Method: "POST", Scheme: "https", Authority: "api.test", Target: "/orders?page=2", Status: 403, ReqBytes: 24, RespBytes: 2000,
		ContentType: "text/html", Cut: true, Err: "reset", Marked: true, Comment: "later", ProvenBy: 13,
		Verdict: &flow.Judgement{Refused: true, Cause: "csrf-missing", Layer: "cdn-waf", Vendor: "django", Headline: "CSRF header missing"},
	}
	for _, expr := range []string{
		"method:post", "status:403", "host:api", "path:/orders", "query:page", "url:https://api.test/orders", "scheme:https", "type:html",
		"refused:yes", "marked:yes", "comment:later", "cause:csrf", "layer:waf", "vendor:django", "id:12", "time:<5m", "dur:>1s", "size:>1kb", "upload:>20",
		"is:error", "is:tunnel", "is:replay", "is:cut", "is:proven", "is:commented", `"header missing"`,
	} {
		e, err := filter.Compile(expr, filter.Rows)
		if err != nil {
			t.Fatal(err)
		}
		if !e.Match(row.Subject(now)) {
			t.Errorf("%s does not find the row", expr)
		}
		if empty := (&Row{State: Done}); e.Match(empty.Subject(now)) {
			t.Errorf("%s finds an empty row", expr)
		}
	}
	live, _ := filter.Compile("is:pending", filter.Rows)
	for state, want := range map[State]bool{Waiting: true, Streaming: true, Done: false, NotKept: false} {
		if live.Match((&Row{State: state}).Subject(now)) != want {
			t.Errorf("%s: pending is not %v", state, want)
		}
	}
}
