package launch

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// runtime lays out what one runtime needs beyond the usual variables. What the
// user has in a variable is kept; only parts of an older kit of ours go.
func (k *layer) runtime(r Runtime, roots [][]byte) {
	switch r {
	case Node:
		path := k.shim("why403-node.cjs")
		// The flag --use-env-proxy would do it from Node 24 on, but older ones end with status 9 for it.
		k.set("NODE_OPTIONS", k.append("NODE_OPTIONS", ` --require=`+nodeQuoted(path)))
	case Python:
		old := strings.FieldsFunc(k.env["PYTHONPATH"], func(r rune) bool { return r == filepath.ListSeparator })
		list := []string{filepath.Dir(k.shim(filepath.Join("python", "sitecustomize.py")))}
		for _, p := range old {
			if !k.ours(p) {
				list = append(list, p)
			}
		}
		k.set("PYTHONPATH", strings.Join(list, string(filepath.ListSeparator)))
	case Ruby:
		path := k.shim("why403.rb")
		if strings.ContainsAny(path, " \t") {
			k.note("ruby: %s has a blank in its name, which RUBYOPT cannot hold: net/http to loopback goes past the proxy", path)
			return
		}
		k.set("RUBYOPT", k.append("RUBYOPT", " -r"+path))
	case PHP:
		pre := k.shim("why403.php")
		ini := k.write(filepath.Join("php", "why403.ini"), fmt.Appendf(nil, "openssl.cafile=\"%s\"\ncurl.cainfo=\"%s\"\nauto_prepend_file=\"%s\"\n", k.Bundle, k.Bundle, pre))
		// An empty part of the list is the folder that was built in (PHP manual, "Scan directories").
		var list []string
		for _, p := range strings.Split(k.env["PHP_INI_SCAN_DIR"], string(filepath.ListSeparator)) {
			if !k.ours(p) {
				list = append(list, p)
			}
		}
		k.set("PHP_INI_SCAN_DIR", strings.Join(append(list, filepath.Dir(ini)), string(filepath.ListSeparator)))
	case Java:
		if k.o.JavaHome != "" {
			k.java(roots)
		}
	}
}

// append is the value of a variable that holds options, without those of an older kit, and with one more.
func (k *layer) append(name, option string) string {
	var kept []string
	for _, word := range strings.Fields(k.env[name]) {
		if !slices.ContainsFunc(append(Places(), k.dir), func(dir string) bool { return strings.Contains(word, dir+string(filepath.Separator)) }) {
			kept = append(kept, word)
		}
	}
	if len(kept) == len(strings.Fields(k.env[name])) {
		return strings.TrimSpace(k.env[name] + option) // blanks inside of quotes stay as they are
	}
	return strings.TrimSpace(strings.Join(kept, " ") + option)
}

// nodeQuoted is a path as NODE_OPTIONS takes it: blanks only inside of double quotes, where "\" escapes.
func nodeQuoted(path string) string {
	if !strings.ContainsAny(path, " \t\"\\") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// java sets the proxy and the trust store by system properties; the words of an older kit are overruled, for the last one counts.
func (k *layer) java(roots [][]byte) {
	u, err := url.Parse(k.o.Proxy)
	if err != nil {
		k.faults = append(k.faults, fmt.Errorf("proxy: %w", err))
		return
	}
	store, err := javaStore(roots, javaRoots(k.o.JavaHome))
	if err != nil {
		k.note("java: %v: it will refuse our certificates; import %s with keytool", err, k.Bundle)
		return
	}
	path := k.write("trust.p12", store)
	if strings.ContainsAny(path, " \t") {
		path = `"` + path + `"`
	}
	host, port := u.Hostname(), u.Port()
	k.set("JAVA_TOOL_OPTIONS", strings.TrimSpace(k.env["JAVA_TOOL_OPTIONS"]+strings.Join([]string{"",
		"-Dhttp.proxyHost=" + host, "-Dhttp.proxyPort=" + port,
		"-Dhttps.proxyHost=" + host, "-Dhttps.proxyPort=" + port,
		"-Dhttp.nonProxyHosts=", // the default leaves loopback out
		"-Djavax.net.ssl.trustStore=" + path,
		"-Djavax.net.ssl.trustStoreType=PKCS12",
		"-Djavax.net.ssl.trustStorePassword=" + javaPassword,
	}, " ")))
}

// FindJava is the folder of the Java that a command would run: JAVA_HOME, else where the java in PATH comes from; "" if there is none.
func FindJava() string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if _, err := os.Stat(filepath.Join(home, "bin")); err == nil {
			return home
		}
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return ""
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return ""
	}
	return filepath.Dir(filepath.Dir(path))
}
