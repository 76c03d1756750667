package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/why403/why403/certs"
)

// proxyFlags are the flags of every command that starts the proxy.
type proxyFlags struct {
	listen     []string
	session    string
	source     string // of the flows of a new session: the file that they come from
	insecure   bool
	caDir      string
	upstreamCA []string
	tunnel     []string
	maxBody    size
	rules      string
	mode       string
	setHost    bool
	upstream   string
	proxyAuth  string
	ignore     []string
	clientCert []string
	tlsMin     tlsVersion
	tlsMax     tlsVersion
	requestID  bool
	logs       logFlags
	contract   contractFlags
}

func (o *proxyFlags) add(flags *pflag.FlagSet) {
	o.maxBody = 64 << 20
	flags.StringSliceVar(&o.listen, "listen", nil, "`address` of the proxy, host:port on loopback (default 127.0.0.1:8403 and [::1]:8403)")
	flags.StringVar(&o.session, "session", "", "`file` to record into, or none (default: a new one in the state folder)")
	flags.BoolVar(&o.insecure, "insecure", false, "do not verify the certificates of servers")
	flags.StringVar(&o.caDir, "ca-dir", "", "`folder` of our certificate authority (default: see why403 ca path)")
	flags.StringArrayVar(&o.upstreamCA, "upstream-ca", nil, "PEM `file` with further roots to trust for servers")
	flags.StringSliceVar(&o.tunnel, "tunnel", nil, "`host` to pass through untouched, without looking inside (*.example.com covers all below)")
	flags.StringVar(&o.mode, "mode", "regular", "`regular` (HTTP and SOCKS5 on one port; socks5 is the same), or reverse:URL to stand in front of one server; what it answers (Location, cookies) stays as it is")
	flags.BoolVar(&o.setHost, "rewrite-host", false, "with --mode reverse: send the server's own name as Host")
	flags.StringVar(&o.upstream, "upstream", "", "`URL` of a proxy to go through (http, https, socks5, socks5h), or none (default: HTTPS_PROXY and NO_PROXY of the environment)")
	flags.StringVar(&o.proxyAuth, "proxy-auth", "", "ask clients for user:password, read from `@FILE`, - or WHY403_PROXY_AUTH")
	flags.StringSliceVar(&o.ignore, "ignore", nil, "`host` to pass through and not record at all (*.example.com covers all below)")
	o.addTLS(flags)
	flags.BoolVar(&o.requestID, "inject-request-id", false, "add an X-Request-Id to requests without an id of their own, to find them in the server's log")
	o.logs.add(flags)
	o.contract.add(flags)
	flags.StringVar(&o.rules, "rules", "", "`file` with rules that change messages on their way (default: the section rules of the configuration)")
	flags.Var(&o.maxBody, "max-body", "`size` up to which one body is kept, such as 64MB")
}

// roots are the system's certificate authorities and the files given. nil, where
// no file is given, is the system's too: they are read when they are first
// needed, which is not before the screen is there.
func (o *proxyFlags) roots() (*x509.CertPool, error) {
	if len(o.upstreamCA) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, name := range o.upstreamCA {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, failed(fmt.Errorf("--upstream-ca: %w", err), "give a PEM file that you may read")
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, failedf("give the certificate authority as PEM (-----BEGIN CERTIFICATE-----)", "--upstream-ca %s: no certificate in it", name)
		}
	}
	return pool, nil
}

func (o *proxyFlags) dir() string {
	if o.caDir != "" {
		return o.caDir
	}
	return certs.DefaultDir()
}

// size is a number of bytes with an optional unit, in powers of 1024.
type size int64

func (s *size) String() string {
	n := int64(*s)
	for _, u := range []string{"", "KB", "MB", "GB"} {
		if n < 1024 || n%1024 != 0 || u == "GB" {
			return strconv.FormatInt(n, 10) + u
		}
		n >>= 10
	}
	return ""
}

func (s *size) Type() string { return "size" }

func (s *size) Set(text string) error {
	t := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text)), "B")
	shift := 0
	for i, u := range []string{"K", "M", "G"} {
		if rest, ok := strings.CutSuffix(t, u); ok {
			t, shift = strings.TrimSuffix(rest, " "), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 0 || n > 1<<(62-shift) {
		return errors.New("not a size: give a number with an optional KB, MB or GB")
	}
	*s = size(n << shift)
	return nil
}

// missing reports whether err says that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
