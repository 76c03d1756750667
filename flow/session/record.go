package session

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// recordVersion is the layout of the blobs in table record that are written. 1
// ends before Conn.Tunnel, 1 and 2 hold what is known of the TLS connections
// themselves, where now table tls has it; both are still read.
const recordVersion = 3

// encodeRecord is everything of f but its number, the content of its bodies and
// its TLS connections. A field line that stands in the head is not stored twice.
func encodeRecord(f *flow.Flow) []byte { return appendRecord(nil, f, recordVersion) }

// appendRecord appends it to b.
func appendRecord(b []byte, f *flow.Flow, version byte) []byte {
	n := 512
	for _, m := range []*flow.Message{f.Request, f.Response} {
		if m != nil {
			n += len(m.Head) + 8*len(m.Header)
			if m.Head == nil {
				n += m.Header.Size()
			}
		}
	}
	e := &encoder{b: slices.Grow(b, n)}
	e.byte(version)
	e.byte(byte(f.Kind))
	e.byte(byte(f.Origin))
	e.int(int64(f.Parent))
	e.str(f.Scheme)
	e.str(f.Authority)
	e.message(f.Request)
	if f.Interim == nil {
		e.uint(0)
	} else {
		e.uint(uint64(len(f.Interim)) + 1)
		for _, m := range f.Interim {
			e.message(m)
		}
	}
	e.message(f.Response)
	for _, t := range moments(&f.Times) {
		e.time(*t)
	}
	for _, s := range places(&f.Conn) {
		e.str(*s)
	}
	e.bool(f.Conn.Reused)
	if version < 3 {
		e.tls(f.Conn.ClientTLS)
		e.tls(f.Conn.OriginTLS)
	}
	e.strs(f.Altered)
	e.bool(f.Err != nil)
	if f.Err != nil {
		e.str(f.Err.Side)
		e.str(f.Err.Op)
		e.str(f.Err.Text)
	}
	if version >= 2 {
		e.second(f, version)
	}
	return e.b
}

// second is what came with version 2.
func (e *encoder) second(f *flow.Flow, version byte) {
	e.str(f.Conn.Tunnel)
	e.str(f.Conn.HTTP2)
	e.strs(f.Conn.Resolved)
	e.strs(f.Conn.Tried)
	e.byte(byte(f.Fidelity.Request))
	e.byte(byte(f.Fidelity.Response))
	for _, t := range [...]*flow.TLS{f.Conn.ClientTLS, f.Conn.OriginTLS} {
		if t != nil && version < 3 {
			e.moreTLS(t)
		}
	}
}

func (d *decoder) second(f *flow.Flow, version byte) {
	f.Conn.Tunnel, f.Conn.HTTP2, f.Conn.Resolved, f.Conn.Tried = d.str(), d.str(), d.strs(), d.strs()
	f.Fidelity = flow.Fidelity{Request: flow.Sameness(d.byte()), Response: flow.Sameness(d.byte())}
	for _, t := range [...]*flow.TLS{f.Conn.ClientTLS, f.Conn.OriginTLS} {
		if t != nil && version < 3 {
			d.moreTLS(t)
		}
	}
}

// tlsVersion is the layout of the blobs in table tls.
const tlsVersion = 1

// encodeTLS is what is known of one TLS connection.
func encodeTLS(t *flow.TLS) []byte {
	e := &encoder{b: make([]byte, 0, 256+len(t.JA3)+128*len(t.Chain))}
	e.byte(tlsVersion)
	e.tls(t)
	e.moreTLS(t)
	return e.b
}

func decodeTLS(blob string) (*flow.TLS, error) {
	d := &decoder{s: blob}
	if d.byte() != tlsVersion {
		return nil, errBlob
	}
	t := d.tls()
	if t == nil {
		return nil, errBlob
	}
	d.moreTLS(t)
	return t, d.err()
}

// moreTLS is what came later than tls.
func (e *encoder) moreTLS(t *flow.TLS) {
	for _, s := range marks(t) {
		e.str(*s)
	}
	e.bool(t.Wanted)
	if t.Chain == nil {
		e.uint(0)
		return
	}
	e.uint(uint64(len(t.Chain)) + 1)
	said := names{t.Subject, t.Issuer}
	for _, c := range t.Chain {
		e.name(&said, c.Subject)
		e.name(&said, c.Issuer)
		e.time(c.NotAfter)
	}
}

func (d *decoder) moreTLS(t *flow.TLS) {
	for _, s := range marks(t) {
		*s = d.str()
	}
	t.Wanted = d.bool()
	if n := d.length(); n >= 0 {
		t.Chain = make([]flow.Certificate, 0, min(n, flow.MaxChain))
		said := names{t.Subject, t.Issuer}
		for range n {
			if t.Chain = append(t.Chain, flow.Certificate{Subject: d.name(&said), Issuer: d.name(&said), NotAfter: d.time()}); d.bad {
				return
			}
		}
	}
}

// names are those of a chain so far: each is the issuer of the one before it, so most are said twice.
type names []string

// name is the place of s among those said, from 1, or 0 and s.
func (e *encoder) name(said *names, s string) {
	i := slices.Index(*said, s) + 1
	if e.uint(uint64(i)); i == 0 {
		e.str(s)
		*said = append(*said, s)
	}
}

func (d *decoder) name(said *names) string {
	i := d.uint()
	switch {
	case i == 0:
		s := d.str()
		*said = append(*said, s)
		return s
	case i > uint64(len(*said)):
		d.bad = true
		return ""
	}
	return (*said)[i-1]
}

func marks(t *flow.TLS) [4]*string {
	return [...]*string{&t.JA3, &t.JA4, &t.Unverified, &t.Presented}
}

// decodeRecord is the flow of a blob; bodies have their sizes but no content,
// and TLS connections are missing unless the blob is of an old layout: see secured.
func decodeRecord(blob string) (*flow.Flow, error) {
	d := &decoder{s: blob}
	version := d.byte()
	if version < 1 || version > recordVersion {
		return nil, errBlob
	}
	f := &flow.Flow{
		Kind: flow.Kind(d.byte()), Origin: flow.Origin(d.byte()), Parent: flow.ID(d.int()),
		Scheme: d.str(), Authority: d.str(),
	}
	f.Request = d.message()
	if n := d.length(); n >= 0 {
		f.Interim = make([]*flow.Message, n)
		for i := range f.Interim {
			f.Interim[i] = d.message()
		}
	}
	f.Response = d.message()
	for _, t := range moments(&f.Times) {
		*t = d.time()
	}
	for _, s := range places(&f.Conn) {
		*s = d.str()
	}
	f.Conn.Reused = d.bool()
	if version < 3 {
		f.Conn.ClientTLS = d.tls()
		f.Conn.OriginTLS = d.tls()
	}
	f.Altered = d.strs()
	if d.bool() {
		f.Err = &flow.Failure{Side: d.str(), Op: d.str(), Text: d.str()}
	}
	if version >= 2 {
		d.second(f, version)
	}
	return f, d.err()
}

// secured gives f the TLS connections of table tls; "" is none.
func secured(f *flow.Flow, client, origin string) error {
	for _, c := range []struct {
		of   **flow.TLS
		blob string
	}{{&f.Conn.ClientTLS, client}, {&f.Conn.OriginTLS, origin}} {
		if c.blob == "" {
			continue
		}
		t, err := decodeTLS(c.blob)
		if err != nil {
			return err
		}
		*c.of = t
	}
	return nil
}

// The fields of one kind in the order in which they are stored: a new one goes
// to the end of a new recordVersion.
func moments(t *flow.Timings) [8]*time.Time {
	return [...]*time.Time{&t.Start, &t.DNSDone, &t.ConnectStart, &t.ConnectDone, &t.TLSDone, &t.RequestSent, &t.FirstByte, &t.End}
}

func places(c *flow.Conn) [6]*string {
	return [...]*string{&c.Client, &c.Local, &c.Origin, &c.Target, &c.Upstream, &c.Process}
}

func (e *encoder) message(m *flow.Message) {
	e.bool(m != nil)
	if m == nil {
		return
	}
	e.str(m.Proto)
	e.str(m.Method)
	e.str(m.Target)
	e.int(int64(m.Status))
	e.str(m.Reason)
	e.bytes(m.Head)
	e.header(m.Header, m.Head)
	e.header(m.Trailers, nil)
	e.byte(byte(m.Body.Framing))
	e.int(m.Body.Size)
	e.int(m.Body.Kept)
}

func (d *decoder) message() *flow.Message {
	if !d.bool() {
		return nil
	}
	m := &flow.Message{Proto: d.str(), Method: d.str(), Target: d.str(), Status: int(d.int()), Reason: d.str()}
	head, ok := d.optional()
	if ok {
		m.Head = []byte(head)
	}
	m.Header = d.header(head)
	m.Trailers = d.header("")
	m.Body.Framing = flow.Framing(d.byte())
	m.Body.Size = d.int()
	m.Body.Kept = d.int()
	return m
}

// How a field is stored, as bits of one byte.
const (
	rawInHead = 1 << iota // Raw is the next line of the head: only its length follows
	rawGiven              // Raw follows
	inRaw                 // Name begins Raw and Value is a part of it: only lengths and place follow
)

func (e *encoder) header(h flow.Header, head []byte) {
	if h == nil {
		e.uint(0)
		return
	}
	e.uint(uint64(len(h)) + 1)
	rest := head[bytes.IndexByte(head, '\n')+1:]
	for _, f := range h {
		var how byte
		value := -1
		if f.Raw != "" {
			how = rawGiven
			if len(f.Raw) <= len(rest) && string(rest[:len(f.Raw)]) == f.Raw {
				how, rest = rawInHead, rest[len(f.Raw):]
			}
			if strings.HasPrefix(f.Raw, f.Name) {
				if value = strings.Index(f.Raw[len(f.Name):], f.Value); value >= 0 {
					how |= inRaw
				}
			}
		}
		e.byte(how)
		switch {
		case how&rawInHead != 0:
			e.uint(uint64(len(f.Raw)))
		case how&rawGiven != 0:
			e.str(f.Raw)
		}
		if how&inRaw != 0 {
			e.uint(uint64(len(f.Name)))
			e.uint(uint64(value))
			e.uint(uint64(len(f.Value)))
		} else {
			e.str(f.Name)
			e.str(f.Value)
		}
	}
}

func (d *decoder) header(head string) flow.Header {
	n := d.length()
	if n < 0 {
		return nil
	}
	h := make(flow.Header, 0, min(n, 64)) // a field takes 48 bytes of memory and at least 3 of the blob
	rest := head[strings.IndexByte(head, '\n')+1:]
	for range n {
		var f flow.Field
		how := d.byte()
		switch {
		case how&rawInHead != 0:
			size := d.uint()
			if size > uint64(len(rest)) {
				d.bad = true
				return nil
			}
			f.Raw, rest = rest[:size], rest[size:]
		case how&rawGiven != 0:
			f.Raw = d.str()
		}
		if how&inRaw != 0 {
			name, at, size := d.uint(), d.uint(), d.uint()
			all := uint64(len(f.Raw))
			if name > all || at > all-name || size > all-name-at {
				d.bad = true
				return nil
			}
			f.Name, f.Value = f.Raw[:name], f.Raw[name+at:name+at+size]
		} else {
			f.Name, f.Value = d.str(), d.str()
		}
		if d.bad {
			return nil
		}
		h = append(h, f)
	}
	return h
}

func (e *encoder) tls(t *flow.TLS) {
	e.bool(t != nil)
	if t == nil {
		return
	}
	for _, s := range [...]string{t.Version, t.CipherSuite, t.ServerName, t.ALPN, t.Subject, t.Issuer, t.SHA256} {
		e.str(s)
	}
	e.strs(t.Offered)
	e.strs(t.SANs)
	e.time(t.NotAfter)
	e.bool(t.Verified)
}

func (d *decoder) tls() *flow.TLS {
	if !d.bool() {
		return nil
	}
	t := &flow.TLS{}
	for _, s := range [...]*string{&t.Version, &t.CipherSuite, &t.ServerName, &t.ALPN, &t.Subject, &t.Issuer, &t.SHA256} {
		*s = d.str()
	}
	t.Offered, t.SANs = d.strs(), d.strs()
	t.NotAfter, t.Verified = d.time(), d.bool()
	return t
}
