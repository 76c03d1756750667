package filter

import (
	"fmt"
	"unicode/utf8"
)

// Error says where and why an expression cannot be understood, and what to write instead.
type Error struct {
	Pos    int // byte in the expression, from 0
	End    int // byte after what is wrong; Pos if it is a place between two
	Column int // character of Pos, from 1
	Text   string
}

func (e *Error) Error() string { return fmt.Sprintf("at %d: %s", e.Column, e.Text) }

func errorAt(expr string, pos, end int, format string, args ...any) *Error {
	return &Error{Pos: pos, End: end, Column: utf8.RuneCountInString(expr[:pos]) + 1, Text: fmt.Sprintf(format, args...)}
}
