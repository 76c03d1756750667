package explain

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/logs"
	"github.com/why403/why403/inspect/openapi"
)

func exchange(id flow.ID, at time.Duration, method, path string, status int, body string) *flow.Flow {
	f := &flow.Flow{ID: id, Scheme: "https", Authority: "api.test", Times: flow.Timings{Start: start.Add(at)}}
	f.Request = &flow.Message{Proto: "HTTP/1.1", Method: method, Target: path}
	f.Response = &flow.Message{Proto: "HTTP/1.1", Status: status}
	f.Response.Header.Add("Content-Type", "application/json")
	f.Response.SetBody([]byte(body))
	return f
}

func explainAll(t *testing.T, o Options, flows ...*flow.Flow) []inspect.Explained {
	t.Helper()
	got, err := Flows(context.Background(), flows, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFlowsAreEachOthersHistory(t *testing.T) {
	// In the file the refusal stands first; in time it comes after the success.
	refused := exchange(1, time.Minute, "POST", "/orders", 403, `{"error":"forbidden"}`)
	good := exchange(2, 0, "POST", "/orders", 201, `{}`)
	good.Request.Header.Add("Authorization", "Bearer abc")
	got := explainAll(t, Options{}, refused, good)
	e := got[0]
	if e.ID != 1 || e.Verdict == nil || e.Verdict.Cause != inspect.MissingToken || e.ComparedWith == nil || e.ComparedWith.ID != 2 {
		t.Errorf("got %+v", e)
	}
	if got[1].Refused || got[1].Verdict != nil {
		t.Errorf("the success is explained: %+v", got[1])
	}
}

func TestBodiesAreReadDecoded(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd", "deflate"} {
		f := exchange(1, 0, "POST", "/orders", 403, "")
		data, err := decode.Encode([]byte(`{"error":"quota_exceeded"}`), coding)
		if err != nil {
			t.Fatal(err)
		}
		f.Response.Header.Add("Content-Encoding", coding)
		f.Response.SetBody(data)
		e := explainAll(t, Options{}, f)[0]
		if e.Verdict.Cause != inspect.QuotaExhausted {
			t.Errorf("%s: %+v", coding, e.Verdict)
		}
		if len(f.Response.Body.Data) != len(data) {
			t.Errorf("%s: the flow was changed", coding)
		}
	}
}

func TestOwnAnswersAreNoRefusals(t *testing.T) {
	f := exchange(1, 0, "POST", "/orders", 407, "")
	f.Response.Header.Add("X-Why403", "proxy-auth")
	if e := explainAll(t, Options{}, f)[0]; e.Refused {
		t.Errorf("our own answer is taken for the server's: %+v", e.Verdict)
	}
}

// Hostile input must end soon and without a panic.
func TestHostileAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"deep JSON":       strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000),
		"deep objects":    strings.Repeat(`{"a":`, 100_000),
		"many strings":    `{"errors":[` + strings.Repeat(`"invalid token expired",`, 20_000) + `""]}`,
		"a long string":   `{"message":"` + strings.Repeat("token ", 300_000) + `"}`,
		"markup":          strings.Repeat("<p>token<", 100_000),
		"an open tag":     "<html><title>" + strings.Repeat("a", 1<<20),
		"an open script":  "<script>" + strings.Repeat("<", 1<<20),
		"invalid UTF-8":   "\xff\xfe\xfd{\"error\":\"\xc0\xaf\"}",
		"control bytes":   strings.Repeat("\x00\x01\x1b[31m", 10_000),
		"many attributes": "<a " + strings.Repeat(`b="c" `, 100_000),
	} {
		f := exchange(1, 0, "POST", "/orders", 403, body)
		f.Request.Header.Add("Authorization", "Bearer "+strings.Repeat("eyJ.", 50_000))
		f.Request.Header.Add("Cookie", strings.Repeat("a=b; ", 50_000))
		f.Request.Header.Add("X-Long", strings.Repeat("x", 10<<20))
		f.Request.SetBody([]byte(body))
		f.Request.Header.Add("Content-Type", "application/json")
		if e := explainAll(t, Options{}, f)[0]; e.Verdict == nil {
			t.Errorf("%s: no verdict", name)
		}
	}
}

func TestPanicIsAFindingAboutUs(t *testing.T) {
	f := exchange(1, 0, "POST", "/orders", 403, "{}")
	o := Options{Logs: func(*flow.Flow) []inspect.Line { panic("out of range") }}
	if e := explainAll(t, o, f)[0]; !e.Refused || e.Verdict == nil || !strings.Contains(e.Verdict.Summary, "out of range") || !strings.Contains(e.Verdict.NextStep, "not of the server") {
		t.Errorf("got %+v", e.Verdict)
	}
}

// A large source is explained part by part; what came before in it is history still.
func TestEachInParts(t *testing.T) {
	old := exchange(1, 0, "POST", "/orders", 201, "{}")
	old.Request.Header.Add("Authorization", "Bearer abc")
	n := 0
	err := Each(context.Background(), func(yield func(*flow.Flow) error) error {
		for i := range partFlows + 2 {
			f := exchange(flow.ID(i+1), time.Duration(i)*time.Millisecond, "POST", "/other", 201, "")
			switch i {
			case partFlows - 1:
				f = old
				f.ID, f.Times.Start = flow.ID(i+1), start.Add(time.Duration(i)*time.Millisecond)
			case partFlows + 1:
				f = exchange(flow.ID(i+1), time.Duration(i)*time.Millisecond, "POST", "/orders", 403, `{"error":"forbidden"}`)
			}
			if err := yield(f); err != nil {
				return err
			}
		}
		return nil
	}, Options{}, func(e inspect.Explained) error {
		if n++; e.ID != flow.ID(n) {
			t.Fatalf("flow %d is told as number %d", e.ID, n)
		}
		if e.Refused && (e.ComparedWith == nil || e.ComparedWith.ID != partFlows) {
			t.Errorf("got %+v", e)
		}
		return nil
	})
	if err != nil || n != partFlows+2 {
		t.Errorf("%d flows, error %v", n, err)
	}
}

func TestContract(t *testing.T) {
	d, err := openapi.Load([]byte(`{"openapi":"3.1.0","servers":[{"url":"https://api.test"}],"paths":{"/orders":{"post":{"parameters":[{"name":"X-Tenant","in":"header","required":true}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	other, err := openapi.Load([]byte(`{"openapi":"3.0.0","servers":[{"url":"https://else.test"}],"paths":{"/a":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Contract: FromOpenAPI([]*openapi.Doc{other, d})}
	f := exchange(1, 0, "POST", "/orders", 403, "")
	if e := explainAll(t, o, f)[0]; e.Verdict.Cause != inspect.MissingHeader || !strings.Contains(e.Verdict.Summary, "X-Tenant") {
		t.Errorf("got %+v", e.Verdict)
	}
	f.Request.Header.Add("X-Tenant", "a")
	if e := explainAll(t, o, f)[0]; e.Verdict.Cause == inspect.MissingHeader {
		t.Errorf("got %+v", e.Verdict)
	}
}

func TestLogsOption(t *testing.T) {
	f := exchange(1, 0, "POST", "/orders", 403, `{"error":"forbidden"}`)
	at := start.Format("2006/01/02 15:04:05")
	sources := []logs.Source{{Label: "nginx", Lines: []string{
		at + ` [error] 1#1: *1 access forbidden by rule, client: 10.0.0.1, server: x, request: "POST /orders HTTP/1.1", host: "api.test"`,
		at + ` [error] 1#1: *2 directory index of "/w/" is forbidden, client: 10.0.0.1, server: x, request: "GET /w/ HTTP/1.1", host: "api.test"`,
	}}}
	e := explainAll(t, Options{Logs: FromLogs(sources)}, f)[0]
	if e.Verdict.Cause != inspect.PolicyDeny || e.Verdict.Vendor != "nginx" || e.Verdict.Evidence[0].Where != "log:nginx:1" {
		t.Errorf("got %+v", e.Verdict)
	}
}

// BenchmarkFile is a HAR of 10,000 flows, a tenth of them refused.
func BenchmarkFile(b *testing.B) {
	var flows []*flow.Flow
	for i := range 10_000 {
		status, body := 200, `{"items":[{"id":1,"name":"tea"}]}`
		if i%10 == 0 {
			status, body = 403, `{"error":"forbidden"}`
		}
		f := exchange(flow.ID(i+1), time.Duration(i)*100*time.Millisecond, "POST", fmt.Sprintf("/v1/orders/%d", i%50), status, body)
		f.Request.Header.Add("Authorization", "Bearer abc")
		flows = append(flows, f)
	}
	for b.Loop() {
		if _, err := Flows(context.Background(), flows, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
