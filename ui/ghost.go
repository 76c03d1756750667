package ui

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// commonHeaders are offered while a name is typed, after those of the accepted request.
var commonHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Content-Encoding", "Content-Language", "Content-Type",
	"Cookie", "DPoP", "If-Match", "If-Modified-Since", "If-None-Match", "Idempotency-Key", "Origin", "Prefer", "Proxy-Authorization", "Range", "Referer",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Signature", "User-Agent", "X-Api-Key", "X-CSRF-Token", "X-CSRFToken", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-HTTP-Method-Override", "X-Requested-With", "X-XSRF-TOKEN",
}

// commonTypes are media types that bodies of requests have.
var commonTypes = []string{"application/json", "application/x-www-form-urlencoded", "application/xml", "application/graphql", "application/octet-stream", "multipart/form-data; boundary=", "text/plain"}

var commonMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}

// offer is what the field under the cursor could become: a name that the accepted request has and this
// one has not, its value, a common name. "" if there is nothing to offer or the cursor is not at the end.
func (e *editor) offer() string {
	f := e.field()
	if f == nil || f.at != len(f.s) {
		return ""
	}
	switch {
	case e.at.part == partMethod:
		return goesOn(f.s, commonMethods)
	case e.at.part != partHeader:
		return ""
	case e.at.col == 1:
		var values []string
		for _, f := range e.accepted {
			values = slices.AppendSeq(values, f.Request.Header.Values(e.heads[e.at.row].name.s))
		}
		if strings.EqualFold(e.heads[e.at.row].name.s, "Content-Type") {
			values = append(values, commonTypes...)
		}
		return goesOn(f.s, values)
	}
	var names []string
	for _, f := range e.accepted {
		for _, h := range f.Request.Header {
			names = append(names, h.Name)
		}
	}
	names = append(names, commonHeaders...)
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.ContainsFunc(e.heads, func(h head) bool { return strings.EqualFold(h.name.s, n) })
	})
	if f.s == "" && len(e.accepted) == 0 {
		return ""
	}
	return goesOn(f.s, names)
}

// ghost is what is missing of the offer: it is drawn behind the cursor.
func (e *editor) ghost() string {
	if o := e.offer(); o != "" {
		return o[len(e.field().s):]
	}
	return ""
}

// goesOn is the first of list that begins with s, without regard to case.
func goesOn(s string, list []string) string {
	for _, v := range list {
		if len(v) > len(s) && strings.EqualFold(v[:len(s)], s) {
			return v
		}
	}
	return ""
}

// accept takes the offer into the field; false if there is none.
func (e *editor) accept() bool {
	o := e.offer()
	if o == "" {
		return false
	}
	before := e.form.copy()
	f := e.field()
	f.set(o)
	if e.at.part == partHeader {
		e.heads[e.at.row].auto = false
		if e.at.col == 1 {
			e.heads[e.at.row].from = e.whence(e.heads[e.at.row].name.s, o)
		}
	}
	e.undo = append(e.undo, before)
	return true
}

// whence is the first of the accepted requests that has this value; 0: none has.
func (e *editor) whence(name, value string) flow.ID {
	for _, f := range e.accepted {
		for v := range f.Request.Header.Values(name) {
			if v == value {
				return f.ID
			}
		}
	}
	return 0
}
