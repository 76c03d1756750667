package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// What clients do that do not trust our authority was measured: OpenSSL 3
// (curl, Python's ssl, Ruby, Perl, PHP, cargo) looks like a bad record MAC;
// GnuTLS (Debian's wget and git) finishes the handshake and closes; Node, npm
// and aiohttp close, Bun resets; Go, Deno, rustls and Java send an alert.

// distrusts reports whether a handshake failed in a way in which those fail that do not trust the certificate.
func distrusts(i *interception, err error) bool {
	var remote *net.OpError
	switch {
	case i.refuse != nil, i.facts == nil:
		return false
	case errors.As(err, &remote) && remote.Op == "remote error":
		return slices.Contains(distrustAlerts, strings.TrimPrefix(remote.Err.Error(), "tls: "))
	}
	return strings.HasSuffix(err.Error(), badMAC) || errors.Is(err, errNothingAsked) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

var distrustAlerts = []string{"unknown certificate authority", "bad certificate", "unknown certificate", "certificate unknown"}

const badMAC = "tls: bad record MAC"

// handshakeText says why a handshake with a client failed, and what that usually means.
func handshakeText(i *interception, err error) string {
	const distrust = "the client does not trust why403's certificate authority, or pins the server's certificate"
	var remote *net.OpError
	switch {
	case i.refuse != nil:
		return "no certificate could be made for it: " + i.refuse.Error()
	case errors.As(err, &remote) && remote.Op == "remote error":
		alert := strings.TrimPrefix(remote.Err.Error(), "tls: ")
		switch {
		case slices.Contains(distrustAlerts, alert):
			return distrust + " (TLS alert: " + alert + ")"
		case alert == "protocol version not supported", alert == "handshake failure":
			return "the client and why403 have no TLS version or cipher in common (TLS alert: " + alert + ")"
		}
		return "the client gave up the handshake (TLS alert: " + alert + ")"
	case strings.HasSuffix(err.Error(), badMAC):
		// OpenSSL 3 sends its alert in the clear when it does not like the certificate of a TLS 1.3 server.
		return distrust + " (it broke off the handshake as OpenSSL does then)"
	case errors.Is(err, errNothingAsked):
		return "the client closed the connection right after the handshake, without a request: GnuTLS (wget, git) does so when it does not trust why403's certificate authority; so does a client that only connected ahead"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		if i.facts == nil {
			return "the client closed the connection before its hello was complete"
		}
		return distrust + " (it closed the connection when it saw ours)"
	case isTimeout(err):
		return "the client did not finish the handshake in time"
	}
	return "the handshake with the client failed: " + wire.Readable(err)
}

// remedy is how one kind of client is made to trust a certificate. $CA stands for the file.
type remedy struct {
	name    string   // of the client, for people
	agents  []string // beginnings of the User-Agent of its CONNECT, in lower case
	process []string // names of its processes, in lower case
	do      string
}

// remedies are asked from the top; a User-Agent goes before a process, which may be but the interpreter.
var remedies = []remedy{
	{"curl", []string{"curl/"}, []string{"curl"}, "--cacert $CA, or CURL_CA_BUNDLE=$CA"},
	{"git", []string{"git/"}, []string{"git", "git-remote-http"}, "GIT_SSL_CAINFO=$CA, or git config http.sslCAInfo"},
	{"wget", []string{"wget/"}, []string{"wget", "wget2"}, "--ca-certificate=$CA"},
	{"aiohttp", []string{"python/"}, nil, "SSL_CERT_FILE=$CA"},
	{"pip", []string{"pip/"}, []string{"pip", "pip3"}, "PIP_CERT=$CA, or --cert $CA"},
	{"Python", []string{"python-requests/", "python-httpx/", "python-urllib/"}, []string{"python", "python2", "python3", "gunicorn", "pytest"}, "REQUESTS_CA_BUNDLE=$CA for requests, pip and boto3 (AWS_CA_BUNDLE), SSL_CERT_FILE=$CA for urllib, httpx and aiohttp"},
	{"npm", []string{"npm/"}, []string{"npm", "npx", "yarn", "pnpm"}, "NODE_EXTRA_CA_CERTS=$CA, or npm config set cafile"},
	{"Deno", []string{"deno/"}, []string{"deno"}, "DENO_CERT=$CA"},
	{"Bun", []string{"bun/"}, []string{"bun"}, "NODE_EXTRA_CA_CERTS=$CA"},
	{"Node", []string{"node", "undici"}, []string{"node", "nodejs", "mainthread"}, "NODE_EXTRA_CA_CERTS=$CA before it starts"},
	{"cargo", []string{"cargo/"}, []string{"cargo", "rustup"}, "CARGO_HTTP_CAINFO=$CA"},
	{"kubectl", []string{"kubectl/", "helm/"}, []string{"kubectl", "helm"}, "--certificate-authority=$CA, instead of the one in the kubeconfig"},
	{"Docker", []string{"docker/", "buildkit/"}, []string{"dockerd", "docker", "containerd"}, "put $CA at /etc/docker/certs.d/HOST/ca.crt on the daemon's machine"},
	{"Go", []string{"go-http-client/"}, nil, "SSL_CERT_FILE=$CA on Linux; elsewhere Go takes the system's store"},
	{"Java", []string{"java/", "java-http-client/", "apache-httpclient/", "okhttp/"}, []string{"java"}, "keytool -importcert into a trust store, then -Djavax.net.ssl.trustStore"},
	{"Ruby", nil, []string{"ruby", "bundle", "rake"}, "SSL_CERT_FILE=$CA"},
	{"PHP", nil, []string{"php", "php-fpm", "composer"}, "php -d curl.cainfo=$CA -d openssl.cafile=$CA"},
	{"Perl", nil, []string{"perl"}, "PERL_LWP_SSL_CA_FILE=$CA, SSL_CERT_FILE=$CA for HTTP::Tiny"},
	{".NET", nil, []string{"dotnet", "pwsh", "powershell"}, "SSL_CERT_FILE=$CA on Linux; elsewhere the system's store"},
	{"Postman", []string{"postman"}, []string{"postman"}, "Settings, Certificates, CA certificates, on, with $CA"},
	{"Firefox", nil, []string{"firefox", "firefox-bin", "firefox-esr"}, firefoxTrust},
	{"the browser", nil, []string{"chrome", "chromium", "chromium-browse", "msedge", "brave", "opera", "vivaldi-bin", "safari"}, browserTrust},
}

const (
	firefoxTrust = "import $CA in Settings, Privacy & Security, View Certificates, or open a browser that trusts it: why403 browser"
	browserTrust = "install $CA where the system keeps such certificates (http://" + Place + "/ in it tells how), or open a browser that trusts it: why403 browser"
)

// remedyFor finds the remedy for a client by what its CONNECT called itself and which process it is.
func remedyFor(agent, process string) *remedy {
	agent = strings.ToLower(agent)
	switch {
	case strings.Contains(agent, "firefox/"):
		return &remedy{name: "Firefox", do: firefoxTrust}
	case strings.HasPrefix(agent, "mozilla/"):
		return &remedy{name: "the browser", do: browserTrust}
	}
	process, _, _ = strings.Cut(strings.ToLower(process), " ")
	process = strings.TrimSuffix(process, ".exe")
	bare := strings.TrimRight(process, "0123456789.") // python3.12
	for i := range remedies {
		for _, a := range remedies[i].agents {
			if strings.HasPrefix(agent, a) {
				return &remedies[i]
			}
		}
	}
	for i := range remedies {
		if slices.Contains(remedies[i].process, process) || slices.Contains(remedies[i].process, bare) {
			return &remedies[i]
		}
	}
	return nil
}

// trustFix says how to make this client trust us, and how to leave the host alone.
func trustFix(agent, process string, hello *flow.TLS, authority string) string {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = authority
	}
	leave := fmt.Sprintf("Or leave this host alone: --tunnel %s", host)
	r := remedyFor(agent, process)
	if r == nil {
		kin := ""
		if hello != nil { // what they offer was measured, like the rest
			switch strings.Join(hello.Offered, ",") {
			case "http/1.1":
				kin = ", from its hello perhaps Python, Node's fetch or Bun"
			case "":
				kin = ", from its hello perhaps wget, Node's https (axios, npm), Ruby, Perl or PHP"
			}
		}
		return "The client is not known" + kin + ": start it with why403 run, or set SSL_CERT_FILE, REQUESTS_CA_BUNDLE or NODE_EXTRA_CA_CERTS, whichever its runtime reads, to $(why403 ca path). " + leave
	}
	return "For " + r.name + ": " + r.do + ", with CA=$(why403 ca path). " + leave
}
