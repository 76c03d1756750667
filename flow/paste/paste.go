// Package paste reads requests as people write them down: curl command lines in
// the quoting of any shell, and .http files. The flows have a request and no answer.
//
// What is read is data. No command is run; a file that it names is read only by
// Options.ReadFile, a variable only by Options.Getenv. Warnings say what was left
// out or taken as it stands.
package paste

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/why403/why403/flow"
)

// Options of reading. The zero value reads no files and no variables.
type Options struct {
	// ReadFile reads a file that the text names as a body. nil: naming one is an
	// error that says which.
	ReadFile func(name string) ([]byte, error)
	// Getenv gives a variable that the text names. nil, or not known: it stays as it is written, with a warning.
	Getenv func(name string) (string, bool)
}

// maxText bounds what is read, in bytes: a 2 MB body in base64 has room.
const maxText = 16 << 20

// ErrNothing is the answer to a text with no request in it.
var ErrNothing = errors.New("no curl command and no request of a .http file is in it")

// Read reads all requests of a text, told apart by how it looks.
func Read(text string, o Options) (flows []*flow.Flow, warnings []string, err error) {
	if len(text) > maxText {
		return nil, nil, fmt.Errorf("paste: the text is longer than %d bytes", maxText)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if looksCurl(text) {
		f, warnings, err := Curl(text, o)
		if err != nil {
			return nil, warnings, err
		}
		return []*flow.Flow{f}, warnings, nil
	}
	if !looksHTTPFile(text) && !strings.Contains(text, "\n###") && !strings.HasPrefix(text, "###") {
		return nil, nil, ErrNothing
	}
	return HTTPFile(text, o)
}

// Looks reports whether a text, or the beginning of one, looks like something that Read reads,
// and not like the record of an exchange.
func Looks(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "< HTTP/") || strings.HasPrefix(line, "> ") || strings.HasPrefix(line, "HTTP/") || strings.HasPrefix(line, "* ") {
			return false
		}
	}
	return looksCurl(text) || looksHTTPFile(text)
}

func looksCurl(text string) bool {
	if looksHTTPFile(text) {
		return false
	}
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(line, " \t$>%#")
		for _, p := range []string{"curl ", "curl.exe ", "curl\t", "curl\\", "curl^", "curl`"} {
			if strings.HasPrefix(line, p) || strings.Contains(line, "| "+p) || strings.Contains(line, " "+p) || strings.Contains(line, "/"+p) || strings.Contains(line, "&"+p) {
				return true
			}
		}
	}
	return false
}

func looksHTTPFile(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "@"):
			continue
		}
		_, _, _, ok := requestLine(line)
		return ok
	}
	return false
}

// place sets where a flow goes from its URL, and gives what stands behind the
// authority, without the fragment.
func place(f *flow.Flow, raw string) (target, user string, err error) {
	raw, _, _ = strings.Cut(raw, "#")
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		scheme, rest = "http", raw // as curl guesses
	}
	scheme = strings.ToLower(scheme)
	if scheme != "http" && scheme != "https" {
		return "", "", fmt.Errorf("%q is no URL of http or https", raw)
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, target := rest[:end], rest[end:]
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, authority = authority[:i], authority[i+1:]
	}
	if authority == "" || strings.ContainsAny(authority, " \t\r\n\\") {
		return "", "", fmt.Errorf("%q has no host", raw)
	}
	if strings.HasPrefix(target, "?") || target == "" {
		target = "/" + target
	}
	f.Scheme, f.Authority = scheme, flow.Canonical(scheme, authority)
	f.Conn.Target = flow.HostPort(scheme, f.Authority)
	return target, user, nil
}

// squash takes the dot segments out of a path (RFC 3986, 5.2.4), as clients do.
func squash(target string) string {
	path, query, asked := strings.Cut(target, "?")
	if !strings.Contains(path, "/.") {
		return target
	}
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	path = "/" + strings.Join(out, "/")
	if asked {
		path += "?" + query
	}
	return path
}

// escapeSpace makes a target that can stand in a request line.
func escapeSpace(s string) string {
	if !strings.ContainsAny(s, " \t\r\n\x00") {
		return s
	}
	return strings.NewReplacer(" ", "%20", "\t", "%09", "\r", "%0D", "\n", "%0A", "\x00", "%00").Replace(s)
}

// split is host and port of an option's value such as "::127.0.0.1:8080".
func lastHostPort(s string) (string, bool) {
	for range 2 {
		_, rest, ok := strings.Cut(s, ":")
		if !ok {
			return "", false
		}
		s = rest
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || port == "" {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}
