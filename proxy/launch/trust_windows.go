package launch

import "context"

const nssHere = false // certutil is another program here

// systemStores is the user's own, which needs no administrator.
func systemStores(_ context.Context, a Authority) []Store {
	return []Store{{Name: "system", What: "all programs of this user that use Windows' certificates",
		Install:   [][]string{{"certutil", "-user", "-addstore", "Root", a.File}},
		Uninstall: [][]string{{"certutil", "-user", "-delstore", "Root", a.Serial}},
	}}
}

func writable(string) bool { return true } // there is no sudo
