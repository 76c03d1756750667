//go:build !windows && !darwin

package launch

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const nssHere = true

// anchors are where systems keep what their administrators trust, and what makes it known.
var anchors = []struct {
	dir             string
	refresh, forget []string
}{
	{"/usr/local/share/ca-certificates", []string{"update-ca-certificates"}, []string{"update-ca-certificates", "--fresh"}}, // Debian, Alpine
	{"/etc/pki/ca-trust/source/anchors", []string{"update-ca-trust", "extract"}, []string{"update-ca-trust", "extract"}},    // Fedora, RHEL
	{"/etc/pki/trust/anchors", []string{"update-ca-certificates"}, []string{"update-ca-certificates"}},                      // openSUSE
	{"/etc/ca-certificates/trust-source/anchors", []string{"trust", "extract-compat"}, []string{"trust", "extract-compat"}}, // Arch
}

func systemStores(ctx context.Context, a Authority) []Store {
	for _, k := range anchors {
		if _, err := os.Stat(k.dir); err != nil {
			continue
		}
		if _, err := exec.LookPath(k.refresh[0]); err != nil && os.Geteuid() == 0 { // others may have it in a PATH of root's alone
			continue
		}
		s := Store{Name: "system", What: "all programs that use the system's certificates", Install: [][]string{
			asRoot(k.dir, []string{"install", "-m", "644", a.File, filepath.Join(k.dir, a.name()+".crt")}), asRoot(k.dir, k.refresh)}}
		s.Uninstall = append(s.Uninstall, ofJavaHook(ctx)...)
		old, _ := filepath.Glob(filepath.Join(k.dir, mark+"*.crt"))
		for _, path := range old {
			s.Uninstall = append(s.Uninstall, asRoot(k.dir, []string{"rm", "-f", path}))
		}
		if len(old) > 0 {
			s.Uninstall = append(s.Uninstall, asRoot(k.dir, k.forget))
		}
		return []Store{s}
	}
	return nil
}

// Debian's hook adds what update-ca-certificates adds to Java's store, but takes
// away only what the distribution had brought (ca-certificates-java 20230710).
const (
	hookStore = "/etc/ssl/certs/java/cacerts"
	hookMark  = "debian:" + mark
)

func ofJavaHook(ctx context.Context) (commands [][]string) {
	tool, err := exec.LookPath("keytool")
	if err != nil {
		return nil
	}
	for _, alias := range aliases(ctx, tool, hookStore) {
		if strings.HasPrefix(alias, hookMark) {
			commands = append(commands, asRoot(hookStore, []string{tool, "-delete", "-alias", alias, "-keystore", hookStore, "-storepass", javaPassword}))
		}
	}
	return commands
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }
