package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// loginShop wants the session of the newest login.
func loginShop(t *testing.T) (host string, flows []*flow.Flow) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if c, err := q.Cookie("sid"); err != nil || c.Value != "new-session-4711" {
			w.WriteHeader(403)
			io.WriteString(w, `{"error":"session expired","retry":false}`)
			return
		}
		w.WriteHeader(201)
		io.WriteString(w, `{"order":1}`)
	}))
	t.Cleanup(s.Close)
	host = strings.TrimPrefix(s.URL, "http://")
	at := time.Now().Add(-time.Hour)
	one := func(method, path, cookie string, status int, body string) *flow.Flow {
		f := refusedOrder(flow.ID(len(flows)+1), at.Add(time.Duration(len(flows))*time.Minute))
		f.Scheme, f.Authority, f.Request.Method, f.Request.Target = "http", host, method, path
		f.Request.Header = flow.Header{{Name: "Host", Value: host}, {Name: "User-Agent", Value: "app"}, {Name: "Cookie", Value: cookie}}
		f.Response = &flow.Message{Proto: "HTTP/1.1", Status: status, Reason: http.StatusText(status)}
		say(f.Response, "application/json", body)
		flows = append(flows, f)
		return f
	}
	one("POST", "/orders", "lang=en; sid=old-session-4711", 403, `{"error":"session expired","retry":true}`)
	one("POST", "/login", "lang=en", 200, "{}").Response.Header.Add("Set-Cookie", "sid=new-session-4711; Path=/")
	return host, flows
}

func TestReplayTellsWhatIsOther(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	host, flows := loginShop(t)
	har := inHAR(t, t.TempDir(), flows...)
	status, out, errs := command(t, "replay", har, "1", "--session", "none")
	if status != 0 || !strings.Contains(out, "403 -> 403 Forbidden") || !strings.Contains(out, "answer: json $.retry: true -> false") {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	status, out, errs = command(t, "replay", har, "1", "--session", "none", "--newest-cookies", "-n", "3", "--spacing", "0")
	if status != 0 || !strings.Contains(errs, "cookie sid from #2") || strings.Count(out, "403 -> 201 Created") != 3 || !strings.Contains(out, "3 sent: 3 × 201") || strings.Count(out, "$.order") != 1 {
		t.Errorf("%d %s\n%s", status, errs, out)
	}
	status, out, _ = command(t, "replay", har, "1", "--session", "none", "--newest-cookies", "--format", "json")
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil || status != 0 || a.Was != 403 || a.Status != 201 || a.Error != nil || len(a.Changes) == 0 {
		t.Errorf("%d %v\n%s", status, err, out)
	}
	status, _, errs = command(t, "replay", inHAR(t, t.TempDir(), flows[0]), "1", "--newest-cookies")
	if status != 1 || !strings.Contains(errs, "sets a cookie") {
		t.Errorf("without a login: %d %s", status, errs)
	}

	flows[0].Authority = "shop.test"
	flows[0].Request.Header.Set("Host", "shop.test")
	status, out, errs = command(t, "replay", inHAR(t, t.TempDir(), flows...), "1", "--session", "none", "--to", "http://"+host, "--header", "Cookie: sid=new-session-4711")
	if status != 0 || !strings.Contains(out, "403 -> 201 Created") {
		t.Errorf("to another host: %d %s\n%s", status, errs, out)
	}
	for _, args := range [][]string{{"--to", "http://a.test/path"}, {"--to", "a.test", "--url", "http://a.test/"}, {"--format", "xml"}, {"-n", "0"}} {
		if status, _, errs := command(t, append([]string{"replay", har, "1"}, args...)...); status != 2 {
			t.Errorf("%v: %d %s", args, status, errs)
		}
	}
}

// TestReplayGoesThroughTheProxyOfTheEnvironment, which is not the one that the shell sends its clients to us by.
func TestReplayGoesThroughTheProxyOfTheEnvironment(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	asked := make(chan string, 10)
	company := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- q.RequestURI
		w.WriteHeader(204)
	}))
	defer company.Close()
	f := refusedOrder(1, time.Now())
	f.Scheme, f.Authority = "http", "shop.test"
	har := inHAR(t, t.TempDir(), f)
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
	}{
		{"by the flag", nil, []string{"--upstream", company.URL}},
		{"by the environment", map[string]string{"HTTPS_PROXY": company.URL}, nil},
		{"in a shell of ours", map[string]string{"HTTPS_PROXY": "http://127.0.0.1:9", "WHY403_CHILD_PROXY": "http://127.0.0.1:9", "WHY403_CHILD_UPSTREAM": company.URL}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			status, out, errs := command(t, append([]string{"replay", har, "1", "--yes", "--session", "none"}, c.args...)...)
			if status != 0 || !strings.Contains(out, "403 -> 204") {
				t.Fatalf("%d %s\n%s", status, errs, out)
			}
			if got := <-asked; got != "http://shop.test/orders" {
				t.Errorf("the proxy was asked for %q", got)
			}
		})
	}
}

func TestHowAReplayWentOtherwise(t *testing.T) {
	was, is := &flow.Flow{}, &flow.Flow{Altered: []string{"sent over HTTP/1.1 instead of HTTP/2.0"}}
	if got := strings.Join(otherwise(was, is), "; "); got != is.Altered[0] {
		t.Errorf("of a file that does not say how it went: %s", got)
	}
	was.Conn = flow.Conn{Origin: "192.0.2.1:443", Upstream: "http://proxy.test:3128", OriginTLS: &flow.TLS{Version: "TLS 1.3", Presented: "CN=me", JA4: "a"}}
	is.Conn = flow.Conn{Origin: "192.0.2.1:443", OriginTLS: &flow.TLS{Version: "TLS 1.2", JA4: "b"}}
	got := strings.Join(otherwise(was, is), "; ")
	for _, want := range []string{"sent directly, the original went through http://proxy.test:3128", "with no client certificate, the original had the client certificate CN=me", "over TLS 1.2", "hello b"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

// TestWhatIsSentAgainIsNotTheLastSession: "last" stays what was recorded.
func TestWhatIsSentAgainIsNotTheLastSession(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, flows := loginShop(t)
	if err := os.MkdirAll(session.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	recorded := inSession(t, session.Dir(), flows...)
	if status, _, errs := command(t, "replay", "last", "1"); status != 0 {
		t.Fatal(errs)
	}
	all, err := session.List(session.Dir())
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, in := range all {
		if (in.Path == recorded) != (in.Source == "") {
			t.Errorf("%s names %q as its source", filepath.Base(in.Path), in.Source)
		}
	}
	if name, err := sessionName("last"); err != nil || name != recorded {
		t.Errorf("last is %s, %v", name, err)
	}
}

func TestAFlowWhoseAddressIsElsewhereDoesNotStayHere(t *testing.T) {
	f := &flow.Flow{Scheme: "https", Authority: "localhost:8443"}
	if !staysHere(f) {
		t.Error("localhost")
	}
	f.Conn.Target = "192.0.2.7:8443"
	if staysHere(f) {
		t.Error("a recording that sends localhost elsewhere")
	}
	f.Authority, f.Conn.Target = "shop.test", "127.0.0.1:443"
	if staysHere(f) {
		t.Error("another host")
	}
}

// TestABodyIsToldOnce: a few lines of it, or the whole, not both.
func TestABodyIsToldOnce(t *testing.T) {
	text := "a"
	change := func(part flow.Place, name string) flow.Change {
		return flow.Change{Part: part, Name: name, Before: &text}
	}
	header, whole := change(flow.InHeader, "Server"), change(flow.InBody, "")
	line := func(n int) flow.Change { return change(flow.InBody, fmt.Sprintf("line %d", n)) }
	for _, c := range []struct {
		name     string
		is, want []flow.Change
	}{
		{"few lines", []flow.Change{header, whole, line(1), line(2)}, []flow.Change{header, line(1), line(2)}},
		{"many", []flow.Change{header, whole, line(1), line(2), line(3), line(4)}, []flow.Change{header, whole}},
		{"no lines", []flow.Change{header, whole}, []flow.Change{header, whole}},
		{"JSON", []flow.Change{change(flow.InJSON, "$.a")}, []flow.Change{change(flow.InJSON, "$.a")}},
	} {
		if got := bodyOnce(c.is); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestReplayMasksTheAnswer, and shows it when it is asked to.
func TestReplayMasksTheAnswer(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	const secret = "new-token-47110815abc"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "sid="+secret+"; Path=/")
		io.WriteString(w, `{"access_token":"`+secret+`","note":"it is `+secret+`"}`)
	}))
	defer s.Close()
	f := refusedOrder(1, time.Now().Add(-time.Hour))
	f.Scheme, f.Authority = "http", strings.TrimPrefix(s.URL, "http://")
	f.Request.Header.Set("Host", f.Authority)
	say(f.Response, "application/json", `{"access_token":"old-token-47110815abc","note":"it is"}`)
	har := inHAR(t, t.TempDir(), f)
	for _, form := range []string{"text", "json"} {
		args := []string{"replay", har, "1", "--session", "none", "--format", form}
		_, out, errs := command(t, args...)
		if strings.Contains(out+errs, "47110815") || !strings.Contains(out, "WHY403_SECRET_") {
			t.Errorf("%s: %s%s", form, out, errs)
		}
		if _, out, _ = command(t, append(args, "--reveal")...); !strings.Contains(out, secret) {
			t.Errorf("%s: it is not there when it is asked for: %s", form, out)
		}
	}
}
