package decode

import (
	"strings"

	"github.com/why403/why403/flow"
)

// MediaType is the media type of a message, in lower case without parameters,
// and its parameters by lower-case name (RFC 9110, 8.3.1); "" and an empty map
// when there is none.
func MediaType(h flow.Header) (string, map[string]string) {
	return ParseMediaType(h.Get("Content-Type"))
}

// ParseMediaType reads a Content-Type leniently: of a repeated parameter the
// first counts, one without "=" is ignored, an unclosed quote ends at the end.
func ParseMediaType(s string) (string, map[string]string) {
	name, rest, _ := strings.Cut(s, ";")
	if !strings.Contains(name, "\"") { // two types in one field: the first
		name, _, _ = strings.Cut(name, ",")
	}
	params := map[string]string{}
	for rest != "" {
		var p Param
		p, rest = nextParam(rest, ';')
		if _, seen := params[p.Name]; p.Name != "" && p.HasValue && !seen {
			params[p.Name] = p.Value
		}
	}
	return strings.ToLower(strings.TrimSpace(name)), params
}

// Param is a name=value of a header field; Value has its quotes and escapes removed.
type Param struct {
	Name     string // lower case
	Value    string
	HasValue bool
	Quoted   bool
}

// nextParam reads one parameter up to sep, quoted strings respected (RFC 9110, 5.6.4 and 5.6.6).
func nextParam(s string, sep byte) (p Param, rest string) {
	s = strings.TrimLeft(s, " \t")
	i := strings.IndexAny(s, "="+string(sep))
	if i < 0 {
		return Param{Name: strings.ToLower(strings.TrimSpace(s))}, ""
	}
	p.Name = strings.ToLower(strings.TrimSpace(s[:i]))
	if s[i] == sep {
		return p, s[i+1:]
	}
	p.HasValue = true
	s = strings.TrimLeft(s[i+1:], " \t")
	if strings.HasPrefix(s, "\"") {
		p.Quoted = true
		p.Value, s = unquote(s)
		if j := strings.IndexByte(s, sep); j >= 0 {
			return p, s[j+1:]
		}
		return p, ""
	}
	v, rest, _ := strings.Cut(s, string(sep))
	p.Value = strings.TrimSpace(v)
	return p, rest
}

// unquote reads the quoted string at the start of s and returns what follows it.
func unquote(s string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// IsJSON reports whether a media type is JSON or written in it (RFC 6839, 3.1).
func IsJSON(mediaType string) bool {
	switch mediaType {
	case "application/json", "text/json", "application/csp-report", "application/x-json", "application/json5":
		return true
	}
	return strings.HasSuffix(mediaType, "+json") || strings.HasPrefix(mediaType, "application/x-amz-json-")
}

// IsXML reports whether a media type is XML or written in it (RFC 7303).
func IsXML(mediaType string) bool {
	return mediaType == "application/xml" || mediaType == "text/xml" || strings.HasSuffix(mediaType, "+xml")
}

// IsHTML reports whether a media type is a web page.
func IsHTML(mediaType string) bool {
	return mediaType == "text/html" || mediaType == "application/xhtml+xml"
}

// IsForm reports whether a media type is the URL-encoded form.
func IsForm(mediaType string) bool { return mediaType == "application/x-www-form-urlencoded" }

// IsMultipart reports whether a media type is made of parts.
func IsMultipart(mediaType string) bool { return strings.HasPrefix(mediaType, "multipart/") }

// IsText reports whether content of a media type is meant to be read as text.
func IsText(mediaType string) bool {
	switch mediaType {
	case "application/javascript", "application/x-javascript", "application/ecmascript", "application/graphql",
		"application/x-ndjson", "application/yaml", "application/x-yaml", "application/sql", "application/jwt", "application/http", "message/http":
		return true
	}
	return strings.HasPrefix(mediaType, "text/") || IsJSON(mediaType) || IsXML(mediaType) || IsForm(mediaType)
}
