//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// twoLines is what every failure looks like: what went wrong, and what to do.
var twoLines = regexp.MustCompile(`\Awhy403: error: [^\n]*[^\n.]\nwhy403: hint: [^\n]+\n\z`)

// TestBadInputIsExplainedAndNothingOverwritten gives the program what it cannot use.
func TestBadInputIsExplainedAndNothingOverwritten(t *testing.T) {
	env, dir := home(t), t.TempDir()
	recorded, exported := recordOneRefusal(t, env, dir)
	file := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	session, har := read(t, recorded), read(t, exported)
	corrupt := append([]byte(nil), session...)
	for i := 100; i < len(corrupt); i += 3 {
		corrupt[i] ^= 0x5a // the first bytes, by which it is known as SQLite, stay
	}
	corruptFile := file("corrupt.why403", corrupt)
	cutFile := file("cut.why403", session[:len(session)/3])
	cutHAR := file("cut.har", har[:len(har)*2/3])
	noPEM := file("no.pem", []byte("not a certificate\n"))
	badCA := filepath.Join(dir, "ca")
	damageCA(t, env, badCA)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()

	before := digests(t, dir)
	for _, c := range []struct {
		name string
		args []string
		code int
		says string // a part of the two lines
	}{
		{"unknown flag", []string{"capture", "--frobnicate"}, 2, "--frobnicate"},
		{"unknown command", []string{"frobnicate"}, 2, "frobnicate"},
		{"unknown format", []string{"export", exported, "--as", "fax"}, 2, "fax"},
		{"filter that says nothing", []string{"capture", "--filter", "status:"}, 2, "--filter"},
		{"port in use", []string{"capture", "--listen", busy.Addr().String(), "--session", "none"}, 1, "--listen 127.0.0.1:0"},
		{"address that is not ours alone", []string{"capture", "--listen", "0.0.0.0:0", "--session", "none"}, 2, "loopback"},
		{"damaged CA", []string{"capture", "--listen", "127.0.0.1:0", "--session", "none", "--ca-dir", badCA}, 1, badCA},
		{"upstream CA that is none", []string{"capture", "--listen", "127.0.0.1:0", "--session", "none", "--upstream-ca", noPEM}, 1, noPEM},
		{"upstream CA that is not there", []string{"capture", "--listen", "127.0.0.1:0", "--session", "none", "--upstream-ca", noPEM + ".not"}, 1, noPEM + ".not"},
		{"session that exists", []string{"capture", "--listen", "127.0.0.1:0", "--session", recorded}, 1, "exists already"},
		{"corrupt session, explained", []string{"explain", corruptFile}, 1, corruptFile},
		{"corrupt session, exported", []string{"export", corruptFile, "--as", "har"}, 1, corruptFile},
		{"cut session, exported", []string{"export", cutFile, "--as", "har"}, 1, cutFile},
		{"truncated HAR", []string{"explain", cutHAR}, 1, cutHAR},
		{"file that is not there", []string{"explain", filepath.Join(dir, "nowhere.har")}, 1, "nowhere.har"},
		{"flow that is not there", []string{"export", recorded, "99", "--as", "curl"}, 1, "99"},
		{"no terminal", nil, 1, "why403 capture"},
		{"no terminal to open in", []string{"open", recorded}, 1, "terminal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, env, program, c.args...)
			if r.code != c.code || !twoLines.MatchString(r.errOut) || !strings.Contains(r.errOut, c.says) {
				t.Errorf("want exit status %d and an error and a hint, with %q in them; got %s", c.code, c.says, r)
			}
			if r.out != "" {
				t.Errorf("want nothing on stdout, got %q", r.out)
			}
		})
	}
	for _, c := range []struct{ name, file string }{{"corrupt session", corruptFile}, {"truncated HAR", cutHAR}} {
		t.Run(c.name+", on the screen", func(t *testing.T) {
			term := openTerminal(t, 200, 45, env, quoted(program, "open", c.file))
			code, screen := term.ended()
			if code != 1 || !strings.Contains(screen, "why403: error: ") || !strings.Contains(screen, "why403: hint: ") {
				t.Errorf("want exit status 1, an error and a hint; got %d:\n%s", code, screen)
			}
		})
	}
	t.Run("terminal of 40 by 10", func(t *testing.T) {
		term := openTerminal(t, 40, 10, env, quoted(program, "open", recorded))
		screen := term.waitFor("60 columns and 15 rows")
		for _, line := range strings.Split(screen, "\n") {
			if n := len([]rune(line)); n > 40 {
				t.Errorf("a line of %d cells: %q", n, line)
			}
		}
		term.tmux("resize-window", "-x", "120", "-y", "30")
		term.waitFor("/refused") // and the flows are there once it is large enough
		term.press("q")
		if code, screen := term.ended(); code != 0 {
			t.Errorf("q ended it with status %d:\n%s", code, screen)
		}
	})
	after := digests(t, dir)
	for name, sum := range before {
		if after[name] != sum {
			t.Errorf("%s was changed", name)
		}
		delete(after, name)
	}
	for name := range after {
		t.Errorf("%s was left behind", name)
	}
}

// recordOneRefusal makes a session with one refused request, and a HAR of it.
func recordOneRefusal(t *testing.T, env []string, dir string) (session, har string) {
	t.Helper()
	session, har = filepath.Join(dir, "recorded.why403"), filepath.Join(dir, "recorded.har")
	c := startCapture(t, env, "--session", session)
	server := startRefuser(t)
	r := run(t, env, "curl", "-s", "-x", c.address, "-d", "a=1", server+"/refused")
	if r.code != 0 {
		t.Fatalf("curl: %s", r)
	}
	waitUntil(t, "the exchange", func() bool { return c.count() == 1 })
	c.stop()
	r = run(t, env, program, "export", session, "--as", "har")
	if r.code != 0 {
		t.Fatalf("export: %s", r)
	}
	if err := os.WriteFile(har, []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	return session, har
}

// damageCA makes a CA in dir and spoils each of its files.
func damageCA(t *testing.T, env []string, dir string) {
	t.Helper()
	c := startCapture(t, env, "--session", "none", "--ca-dir", dir)
	c.stop()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("no CA in %s: %v", dir, err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		content := read(t, name)
		if err := os.WriteFile(name, content[:len(content)/2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// digests are the names and contents of all files below dir.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			sums[name] = fmt.Sprintf("%x", sha256.Sum256(read(t, name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}
