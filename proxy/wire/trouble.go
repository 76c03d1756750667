package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/why403/why403/flow"
)

// Why the way to the origin failed; the words of X-Why403.
const (
	CannotResolve   Reason = "upstream-resolve"
	CannotDial      Reason = "upstream-dial"
	DialTimeout     Reason = "upstream-timeout"
	HandshakeFailed Reason = "upstream-tls"
	NotVerified     Reason = "upstream-certificate"
	BrokenUpstream  Reason = "upstream-closed"
	Garbage         Reason = "upstream-garbage"
	SpeaksNoH2      Reason = "upstream-http1"
	UpstreamRefused Reason = "upstream-proxy-refused" // a proxy after us said no
	UpstreamBroken  Reason = "upstream-proxy"         // a proxy after us said nothing that makes sense
	Loop            Reason = "loop"
)

// Trouble is why an exchange got no answer from its origin: the word that
// marks our answer, the entry for the recording, and what to do about it.
type Trouble struct {
	Reason Reason
	flow.Failure
	Hint string // one sentence

	TLS             *flow.TLS // of a handshake that failed, as far as it came
	Resolved, Tried []string  // see flow.Conn
}

// dialTrouble tells the ways apart in which a connection to addr was not made.
func dialTrouble(addr string, err error) *Trouble {
	host, port, _ := net.SplitHostPort(addr)
	t := &Trouble{Reason: CannotDial, Failure: flow.Failure{Side: "origin", Op: "dial"}}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		t.Reason, t.Op = CannotResolve, "resolve"
		switch {
		case dns.IsNotFound:
			t.Text = fmt.Sprintf("the name %s does not exist in DNS", host)
			t.Hint = "check the spelling, and whether the name is only known inside a VPN or another network"
		case dns.IsTimeout:
			t.Text = fmt.Sprintf("no DNS server answered for %s", host)
			t.Hint = "check the network and the DNS servers of this machine"
		default:
			t.Text = fmt.Sprintf("looking up %s: %s", host, dns.Err)
			t.Hint = "check the network and the DNS servers of this machine"
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		t.Text = fmt.Sprintf("%s refused the connection", addr)
		t.Hint = fmt.Sprintf("nothing listens on port %s there: check that the server runs and that the port is right", port)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		t.Reason = DialTimeout
		t.Text = fmt.Sprintf("%s did not answer the connection attempt in time", addr)
		t.Hint = "a firewall may be dropping the packets, or the address is wrong: try the same from the server's network"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		t.Text = fmt.Sprintf("there is no route to %s", addr)
		t.Hint = "check the network, the VPN and the address"
	case errors.Is(err, context.Canceled):
		t.Text = fmt.Sprintf("the connection to %s was given up", addr)
		t.Hint = "the client went away or why403 is stopping"
	default:
		t.Text = fmt.Sprintf("connecting to %s: %s", addr, Readable(err))
		t.Hint = "check the address and the network"
	}
	return t
}

// tlsTrouble tells the ways apart in which a TLS handshake with an origin called name failed.
func tlsTrouble(addr, name string, err error) *Trouble {
	t := &Trouble{Reason: HandshakeFailed, Failure: flow.Failure{Side: "origin", Op: "tls"}}
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		roots   x509.SystemRootsError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		remote  *net.OpError
		timeout net.Error
	)
	insecure := "to look at the exchange all the same, start why403 with --insecure"
	if t.Text = notVerified(name, err); t.Text != "" {
		t.Reason = NotVerified
	}
	switch {
	case errors.As(err, &unknown):
		t.Hint = "a private authority or an intercepting proxy behind us: give why403 its certificate with --upstream-ca; " + insecure
	case errors.As(err, &host):
		t.Hint = "check the host and SNI; " + insecure
	case errors.As(err, &invalid):
		t.Hint = "check the server's certificate and this machine's clock; " + insecure
	case errors.As(err, &roots):
		t.Hint = "install the system's CA certificates; " + insecure
	case errors.As(err, &record):
		t.Text = fmt.Sprintf("%s does not speak TLS on this port", addr)
		t.Hint = "use http:// for this address, or another port"
	case errors.As(err, &alert), errors.As(err, &remote) && remote.Op == "remote error":
		t.Text = fmt.Sprintf("%s refused the TLS handshake: %s", addr, strings.TrimPrefix(Readable(err), "tls: "))
		t.Hint = "the server may want another TLS version, another name (SNI) or a client certificate"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		t.Reason = DialTimeout
		t.Text = fmt.Sprintf("%s did not finish the TLS handshake in time", addr)
		t.Hint = "the port may not speak TLS, or something on the way holds it back"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		t.Text = fmt.Sprintf("%s closed the connection during the TLS handshake", addr)
		t.Hint = "the server may not know this name (SNI), or a firewall between us cuts it"
	default:
		t.Text = fmt.Sprintf("TLS handshake with %s: %s", addr, Readable(err))
		t.Hint = insecure
	}
	return t
}

// notVerified says why the chain of an origin called name does not verify; "" if err says something else.
func notVerified(name string, err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		roots   x509.SystemRootsError
	)
	switch {
	case errors.As(err, &unknown):
		return fmt.Sprintf("the certificate of %s is signed by %s, which this machine does not trust", name, issuer(unknown.Cert))
	case errors.As(err, &host):
		return fmt.Sprintf("the certificate of %s is for other names: %s", name, names(host.Certificate))
	case errors.As(err, &invalid):
		return fmt.Sprintf("the certificate of %s is not valid: %s", name, strings.TrimPrefix(invalid.Error(), "x509: "))
	case errors.As(err, &roots):
		return "this machine has no list of trusted authorities"
	}
	return ""
}

// NoAnswer says why no final head came from addr: head is as much of one as
// there is, err what ReadHead or ParseResponse said, secure the TLS that was spoken, if it was.
func NoAnswer(addr string, head *Head, err error, secure *flow.TLS) *Trouble {
	t := &Trouble{Reason: Garbage, Failure: flow.Failure{Side: "origin", Op: "parse"},
		Hint: "check the port, and whether the server speaks another protocol there"}
	var f *Fault
	var remote *net.OpError
	switch {
	case errors.As(err, &f):
		t.Text = fmt.Sprintf("%s answered with something that is no HTTP/1 response: %s", addr, f.Text)
	case head != nil:
		t.Text = fmt.Sprintf("%s closed the connection in the middle of the response head, after %q", addr, clip(string(head.Raw)))
		t.Hint = "the server or something in front of it broke off: look at its log"
	case errors.As(err, &remote) && remote.Op == "remote error": // TLS 1.3 says so only now
		t.Reason, t.Op = HandshakeFailed, "tls"
		t.Text = fmt.Sprintf("%s refused the TLS connection: %s", addr, strings.TrimPrefix(Readable(err), "tls: "))
		t.Hint = "the server may want a client certificate"
		switch {
		case secure == nil:
		case secure.Wanted && secure.Presented == "":
			t.Hint = wantsCertificate
		case secure.Wanted:
			t.Hint = "the server does not accept the client certificate that it got: " + secure.Presented
		}
	default:
		t.Reason, t.Op = BrokenUpstream, "read"
		t.Text = fmt.Sprintf("%s closed the connection without an answer (%s)", addr, Readable(err))
		t.Hint = "the server or something in front of it may have crashed, timed out or dropped the request: look at its log"
	}
	return t
}

// NoH2 is the trouble with an origin that is to speak HTTP/2 and does not.
func NoH2(addr string) *Trouble {
	t := &Trouble{Reason: SpeaksNoH2, Failure: flow.Failure{Side: "origin", Op: "tls"}, Hint: "let the client speak HTTP/1.1"}
	t.Text = fmt.Sprintf("the client speaks HTTP/2 and %s does not (it did not choose h2 in ALPN)", addr)
	return t
}

func issuer(c *x509.Certificate) string {
	if c == nil || c.Issuer.String() == "" {
		return "an authority without a name"
	}
	return fmt.Sprintf("%q", clip(c.Issuer.String()))
}

func names(c *x509.Certificate) string {
	var all []string
	if c != nil {
		all = append(all, c.DNSNames...)
		for _, ip := range c.IPAddresses {
			all = append(all, ip.String())
		}
	}
	switch {
	case len(all) == 0:
		return "none at all"
	case len(all) > 8:
		return strings.Join(all[:8], ", ") + ", …"
	}
	return strings.Join(all, ", ")
}

// Readable is the text of the error at the bottom, without "dial tcp …:" in front.
func Readable(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
