package proxy

import (
	"encoding/pem"
	"fmt"
	"html"
	"net"
	"net/http"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// Place is the host that the proxy itself answers for, to clients that reach it
// through the proxy: http://why403.test/ has the certificate of our authority
// and says how to trust it. It is under .test so that no name server knows it
// (RFC 6761, 6.2), and none is asked. It tells nothing of what passed.
const Place = "why403.test"

// isPlace reports whether target (host:port) is the place, on any port.
func isPlace(target string) bool {
	host, _, err := net.SplitHostPort(target)
	return err == nil && strings.EqualFold(strings.TrimSuffix(host, "."), Place)
}

// atPlace answers a request that was sent to the place.
func (c *client) atPlace(x *exchange) bool {
	q := x.req
	host, _, _ := strings.Cut(q.Header.Get("Host"), ":")
	path, _, _ := strings.Cut(q.Path, "?")
	a := &answer{status: http.StatusOK, reason: helpReason}
	info := c.s.opt.CA.Info()
	switch {
	case !strings.EqualFold(strings.TrimSuffix(host, "."), Place):
		// A page of another host that was led here would be shown this answer as its own.
		a = refusal(http.StatusMisdirectedRequest, notProxied, fmt.Sprintf("Host says %q, and this is only for %s", clip(q.Header.Get("Host")), Place), "ask for http://"+Place+"/")
	case q.Method != http.MethodGet && q.Method != http.MethodHead:
		a = refusal(http.StatusMethodNotAllowed, notProxied, q.Method+" is not for "+Place+": there is only something to read", "ask for http://"+Place+"/")
	case path == "/":
		a.kind, a.body = placePage(info.Name, info.SHA256, c.facts.Local, strings.Contains(q.Header.Get("Accept"), "text/html"))
	case path == "/ca.pem":
		a.kind, a.body, a.file = "application/x-pem-file", string(c.s.opt.CA.PEM()), "why403-ca.pem"
	case path == "/ca.crt", path == "/ca.cer", path == "/ca.der":
		// This type makes phones and Windows offer to install it.
		b, _ := pem.Decode(c.s.opt.CA.PEM())
		a.kind, a.body, a.file = "application/x-x509-ca-cert", string(b.Bytes), "why403-ca"+path[len("/ca"):]
	default:
		a = refusal(http.StatusNotFound, helpReason, Place+" has only /, /ca.pem and /ca.crt", "ask for http://"+Place+"/")
	}
	c.conn.Write(a.bytes(q.Method))
	c.linger()
	return false
}

// tunnelToPlace serves a CONNECT to the place. Clients that tunnel plain HTTP
// too, as Node does, get in; there is no TLS, which would need the very trust
// that the page is to bring.
func (c *client) tunnelToPlace(x *exchange) bool {
	if _, port, _ := net.SplitHostPort(x.target); port == "80" {
		if _, err := c.conn.Write(x.agreement()); err == nil {
			c.enter(x, "http", nil)
			c.serve()
		}
		return false
	}
	c.scheme, c.authority, c.target = "https", flow.Canonical("https", x.req.Authority), x.target // for the row
	f := &wire.Fault{Reason: notProxied, Text: Place + " is this proxy itself, and speaks plain HTTP only: the client asked for " + clip(x.req.Target)}
	if x.socks {
		c.conn.Write(socksReply(wire.SocksFailed))
		c.rejected(x.times.Start, nil, f, nil)
		c.linger()
		return false
	}
	return c.reject(x.times.Start, x.req.Head, f, "ask for http://"+Place+"/, with http")
}

// trustStep is what to do on one kind of system.
type trustStep struct {
	title, say string
	code       string // lines for a shell; "": none
}

// trustSteps are those for a proxy at addr.
func trustSteps(addr string) []trustStep {
	const get = "curl -x http://%s -o why403-ca.pem http://" + Place + "/ca.pem\n"
	fetch := fmt.Sprintf(get, addr)
	return []trustStep{
		{"One command, nothing installed", "The smallest way: only this command trusts it.",
			fetch + "curl --cacert why403-ca.pem …            # also CURL_CA_BUNDLE\nNODE_EXTRA_CA_CERTS=why403-ca.pem node …\nREQUESTS_CA_BUNDLE=why403-ca.pem python …  # requests; SSL_CERT_FILE for urllib and httpx\nGIT_SSL_CAINFO=why403-ca.pem git …\nSSL_CERT_FILE=why403-ca.pem …              # Go, Ruby, and most others"},
		{"macOS", "For your user; the system asks for your password. To take it back: security remove-trusted-cert why403-ca.pem",
			fetch + "security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db why403-ca.pem"},
		{"Windows", "For your user, in PowerShell or cmd. To take it back, delete it in certmgr.msc under Trusted Root Certification Authorities.",
			"curl.exe -x http://" + addr + " -o why403-ca.crt http://" + Place + "/ca.crt\ncertutil -user -addstore Root why403-ca.crt"},
		{"Debian, Ubuntu, Alpine", "To take it back, remove the file and run the last command with --fresh.",
			fetch + "sudo cp why403-ca.pem /usr/local/share/ca-certificates/why403-ca.crt\nsudo update-ca-certificates"},
		{"Fedora, Red Hat, SUSE", "On SUSE the folder is /etc/pki/trust/anchors and the command update-ca-certificates.",
			fetch + "sudo cp why403-ca.pem /etc/pki/ca-trust/source/anchors/\nsudo update-ca-trust"},
		{"Arch", "To take it back: sudo trust anchor --remove why403-ca.pem", fetch + "sudo trust anchor --store why403-ca.pem"},
		{"Chrome and Chromium on Linux", "They have a store of their own; certutil is in libnss3-tools or nss-tools.",
			fetch + `certutil -d sql:"$HOME/.pki/nssdb" -A -t C,, -n why403 -i why403-ca.pem`},
		{"Firefox", "Save /ca.pem. Settings, Privacy & Security, View Certificates, Authorities, Import; tick \"identify websites\".", ""},
		{"iOS and iPadOS", "Open http://" + Place + "/ca.crt in Safari, then Settings, General, VPN & Device Management, install; then General, About, Certificate Trust Settings, switch it on.", ""},
		{"Android", "Save /ca.crt. Settings, Security, Encryption & credentials, Install a certificate, CA certificate. Browsers then trust it; an app does only if its network security configuration allows user certificates.", ""},
		{"Java", "Java has a store of its own; \"changeit\" is its usual password.", fetch + "keytool -importcert -noprompt -trustcacerts -alias why403 -file why403-ca.pem -keystore why403.jks -storepass changeit\njava -Djavax.net.ssl.trustStore=why403.jks …"},
	}
}

// placePage is the page of the place.
func placePage(name, fingerprint, addr string, asHTML bool) (kind, page string) {
	const what = "The traffic of this client goes through why403. HTTPS becomes readable for it once it trusts the certificate of this why403's own authority."
	const care = "The key never leaves the machine where why403 runs. Who has it could read the traffic of whoever trusts it: trust it only where you debug, and take it back when you are done."
	var b strings.Builder
	if !asHTML {
		fmt.Fprintf(&b, "%s\n\n  http://%s/ca.pem   PEM\n  http://%s/ca.crt   DER\n\n  name     %s\n  SHA-256  %s\n\n%s\n", what, Place, Place, name, fingerprint, care)
		for _, s := range trustSteps(addr) {
			fmt.Fprintf(&b, "\n%s\n  %s\n", s.title, s.say)
			for line := range strings.SplitSeq(s.code, "\n") {
				if line != "" {
					b.WriteString("    " + line + "\n")
				}
			}
		}
		return "text/plain; charset=utf-8", b.String()
	}
	b.WriteString(pageHead + "<h1>why403</h1><p>" + what +
		"<p><a class=get href=/ca.pem download>ca.pem</a> <a class=get href=/ca.crt download>ca.crt</a>")
	fmt.Fprintf(&b, "<dl><dt>name<dd>%s<dt>SHA-256<dd><code>%s</code></dl><p>%s", html.EscapeString(name), fingerprint, care)
	for _, s := range trustSteps(addr) {
		fmt.Fprintf(&b, "<h2>%s</h2><p>%s", html.EscapeString(s.title), html.EscapeString(s.say))
		if s.code != "" {
			fmt.Fprintf(&b, "<pre>%s</pre>", html.EscapeString(s.code))
		}
	}
	return "text/html; charset=utf-8", b.String()
}

// pageHead begins our pages: readable on a phone, by day and by night.
const pageHead = `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>why403</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
h2{font-size:1.05rem;margin:1.6rem 0 .2rem}p{margin:.4rem 0}pre{background:#8882;padding:.6rem;overflow-x:auto;border-radius:4px}code{overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dd{margin:0}a.get{display:inline-block;padding:.3rem .8rem;margin-right:.5rem;border:1px solid;border-radius:4px}</style>
`
