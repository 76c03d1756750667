package proxy

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// Each client is told what makes it trust us: by what it calls itself, else by its process, else by its hello.
func TestTrustFixIsForTheClient(t *testing.T) {
	for _, c := range []struct {
		agent, process string
		offered        []string
		want           string
	}{
		{"curl/8.14.1", "", nil, "For curl: --cacert $CA"},
		{"Go-http-client/1.1", "terraform 17", nil, "For Go: SSL_CERT_FILE=$CA"},
		{"Java/21.0.2", "java 17", nil, "trustStore"},
		{"Deno/2.5", "", nil, "DENO_CERT=$CA"},
		{"cargo/1.90.0", "", nil, "CARGO_HTTP_CAINFO=$CA"},
		{"Python/3.13 aiohttp/3.12", "python3 9", nil, "For aiohttp: SSL_CERT_FILE=$CA"},
		{"kubectl/v1.34.0 (linux/amd64)", "", nil, "For kubectl: --certificate-authority"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "", nil, "For Firefox: import"},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36", "", nil, "For the browser: install"},
		{"", "python3.12 99", []string{"http/1.1"}, "For Python: REQUESTS_CA_BUNDLE=$CA"},
		{"", "node 5", nil, "For Node: NODE_EXTRA_CA_CERTS=$CA"},
		{"", "wget 5", nil, "For wget: --ca-certificate=$CA"},
		{"", "git-remote-http 5", nil, "For git: GIT_SSL_CAINFO=$CA"},
		{"", "php8.4 5", nil, "For PHP: php -d"},
		{"", "mystery 5", []string{"http/1.1"}, "perhaps Python"},
		{"", "", nil, "perhaps wget"},
		{"", "", []string{"h2", "http/1.1"}, "The client is not known: start it with why403 run"},
	} {
		got := trustFix(c.agent, c.process, &flow.TLS{Offered: c.offered}, "app.test:8443")
		if !strings.Contains(got, c.want) || !strings.HasSuffix(got, "Or leave this host alone: --tunnel app.test") {
			t.Errorf("%q %q: %s", c.agent, c.process, got)
		}
	}
}

// The row of a client that does not trust us has the remedy; one of another failure does not pretend to.
func TestHandshakeRowsHaveTheRemedy(t *testing.T) {
	l := newLab(t)
	o := l.origin(l.origins.config(), okOrigin)
	for _, c := range []struct {
		name string
		talk func(p *peer)
		fix  bool
	}{
		{"distrusts", func(p *peer) { tls.Client(p.Conn, &tls.Config{ServerName: "app.test"}).Handshake() }, true},
		{"closes in its hello", func(p *peer) { p.send("\x16\x03\x01\x00\x99hello") }, false},
		{"has no version in common", func(p *peer) {
			tls.Client(p.Conn, &tls.Config{ServerName: "app.test", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}).Handshake()
		}, false},
	} {
		id := flow.ID(l.tape.count() + 1)
		p := l.dial()
		p.send("CONNECT " + o.addr + " HTTP/1.1\r\nHost: " + o.addr + "\r\nUser-Agent: curl/8.14.1\r\n\r\n")
		p.head()
		c.talk(p)
		p.Close()
		if f := l.tape.done(t, id).flow; f.Kind != flow.Handshake || strings.Contains(f.Err.Text, "For curl: --cacert $CA") != c.fix {
			t.Errorf("%s: recorded %s %v", c.name, f.Kind, f.Err)
		}
	}
}
