package h2

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"
)

const (
	maxBlock  = 1 << 20 // bytes of one header list, as RFC 9113, 6.5.2 counts them, that are kept; the rest is read past
	maxString = 1 << 20 // bytes of one name or value; where there is a longer one, decoding ends
	maxTable  = 1 << 20 // bytes of a dynamic table; nobody announces more than 64 KiB
	maxSmall  = 1 << 10 // bytes kept of a frame that is neither header nor content
)

// Kind tells what an Event is.
type Kind uint8

// The kinds of event.
const (
	Head      Kind = iota // Fields, End: a header block of Stream
	Push                  // Fields: a request that the server makes up for Stream, Promised by it
	Content               // Content, End: of Stream
	Reset                 // Code: Stream is over
	Away                  // Code, Last, Content (words): the connection is ending
	Tune                  // Settings
	Grant                 // Increment: of Stream, or with 0 of the connection
	Echo                  // Content: of a PING that asks for its like
	Lost                  // Err: nothing more can be told; it is the last event
	Malformed             // Err: what should be the client's Preface is none; it is the only event
)

// Event is something that a direction of a connection says.
type Event struct {
	Kind      Kind
	Stream    uint32
	End       bool // the sender will send no more on Stream
	Fields    []hpack.HeaderField
	Cut       bool // Fields is not all: the list is larger than maxBlock
	Weighted  bool // of Head: it carries a priority
	Promised  uint32
	Content   []byte // valid until the parsed bytes are changed
	Padding   int    // of Content: bytes that flow control counts besides (RFC 9113, 6.1)
	Code      Code
	Last      uint32
	Settings  []Setting
	Increment uint32
	Err       error
}

// Parser tells what one direction of a connection says. Bytes may be given to
// it in any pieces.
type Parser struct {
	emit    func(*Event)
	preface int // bytes of Preface still to come
	over    bool

	head  [headerSize]byte
	nhead int

	kind   FrameType
	flags  byte
	stream uint32
	left   int // bytes of the payload still to come
	front  int // bytes still to come before content or fragment: pad length, priority, promised stream
	pad    int // bytes of padding at the payload's end
	small  []byte

	dec   *hpack.Decoder
	block *Event // the header block under way
	on    uint32 // the stream on which it comes
	size  uint32 // of its fields
}

// NewParser is a Parser of what the client sends, or the server. It calls emit
// for each event, in order; the Event is emit's to keep, its Content is not.
func NewParser(client bool, emit func(*Event)) *Parser {
	p := &Parser{emit: emit}
	if client {
		p.preface = len(Preface)
	}
	p.dec = hpack.NewDecoder(4096, p.field) // RFC 9113, 6.5.2
	p.dec.SetAllowedMaxDynamicTableSize(maxTable)
	p.dec.SetMaxStringLength(maxString)
	return p
}

// Parse reads b to its end.
func (p *Parser) Parse(b []byte) {
	for len(b) > 0 && !p.over {
		switch {
		case p.preface > 0:
			b = p.readPreface(b)
		case p.nhead < headerSize:
			n := copy(p.head[p.nhead:], b)
			if p.nhead, b = p.nhead+n, b[n:]; p.nhead == headerSize {
				p.begin()
			}
		default:
			n := min(p.left, len(b))
			p.payload(b[:n])
			b = b[n:]
		}
		if p.nhead == headerSize && p.left == 0 && !p.over {
			p.nhead = 0
			p.end()
		}
	}
}

// Between reports whether all that was parsed ended at the end of a frame, and
// not inside a header block: where a frame of somebody else could stand.
func (p *Parser) Between() bool { return p.nhead == 0 && p.block == nil && p.preface == 0 && !p.over }

func (p *Parser) readPreface(b []byte) []byte {
	want := Preface[len(Preface)-p.preface:]
	n := min(len(want), len(b))
	if string(b[:n]) != want[:n] {
		p.over = true
		p.emit(&Event{Kind: Malformed, Err: errors.New("the connection does not begin as HTTP/2 does (RFC 9113, 3.4)")})
		return nil
	}
	p.preface -= n
	return b[n:]
}

func (p *Parser) lose(format string, args ...any) {
	p.over = true
	p.emit(&Event{Kind: Lost, Err: fmt.Errorf(format, args...)})
}

// begin is called when the header of a frame is there.
func (p *Parser) begin() {
	h := p.head
	p.left = int(h[0])<<16 | int(h[1])<<8 | int(h[2])
	p.kind, p.flags = FrameType(h[3]), h[4]
	p.stream = binary.BigEndian.Uint32(h[5:]) & MaxStreamID
	p.small, p.front, p.pad = p.small[:0], 0, 0
	if p.block != nil && (p.kind != Continuation || p.stream != p.on) {
		p.lose("a frame of type %d in the middle of a header block", p.kind)
		return
	}
	if p.kind == Headers || p.kind == PushPromise {
		p.on = p.stream
	}
	padded := p.flags&FlagPadded != 0
	switch p.kind {
	case Data:
		p.fronts(padded, 0)
	case Headers:
		p.block = &Event{Kind: Head, Stream: p.stream, End: p.flags&FlagEndStream != 0}
		n := 0
		if p.flags&FlagPriority != 0 {
			n, p.block.Weighted = 5, true
		}
		p.fronts(padded, n)
	case PushPromise:
		p.block = &Event{Kind: Push, Promised: p.stream}
		p.fronts(padded, 4)
	case Continuation:
		if p.block == nil {
			p.lose("a CONTINUATION without a header block")
		}
		return
	default:
		return
	}
	if p.stream == 0 {
		p.lose("a frame of type %d for no stream", p.kind)
	}
}

// fronts says what stands before content or fragment.
func (p *Parser) fronts(padded bool, n int) {
	if padded {
		n++
	}
	if p.front = n; n > p.left {
		p.lose("a frame of type %d that is too short", p.kind)
	}
}

// payload takes the next bytes of a frame's payload.
func (p *Parser) payload(b []byte) {
	p.left -= len(b)
	switch p.kind {
	case Data, Headers, PushPromise, Continuation:
	default:
		p.small = append(p.small, b[:min(len(b), maxSmall-len(p.small))]...)
		return
	}
	if p.front > 0 {
		n := min(p.front, len(b))
		p.small = append(p.small, b[:n]...)
		if p.front, b = p.front-n, b[n:]; p.front > 0 {
			return
		}
		if p.flags&FlagPadded != 0 && p.kind != Continuation {
			if p.pad = int(p.small[0]); p.pad > p.left+len(b) {
				p.lose("padding that is longer than its frame")
				return
			}
			if p.kind == Data {
				p.emit(&Event{Kind: Content, Stream: p.stream, Padding: p.pad + 1})
			}
		}
	}
	if more := p.left - p.pad; more < 0 {
		b = b[:max(0, len(b)+more)]
	}
	switch {
	case len(b) == 0:
	case p.kind == Data:
		p.emit(&Event{Kind: Content, Stream: p.stream, Content: b})
	default:
		if _, err := p.dec.Write(b); err != nil {
			p.lose("the compressed header cannot be read: %w", err)
		}
	}
}

const usualFields = 12 // of a header block

// field is called by the decoder for each field of a block.
func (p *Parser) field(f hpack.HeaderField) {
	if p.size += f.Size(); p.size > maxBlock {
		p.block.Cut = true
		p.dec.SetEmitEnabled(false) // the table is still kept up
		return
	}
	if p.block.Fields == nil {
		p.block.Fields = make([]hpack.HeaderField, 0, usualFields)
	}
	p.block.Fields = append(p.block.Fields, f)
}

// end is called when a frame is complete.
func (p *Parser) end() {
	s := p.small
	switch p.kind {
	case Data:
		if p.flags&FlagEndStream != 0 {
			p.emit(&Event{Kind: Content, Stream: p.stream, End: true})
		}
	case Headers, PushPromise, Continuation:
		if p.kind == PushPromise {
			p.block.Stream = binary.BigEndian.Uint32(s[len(s)-4:]) & MaxStreamID
		}
		if p.flags&FlagEndHeaders != 0 {
			p.endBlock()
		}
	case RSTStream:
		if len(s) == 4 {
			p.emit(&Event{Kind: Reset, Stream: p.stream, Code: Code(binary.BigEndian.Uint32(s))})
		}
	case GoAway:
		if len(s) >= 8 {
			p.emit(&Event{Kind: Away, Last: binary.BigEndian.Uint32(s) & MaxStreamID, Code: Code(binary.BigEndian.Uint32(s[4:])), Content: s[8:]})
		}
	case Settings:
		if p.flags&FlagAck == 0 {
			e := &Event{Kind: Tune}
			for ; len(s) >= 6; s = s[6:] {
				e.Settings = append(e.Settings, Setting{binary.BigEndian.Uint16(s), binary.BigEndian.Uint32(s[2:])})
			}
			p.emit(e)
		}
	case Ping:
		if p.flags&FlagAck == 0 && len(s) == 8 {
			p.emit(&Event{Kind: Echo, Content: s})
		}
	case WindowUpdate:
		if len(s) == 4 {
			p.emit(&Event{Kind: Grant, Stream: p.stream, Increment: binary.BigEndian.Uint32(s) & MaxStreamID})
		}
	}
}

func (p *Parser) endBlock() {
	err := p.dec.Close()
	e := p.block
	p.block, p.size = nil, 0
	p.dec.SetEmitEnabled(true)
	if err != nil {
		p.lose("the compressed header cannot be read: %w", err)
		return
	}
	p.emit(e)
}
