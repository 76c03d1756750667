package launch

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed shims
var shims embed.FS

// Runtime is a runtime whose programs need more than the usual variables.
type Runtime string

// The runtimes that a Kit has something for.
const (
	Node   Runtime = "node"   // below 22.21: http, https, fetch and undici ignore the proxy
	Python Runtime = "python" // http.client and aiohttp do
	Ruby   Runtime = "ruby"   // net/http does, for loopback
	PHP    Runtime = "php"    // streams do, and the curl extension reads its certificates from php.ini alone
	Java   Runtime = "java"   // the proxy and the trust store are system properties
)

// Runtimes are all of them.
var Runtimes = []Runtime{Node, Python, Ruby, PHP, Java}

// Setting is one variable of a client's environment.
type Setting struct{ Name, Value string }

// Kit is what the clients of one proxy need.
type Kit struct {
	Settings []Setting // in a fixed order
	Bundle   string    // PEM file: the system's roots, the user's, and ours
	Notes    []string  // what could not be done, each with what to do
}

// Options say for what proxy a kit is, and what of it is wanted.
type Options struct {
	Proxy string   // http://host:port
	CA    []byte   // PEM of our certificate authority
	Env   []string // the environment that the client would have without us, as os.Environ gives it
	Home  string   // of the user, where .wgetrc lies
	// Without are runtimes that get no shim. Without Java there is no trust store for it, and nothing in JAVA_TOOL_OPTIONS.
	Without []Runtime
	// Java is the folder of the Java in use, "" for none: each Java prints a line when it is told something by its environment.
	JavaHome string
	Session  string // file that the proxy records into
}

// bundleNames are the variables that name a file of certificates which stands instead of the client's own.
var bundleNames = []string{
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "PIP_CERT", "npm_config_cafile",
	"CARGO_HTTP_CAINFO", "PERL_LWP_SSL_CA_FILE", "HTTPS_CA_FILE", "HTTPLIB2_CA_CERTS", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "NIX_SSL_CERT_FILE", "BUNDLE_SSL_CA_CERT", "COMPOSER_CAFILE",
}

// extraNames name certificates that are trusted beside the client's own.
var extraNames = []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"}

// proxyNames are the variables that name the proxy.
var proxyNames = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "WS_PROXY", "WSS_PROXY",
	"npm_config_proxy", "npm_config_https_proxy", "GLOBAL_AGENT_HTTP_PROXY", "CGI_HTTP_PROXY",
}

// keptDirect are the addresses at which clouds hand credentials to their machines. They answer nobody but the machine itself.
const keptDirect = "169.254.169.254,metadata.google.internal"

// Lay writes what clients need into dir and says what their environment must be.
// dir is 0700 and of our own, see Seat.Folder; files that are there are replaced.
func Lay(dir string, o Options) (*Kit, error) {
	k := &layer{Kit: &Kit{Bundle: filepath.Join(dir, "bundle.pem")}, dir: dir, o: o, env: lookup(o.Env)}
	mine := [][]byte{o.CA, systemRoots()}
	extra := [][]byte{o.CA}
	for _, path := range k.files(bundleNames) {
		mine = append(mine, readPEM(path))
	}
	for _, path := range k.files(extraNames) {
		text := readPEM(path)
		mine, extra = append(mine, text), append(extra, text)
	}
	all := certificates(mine...)
	k.write("bundle.pem", bundle(all))
	extraFile := k.write("extra.pem", bundle(certificates(extra...)))

	before, exceptions := k.wayBefore()
	for _, name := range proxyNames {
		k.set(name, o.Proxy)
	}
	for _, name := range []string{"ALL_PROXY", "all_proxy"} {
		if k.env[name] != "" { // else some clients would send more than HTTP to us
			k.set(name, o.Proxy)
		}
	}
	k.set("NO_PROXY", keptDirect)
	k.set("no_proxy", keptDirect)
	for _, name := range bundleNames {
		k.set(name, k.Bundle)
	}
	for _, name := range extraNames {
		k.set(name, extraFile)
	}
	k.set("NODE_USE_ENV_PROXY", "1")
	k.set("PERL_LWP_ENV_PROXY", "1")
	k.wget()
	for _, r := range Runtimes {
		if !slices.Contains(o.Without, r) {
			k.runtime(r, all)
		}
	}
	k.set("WHY403", "1")
	k.set("WHY403_CHILD_PROXY", o.Proxy)
	k.set("WHY403_CHILD_CA", k.Bundle)
	k.set("WHY403_CHILD_SESSION", o.Session)
	if before != "" { // for what our own commands send from there
		k.set("WHY403_CHILD_UPSTREAM", before)
		k.set("WHY403_CHILD_NO_PROXY", exceptions)
	}
	return k.Kit, errors.Join(k.faults...)
}

// layer is a Kit that is being laid out.
type layer struct {
	*Kit
	dir    string
	o      Options
	env    map[string]string
	faults []error
}

// wayBefore is the proxy that was set before, and its exceptions: inside of another kit, those that this one kept.
func (k *layer) wayBefore() (proxy, exceptions string) {
	if k.env["WHY403_CHILD_PROXY"] != "" {
		return k.env["WHY403_CHILD_UPSTREAM"], k.env["WHY403_CHILD_NO_PROXY"]
	}
	return first(k.env, "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), first(k.env, "no_proxy", "NO_PROXY")
}

func lookup(environ []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	return env
}

func (k *layer) set(name, value string) { k.Settings = append(k.Settings, Setting{name, value}) }

func (k *layer) note(format string, args ...any) {
	k.Notes = append(k.Notes, fmt.Sprintf(format, args...))
}

// files are those that the variables name now, each once, ours not.
func (k *layer) files(names []string) (paths []string) {
	for _, name := range names {
		if p := k.env[name]; p != "" && !k.ours(p) && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// ours reports whether a path lies where kits are laid: in the folder of this one, or of another one around us.
func (k *layer) ours(path string) bool {
	inside := func(dir string) bool { return strings.HasPrefix(path, dir+string(filepath.Separator)) }
	return inside(k.dir) || slices.ContainsFunc(Places(), inside)
}

// write writes a file of the kit whole and gives its path.
func (k *layer) write(name string, text []byte) string {
	path := filepath.Join(k.dir, name)
	if err := replace(path, text); err != nil {
		k.faults = append(k.faults, err)
	}
	return path
}

// replace writes beside path and renames, for a client may be reading it.
func replace(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("lay out: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("lay out: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("lay out: %w", err)
	}
	return nil
}

// shim writes one of the files in shims.
func (k *layer) shim(name string) string {
	text, err := fs.ReadFile(shims, "shims/"+name)
	if err != nil {
		k.faults = append(k.faults, err)
	}
	return k.write(name, text)
}

// wget's Debian build (GnuTLS) takes certificates from its own file alone, and WGETRC stands instead of ~/.wgetrc: that one is copied.
func (k *layer) wget() {
	mine := k.env["WGETRC"]
	if mine == "" && k.o.Home != "" {
		mine = filepath.Join(k.o.Home, ".wgetrc")
	}
	var text bytes.Buffer
	if mine != "" && !k.ours(mine) {
		text.Write(readPEM(mine))
	}
	fmt.Fprintf(&text, "\nca_certificate = %s\n", k.Bundle)
	k.set("WGETRC", k.write("wgetrc", text.Bytes()))
}
