package flow

import (
	"net"
	"strings"
)

// TemplateVersion is the version of Template; it is stored with what was
// derived from it, so that a session written by other rules can be re-derived.
const TemplateVersion = 1

// Endpoint identifies what a request asks for, apart from whose object it is:
// method, scheme, authority and path template, such as
// "POST https://api.test/v1/orders/{}/items". It is a pure function of the flow.
func Endpoint(f *Flow) string {
	if f.Request == nil {
		return f.Scheme + "://" + f.Authority
	}
	return f.Request.Method + " " + f.Scheme + "://" + f.Authority + Template(f.Path())
}

// Template replaces the segments of path that name one object (numbers, UUIDs,
// hex of 8 digits or more with a digit in it, and segments longer than 32
// bytes) by "{}".
func Template(path string) string {
	if path == "" {
		return "/"
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if identifies(s) {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

func identifies(s string) bool {
	if s == "" {
		return false
	}
	if len(s) > 32 {
		return true
	}
	digits, hex, dash, other := 0, 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			hex++
		case c == '-':
			dash++
		default:
			other++
		}
	}
	switch {
	case other > 0:
		return false
	case digits == len(s):
		return true
	case dash == 0:
		return digits > 0 && len(s) >= 8
	}
	return dash >= 4 && digits > 0 // a UUID without one of its ends would be odd, a date 2026-11-22 is data of its own
}

// Canonical is authority in lower case and without the default port of scheme.
func Canonical(scheme, authority string) string {
	a := strings.ToLower(authority)
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		return a
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return a
}

// HostPort is the network address that an authority of scheme stands for.
func HostPort(scheme, authority string) string {
	if _, _, err := net.SplitHostPort(authority); err == nil {
		return authority
	}
	port := "80"
	if scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(authority, "[]"), port)
}

// RefusedByStatus reports whether a final status says "no" whatever the rest
// of the answer says. Other statuses can be refusals too; that takes a look at
// the answer and is package inspect's business.
func RefusedByStatus(status int) bool {
	switch status {
	case 401, 403, 405, 407, 413, 415, 419, 421, 426, 429, 431, 451:
		return true
	}
	return false
}
