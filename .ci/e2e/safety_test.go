//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// furnished is a home with files of a user that clients read, and the environment for it.
// Temporary files have a folder of their own.
func furnished(t *testing.T) (dir string, env []string) {
	t.Helper()
	env = home(t)
	dir = strings.TrimPrefix(env[0], "HOME=")
	for name, text := range map[string]string{
		".curlrc": "silent\n", ".wgetrc": "timeout = 20\n", ".npmrc": "fund=false\n", ".gitconfig": "[user]\n\tname = me\n", ".bashrc": "PS1='$ '\n",
		".config/fish/config.fish": "set -g a b\n", "project/package.json": "{}\n", ".pip/pip.conf": "[global]\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tmp", ".pki/nssdb"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if r := run(t, env, "certutil", "-N", "-d", "sql:"+filepath.Join(dir, ".pki/nssdb"), "--empty-password"); r.code != 0 {
		t.Fatal(r)
	}
	return dir, append(env, "TMPDIR="+filepath.Join(dir, "tmp"), "PYTHONDONTWRITEBYTECODE=1")
}

// snapshot has the mode, and of files the content, of all below the folders. Our own folders are left out.
func snapshot(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // it went meanwhile
			}
			if d.IsDir() && d.Name() == "why403" {
				return fs.SkipDir
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			text := info.Mode().String()
			if info.Mode().IsRegular() {
				b, err := os.ReadFile(path)
				if err != nil {
					return nil
				}
				text += fmt.Sprintf(" %x", sha256.Sum256(b))
			}
			all[path] = text
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// systemsTrust are the folders in which systems keep what is trusted.
var systemsTrust = []string{"/etc/ssl", "/usr/local/share/ca-certificates", "/etc/ca-certificates"}

// TestNothingOutsideOurFoldersIsChanged uses run, env and browser and compares the user's
// files, the temporary folder and the stores of certificates before and after.
func TestNothingOutsideOurFoldersIsChanged(t *testing.T) {
	o := startMarkers(t)
	dir, env := furnished(t)
	places := append([]string{dir}, systemsTrust...)
	for _, name := range []string{"state", "config", "data", "cache", "run"} { // made by others, too: they are no trace
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, places...)
	same := func(what string) {
		t.Helper()
		after := snapshot(t, places...)
		for path, was := range before {
			if after[path] != was {
				t.Errorf("%s: %s was %q, is %q", what, path, was, after[path])
			}
		}
		for path := range after {
			if _, there := before[path]; !there {
				t.Errorf("%s: %s is new", what, path)
			}
		}
	}
	get := o.https + "/https/safe"
	script := `curl -fsS "$1" && python3 -c 'import sys,urllib.request as u; u.urlopen(sys.argv[1]).read()' "$1" && ` +
		`node -e 'fetch(process.argv[1]).then(r=>r.text())' "$1" && wget -qO- "$1"`
	if r := run(t, env, program, "run", "--upstream-ca", o.ca, "--", "sh", "-c", script, "sh", get); r.code != 0 {
		t.Fatal(r)
	}
	same("run")

	proxy := startCapture(t, env, "--upstream-ca", o.ca)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell", "cmd"} {
		if r := run(t, env, program, "env", "--shell", shell); r.code != 0 {
			t.Fatal(r)
		}
	}
	if r := run(t, env, program, "env", "--docker"); r.code != 0 {
		t.Fatal(r)
	}
	if r := run(t, env, "bash", "-c", `eval "$("$0" env)"; curl -fsS "$1"; why403_off`, program, get); r.code != 0 {
		t.Fatal(r)
	}
	same("env")
	for name, args := range browsers(t) {
		if r := run(t, env, program, append([]string{"browser", "--browser", name, get, "--"}, args...)...); r.code != 0 || name == "chromium" && !strings.Contains(r.out, o.marker("https/safe")) {
			t.Fatal(r)
		}
		same("browser " + name)
	}
	proxy.stop()
	same("the end of the proxy")
	if left := leftInRunFolders(dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// leftInRunFolders are the files that lie where those for clients are laid.
func leftInRunFolders(home string) (left []string) {
	for _, place := range []string{"state/why403/run", "run/why403"} {
		_ = filepath.WalkDir(filepath.Join(home, place), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				left = append(left, path)
			}
			return nil
		})
	}
	return left
}

// TestWhatAKillLeavesIsSwept kills a browser's why403, and doctor removes what it left.
func TestWhatAKillLeavesIsSwept(t *testing.T) {
	o := startMarkers(t)
	dir, env := furnished(t)
	for _, name := range []string{"state", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	startCapture(t, env, "--session", "none", "--upstream-ca", o.ca)
	// The browser stays until it is ended: the group is the test's own to end.
	cmd := exec.Command(program, "browser", o.https+"/https/kill", "--", "--headless=new", "--remote-debugging-port=0")
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setpgid: true}
	said, err := os.Create(filepath.Join(dir, "said")) // a file: the browser outlives its parent, and would keep a pipe open
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	p := start(t, cmd)
	group := cmd.Process.Pid
	t.Cleanup(func() { _ = syscall.Kill(-group, syscall.SIGKILL) })
	var folder string
	waitUntil(t, "the browser's profile", func() bool {
		if p.ended() {
			t.Fatalf("it ended at once: %s", read(t, said.Name()))
		}
		found, _ := filepath.Glob(filepath.Join(dir, "*/why403*/run/"+strconv.Itoa(group)+"/profile/Default"))
		more, _ := filepath.Glob(filepath.Join(dir, "run/why403/"+strconv.Itoa(group)+"/profile/Default"))
		if found = append(found, more...); len(found) > 0 {
			folder = filepath.Dir(filepath.Dir(found[0]))
		}
		return folder != ""
	})
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the profile: %v, %v", info, err)
	}
	p.kill()
	_ = syscall.Kill(-group, syscall.SIGKILL) // and the browser with it
	waitUntil(t, "the end of the browser", func() bool { return !lives(group) })
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("nothing was left by the kill, this shows nothing: %v", err)
	}
	r := run(t, env, program, "doctor")
	if !strings.Contains(r.out, "left behind by a process that was killed") {
		t.Errorf("doctor does not say it: %s", r)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Errorf("%s is still there", folder)
	}
}

// lives reports whether a process of a group does, and is not merely unburied (proc(5), stat).
func lives(group int) bool {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		b, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(group) {
			return true
		}
	}
	return false
}

// TestSecretsAreInNoListOfProcesses looks at the command lines of all processes while secrets are
// given in every way that does not stand on a command line of the user's, and used.
func TestSecretsAreInNoListOfProcesses(t *testing.T) {
	const password, token = "pw-5b1e77c0", "tok-93f1d2aa"
	o := startMarkers(t)
	dir, env := furnished(t)
	login := filepath.Join(dir, "login")
	if err := os.WriteFile(login, []byte("me:"+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	upstream := startCapture(t, env, "--session", "none", "--proxy-auth", "@"+login, "--upstream-ca", o.ca)
	through := append(env, "HTTPS_PROXY=http://me:"+password+"@"+upstream.address, "SSL_CERT_FILE="+upstream.ca, "TOKEN="+token)
	seen := make(chan string, 1)
	stop := make(chan struct{})
	looks := 0
	go func() {
		found := ""
		for {
			select {
			case <-stop:
				seen <- found
				return
			case <-time.After(2 * time.Millisecond):
				looks++
				for _, line := range commandLines() {
					if strings.Contains(line, password) || strings.Contains(line, token) {
						found = line
					}
				}
			}
		}
	}()
	session := filepath.Join(dir, "s.why403")
	// The command itself takes its secret from a file, as a careful user's does.
	r := run(t, through, program, "run", "--session", session, "--upstream-ca", upstream.ca, "--", "sh", "-c",
		`printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" | curl -fsS --config - "$1"; sleep 0.2`, "sh", o.https+"/https/ps")
	if r.code != 0 || r.out != o.marker("https/ps") {
		t.Fatal(r)
	}
	// What is sent again, and what the system's curl is asked to send.
	refused := startRefuser(t)
	r = run(t, through, program, "run", "--alone", "--session", session+"2", "--", "sh", "-c",
		`printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" | curl -sS --config - -X POST "$1"`, "sh", refused+"/x")
	if r.code != 0 {
		t.Fatal(r)
	}
	for _, args := range [][]string{
		{"replay", session + "2", "1", "--upstream", "none", "--session", "none"},
		{"pinpoint", session + "2", "1", "--is-it-me", "--spacing", "0", "--upstream", "none", "--session", "none"},
	} {
		if r := run(t, env, program, args...); r.code > 1 || strings.Contains(r.out+r.errOut, token) {
			t.Errorf("%v: %s", args, r)
		}
	}
	close(stop)
	if found := <-seen; found != "" || looks < 10 {
		t.Errorf("after %d looks: %q", looks, found)
	}
}

// commandLines are those of all processes (proc(5)).
func commandLines() (lines []string) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		b, _ := os.ReadFile(name)
		lines = append(lines, strings.ReplaceAll(string(b), "\x00", " "))
	}
	return lines
}
