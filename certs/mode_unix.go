//go:build unix

package certs

import (
	"io/fs"
	"os"
)

// grants says whether mode gives anybody but the owner one of the permissions in bits.
func grants(mode fs.FileMode, bits fs.FileMode) bool { return mode.Perm()&bits != 0 }

// syncDir makes a new name in dir survive a power failure, as far as the file system lets us.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync() // the files themselves are already safe; some file systems refuse to sync a folder
	_ = d.Close()
}
