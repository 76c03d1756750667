//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// place is where a client sends its requests, and how.
type place struct {
	t     *testing.T
	env   []string
	url   string
	ca    string // what the client trusts
	proxy string // host:port, "" for none
}

// sender is a client with its requests.
type sender struct {
	name    string
	send    func(at place) string // what the client printed
	markers []string              // of bodies, to be found in the session
}

// TestAServerSeesWhatItWouldSeeWithoutTheProxy has real clients send the same
// requests directly and through the proxy. The origin compares the bytes; the
// client must see the same answers; and the session must hold the bodies.
func TestAServerSeesWhatItWouldSeeWithoutTheProxy(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	originCA := makeCA(t, dir)
	o := openOrigin(t, dir)
	urls := map[string]string{"http": o.plain, "https": o.secure, "nginx": startFrontNginx(t, dir, o), "apache": startFrontApache(t, dir, o)}
	env := home(t)
	session := filepath.Join(dir, "clients.why403")
	c := startCapture(t, env, "--session", session, "--upstream-ca", originCA)
	ca := filepath.Join(dir, "both.pem")
	if err := os.WriteFile(ca, append(read(t, originCA), read(t, c.ca)...), 0o644); err != nil {
		t.Fatal(err)
	}
	expected := map[string]int{} // URLs, without the query, to the requests for them
	var markers []string
	for _, s := range []struct {
		sender
		where []string
	}{
		{curl("--http1.1"), []string{"http", "https", "nginx", "apache"}},
		{curl("--http2"), []string{"nginx", "apache"}},
		{wget, []string{"http", "https"}},
		{python("requests"), []string{"http", "https", "nginx"}},
		{python("http.client"), []string{"http", "https", "apache"}},
		{python("urllib"), []string{"http", "https"}},
		{node("http"), []string{"http", "https", "nginx"}},
		{node("fetch"), []string{"http", "https"}},
		{golang(false), []string{"http", "https", "apache"}},
		{golang(true), []string{"nginx", "apache"}},
	} {
		for _, where := range s.where {
			t.Run(s.name+" to "+where, func(t *testing.T) {
				at := place{t, env, urls[where], ca, ""}
				o.requests()
				direct := s.send(at)
				want := o.requests()
				at.proxy = c.address
				through := s.send(at)
				got := o.requests()
				if comparable(direct) != comparable(through) {
					t.Errorf("the client saw\n%s\nand without the proxy\n%s", through, direct)
				}
				if len(want) == 0 || len(want) != len(got) {
					t.Fatalf("%d requests came, %d without the proxy", len(got), len(want))
				}
				for i := range want {
					g := got[i].raw
					if s.name == "wget" { // it sends this through the tunnel, to the server
						g = strings.Replace(g, "Proxy-Connection: Keep-Alive\r\n", "", 1)
					}
					if w, g := comparable(want[i].raw), comparable(g); w != g {
						t.Errorf("the server saw\n%q\nand without the proxy\n%q", g, w)
					}
				}
				markers = append(markers, s.markers...)
				expected[urls[where]] += len(got)
			})
		}
	}
	waitUntil(t, "the last exchange", func() bool {
		n := 0
		for _, of := range expected {
			n += of
		}
		return c.count() >= n
	})
	c.stop()
	entries := readSession(t, env, session)
	counted := map[string]int{}
	var bodies strings.Builder
	for _, e := range entries {
		u, _ := url.Parse(e.Request.URL)
		counted[u.Scheme+"://"+u.Host]++
		if e.Error != "" || len(e.Own.Altered) > 0 {
			t.Errorf("%s %s: error %q, altered %q", e.Request.Method, e.Request.URL, e.Error, e.Own.Altered)
		}
		bodies.WriteString(e.Request.PostData.content() + "\n")
	}
	for where, n := range expected {
		if counted[where] != n {
			t.Errorf("%d exchanges with %s are in the session, %d were made", counted[where], where, n)
		}
	}
	for _, m := range markers {
		if !strings.Contains(bodies.String(), m) {
			t.Errorf("no body in the session holds %q", m)
		}
	}
	t.Logf("%d exchanges compared", len(entries))
}

// random are the parts that clients draw by lot, and the time.
var random = regexp.MustCompile(`-{24}[0-9a-f]{16}|WebKitFormBoundary\w{16}|\b[0-9a-f]{32}\b|\b[0-9a-f]{60}\b|Sec-WebSocket-Key: [^\r]*|(?i:date: )[^\r]*`)

// comparable is a message with what differs from one run to the next made the same.
func comparable(raw string) string { return random.ReplaceAllString(raw, "RANDOM") }

// entry is what these tests look at of a HAR entry.
type entry struct {
	Request struct {
		Method   string
		URL      string
		PostData postData
	}
	Response struct{ Status int }
	Messages []socketMessage `json:"_webSocketMessages"`
	Error    string          `json:"_error"`
	Own      struct {
		Altered  []string
		Messages []struct{ Type, Kind, Data string }
	} `json:"_why403"`
}

type postData struct{ Text, Encoding string }

func (p postData) content() string {
	if p.Encoding != "base64" {
		return p.Text
	}
	b, _ := base64.StdEncoding.DecodeString(p.Text)
	return string(b)
}

type socketMessage struct {
	Type   string
	Opcode int
	Data   string
	Packed bool `json:"_packed"`
}

func (m socketMessage) String() string {
	text := m.Data
	if b, err := base64.StdEncoding.DecodeString(m.Data); err == nil && m.Opcode != 1 {
		text = string(b)
	}
	return fmt.Sprintf("%s %d %q", m.Type, m.Opcode, text)
}

// readSession gives what a session holds, by its export.
func readSession(t *testing.T, env []string, session string) []entry {
	t.Helper()
	r := run(t, env, program, "export", session, "--as", "har", "--reveal")
	if r.code != 0 {
		t.Fatalf("export: %s", r)
	}
	var har struct{ Log struct{ Entries []entry } }
	if err := json.Unmarshal([]byte(r.out), &har); err != nil {
		t.Fatal(err)
	}
	return har.Log.Entries
}

// curl sends what a person would try by hand, and what is odd.
func curl(version string) sender {
	return sender{"curl " + version, func(at place) string {
		out := ""
		for _, args := range [][]string{
			{"/get?x=%7E&&q=a+b"},
			{"/headers", "-H", "x-lower-case: 1", "-H", "X-B: 1", "-H", "X-A: 1", "-H", "X-B: 2", "-H", "User-Agent:", "-H", "X-Name: J\xfcrgen", "-H", "Via: 1.1 corp", "-H", "X-Forwarded-For: 10.9.8.7", "-H", "Empty;"},
			{"/post", "-H", "Content-Type: application/json", "-d", `{"marker":"curl-json"}`},
			{"/expect", "-H", "Expect: 100-continue", "-d", "marker=curl-expect"},
			{"/raw/a%2Fb/../c;v=1//d?q=%zz", "-X", "PATCH", "-d", "curl-path"},
			{"/zero", "-X", "POST", "-d", ""},
			{"/upload", "-T", "testdata/page.html"},
			{"/form", "-F", "marker=curl-form", "-F", "f=@testdata/page.html"},
			{"/head", "-I"},
			{"/delete", "-X", "DELETE"},
			{"/denied", "-d", "curl-denied"},
			{"/two", "--next", "-sS", "-g", "--path-as-is", version, "--cacert", at.ca, "-x", at.proxy, at.url + "/second"}, // on one connection
		} {
			proxy := []string{"-x", at.proxy, "--noproxy", ""}
			if at.proxy == "" {
				proxy = []string{"--noproxy", "*"}
				args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-x" || a == "" && args[0] == "/two" })
			}
			all := append([]string{"-sS", "-g", "--path-as-is", version, "--cacert", at.ca, "--suppress-connect-headers", "-w", " %{http_code} %{http_version}\n", at.url + args[0]}, proxy...)
			r := run(at.t, at.env, "curl", append(all, args[1:]...)...)
			if r.code != 0 {
				at.t.Errorf("curl %s: %s", args[0], r)
			}
			out += r.out
		}
		return out
	}, []string{"curl-json", "curl-expect", "curl-path", "curl-form", "curl-denied", "<!doctype html>"}}
}

var wget = sender{"wget", func(at place) string {
	out := ""
	for _, args := range [][]string{
		{"/get?x=%7E"}, {"/post", "--header=Content-Type: application/json", `--post-data={"marker":"wget-json"}`}, {"/put", "--method=PUT", "--body-data=wget-put"},
	} {
		all := []string{"-q", "-O", "-", "--no-hsts", "--ca-certificate=" + at.ca}
		if at.proxy != "" {
			all = append(all, "-e", "use_proxy=yes", "-e", "http_proxy="+at.proxy, "-e", "https_proxy="+at.proxy)
		}
		r := run(at.t, at.env, "wget", append(append(all, args[1:]...), at.url+args[0])...)
		if r.code != 0 {
			at.t.Errorf("wget %s: %s", args[0], r)
		}
		out += r.out + "\n"
	}
	return out
}, []string{"wget-json", "wget-put"}}

func python(kind string) sender {
	return sender{"Python " + kind, func(at place) string {
		args := []string{"testdata/client.py", kind, at.url}
		if at.proxy != "" {
			args = append(args, at.proxy)
		}
		return printed(at, "/usr/bin/python3", append(args, at.ca)...)
	}, []string{"python-json", "\x00\xffpython-bytes"}}
}

func node(kind string) sender {
	return sender{"Node " + kind, func(at place) string {
		args := []string{"testdata/client.cjs", kind, at.url, at.ca}
		if at.proxy != "" {
			args = append(args, at.proxy)
		}
		return printed(at, "node", args...)
	}, []string{"node-json", "\x00\xffnode-bytes"}}
}

func printed(at place, name string, args ...string) string {
	at.t.Helper()
	r := run(at.t, at.env, name, args...)
	if r.code != 0 {
		at.t.Errorf("%s %s: %s", name, args[0], r)
	}
	return r.out
}

// golang is net/http of the Go that builds the test.
func golang(h2 bool) sender {
	name := "Go"
	if h2 {
		name = "Go with HTTP/2"
	}
	return sender{name, func(at place) string {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(read(at.t, at.ca))
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2}
		if at.proxy != "" {
			transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: at.proxy})
		}
		defer transport.CloseIdleConnections()
		out := ""
		for _, c := range []struct {
			method, path string
			body         io.Reader
		}{
			{"GET", "/get?x=%7E", nil},
			{"POST", "/post", strings.NewReader(`{"marker":"go-json"}`)},
			{"POST", "/chunked", io.MultiReader(strings.NewReader("first "), strings.NewReader("go-chunked"))},
			{"PUT", "/put", bytes.NewReader([]byte("\x00\xffgo-bytes"))},
			{"DELETE", "/denied", nil},
			{"HEAD", "/head", nil},
		} {
			q, err := http.NewRequest(c.method, at.url+c.path, c.body)
			if err != nil {
				at.t.Fatal(err)
			}
			q.Header["x-lower"] = []string{"1"}
			r, err := transport.RoundTrip(q)
			if err != nil {
				at.t.Fatalf("%s %s: %v", c.method, c.path, err)
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			out += fmt.Sprintln(r.Proto, r.Status, string(body), err)
		}
		return out
	}, []string{"go-json", "go-chunked", "\x00\xffgo-bytes"}}
}

func startFrontNginx(t *testing.T, dir string, o *origin) string {
	t.Helper()
	port := freePort(t)
	conf := fill(t, dir, "front.nginx.conf", o, port)
	listens(t, start(t, exec.Command("nginx", "-p", dir, "-c", conf)), fmt.Sprintf("127.0.0.1:%d", port))
	return fmt.Sprintf("https://localhost:%d", port)
}

func startFrontApache(t *testing.T, dir string, o *origin) string {
	t.Helper()
	port := freePort(t)
	conf := fill(t, dir, "front.apache.conf", o, port)
	listens(t, start(t, exec.Command("apache2", "-X", "-f", conf)), fmt.Sprintf("127.0.0.1:%d", port))
	return fmt.Sprintf("https://localhost:%d", port)
}

// fill writes a configuration of testdata with the values of this test, and gives its name.
func fill(t *testing.T, dir, name string, o *origin, port int) string {
	t.Helper()
	conf := strings.NewReplacer("@DIR@", dir, "@PORT@", strconv.Itoa(port), "@ORIGIN@", o.address, "@MODULES@", "/usr/lib/apache2/modules").
		Replace(string(read(t, filepath.Join("testdata", name))))
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
