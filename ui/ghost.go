package ui

import (
	"slices"
	"strings"
)

// commonHeaders are offered while a name is typed, after those of the accepted request.
var commonHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Content-Encoding", "Content-Language", "Content-Type",
	"Cookie", "DPoP", "If-Match", "If-Modified-Since", "If-None-Match", "Idempotency-Key", "Origin", "Prefer", "Proxy-Authorization", "Range", "Referer",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Signature", "User-Agent", "X-Api-Key", "X-CSRF-Token", "X-CSRFToken", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-HTTP-Method-Override", "X-Requested-With", "X-XSRF-TOKEN",
}

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
		if e.partner == nil {
			return ""
		}
		return goesOn(f.s, slices.Collect(e.partner.Request.Header.Values(e.heads[e.at.row].name.s)))
	}
	var names []string
	if e.partner != nil {
		for _, h := range e.partner.Request.Header {
			names = append(names, h.Name)
		}
	}
	names = append(names, commonHeaders...)
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.ContainsFunc(e.heads, func(h head) bool { return strings.EqualFold(h.name.s, n) })
	})
	if f.s == "" && e.partner == nil {
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
		if e.partner != nil && e.at.col == 1 {
			e.heads[e.at.row].from = e.partner.ID
		}
	}
	e.undo = append(e.undo, before)
	return true
}
