package launch

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/why403/why403/certs"
)

func authority(t *testing.T) []byte {
	t.Helper()
	ca, err := certs.Ephemeral(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return ca.PEM()
}

func lay(t *testing.T, o Options) (*Kit, map[string]string) {
	t.Helper()
	if o.Proxy == "" {
		o.Proxy = "http://127.0.0.1:8403"
	}
	k, err := Lay(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, s := range k.Settings {
		env[s.Name] = s.Value
	}
	return k, env
}

func file(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBundleHoldsEachCertificateOnceAndNoKey(t *testing.T) {
	one, two := authority(t), authority(t)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")})
	got := bundle(certificates(one, append(append([]byte("# a comment\n"), two...), key...), one))
	if want := string(one) + string(two); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUsersOwnCertificatesStayTrusted(t *testing.T) {
	company, extra, ours := authority(t), authority(t), authority(t)
	k, env := lay(t, Options{CA: ours, Env: []string{
		"SSL_CERT_FILE=" + file(t, "company.pem", company), "NODE_EXTRA_CA_CERTS=" + file(t, "extra.pem", extra), "AWS_CA_BUNDLE=/does/not/exist",
	}})
	for name, want := range map[string][][]byte{"SSL_CERT_FILE": {ours, company, extra}, "NODE_EXTRA_CA_CERTS": {ours, extra}} {
		for i, cert := range want {
			if !strings.Contains(read(t, env[name]), string(cert)) {
				t.Errorf("%s lacks certificate %d", name, i)
			}
		}
	}
	if env["CURL_CA_BUNDLE"] != k.Bundle || env["GIT_SSL_CAINFO"] != k.Bundle {
		t.Error("not all clients read the same bundle")
	}
	if n := strings.Count(read(t, k.Bundle), "BEGIN"); n < 3 {
		t.Errorf("%d certificates in the bundle", n)
	}
}

func TestWhatTheUserHasInAVariableIsKept(t *testing.T) {
	_, env := lay(t, Options{Env: []string{
		"NODE_OPTIONS=--max-old-space-size=100", "PYTHONPATH=/a" + string(filepath.ListSeparator) + "/b", "RUBYOPT=-W0", "PHP_INI_SCAN_DIR=/etc/mine",
	}})
	for name, want := range map[string]string{
		"NODE_OPTIONS": "--max-old-space-size=100 --require=", "RUBYOPT": "-W0 -r", "PHP_INI_SCAN_DIR": "/etc/mine" + string(filepath.ListSeparator),
	} {
		if !strings.HasPrefix(env[name], want) {
			t.Errorf("%s=%q, want it to begin with %q", name, env[name], want)
		}
	}
	if !strings.HasSuffix(env["PYTHONPATH"], "/a"+string(filepath.ListSeparator)+"/b") {
		t.Errorf("PYTHONPATH=%q", env["PYTHONPATH"])
	}
	_, env = lay(t, Options{})
	if !strings.HasPrefix(env["PHP_INI_SCAN_DIR"], string(filepath.ListSeparator)) {
		t.Errorf("PHP_INI_SCAN_DIR=%q does not begin with the folder that is built in", env["PHP_INI_SCAN_DIR"])
	}
}

func TestAKitInsideOfAKitReplacesIt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	outer := filepath.Join(Dir(), "1")
	first, err := Lay(outer, Options{Proxy: "http://127.0.0.1:1", Env: []string{"NODE_OPTIONS=--inspect"}})
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, s := range first.Settings {
		environ = append(environ, s.Name+"="+s.Value)
	}
	second, err := Lay(filepath.Join(Dir(), "2"), Options{Proxy: "http://127.0.0.1:2", Env: environ})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range second.Settings {
		if strings.Contains(s.Value, outer) || strings.HasSuffix(s.Value, ":1") {
			t.Errorf("%s=%s is of the outer kit", s.Name, s.Value)
		}
		if s.Name == "NODE_OPTIONS" && !strings.HasPrefix(s.Value, "--inspect --require=") {
			t.Errorf("NODE_OPTIONS=%q", s.Value)
		}
	}
}

func TestARuntimeCanBeLeftOut(t *testing.T) {
	names := map[Runtime]string{Node: "NODE_OPTIONS", Python: "PYTHONPATH", Ruby: "RUBYOPT", PHP: "PHP_INI_SCAN_DIR", Java: "JAVA_TOOL_OPTIONS"}
	java := t.TempDir()
	for _, r := range Runtimes {
		_, env := lay(t, Options{Without: []Runtime{r}, JavaHome: java})
		for other, name := range names {
			if _, there := env[name]; there == (other == r) {
				t.Errorf("without %s: %s is set: %v", r, name, there)
			}
		}
	}
	if _, env := lay(t, Options{}); env["JAVA_TOOL_OPTIONS"] != "" {
		t.Error("without a Java there is nothing to tell it, and each one would print that it was told something")
	}
}

func TestWgetKeepsItsOwnSettings(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".wgetrc"), []byte("tries = 3"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, env := lay(t, Options{Home: home})
	if got, want := read(t, env["WGETRC"]), "tries = 3\nca_certificate = "+k.Bundle+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProxyAndExceptions(t *testing.T) {
	_, env := lay(t, Options{Proxy: "http://127.0.0.1:9", Env: []string{"ALL_PROXY=socks5://elsewhere:1080"}})
	for _, name := range []string{"HTTP_PROXY", "https_proxy", "ALL_PROXY"} {
		if env[name] != "http://127.0.0.1:9" {
			t.Errorf("%s=%q", name, env[name])
		}
	}
	if _, there := env["all_proxy"]; there {
		t.Error("all_proxy is set though it was not: clients would send more than HTTP to us")
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if !strings.Contains(env[name], "169.254.169.254") || strings.Contains(env[name], "localhost") {
			t.Errorf("%s=%q", name, env[name])
		}
	}
	if env["NODE_TLS_REJECT_UNAUTHORIZED"] != "" {
		t.Error("verification must stay on")
	}
}

// Our own commands, started by such a client, go the way that was set before.
func TestTheWayBeforeIsKept(t *testing.T) {
	_, env := lay(t, Options{Env: []string{"HTTPS_PROXY=http://company:3128", "NO_PROXY=.corp"}})
	if env["WHY403_CHILD_UPSTREAM"] != "http://company:3128" || env["WHY403_CHILD_NO_PROXY"] != ".corp" {
		t.Errorf("upstream %q, except %q", env["WHY403_CHILD_UPSTREAM"], env["WHY403_CHILD_NO_PROXY"])
	}
	var around []string
	for name, value := range env {
		around = append(around, name+"="+value)
	}
	if _, inner := lay(t, Options{Env: around, Proxy: "http://127.0.0.1:9"}); inner["WHY403_CHILD_UPSTREAM"] != "http://company:3128" {
		t.Errorf("inside of another kit: %q", inner["WHY403_CHILD_UPSTREAM"])
	}
	if _, none := lay(t, Options{}); none["WHY403_CHILD_UPSTREAM"] != "" {
		t.Errorf("without a proxy: %q", none["WHY403_CHILD_UPSTREAM"])
	}
}

func TestJavaTrustsOursAndItsOwn(t *testing.T) {
	ours, own, company := authority(t), authority(t), authority(t)
	jks := func(all ...[]byte) []byte {
		var b bytes.Buffer
		put := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) }
		text := func(s string) { put(uint16(len(s))); b.WriteString(s) }
		put([]uint32{jksMagic, 2, uint32(len(all))})
		for _, text64 := range all {
			block, _ := pem.Decode(text64)
			put(uint32(jksTrusted))
			text("alias")
			put(int64(0))
			text("X.509")
			put(uint32(len(block.Bytes)))
			b.Write(block.Bytes)
		}
		return append(b.Bytes(), make([]byte, 20)...)
	}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "lib", "security"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "lib", "security", "cacerts"), jks(own, company), 0o600); err != nil {
		t.Fatal(err)
	}
	_, env := lay(t, Options{CA: ours, JavaHome: home, Env: []string{"JAVA_TOOL_OPTIONS=-Xmx64m"}})
	if !strings.HasPrefix(env["JAVA_TOOL_OPTIONS"], "-Xmx64m -Dhttp.proxyHost=127.0.0.1 ") {
		t.Errorf("JAVA_TOOL_OPTIONS=%q", env["JAVA_TOOL_OPTIONS"])
	}
	_, rest, _ := strings.Cut(env["JAVA_TOOL_OPTIONS"], "trustStore=")
	path, _, _ := strings.Cut(rest, " ")
	trusted, err := pkcs12.DecodeTrustStore([]byte(read(t, path)), javaPassword)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"ours": ours, "its own": own, "the company's": company} {
		block, _ := pem.Decode(text)
		found := false
		for _, c := range trusted {
			found = found || bytes.Equal(c.Raw, block.Bytes)
		}
		if !found {
			t.Errorf("%s is not trusted", name)
		}
	}
}

func TestKeyStoresThatAreNone(t *testing.T) {
	whole := []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 'X', '.', '5', '0', '9', 0xff, 0xff, 0xff, 0xff}
	for n := range whole {
		if certs, err := readJKS(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("%d bytes of a key store give %d certificates and no error", n, len(certs))
		}
	}
	if _, err := readJKS(bytes.NewReader(whole)); err == nil {
		t.Error("a certificate of 4 GB was read")
	}
}

func TestFilesOfAKitArePrivate(t *testing.T) {
	k, _ := lay(t, Options{})
	err := filepath.WalkDir(filepath.Dir(k.Bundle), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != filepath.Dir(k.Bundle) {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
