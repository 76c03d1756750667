package wire

import (
	"bytes"
	"io"
	"strings"

	"github.com/why403/why403/flow"
)

const (
	// MaxHead is the most bytes of one head. Larger than any server takes (nginx 8 KiB a line, Node 16 KiB, Go 1 MiB), so
	// that it is the server that says no.
	MaxHead       = 4 << 20
	maxBlankLines = 64 // bytes of empty lines skipped before a start line (RFC 9112, 2.2)
)

// Head is the head of a message: start line, fields and the empty line.
type Head struct {
	Raw    []byte      // byte for byte as received, without empty lines before it
	Start  string      // start line without its end
	Header flow.Header // the fields in order; Raw of a Field is its line or lines
	Blank  int         // bytes of empty lines that came before

	startLen int  // bytes of the start line with its end
	orphan   bool // a folded line without a field above it
}

// ReadHead reads one head. The error is io.EOF if src ended before the first
// byte of it, a *Fault if it cannot be a head, else that of src. A head that
// was begun but not finished comes back with the error, as far as it was read.
func ReadHead(src *Reader) (*Head, error) {
	var raw []byte
	blank, line := 0, 0 // line: where the current line begins in raw
	for {
		chunk := src.Buffered()
		if len(chunk) == 0 {
			if err := src.Fill(); err != nil {
				if err == io.EOF && len(raw) > 0 {
					err = io.ErrUnexpectedEOF
				}
				return partial(raw, blank), err
			}
			continue
		}
		if raw == nil {
			raw = make([]byte, 0, min(len(chunk), idleSize))
		}
		i := bytes.IndexByte(chunk, '\n')
		if i < 0 {
			i = len(chunk) - 1
		}
		raw = append(raw, chunk[:i+1]...)
		src.Discard(i + 1)
		if len(raw) > MaxHead {
			return partial(raw, blank), fault(HeadTooLarge, "the head is larger than %d bytes", MaxHead)
		}
		if raw[len(raw)-1] != '\n' {
			continue
		}
		empty := len(raw)-line == 1 || len(raw)-line == 2 && raw[line] == '\r'
		switch {
		case empty && line == 0:
			if blank += len(raw); blank > maxBlankLines {
				return partial(raw, blank), fault(BadRequestLine, "more than %d bytes of empty lines", maxBlankLines)
			}
			raw = raw[:0]
			src.Cut()
		case empty:
			h := ParseHead(raw)
			h.Blank = blank
			return h, nil
		default:
			line = len(raw)
		}
	}
}

// partial is what there is of a head that was not finished; nil if nothing is.
func partial(raw []byte, blank int) *Head {
	if len(raw) == 0 {
		return nil
	}
	h := ParseHead(raw)
	h.Blank = blank
	return h
}

// ParseHead splits raw, which it keeps, into lines. It judges nothing: that is for ParseRequest and ParseResponse.
func ParseHead(raw []byte) *Head {
	text := string(raw)
	h := &Head{Raw: raw, Header: make(flow.Header, 0, bytes.Count(raw, []byte{'\n'}))}
	line, rest := nextLine(text)
	h.Start, h.startLen = bare(line), len(line)
	for pos := len(line); rest != ""; {
		line, rest = nextLine(rest)
		content := bare(line)
		switch {
		case content == "":
		case content[0] == ' ' || content[0] == '\t':
			if len(h.Header) == 0 {
				h.orphan = true
				h.Header = append(h.Header, flow.Field{Raw: line})
				break
			}
			f := &h.Header[len(h.Header)-1]
			f.Raw = text[pos-len(f.Raw) : pos+len(line)]
			f.Value = strings.TrimRight(f.Value+" "+strings.Trim(content, " \t"), " ")
		default:
			h.Header = append(h.Header, field(content, line))
		}
		pos += len(line)
	}
	return h
}

// field reads one field line. A line without a colon is a field with an empty value.
func field(content, line string) flow.Field {
	name, value, _ := strings.Cut(content, ":")
	return flow.Field{Name: name, Value: strings.Trim(value, " \t"), Raw: line}
}

func nextLine(s string) (line, rest string) {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return s[:i+1], s[i+1:]
	}
	return s, ""
}

// bare is a line without its end, which is CRLF or, from lenient senders, LF (RFC 9112, 2.2).
func bare(line string) string {
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
}

// check refuses what one parser takes for one line and another for two, or
// for no line at all (RFC 9112, 2.2 and 5.1; RFC 9110, 5.5). Whitespace before
// a colon is refused in requests, in answers only where it hides their length.
func (h *Head) check(request bool) *Fault {
	for rest := h.Raw; ; {
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			break
		}
		if i+1 == len(rest) || rest[i+1] != '\n' {
			return fault(BadField, "a carriage return in the middle of the line %q", clip(around(rest, i)))
		}
		rest = rest[i+1:]
	}
	if bytes.IndexByte(h.Raw, 0) >= 0 {
		return fault(BadField, "a NUL byte in the head")
	}
	if h.orphan {
		return fault(BadField, "the first line after the start line begins with whitespace: %q", clip(bare(h.Header[0].Raw)))
	}
	for i := range h.Header {
		f := &h.Header[i]
		if f.Name == "" || isToken(f.Name) {
			if framing(f.Name) && strings.Count(f.Raw, "\n") > 1 {
				return fault(BadField, "the field %s is folded over several lines", f.Name)
			}
			continue
		}
		if last := f.Name[len(f.Name)-1]; request && (last == ' ' || last == '\t') && strings.Contains(f.Raw, ":") {
			return fault(BadField, "whitespace before the colon of %q (RFC 9112, 5.1)", clip(f.Name))
		}
		if framing(letters(f.Name)) {
			return fault(BadField, "%q looks like %s but is not", clip(f.Name), letters(f.Name))
		}
	}
	return nil
}

// around is the text near the odd byte at i.
func around(b []byte, i int) string { return string(b[max(0, i-20):min(len(b), i+20)]) }

// framing reports whether a field called name decides where a body ends.
func framing(name string) bool {
	switch len(name) {
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// letters is name without what cannot stand in a name.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && tchar[r] {
			return r
		}
		return -1
	}, name)
}

var tchar = func() (t [256]bool) { // RFC 9110, 5.6.2
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !tchar[s[i]] {
			return false
		}
	}
	return s != ""
}

// persistent reports whether a message of HTTP/1.minor with these fields lets
// the connection live on (RFC 9112, 9.3).
func persistent(minor int, h flow.Header) bool {
	if h.HasToken("Connection", "close") {
		return false
	}
	return minor > 0 || h.HasToken("Connection", "keep-alive")
}
