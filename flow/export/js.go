package export

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// jsFormat is a module for Node's fetch.
var jsFormat = Format{Name: "js", Help: "JavaScript with fetch, for Node", Ext: ".mjs", runs: true, write: perFlow("//", writeJS)}

// fetchSets are fields that fetch does not let anybody set (Fetch, "forbidden request-header").
var fetchSets = map[string]bool{"connection": true, "content-length": true, "keep-alive": true, "expect": true, "upgrade": true, "te": true, "trailer": true}

func writeJS(c *call) (string, error) {
	if m := strings.ToUpper(c.m.Method); m == "TRACE" || m == "TRACK" {
		return "", fmt.Errorf("fetch does not send %s", m)
	}
	if (c.m.Method == "GET" || c.m.Method == "HEAD") && c.m.Body.Size > 0 {
		return "", fmt.Errorf("fetch sends no body with %s", c.m.Method)
	}
	var b strings.Builder
	b.WriteString(c.about("//", "fetch writes names of fields in lower case, tidies the path up and adds fields of its own (Accept-Language, Sec-Fetch-Mode)"))
	if c.insecure() {
		b.WriteString("process.env.NODE_TLS_REJECT_UNAUTHORIZED = \"0\"; // the capture did not verify the server either\n")
	}
	b.WriteString("const headers = new Headers();\n")
	if c.host != "" {
		fmt.Fprintf(&b, "headers.append(\"Host\", %s);\n", jsText(c, c.host))
	}
	for _, h := range c.fields {
		if fetchSets[strings.ToLower(h.Name)] {
			continue
		}
		fmt.Fprintf(&b, "headers.append(%s, %s);\n", jsText(c, h.Name), jsHeader(c, h.Value))
	}
	fmt.Fprintf(&b, "const response = await fetch(%s, {\n  method: %s,\n  headers,\n  redirect: \"manual\",\n", jsText(c, c.url()), jsText(c, c.m.Method))
	if c.m.Body.Size > 0 {
		fmt.Fprintf(&b, "  body: %s,\n", jsBody(c))
	}
	b.WriteString("});\nconsole.log(response.status, response.statusText);\nconsole.log(await response.text());\n")
	return b.String(), nil
}

func jsEnv(n string) string { return "process.env." + n }

func jsText(c *call, s string) string {
	return c.join(s, " + ", func(t string) string { return `"` + escaped(t, false) + `"` }, jsEnv)
}

// jsHeader is a value: fetch takes a string of bytes, so each character stands for one.
func jsHeader(c *call, s string) string {
	return c.join(s, " + ", func(t string) string { return `"` + escaped(latin1(t), false) + `"` }, jsEnv)
}

// latin1 is the text whose characters are the bytes of s.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

func jsBody(c *call) string {
	if data := string(c.m.Body.Data); readable(data) && c.m.Header.Has("Content-Type") {
		return jsText(c, data)
	}
	var parts []string // as bytes also where there is no Content-Type: for a string fetch adds one
	for _, p := range c.split(string(c.m.Body.Data)) {
		if p.name != "" {
			parts = append(parts, "Buffer.from("+jsEnv(p.name)+")")
		} else {
			parts = append(parts, `Buffer.from("`+base64.StdEncoding.EncodeToString([]byte(p.text))+`", "base64")`)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "Buffer.concat([" + strings.Join(parts, ", ") + "])"
}
