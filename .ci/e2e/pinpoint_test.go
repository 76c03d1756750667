//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asked is a request of a scenario.
type asked struct {
	method, path string
	fields       []string // "Name: value"; Host is where it stands
	body         string
	h2           bool
}

// deciding is a server's rule, seen from outside: a request that it refuses, one that it
// accepts, which differ in more than that, and what of the difference decides.
type deciding struct {
	name     string
	server   string // nginx, apache, django, go
	refused  asked
	accepted asked
	decides  []string // "part name" of each change of the smallest fix
}

// Fields and bodies by which the two requests of a scenario differ beside what decides.
var (
	oneClient     = []string{"User-Agent: Mozilla/5.0 shop/1.4", "X-Client-Build: 1187", "Accept-Language: de", "Cookie: theme=dark; visits=3"}
	anotherClient = []string{"User-Agent: Mozilla/5.0 shop/1.5", "X-Client-Build: 1203", "Accept-Language: en", "X-Device: tablet", "Cookie: theme=light; visits=9; seen=1"}
)

const (
	anOrder      = `{"item":"tea","qty":2,"note":"now"}`
	anotherOrder = `{"item":"coffee","qty":3,"note":"later","gift":true}`
	jsonType     = "Content-Type: application/json"
	formType     = "Content-Type: application/x-www-form-urlencoded"
)

// post makes the two requests of a rule about fields, with and without those that decide.
func post(name, server, path string, bad, good []string, decides ...string) deciding {
	return deciding{name, server,
		asked{"POST", path, slices.Concat(oneClient, []string{jsonType}, bad), anOrder, false},
		asked{"POST", path, slices.Concat(anotherClient, []string{jsonType}, good), anotherOrder, false}, decides}
}

// with is d with other paths or bodies.
func (d deciding) with(change func(bad, good *asked)) deciding {
	change(&d.refused, &d.accepted)
	return d
}

func bodies(bad, good string) func(*asked, *asked) {
	return func(b, g *asked) { b.body, g.body = bad, good }
}
func paths(bad, good string) func(*asked, *asked) {
	return func(b, g *asked) { b.path, g.path = bad, good }
}

func forms(bad, good string) func(*asked, *asked) {
	return func(b, g *asked) {
		b.body, g.body = bad, good
		for _, a := range []*asked{b, g} {
			a.fields = append(slices.DeleteFunc(a.fields, func(f string) bool { return f == jsonType }), formType)
		}
	}
}

// rules are those of the servers. @TOKEN@ and @COOKIE@ are of Django's page.
var rules = []deciding{
	post("user agent", "nginx", "/browsers", []string{"User-Agent: curl/8.5.0"}, nil, "header User-Agent"),
	post("referer", "nginx", "/embed", []string{"Referer: https://evil.test/"}, []string{"Referer: https://shop.test/cart"}, "header Referer"),
	post("no referer", "nginx", "/embed", nil, []string{"Referer: https://shop.test/cart"}, "header Referer"),
	post("method", "nginx", "/reports", nil, nil, "method ").with(func(_, g *asked) { g.method, g.body = "GET", "" }),
	post("path", "nginx", "", nil, nil, "path ").with(paths("/internal/orders", "/orders")),
	post("basic, missing", "nginx", "/basic", nil, []string{"Authorization: Basic YWxpY2U6c2VjcmV0"}, "header Authorization"),
	post("basic, wrong", "nginx", "/basic", []string{"Authorization: Basic YWxpY2U6d3Jvbmc="}, []string{"Authorization: Basic YWxpY2U6c2VjcmV0"}, "header Authorization"),
	post("query", "nginx", "", nil, nil, "query token").with(paths("/signed?page=1&token=old&sort=up", "/signed?page=2&token=t-93ac&lang=en")),
	post("query, missing", "nginx", "", nil, nil, "query token").with(paths("/signed?page=1&sort=up", "/signed?page=2&token=t-93ac&lang=en")),
	post("cookie", "nginx", "/beta", []string{"Cookie: theme=dark; stage=alpha; visits=3"}, []string{"Cookie: theme=light; stage=beta; visits=9"}, "cookie stage"),
	post("content type", "nginx", "/typed", []string{"Content-Type: text/plain"}, nil, "header Content-Type"),
	post("origin", "nginx", "/cors", []string{"Origin: https://evil.test"}, []string{"Origin: https://shop.test"}, "header Origin"),
	post("body's size", "nginx", "/small", nil, nil, "json $.note").with(bodies(`{"item":"tea","qty":2,"note":"`+strings.Repeat("x", 300)+`"}`, anotherOrder)),
	post("version of HTTP", "nginx", "/newer", nil, nil, "proto ").with(func(_, g *asked) { g.h2 = true }),
	post("key and tenant", "nginx", "/tenants", []string{"X-Api-Key: k-old", "X-Tenant: red"}, []string{"X-Api-Key: k-5d1f0c", "X-Tenant: blue"}, "header X-Api-Key", "header X-Tenant"),
	post("script's mark", "nginx", "/scripts", nil, []string{"X-Requested-With: XMLHttpRequest"}, "header X-Requested-With"),
	post("language", "nginx", "/languages", []string{"Accept-Language: tlh"}, nil, "header Accept-Language"),
	post("unknown host", "nginx", "/orders", []string{"Host: evil.test"}, nil, "header Host"),

	post("bot", "apache", "/bots", []string{"User-Agent: BadBot/1.0"}, nil, "header User-Agent"),
	post("role", "apache", "/roles", []string{"X-Role: reader"}, []string{"X-Role: admin"}, "header X-Role"),
	post("method, and what the new one may not have", "apache", "/read", nil, nil, "body ", "method ").with(func(_, g *asked) { g.method, g.body = "GET", "" }),
	post("not the user", "apache", "/books", []string{"Authorization: Basic Ym9iOnNlY3JldA=="}, []string{"Authorization: Basic YWxpY2U6c2VjcmV0"}, "header Authorization"),
	post("content type", "apache", "/typed", []string{"Content-Type: text/plain"}, nil, "header Content-Type"),
	post("a switch in the query", "apache", "", nil, nil, "query debug").with(paths("/debug?page=1&debug=1", "/debug?page=2&lang=en")),
	post("CRS, SQL in JSON", "apache", "/orders", nil, nil, "json $.note").with(bodies(`{"item":"tea","qty":2,"note":"1' OR '1'='1' UNION SELECT password FROM users--"}`, anotherOrder)),
	post("CRS, script in a form", "apache", "/orders", nil, nil, "form note").with(forms("item=tea&qty=2&note=%3Cscript%3Ealert(document.cookie)%3C%2Fscript%3E", "item=coffee&qty=3&note=later")),
	post("CRS, path traversal", "apache", "", nil, nil, "query file").with(paths("/files?page=1&file=../../../../etc/passwd", "/waf/files?page=2&file=a.txt")),
	post("CRS, scanner", "apache", "/orders", []string{"User-Agent: sqlmap/1.7#stable (https://sqlmap.org)"}, nil, "header User-Agent"),
	post("CRS, PHP", "apache", "/orders", nil, nil, "form note").with(forms("item=tea&qty=2&note=%3C%3Fphp%20system(%24_GET%5B1%5D)%3B%20%3F%3E", "item=coffee&qty=3&note=later")),

	post("CSRF token missing", "django", "/orders", []string{"Cookie: theme=dark; csrftoken=@COOKIE@"}, []string{"Cookie: theme=light; csrftoken=@COOKIE@", "X-CSRFToken: @TOKEN@"}, "header X-CSRFToken"),
	post("CSRF token wrong", "django", "/orders", []string{"Cookie: theme=dark; csrftoken=@COOKIE@", "X-CSRFToken: " + strings.Repeat("x", 32)}, []string{"Cookie: theme=light; csrftoken=@COOKIE@", "X-CSRFToken: @TOKEN@"}, "header X-CSRFToken"),
	post("CSRF cookie missing", "django", "/orders", []string{"Cookie: theme=dark"}, []string{"Cookie: theme=light; csrftoken=@COOKIE@", "X-CSRFToken: @TOKEN@"}, "cookie csrftoken", "header X-CSRFToken"),
	post("behind TLS without a referer", "django", "/orders", []string{"X-Forwarded-Proto: https", "Cookie: csrftoken=@COOKIE@", "X-CSRFToken: @TOKEN@"},
		[]string{"X-Forwarded-Proto: https", "Cookie: csrftoken=@COOKIE@", "X-CSRFToken: @TOKEN@", "Referer: https://@HOST@/shop"}, "header Referer"),

	post("cross-site", "go", "/orders", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"}, []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors"}, "header Sec-Fetch-Site"),
	post("another origin", "go", "/orders", []string{"Origin: https://evil.test"}, []string{"Origin: http://@HOST@"}, "header Origin"),
}

// TestPinpointFindsWhatRealServersDecideBy records, for each rule of a real server, a request that
// it refuses and one that it accepts, and lets the experiment find what decides.
func TestPinpointFindsWhatRealServersDecideBy(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // Apache's workers read the passwords
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ca := makeCA(t, dir)
	servers := startRefusals(t, dir)
	env := home(t)
	session := filepath.Join(dir, "rules.why403")
	c := startCapture(t, env, "--session", session, "--upstream-ca", ca)
	send := sendThrough(t, c)
	token, cookie := djangosToken(t, servers["django"])

	var ids [][2]int // refused, accepted
	for i, d := range rules {
		host := strings.TrimPrefix(servers[d.server], "http://")
		fill := strings.NewReplacer("@TOKEN@", token, "@COOKIE@", cookie, "@HOST@", host)
		if status := send(servers[d.server], d.accepted, fill); status >= 400 {
			t.Fatalf("%s, %s: what it should accept is answered %d", d.server, d.name, status)
		}
		if status := send(servers[d.server], d.refused, fill); status < 400 {
			t.Fatalf("%s, %s: what it should refuse is answered %d", d.server, d.name, status)
		}
		ids = append(ids, [2]int{2*i + 2, 2*i + 1})
	}
	waitUntil(t, "the last exchange", func() bool { return c.count() == 2*len(rules) })
	c.stop()

	found, requests := 0, 0
	for i, d := range rules {
		args := []string{"pinpoint", session, fmt.Sprint(ids[i][0]), "--success", fmt.Sprint(ids[i][1]),
			"--spacing", "0", "--session", "none", "--upstream-ca", ca, "--format", "json"}
		if len(d.decides) > 1 {
			args = append(args, "--sure") // several are proven so alone
		}
		r := run(t, env, program, args...)
		var got struct {
			Outcome  string
			Requests int
			Reason   string
			Fixes    []struct{ Part, Name string }
		}
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Errorf("%s, %s: %s", d.server, d.name, r)
			continue
		}
		var fixes []string
		for _, f := range got.Fixes {
			fixes = append(fixes, f.Part+" "+f.Name)
		}
		slices.Sort(fixes)
		right := got.Outcome == "proven" && slices.EqualFunc(fixes, d.decides, strings.EqualFold)
		t.Logf("%-7s %-42s %-12s %2d requests %q", d.server, d.name, got.Outcome, got.Requests, fixes)
		if requests += got.Requests; right {
			found++
		} else {
			t.Logf("    want %q: %s", d.decides, got.Reason)
		}
	}
	t.Logf("%d of %d found and proven, %.1f requests each", found, len(rules), float64(requests)/float64(len(rules)))
	if found*100 < 90*len(rules) {
		t.Errorf("%d of %d found, want nine in ten", found, len(rules))
	}
}

// startRefusals starts the servers and gives their URLs.
func startRefusals(t *testing.T, dir string) map[string]string {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(backend.Close)
	o := &origin{address: strings.TrimPrefix(backend.URL, "http://")}
	// alice and bob have the password "secret" ({SHA} of RFC 2307).
	passwords := "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
	if err := os.WriteFile(filepath.Join(dir, "htpasswd"), []byte(passwords), 0o644); err != nil {
		t.Fatal(err)
	}
	urls := map[string]string{}
	port := freePort(t)
	urls["nginx"] = fmt.Sprintf("https://localhost:%d", port)
	listens(t, start(t, exec.Command("nginx", "-p", dir, "-c", fill(t, dir, "refusals.nginx.conf", o, port))), fmt.Sprintf("127.0.0.1:%d", port))
	port = freePort(t)
	urls["apache"] = fmt.Sprintf("http://localhost:%d", port)
	listens(t, start(t, exec.Command("apache2", "-X", "-f", fill(t, dir, "refusals.apache.conf", o, port))), fmt.Sprintf("127.0.0.1:%d", port))
	urls["django"] = "http://" + startDjango(t, dir)
	guard := httptest.NewServer(http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })))
	t.Cleanup(guard.Close)
	urls["go"] = guard.URL
	return urls
}

// djangosToken gets a CSRF token with its cookie, directly. For scripts they are the same.
func djangosToken(t *testing.T, base string) (token, cookie string) {
	t.Helper()
	r, err := http.Get(base + "/shop")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	m := regexp.MustCompile(`csrftoken=([^;]+)`).FindStringSubmatch(r.Header.Get("Set-Cookie"))
	if m == nil {
		t.Fatalf("no CSRF cookie: %v", r.Header)
	}
	return m[1], m[1]
}

// sendThrough gives what sends a request through the proxy and tells the status of its answer.
func sendThrough(t *testing.T, c *capture) func(base string, a asked, fill *strings.Replacer) int {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read(t, c.ca))
	proxy := &url.URL{Scheme: "http", Host: c.address}
	transports := map[bool]*http.Transport{}
	for _, h2 := range []bool{false, true} {
		tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2, DisableCompression: true}
		if !h2 {
			tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		transports[h2] = tr
		t.Cleanup(tr.CloseIdleConnections)
	}
	return func(base string, a asked, fill *strings.Replacer) int {
		t.Helper()
		q, err := http.NewRequest(a.method, base+a.path, strings.NewReader(fill.Replace(a.body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.fields {
			name, value, _ := strings.Cut(fill.Replace(f), ": ")
			if q.Header.Set(name, value); name == "Host" {
				q.Host = value
			}
		}
		r, err := transports[a.h2].RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
}
