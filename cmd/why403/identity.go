package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/pflag"

	"github.com/why403/why403/proxy"
	"github.com/why403/why403/proxy/wire"
)

// addTLS adds the flags that say how we speak TLS to servers.
func (o *proxyFlags) addTLS(flags *pflag.FlagSet) {
	flags.StringArrayVar(&o.clientCert, "client-cert", nil, "PEM `[HOST=]FILE` with certificate and key for servers that ask for one (HOST as in --tunnel)")
	flags.Var(&o.tlsMin, "tls-min", "lowest TLS `version` offered to servers: 1.0, 1.1, 1.2 or 1.3")
	flags.Var(&o.tlsMax, "tls-max", "highest TLS `version` offered to servers")
}

// identities are the client certificates of --client-cert. Those for a host go before those for any.
func (o *proxyFlags) identities() (wire.Identities, error) {
	if o.tlsMin != 0 && o.tlsMax != 0 && o.tlsMin > o.tlsMax {
		return nil, usagef("--tls-min 1.2 --tls-max 1.3 is a range", "--tls-min %s is above --tls-max %s", &o.tlsMin, &o.tlsMax)
	}
	var certain, general wire.Identities
	for _, text := range o.clientCert {
		host, name, found := strings.Cut(text, "=")
		if !found || strings.ContainsAny(host, `/\`) {
			host, name = "", text
		}
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, failed(fmt.Errorf("--client-cert: %w", err), "give a PEM file with certificate and key that you may read")
		}
		id, err := wire.ParseIdentity(host, pem)
		switch {
		case err != nil:
			return nil, failedf("the file holds the certificate, the chain above it if there is one, and the key without a passphrase, as PEM", "--client-cert %s: %v", name, err)
		case host == "":
			general = append(general, id)
		default:
			certain = append(certain, id)
		}
	}
	return append(certain, general...), nil
}

// guard decides how those are kept out who may reach our port and not use what
// we hold: a client certificate, or a login for the proxy after us. Clients log
// in, or they run as the same user. See proxy.Options.SameUser.
func (o *proxyFlags) guard(login string, way *wire.Proxy) (sameUser bool, _ error) {
	held := ""
	switch {
	case login != "":
	case len(o.clientCert) > 0:
		held = "--client-cert"
	case way.HasCredentials():
		held = "a login for " + way.String()
	}
	if held == "" {
		return false, nil
	}
	if !proxy.CanTellUsers() {
		return false, usagef("make clients log in with --proxy-auth @FILE", "%s is not for everybody on this machine, and this system does not tell which user a client is", held)
	}
	return true, nil
}

// newRequestID makes ids that sort by time (RFC 9562, version 7); nil when none are wanted.
func (o *proxyFlags) newRequestID() func() string {
	if !o.requestID {
		return nil
	}
	return func() string {
		id, err := uuid.NewV7()
		if err != nil { // no randomness: an id that is not unique would be worse than none
			return ""
		}
		return id.String()
	}
}

// tlsVersion is a flag; 0 is none given.
type tlsVersion uint16

var tlsVersions = map[string]tlsVersion{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func (v *tlsVersion) String() string {
	for name, known := range tlsVersions {
		if known == *v {
			return name
		}
	}
	return ""
}

func (v *tlsVersion) Type() string { return "version" }

func (v *tlsVersion) Set(text string) error {
	known, ok := tlsVersions[strings.TrimPrefix(strings.ToLower(text), "tls")]
	if !ok {
		return errors.New("not a version of TLS: give 1.0, 1.1, 1.2 or 1.3")
	}
	*v = known
	return nil
}
