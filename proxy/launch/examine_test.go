package launch

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestEnvironmentIsExamined(t *testing.T) {
	for _, c := range []struct {
		name, variable string
		state          State
		text           string
	}{
		{"nothing", "HOME=/home/ann", Good, "nothing in the way"},
		{"a proxy with a login", "HTTPS_PROXY=http://ann:secret@proxy.example:3128", Note, "(http://proxy.example:3128)"},
		{"certificates that are gone", "SSL_CERT_FILE=/does/not/exist.pem", Bad, "cannot be read"},
		{"a shell that was left", "WHY403_CHILD_PROXY=http://127.0.0.1:1", Bad, "where nobody listens"},
		{"no verification", "NODE_TLS_REJECT_UNAUTHORIZED=0", Note, "verifies no certificate"},
		{"CGI", "REQUEST_METHOD=GET", Note, "CGI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := examineEnvironment(lookup([]string{c.variable}))
			if len(all) != 1 || all[0].State != c.state || !strings.Contains(all[0].Text, c.text) {
				t.Errorf("got %+v", all)
			}
			if strings.Contains(all[0].Text, "secret") {
				t.Error("a password is shown")
			}
			if all[0].State == Bad && all[0].Mend == "" {
				t.Error("nothing is said about what to do")
			}
		})
	}
}

func TestNodesThatNeedTheShim(t *testing.T) {
	for version, want := range map[string]bool{"v18.20.4": true, "v20.20.2": true, "v22.20.0": true, "v22.21.0": false, "v23.11.0": true, "v24.4.1": true, "v24.5.0": false, "v26.1.0": false, "?": false} {
		if got := nodeNeedsShim(version); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

func TestEachBypassHasAReasonAndAMend(t *testing.T) {
	said := map[string]bool{}
	for _, b := range []Bypass{
		{}, {Cleared: true}, {Remote: netip.MustParseAddrPort("192.0.2.1:22")}, {Runtime: "go"}, {Runtime: "go", Remote: netip.MustParseAddrPort("127.0.0.1:80")},
		{Runtime: "node"}, {Runtime: "python"}, {Runtime: "java"}, {Runtime: "php"}, {Runtime: "ruby"},
	} {
		b.Process = "x"
		reason, mend := b.Mend()
		if reason == "" || mend == "" || said[reason] {
			t.Errorf("%+v: %q, %q", b, reason, mend)
		}
		said[reason] = true
	}
	if got := runtimeOf("python3.11"); got != "python" {
		t.Errorf("python3.11 is %q", got)
	}
}

func TestClientsThatAreThereAreToldOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("programs there have extensions")
	}
	dir := t.TempDir()
	for _, name := range []string{"php", "cargo"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("JAVA_HOME", "")
	var told []string
	for _, c := range examineClients(t.Context(), t.TempDir()) {
		name, _, _ := strings.Cut(c.Text, " ")
		told = append(told, name)
	}
	if got := strings.Join(told, " "); got != "php cargo" {
		t.Errorf("told of %q", got)
	}
}
