// Package flow holds the nouns that every other package shares: a Flow (one
// exchange as it went over the wire), its Messages with their ordered Header
// and Body, what happened to it over time (Part, Outcome), what people and
// rules say about it (Annotation), and a difference that can be applied
// (Change, Patch). It depends on the standard library alone.
//
// A finished Flow is immutable and may be read from any goroutine. Code that
// wants a changed one works on a Clone.
package flow

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// ID numbers the flows of one session from 1, in the order in which they began.
type ID int64

// Kind tells what a flow is a record of.
type Kind uint8

// The kinds of flow.
const (
	Exchange  Kind = iota // a request and its answer
	Tunnel                // a CONNECT or SOCKS tunnel whose inside was not read: opaque bytes or a host left alone on purpose
	Handshake             // a TLS handshake with the client that did not succeed
	Rejected              // bytes from a client that were no request we may forward; answered by a marked 400
)

var kindNames = [...]string{"exchange", "tunnel", "handshake", "rejected"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Origin tells who made the request.
type Origin uint8

// The origins of a flow.
const (
	FromClient Origin = iota // a client of the proxy
	FromReplay               // why403 sent it again, perhaps changed; Parent is the flow it came from
	FromImport               // read from a file
)

var originNames = [...]string{"client", "replay", "import"}

func (o Origin) String() string {
	if int(o) < len(originNames) {
		return originNames[o]
	}
	return "unknown"
}

// Flow is one exchange.
type Flow struct {
	ID     ID
	Parent ID // the flow that this one replays; 0: none
	Kind   Kind
	Origin Origin

	// Scheme is "http" or "https" (ws and wss are recorded as these).
	Scheme string
	// Authority is host[:port] of the request's URL, lower case, without the
	// scheme's default port: where the request was meant to go. The Host field
	// of the request may say something else, and is then worth looking at.
	Authority string

	Request  *Message
	Interim  []*Message // informational responses (1xx) in the order they came
	Response *Message   // nil: no final response
	// Frames are the messages of an upgraded connection or a body, where
	// somebody gathered them; a flow read from a session comes without them.
	Frames []Frame

	Times Timings
	Conn  Conn
	// Altered lists, one short phrase each, what the proxy changed on the way
	// (beyond the start line's form and Proxy-* fields). Empty: nothing.
	Altered []string
	// Fidelity says whether the bytes that left are the bytes that came.
	Fidelity Fidelity
	// Err is why the exchange did not come to a proper end; nil: it did.
	Err *Failure
}

// Failure is an exchange that did not come to a proper end.
type Failure struct {
	// Side is who failed: "client", "origin", "upstream" (a proxy after us) or "why403".
	Side string
	// Op is the step: "dial", "resolve", "tls", "write", "read", "parse", "abort".
	Op string
	// Text says what happened, for people.
	Text string
}

func (f *Failure) Error() string { return f.Side + ": " + f.Op + ": " + f.Text }

// Timings are the moments of an exchange; zero: not known or not reached.
type Timings struct {
	Start        time.Time // first byte of the request head read
	DNSDone      time.Time
	ConnectStart time.Time
	ConnectDone  time.Time
	TLSDone      time.Time
	RequestSent  time.Time // last byte of the request written
	FirstByte    time.Time // first byte of the final response's head read
	End          time.Time // last byte of the response written to the client, or the failure
}

// Duration is the time from Start to End, 0 while that is not known.
func (t Timings) Duration() time.Duration {
	if t.Start.IsZero() || t.End.IsZero() {
		return 0
	}
	return max(0, t.End.Sub(t.Start))
}

// Conn is what is known of the two connections.
type Conn struct {
	Client   string // address of the client, host:port
	Local    string // address of ours that the client came to
	Origin   string // address that the request was sent to, host:port; with Upstream set: of that proxy
	Target   string // host:port asked for: of the CONNECT, the absolute URL, or the reverse target
	Upstream string // URL of the proxy after us, without credentials; "" is direct
	Reused   bool   // the connection to the origin had carried an earlier exchange
	Process  string // name and pid of the client's process, "curl 4711"; "" where the system does not tell it
	Tunnel   string // how the client opened the tunnel that this came through: "CONNECT", "SOCKS5"; "" is no tunnel
	// HTTP2 is what the client's HTTP/2 connection began with: its settings, the
	// window it added, whether it sent priorities, and the order of its
	// pseudo-header fields, in Akamai's form "1:65536;4:6291456|15663105|0|m,a,s,p"; "" is HTTP/1.
	HTTP2 string

	Resolved []string // addresses that the name stands for, as DNS told them, at most MaxAddresses; nil: not looked up for this
	Tried    []string // attempts to connect that failed, "address: reason", at most MaxAddresses

	ClientTLS *TLS // nil: plain
	OriginTLS *TLS
}

// MaxAddresses bounds the lists of addresses of a Conn, MaxChain the certificates of a chain.
const (
	MaxAddresses = 16
	MaxChain     = 10
)

// TLS is what is known of one TLS connection.
type TLS struct {
	Version     string   // "TLS 1.3"
	CipherSuite string   // IANA name
	ServerName  string   // SNI; "" when none was sent
	ALPN        string   // negotiated protocol, "" when none
	Offered     []string // protocols that the client offered
	// Subject, Issuer, SANs, NotAfter and SHA256 describe the origin's leaf.
	Subject  string
	Issuer   string
	SANs     []string
	NotAfter time.Time
	SHA256   string // hex
	Verified bool   // the chain verified against the trusted roots

	// Chain is the origin's chain as it was sent, leaf first, at most MaxChain.
	Chain []Certificate
	// Unverified says why the chain did not verify; "" when it did, and where nobody asked.
	Unverified string
	// Wanted is set when the origin asked for a client certificate; Presented is the subject of the one it got, "" none.
	Wanted    bool
	Presented string
	// JA3 and JA4 are fingerprints of the hello that opened the connection: the
	// client's in ClientTLS, our own in OriginTLS. JA3 is the text that is hashed
	// (see JA3Hash), JA4 the fingerprint itself. "" where the hello was not read.
	JA3, JA4 string
}

// JA3Hash is the MD5 of JA3 in hex, the form in which it is usually quoted; "" without one.
func (t *TLS) JA3Hash() string {
	if t == nil || t.JA3 == "" {
		return ""
	}
	sum := md5.Sum([]byte(t.JA3)) // a name for a set of values, not a protection
	return hex.EncodeToString(sum[:])
}

// Certificate is one of a chain.
type Certificate struct {
	Subject, Issuer string
	NotAfter        time.Time
}

// Fidelity tells, for each direction, whether what left is what came.
type Fidelity struct{ Request, Response Sameness }

// Sameness is what the comparison of checksums said: of the bytes read from one
// side with those written to the other.
type Sameness uint8

// The results of a comparison.
const (
	NotCompared Sameness = iota // the message did not come to its end, or was not relayed as bytes
	Same                        // byte for byte, but for the start line's form, Proxy-* fields and what Altered lists
	Differs                     // something changed that Altered does not list: a fault of ours
)

func (s Sameness) String() string {
	switch s {
	case Same:
		return "same"
	case Differs:
		return "differs"
	}
	return "not compared"
}

// Unaltered reports whether it is known that the server got what the client sent, and the client what the server sent.
func (f *Flow) Unaltered() bool {
	return f.Fidelity == Fidelity{Same, Same} && len(f.Altered) == 0
}

// Message is a request or a response.
type Message struct {
	// Proto is the HTTP version: "HTTP/1.1", "HTTP/1.0", "HTTP/2.0".
	Proto string

	Method string // request
	// Target is the request-target in origin form ("/a?b", "*"), byte for byte as sent to the origin.
	Target string

	Status int    // response
	Reason string // reason phrase as sent; "" in HTTP/2 and where there was none

	Header   Header
	Trailers Header
	// Head is the head byte for byte as it was received, up to and including
	// the empty line. nil where it was not seen (HTTP/2, most imports).
	Head []byte
	Body Body
}

// Framing is how the end of a body was marked.
type Framing uint8

// The framings of RFC 9112, 6.3.
const (
	NoBody     Framing = iota
	ByLength           // Content-Length
	Chunked            // Transfer-Encoding: chunked
	UntilClose         // until the connection closed; in HTTP/2 until END_STREAM
)

// Body is the content of a message: transfer coding removed, content coding
// (gzip …) kept.
type Body struct {
	Framing Framing
	// Size is the number of bytes that went over the wire, without chunk framing.
	Size int64
	// Data is the content or, in a flow read from a session, at most a first
	// part of it; the session has the rest.
	Data []byte
	// Kept is how many bytes the recording holds: less than Size when it was cut.
	Kept int64
}

// Whole reports whether Data is the complete body.
func (b Body) Whole() bool { return int64(len(b.Data)) == b.Size }

// Cut reports whether the recording lost a part of the body: it cannot be replayed then.
func (b Body) Cut() bool { return b.Kept < b.Size }

// SetBody makes data the whole body of m. Framing stays unless there was none.
func (m *Message) SetBody(data []byte) {
	m.Body.Data, m.Body.Size, m.Body.Kept = data, int64(len(data)), int64(len(data))
	if m.Body.Framing == NoBody && len(data) > 0 {
		m.Body.Framing = ByLength
	}
}

// Clone copies m deeply enough that the copy's header and body may be changed.
// The raw head is dropped, for it would no longer be true.
func (m *Message) Clone() *Message {
	if m == nil {
		return nil
	}
	c := *m
	c.Header = slices.Clone(m.Header)
	c.Trailers = slices.Clone(m.Trailers)
	c.Body.Data = slices.Clone(m.Body.Data)
	c.Head = nil
	return &c
}

// URL is the absolute URL of the request. For a tunnel it is scheme and authority
// alone; "" where the request is not known.
func (f *Flow) URL() string {
	if f.Request == nil && f.Authority == "" {
		return ""
	}
	t := ""
	if f.Request != nil && strings.HasPrefix(f.Request.Target, "/") {
		t = f.Request.Target
	} else if f.Request != nil && strings.HasPrefix(f.Request.Target, "?") {
		t = "/" + f.Request.Target
	}
	return f.Scheme + "://" + f.Authority + t
}

// Path is the path of the request-target as sent, without the query.
func (f *Flow) Path() string {
	if f.Request == nil {
		return ""
	}
	p, _, _ := strings.Cut(f.Request.Target, "?")
	return p
}

// Query is what follows the first "?" of the request-target, as sent.
func (f *Flow) Query() string {
	if f.Request == nil {
		return ""
	}
	_, q, _ := strings.Cut(f.Request.Target, "?")
	return q
}

// Status is the status of the final response, 0 when there is none.
func (f *Flow) Status() int {
	if f.Response == nil {
		return 0
	}
	return f.Response.Status
}
