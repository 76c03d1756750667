package wire

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// Request is the head of a request that can be passed on.
type Request struct {
	*Head
	Method string
	Proto  string
	Minor  int    // of HTTP/1.Minor
	Target string // request-target as received

	// Scheme and Authority are set for absolute-form ("http" or "https") and,
	// Authority alone, for CONNECT (host:port).
	Scheme    string
	Authority string
	// Path is the target in origin form: what the origin is to see.
	Path string

	Framing flow.Framing
	Length  int64 // of a body with Framing ByLength

	sent   []byte      // as it goes to the origin
	header flow.Header // its fields
}

// hopFields are meant for the proxy that reads them (RFC 9110, 11.7.1; RFC 9112, C.2.2).
var hopFields = []string{"Proxy-Connection", "Proxy-Authorization"}

// ParseRequest makes sense of a head. With asProxy, the head came to the proxy
// port: absolute-form and CONNECT are understood, and what is meant for us is
// taken out of what is sent on. Without it, the head is left alone.
func ParseRequest(h *Head, asProxy bool) (*Request, *Fault) {
	q := &Request{Head: h, sent: h.Raw, header: h.Header}
	i, j := strings.IndexByte(h.Start, ' '), strings.LastIndexByte(h.Start, ' ')
	if i <= 0 || j <= i+1 {
		return nil, fault(BadRequestLine, "%q is not \"METHOD TARGET VERSION\"", clip(h.Start))
	}
	q.Method, q.Target, q.Proto = h.Start[:i], h.Start[i+1:j], h.Start[j+1:]
	if !isToken(q.Method) {
		return nil, fault(BadRequestLine, "%q is no method", clip(q.Method))
	}
	if q.Target[0] == ' ' || q.Target[len(q.Target)-1] == ' ' {
		return nil, fault(BadRequestLine, "more than one space around the target in %q", clip(h.Start))
	}
	var ok bool
	if q.Minor, ok = minorVersion(q.Proto); !ok {
		return nil, fault(BadVersion, "%q is no version of HTTP/1", clip(q.Proto))
	}
	if f := h.check(true); f != nil {
		return nil, f
	}
	if f := q.frame(); f != nil {
		return nil, f
	}
	q.Path = q.Target
	switch {
	case !asProxy:
	case q.Method == "CONNECT":
		if q.Framing != flow.NoBody {
			return nil, fault(Ambiguous, "a CONNECT with a body: what follows could be the body or the tunnel")
		}
		host, port, ok := SplitAuthority(q.Target)
		if !ok || port == "" {
			return nil, fault(BadAuthority, "CONNECT wants host:port, not %q", clip(q.Target))
		}
		q.Authority = join(host, port)
	default:
		if f := q.absolute(); f != nil {
			return nil, f
		}
	}
	return q, nil
}

// absolute takes an absolute-form target apart (RFC 9112, 3.2.2).
func (q *Request) absolute() *Fault {
	scheme, rest, ok := strings.Cut(q.Target, "://")
	if !ok || strings.ContainsAny(scheme, "/?#*") {
		return nil
	}
	switch strings.ToLower(scheme) {
	case "http", "ws":
		q.Scheme = "http"
	case "https", "wss":
		q.Scheme = "https"
	default:
		return fault(BadAuthority, "the scheme %q is none that this proxy speaks: http, https, ws, wss", clip(scheme))
	}
	authority, path := rest, ""
	if k := strings.IndexAny(rest, "/?#"); k >= 0 {
		authority, path = rest[:k], rest[k:]
	}
	host, port, ok := SplitAuthority(authority)
	if !ok {
		return fault(BadAuthority, "%q is no host[:port]", clip(authority))
	}
	q.Authority = host
	if port != "" {
		q.Authority = join(host, port)
	} else if strings.Contains(host, ":") {
		q.Authority = "[" + host + "]"
	}
	switch {
	case path == "" && q.Method == "OPTIONS":
		path = "*" // RFC 9112, 3.2.4
	case path == "" || path[0] != '/':
		path = "/" + path
	}
	q.Path = path
	q.rewrite()
	return nil
}

// rewrite makes sent: the start line in origin form, the lines for us left out.
func (q *Request) rewrite() {
	h := q.Head
	b := make([]byte, 0, len(h.Raw))
	b = append(b, q.Method...)
	b = append(b, ' ')
	b = append(b, q.Path...)
	b = append(b, h.Raw[len(h.Start)-len(q.Proto)-1:h.startLen]...)
	pos := h.startLen
	for i := range h.Header {
		f := &h.Header[i]
		if n := len(f.Raw); !isHop(f.Name) {
			b = append(b, h.Raw[pos:pos+n]...)
		}
		pos += len(f.Raw)
	}
	q.sent = append(b, h.Raw[pos:]...)
	for i := range h.Header {
		if isHop(h.Header[i].Name) {
			q.header = append(flow.Header(nil), h.Header...)
			q.header.Del(hopFields...)
			break
		}
	}
}

// SetHost makes the Host field of a request in origin form, as it is sent, say
// host. It tells what it said, and whether that was something else. A request without a Host gets none.
func (q *Request) SetHost(host string) (was string, changed bool) {
	h := q.Head
	b := append(make([]byte, 0, len(h.Raw)+len(host)), h.Raw[:h.startLen]...)
	fields := append(flow.Header(nil), h.Header...)
	pos := h.startLen
	for i := range fields {
		f := &fields[i]
		n := len(f.Raw)
		if strings.EqualFold(f.Name, "Host") && f.Value != host {
			was, changed = f.Value, true
			end := f.Raw[len(bare(f.Raw)):]
			f.Value, f.Raw = host, f.Name+": "+host+end
		}
		b = append(b, f.Raw...)
		pos += n
	}
	if changed {
		q.sent, q.header = append(b, h.Raw[pos:]...), fields
	}
	return was, changed
}

// AddField adds a field behind the others, as it is sent. Its line ends as the start line does.
func (q *Request) AddField(name, value string) {
	line := name + ": " + value + string(q.Head.Raw[len(q.Head.Start):q.Head.startLen])
	empty := 1
	if bytes.HasSuffix(q.sent, []byte("\r\n")) {
		empty = 2
	}
	at := len(q.sent) - empty
	q.sent = slices.Concat(q.sent[:at], []byte(line), q.sent[at:])
	q.header = append(slices.Clip(q.header), flow.Field{Name: name, Value: value, Raw: line})
}

func isHop(name string) bool {
	if len(name) < 6 || name[5] != '-' {
		return false
	}
	for _, n := range hopFields {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// Bytes is the head as it is sent on. It must not be changed.
func (q *Request) Bytes() []byte { return q.sent }

// Persistent reports whether the client lets the connection live on.
func (q *Request) Persistent() bool { return persistent(q.Minor, q.Header) }

// Message is the request for the recording; its Header and Target are what is
// sent on, its Head what was received.
func (q *Request) Message() *flow.Message {
	return &flow.Message{Proto: q.Proto, Method: q.Method, Target: q.Path, Header: q.header, Head: q.Raw,
		Body: flow.Body{Framing: q.Framing}}
}

func minorVersion(proto string) (int, bool) {
	if len(proto) != len("HTTP/1.1") || proto[:7] != "HTTP/1." || proto[7] < '0' || proto[7] > '9' {
		return 0, false
	}
	return int(proto[7] - '0'), true
}

// SplitAuthority splits host[:port] (RFC 3986, 3.2 without userinfo). host is
// without brackets; port is "" or 1 to 65535.
func SplitAuthority(a string) (host, port string, ok bool) {
	host = a
	if strings.HasPrefix(a, "[") {
		end := strings.IndexByte(a, ']')
		if end < 0 {
			return "", "", false
		}
		host, port = a[1:end], a[end+1:]
		ip, err := netip.ParseAddr(strings.Replace(host, "%25", "%", 1))
		if err != nil || !ip.Is6() || port != "" && port[0] != ':' {
			return "", "", false
		}
		port = strings.TrimPrefix(port, ":")
		if a[end+1:] == ":" {
			return "", "", false
		}
	} else if i := strings.IndexByte(a, ':'); i >= 0 {
		if host, port = a[:i], a[i+1:]; port == "" {
			return "", "", false
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '+' {
			return "", "", false
		}
	}
	if host == "" || len(host) > 1000 {
		return "", "", false
	}
	for i := range len(host) {
		// What could end the host for another reader. UTF-8 passes: the resolver decides.
		if c := host[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`/?#@\<>"{}|^`+"`", c) >= 0 || c == '[' || c == ']' {
			return "", "", false
		}
	}
	return host, port, true
}

func join(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}
