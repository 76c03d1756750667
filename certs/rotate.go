package certs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Rotate puts a new CA in the place of the one kept in dir, whatever state that is in; its key is gone then.
// A running process goes on with the old one until it ends. now is as for Load.
func Rotate(dir string, now func() time.Time) (*CA, error) {
	d, err := open(dir)
	if err != nil {
		return nil, err
	}
	// The certificate goes first: one without its key would be half a CA, while a key file is a whole one.
	for _, path := range []string{d.cert(), d.key()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, d.fault(path, err, "it must be a file that you may remove")
		}
	}
	return Create(dir, now)
}
