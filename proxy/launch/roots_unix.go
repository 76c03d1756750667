//go:build !windows && !darwin

package launch

import "bytes"

// systemRoots are the certificate authorities of the system, as PEM. The files
// are those that Go's crypto/x509 knows (root_linux.go, root_bsd.go).
func systemRoots() []byte {
	for _, path := range []string{
		"/etc/ssl/certs/ca-certificates.crt",                // Debian, Gentoo, Arch
		"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora
		"/etc/ssl/ca-bundle.pem",                            // openSUSE
		"/etc/pki/tls/cacert.pem",                           // OpenELEC
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7 and later
		"/etc/ssl/cert.pem",                                 // Alpine, OpenBSD, FreeBSD
		"/usr/local/share/certs/ca-root-nss.crt",            // FreeBSD, DragonFly
		"/etc/openssl/certs/ca-certificates.crt",            // NetBSD
		"/etc/ssl/certs", "/etc/pki/tls/certs",
	} {
		if text := readPEM(path); bytes.Contains(text, []byte("-----BEGIN CERTIFICATE-----")) {
			return text
		}
	}
	return nil
}
