package export

import (
	"strings"

	"github.com/why403/why403/flow/curl"
)

// httpieFormat is a command of HTTPie for sh.
var httpieFormat = Format{Name: "httpie", Help: "a command of HTTPie for sh", Ext: ".sh", runs: true, write: perFlow("#", writeHTTPie)}

func writeHTTPie(c *call) (string, error) {
	word := func(s string) string { return curl.QuoteWith(s, c.vars) }
	var b strings.Builder
	b.WriteString(c.about("#", "needs HTTPie 3"))
	data := string(c.m.Body.Data)
	piped := data != "" && (!readable(data) || len(data) > 64<<10)
	if piped {
		b.WriteString(curl.Producer(data, c.vars) + " | \\\n")
	}
	b.WriteString("http --print=hb --path-as-is")
	if !piped {
		b.WriteString(" --ignore-stdin")
	}
	if c.insecure() {
		b.WriteString(" --verify=no")
	}
	if data != "" && !piped {
		b.WriteString(" \\\n  " + word("--raw="+data))
	}
	b.WriteString(" \\\n  " + word(c.m.Method) + " " + word(c.url()))
	item := func(s string) { b.WriteString(" \\\n  " + word(s)) }
	if c.host != "" {
		item("Host:" + c.host)
	}
	for _, h := range c.fields {
		switch name := itemName(h.Name); {
		case strings.EqualFold(h.Name, "Content-Length"):
		case h.Value == "":
			item(name + ";")
		default:
			item(name + ":" + h.Value)
		}
	}
	for _, name := range []string{"User-Agent", "Accept", "Accept-Encoding", "Connection"} {
		if !c.fields.Has(name) {
			item(name + ":") // else it adds its own
		}
	}
	if data != "" && !c.fields.Has("Content-Type") {
		item("Content-Type:")
	}
	b.WriteString("\n")
	return b.String(), nil
}

// itemName escapes what would make another kind of item of a header.
func itemName(s string) string {
	return strings.NewReplacer(`\`, `\\`, "=", `\=`, "@", `\@`).Replace(s)
}
