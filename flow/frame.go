package flow

import "time"

// FrameKind tells what a Frame is.
type FrameKind uint8

// The kinds of frame. Their numbers are stored in sessions.
const (
	RawBytes      FrameKind = iota // bytes as they came, of a protocol that is not read
	TextMessage                    // a WebSocket message of text (RFC 6455, 5.6)
	BinaryMessage                  // a WebSocket message of bytes
	CloseMessage                   // the end of a WebSocket: two bytes of code and a reason, or nothing (RFC 6455, 5.5.1)
	PingMessage                    // RFC 6455, 5.5.2
	PongMessage                    // RFC 6455, 5.5.3
	ServerEvent                    // a server-sent event: its lines, each ended by a line feed
	GRPCMessage                    // one length-prefixed message of gRPC or gRPC-Web, without the prefix
	GRPCTrailers                   // the trailers of gRPC-Web, which come as a message
	Remark                         // no message but a word of why403's about those that follow; Data is for people
)

var frameNames = [...]string{"bytes", "text", "binary", "close", "ping", "pong", "event", "grpc", "trailers", "note"}

func (k FrameKind) String() string {
	if int(k) < len(frameNames) {
		return frameNames[k]
	}
	return "unknown"
}

// KindOf is the kind of a word that String gave; of any other it is RawBytes.
func KindOf(word string) FrameKind {
	for k, name := range frameNames {
		if name == word {
			return FrameKind(k)
		}
	}
	return RawBytes
}

// Frame is one message on an upgraded connection, or one of those that a body
// is a sequence of. Messages sent in fragments are joined.
type Frame struct {
	FromClient bool
	Kind       FrameKind
	Packed     bool // it was compressed on the wire; Data is not
	Cut        bool // Data is not the whole of it
	At         time.Time
	Size       int64 // bytes of payload that went over the wire
	Data       []byte
}

// InBody reports whether frames of this kind are parts of a body that is
// recorded as well: their bytes are not to be counted twice.
func (k FrameKind) InBody() bool {
	switch k {
	case ServerEvent, GRPCMessage, GRPCTrailers:
		return true
	}
	return false
}
