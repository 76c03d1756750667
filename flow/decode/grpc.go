package decode

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/why403/why403/flow"
)

// IsGRPC reports whether a media type is gRPC (application/grpc, with or without
// +proto, +json …) or gRPC-Web: bodies of length-prefixed messages.
func IsGRPC(mediaType string) bool {
	rest, ok := strings.CutPrefix(mediaType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || strings.HasPrefix(rest, "-web"))
}

// isGRPCText reports whether a media type is gRPC-Web in base64.
func isGRPCText(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/grpc-web-text")
}

// The flags before a message (gRPC over HTTP/2, "Length-Prefixed-Message"; gRPC-Web, "Trailers").
const (
	grpcPacked   = 1
	grpcTrailers = 0x80
)

// grpcMessages tells length-prefixed messages apart.
type grpcMessages struct {
	fromClient bool
	coding     string // grpc-encoding
	broken     bool

	head   [5]byte
	n      int // bytes of head read
	left   uint32
	packed bool
	m      flow.Frame
}

// Feed implements Splitter.
func (g *grpcMessages) Feed(p []byte, emit func(flow.Frame)) {
	for (len(p) > 0 || g.n == len(g.head) && g.left == 0) && !g.broken {
		if g.n < len(g.head) {
			k := copy(g.head[g.n:], p)
			g.n += k
			p = p[k:]
			if g.n < len(g.head) {
				continue
			}
			flags := g.head[0]
			if flags&^(grpcPacked|grpcTrailers) != 0 {
				g.broken = true
				emit(flow.Frame{FromClient: g.fromClient, Kind: flow.Remark, Data: fmt.Appendf(nil, "no further messages of gRPC: the byte 0x%02x where a message should begin", flags)})
				return
			}
			g.packed, g.left = flags&grpcPacked != 0, binary.BigEndian.Uint32(g.head[1:])
			g.m = flow.Frame{FromClient: g.fromClient, Kind: flow.GRPCMessage}
			if flags&grpcTrailers != 0 {
				g.m.Kind = flow.GRPCTrailers
			}
		}
		k := int(min(int64(len(p)), int64(g.left)))
		keep := min(k, messageMost-len(g.m.Data))
		g.m.Data = append(g.m.Data, p[:keep]...)
		g.m.Cut = g.m.Cut || keep < k
		g.m.Size += int64(k)
		p = p[k:]
		if g.left -= uint32(k); g.left == 0 {
			g.finish(emit)
		}
	}
}

// finish gives the message at work, whole or not.
func (g *grpcMessages) finish(emit func(flow.Frame)) {
	m := g.m
	g.n, g.m = 0, flow.Frame{}
	if coding := strings.ToLower(g.coding); g.packed && coding != "" && coding != "identity" {
		if data, more, err := undo(coding, m.Data, messageMost); err == nil {
			m.Data, m.Packed, m.Cut = data, true, m.Cut || more
		}
	}
	emit(m)
}

// Close implements Splitter.
func (g *grpcMessages) Close(emit func(flow.Frame)) {
	if g.n == 0 || g.broken {
		return
	}
	if g.n == len(g.head) {
		g.m.Cut = true
		g.finish(emit)
	}
	g.broken = true
}

// base64Stream undoes base64 of any number of pieces, each with its own padding, as gRPC-Web sends it.
type base64Stream struct {
	next Splitter
	four []byte
	bad  bool
}

// Feed implements Splitter.
func (b *base64Stream) Feed(p []byte, emit func(flow.Frame)) {
	var out []byte
	for _, c := range p {
		if b.bad || c == '\r' || c == '\n' {
			continue
		}
		if b.four = append(b.four, c); len(b.four) < 4 {
			continue
		}
		var three [3]byte
		n, err := base64.StdEncoding.Decode(three[:], b.four)
		b.bad, b.four = err != nil, b.four[:0]
		out = append(out, three[:n]...)
	}
	b.next.Feed(out, emit)
}

// Close implements Splitter.
func (b *base64Stream) Close(emit func(flow.Frame)) { b.next.Close(emit) }
