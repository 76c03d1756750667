package har

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// socketMessage is a WebSocket message as Chrome writes it: what is no text goes as base64.
type socketMessage struct {
	Type   string      `json:"type"` // "send", "receive"
	Time   json.Number `json:"time"` // seconds since 1970
	Opcode int         `json:"opcode"`
	Data   string      `json:"data"`
	Size   int64       `json:"_size,omitempty"`   // bytes on the wire, where they are not those of data
	Packed bool        `json:"_packed,omitempty"` // it was compressed on the wire
	Cut    bool        `json:"_cut,omitempty"`    // data is not the whole of it
}

// otherMessage is a message for which HAR has no form.
type otherMessage struct {
	Type     string      `json:"type"`
	Time     json.Number `json:"time"`
	Kind     string      `json:"kind"` // flow.FrameKind's word
	Data     string      `json:"data"`
	Encoding string      `json:"encoding,omitempty"`
	Size     int64       `json:"size,omitempty"`
	Packed   bool        `json:"packed,omitempty"`
	Cut      bool        `json:"cut,omitempty"`
}

// opcodes are the kinds that WebSocket frames have (RFC 6455, 5.2).
var opcodes = map[flow.FrameKind]int{flow.TextMessage: 1, flow.BinaryMessage: 2, flow.CloseMessage: 8, flow.PingMessage: 9, flow.PongMessage: 10}

const (
	maxMessages = 1 << 20 // messages of one entry that are read
	sent        = "send"
	received    = "receive"
)

func messagesOf(f *flow.Flow) (socket []socketMessage, other []otherMessage) {
	for _, m := range f.Frames {
		who := received
		if m.FromClient {
			who = sent
		}
		at, size := seconds(m.At), m.Size
		if size == int64(len(m.Data)) {
			size = 0
		}
		if op, ok := opcodes[m.Kind]; ok {
			data := base64.StdEncoding.EncodeToString(m.Data)
			if m.Kind == flow.TextMessage && utf8.Valid(m.Data) {
				data = string(m.Data)
			} else if m.Kind == flow.TextMessage {
				op = 2 // text that is none has no other form here
			}
			socket = append(socket, socketMessage{who, at, op, data, size, m.Packed, m.Cut})
			continue
		}
		o := otherMessage{Type: who, Time: at, Kind: m.Kind.String(), Size: size, Packed: m.Packed, Cut: m.Cut}
		o.Data, o.Encoding = bodyText(m.Data)
		other = append(other, o)
	}
	return socket, other
}

func seconds(t time.Time) json.Number {
	if t.IsZero() {
		return "0"
	}
	return json.Number(strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', 6, 64))
}

// frames are the messages of an entry.
func frames(e decode.Value) []flow.Frame {
	var list []flow.Frame
	for v := range e.Get("_webSocketMessages").Children() {
		if len(list) >= maxMessages {
			return list
		}
		m := frame(v, "_")
		switch op := integer(v.Get("opcode")); op {
		case 1:
			m.Kind = flow.TextMessage
		default:
			m.Kind = flow.BinaryMessage
			for kind, n := range opcodes {
				if int64(n) == op {
					m.Kind = kind
				}
			}
			if data, err := base64.StdEncoding.DecodeString(string(m.Data)); err == nil {
				m.Data = data
			}
		}
		list = append(list, sized(m))
	}
	for v := range e.Get("_why403").Get("messages").Children() {
		if len(list) >= maxMessages {
			return list
		}
		m := frame(v, "")
		m.Kind = flow.KindOf(text(v.Get("kind")))
		if isBase64(v.Get("encoding")) {
			m.Data = unbase64(m.Data)
		}
		list = append(list, sized(m))
	}
	return list
}

// frame reads what both forms have; own is what names of our own begin with.
func frame(v decode.Value, own string) flow.Frame {
	m := flow.Frame{FromClient: text(v.Get("type")) == sent, Data: []byte(text(v.Get("data"))), Size: integer(v.Get(own + "size"))}
	m.Packed, m.Cut = text(v.Get(own+"packed")) == "true", text(v.Get(own+"cut")) == "true"
	if t, ok := v.Get("time").Float(); ok && t > 0 && t < 1<<40 {
		m.At = time.UnixMicro(int64(math.Round(t * 1e6))).UTC()
	}
	return m
}

func sized(m flow.Frame) flow.Frame {
	if m.Size <= 0 {
		m.Size = int64(len(m.Data))
	}
	return m
}
