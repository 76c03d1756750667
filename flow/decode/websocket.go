package decode

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/why403/why403/flow"
)

// IsWebSocket reports whether an upgrade led to a WebSocket: what RFC 6455, 4.2.2 has the server say.
func IsWebSocket(req, resp *flow.Message) bool {
	return req != nil && resp != nil && resp.Status == 101 &&
		resp.Header.HasToken("Upgrade", "websocket") && resp.Header.Has("Sec-WebSocket-Accept")
}

// The opcodes of RFC 6455, 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	controlMost = 125 // bytes of a control frame's payload (RFC 6455, 5.5)
)

// WebSocket tells the messages of one direction apart (RFC 6455) and inflates
// those compressed by permessage-deflate (RFC 7692). At the first byte that no
// frame can have it gives up: a Remark says why, and what follows is RawBytes.
type WebSocket struct {
	fromClient bool
	other      bool // an extension that is not known was agreed on: reserved bits may mean anything
	inflate    *inflater
	broken     bool

	// The frame at work.
	head    [14]byte
	n       int // bytes of head read
	payload bool
	op      byte
	fin     bool
	masked  bool
	mask    [4]byte
	at      int    // index into mask of the next byte
	left    uint64 // bytes of payload to come
	control flow.Frame

	// The message at work, which control frames may interrupt.
	open    bool
	packed  bool
	message flow.Frame
}

// NewWebSocket follows what the client, or the server, sends after the answer
// whose header is given: it says which extensions are in use.
func NewWebSocket(fromClient bool, answer flow.Header) *WebSocket {
	w := &WebSocket{fromClient: fromClient}
	for _, f := range answer {
		if !strings.EqualFold(f.Name, "Sec-WebSocket-Extensions") {
			continue
		}
		for ext := range strings.SplitSeq(f.Value, ",") {
			name, params, _ := strings.Cut(ext, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "":
			case "permessage-deflate":
				side := "server_no_context_takeover"
				if fromClient {
					side = "client_no_context_takeover"
				}
				w.inflate = &inflater{takeover: !hasParam(params, side)}
			default:
				w.other = true
			}
		}
	}
	return w
}

func hasParam(params, name string) bool {
	for p := range strings.SplitSeq(params, ";") {
		key, _, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return true
		}
	}
	return false
}

// Feed implements Splitter.
func (w *WebSocket) Feed(p []byte, emit func(flow.Frame)) {
	for len(p) > 0 && !w.broken {
		if !w.payload {
			k := copy(w.head[w.n:w.headSize()], p)
			w.n += k
			p = p[k:]
			if w.n < w.headSize() {
				continue
			}
			if why := w.begin(); why != "" {
				w.giveUp(why, emit)
				break
			}
		}
		k := int(min(uint64(len(p)), w.left))
		w.take(p[:k])
		p = p[k:]
		if w.left -= uint64(k); w.left == 0 {
			w.end(emit)
		}
	}
	if w.broken && len(p) > 0 {
		emit(w.raw(p))
	}
}

func (w *WebSocket) raw(p []byte) flow.Frame {
	return flow.Frame{FromClient: w.fromClient, Size: int64(len(p)), Data: append([]byte(nil), p...)}
}

func (w *WebSocket) giveUp(why string, emit func(flow.Frame)) {
	w.broken = true
	w.unfinished(emit)
	emit(flow.Frame{FromClient: w.fromClient, Kind: flow.Remark, Data: []byte("this is not WebSocket any more, the bytes follow as they came: " + why)})
	emit(w.raw(w.head[:w.n]))
}

// headSize is how many bytes the head of the frame has, as far as that is known.
func (w *WebSocket) headSize() int {
	if w.n < 2 {
		return 2
	}
	size := 2
	switch w.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if w.head[1]&0x80 != 0 {
		size += 4
	}
	return size
}

// begin reads the head of a frame and says what is wrong with it.
func (w *WebSocket) begin() (why string) {
	h := w.head[:w.n]
	w.fin, w.op, w.masked = h[0]&0x80 != 0, h[0]&0x0f, h[1]&0x80 != 0
	switch l := h[1] & 0x7f; l {
	case 126:
		w.left = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		w.left = binary.BigEndian.Uint64(h[2:])
	default:
		w.left = uint64(l)
	}
	if w.masked {
		w.at = copy(w.mask[:], h[len(h)-4:]) & 3
	}
	if why := w.fault(h[0]); why != "" {
		return why
	}
	w.payload = true
	switch w.op {
	case opContinuation:
	case opText, opBinary:
		w.open, w.packed = true, h[0]&0x40 != 0 && w.inflate != nil
		w.message = flow.Frame{FromClient: w.fromClient, Kind: flow.TextMessage}
		if w.op == opBinary {
			w.message.Kind = flow.BinaryMessage
		}
	default:
		w.control = flow.Frame{FromClient: w.fromClient, Kind: map[byte]flow.FrameKind{opClose: flow.CloseMessage, opPing: flow.PingMessage, opPong: flow.PongMessage}[w.op]}
	}
	return ""
}

// fault says which rule of RFC 6455, 5.1 to 5.5 a frame's head breaks.
func (w *WebSocket) fault(first byte) string {
	control := w.op >= 8
	reserved := first & 0x70
	if w.inflate != nil && !control && w.op != opContinuation {
		reserved &^= 0x40
	}
	switch {
	case w.op > opBinary && w.op < opClose || w.op > opPong:
		return fmt.Sprintf("opcode %d, which has no meaning", w.op)
	case reserved != 0 && !w.other:
		return fmt.Sprintf("a frame (opcode %d) with reserved bits that no extension gave a meaning", w.op)
	case w.fromClient && !w.masked:
		return "a frame of the client without a mask"
	case !w.fromClient && w.masked:
		return "a frame of the server with a mask"
	case control && !w.fin:
		return "a control frame in fragments"
	case control && w.left > controlMost:
		return fmt.Sprintf("a control frame of %d bytes", w.left)
	case w.op == opContinuation && !w.open:
		return "a continuation of no message"
	case (w.op == opText || w.op == opBinary) && w.open:
		return "a new message before the one under way has ended"
	case w.left >= 1<<63:
		return "a frame of more than 2^63 bytes"
	}
	return ""
}

// take is the next payload of the frame at work.
func (w *WebSocket) take(p []byte) {
	m := &w.message
	if w.op >= 8 {
		m = &w.control
	}
	m.Size += int64(len(p))
	keep := min(len(p), messageMost-len(m.Data))
	if keep < len(p) {
		m.Cut = true
	}
	start := len(m.Data)
	m.Data = append(m.Data, p[:keep]...)
	if w.masked {
		unmask(m.Data[start:], w.mask, w.at)
		w.at = (w.at + len(p)) & 3
	}
}

// unmask undoes the masking of RFC 6455, 5.3 in place; at is the index into mask of the first byte.
func unmask(p []byte, mask [4]byte, at int) {
	var turned [8]byte
	for i := range turned {
		turned[i] = mask[(at+i)&3]
	}
	word := binary.LittleEndian.Uint64(turned[:])
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^word)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= turned[i]
	}
}

// end ends the frame at work.
func (w *WebSocket) end(emit func(flow.Frame)) {
	w.n, w.payload = 0, false
	if w.op >= 8 {
		emit(w.control)
		w.control = flow.Frame{}
		return
	}
	if w.fin {
		w.finish(emit)
	}
}

// finish ends the message at work, whole or not.
func (w *WebSocket) finish(emit func(flow.Frame)) {
	m := w.message
	w.open, w.message = false, flow.Frame{}
	if !w.packed {
		emit(m)
		return
	}
	if w.inflate.lost != "" {
		m.Kind = flow.RawBytes
		emit(m)
		return
	}
	if m.Cut && w.inflate.takeover {
		w.inflate.lost = fmt.Sprintf("a compressed message of more than %d bytes", messageMost)
	}
	data, cut := w.inflate.message(m.Data)
	m.Packed, m.Data, m.Cut = true, data, m.Cut || cut
	emit(m)
	if why := w.inflate.lost; why != "" {
		emit(flow.Frame{FromClient: w.fromClient, Kind: flow.Remark, Data: []byte("compressed messages from here on are shown as they were sent: " + why)})
	}
}

// unfinished gives what there is of a message or control frame that does not end.
func (w *WebSocket) unfinished(emit func(flow.Frame)) {
	if w.payload && w.op >= 8 {
		w.control.Cut = true
		emit(w.control)
	}
	if w.open {
		w.message.Cut = true
		w.finish(emit)
	}
	w.payload = false
}

// Close implements Splitter.
func (w *WebSocket) Close(emit func(flow.Frame)) {
	if w.broken {
		return
	}
	w.broken = true
	w.unfinished(emit)
}

// CloseCode is what stands in a Close message: its code (RFC 6455, 7.4; 1005
// when there is none), what the code means in a few words, and the reason given.
func CloseCode(data []byte) (code int, meaning, reason string) {
	code = 1005
	if len(data) >= 2 {
		code, reason = int(binary.BigEndian.Uint16(data)), string(data[2:])
	}
	if !utf8.ValidString(reason) {
		reason = strings.ToValidUTF8(reason, "�")
	}
	meaning = closeCodes[code]
	switch {
	case meaning != "":
	case code >= 4000 && code < 5000:
		if meaning = "the application's own code"; code >= 4400 && code < 4500 { // many follow HTTP's numbers
			switch code - 4000 {
			case 401:
				meaning += ", by its number unauthorized"
			case 403:
				meaning += ", by its number forbidden"
			case 429:
				meaning += ", by its number too many requests"
			}
		}
	case code >= 3000 && code < 4000:
		meaning = "a registered code that is not known here"
	default:
		meaning = "a code that has no meaning"
	}
	return code, meaning, reason
}

// closeCodes are the registered codes (IANA, WebSocket Close Code Number Registry).
var closeCodes = map[int]string{
	1000: "normal",
	1001: "going away",
	1002: "protocol error",
	1003: "data of a kind that is not accepted",
	1005: "no code was given",
	1006: "ended without a close",
	1007: "data that does not fit its type, such as text that is no UTF-8",
	1008: "against the policy",
	1009: "a message that is too large",
	1010: "an extension that the client needs was not agreed on",
	1011: "an error in the server",
	1012: "the service restarts",
	1013: "try again later",
	1014: "the gateway got a bad answer",
	1015: "the TLS handshake did not succeed",
	3000: "unauthorized",
	3003: "forbidden",
	3008: "timeout",
}

// RefusedByCode reports whether a close code says that the peer was not allowed to go on.
func RefusedByCode(code int) bool {
	switch code {
	case 1008, 3000, 3003, 4401, 4403, 4429:
		return true
	}
	return false
}
