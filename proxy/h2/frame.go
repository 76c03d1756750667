package h2

import (
	"encoding/binary"
	"fmt"
)

// FrameType is the type of a frame (RFC 9113, 6).
type FrameType uint8

// The types of frame.
const (
	Data FrameType = iota
	Headers
	Priority
	RSTStream
	Settings
	PushPromise
	Ping
	GoAway
	WindowUpdate
	Continuation
)

// Flags of frames.
const (
	FlagEndStream  = 0x1 // of Data and Headers
	FlagAck        = 0x1 // of Settings and Ping
	FlagEndHeaders = 0x4
	FlagPadded     = 0x8
	FlagPriority   = 0x20
)

// Preface is what a client begins a connection with (RFC 9113, 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Sizes of RFC 9113, 4.1 and 6.5.2.
const (
	headerSize   = 9
	LeastMaxSize = 16 << 10 // payload that every peer takes
	MaxStreamID  = 1<<31 - 1
	FirstWindow  = 1<<16 - 1 // of a connection, and of a stream where no setting says otherwise (RFC 9113, 6.9.2)
)

// AppendFrame appends a whole frame to b.
func AppendFrame(b []byte, t FrameType, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), byte(t), flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// AppendHeaders appends block as a HEADERS frame, and CONTINUATION frames if it
// is larger than LeastMaxSize.
func AppendHeaders(b []byte, stream uint32, end bool, block []byte) []byte {
	t, flags := Headers, byte(0)
	if end {
		flags = FlagEndStream
	}
	for {
		n := min(len(block), LeastMaxSize)
		if n == len(block) {
			return AppendFrame(b, t, flags|FlagEndHeaders, stream, block)
		}
		b = AppendFrame(b, t, flags, stream, block[:n])
		t, flags, block = Continuation, 0, block[n:]
	}
}

// AppendReset appends an RST_STREAM.
func AppendReset(b []byte, stream uint32, code Code) []byte {
	return AppendFrame(b, RSTStream, 0, stream, binary.BigEndian.AppendUint32(nil, uint32(code)))
}

// AppendGoAway appends a GOAWAY with words for whoever reads it.
func AppendGoAway(b []byte, last uint32, code Code, words string) []byte {
	p := binary.BigEndian.AppendUint32(nil, last)
	p = binary.BigEndian.AppendUint32(p, uint32(code))
	return AppendFrame(b, GoAway, 0, 0, append(p, words...))
}

// Setting is one value of a SETTINGS frame.
type Setting struct {
	ID    uint16
	Value uint32
}

// The settings that somebody here asks about (RFC 9113, 6.5.2).
const (
	SettingHeaderTableSize   = 1
	SettingEnablePush        = 2
	SettingMaxStreams        = 3
	SettingInitialWindowSize = 4
	SettingMaxFrameSize      = 5
)

// AppendSettings appends a SETTINGS frame.
func AppendSettings(b []byte, list ...Setting) []byte {
	var p []byte
	for _, s := range list {
		p = binary.BigEndian.AppendUint16(p, s.ID)
		p = binary.BigEndian.AppendUint32(p, s.Value)
	}
	return AppendFrame(b, Settings, 0, 0, p)
}

// AppendWindowUpdate appends a WINDOW_UPDATE.
func AppendWindowUpdate(b []byte, stream, increment uint32) []byte {
	return AppendFrame(b, WindowUpdate, 0, stream, binary.BigEndian.AppendUint32(nil, increment))
}

// Code is an error code (RFC 9113, 7).
type Code uint32

// The codes that somebody here asks about.
const (
	NoError         Code = 0x0
	ProtocolError   Code = 0x1
	RefusedStream   Code = 0x7
	Cancel          Code = 0x8
	HTTP11Required  Code = 0xd
	unknownCodeFrom      = Code(len(codes))
)

var codes = [...]struct{ name, words string }{
	{"NO_ERROR", "nothing is wrong"},
	{"PROTOCOL_ERROR", "the other side broke the rules of HTTP/2"},
	{"INTERNAL_ERROR", "it met an error of its own"},
	{"FLOW_CONTROL_ERROR", "the other side sent more than it was allowed"},
	{"SETTINGS_TIMEOUT", "its settings were not acknowledged in time"},
	{"STREAM_CLOSED", "a frame came for a stream that was closed"},
	{"FRAME_SIZE_ERROR", "a frame had a size that is not allowed"},
	{"REFUSED_STREAM", "it did not process the request, which may be sent again"},
	{"CANCEL", "the answer is not wanted any more"},
	{"COMPRESSION_ERROR", "the compressed header could not be read"},
	{"CONNECT_ERROR", "the connection made for a CONNECT broke"},
	{"ENHANCE_YOUR_CALM", "the other side asks for too much"},
	{"INADEQUATE_SECURITY", "the TLS of this connection is not good enough for it"},
	{"HTTP_1_1_REQUIRED", "it wants this request over HTTP/1.1"},
}

// String is the code's name of the RFC and what it means, from the side of whoever sent it.
func (c Code) String() string {
	if c < unknownCodeFrom {
		return codes[c].name + ": " + codes[c].words
	}
	return fmt.Sprintf("error code 0x%x", uint32(c))
}
