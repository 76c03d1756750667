package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/vendors"
	"github.com/why403/why403/inspect/waf"
)

const (
	attack = `{"note":"1 UNION SELECT name, password FROM users--"}`
	nginx  = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

// posted is a POST with a JSON body, and an answer with these fields.
func posted(id flow.ID, body string, status int, answer string, fields ...string) *flow.Flow {
	f := exchange(id, time.Duration(id)*time.Second, "POST", "/orders", status, answer)
	f.Request.Header.Add("User-Agent", "curl/8.5.0")
	f.Request.Header.Add("Content-Type", "application/json")
	f.Request.SetBody([]byte(body))
	f.Response.Header = nil
	for i := 0; i < len(fields); i += 2 {
		f.Response.Header.Add(fields[i], fields[i+1])
	}
	return f
}

func TestAFirewallIsSimulatedWhereItCanMatter(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      *flow.Flow
		loaded bool
	}{
		{"the answer says why", posted(1, attack, 403, `{"detail":"CSRF Failed: CSRF token missing."}`, "Content-Type", "application/json"), false},
		{"the application says no more than no", posted(1, attack, 403, `{"error":"forbidden"}`, "Content-Type", "application/json"), false},
		{"accepted", posted(1, attack, 201, `{}`, "Content-Type", "application/json"), false},
		{"the page of a server, and nothing striking", posted(1, `{"note":"two cups of tea","qty":2}`, 403, nginx, "Server", "nginx", "Content-Type", "text/html"), false},
		{"the page of a server", posted(1, attack, 403, nginx, "Server", "nginx", "Content-Type", "text/html"), true},
		{"nothing at all", posted(1, attack, 403, ""), true},
		{"a firewall's mark", posted(1, `{"a":1}`, 403, "", "X-Sucuri-Block", "XSS123", "Server", "Sucuri/Cloudproxy"), true},
	} {
		var e waf.Engine
		got := explainAll(t, Options{WAF: &e}, c.f)[0]
		if e.Loaded() != c.loaded || (got.WAF != nil) != c.loaded {
			t.Errorf("%s: loaded is %v, the result %+v", c.name, e.Loaded(), got.WAF)
		}
		e.Close()
	}
	var e waf.Engine
	defer e.Close()
	plain := posted(1, `{"a":1}`, 403, `{"detail":"CSRF Failed: CSRF token missing."}`, "Content-Type", "application/json")
	if got := explainAll(t, Options{WAF: &e, WAFAlways: true}, plain)[0]; got.WAF == nil || len(got.WAF.Hits) > 0 || got.Verdict.Cause != inspect.CSRFMissing {
		t.Errorf("always: %+v", got.WAF)
	}
}

// What left no mark is not blamed, however the request looks.
func TestWithoutAMarkNoFirewallIsNamed(t *testing.T) {
	var e waf.Engine
	defer e.Close()
	apache := "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>403 Forbidden</title>\n</head><body>\n<h1>Forbidden</h1>\n<p>You don't have permission to access this resource.</p>\n</body></html>\n"
	bodies := map[string]string{
		"SQL": attack, "a script": `{"html":"<script>alert(1)</script>"}`, "a path": `{"file":"../../etc/passwd"}`, "Log4j": `{"n":"${jndi:ldap://192.0.2.1/a}"}`,
	}
	for name, answer := range map[string][]string{
		"nginx":   {nginx, "Server", "nginx", "Content-Type", "text/html"},
		"apache":  {apache, "Server", "Apache/2.4.57 (Debian)", "Content-Type", "text/html; charset=iso-8859-1"},
		"nothing": {""},
		"a word":  {"Forbidden", "Content-Type", "text/plain"},
		"a page":  {"<html><body><h1>403 Forbidden</h1></body></html>", "Content-Type", "text/html"},
	} {
		for what, body := range bodies {
			for _, compared := range []bool{false, true} {
				flows := []*flow.Flow{posted(2, body, 403, answer[0], answer[1:]...)}
				if compared {
					flows = append(flows, posted(1, `{"note":"fine"}`, 201, `{}`, "Content-Type", "application/json"))
				}
				got := explainAll(t, Options{WAF: &e}, flows...)[0]
				suspected := false
				for i, v := range append([]inspect.Verdict{*got.Verdict}, got.Candidates...) {
					suspected = suspected || v.Cause == inspect.WAFRule
					if v.Layer == "cdn-waf" || v.Vendor != "" && vendors.ByID(string(v.Vendor)).Layer == "cdn-waf" {
						t.Errorf("%s, %s: %s %s by %s %s: %s", name, what, v.Confidence, v.Cause, v.Layer, v.Vendor, v.Summary)
					}
					if v.Cause == inspect.WAFRule && (v.Confidence != flow.Possible || i == 0 && !compared) {
						t.Errorf("%s, %s: it stands at %d, %s: %s", name, what, i, v.Confidence, v.Summary)
					}
				}
				if !suspected || !strings.Contains(got.Verdict.NextStep, "Core Rule Set") && !strings.Contains(got.Verdict.NextStep, "ModSecurity or Coraza") {
					t.Errorf("%s, %s: it is no possibility and no next step: %+v", name, what, got.Verdict)
				}
			}
		}
	}
}

// A rule that fires for the accepted request as well explains nothing.
func TestWhatTheAcceptedRequestHasIsNoReason(t *testing.T) {
	var e waf.Engine
	defer e.Close()
	refused := posted(2, `{"note":"1 UNION SELECT name, password FROM users--","qty":3}`, 403, nginx, "Server", "nginx", "Content-Type", "text/html")
	got := explainAll(t, Options{WAF: &e}, refused, posted(1, `{"note":"1 UNION SELECT name, password FROM users--","qty":2}`, 201, `{}`, "Content-Type", "application/json"))[0]
	if got.WAF == nil || got.WAF.Accepted == nil || got.WAF.Accepted.ID != 1 || len(got.WAF.Own(1)) > 0 || got.WAF.Score < got.WAF.Threshold {
		t.Fatalf("got %+v", got.WAF)
	}
	for _, v := range append([]inspect.Verdict{*got.Verdict}, got.Candidates...) {
		if v.Cause == inspect.WAFRule || strings.Contains(v.NextStep, "Core Rule Set") {
			t.Errorf("got %+v", v)
		}
	}
}

func TestAFailedSimulationIsOurFault(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none") // where Coraza wants to be able to write
	var e waf.Engine
	defer e.Close()
	got := explainAll(t, Options{WAF: &e}, posted(1, attack, 403, nginx, "Server", "nginx", "Content-Type", "text/html"))[0]
	if got.Verdict.Cause != inspect.UnknownCause || got.Verdict.Vendor != "nginx" {
		t.Errorf("the verdict is %+v", got.Verdict)
	}
	if n := len(got.Candidates); n == 0 || !strings.Contains(got.Candidates[n-1].Summary, "simulation of a firewall failed") || !strings.Contains(got.Candidates[n-1].NextStep, "fault of why403") {
		t.Errorf("got %+v", got.Candidates)
	}
}

// The verdict does not wait until the rules are loaded; what they say comes on top.
func TestWorkerSimulatesInTheBackground(t *testing.T) {
	s := workWith(t, Options{WAF: new(waf.Engine)})
	id := play(t, s, 0, 0, "POST /orders HTTP/1.1\nHost: shop.test\nUser-Agent: curl/8.5.0\nContent-Type: application/json\n\n"+attack, "403 Forbidden\nServer: nginx\nContent-Type: text/html\n\n"+nginx)
	e := until(t, s, id, "the simulation", func(e inspect.Explained) bool { return e.WAF != nil })
	if e.Verdict.Cause != inspect.UnknownCause || len(e.WAF.Hits) == 0 || len(e.Candidates) == 0 || e.Candidates[0].Cause != inspect.WAFRule || e.Candidates[0].Fix == nil {
		t.Errorf("got %+v", e)
	}
}

// A file of refusals does not run the rules for each.
func TestSimulationsAreRationed(t *testing.T) {
	var e waf.Engine
	defer e.Close()
	var flows []*flow.Flow
	for i := range maxSimulated + 3 {
		flows = append(flows, posted(flow.ID(i+1), attack, 403, nginx, "Server", "nginx", "Content-Type", "text/html"))
	}
	n := 0
	for _, x := range explainAll(t, Options{WAF: &e}, flows...) {
		if x.WAF != nil {
			n++
		}
	}
	if n != maxSimulated {
		t.Errorf("%d are simulated, want %d", n, maxSimulated)
	}
	r := newRation(1, time.Hour)
	o := Options{WAF: &e}
	first := r.with(o).WAF
	r.used(&inspect.Explained{WAF: &inspect.Simulation{}})
	second := r.with(o).WAF
	r.since = time.Now().Add(-2 * time.Hour)
	if third := r.with(o).WAF; first == nil || second != nil || third == nil {
		t.Errorf("got %v, %v, %v", first, second, third)
	}
	r.used(&inspect.Explained{WAF: &inspect.Simulation{}})
	if always := r.with(Options{WAF: &e, WAFAlways: true}).WAF; always == nil {
		t.Error("all are asked for, and not all are simulated")
	}
}

// What merely differs from the accepted request stands behind what firewalls look for.
func TestWhatIsFlaggedStandsBeforeWhatDiffers(t *testing.T) {
	var e waf.Engine
	defer e.Close()
	refused := posted(2, attack, 403, nginx, "Server", "nginx", "Content-Type", "text/html")
	accepted := posted(1, `{"note":"later","gift":true}`, 201, `{}`, "Content-Type", "application/json")
	accepted.Request.Header.Set("User-Agent", "Mozilla/5.0")
	got := explainAll(t, Options{WAF: &e}, refused, accepted)[0]
	if v := got.Verdict; v.Cause != inspect.WAFRule || v.Confidence != flow.Possible || v.Layer != "web-server" || v.Fix == nil || !v.Fix.Test || len(got.Candidates) < 2 {
		t.Errorf("got %+v", got.Verdict)
	}
}
