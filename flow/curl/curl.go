// Package curl writes a request as a command line for a POSIX shell that sends
// it again with the same bytes.
//
// curl adds, changes and leaves out a good deal of its own accord; each option
// here keeps it from one of these (measured with curl 7.88.1). What no command line can
// keep: the place of Content-Length among the fields, blanks around a value,
// trailers, and the TLS hello.
package curl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/why403/why403/flow"
)

// Options of Command.
type Options struct {
	// Insecure adds --insecure: the capture did not verify the server either. A
	// flow whose recorded certificate did not verify gets it by itself.
	Insecure bool
	CACert   string // path of a PEM file with a CA to trust; "" for none
	// Variables names shell variables and says in a few words what each holds.
	// Where the request has "$NAME", the command leaves it to the shell, and it asks for those it needs.
	Variables map[string]string
}

// Bounds of a command line. Linux allows 128 KiB for one argument.
const (
	maxWord  = 100 << 10 // bytes of one argument as the program gets it
	maxPlain = 64 << 10  // bytes of a body that is written in quotes; more goes through base64
)

// Command is the command, one option a line, ending with a line break. It needs the
// whole body in f. An error says what curl cannot be made to send.
func Command(f *flow.Flow, o Options) (string, error) {
	c, err := newCommand(f, o)
	if err != nil {
		return "", err
	}
	return c.text(), nil
}

func newCommand(f *flow.Flow, o Options) (*command, error) {
	if f == nil || f.Request == nil {
		return nil, errors.New("curl: there is no request")
	}
	if err := possible(f); err != nil {
		return nil, fmt.Errorf("curl: %w", err)
	}
	c := &command{f: f, m: f.Request, o: o, h2: strings.HasPrefix(f.Request.Proto, "HTTP/2") || strings.HasPrefix(f.Request.Proto, "HTTP/3")}
	c.h1()
	c.method()
	c.headers()
	c.connection()
	c.body()
	c.url()
	return c, nil
}

// possible refuses what would become another request.
func possible(f *flow.Flow) error {
	m := f.Request
	switch {
	case f.Kind != flow.Exchange:
		return fmt.Errorf("a %s is no request that curl could send", f.Kind)
	case m.Method == "" || strings.ContainsAny(m.Method, " \t\r\n\x00"):
		return fmt.Errorf("the method %q cannot be sent", m.Method)
	case m.Method == "CONNECT":
		return errors.New("curl makes CONNECT requests only for itself")
	case strings.ContainsAny(m.Target, "\r\n\x00"):
		return errors.New("the path has a line break or a NUL in it")
	case len(m.Target) > maxWord:
		return fmt.Errorf("the path is longer than a command line can hold: %d bytes", len(m.Target))
	case !m.Body.Whole():
		return fmt.Errorf("only %d of the body's %d bytes are here", len(m.Body.Data), m.Body.Size)
	}
	for _, h := range m.Header {
		switch {
		case strings.ContainsAny(h.Value, "\r\n\x00"):
			return fmt.Errorf("header %s has a line break or a NUL in it", h.Name)
		case h.Name == ":authority", h.Name == ":scheme", h.Name == ":protocol": // of HTTP/2
		case h.Name == "" || strings.ContainsAny(h.Name, " \t\r\n\x00;:") || h.Name[0] == '@':
			return fmt.Errorf("%q is no name of a header that curl could send", h.Name)
		case len(h.Name)+len(h.Value) > maxWord:
			return fmt.Errorf("header %s is longer than a command line can hold: %d bytes", h.Name, len(h.Value))
		}
	}
	return nil
}

type command struct {
	f     *flow.Flow
	m     *flow.Message
	o     Options
	h2    bool
	words [][]string  // each is one line: an option and its argument, quoted for a shell
	plain [][2]string // the same for a configuration: option and argument as they are
	pipe  string      // the commands that write the body to curl's input; "" for none
	here  []string    // here-documents that follow the command
}

// add appends an option and its argument, if it has one.
func (c *command) add(option string, args ...string) {
	line, plain := []string{option}, [2]string{option}
	for _, a := range args {
		line, plain[1] = append(line, quote(a, c.o.Variables)), a
	}
	c.words, c.plain = append(c.words, line), append(c.plain, plain)
}

func (c *command) h1() {
	version := "--http1.1"
	switch {
	case c.h2:
		version = "--http2"
	case c.m.Proto == "HTTP/1.0":
		version = "--http1.0"
	}
	line := []string{"--globoff", "--path-as-is", "--include", version}
	c.words = append(c.words, line)
	for _, option := range line {
		c.plain = append(c.plain, [2]string{option})
	}
}

// sendsBody reports whether curl has to be given content, be it none.
func (c *command) sendsBody() bool {
	return c.m.Body.Size > 0 || c.m.Header.HasToken("Transfer-Encoding", "chunked")
}

func (c *command) method() {
	switch {
	case c.m.Method == "HEAD" && !c.sendsBody():
		c.add("--head") // with -X HEAD curl waits for a body
	case c.m.Method == "GET" && !c.sendsBody():
	default:
		c.add("-X", c.m.Method)
	}
}

func (c *command) headers() {
	h := c.m.Header
	size := strconv.FormatInt(c.m.Body.Size, 10)
	hostSeen := false
	for _, f := range h {
		switch strings.ToLower(f.Name) {
		case ":authority": // where it says something else than the URL
			hostSeen = true
			c.add("-H", "Host: "+f.Value)
			continue
		case ":scheme", ":protocol":
			continue
		case "host":
			if hostSeen = true; f.Value == c.f.Authority && f.Name == "Host" {
				continue // as curl writes it
			}
		case "content-length":
			if c.sendsBody() && (f.Value == size || c.h2) {
				continue
			}
		case "proxy-connection", "proxy-authorization":
			continue
		case "connection", "keep-alive", "transfer-encoding", "upgrade":
			if c.h2 {
				continue // RFC 9113, 8.2.2
			}
		}
		if f.Value == "" {
			c.add("-H", f.Name+";")
		} else {
			c.add("-H", f.Name+": "+f.Value)
		}
	}
	if !hostSeen && !c.h2 {
		c.add("-H", "Host:")
	}
	gone := []string{"User-Agent", "Accept"}
	if c.sendsBody() {
		gone = append(gone, "Content-Type", "Expect")
	}
	for _, name := range gone {
		if !h.Has(name) {
			c.add("-H", name+":")
		}
	}
	if h.Get("Accept-Encoding") != "" {
		c.add("--compressed") // shows the answer decoded; the field above is what is sent
	}
}

func (c *command) connection() {
	if target := c.f.Conn.Target; target != "" && !strings.EqualFold(target, flow.HostPort(c.f.Scheme, c.f.Authority)) {
		if _, _, err := net.SplitHostPort(target); err == nil {
			c.add("--connect-to", "::"+target)
		}
	}
	if t := c.f.Conn.OriginTLS; c.o.Insecure || c.f.Scheme == "https" && t != nil && !t.Verified {
		c.add("--insecure")
	}
	if c.o.CACert != "" {
		c.add("--cacert", c.o.CACert)
	}
}

func (c *command) body() {
	data := string(c.m.Body.Data)
	switch {
	case !c.sendsBody():
	case plain(data):
		c.add("--data-raw", data)
	default:
		c.pipe, c.here = c.producer(data)
		c.add("--data-binary", "@-")
	}
}

// plain reports whether a body can stand in quotes and survive a clipboard.
func plain(s string) bool {
	return len(s) <= maxPlain && utf8.ValidString(s) && strings.IndexFunc(s, hidden) < 0
}

// producer writes a body of any bytes: base64 in here-documents, and between
// them what only the shell knows.
func (c *command) producer(data string) (pipe string, here []string) {
	var steps []string
	add := func(s string) {
		if s != "" {
			steps = append(steps, "base64 -d <<'B64'")
			here = append(here, wrap(base64.StdEncoding.EncodeToString([]byte(s))))
		}
	}
	start := 0
	for i := 0; i < len(data) && len(c.o.Variables) > 0; i++ {
		if name := variableAt(data[i:], c.o.Variables); name != "" {
			add(data[start:i])
			steps = append(steps, `printf %s "$`+name+`"`)
			i += len(name)
			start = i + 1
		}
	}
	add(data[start:])
	if len(steps) == 1 {
		return steps[0], here
	}
	return "{ " + strings.Join(steps, "; ") + "; }", here
}

// Producer is a command for sh that writes data, of any bytes, to its output; see Options.Variables.
func Producer(data string, variables map[string]string) string {
	c := command{o: Options{Variables: variables}}
	var parts []string
	for i, p := range c.pieces(data) {
		if i%2 == 1 {
			parts = append(parts, `printf %s "$`+p+`"`)
		} else if p != "" {
			parts = append(parts, "printf %s '"+base64.StdEncoding.EncodeToString([]byte(p))+"' | base64 -d")
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "{ " + strings.Join(parts, "; ") + "; }"
}

// pieces are text and names of variables by turns, text first.
func (c *command) pieces(data string) []string {
	var out []string
	start := 0
	for i := 0; i < len(data) && len(c.o.Variables) > 0; i++ {
		if name := variableAt(data[i:], c.o.Variables); name != "" {
			out = append(out, data[start:i], name)
			i += len(name)
			start = i + 1
		}
	}
	return append(out, data[start:])
}

func wrap(s string) string {
	const width = 76
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + "\n")
		s = s[width:]
	}
	return b.String() + s + "\n"
}

func (c *command) url() {
	base := c.f.Scheme + "://" + c.f.Authority
	if plainTarget(c.m.Target) {
		c.words = append(c.words, []string{quote(base+c.m.Target, c.o.Variables)})
		c.plain = append(c.plain, [2]string{"--url", base + c.m.Target})
		return
	}
	c.add("--request-target", c.m.Target)
	c.words = append(c.words, []string{quote(base+"/", nil)})
	c.plain = append(c.plain, [2]string{"--url", base + "/"})
}

// plainTarget reports whether curl sends the path of a URL as it is.
func plainTarget(t string) bool {
	if !strings.HasPrefix(t, "/") {
		return false
	}
	for i := range len(t) {
		if c := t[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			return false
		}
	}
	return true
}

func (c *command) text() string {
	var b strings.Builder
	for _, name := range c.needed() {
		b.WriteString(`: "${` + name + `:?` + harmless(c.o.Variables[name]) + `}" && \` + "\n")
	}
	if c.pipe != "" {
		b.WriteString(c.pipe + " | \\\n")
	}
	b.WriteString("curl")
	for i, line := range c.words {
		if i > 0 {
			b.WriteString(" \\\n ")
		}
		b.WriteString(" " + strings.Join(line, " "))
	}
	b.WriteString("\n")
	for _, h := range c.here {
		b.WriteString(h + "B64\n")
	}
	return b.String()
}

// harmless keeps of a description what a shell only reads: it may name what somebody else sent.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' || r == ',' || r == ' ' {
			return r
		}
		return -1
	}, s[:min(len(s), 80)])
	if s == "" {
		return "not set"
	}
	return s
}

// needed are the variables that the command uses, in order.
func (c *command) needed() []string {
	var list []string
	used := func(s string) bool {
		for _, line := range c.words {
			for _, w := range line {
				if strings.Contains(w, s) {
					return true
				}
			}
		}
		return strings.Contains(c.pipe, s)
	}
	for name := range c.o.Variables {
		if used(`"$` + name + `"`) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
