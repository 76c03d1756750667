package decode

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of ProtobufText.
const (
	protobufDepth = 16      // messages within messages
	protobufText  = 1 << 20 // bytes of text
	protobufBytes = 64      // bytes of a field of bytes that are shown
)

// IsProtobuf reports whether a media type is a protobuf message.
func IsProtobuf(mediaType string) bool {
	switch mediaType {
	case "application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf", "application/x-google-protobuf":
		return true
	}
	return strings.HasSuffix(mediaType, "+protobuf") || strings.HasSuffix(mediaType, "+proto") && !strings.HasPrefix(mediaType, "application/grpc")
}

// ProtobufText is a protobuf message (protobuf.dev, "Encoding") without its
// schema, a field on a line: its number, and what its bytes look like. Whether
// bytes are text, a message or neither is a guess. cut says that data is a first
// part; ok is false if no message begins so.
func ProtobufText(data []byte, cut bool) (text []byte, ok bool) {
	p := &protobuf{cut: cut}
	if len(data) == 0 || !p.check(data, 0, cut) {
		return nil, false
	}
	p.write(data, 0)
	return p.out, true
}

type protobuf struct {
	out []byte
	cut bool
}

// The wire types.
const (
	pbVarint = 0
	pb64     = 1
	pbBytes  = 2
	pbGroup  = 3 // and its end, 4: given up long ago, but still valid
	pbEnd    = 4
	pb32     = 5
)

// pbField is one field as it stands in a message.
type pbField struct {
	number uint64
	wire   int
	value  uint64 // of a varint or a fixed number
	data   []byte // of wire type 2
	cut    bool   // data ends before the field does
}

// next takes the field at the start of data; n is 0 if there is none.
func pbNext(data []byte, cut bool) (f pbField, n int) {
	tag, n := binary.Uvarint(data)
	if n <= 0 || tag>>3 == 0 || tag>>3 >= 1<<29 {
		return f, 0
	}
	f.number, f.wire = tag>>3, int(tag&7)
	rest := data[n:]
	switch f.wire {
	case pbVarint:
		v, k := binary.Uvarint(rest)
		if k <= 0 {
			return f, 0
		}
		f.value = v
		return f, n + k
	case pb64:
		if len(rest) < 8 {
			return f, 0
		}
		f.value = binary.LittleEndian.Uint64(rest)
		return f, n + 8
	case pb32:
		if len(rest) < 4 {
			return f, 0
		}
		f.value = uint64(binary.LittleEndian.Uint32(rest))
		return f, n + 4
	case pbBytes:
		size, k := binary.Uvarint(rest)
		if k <= 0 {
			return f, 0
		}
		rest = rest[k:]
		if size > uint64(len(rest)) {
			if !cut {
				return f, 0
			}
			f.cut, size = true, uint64(len(rest))
		}
		f.data = rest[:size]
		return f, n + k + int(size)
	case pbGroup, pbEnd:
		return f, n
	}
	return f, 0
}

// check reports whether data is a message: fields to its end, groups that close.
func (p *protobuf) check(data []byte, depth int, cut bool) bool {
	if depth > protobufDepth {
		return false
	}
	groups, any := 0, false
	for len(data) > 0 {
		f, n := pbNext(data, cut)
		if n == 0 {
			return cut && any && len(data) < 12 // an unfinished field
		}
		switch f.wire {
		case pbGroup:
			if groups++; groups+depth > protobufDepth {
				return false
			}
		case pbEnd:
			if groups--; groups < 0 {
				return false
			}
		}
		any = true
		data = data[n:]
	}
	return groups == 0 || cut
}

func (p *protobuf) write(data []byte, depth int) {
	for len(data) > 0 && len(p.out) < protobufText {
		f, n := pbNext(data, p.cut)
		if n == 0 {
			p.line(depth, "…")
			return
		}
		data = data[n:]
		number := strconv.FormatUint(f.number, 10)
		switch f.wire {
		case pbVarint:
			text := strconv.FormatUint(f.value, 10)
			if f.value >= 1<<63 {
				text = strconv.FormatInt(int64(f.value), 10)
			}
			p.line(depth, number+": "+text)
		case pb64:
			p.line(depth, number+": "+fixed(f.value, 16, math.Float64frombits(f.value), 64))
		case pb32:
			p.line(depth, number+": "+fixed(f.value, 8, float64(math.Float32frombits(uint32(f.value))), 32))
		case pbGroup:
			p.line(depth, number+" {")
			depth++
		case pbEnd:
			depth = max(0, depth-1)
			p.line(depth, "}")
		case pbBytes:
			p.bytes(f, number, depth)
		}
	}
}

func (p *protobuf) bytes(f pbField, number string, depth int) {
	printable := isPrintable(f.data, f.cut)
	// A message whose first field is field 1 of bytes begins with a line feed, as text seldom does.
	if len(f.data) > 0 && (!printable || f.data[0] == '\n') && p.check(f.data, depth+1, f.cut) {
		p.line(depth, number+" {")
		p.write(f.data, depth+1)
		p.line(depth, "}")
		return
	}
	if printable {
		more := ""
		if f.cut {
			more = " …"
		}
		p.line(depth, number+": "+strconv.Quote(string(f.data))+more)
		return
	}
	shown := f.data[:min(len(f.data), protobufBytes)]
	text := number + ": " + hex.EncodeToString(shown)
	if len(shown) < len(f.data) || f.cut {
		text += "…"
	}
	p.line(depth, text+" ("+strconv.Itoa(len(f.data))+" bytes)")
}

func (p *protobuf) line(depth int, text string) {
	for range depth {
		p.out = append(p.out, "  "...)
	}
	p.out = append(append(p.out, text...), '\n')
}

// fixed is a number of a fixed width: as an integer, and as a float where that looks like one.
func fixed(v uint64, digits int, f float64, bits int) string {
	text := strconv.FormatUint(v, 16)
	text = "0x" + strings.Repeat("0", digits-len(text)) + text
	if a := math.Abs(f); v == 0 || a > 1e-9 && a < 1e12 {
		return strconv.FormatFloat(f, 'g', -1, bits) + " (" + text + ")"
	}
	return text + " (" + strconv.FormatUint(v, 10) + ")"
}

// isPrintable reports whether data is text that people write; cut: its last character may be incomplete.
func isPrintable(data []byte, cut bool) bool {
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			return cut && !utf8.FullRune(data)
		}
		if !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		data = data[n:]
	}
	return true
}
