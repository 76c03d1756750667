package decode

import (
	"bytes"
	"errors"
	"strings"

	"github.com/why403/why403/flow"
)

// MultiPart is one part of a multipart body.
type MultiPart struct {
	Header   flow.Header
	Name     string // Content-Disposition name, "" when there is none
	Filename string // "" when there is none
	Type     string // media type, "" when none is given
	Data     []byte // part of the body; must not be changed
	// Places in the body: LineStart is where the part's delimiter line begins,
	// HeadStart where that line ends, Start and End are those of Data, and Next
	// is where the next delimiter line begins, -1 when it is missing.
	LineStart, HeadStart, Start, End, Next int
}

// Faults of a multipart body.
var (
	ErrNoBoundary = errors.New("the Content-Type has no boundary")
	ErrNoParts    = errors.New("the boundary of the Content-Type does not occur in the body")
	ErrNotClosed  = errors.New("the closing delimiter is missing")
	ErrTooMany    = errors.New("more parts than are read")
)

const (
	maxParts    = 10_000
	maxPartHead = 64 << 10 // bytes
)

// Multipart takes a multipart body apart (RFC 2046, 5.1; RFC 7578), leniently: bare LF
// is accepted, a missing end gives the last part up to the end of data. The
// parts that could be read are returned with any error.
func Multipart(data []byte, boundary string) ([]MultiPart, error) {
	if boundary == "" {
		return nil, ErrNoBoundary
	}
	dash := []byte("--" + boundary)
	var parts []MultiPart
	at, closing := delimiter(data, 0, dash)
	if at < 0 {
		return nil, ErrNoParts
	}
	for !closing {
		if len(parts) == maxParts {
			return parts, ErrTooMany
		}
		from := lineEnd(data, at+len(dash))
		next, last := delimiter(data, from, dash)
		end := len(data)
		if next >= 0 {
			end = next
			if end > from && data[end-1] == '\n' {
				end--
				if end > from && data[end-1] == '\r' {
					end--
				}
			}
		}
		p := part(data, from, max(from, end))
		p.LineStart, p.Next = at, next
		parts = append(parts, p)
		if next < 0 {
			return parts, ErrNotClosed
		}
		at, closing = next, last
	}
	return parts, nil
}

// delimiter finds the next line that begins with dash and has nothing but "--" and blanks behind it.
func delimiter(data []byte, from int, dash []byte) (at int, closing bool) {
	for from <= len(data) {
		i := bytes.Index(data[from:], dash)
		if i < 0 {
			return -1, false
		}
		at = from + i
		after := data[at+len(dash):]
		closing = bytes.HasPrefix(after, []byte("--"))
		line, _, _ := bytes.Cut(bytes.TrimPrefix(after, []byte("--")), []byte("\n"))
		if (at == 0 || data[at-1] == '\n') && (closing || len(bytes.TrimRight(line, " \t\r")) == 0) {
			return at, closing
		}
		from = at + len(dash)
	}
	return -1, false
}

func lineEnd(data []byte, from int) int {
	if i := bytes.IndexByte(data[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(data)
}

func part(data []byte, from, end int) MultiPart {
	p := MultiPart{HeadStart: from, Start: from, End: end}
	for p.Start < end && p.Start-from < maxPartHead {
		next := min(lineEnd(data, p.Start), end)
		line := strings.TrimRight(string(data[p.Start:next]), "\r\n")
		if line == "" {
			p.Start = next
			break
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case (line[0] == ' ' || line[0] == '\t') && len(p.Header) > 0:
			p.Header[len(p.Header)-1].Value += " " + strings.TrimSpace(line)
		case !ok: // no field: the part has no head, all of it is content
			p.Header, p.Start = nil, from
			p.Data = data[p.Start:end]
			return p
		default:
			p.Header = append(p.Header, flow.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
		}
		p.Start = next
	}
	p.Data = data[p.Start:end:end]
	p.Type, _ = MediaType(p.Header)
	_, params := disposition(p.Header.Get("Content-Disposition"))
	p.Name, p.Filename = params["name"], params["filename"]
	return p
}

// disposition reads a Content-Disposition. Browsers percent-encode the quote inside names and leave
// backslashes alone (HTML standard, "multipart/form-data encoding algorithm"), others escape with them.
func disposition(v string) (string, map[string]string) {
	kind, rest, _ := strings.Cut(v, ";")
	params := map[string]string{}
	for rest != "" {
		var p Param
		p, rest = nextParam(rest, ';')
		if _, seen := params[p.Name]; p.HasValue && !seen {
			params[p.Name] = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n").Replace(p.Value)
		}
	}
	return strings.ToLower(strings.TrimSpace(kind)), params
}
