package certs

import (
	"errors"
	"strings"
)

// What can be wrong with a CA that was kept in a folder. A CA that is not there is fs.ErrNotExist, one that is in the way is fs.ErrExist.
var (
	ErrExposed  = errors.New("other users can use it")
	ErrHalf     = errors.New("one of the two files is missing")
	ErrGarbage  = errors.New("not readable as PEM")
	ErrMismatch = errors.New("the key does not belong to the certificate")
	ErrNotCA    = errors.New("not the certificate of a CA")
	ErrExpired  = errors.New("expired")
	ErrTooEarly = errors.New("not valid yet")
	ErrName     = errors.New("not the name of a host")
)

// Error says what is wrong with which file of the CA, and what to do about it.
type Error struct {
	Path   string // the file or folder, or the CA's name when it has none
	Err    error
	Advice string // one sentence for the user; may hold a command to copy
}

// Error is the fault without the advice.
func (e *Error) Error() string { return "ca: " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause, for errors.Is with the Err values of this package and with fs.ErrNotExist and fs.ErrExist.
func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do next.
func (e *Error) Hint() string { return e.Advice }

// adviceNew is how to come to a new CA without losing the old one.
func adviceNew(dir string) string {
	return "move " + quoted(dir) + " away; the next start makes a new CA, which clients have to trust anew"
}

// quoted makes a path that can be pasted into a POSIX shell.
func quoted(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`&;|<>()*?[]#~!{}") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
