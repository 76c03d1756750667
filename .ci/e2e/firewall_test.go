//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// attacks are requests that a fresh installation of the Core Rule Set refuses.
var attacks = []asked{
	{"POST", "/sql-in-a-form", []string{formType}, "name=x%27+OR+1%3D1--+-", false},
	{"POST", "/sql-in-json", []string{jsonType}, `{"q":"1 UNION SELECT username, password FROM users--"}`, false},
	{"GET", "/sql-in-the-query?id=1%20AND%20SLEEP(5)", nil, "", false},
	{"POST", "/script-in-json", []string{jsonType}, `{"html":"<p>hi</p><script src=/a.js></script>"}`, false},
	{"POST", "/script-in-a-cookie", []string{formType, "Cookie: theme=<script>alert(1)</script>"}, "a=1", false},
	{"POST", "/path", []string{formType}, "file=../../../../etc/passwd", false},
	{"POST", "/command", []string{formType}, "cmd=;cat /etc/passwd", false},
	{"POST", "/php", []string{formType}, "tpl=%3C%3Fphp+echo+1%3B+%3F%3E", false},
	{"POST", "/log4j", []string{formType}, "name=${jndi:ldap://127.0.0.1/a}", false},
	{"POST", "/scanner", []string{jsonType, "User-Agent: sqlmap/1.7"}, `{"a":1}`, false},
	{"PATCH", "/method", []string{jsonType}, `{"a":1}`, false},
	{"POST", "/type", []string{"Content-Type: application/x-protobuf"}, "abc", false},
	{"POST", "/charset", []string{"Content-Type: application/json; charset=utf-7"}, `{"a":1}`, false},
	{"POST", "/config.php.bak", []string{formType}, "a=1", false},
}

// TestTheSimulatedFirewallAgreesWithARealOne sends attacks through the proxy to Apache with ModSecurity:
// the rules that its log names are among those that the simulation finds, with their bytes.
func TestTheSimulatedFirewallAgreesWithARealOne(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // Apache's workers write into it
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	t.Cleanup(backend.Close)
	port := freePort(t)
	conf := fill(t, dir, "firewall.apache.conf", &origin{address: strings.TrimPrefix(backend.URL, "http://")}, port)
	listens(t, start(t, exec.Command("apache2", "-X", "-f", conf)), fmt.Sprintf("127.0.0.1:%d", port))

	env := home(t)
	session := filepath.Join(dir, "firewall.why403")
	c := startCapture(t, env, "--session", session, "--log", "apache="+filepath.Join(dir, "firewall-error.log"))
	send := sendThrough(t, c)
	base := fmt.Sprintf("http://localhost:%d", port)
	if status := send(base, asked{"POST", "/fine", []string{jsonType}, anOrder, false}, strings.NewReplacer()); status != http.StatusCreated {
		t.Fatalf("a harmless request is answered %d", status)
	}
	for i, a := range attacks {
		if status := send(base, a, strings.NewReplacer()); status != http.StatusForbidden {
			t.Errorf("%s is answered %d", a.path, status)
		}
		waitUntil(t, "the line of "+a.path, func() bool { return c.count() == i+2 })
	}
	c.stop()

	var report struct {
		Flows []struct {
			URL     string
			Refused bool
			Verdict struct {
				Vendor, Cause, Summary string
				Evidence               []struct{ Where, Quote string }
			}
			Logs []struct{ Text string }
			WAF  struct {
				Score, Threshold int
				Hits             []struct {
					Rule         int
					Level        int `json:"paranoia_level"`
					Where, Quote string
				}
			}
		}
	}
	r := run(t, env, program, "explain", "--format", "json", "--reveal", session)
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	ruleID := regexp.MustCompile(`\[id "(9\d{5})"\]`)
	seen := 0
	for _, f := range report.Flows {
		if !f.Refused {
			continue
		}
		seen++
		var named, simulated []int
		for _, l := range f.Logs {
			for _, m := range ruleID.FindAllStringSubmatch(l.Text, -1) {
				if n, _ := strconv.Atoi(m[1]); n < 949000 && !slices.Contains(named, n) { // from there on it is the score
					named = append(named, n)
				}
			}
		}
		for _, h := range f.WAF.Hits {
			if h.Level == 1 && !slices.Contains(simulated, h.Rule) {
				simulated = append(simulated, h.Rule)
			}
		}
		both := slices.DeleteFunc(slices.Clone(named), func(n int) bool { return !slices.Contains(simulated, n) })
		t.Logf("%s: the log names %v, simulated %v; %s", f.URL, named, simulated, f.Verdict.Summary)
		switch {
		case len(named) == 0:
			t.Errorf("%s: no rule is named in its lines: %+v", f.URL, f.Logs)
		case len(both) == 0 || f.WAF.Score < f.WAF.Threshold:
			t.Errorf("%s: the log names %v, the simulation %v with a score of %d", f.URL, named, simulated, f.WAF.Score)
		case f.Verdict.Vendor != "modsecurity" || !strings.Contains(f.Verdict.Summary, "run here, agrees: rule "):
			t.Errorf("%s: %s by %s: %s", f.URL, f.Verdict.Cause, f.Verdict.Vendor, f.Verdict.Summary)
		}
		for _, h := range f.WAF.Hits { // the bytes stand beside the log line
			if slices.Contains(both, h.Rule) && h.Quote != "" && !slices.ContainsFunc(f.Verdict.Evidence, func(e struct{ Where, Quote string }) bool { return strings.HasPrefix(e.Where, "request.") }) {
				t.Errorf("%s: the verdict quotes nothing of the request: %+v", f.URL, f.Verdict.Evidence)
				break
			}
		}
	}
	if seen != len(attacks) {
		t.Errorf("%d of %d are explained\n%v", seen, len(attacks), r)
	}
}
