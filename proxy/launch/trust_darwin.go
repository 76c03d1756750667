package launch

import (
	"context"

	"golang.org/x/sys/unix"
)

const nssHere = true // Firefox has a store of its own here, too

const keychain = "/Library/Keychains/System.keychain"

// systemStores is the keychain of the system (security(1)).
func systemStores(_ context.Context, a Authority) []Store {
	return []Store{{Name: "system", What: "all programs that use the keychain",
		Install:   [][]string{{"sudo", "--", "security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", keychain, a.File}},
		Uninstall: [][]string{{"sudo", "--", "security", "delete-certificate", "-t", "-Z", a.SHA1, keychain}},
	}}
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }
