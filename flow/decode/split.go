package decode

import (
	"strings"

	"github.com/why403/why403/flow"
)

// Splitter tells apart the messages that one direction of a connection, or one
// body, consists of. However the bytes are split, the messages are the same.
type Splitter interface {
	// Feed takes the next bytes and gives emit each message that they complete.
	// It keeps nothing of p; Data of a message is the receiver's, At is not set.
	Feed(p []byte, emit func(flow.Frame))
	// Close says that no more comes, and gives emit what was not complete. It
	// must be called, for a Splitter may hold on to a coroutine.
	Close(emit func(flow.Frame))
}

// messageMost is how many bytes of one message are kept. What is larger is cut, and says so.
const messageMost = 4 << 20

// Messages is a Splitter for a body with header h, nil if that is not a
// sequence of messages: server-sent events, gRPC and gRPC-Web, with or without
// content coding.
func Messages(h flow.Header, fromClient bool) Splitter {
	t := h.Get("Content-Type")
	if !hasPrefixFold(t, "text/event-stream") && !hasPrefixFold(t, "application/grpc") { // asked for every body: without taking the field apart
		return nil
	}
	var s Splitter
	switch media, _ := ParseMediaType(t); {
	case media == "text/event-stream" && !fromClient:
		s = &events{}
	case IsGRPC(media):
		s = &grpcMessages{fromClient: fromClient, coding: h.Get("Grpc-Encoding")}
		if isGRPCText(media) {
			s = &base64Stream{next: s}
		}
	default:
		return nil
	}
	if codings := Codings(h); len(codings) > 0 {
		s = newCoded(codings, s)
	}
	return s
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// Split gives the messages of data, of which the stream may have had more.
func Split(s Splitter, data []byte, most int) []flow.Frame {
	var list []flow.Frame
	emit := func(f flow.Frame) {
		if len(list) < most {
			list = append(list, f)
		}
	}
	s.Feed(data, emit)
	s.Close(emit)
	return list
}
