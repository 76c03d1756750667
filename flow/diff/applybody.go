package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// applyBody makes the changes inside the content, codes it as the new header
// says, and lets lengths and framing follow. old is the message before the patch, whose header
// tells how its content is to be read.
func applyBody(old, m *flow.Message, by map[flow.Place][]flow.Change) error {
	var about []flow.Change
	kinds := 0
	for _, part := range []flow.Place{flow.InBody, flow.InJSON, flow.InForm, flow.InMultipart} {
		if len(by[part]) > 0 {
			about = append(about, by[part]...)
			kinds++
		}
	}
	was, now := decode.Codings(old.Header), decode.Codings(m.Header)
	recode := !slices.Equal(was, now) && old.Body.Size > 0
	if kinds == 0 && !recode {
		frame(old, m)
		return nil
	}
	first := flow.Change{Part: flow.InHeader, Name: "Content-Encoding"}
	if len(about) > 0 {
		first = about[0]
	}
	switch {
	case kinds > 1 || len(by[flow.InBody]) > 1:
		return &NotApplicable{first, "another change of the patch is about the same body"}
	case !old.Body.Whole():
		return &NotApplicable{first, fmt.Sprintf("only the first %d of %d bytes of the body are here", len(old.Body.Data), old.Body.Size)}
	}
	text, cut, err := decode.Content(old, 0)
	undecoded := err // what cannot be decoded is replaced as it is, and not coded again
	switch {
	case err != nil && kinds > 0 && len(by[flow.InBody]) == 0, err != nil && recode:
		return &NotApplicable{first, "the body cannot be decoded: " + err.Error()}
	case cut && len(by[flow.InBody]) == 0:
		return &NotApplicable{first, fmt.Sprintf("the decoded body is cut off after %d bytes", len(text))}
	}
	edited := text
	err = nil
	switch {
	case len(by[flow.InBody]) > 0:
		edited = nil
		if first.After != nil {
			edited = []byte(*first.After)
		}
	case len(by[flow.InJSON]) > 0:
		edited, err = applyJSON(text, about)
	case len(by[flow.InForm]) > 0:
		var s string
		s, err = editPairs(string(text), about)
		edited = []byte(s)
	case len(by[flow.InMultipart]) > 0:
		edited, err = applyMultipart(old.Header, text, about)
	}
	if err != nil {
		return err
	}
	if len(edited) > 0 && undecoded == nil {
		if edited, err = decode.Encode(edited, now...); err != nil {
			return &NotApplicable{first, err.Error()}
		}
	}
	m.SetBody(edited)
	frame(old, m)
	return nil
}

// frame makes Content-Length and Framing say what is true (RFC 9112, 6). A length that
// was wrong on purpose stays as long as nobody changes the body.
func frame(old, m *flow.Message) {
	if m.Header.HasToken("Transfer-Encoding", "chunked") {
		m.Body.Framing = flow.Chunked
		if !old.Header.Has("Transfer-Encoding") {
			m.Header.Del("Content-Length") // both together are read differently by different servers
		}
		return
	}
	if m.Body.Framing == flow.Chunked && m.Header.Has("Transfer-Encoding") {
		return // a coding we do not write; as it was
	}
	size := fmt.Sprint(m.Body.Size)
	changed := m.Body.Size != old.Body.Size || m.Body.Framing == flow.Chunked
	switch {
	case m.Body.Size > 0:
		if m.Body.Framing != flow.UntilClose {
			m.Body.Framing = flow.ByLength
		}
		if h2 := strings.HasPrefix(m.Proto, "HTTP/2"); changed && (m.Header.Has("Content-Length") || !h2) && m.Header.Get("Content-Length") != size {
			m.Header.Set("Content-Length", size)
		}
	case changed:
		m.Body.Framing = flow.ByLength
		switch m.Method {
		case "POST", "PUT", "PATCH":
			m.Header.Set("Content-Length", "0")
		default:
			m.Body.Framing = flow.NoBody
			m.Header.Del("Content-Length")
		}
	}
}

// splice is a piece of text that takes the place of [start, end).
type splice struct {
	start, end int
	text       string
	about      flow.Change
}

// splices makes edits that do not overlap; all other bytes stay.
func splices(data []byte, list []splice) ([]byte, error) {
	slices.SortStableFunc(list, func(a, b splice) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	var out []byte
	at := 0
	for _, s := range list {
		if s.start < at {
			return nil, &NotApplicable{s.about, "another change of the patch is about the same place"}
		}
		out = append(append(out, data[at:s.start]...), s.text...)
		at = s.end
	}
	return append(out, data[at:]...), nil
}

func applyMultipart(h flow.Header, data []byte, changes []flow.Change) ([]byte, error) {
	_, params := decode.MediaType(h)
	boundary := params["boundary"]
	parts, err := decode.Multipart(data, boundary)
	if err != nil {
		return nil, &NotApplicable{changes[0], err.Error()}
	}
	var list []entry
	for i, p := range parts {
		list = append(list, entry{p.Name, partText(p), i})
	}
	list, err = edit(list, changes, exact)
	if err != nil {
		return nil, err
	}
	var out []byte
	end := len(data)
	if len(parts) > 0 {
		out = append(out, data[:parts[0].LineStart]...)
		end = parts[len(parts)-1].Next
	} else if i := strings.Index(string(data), "--"+boundary+"--"); i >= 0 {
		out, end = append(out, data[:i]...), i
	}
	for _, e := range list {
		switch {
		case e.from >= 0 && partText(parts[e.from]) == e.value:
			out = append(out, data[parts[e.from].LineStart:parts[e.from].Next]...)
			continue
		case e.from >= 0 && !strings.HasPrefix(e.value, wholePart): // content alone: the head stays as it is
			p := parts[e.from]
			if partText(p) == string(p.Data) {
				out = append(out, data[p.LineStart:p.Start]...)
				out = append(append(out, e.value...), "\r\n"...)
				continue
			}
		}
		out = append(out, "--"+boundary+"\r\n"...)
		if !strings.HasPrefix(e.value, wholePart) {
			out = append(out, wholePart+" "+plainDisposition(e.name)+"\r\n\r\n"...)
		}
		out = append(append(out, e.value...), "\r\n"...)
	}
	return append(out, data[end:]...), nil
}
