package inspect_test

import (
	"context"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/explain"
)

// FuzzExplain: whatever comes over the network, there is an answer, no panic,
// and every quotation is verbatim.
func FuzzExplain(f *testing.F) {
	f.Add("POST", "/a?token=x", "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", `{"a":1}`, uint16(403), "Content-Type: application/json", `{"error":"token expired"}`)
	f.Add("GET", "/", "Cookie: csrftoken=1", "", uint16(401), "WWW-Authenticate: Bearer error=\"invalid_token\"", "<title>x</title><p>csrf")
	f.Add("POST", "/x/../y", "X-Amz-Date: 20260602T101530Z", "<a/>", uint16(200), "grpc-status: 7", "\xff\xfe<")
	f.Add("OPTIONS", "*", "Origin: null", "a=b&c=%zz", uint16(422), "Retry-After: -1", "{\"a\":{\"b\":[null,1e999]}}")
	f.Fuzz(func(t *testing.T, method, target, reqHeader, reqBody string, status uint16, respHeader, respBody string) {
		fl := &flow.Flow{ID: 2, Scheme: "https", Authority: "api.test"}
		fl.Request = &flow.Message{Proto: "HTTP/1.1", Method: method, Target: target, Header: header(reqHeader)}
		fl.Request.SetBody([]byte(reqBody))
		fl.Response = &flow.Message{Proto: "HTTP/1.1", Status: int(status), Header: header(respHeader)}
		fl.Response.SetBody([]byte(respBody))
		good := *fl
		good.ID = 1
		good.Request = fl.Request.Clone()
		good.Request.Header.Set("Authorization", "Bearer good")
		good.Response = &flow.Message{Status: 201}
		got, err := explain.Flows(context.Background(), []*flow.Flow{&good, fl}, explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := got[1]
		if e.Refused != (e.Verdict != nil) {
			t.Fatalf("refused %v, verdict %v", e.Refused, e.Verdict)
		}
		if e.Verdict != nil && strings.Contains(e.Verdict.Summary, "why403's own rule") {
			t.Fatal(e.Verdict.Summary)
		}
		for _, c := range e.Candidates {
			if strings.Contains(c.Summary, "why403's own rule") {
				t.Fatal(c.Summary)
			}
		}
		if len(fl.Response.Header) == 0 || !fl.Response.Header.Has("Content-Encoding") {
			checkEvidence(t, "fuzz", e, fl, []*flow.Flow{&good, fl}, nil)
		}
	})
}

func header(s string) (h flow.Header) {
	for l := range strings.SplitSeq(s, "\n") {
		if n, v, ok := strings.Cut(l, ":"); ok && n != "" {
			h.Add(strings.TrimSpace(n), strings.TrimSpace(v))
		}
	}
	return h
}
