//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheSystemsTrustIsGivenAndTakenBack installs the authority into the system's store, in a view of the
// file system that is the test's own, and looks who trusts it then and afterwards.
func TestTheSystemsTrustIsGivenAndTakenBack(t *testing.T) {
	if err := exec.Command("unshare", "-m", "sh", "-c", "mount --bind /etc/ssl /etc/ssl").Run(); err != nil || os.Geteuid() != 0 {
		t.Skip("only root can have folders of the system of his own: unshare -m", err)
	}
	const script = `set -eu
for d in /usr/local/share/ca-certificates /etc/ssl /var/lib/ca-certificates-java; do
  [ -d "$d" ] || continue
  copy=$(mktemp -d "$2/XXXXXX"); cp -a "$d/." "$copy/"; mount --bind "$copy" "$d"
done
trusting() { # who has it: the file of all roots, the folder of single ones, Java's store
  openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt "$3" >/dev/null 2>&1 && echo "$1 file"
  ls /etc/ssl/certs /usr/local/share/ca-certificates | grep -q why403 && echo "$1 folder"
  keytool -list -keystore /etc/ssl/certs/java/cacerts -storepass changeit 2>/dev/null | grep -q why403 && echo "$1 java"
  true
}
ca=$("$1" ca path)
roots=$(sha256sum </etc/ssl/certs/ca-certificates.crt)
trusting before - "$ca"
"$1" ca install --store system --yes
trusting installed - "$ca"
"$1" ca uninstall --store system --yes >/dev/null
trusting after - "$ca"
[ "$roots" = "$(sha256sum </etc/ssl/certs/ca-certificates.crt)" ] || echo other roots than before
"$1" ca uninstall --store system --yes`
	r := run(t, home(t), "unshare", "-m", "bash", "-c", script, "bash", program, t.TempDir())
	var said []string
	for _, line := range strings.Split(r.out, "\n") {
		if word, _, _ := strings.Cut(line, " "); word == "before" || word == "installed" || word == "after" || word == "other" {
			said = append(said, line)
		}
	}
	want := "installed file, installed folder"
	if _, err := os.Stat("/etc/ca-certificates/update.d/jks-keystore"); err == nil {
		want += ", installed java"
	}
	if got := strings.Join(said, ", "); r.code != 0 || got != want {
		t.Errorf("got %s, want %s: %s", got, want, r)
	}
	if !strings.Contains(r.errOut, "nothing of ours is installed") {
		t.Errorf("a second time there is something left: %s", r)
	}
}
