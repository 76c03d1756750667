package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Exit statuses.
const (
	exitFine    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// errRefused ends a command that did its work and found a refusal.
var errRefused = errors.New("a refusal was found")

// failure is an error with the line that says what to do next.
type failure struct {
	err  error
	hint string
	code int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(err error, hint string) error { return &failure{err, hint, exitUsage} }

func usagef(hint, format string, args ...any) error {
	return usage(fmt.Errorf(format, args...), hint)
}

func failed(err error, hint string) error { return &failure{err, hint, exitFailed} }

func failedf(hint, format string, args ...any) error {
	return failed(fmt.Errorf(format, args...), hint)
}

// conclude prints err as two lines and gives the exit status.
func conclude(w io.Writer, err error) int {
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errRefused):
		return exitRefused
	}
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	code, hint := exitFailed, ""
	var f *failure
	if errors.As(err, &f) {
		code, hint = f.code, f.hint
	}
	var hinted interface{ Hint() string }
	if hint == "" && errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	if hint == "" && errors.Is(err, context.Canceled) {
		return code
	}
	if hint == "" && strings.HasPrefix(err.Error(), "required flag") {
		code = exitUsage
	}
	if hint == "" {
		hint = "see why403 --help"
	}
	fmt.Fprintf(w, "why403: error: %s\nwhy403: hint: %s\n", oneLine(err.Error()), oneLine(hint))
	return code
}

// oneLine keeps the promise of two lines for errors that hold line breaks or control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, strings.TrimSpace(s))
}
