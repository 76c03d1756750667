package report

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/why403/why403/inspect"
)

// claims is the payload of a token (RFC 7519) decoded, if s is one as it was sent: an object of JSON in
// base64url, which may have been cut at its end; else "".
func claims(s string) string {
	if !strings.HasPrefix(s, "eyJ") && !strings.HasPrefix(s, "ewo") {
		return ""
	}
	whole := strings.TrimRight(s, "=")
	if text, err := base64.RawURLEncoding.DecodeString(whole); err == nil && json.Valid(text) {
		return string(text)
	}
	text, err := base64.RawURLEncoding.DecodeString(whole[:len(whole)/4*4])
	if err != nil || strings.ContainsFunc(whole[len(whole)/4*4:], func(r rune) bool { return r <= ' ' || r > '~' }) || strings.ContainsFunc(string(text), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\uFFFD' }) {
		return ""
	}
	return string(text) + "…"
}

// quoted is the quotation of evidence for people: of a token what it says.
func quoted(e inspect.Evidence) (where, quote string) {
	if c := claims(e.Quote); c != "" {
		return e.Where + ", a token, decoded", c
	}
	return e.Where, e.Quote
}
