package paste

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// agent is the User-Agent of an imported command that sets none: that of the curl which was measured.
const agent = "curl/7.88.1"

// Curl reads a curl command line into the request that curl would send: with the fields
// that it adds, in its order. Of several requests it takes the first.
func Curl(text string, o Options) (*flow.Flow, []string, error) {
	var hit *found
	var warnings []string
	var err error
	switch {
	case looksCmd(text):
		hit, err = cmd(text)
	case looksPowerShell(text):
		hit, err = powershell(text, func(w string) { warnings = append(warnings, w) })
	default:
		hit, warnings, err = posix(text, o)
	}
	if err != nil {
		return nil, warnings, fmt.Errorf("curl command: %w", err)
	}
	c := &curl{o: o, stdin: hit.stdin, fed: hit.fed, warn: warnings}
	if err := c.options(hit.args); err != nil {
		return nil, c.warn, fmt.Errorf("curl command: %w", err)
	}
	f, err := c.flow()
	if err != nil {
		return nil, c.warn, fmt.Errorf("curl command: %w", err)
	}
	return f, c.warn, nil
}

type field struct {
	name, value string
	empty, gone bool // "Name;" and "Name:"
}

// curl is a command line as its options say.
type curl struct {
	o     Options
	stdin []byte
	fed   bool
	warn  []string

	method, url, target string
	headers             []field
	data                [][]byte
	hasData, toQuery    bool
	json, head          bool
	upload              []byte
	file                string // its name
	hasUpload           bool
	parts               []part
	user, bearer        string
	cookies             []string
	agent, referer      *string
	compressed          bool
	ranges              string
	insecure            bool
	asIs                bool
	globOff             bool
	proto               string
	connect             string
	extra               []string // further URLs
}

type part struct {
	name, value, file, media string
	isFile                   bool
}

func (c *curl) warning(format string, args ...any) {
	if len(c.warn) < 50 {
		c.warn = append(c.warn, fmt.Sprintf(format, args...))
	}
}

// options reads the arguments: --long VALUE, --long=VALUE (which curl does not know and people write), -sX VALUE.
func (c *curl) options(args []string) error {
	for i := 0; i < len(args); i++ {
		a := args[i]
		next := func() (string, error) {
			if i+1 >= len(args) {
				return "", fmt.Errorf("%s wants a value", a)
			}
			i++
			return args[i], nil
		}
		switch {
		case a == "--" || a == "":
		case a == "--next" || a == "-:":
			c.warning("only the first of several requests is taken")
			return nil
		case strings.HasPrefix(a, "--"):
			name, value, given := strings.Cut(a[2:], "=")
			if given {
				c.warning("--%s=… is not how curl takes values; taken as --%s …", name, name)
			}
			if takesValue(name) && !given {
				v, err := next()
				if err != nil {
					return err
				}
				value = v
			}
			if err := c.option(name, value); err != nil {
				return err
			}
		case a[0] == '-' && len(a) > 1:
			for k := 1; k < len(a); k++ {
				name, ok := shortNames[a[k]]
				if !ok {
					c.warning("-%c is not known and left out", a[k])
					continue
				}
				value := ""
				if takesValue(name) {
					if k+1 < len(a) {
						value = a[k+1:]
					} else {
						v, err := next()
						if err != nil {
							return err
						}
						value = v
					}
					k = len(a)
				}
				if err := c.option(name, value); err != nil {
					return err
				}
			}
		default:
			c.address(a)
		}
	}
	return nil
}

func (c *curl) address(u string) {
	if c.url == "" {
		c.url = u
		return
	}
	c.extra = append(c.extra, u)
}

func (c *curl) option(name, v string) (err error) {
	switch name {
	case "url":
		c.address(v)
	case "request":
		c.method = v
	case "request-target":
		c.target = v
	case "header":
		return c.header(v)
	case "data", "data-ascii":
		err = c.body(v, true, true)
	case "data-binary":
		err = c.body(v, true, false)
	case "data-raw":
		err = c.body(v, false, false)
	case "data-urlencode":
		err = c.urlencode(v)
	case "json":
		c.json = true
		err = c.body(v, true, false)
	case "form", "form-string":
		err = c.form(v, name == "form")
	case "get":
		c.toQuery = true
	case "head":
		c.head = true
	case "user":
		c.user = v
	case "oauth2-bearer":
		c.bearer = v
	case "cookie":
		if !strings.Contains(v, "=") {
			c.warning("the cookies of the file %s are left out", v)
			return nil
		}
		c.cookies = append(c.cookies, v)
	case "user-agent":
		c.agent = &v
	case "referer":
		v = strings.TrimSuffix(v, ";auto")
		c.referer = &v
	case "compressed":
		c.compressed = true
	case "range":
		c.ranges = v
	case "insecure":
		c.insecure = true
	case "path-as-is":
		c.asIs = true
	case "globoff":
		c.globOff = true
	case "http1.0", "http1.1", "http2", "http2-prior-knowledge":
		c.proto = map[string]string{"http1.0": "HTTP/1.0", "http1.1": "HTTP/1.1"}[name]
		if c.proto == "" {
			c.proto = "HTTP/2.0"
		}
	case "http3", "http3-only":
		c.warning("HTTP/3 is not spoken here: it will go over HTTP/2")
		c.proto = "HTTP/2.0"
	case "connect-to", "resolve":
		if to, ok := lastHostPort(v); ok && name == "connect-to" {
			c.connect = to
		} else if host, rest, ok := strings.Cut(v, ":"); ok && name == "resolve" && host != "" {
			if port, addr, ok := strings.Cut(rest, ":"); ok {
				c.connect = strings.Trim(strings.SplitN(addr, ",", 2)[0], "[]") + ":" + port
			}
		}
	case "upload-file":
		if v == "-" || v == "." {
			c.upload = c.stdin
		} else {
			c.upload, err = readFile(c.o, v)
			c.file = filepath.Base(v)
		}
		c.hasUpload = true
	case "aws-sigv4", "ntlm", "digest", "negotiate", "anyauth", "proxy", "cert", "key", "unix-socket", "abstract-unix-socket":
		c.warning("--%s cannot be taken over", name)
	default:
		if !ignored[name] && !takesValue(name) {
			c.warning("--%s is not known and left out", name)
		}
	}
	return err
}

func (c *curl) header(v string) error {
	if file, ok := strings.CutPrefix(v, "@"); ok {
		text, err := readFile(c.o, file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "@") {
				if err := c.header(line); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return fmt.Errorf("the header %q has a line break in it", v)
	}
	name, value, ok := strings.Cut(v, ":")
	if !ok {
		if name, ok = strings.CutSuffix(v, ";"); !ok || name == "" {
			c.warning("-H %q has no name and colon and is left out", v)
			return nil
		}
		c.headers = append(c.headers, field{name: name, empty: true})
		return nil
	}
	if name == "" || strings.ContainsAny(name, " \t") {
		c.warning("-H %q is no header and left out", v)
		return nil
	}
	value = strings.Trim(value, " \t")
	c.headers = append(c.headers, field{name: name, value: value, gone: value == ""})
	return nil
}

// body adds data. Files are read if they may be (@), without their line ends when stripped (-d, as curl does).
func (c *curl) body(v string, files, strip bool) error {
	data := []byte(v)
	if file, ok := strings.CutPrefix(v, "@"); ok && files {
		if file == "-" {
			data = c.stdin
			if !c.fed {
				return errors.New("its body comes from the terminal (@-): paste it into the command")
			}
		} else {
			var err error
			if data, err = readFile(c.o, file); err != nil {
				return err
			}
		}
		if strip {
			data = []byte(strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(string(data)))
		}
	}
	c.hasData = true
	c.data = append(c.data, data)
	return nil
}

// urlencode is --data-urlencode: "text", "=text", "name=text", "@file", "name@file".
func (c *curl) urlencode(v string) error {
	name, text := "", v
	if i := strings.IndexAny(v, "=@"); i >= 0 {
		name, text = v[:i], v[i+1:]
		if v[i] == '@' {
			data, err := readFile(c.o, text)
			if err != nil {
				return err
			}
			text = string(data)
		}
	}
	text = strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	if name != "" {
		text = name + "=" + text
	}
	c.hasData = true
	c.data = append(c.data, []byte(text))
	return nil
}

// form is -F: "name=value", "name=@file;type=media", "name=<file".
func (c *curl) form(v string, special bool) error {
	name, value, ok := strings.Cut(v, "=")
	if !ok {
		return fmt.Errorf("-F %q has no name and value", v)
	}
	p := part{name: name, value: value}
	if special {
		if i := strings.Index(value, ";type="); i >= 0 {
			p.value, p.media = value[:i], value[i+len(";type="):]
			p.media, _, _ = strings.Cut(p.media, ";filename=")
		}
		if i := strings.Index(p.value, ";filename="); i >= 0 {
			p.file = strings.Trim(p.value[i+len(";filename="):], `"`)
			p.value = p.value[:i]
		}
		if strings.HasPrefix(p.value, "@") || strings.HasPrefix(p.value, "<") {
			name := strings.Trim(p.value[1:], `"`)
			data, err := readFile(c.o, name)
			if err != nil {
				return err
			}
			if p.value[0] == '@' {
				p.isFile = true
				if p.file == "" {
					p.file = filepath.Base(name)
				}
				if p.media == "" {
					p.media = "application/octet-stream"
				}
			}
			p.value = string(data)
		}
	}
	c.parts = append(c.parts, p)
	return nil
}

// flow is the request that curl would send.
func (c *curl) flow() (*flow.Flow, error) {
	if c.url == "" {
		return nil, errors.New("it has no URL")
	}
	if len(c.extra) > 0 {
		c.warning("only the first of %d URLs is taken", len(c.extra)+1)
	}
	if !c.globOff && strings.ContainsAny(c.url, "{}[]") {
		c.warning("curl would take {} and [] in the URL for a pattern; it is taken as it is written")
	}
	f := &flow.Flow{Kind: flow.Exchange, Origin: flow.FromImport, Request: &flow.Message{Proto: "HTTP/1.1"}}
	target, user, err := place(f, c.url)
	if err != nil {
		return nil, err
	}
	if c.user == "" && user != "" {
		if c.user, err = url.PathUnescape(user); err != nil {
			c.user = user
		}
	}
	if c.proto != "" {
		f.Request.Proto = c.proto
	}
	if c.insecure && f.Scheme == "https" {
		f.Conn.OriginTLS = &flow.TLS{}
	}
	if c.connect != "" {
		f.Conn.Target = c.connect
	}
	if c.file != "" && strings.HasSuffix(target, "/") {
		target += url.PathEscape(c.file)
	}
	if !c.asIs {
		target = squash(target)
	}
	body, media := c.content()
	if c.toQuery && c.hasData {
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		target, body, media, c.hasData = target+sep+string(body), nil, "", false
	}
	if f.Request.Target = escapeSpace(target); c.target != "" {
		f.Request.Target = c.target
	}
	c.line(f.Request)
	c.fields(f, body, media)
	if len(body) > 0 {
		f.Request.SetBody(body)
		if f.Request.Header.HasToken("Transfer-Encoding", "chunked") {
			f.Request.Body.Framing = flow.Chunked
		}
	}
	return f, nil
}

func (c *curl) line(m *flow.Message) {
	switch {
	case c.method != "":
		m.Method = c.method
	case c.head:
		m.Method = "HEAD"
	case c.hasUpload:
		m.Method = "PUT"
	case c.hasData || len(c.parts) > 0:
		m.Method = "POST"
	default:
		m.Method = "GET"
	}
}

// content is the body and the type that curl gives it.
func (c *curl) content() ([]byte, string) {
	switch {
	case c.hasUpload:
		return c.upload, ""
	case len(c.parts) > 0:
		return c.multipart()
	case !c.hasData:
		return nil, ""
	}
	sep := "&"
	media := "application/x-www-form-urlencoded"
	if c.json {
		sep, media = "", "application/json"
	}
	var b strings.Builder
	for i, d := range c.data {
		if i > 0 {
			b.WriteString(sep)
		}
		b.Write(d)
	}
	return []byte(b.String()), media
}

func (c *curl) multipart() ([]byte, string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", c.parts))
	boundary := "------------------------" + hex.EncodeToString(sum[:8]) // curl's form; the same for the same parts
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var b strings.Builder
	for _, p := range c.parts {
		b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quote.Replace(p.name) + "\"")
		if p.file != "" {
			b.WriteString("; filename=\"" + quote.Replace(p.file) + "\"")
		}
		b.WriteString("\r\n")
		if p.media != "" {
			b.WriteString("Content-Type: " + p.media + "\r\n")
		}
		b.WriteString("\r\n" + p.value + "\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return []byte(b.String()), "multipart/form-data; boundary=" + boundary
}

// fields are curl's own in its order, those of -H, and what follows from the body.
func (c *curl) fields(f *flow.Flow, body []byte, media string) {
	set := func(name string) bool {
		for _, h := range c.headers {
			if strings.EqualFold(h.name, name) {
				return true
			}
		}
		return false
	}
	h := &f.Request.Header
	hostGiven := false
	for _, x := range c.headers {
		if strings.EqualFold(x.name, "Host") && !x.gone {
			h.Add(x.name, x.value) // curl writes it first, wherever it was given
			hostGiven = true
		}
	}
	if !hostGiven && !set("Host") {
		h.Add("Host", f.Authority)
	}
	own := func(name, value string) {
		if value != "" && !set(name) {
			h.Add(name, value)
		}
	}
	if c.user != "" {
		own("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.user)))
	} else if c.bearer != "" {
		own("Authorization", "Bearer "+c.bearer)
	}
	if c.agent != nil {
		own("User-Agent", *c.agent)
	} else {
		own("User-Agent", agent)
	}
	if c.ranges != "" {
		own("Range", "bytes="+c.ranges)
	}
	accept := "*/*"
	if c.json {
		accept = "application/json"
	}
	own("Accept", accept)
	if c.compressed {
		own("Accept-Encoding", "deflate, gzip, br, zstd")
	}
	if c.referer != nil {
		own("Referer", *c.referer)
	}
	if len(c.cookies) > 0 {
		own("Cookie", strings.Join(c.cookies, "; "))
	}
	for _, x := range c.headers {
		if !strings.EqualFold(x.name, "Host") && !x.gone {
			h.Add(x.name, x.value)
		}
	}
	chunked := h.HasToken("Transfer-Encoding", "chunked")
	if (len(body) > 0 || c.hasData || len(c.parts) > 0 || c.hasUpload) && !set("Content-Length") && !chunked {
		h.Add("Content-Length", strconv.Itoa(len(body)))
	}
	own("Content-Type", media)
	if f.Request.Proto == "HTTP/2.0" {
		for i := range *h {
			(*h)[i].Name = strings.ToLower((*h)[i].Name)
		}
		h.Del("host")
	}
}
