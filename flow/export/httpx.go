package export

import (
	"fmt"
	"strings"
)

// httpxFormat is a script for httpx. A request that is made by hand has no fields but those given.
var httpxFormat = Format{Name: "httpx", Help: "a Python script with httpx", Ext: ".py", runs: true, write: perFlow("#", writeHTTPX)}

func writeHTTPX(c *call) (string, error) {
	h2 := strings.HasPrefix(c.m.Proto, "HTTP/2")
	needs := "needs: pip install httpx"
	if h2 {
		needs = "needs: pip install 'httpx[http2]'"
	}
	var b strings.Builder
	b.WriteString(c.about("#", needs))
	if len(c.used()) > 0 {
		b.WriteString("import os\n\n")
	}
	b.WriteString("import httpx\n\nrequest = httpx.Request(\n")
	fmt.Fprintf(&b, "    %s,\n    %s,\n    headers=[\n", pyText(c, c.m.Method), pyText(c, c.f.Scheme+"://"+c.f.Authority+"/"))
	host := c.host
	if host == "" {
		host = c.f.Authority
	}
	fmt.Fprintf(&b, "        (b\"Host\", %s),\n", pyBytes(c, host))
	for _, h := range c.fields {
		fmt.Fprintf(&b, "        (%s, %s),\n", pyBytes(c, h.Name), pyBytes(c, h.Value))
	}
	b.WriteString("    ],\n")
	if c.m.Body.Size > 0 {
		fmt.Fprintf(&b, "    content=%s,\n", pyBytes(c, string(c.m.Body.Data)))
	}
	fmt.Fprintf(&b, "    extensions={\"target\": %s},  # the path as it was sent\n)\n", pyBytes(c, c.target()))
	var args []string
	if h2 {
		args = append(args, "http1=False, http2=True")
	}
	if c.insecure() {
		args = append(args, "verify=False")
	}
	args = append(args, "trust_env=False, timeout=30")
	fmt.Fprintf(&b, "\nwith httpx.Client(%s) as client:\n    response = client.send(request)\n    print(response.status_code, response.reason_phrase)\n    print(response.text)\n", strings.Join(args, ", "))
	return b.String(), nil
}
