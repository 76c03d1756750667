package launch

import (
	"bytes"
	"encoding/pem"
	"unsafe"

	"golang.org/x/sys/windows"
)

// systemRoots are the certificate authorities that Windows has fetched for this user, as PEM.
func systemRoots() []byte {
	name, err := windows.UTF16PtrFromString("ROOT")
	if err != nil {
		return nil
	}
	store, err := windows.CertOpenSystemStore(0, name)
	if err != nil {
		return nil
	}
	defer func() { _ = windows.CertCloseStore(store, 0) }()
	var out bytes.Buffer
	var cert *windows.CertContext
	for {
		if cert, err = windows.CertEnumCertificatesInStore(store, cert); err != nil || cert == nil {
			return out.Bytes()
		}
		der := unsafe.Slice(cert.EncodedCert, cert.Length)
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
}
