package export

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// hurlFormat is a file for hurl, which checks the status as well.
var hurlFormat = Format{Name: "hurl", Help: "a file for hurl, with the status asserted", Ext: ".hurl", runs: true, write: perFlow("#", writeHurl)}

func writeHurl(c *call) (string, error) {
	fill := func(s string) string {
		return c.join(s, "", hurlText, func(n string) string { return "{{" + n + "}}" })
	}
	notes := []string{"hurl adds User-Agent and Accept where the original has none"}
	for _, n := range c.used() {
		notes = append(notes, "hurl --variable "+n+"=\"$"+n+"\"")
	}
	var b strings.Builder
	b.WriteString(c.about("#", notes...))
	b.WriteString(c.m.Method + " " + fill(c.url()) + "\n")
	if c.host != "" {
		b.WriteString("Host: " + fill(c.host) + "\n")
	}
	for _, h := range c.fields {
		b.WriteString(h.Name + ": " + fill(h.Value) + "\n")
	}
	b.WriteString("[Options]\npath-as-is: true\n")
	if c.insecure() {
		b.WriteString("insecure: true\n")
	}
	if strings.HasPrefix(c.m.Proto, "HTTP/2") {
		b.WriteString("http2: true\n")
	} else {
		b.WriteString("http1.1: true\n")
	}
	data := string(c.m.Body.Data)
	switch {
	case data == "":
	case readable(strings.ReplaceAll(data, "\r\n", "\n")) && len(c.used()) > 0:
		b.WriteString("`" + fill(data) + "`\n")
	case len(c.split(data)) == 1 && c.split(data)[0].name == "":
		b.WriteString("base64," + base64.StdEncoding.EncodeToString([]byte(data)) + ";\n")
	default:
		return "", fmt.Errorf("hurl cannot fill a secret into binary content; export it with --reveal, or as curl")
	}
	if s := c.f.Status(); s > 0 {
		fmt.Fprintf(&b, "\nHTTP %d\n", s)
	} else {
		b.WriteString("\nHTTP *\n")
	}
	return b.String(), nil
}

// hurlText escapes what hurl reads otherwise (hurl 4, "Special characters in strings").
func hurlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == '#':
			b.WriteString(`\` + string(r))
		case r == '{' || r == '`':
			fmt.Fprintf(&b, `\u{%x}`, r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
