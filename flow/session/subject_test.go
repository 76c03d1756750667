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

// A WebSocket is one in HTTP/1.1 and in HTTP/2; a CONNECT to another proxy, or for another protocol, is none.
func TestWebSocketsOfBothVersionsAreFound(t *testing.T) {
	e, err := filter.Compile("is:websocket", filter.Rows)
	if err != nil {
		t.Fatal(err)
	}
	upgrade := flow.Header{{Name: "Upgrade", Value: "websocket"}}
	for _, c := range []struct {
		name, method, target string
		header               flow.Header
		status               int
		row, whole           bool
	}{
		{"HTTP/1.1", "GET", "/chat", upgrade, 101, true, true},
		{"refused", "GET", "/chat", upgrade, 403, false, false},
		{"HTTP/2", "CONNECT", "/chat", flow.Header{{Name: ":protocol", Value: "websocket"}}, 200, true, true},
		{"HTTP/2, refused", "CONNECT", "/chat", flow.Header{{Name: ":protocol", Value: "websocket"}}, 403, false, false},
		{"UDP over HTTP/2", "CONNECT", "/masque/", flow.Header{{Name: ":protocol", Value: "connect-udp"}}, 200, true, false}, // a row has no header
		{"a proxy asked inside a tunnel", "CONNECT", "api.test:443", nil, 200, false, false},
	} {
		f := &flow.Flow{Scheme: "https", Authority: "api.test", Request: &flow.Message{Method: c.method, Target: c.target, Header: c.header}, Response: &flow.Message{Status: c.status}}
		r := rowOf(f)
		r.State = Done
		if got := e.Match(r.Subject(time.Now())); got != c.row {
			t.Errorf("%s: the row is a WebSocket: %v", c.name, got)
		}
		if got := filter.Of(f, nil, time.Now()).WebSocket; got != c.whole {
			t.Errorf("%s: the flow is a WebSocket: %v", c.name, got)
		}
	}
}
