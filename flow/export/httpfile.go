package export

import (
	"encoding/base64"
	"errors"
	"strings"
)

// httpFormat is a .http file, as editors send them (RFC 9112 as text, with comments and variables).
var httpFormat = Format{Name: "http", Help: "a .http file for editors", Ext: ".http", runs: true, write: perFlow("#", writeHTTPFile)}

func writeHTTPFile(c *call) (string, error) {
	data := string(c.m.Body.Data)
	switch {
	case !readable(strings.ReplaceAll(data, "\r\n", "\n")):
		return "", errors.New("a .http file holds text, and the body is none (base64: " + base64.StdEncoding.EncodeToString(c.m.Body.Data[:min(24, len(data))]) + "…); export it as curl")
	case strings.HasPrefix(data, "###") || strings.Contains(data, "\n###") || strings.HasPrefix(data, "< "):
		return "", errors.New("the body has a line that ends a request in a .http file; export it as curl")
	}
	var b strings.Builder
	b.WriteString("### " + oneLine(title(c.f)) + "\n")
	_, about, _ := strings.Cut(c.about("#"), "\n")
	b.WriteString(about)
	for _, name := range c.used() {
		b.WriteString("@" + name + " = {{$processEnv " + name + "}}\n")
	}
	fill := func(s string) string {
		return c.join(s, "", func(t string) string { return t }, func(n string) string { return "{{" + n + "}}" })
	}
	version := " HTTP/1.1"
	if strings.HasPrefix(c.m.Proto, "HTTP/2") {
		version = " HTTP/2"
	}
	b.WriteString(c.m.Method + " " + fill(c.url()) + version + "\n")
	if c.host != "" {
		b.WriteString("Host: " + fill(c.host) + "\n")
	}
	for _, h := range c.fields {
		b.WriteString(h.Name + ": " + fill(h.Value) + "\n")
	}
	b.WriteString("\n")
	if data != "" {
		b.WriteString(fill(data) + "\n")
	}
	return b.String(), nil
}
