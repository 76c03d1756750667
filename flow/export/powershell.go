package export

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// powershellFormat is a command for PowerShell 7.
var powershellFormat = Format{Name: "powershell", Help: "a command for PowerShell 7", Ext: ".ps1", runs: true, write: perFlow("#", writePowerShell)}

func writePowerShell(c *call) (string, error) {
	notes := []string{"needs PowerShell 7.4"}
	if r := c.repeated(); len(r) > 0 {
		notes = append(notes, "a table of headers holds a name once: the values of "+strings.Join(r, ", ")+" are sent as a list")
	}
	var b strings.Builder
	b.WriteString(c.about("#", notes...))
	b.WriteString("$headers = [ordered]@{\n")
	if c.host != "" {
		fmt.Fprintf(&b, "  'Host' = %s\n", psText(c, c.host))
	}
	done := map[string]bool{}
	for _, h := range c.fields {
		name := strings.ToLower(h.Name)
		if done[name] || name == "content-type" || name == "content-length" || name == "connection" || name == "keep-alive" {
			continue
		}
		done[name] = true
		var values []string
		for v := range c.fields.Values(h.Name) {
			values = append(values, psText(c, v))
		}
		value := strings.Join(values, ", ")
		if len(values) > 1 {
			value = "@(" + value + ")"
		}
		fmt.Fprintf(&b, "  %s = %s\n", psText(c, h.Name), value)
	}
	b.WriteString("}\n")
	body := ""
	if c.m.Body.Size > 0 {
		fmt.Fprintf(&b, "$body = %s\n", psBody(c))
		body = " -Body $body"
	}
	method := " -Method " + c.m.Method
	switch strings.ToUpper(c.m.Method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "MERGE", "PATCH":
	default:
		method = " -CustomMethod " + psText(c, c.m.Method)
	}
	if v, ok := c.fields.Lookup("Content-Type"); ok {
		body += " -ContentType " + psText(c, v)
	}
	if c.insecure() {
		body += " -SkipCertificateCheck"
	}
	fmt.Fprintf(&b, "$response = Invoke-WebRequest -Uri %s%s -Headers $headers%s -SkipHeaderValidation -SkipHttpErrorCheck -MaximumRedirection 0 -NoProxy\n", psParen(psText(c, c.url())), method, body)
	b.WriteString("\"$($response.StatusCode) $($response.StatusDescription)\"\n$response.Content\n")
	return b.String(), nil
}

func psParen(s string) string {
	if strings.Contains(s, " + ") {
		return "(" + s + ")"
	}
	return s
}

// psText is a string in single quotes, in which nothing but quotes has a meaning;
// PowerShell takes typographic ones for the same.
func psText(c *call, s string) string {
	return c.join(s, " + ", func(t string) string {
		for _, q := range []string{"'", "\u2018", "\u2019", "\u201a", "\u201b"} {
			t = strings.ReplaceAll(t, q, q+q)
		}
		return "'" + t + "'"
	}, func(n string) string { return "$env:" + n })
}

// psBody is the content as bytes.
func psBody(c *call) string {
	var parts []string
	for _, p := range c.split(string(c.m.Body.Data)) {
		if p.name != "" {
			parts = append(parts, "[Text.Encoding]::UTF8.GetBytes($env:"+p.name+")")
		} else {
			parts = append(parts, "[Convert]::FromBase64String('"+base64.StdEncoding.EncodeToString([]byte(p.text))+"')")
		}
	}
	return "[byte[]](" + strings.Join(parts, " + ") + ")"
}
