package flow

import (
	"iter"
	"slices"
	"strings"
)

// Field is one header field, in the place and the spelling in which it was sent.
type Field struct {
	Name  string // as spelled
	Value string // without the whitespace around it; folded lines joined by one space
	// Raw is the line as received, with its line ending and any folded lines
	// that follow; "" for a field that did not come over HTTP/1.
	Raw string
}

// Line is the field as it is written to an HTTP/1 connection: Raw if there is one.
func (f Field) Line() string {
	if f.Raw != "" {
		return f.Raw
	}
	return f.Name + ": " + f.Value + "\r\n"
}

// Header is an ordered list of fields. Names are compared without regard to case (RFC 9110, 5.1).
type Header []Field

// Get is the value of the first field called name, "" if there is none.
func (h Header) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup is the value of the first field called name and whether there is one.
func (h Header) Lookup(name string) (string, bool) {
	if i := h.Index(name, 0); i >= 0 {
		return h[i].Value, true
	}
	return "", false
}

// Has reports whether a field called name is present, be it empty.
func (h Header) Has(name string) bool { return h.Index(name, 0) >= 0 }

// Index is the position of the nth (from 0) field called name, -1 if there is none.
func (h Header) Index(name string, nth int) int {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			if nth == 0 {
				return i
			}
			nth--
		}
	}
	return -1
}

// Values yields the values of all fields called name, in order.
func (h Header) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range h {
			if strings.EqualFold(h[i].Name, name) && !yield(h[i].Value) {
				return
			}
		}
	}
}

// Count is how many fields are called name.
func (h Header) Count(name string) int {
	n := 0
	for range h.Values(name) {
		n++
	}
	return n
}

// Tokens yields the members of the comma-separated lists in all fields called
// name, trimmed, empty ones left out (RFC 9110, 5.6.1). Quoted commas are not treated.
func (h Header) Tokens(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for v := range h.Values(name) {
			for t := range strings.SplitSeq(v, ",") {
				if t = strings.TrimSpace(t); t != "" && !yield(t) {
					return
				}
			}
		}
	}
}

// HasToken reports whether a list field called name holds token, without regard to case.
func (h Header) HasToken(name, token string) bool {
	for t := range h.Tokens(name) {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}

// Set gives the first field called name this value in place, deletes further
// ones, and appends the field if there was none.
func (h *Header) Set(name, value string) {
	i := h.Index(name, 0)
	if i < 0 {
		*h = append(*h, Field{Name: name, Value: value})
		return
	}
	(*h)[i] = Field{Name: (*h)[i].Name, Value: value}
	rest := Header(slices.Clone((*h)[i+1:]))
	rest.Del(name)
	*h = append((*h)[:i+1], rest...)
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{Name: name, Value: value}) }

// Del deletes all fields called by one of names.
func (h *Header) Del(names ...string) {
	*h = slices.DeleteFunc(*h, func(f Field) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, f.Name) })
	})
}

// Size is the number of bytes of the fields on an HTTP/1 connection.
func (h Header) Size() int {
	n := 0
	for _, f := range h {
		n += len(f.Line())
	}
	return n
}
