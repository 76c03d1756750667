//go:build !unix

package certs

import "io/fs"

// grants is always false: permission bits mean nothing here, access follows the rights of the user's profile folder.
func grants(fs.FileMode, fs.FileMode) bool { return false }

func syncDir(string) {}
