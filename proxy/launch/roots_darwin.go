package launch

import "os/exec"

// systemRoots are the certificate authorities of the system and of the user, as PEM.
func systemRoots() []byte {
	var all []byte
	for _, chain := range [][]string{
		{"/System/Library/Keychains/SystemRootCertificates.keychain"},
		{"/Library/Keychains/System.keychain"},
	} {
		text, err := exec.Command("/usr/bin/security", append([]string{"find-certificate", "-a", "-p"}, chain...)...).Output()
		if err == nil {
			all = append(all, text...)
		}
	}
	if len(all) == 0 {
		all = readPEM("/etc/ssl/cert.pem")
	}
	return all
}
