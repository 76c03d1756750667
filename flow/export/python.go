package export

import (
	"fmt"
	"strings"
)

// pythonFormat is a script for requests. It prepares the request by hand, for requests
// adds fields of its own, and tidies URLs up, where it is asked nicely.
var pythonFormat = Format{Name: "python", Help: "a Python script with requests", Ext: ".py", runs: true, write: perFlow("#", writePython)}

func writePython(c *call) (string, error) {
	notes := []string{"needs: pip install requests"}
	if r := c.repeated(); len(r) > 0 {
		notes = append(notes, "requests sends a field once: of "+strings.Join(r, ", ")+" the values are joined by commas")
	}
	if strings.HasPrefix(c.m.Proto, "HTTP/2") {
		notes = append(notes, "it came over HTTP/2; requests speaks HTTP/1.1")
	}
	var b strings.Builder
	b.WriteString(c.about("#", notes...))
	if len(c.used()) > 0 {
		b.WriteString("import os\n\n")
	}
	b.WriteString("import requests\nfrom urllib3.util import SKIP_HEADER\n\n")
	if !tidy(c.target()) {
		b.WriteString("import urllib3.connectionpool\n\nurllib3.connectionpool._encode_target = lambda target: target  # no percent-encoding\n\n")
	}
	fmt.Fprintf(&b, "request = requests.Request(%s, %s).prepare()\n", pyText(c, c.m.Method), pyText(c, c.f.Scheme+"://"+c.f.Authority+"/"))
	fmt.Fprintf(&b, "request.url = %s  # as it was sent, not tidied up\n", pyText(c, c.url()))
	b.WriteString("request.headers.clear()\n")
	if c.host != "" {
		fmt.Fprintf(&b, "request.headers[\"Host\"] = %s\n", pyHeader(c, c.host))
	}
	done := map[string]bool{}
	for _, h := range c.fields {
		name := strings.ToLower(h.Name)
		if done[name] {
			continue
		}
		done[name] = true
		var values []string
		for v := range c.fields.Values(h.Name) {
			values = append(values, v)
		}
		fmt.Fprintf(&b, "request.headers[%s] = %s\n", pyText(c, h.Name), pyHeader(c, strings.Join(values, ", ")))
	}
	for _, name := range []string{"User-Agent", "Accept-Encoding"} {
		if !c.fields.Has(name) {
			fmt.Fprintf(&b, "request.headers[%q] = SKIP_HEADER  # the original has none\n", name)
		}
	}
	if c.m.Body.Size > 0 {
		fmt.Fprintf(&b, "request.body = %s\n", pyBytes(c, string(c.m.Body.Data)))
	}
	if !c.fields.Has("Content-Length") && (c.m.Body.Size > 0 || c.m.Header.Has("Content-Length")) {
		fmt.Fprintf(&b, "request.headers[\"Content-Length\"] = str(len(request.body or b\"\"))\n")
	}
	b.WriteString("\nsession = requests.Session()\nsession.trust_env = False  # no proxy, no .netrc\n")
	verify := ""
	if c.insecure() {
		verify = ", verify=False"
	}
	fmt.Fprintf(&b, "response = session.send(request, allow_redirects=False, timeout=30%s)\n", verify)
	b.WriteString("print(response.status_code, response.reason)\nprint(response.text)\n")
	return b.String(), nil
}

// tidy reports whether urllib3 sends a path as it is (RFC 3986, 2.2 and 2.3).
func tidy(target string) bool {
	for i := range len(target) {
		c := target[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/?", c) >= 0) {
			return false
		}
	}
	return true
}

func pyEnv(name string) string { return `os.environ["` + name + `"]` }

// pyText is a str.
func pyText(c *call, s string) string {
	return c.join(s, " + ", func(t string) string { return `"` + escaped(t, false) + `"` }, pyEnv)
}

// pyHeader is a value: str where it is ASCII, else its bytes.
func pyHeader(c *call, s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return pyBytes(c, s)
		}
	}
	return pyText(c, s)
}

func pyBytes(c *call, s string) string {
	return c.join(s, " + ", func(t string) string { return `b"` + escaped(t, true) + `"` }, func(n string) string { return pyEnv(n) + ".encode()" })
}
