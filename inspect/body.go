package inspect

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// mediaType is the media type of a message in lower case, without parameters.
func mediaType(m *flow.Message) string {
	t, _ := decode.MediaType(m.Header)
	return t
}

// looksLike is what the bytes of a body are: "json", "xml", "form", "multipart" or "" (not to be told).
func looksLike(m *flow.Message) string {
	b := bytes.TrimSpace(m.Body.Data)
	switch {
	case len(b) == 0:
		return ""
	case (b[0] == '{' || b[0] == '[') && (b[len(b)-1] == '}' || b[len(b)-1] == ']' || !m.Body.Whole()):
		return "json"
	case b[0] == '<':
		return "xml"
	case bytes.HasPrefix(b, []byte("--")) && bytes.Contains(b[:min(len(b), 4096)], []byte("Content-Disposition: form-data")):
		return "multipart"
	case bytes.IndexByte(b, '=') > 0 && !bytes.ContainsAny(b, " \r\n{<\""):
		return "form"
	}
	return ""
}

// bodyMismatch says how Content-Type and body contradict each other, "" if they do not.
func bodyMismatch(m *flow.Message) string {
	if len(m.Body.Data) == 0 {
		return ""
	}
	t, like := mediaType(m), looksLike(m)
	switch {
	case t == "" && like != "":
		return "the body looks like " + like + " and there is no Content-Type"
	case like == "json" && (t == "text/plain" || t == "application/x-www-form-urlencoded" || decode.IsXML(t) || t == "multipart/form-data"):
		return "the body is JSON, Content-Type says " + t
	case like == "form" && decode.IsJSON(t):
		return "the body is a form, Content-Type says " + t
	case like == "xml" && decode.IsJSON(t):
		return "the body is XML, Content-Type says " + t
	case like == "multipart" && t != "multipart/form-data" && t != "multipart/related":
		return "the body is multipart, Content-Type says " + orNone(t)
	case t == "multipart/form-data" && boundary(m) == "":
		return "Content-Type is multipart/form-data without a boundary"
	}
	return ""
}

func boundary(m *flow.Message) string {
	_, params := decode.MediaType(m.Header)
	return params["boundary"]
}

// typeFor is the Content-Type that fits the bytes of the body, "" if it cannot be told.
func typeFor(m *flow.Message) string {
	switch looksLike(m) {
	case "json":
		return "application/json"
	case "form":
		return "application/x-www-form-urlencoded"
	case "xml":
		return "application/xml"
	}
	return ""
}

// brokenBody says where the body does not parse as what Content-Type says; nil
// if it does or if that cannot be known.
func brokenBody(m *flow.Message) error {
	data := m.Body.Data
	if len(data) == 0 || !m.Body.Whole() || m.Header.Has("Content-Encoding") {
		return nil
	}
	t := mediaType(m)
	switch {
	case decode.IsJSON(t):
		if !shallow(data, 10000) {
			return errors.New("the JSON nests too deep")
		}
		var v json.RawMessage
		if err := json.Unmarshal(data, &v); err != nil {
			var syn *json.SyntaxError
			if errors.As(err, &syn) {
				return fmt.Errorf("the JSON does not parse at byte %d: %v", syn.Offset, err)
			}
			return fmt.Errorf("the JSON does not parse: %v", err)
		}
	case decode.IsXML(t):
		dec := xml.NewDecoder(bytes.NewReader(data))
		dec.Strict = true
		dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
		for range 100_000 {
			if _, err := dec.Token(); err == io.EOF {
				break
			} else if err != nil {
				return fmt.Errorf("the XML does not parse: %v", err)
			}
		}
	case t == "multipart/form-data":
		if b := boundary(m); b == "" {
			return errors.New("multipart/form-data without a boundary")
		} else if !bytes.Contains(data, []byte("--"+b)) {
			return fmt.Errorf("the boundary %q does not occur in the body", b)
		}
	}
	return nil
}

// fields are the names and values at the top of a request's body: form fields,
// JSON members, names of parts (those of text). At most maxFields.
const maxFields = 500

func fields(m *flow.Message) map[string]string {
	out := map[string]string{}
	data := m.Body.Data
	if len(data) == 0 || len(data) > BodyLimit {
		return out
	}
	switch t := mediaType(m); {
	case t == "application/x-www-form-urlencoded" || t == "" && looksLike(m) == "form":
		return firsts(decode.Form(data))
	case decode.IsJSON(t) || looksLike(m) == "json":
		var obj map[string]any
		if shallow(data, 1000) && json.Unmarshal(data, &obj) == nil {
			for k, v := range obj {
				if len(out) < maxFields {
					s, _ := v.(string)
					out[k] = s
				}
			}
		}
	case t == "multipart/form-data":
		for part := range strings.SplitSeq(string(data), "--"+boundary(m)) {
			head, val, _ := strings.Cut(part, "\r\n\r\n")
			if i := strings.Index(head, `name="`); i >= 0 && len(out) < maxFields {
				if n, _, ok := strings.Cut(head[i+6:], `"`); ok && !strings.Contains(head, "filename=") {
					out[n] = strings.TrimSuffix(val, "\r\n")
				}
			}
		}
	}
	return out
}
