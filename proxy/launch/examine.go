package launch

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// State is how a check came out.
type State string

// The states. Bad is what keeps traffic from being seen; Note is worth knowing.
const (
	Good State = "good"
	Note State = "note"
	Bad  State = "bad"
)

// Check is one thing that was looked at.
type Check struct {
	Subject string // port, running, leftovers, environment, client
	State   State
	Text    string
	Mend    string // what to do, "" for nothing
}

// Examine looks at what clients on this machine would meet: the usual port, who
// runs, what was left behind (which it removes), and what in the environment
// and in clients' own settings is stronger than our variables.
func Examine(ctx context.Context, port uint16, env []string, home string) (all []Check) {
	all = append(all, examinePort(ctx, port))
	for _, i := range Instances(Places()...) {
		if len(i.Addresses) > 0 {
			all = append(all, Check{"running", Good, fmt.Sprintf("%s, process %d, on %s", i.Kind, i.PID, strings.Join(i.Addresses, " ")), ""})
		}
	}
	all = append(all, examinePlaces()...)
	all = append(all, examineEnvironment(lookup(env))...)
	return append(all, examineClients(ctx, home)...)
}

func examinePort(ctx context.Context, port uint16) Check {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	l, err := net.Listen("tcp", addr)
	if err == nil {
		_ = l.Close()
		return Check{"port", Good, addr + " is free", ""}
	}
	if Answers(ctx, addr) {
		return Check{"port", Good, addr + " is a why403", ""}
	}
	text := addr + " cannot be listened on: " + cause(err)
	if who := Holder(port); who != "" {
		text = addr + " is held by " + who
	}
	return Check{"port", Note, text, "give why403 another one: --listen 127.0.0.1:0"}
}

// cause is an error of the network without the address.
func cause(err error) string {
	if at := strings.LastIndex(err.Error(), ": "); at >= 0 {
		return err.Error()[at+2:]
	}
	return err.Error()
}

func examinePlaces() (all []Check) {
	for _, path := range Sweep(Places()...) {
		all = append(all, Check{"leftovers", Note, "removed " + path + ", left behind by a process that was killed", ""})
	}
	for _, dir := range Places() {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if runtime.GOOS != "windows" && (info.Mode().Perm()&0o077 != 0 || !ownedByUs(info)) {
			all = append(all, Check{"leftovers", Bad, fmt.Sprintf("%s has mode %04o: others could put files there", dir, info.Mode().Perm()), "chmod 700 " + dir})
		}
	}
	if len(all) == 0 {
		all = append(all, Check{"leftovers", Good, "none", ""})
	}
	return all
}

// examineEnvironment finds what is at odds with being seen through.
func examineEnvironment(env map[string]string) (all []Check) {
	note := func(text, mend string) { all = append(all, Check{"environment", Note, text, mend}) }
	if p := env["WHY403_CHILD_PROXY"]; p != "" {
		addr := strings.TrimPrefix(p, "http://")
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			_ = c.Close()
			note("this shell sends its traffic to "+p, "")
		} else {
			all = append(all, Check{"environment", Bad, "this shell sends its traffic to " + p + ", where nobody listens", "call why403_off, or open a new shell"})
		}
	} else if p := first(env, "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"); p != "" {
		note("a proxy is set ("+withoutLogin(p)+")", "run and env go through it in turn; nothing to do")
	}
	for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"} {
		if path := env[name]; path != "" && len(readPEM(path)) == 0 {
			all = append(all, Check{"environment", Bad, name + " names " + path + ", which cannot be read: its clients trust nobody", "unset " + name})
		}
	}
	if env["NODE_TLS_REJECT_UNAUTHORIZED"] == "0" {
		note("NODE_TLS_REJECT_UNAUTHORIZED=0: Node verifies no certificate", "unset it: with run or env it trusts ours anyway")
	}
	if env["REQUEST_METHOD"] != "" {
		note("REQUEST_METHOD is set: Go and Ruby take that for CGI and refuse HTTP_PROXY", "unset REQUEST_METHOD")
	}
	if len(all) == 0 {
		all = append(all, Check{"environment", Good, "nothing in the way", ""})
	}
	return all
}

func first(env map[string]string, names ...string) string {
	for _, name := range names {
		if env[name] != "" {
			return env[name]
		}
	}
	return ""
}

// withoutLogin is a URL without user and password.
func withoutLogin(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	return scheme + rest[strings.LastIndexByte(rest, '@')+1:]
}

// trustOf tells, of programs that are not asked, how run and env make them use the proxy and trust it.
var trustOf = []struct{ program, how string }{
	{"curl", "takes the proxy and CURL_CA_BUNDLE from the environment"},
	{"wget", "gets the certificates by a WGETRC of ours with yours in it"},
	{"git", "takes the proxy and GIT_SSL_CAINFO from the environment; ssh:// goes through no HTTP proxy"},
	{"python3", "takes SSL_CERT_FILE, requests and pip theirs; http.client and aiohttp get the proxy by a sitecustomize"},
	{"go", "programs take SSL_CERT_FILE; to localhost they use no proxy: call app.localhost instead"},
	{"ruby", "takes SSL_CERT_FILE; for loopback it gets the proxy by RUBYOPT"},
	{"php", "gets proxy and certificates by an ini file"},
	{"perl", "takes the proxy (PERL_LWP_ENV_PROXY) and PERL_LWP_SSL_CA_FILE from the environment"},
	{"cargo", "takes the proxy and CARGO_HTTP_CAINFO from the environment"},
	{"deno", "takes the proxy and DENO_CERT from the environment"},
	{"bun", "takes the proxy and NODE_EXTRA_CA_CERTS from the environment"},
	{"dotnet", "takes the proxy and, on Linux, SSL_CERT_FILE from the environment (not tried)"},
}

// lookWithin is how long one client may take to tell of itself.
const lookWithin = 5 * time.Second

// examineClients looks at the runtimes and clients on this machine: which of
// them need what, and whose own settings are stronger than the environment.
func examineClients(ctx context.Context, home string) (all []Check) {
	add := func(s State, text, mend string) { all = append(all, Check{"client", s, text, mend}) }
	output := func(name string, args ...string) string {
		if _, err := exec.LookPath(name); err != nil {
			return ""
		}
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		out, _ := exec.CommandContext(ctx, name, args...).Output()
		return strings.TrimSpace(string(out))
	}
	if v := output("node", "--version"); v != "" {
		how := "takes the proxy from the environment (NODE_USE_ENV_PROXY)"
		if nodeNeedsShim(v) {
			how = "ignores the proxy of the environment: run and env preload a script"
		}
		add(Good, "node "+v+" "+how, "")
	}
	if java := FindJava(); java != "" {
		n := len(javaRoots(java))
		if n == 0 {
			add(Note, "java in "+java+": its own trust store cannot be read", "what it trusts beyond the system's roots is not trusted in run")
		} else {
			add(Good, fmt.Sprintf("java in %s: gets its %d certificates and ours as a trust store", java, n), "")
		}
	}
	for _, c := range trustOf {
		if _, err := exec.LookPath(c.program); err == nil {
			add(Good, c.program+" "+c.how, "")
		}
	}
	if p := output("git", "config", "--get", "http.proxy"); p != "" {
		add(Bad, "git has a proxy of its own, which is stronger than the environment: http.proxy="+withoutLogin(p), "git -c http.proxy= …, or git config --unset http.proxy")
	}
	if text := readPEM(filepath.Join(home, ".curlrc")); bytes.Contains(text, []byte("proxy")) {
		add(Note, "~/.curlrc names a proxy, which is stronger than the environment", "curl -q … leaves it out")
	}
	if text := readPEM(filepath.Join(home, ".wgetrc")); bytes.Contains(text, []byte("use_proxy")) {
		add(Note, "~/.wgetrc has use_proxy, which may keep wget from the proxy", "wget -e use_proxy=on …")
	}
	if text := readPEM(filepath.Join(home, ".npmrc")); bytes.Contains(text, []byte("proxy")) {
		add(Good, "~/.npmrc names a proxy; run and env overrule it", "")
	}
	var names []string
	for _, b := range Browsers() {
		if !slices.Contains(names, b.Name) {
			names = append(names, b.Name)
		}
	}
	if len(names) > 0 {
		add(Good, "browsers: "+strings.Join(names, ", "), "")
	}
	return all
}

// nodeNeedsShim reports whether a Node of this version ("v20.20.2") cannot take
// the proxy from the environment for all its clients (it can from 22.21 and 24.5 on).
func nodeNeedsShim(version string) bool {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	switch {
	case err != nil || err2 != nil:
		return false
	case a == 22:
		return b < 21
	case a == 24:
		return b < 5
	}
	return a < 24
}
