package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestCreateThenLoad(t *testing.T) {
	dir, clock := caDir(t), newClock()
	made, err := Create(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made.PEM(), loaded.PEM()) || made.Info() != loaded.Info() {
		t.Errorf("loaded %+v, made %+v", loaded.Info(), made.Info())
	}
	if !bytes.Equal(read(t, filepath.Join(dir, "ca.pem")), made.PEM()) {
		t.Error("ca.pem is not what PEM exports")
	}
	if bytes.Contains(read(t, filepath.Join(dir, "ca.pem")), []byte("PRIVATE")) {
		t.Error("ca.pem holds a key")
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")); err != nil {
		t.Errorf("other programs cannot use the pair: %v", err)
	}
	verify(t, loaded, made, "a.example")
	if names := list(t, dir); len(names) != 2 {
		t.Errorf("the folder holds %q, want the two files alone", names)
	}
}

func TestModes(t *testing.T) {
	if !grants(0o077, 0o077) {
		t.Skip("no permission bits on this system")
	}
	dir := caDir(t)
	if _, err := Create(dir, newClock().now); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "ca.pem"): 0o644, filepath.Join(dir, "ca-key.pem"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	for _, taken := range []string{"ca.pem", "ca-key.pem"} {
		t.Run(taken, func(t *testing.T) {
			dir := t.TempDir()
			private(t, dir)
			path := filepath.Join(dir, taken)
			write(t, path, []byte("mine"), 0o600)
			_, err := Create(dir, newClock().now)
			if !errors.Is(err, fs.ErrExist) || hint(err) == "" {
				t.Errorf("got %v (hint %q), want fs.ErrExist with a hint", err, hint(err))
			}
			if got := read(t, path); string(got) != "mine" {
				t.Errorf("%s was overwritten with %q", taken, got)
			}
			if names := list(t, dir); len(names) != 1 {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

func TestLoadOrCreate(t *testing.T) {
	dir, clock := caDir(t), newClock()
	first, err := LoadOrCreate(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadOrCreate(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if first.Info() != second.Info() {
		t.Error("the second call made another CA")
	}
	clock.pass(3 * 365 * 24 * time.Hour)
	if _, err := LoadOrCreate(dir, clock.now); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v, want ErrExpired: a CA that clients trust is not replaced behind their back", err)
	}
}

func TestLostCertificateIsRestored(t *testing.T) {
	dir, clock := caDir(t), newClock()
	made, err := Create(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Info() != made.Info() || !bytes.Equal(read(t, filepath.Join(dir, "ca.pem")), made.PEM()) {
		t.Error("ca.pem was not restored as it was")
	}
}

// A file system without hard links still gets a CA, and still overwrites nothing.
func TestWithoutHardLinks(t *testing.T) {
	noLinks := func(string, string) error { return errors.New("operation not supported") }
	dir, clock := caDir(t), newClock()
	made, err := create(dir, clock.now, noLinks)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if made.Info() != loaded.Info() || len(list(t, dir)) != 2 {
		t.Errorf("made %+v, loaded %+v, files %q", made.Info(), loaded.Info(), list(t, dir))
	}
	if err := folder(dir).publish(filepath.Join(dir, "ca.pem"), []byte("other"), 0o644, noLinks); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if !bytes.Equal(read(t, filepath.Join(dir, "ca.pem")), made.PEM()) {
		t.Error("ca.pem was overwritten")
	}
}

func TestLeftoversOfAKillAreSwept(t *testing.T) {
	dir := caDir(t)
	if _, err := Create(dir, nil); err != nil {
		t.Fatal(err)
	}
	old, young, foreign := ".why403-ca-1.tmp", ".why403-ca-2.tmp", "notes.tmp"
	for _, name := range []string{old, young, foreign} {
		write(t, filepath.Join(dir, name), []byte("x"), 0o600)
	}
	past := time.Now().Add(-2 * tempLife)
	for _, name := range []string{old, foreign} {
		if err := os.Chtimes(filepath.Join(dir, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(list(t, dir), " "), strings.Join([]string{young, "ca-key.pem", "ca.pem", foreign}, " "); got != want {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestOwnCA(t *testing.T) {
	p256 := newKey(t)
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p256)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		key  []byte
	}{
		{"PKCS #8", certificate(t, p256, nil), keyPEM(t, p256)},
		{"SEC 1 after its parameters", certificate(t, p256, nil), append(
			pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}}),
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...)},
		{"PKCS #1", certificate(t, small, nil), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)})},
		{"no key usage", certificate(t, p256, func(c *x509.Certificate) { c.KeyUsage = 0 }), keyPEM(t, p256)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			private(t, dir)
			write(t, filepath.Join(dir, "ca.pem"), append([]byte("Certificate:\n    Data: as openssl -text prints it\n"), certPEM(c.cert)...), 0o644)
			write(t, filepath.Join(dir, "ca-key.pem"), c.key, 0o600)
			ca, err := Load(dir, newClock().now)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, ca, ca, "a.example")
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	unix := grants(0o077, 0o077)
	key := newKey(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// damage changes the CA in dir, of which certPath and keyPath are the files.
	type files struct{ dir, cert, key string }
	replace := func(t *testing.T, f files, cert *x509.Certificate, k []byte) {
		write(t, f.cert, certPEM(cert), 0o644)
		write(t, f.key, k, 0o600)
	}
	for _, c := range []struct {
		name   string
		damage func(*testing.T, files)
		want   error  // nil: any
		text   string // part of the message
		hint   string // part of the hint
		skip   bool
	}{
		{name: "nothing there", damage: func(t *testing.T, f files) { remove(t, f.cert); remove(t, f.key) },
			want: fs.ErrNotExist, text: "no CA here", hint: "start why403"},
		{name: "no folder", damage: func(t *testing.T, f files) { remove(t, f.cert); remove(t, f.key); remove(t, f.dir) },
			want: fs.ErrNotExist, text: "no CA here", hint: "start why403"},
		{name: "folder is a file", damage: func(t *testing.T, f files) {
			remove(t, f.cert)
			remove(t, f.key)
			remove(t, f.dir)
			write(t, f.dir, nil, 0o600)
		}, text: "not a folder", hint: "--ca-dir"},
		{name: "folder writable for all", damage: func(t *testing.T, f files) { chmod(t, f.dir, 0o777) },
			want: ErrExposed, text: "mode 0777", hint: "chmod 700", skip: !unix},
		{name: "folder writable for the group", damage: func(t *testing.T, f files) { chmod(t, f.dir, 0o770) },
			want: ErrExposed, text: "mode 0770", hint: "chmod 700", skip: !unix},
		{name: "key readable for the group", damage: func(t *testing.T, f files) { chmod(t, f.key, 0o640) },
			want: ErrExposed, text: "ca-key.pem: mode 0640", hint: "chmod 600", skip: !unix},
		{name: "key writable for others", damage: func(t *testing.T, f files) { chmod(t, f.key, 0o602) },
			want: ErrExposed, text: "mode 0602", hint: "chmod 600", skip: !unix},
		{name: "key through a link to an exposed file", damage: func(t *testing.T, f files) {
			write(t, f.key+".real", read(t, f.key), 0o644)
			remove(t, f.key)
			if err := os.Symlink(f.key+".real", f.key); err != nil {
				t.Skip(err)
			}
		}, want: ErrExposed, text: "mode 0644", hint: "chmod 600", skip: !unix},
		{name: "key not readable", damage: func(t *testing.T, f files) { chmod(t, f.key, 0) },
			want: fs.ErrPermission, text: "ca-key.pem: open", hint: "readable", skip: !unix || os.Getuid() == 0},
		{name: "certificate not readable", damage: func(t *testing.T, f files) { chmod(t, f.cert, 0) },
			want: fs.ErrPermission, text: "ca.pem: open", hint: "readable", skip: !unix || os.Getuid() == 0},
		{name: "key is a folder", damage: func(t *testing.T, f files) {
			remove(t, f.key)
			if err := os.Mkdir(f.key, 0o700); err != nil {
				t.Fatal(err)
			}
		}, text: "not a regular file", hint: "move"},
		{name: "key missing", damage: func(t *testing.T, f files) { remove(t, f.key) },
			want: ErrHalf, text: "ca-key.pem", hint: "put the key back"},
		{name: "certificate missing, none in the key file", damage: func(t *testing.T, f files) {
			remove(t, f.cert)
			write(t, f.key, keyPEM(t, key), 0o600)
		}, want: ErrHalf, text: "ca.pem", hint: "put the certificate back"},
		{name: "key empty", damage: func(t *testing.T, f files) { write(t, f.key, nil, 0o600) },
			want: ErrGarbage, text: "no PRIVATE KEY block", hint: "move"},
		{name: "key garbage", damage: func(t *testing.T, f files) { write(t, f.key, []byte("\x00\xffsecret"), 0o600) },
			want: ErrGarbage, text: "no PRIVATE KEY block", hint: "move"},
		{name: "key does not parse", damage: func(t *testing.T, f files) {
			write(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}), 0o600)
		}, want: ErrGarbage, text: "does not parse", hint: "move"},
		{name: "key encrypted", damage: func(t *testing.T, f files) {
			write(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret")}), 0o600)
		}, want: ErrGarbage, text: "encrypted", hint: "decrypt"},
		{name: "key encrypted the old way", damage: func(t *testing.T, f files) {
			write(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("secret"),
				Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}}), 0o600)
		}, want: ErrGarbage, text: "encrypted", hint: "decrypt"},
		{name: "key of another kind", damage: func(t *testing.T, f files) { replace(t, f, certificate(t, ed, nil), keyPEM(t, ed)) },
			want: ErrGarbage, text: "neither ECDSA nor RSA", hint: "move"},
		{name: "key huge", damage: func(t *testing.T, f files) { write(t, f.key, bytes.Repeat([]byte("#"), fileMax+1), 0o600) },
			want: ErrGarbage, text: "larger than 64 KiB", hint: "move"},
		{name: "certificate garbage", damage: func(t *testing.T, f files) { write(t, f.cert, []byte("hello"), 0o644) },
			want: ErrGarbage, text: "no CERTIFICATE block", hint: "move"},
		{name: "certificate truncated", damage: func(t *testing.T, f files) { write(t, f.cert, read(t, f.cert)[:200], 0o644) },
			want: ErrGarbage, text: "no CERTIFICATE block", hint: "move"},
		{name: "certificate does not parse", damage: func(t *testing.T, f files) {
			write(t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hello")}), 0o644)
		}, want: ErrGarbage, text: "ca.pem", hint: "move"},
		{name: "certificate with a flipped bit in its signature", damage: func(t *testing.T, f files) {
			block, _ := pem.Decode(read(t, f.cert))
			block.Bytes[len(block.Bytes)-1] ^= 1
			write(t, f.cert, pem.EncodeToMemory(block), 0o644)
		}, want: ErrGarbage, text: "signature is wrong", hint: "move"},
		{name: "key of another certificate", damage: func(t *testing.T, f files) { write(t, f.key, keyPEM(t, key), 0o600) },
			want: ErrMismatch, text: "ca.pem", hint: "put back"},
		{name: "certificate of another key", damage: func(t *testing.T, f files) { write(t, f.cert, certPEM(certificate(t, key, nil)), 0o644) },
			want: ErrMismatch, text: "ca-key.pem", hint: "put back"},
		{name: "not a CA", damage: func(t *testing.T, f files) {
			replace(t, f, certificate(t, key, func(c *x509.Certificate) { c.IsCA = false }), keyPEM(t, key))
		}, want: ErrNotCA, text: "basicConstraints", hint: "move"},
		{name: "may not sign", damage: func(t *testing.T, f files) {
			replace(t, f, certificate(t, key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), keyPEM(t, key))
		}, want: ErrNotCA, text: "keyUsage", hint: "move"},
		{name: "expired", damage: func(t *testing.T, f files) {
			replace(t, f, certificate(t, key, func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Minute) }), keyPEM(t, key))
		}, want: ErrExpired, text: "expired on 2026-03-14", hint: "move"},
		{name: "not valid yet", damage: func(t *testing.T, f files) {
			replace(t, f, certificate(t, key, func(c *x509.Certificate) { c.NotBefore = start.Add(time.Minute) }), keyPEM(t, key))
		}, want: ErrTooEarly, text: "begins on 2026-03-14", hint: "clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.skip {
				t.Skip("says nothing on this system or for this user")
			}
			dir := caDir(t)
			if _, err := Create(dir, newClock().now); err != nil {
				t.Fatal(err)
			}
			c.damage(t, files{dir, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")})
			before := snapshot(t, dir)
			ca, err := Load(dir, newClock().now)
			if err == nil {
				t.Fatalf("accepted as %s", ca)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), "ca: ") || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("message %q, want %q in it and nothing of the key", err, c.text)
			}
			if !strings.Contains(hint(err), c.hint) {
				t.Errorf("hint %q, want %q in it", hint(err), c.hint)
			}
			if after := snapshot(t, dir); after != before {
				t.Errorf("the refusal changed the files from\n%s\nto\n%s", before, after)
			}
			if errors.Is(c.want, fs.ErrNotExist) {
				return
			}
			if _, err := LoadOrCreate(dir, newClock().now); err == nil {
				t.Error("LoadOrCreate made a CA in the place of a broken one")
			}
			if after := snapshot(t, dir); after != before {
				t.Errorf("LoadOrCreate changed the files from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// A new process must be able to paste what the hint says, whatever the folder is called.
func TestHintsQuotePaths(t *testing.T) {
	for path, want := range map[string]string{
		"/home/ann/ca":                     "/home/ann/ca",
		"/Users/ann/Application Support/x": "'/Users/ann/Application Support/x'",
		"/home/o'hara/$x":                  `'/home/o'\''hara/$x'`,
	} {
		if got := quoted(path); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNoFolderName(t *testing.T) {
	if _, err := LoadOrCreate("", nil); err == nil || !strings.Contains(hint(err), "--ca-dir") {
		t.Errorf("got %v (hint %q)", err, hint(err))
	}
}

func TestFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil, 0o600)
	_, err := Create(filepath.Join(file, "ca"), nil)
	if err == nil || !strings.Contains(hint(err), "--ca-dir") {
		t.Errorf("got %v (hint %q), want an error with a hint", err, hint(err))
	}
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// verify checks that a leaf of ca is accepted by who trusts trusted.
func verify(t *testing.T, ca, trusted *CA, host string) {
	t.Helper()
	leaf, err := ca.Leaf(t.Context(), host, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: roots(t, trusted), CurrentTime: start, DNSName: host}); err != nil {
		t.Error(err)
	}
	if _, ok := leaf.PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("the leaf's key is %T, want P-256 whatever the CA's is", leaf.PrivateKey)
	}
}

// private gives a folder made by the testing package, whose mode follows the umask, the mode that ours have.
func private(t *testing.T, dir string) { chmod(t, dir, 0o700) }

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// snapshot is the content and mode of what is in dir; what is missing or not readable is named alone.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, _ := os.ReadDir(dir) // a missing folder is an empty one here
	for _, e := range entries {
		data, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		mode := info.Mode().String()
		if runtime.GOOS == "windows" {
			mode = ""
		}
		fmt.Fprintf(&b, "%s %s %x\n", e.Name(), mode, data)
	}
	return b.String()
}
