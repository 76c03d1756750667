package decode

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"

	"github.com/why403/why403/flow"
)

// sniff is how much of a page may come before its <meta charset> (the HTML
// standard's prescan looks at 1024 bytes).
const sniff = 1024

// Text is the content of m as UTF-8: content codings removed, then the charset.
// limit, truncated and err are those of Content. Valid UTF-8 is returned byte for byte,
// and so is what claims to be UTF-8; in other charsets wrong bytes become U+FFFD.
func Text(m *flow.Message, limit int64) (text string, truncated bool, err error) {
	data, truncated, err := Content(m, limit)
	if m == nil {
		return "", truncated, err
	}
	data, _ = UTF8(data, m.Header.Get("Content-Type"))
	return string(data), truncated, err
}

// UTF8 converts text of the given Content-Type to UTF-8 and names the charset it
// was in. In this order decide: a byte order mark, the charset parameter, in HTML
// a meta element within the first 1024 bytes, and validity: what is no UTF-8 is
// windows-1252. Data that needs no conversion is returned as it is, without its
// byte order mark.
func UTF8(data []byte, contentType string) (text []byte, name string) {
	mediaType, params := ParseMediaType(contentType)
	if e, n, bom := byMark(data); e != nil {
		return convert(e, data[bom:]), n
	} else if bom > 0 {
		return data[bom:], "utf-8"
	}
	label := params["charset"]
	if IsJSON(mediaType) {
		label = "" // RFC 8259, 8.1 and 11: no charset parameter, always UTF-8
	}
	e, n := charset.Lookup(label)
	if e == nil && IsHTML(mediaType) {
		e, n = byMeta(data)
	}
	switch {
	case n == "utf-8", e == nil && utf8.Valid(data), e == nil && !printable(mediaType):
		return data, "utf-8"
	case e == nil:
		e, n = charset.Lookup("windows-1252")
	}
	return convert(e, data), n
}

// printable reports whether a type is one whose bytes are text in some charset.
func printable(mediaType string) bool { return mediaType == "" || IsText(mediaType) }

// byMark looks for a byte order mark. A nil encoding with a length is UTF-8's.
func byMark(data []byte) (encoding.Encoding, string, int) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return nil, "utf-8", 3
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be", 2
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le", 2
	}
	return nil, "", 0
}

// byMeta looks for <meta charset=…> or its http-equiv form.
func byMeta(data []byte) (encoding.Encoding, string) {
	head := bytes.ToLower(data[:min(len(data), sniff)])
	for {
		i := bytes.Index(head, []byte("<meta"))
		if i < 0 {
			return nil, ""
		}
		head = head[i+5:]
		tag, _, _ := bytes.Cut(head, []byte(">"))
		_, value, found := bytes.Cut(tag, []byte("charset"))
		if !found {
			continue
		}
		value = bytes.TrimLeft(value, " \t\r\n=\"'")
		if end := bytes.IndexAny(value, " \t\r\n\"';/"); end >= 0 {
			value = value[:end]
		}
		if strings.HasPrefix(string(value), "utf-16") {
			value = []byte("utf-8") // HTML standard, "prescan": the tag could not have been read otherwise
		}
		if e, n := charset.Lookup(string(value)); e != nil {
			return e, n
		}
	}
}

func convert(e encoding.Encoding, data []byte) []byte {
	out, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return data
	}
	return out
}
