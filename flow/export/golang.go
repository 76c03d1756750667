package export

import (
	"fmt"
	"go/format"
	"strings"
)

// goFormat is a Go program. Package http sorts fields by name; all else goes out as it was.
var goFormat = Format{Name: "go", Help: "a Go program", Ext: ".go", runs: true, write: perFlow("//", writeGo)}

func writeGo(c *call) (string, error) {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n")
	imports := []string{"fmt", "io", "net/http", "net/url", "strings"}
	if len(c.used()) > 0 {
		imports = []string{"fmt", "io", "net/http", "net/url", "os", "strings"}
	}
	if c.insecure() {
		imports = append([]string{"crypto/tls"}, imports...)
	}
	for _, i := range imports {
		fmt.Fprintf(&b, "\t%q\n", i)
	}
	b.WriteString(")\n\n")
	b.WriteString(c.about("//", "net/http sends the fields sorted by name"))
	b.WriteString("func main() {\n")
	fmt.Fprintf(&b, "\tbody := %s\n", goText(c, string(c.m.Body.Data)))
	b.WriteString("\trequest := &http.Request{\n")
	fmt.Fprintf(&b, "\t\tMethod: %s,\n", goText(c, c.m.Method))
	fmt.Fprintf(&b, "\t\tURL: &url.URL{Scheme: %q, Host: %q, Opaque: %s}, // the path as it was sent\n", c.f.Scheme, c.f.Authority, goText(c, opaque(c)))
	if c.host != "" {
		fmt.Fprintf(&b, "\t\tHost: %s,\n", goText(c, c.host))
	}
	b.WriteString("\t\tHeader: http.Header{\n")
	done := map[string]bool{}
	for _, h := range c.fields {
		if done[h.Name] {
			continue
		}
		done[h.Name] = true
		var values []string
		for _, same := range c.fields {
			if same.Name == h.Name {
				values = append(values, goText(c, same.Value))
			}
		}
		fmt.Fprintf(&b, "\t\t\t%q: {%s},\n", h.Name, strings.Join(values, ", "))
	}
	if !c.fields.Has("User-Agent") {
		b.WriteString("\t\t\t\"User-Agent\": {\"\"}, // the original has none, and neither has this\n")
	}
	b.WriteString("\t\t},\n\t\tContentLength: int64(len(body)),\n\t}\n")
	b.WriteString("\tif body != \"\" {\n\t\trequest.Body = io.NopCloser(strings.NewReader(body))\n\t}\n")
	b.WriteString("\ttransport := &http.Transport{DisableCompression: true, DisableKeepAlives: ")
	fmt.Fprintf(&b, "%t", c.fields.HasToken("Connection", "close"))
	if strings.HasPrefix(c.m.Proto, "HTTP/2") {
		b.WriteString(", ForceAttemptHTTP2: true")
	}
	if c.insecure() {
		b.WriteString(", TLSClientConfig: &tls.Config{InsecureSkipVerify: true}")
	}
	b.WriteString("}\n\tresponse, err := transport.RoundTrip(request)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tdefer response.Body.Close()\n")
	b.WriteString("\ttext, _ := io.ReadAll(response.Body)\n\tfmt.Println(response.Status)\n\tfmt.Println(string(text))\n}\n")
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		return "", fmt.Errorf("write Go: %w", err)
	}
	return string(text), nil
}

// opaque is the target in the form in which package url leaves it alone.
func opaque(c *call) string {
	t := c.target()
	if strings.HasPrefix(t, "//") {
		return "//" + c.f.Authority + t // else it would be taken for an authority
	}
	if t == "" {
		return "/"
	}
	return t
}

func goText(c *call, s string) string {
	return c.join(s, " + ", func(t string) string { return `"` + escaped(t, true) + `"` }, func(n string) string { return `os.Getenv("` + n + `")` })
}
