package launch

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Store is a place where programs of this machine look for the authorities
// that they trust. What is to be done there is a list of commands, so that the
// user can read them before they are run.
type Store struct {
	Name      string // system, nss, java
	What      string // whose it is, for the user
	Install   [][]string
	Uninstall [][]string // none: nothing of ours is there
}

// Authority is a certificate authority to install.
type Authority struct {
	File   string // PEM
	Serial string // hexadecimal
	SHA1   string // of the certificate, hexadecimal
}

// mark begins the name of each of our certificates in a store; what begins so is removed, be it of an authority that is gone.
const mark = "why403-"

func (a Authority) name() string { return mark + a.Serial[:min(len(a.Serial), 12)] }

// Stores are those of this machine. home is the user's.
func Stores(ctx context.Context, a Authority, home string) []Store {
	return append(systemStores(ctx, a), append(nssStores(ctx, a, home), javaStores(ctx, a)...)...)
}

// nssStores are the databases of Chromium and Firefox, which know nothing of the system's store on Linux.
func nssStores(ctx context.Context, a Authority, home string) (all []Store) {
	tool, err := exec.LookPath("certutil")
	if err != nil || home == "" || !nssHere {
		return nil
	}
	dirs := []string{filepath.Join(home, ".pki", "nssdb")}
	for _, pattern := range []string{".mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", "Library/Application Support/Firefox/Profiles/*"} {
		found, _ := filepath.Glob(filepath.Join(home, filepath.FromSlash(pattern)))
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "cert9.db")); err != nil {
			continue
		}
		s := Store{Name: "nss", What: "browsers that use " + dir,
			Install: [][]string{{tool, "-A", "-d", "sql:" + dir, "-n", a.name(), "-t", "C,,", "-i", a.File}}}
		out, _ := exec.CommandContext(ctx, tool, "-L", "-d", "sql:"+dir).Output()
		for _, line := range strings.Split(string(out), "\n") {
			if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, mark) {
				s.Uninstall = append(s.Uninstall, []string{tool, "-D", "-d", "sql:" + dir, "-n", name})
			}
		}
		all = append(all, s)
	}
	return all
}

// javaStores is the one of the Java in use, unless the system's tools keep that.
func javaStores(ctx context.Context, a Authority) []Store {
	home := FindJava()
	if home == "" {
		return nil
	}
	tool := filepath.Join(home, "bin", "keytool")
	store := filepath.Join(home, "lib", "security", "cacerts")
	if real, err := filepath.EvalSymlinks(store); err != nil || strings.HasPrefix(real, "/etc/") {
		return nil // Debian, Fedora: it is made from the system's
	}
	if _, err := os.Stat(tool); err != nil {
		return nil
	}
	args := func(more ...string) []string {
		return asRoot(store, append([]string{tool}, append(more, "-keystore", store, "-storepass", javaPassword)...))
	}
	s := Store{Name: "java", What: "Java in " + home, Install: [][]string{args("-importcert", "-noprompt", "-alias", a.name(), "-file", a.File)}}
	for _, alias := range aliases(ctx, tool, store) {
		if strings.HasPrefix(alias, mark) {
			s.Uninstall = append(s.Uninstall, args("-delete", "-alias", alias))
		}
	}
	return []Store{s}
}

// aliases are the names of the certificates in a store of Java's.
func aliases(ctx context.Context, keytool, store string) (names []string) {
	out, _ := exec.CommandContext(ctx, keytool, "-list", "-keystore", store, "-storepass", javaPassword).Output()
	for _, line := range strings.Split(string(out), "\n") {
		if alias, _, ok := strings.Cut(line, ","); ok {
			names = append(names, alias)
		}
	}
	return names
}

// asRoot puts sudo before a command that writes what is not ours.
func asRoot(path string, args []string) []string {
	if writable(path) {
		return args
	}
	return append([]string{"sudo", "--"}, args...)
}

// RunAll runs commands one after the other, until one fails. They have the
// terminal, for sudo may ask for a password.
func RunAll(ctx context.Context, commands [][]string, in io.Reader, out io.Writer) error {
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}
