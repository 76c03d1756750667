package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChromiumAsksForItselfBesideTheProxy has what Chromium asks of its own accord go past the proxy, to nobody, and nothing else.
func TestChromiumAsksForItselfBesideTheProxy(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority(t), 0o600); err != nil {
		t.Fatal(err)
	}
	args, err := Browser{Name: "chromium"}.Profile(filepath.Join(t.TempDir(), "profile"), "127.0.0.1:8403", ca)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		given[name] = value
	}
	past := strings.Split(given["--proxy-bypass-list"], ";")
	if len(past) != 2 || past[0] != "<-loopback>" || !strings.HasSuffix(past[1], ".invalid") {
		t.Fatalf("past the proxy go %q", past)
	}
	for _, name := range []string{"--gaia-url", "--component-updater"} {
		url := strings.TrimPrefix(given[name], "url-source=")
		if strings.TrimSuffix(url, "/") != "https://"+past[1] {
			t.Errorf("%s asks %q", name, given[name])
		}
	}
}
