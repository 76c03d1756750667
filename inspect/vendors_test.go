package inspect

import (
	"regexp"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// layers are those of the taxonomy.
var layers = []Name{layerClient, layerNetworkProxy, layerCDN, layerLoadBalancer, layerWebServer, layerAPIGateway, layerAIGateway, layerIdentity, layerKubernetes, layerApp, layerDatabase, layerFilesystem}

// TestVendorFiles checks what the parser cannot know: causes, layers, sources, and the transcripts.
func TestVendorFiles(t *testing.T) {
	if err := vendors.Check(); err != nil {
		t.Fatal(err)
	}
	for _, v := range vendors.All() {
		t.Run(v.ID, func(t *testing.T) {
			if !Any(layers...)(Name(v.Layer)) {
				t.Errorf("layer %q is none", v.Layer)
			}
			if len(v.Decisions)+len(v.Answered) == 0 && len(v.CSRF) == 0 {
				t.Error("says nothing")
			}
			for _, d := range v.Decisions {
				if causeByID[Name(d.Cause)] == nil || d.Cause == string(UnknownCause) {
					t.Errorf("decision %q is no cause", d.Cause)
				}
				if d.From == "" {
					t.Errorf("decision %s: %q names no source", d.Cause, d.Say)
				}
				if d.Layer != "" && !Any(layers...)(Name(d.Layer)) {
					t.Errorf("decision %s: layer %q is none", d.Cause, d.Layer)
				}
				if d.Other != "" && vendors.ByID(d.Other) == nil {
					t.Errorf("decision %s: vendor %q is none", d.Cause, d.Other)
				}
				if d.Unverified && (d.Confidence == "certain" || d.Checked != "") {
					t.Errorf("decision %s: %q is not found in its source, and is %s and checked %q", d.Cause, d.Say, d.Confidence, d.Checked)
				}
				if len(d.Conds) == 0 {
					t.Errorf("decision %s holds always", d.Cause)
				}
			}
			for _, x := range transcripts(t, v) {
				t.Run(x.name, func(t *testing.T) { x.run(t, v) })
			}
		})
	}
}

// transcript is an example at the end of a vendor's file.
type transcript struct {
	name, cause string
	parts       []string // request, response, log lines
}

var transcriptHead = regexp.MustCompile(`(?m)^-- (.+): ([a-z0-9-]+) --$`)

func transcripts(t *testing.T, v *vendors.Vendor) []transcript {
	var out []transcript
	at := transcriptHead.FindAllStringSubmatchIndex(v.Examples, -1)
	for i, m := range at {
		end := len(v.Examples)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		x := transcript{name: v.Examples[m[2]:m[3]], cause: v.Examples[m[4]:m[5]]}
		x.parts = strings.Split("\n"+v.Examples[m[1]+1:end], "\n--\n")
		if len(x.parts) < 2 {
			t.Errorf("%s: wants a request and, after a line of --, a response", x.name)
			continue
		}
		out = append(out, x)
	}
	if v.Examples != "" && len(out) == 0 {
		t.Error("has examples that cannot be read")
	}
	return out
}

// run tests that the product's decision is found, and that the whole of the rules comes to the same cause.
func (x transcript) run(t *testing.T, v *vendors.Vendor) {
	f := &flow.Flow{ID: 1, Times: flow.Timings{Start: now}}
	readRequest(t, f, strings.TrimPrefix(x.parts[0], "\n"))
	f.Response = readResponse(x.parts[1])
	c := Case{Flow: f, Now: Now(f)}
	if len(x.parts) > 2 {
		for i, l := range strings.Split(strings.TrimSuffix(x.parts[2], "\n"), "\n") {
			c.Logs = append(c.Logs, Line{Label: "log", N: i + 1, Time: now, Text: l, Tied: "request"})
		}
	}
	byStatus := flow.RefusedByStatus(f.Response.Status)
	whole := c.exchange()
	glance := &vendors.Exchange{Request: whole.Request, Response: whole.Response, URL: whole.URL, Host: whole.Host, Path: whole.Path,
		Body: whole.Body, Lower: whole.Lower, RequestBody: whole.RequestBody, Cookie: whole.Cookie, Logs: whole.Logs}
	if hits := vendors.Decisions(whole, byStatus); len(hits) > 0 && !vendors.MayDecide(glance, byStatus) {
		t.Errorf("%s of %s holds, and a glance rules it out", hits[0].Cause, hits[0].Vendor.ID)
	}
	e, _ := Explain(c)
	if x.cause == "none" {
		if e.Verdict != nil && string(e.Verdict.Vendor) == v.ID && e.Verdict.Cause != UnknownCause {
			t.Errorf("blames %s for %s: %s", v.ID, e.Verdict.Cause, e.Verdict.Summary)
		}
		return
	}
	if e.Verdict == nil {
		t.Fatal("is not taken for refused")
	}
	if string(e.Verdict.Cause) != x.cause {
		t.Errorf("cause %s, want %s: %s", e.Verdict.Cause, x.cause, e.Verdict.Summary)
	}
}

// A glance must rule nearly everything out, else it is of no use.
func TestAGlanceRulesOutOrdinaryAnswers(t *testing.T) {
	for _, c := range []struct{ name, media, body string }{
		{"json", "application/json", `{"id":17,"status":"open","items":[{"sku":"A1","count":2}],"message":"order placed"}`},
		{"page", "text/html", "<!doctype html><html><head><title>Shop</title></head><body><h1>Welcome</h1><p>Sign in to see your orders.</p></body></html>"},
		{"text", "text/plain", "ok\n"},
		{"nothing", "", ""},
	} {
		x := &vendors.Exchange{
			Request: &flow.Message{Method: "GET", Target: "/orders"}, URL: "https://shop.test/orders", Host: "shop.test", Path: "/orders",
			Response: &flow.Message{Status: 200, Header: flow.Header{{Name: "Server", Value: "nginx"}, {Name: "Content-Type", Value: c.media}, {Name: "CF-RAY", Value: "8f0e1-FRA"}}},
			Body:     c.body, Lower: vendors.Lower(c.body),
		}
		if vendors.MayDecide(x, false) {
			t.Errorf("%s is looked at more closely", c.name)
		}
	}
}
