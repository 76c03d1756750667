package export

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/why403/why403/flow"
)

// call is a request as the forms for programming languages write it.
type call struct {
	f      *flow.Flow
	m      *flow.Message
	fields flow.Header // to be set, in their order; the Host field only where it says something else than the URL
	host   string      // of that Host field; "" where it follows the URL
	vars   map[string]string
	o      Options
}

// perFlow writes each flow by one, with lines between that begin with comment.
func perFlow(comment string, one func(*call) (string, error)) func(io.Writer, []*flow.Flow, Options) error {
	return func(w io.Writer, flows []*flow.Flow, o Options) error {
		var last error
		written := 0
		for i, f := range flows {
			c, err := newCall(f, o)
			text := ""
			if err == nil {
				text, err = one(c)
			}
			if err != nil && len(flows) == 1 {
				return err
			}
			if err != nil {
				last = fmt.Errorf("flow %d: %w", f.ID, err)
				text = comment + " cannot be written: " + oneLine(err.Error()) + "\n"
			} else {
				written++
			}
			if i > 0 {
				text = "\n" + text
			}
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		if written == 0 {
			return errors.Join(errors.New("none of the flows can be written"), last)
		}
		return nil
	}
}

func newCall(f *flow.Flow, o Options) (*call, error) {
	switch m := f.Request; {
	case m == nil || f.Kind != flow.Exchange:
		return nil, fmt.Errorf("a %s is no request that could be sent", f.Kind)
	case m.Method == "" || m.Method == "CONNECT" || strings.ContainsAny(m.Method, " \t\r\n\x00"):
		return nil, fmt.Errorf("the method %q cannot be sent", m.Method)
	case strings.ContainsAny(m.Target, "\r\n\x00"):
		return nil, errors.New("the path has a line break or a NUL in it")
	case !m.Body.Whole():
		return nil, fmt.Errorf("only %d of the body's %d bytes are here", len(m.Body.Data), m.Body.Size)
	}
	c := &call{f: f, m: f.Request, vars: o.Curl.Variables, o: o}
	for _, h := range f.Request.Header {
		if strings.ContainsAny(h.Value, "\r\n\x00") || strings.ContainsAny(h.Name, " \t\r\n\x00") || h.Name == "" {
			return nil, fmt.Errorf("header %q cannot be written", h.Name)
		}
		switch strings.ToLower(h.Name) {
		case ":authority", "host":
			if h.Value != f.Authority {
				c.host = h.Value
			}
			continue
		case "content-length":
			filled := len(c.split(string(f.Request.Body.Data))) > 1 || c.split(string(f.Request.Body.Data))[0].name != ""
			if h.Value == strconv.FormatInt(f.Request.Body.Size, 10) || f.Request.Body.Framing == flow.Chunked || filled {
				continue // what is used sets it
			}
		case "proxy-connection", "proxy-authorization", "transfer-encoding":
			continue
		}
		if !strings.HasPrefix(h.Name, ":") {
			c.fields = append(c.fields, h)
		}
	}
	return c, nil
}

// target is what stands behind the authority of the URL.
func (c *call) target() string {
	switch t := c.m.Target; {
	case t == "" || t[0] == '/':
		return t
	case t[0] == '?':
		return "/" + t
	default:
		return "/"
	}
}

func (c *call) url() string { return c.f.Scheme + "://" + c.f.Authority + c.target() }

// insecure reports whether the capture did not verify the server.
func (c *call) insecure() bool {
	t := c.f.Conn.OriginTLS
	return c.o.Curl.Insecure || c.f.Scheme == "https" && t != nil && !t.Verified
}

// about are the lines that stand before the request: which it is, and what is known of it.
func (c *call) about(comment string, notes ...string) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(comment + " " + oneLine(s) + "\n") }
	line(title(c.f))
	b.WriteString(verified(comment, c.o))
	for _, n := range notes {
		line(n)
	}
	if used := c.used(); len(used) > 0 {
		line("set " + strings.Join(used, ", ") + " in the environment")
	}
	return b.String()
}

// verified is the line that says whether what follows was run.
func verified(comment string, o Options) string {
	if o.Verified.IsZero() {
		return comment + " not verified: it was not run when it was written\n"
	}
	return comment + " verified at " + o.Verified.UTC().Format("2006-01-02 15:04:05") + " UTC: it was run and answered the same\n"
}

// used are the variables that the request needs, in order of appearance.
func (c *call) used() []string {
	var list []string
	seen := map[string]bool{}
	look := func(s string) {
		for _, p := range c.split(s) {
			if p.name != "" && !seen[p.name] {
				seen[p.name] = true
				list = append(list, p.name)
			}
		}
	}
	look(c.url())
	look(c.host)
	for _, h := range c.fields {
		look(h.Value)
	}
	look(string(c.m.Body.Data))
	return list
}

// repeated are names of fields that are there more than once.
func (c *call) repeated() []string {
	var out []string
	for i, h := range c.fields {
		if c.fields.Count(h.Name) > 1 && c.fields.Index(h.Name, 0) == i {
			out = append(out, h.Name)
		}
	}
	return out
}

// piece is a part of a text: literal, or the value of a variable.
type piece struct{ text, name string }

// split takes "$NAME" out of a text, for names that are variables.
func (c *call) split(s string) []piece {
	var out []piece
	start := 0
	for i := 0; i < len(s) && len(c.vars) > 0; i++ {
		if s[i] != '$' {
			continue
		}
		end := i + 1
		for end < len(s) && (s[end] == '_' || s[end] >= 'A' && s[end] <= 'Z' || s[end] >= '0' && s[end] <= '9') {
			end++
		}
		if _, known := c.vars[s[i+1:end]]; !known {
			continue
		}
		if i > start {
			out = append(out, piece{text: s[start:i]})
		}
		out = append(out, piece{name: s[i+1 : end]})
		start, i = end, end-1
	}
	if start < len(s) || len(out) == 0 {
		out = append(out, piece{text: s[start:]})
	}
	return out
}

// join writes a text with a literal and an expression for each piece.
func (c *call) join(s, plus string, literal, variable func(string) string) string {
	var parts []string
	for _, p := range c.split(s) {
		if p.name != "" {
			parts = append(parts, variable(p.name))
		} else {
			parts = append(parts, literal(p.text))
		}
	}
	return strings.Join(parts, plus)
}

// readable reports whether a body can stand as text in a program and survive a clipboard.
func readable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff')
	}) < 0
}

// escaped is s for a literal in double quotes of languages that know \xHH for a byte
// (byte set), or \uHHHH for a character. What is no UTF-8 stays as Latin-1 in the latter.
func escaped(s string, bytes bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case bytes:
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\u%04x`, s[i])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}
