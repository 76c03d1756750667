package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/export"
)

// guarded refuses what has no X-Token: it gives the address, and a flow that was refused there.
func guarded(t *testing.T) (*httptest.Server, *flow.Flow) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "let-me-in-4711-please" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(403)
			w.Write([]byte(`{"detail":"CSRF Failed: CSRF token missing."}`))
			return
		}
		w.WriteHeader(201)
	}))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	m := &flow.Message{Proto: "HTTP/1.1", Method: "POST", Target: "/orders?api_key=s3cr3tk3y4711", Header: flow.Header{{Name: "Host", Value: host},
		{Name: "User-Agent", Value: "x"}, {Name: "Accept", Value: "*/*"}, {Name: "Content-Type", Value: "application/json"}, {Name: "Content-Length", Value: "2"}}}
	m.SetBody([]byte("{}"))
	f := &flow.Flow{ID: 1, Scheme: "http", Authority: host, Request: m}
	f.Response = &flow.Message{Proto: "HTTP/1.1", Status: 403, Reason: "Forbidden", Header: flow.Header{{Name: "Content-Type", Value: "application/json"}}}
	f.Response.SetBody([]byte(`{"detail":"CSRF Failed: CSRF token missing."}`))
	return s, f
}

func command(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, stdio{in: strings.NewReader(""), out: &o, err: &e})
	return status, o.String(), e.String()
}

// file writes flows in a form, for a command to read.
func file(t *testing.T, form string, o export.Options, flows ...*flow.Flow) string {
	t.Helper()
	var b bytes.Buffer
	for _, f := range export.Formats {
		if f.Name == form {
			if err := export.Write(&b, f, flows, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	name := filepath.Join(t.TempDir(), "x."+form)
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAssert(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, f := guarded(t)
	har := file(t, "har", export.Options{Reveal: true}, f)
	status, text, errs := command(t, "export", har, "1", "--as", "test")
	if status != 0 || strings.Contains(text, "s3cr3tk3y4711") || !strings.Contains(text, `"cause": "csrf-missing"`) {
		t.Fatalf("%d %s\n%s", status, errs, text)
	}
	name := filepath.Join(t.TempDir(), "refused.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var suite export.Suite
	if err := json.Unmarshal([]byte(text), &suite); err != nil || len(suite.Tests[0].Request.Needs) != 1 {
		t.Fatalf("%v: %+v", err, suite)
	}
	if status, out, _ := command(t, "assert", name); status != 1 || !strings.Contains(out, "set WHY403_SECRET_") {
		t.Errorf("without its secret: %d\n%s", status, out)
	}
	t.Setenv(suite.Tests[0].Request.Needs[0], "s3cr3tk3y4711")
	if status, out, _ := command(t, "assert", name); status != 0 || !strings.Contains(out, "1 of 1 hold") {
		t.Errorf("it does not hold: %d\n%s", status, out)
	}
	status, out, _ := command(t, "assert", name, "--format", "junit")
	var x struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(out), &x); err != nil || status != 0 || x.Tests != 1 || x.Failures != 0 {
		t.Errorf("%d %v\n%s", status, err, out)
	}

	suite.Tests[0].Expect.Status = 201
	elsewhere := suite.Tests[0]
	elsewhere.Request.URL = "https://shop.test"
	suite.Tests = append(suite.Tests, elsewhere)
	data, _ := json.Marshal(suite)
	os.WriteFile(name, data, 0o600)
	status, out, _ = command(t, "assert", name, "--format", "json")
	if status != 1 || !strings.Contains(out, `"failures": 2`) || !strings.Contains(out, "answered 403, expected 201") || !strings.Contains(out, "--allow-host shop.test lets it") {
		t.Errorf("%d\n%s", status, out)
	}
}

func TestExportIsVerifiedByRunningIt(t *testing.T) {
	for _, p := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, f := guarded(t)
	har := file(t, "har", export.Options{Reveal: true}, f)
	if status, out, errs := command(t, "export", har, "1", "--as", "curl", "--verify"); status != 0 || !strings.HasPrefix(out, "# verified at ") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	f.Response.Status = 200
	har = file(t, "har", export.Options{Reveal: true}, f)
	if status, out, errs := command(t, "export", har, "1", "--as", "curl", "--verify"); status != 1 || out != "" || !strings.Contains(errs, "is not answered 200 but") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	if status, out, _ := command(t, "export", har, "1", "--as", "curl"); status != 0 || !strings.HasPrefix(out, "# not verified") {
		t.Errorf("%d\n%s", status, out)
	}
}

// TestExportIsVerifiedByReadingItBack: what no program runs is read back and sent.
func TestExportIsVerifiedByReadingItBack(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, f := guarded(t)
	har := file(t, "har", export.Options{Reveal: true}, f)
	f.Response.Status = 200
	other := file(t, "har", export.Options{Reveal: true}, f)
	for form, says := range map[string]string{"http": "# verified at ", "har": `"comment":"verified at `, "test": `"verified": "20`, "raw": "why403: verified", "raw-request": "why403: verified", "markdown": "# verified at "} {
		if form == "markdown" {
			for _, p := range []string{"sh", "curl"} {
				if _, err := exec.LookPath(p); err != nil {
					t.Skip(p + " is not installed")
				}
			}
		}
		status, out, errs := command(t, "export", har, "1", "--as", form, "--verify")
		if status != 0 || !strings.Contains(out+errs, says) || strings.Contains(out, "s3cr3tk3y4711") {
			t.Errorf("%s: %d %s\n%s", form, status, errs, out)
		}
		if form == "markdown" {
			continue // a flow that was answered 200 is in no report
		}
		if status, out, errs := command(t, "export", other, "1", "--as", form, "--verify"); status != 1 || out != "" || !strings.Contains(errs, "is not answered 200 but") {
			t.Errorf("%s of what is answered otherwise: %d %s\n%s", form, status, errs, out)
		}
		if strings.HasPrefix(form, "raw") {
			continue
		}
		if status, out, _ := command(t, "export", har, "1", "--as", form); status != 0 || !strings.Contains(out, "not verified") {
			t.Errorf("%s: %d\n%s", form, status, out)
		}
	}
}

func TestReplayOfWhatSomebodyWrote(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s, _ := guarded(t)
	for name, text := range map[string]string{
		"curl":  "curl '" + s.URL + "/orders' \\\n  -H 'X-Token: let-me-in-4711-please' --data-raw '{}'\n",
		".http": "### an order\nPOST " + s.URL + "/orders\nX-Token: let-me-in-4711-please\n\n{}\n",
	} {
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, out, errs := command(t, "replay", file, "1", "--session", "none"); status != 0 || !strings.Contains(out, "-> 201 Created") {
			t.Errorf("%s: %d %s\n%s", name, status, errs, out)
		}
	}
}

func TestPinpointCommand(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, f := guarded(t)
	good := *f
	good.ID, good.Request = 2, f.Request.Clone()
	good.Request.Header.Add("X-Token", "let-me-in-4711-please")
	good.Response = &flow.Message{Proto: "HTTP/1.1", Status: 201, Reason: "Created"}
	har := file(t, "har", export.Options{Reveal: true}, f, &good)

	status, out, errs := command(t, "pinpoint", har, "1", "--dry-run")
	if status != 0 || !strings.Contains(out, "at most") || !strings.Contains(out, "X-Token header") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	state := filepath.Join(t.TempDir(), "state.json")
	status, out, _ = command(t, "pinpoint", har, "1", "--spacing", "0", "--max", "3", "--state", state, "--session", "none")
	if status != 1 {
		t.Errorf("3 requests prove nothing: %d\n%s", status, out)
	}
	status, out, errs = command(t, "pinpoint", har, "1", "--spacing", "0", "--state", state, "--session", "none", "--format", "json")
	var r struct {
		Outcome  string     `json:"outcome"`
		Requests int        `json:"requests"`
		Accepted int        `json:"accepted"`
		Fixes    flow.Patch `json:"fixes"`
		Breaks   flow.Patch `json:"breaks"`
		Reason   string     `json:"reason"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 || r.Outcome != "proven" || len(r.Fixes) != 1 || r.Fixes[0].Name != "X-Token" || len(r.Breaks) != 1 || r.Reason == "" {
		t.Errorf("%d %v %s\n%s", status, err, errs, out)
	}
	if strings.Contains(out, "let-me-in-4711-please") {
		t.Errorf("a secret is in the result:\n%s", out)
	}
	status, out, errs = command(t, "pinpoint", har, "1", "--is-it-me", "--spacing", "0", "--session", "none")
	if status != 0 || !strings.Contains(out, "why403 over HTTP/1.1   403 refused") || !strings.Contains(out, "not-us: It is not how it is sent") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	status, _, errs = command(t, "pinpoint", har, "2")
	if status != 1 || !strings.Contains(errs, "was not refused") {
		t.Errorf("%d %s", status, errs)
	}
}

// TestPinpointTriesTheOtherVersion: a server that takes HTTP/2 alone is found out, over real connections.
func TestPinpointTriesTheOtherVersion(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			w.WriteHeader(403)
			w.Write([]byte("no"))
			return
		}
		w.WriteHeader(201)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	one := func(id flow.ID, proto string, status int) *flow.Flow {
		m := &flow.Message{Proto: proto, Method: "POST", Target: "/x", Header: flow.Header{{Name: "Host", Value: host}, {Name: "accept", Value: "*/*"}}}
		if proto == "HTTP/2.0" {
			m.Header = m.Header[1:]
		}
		f := &flow.Flow{ID: id, Scheme: "https", Authority: host, Request: m, Response: &flow.Message{Proto: proto, Status: status}}
		if status == 403 {
			f.Response.SetBody([]byte("no"))
		}
		return f
	}
	har := file(t, "har", export.Options{Reveal: true}, one(1, "HTTP/1.1", 403), one(2, "HTTP/2.0", 201))
	status, out, errs := command(t, "pinpoint", har, "1", "--success", "2", "--insecure", "--spacing", "0", "--session", "none")
	if status != 0 || !strings.Contains(out, "proven") || !strings.Contains(out, "version of HTTP") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	status, out, errs = command(t, "pinpoint", har, "1", "--is-it-me", "--insecure", "--spacing", "0", "--session", "none")
	if !strings.Contains(out, "protocol: The version of HTTP decides") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
}

// TestVerifyNamesWhatIsNotInstalled: an export that cannot be run is not told to be wrong.
func TestVerifyNamesWhatIsNotInstalled(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	dir := t.TempDir()
	if err := os.Symlink(sh, filepath.Join(dir, "sh")); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "python3"), []byte("#!"+sh+"\nexit 1\n"), 0o700); err != nil { // a Python without modules
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	f := refusedOrder(1, time.Now())
	f.Scheme, f.Authority = "http", "127.0.0.1:9"
	har := inHAR(t, t.TempDir(), f)
	for form, wanted := range map[string]string{"httpie": "HTTPie (http)", "httpx": "module httpx"} {
		status, out, errs := command(t, "export", har, "1", "--as", form, "--verify", "--reveal")
		if status != 1 || out != "" || !strings.Contains(errs, wanted+" is not installed, which is needed") {
			t.Errorf("%s: %d %s%s", form, status, out, errs)
		}
	}
}
