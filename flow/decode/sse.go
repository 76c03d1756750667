package decode

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// events tells server-sent events apart (WHATWG HTML, 9.2.6). An event is what
// stands between two empty lines, comments too: they keep connections alive, and
// show that one is.
type events struct {
	begun  bool // the first bytes have been looked at for a byte order mark
	mark   []byte
	cr     bool // the byte before was a carriage return: a line feed after it ends no further line
	line   int  // bytes of the line at work
	block  flow.Frame
	closed bool
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// Feed implements Splitter.
func (e *events) Feed(p []byte, emit func(flow.Frame)) {
	if !e.begun {
		e.mark = append(e.mark, p...)
		if len(e.mark) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, e.mark) {
			return
		}
		p = bytes.TrimPrefix(e.mark, byteOrderMark)
		e.begun, e.mark = true, nil
	}
	for len(p) > 0 {
		if e.cr && p[0] == '\n' {
			e.cr, p = false, p[1:]
			continue
		}
		e.cr = false
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			e.add(p)
			return
		}
		e.add(p[:i])
		e.cr = p[i] == '\r'
		p = p[i+1:]
		if e.line > 0 {
			e.add([]byte("\n"))
			e.line = 0
		} else if e.block.Size > 0 {
			e.give(emit)
		}
	}
}

func (e *events) add(p []byte) {
	b := &e.block
	e.line += len(p)
	b.Size += int64(len(p))
	keep := min(len(p), messageMost-len(b.Data))
	b.Data = append(b.Data, p[:keep]...)
	b.Cut = b.Cut || keep < len(p)
}

func (e *events) give(emit func(flow.Frame)) {
	e.block.Kind = flow.ServerEvent
	emit(e.block)
	e.block, e.line = flow.Frame{}, 0
}

// Close implements Splitter. An event that no empty line ends is never told to the page.
func (e *events) Close(emit func(flow.Frame)) {
	if !e.begun && len(e.mark) > 0 {
		e.begun = true
		e.add(e.mark)
	}
	if e.closed || e.block.Size == 0 {
		return
	}
	e.closed = true
	e.block.Cut = true
	e.give(emit)
}

// Event is a server-sent event taken apart as a browser does it (WHATWG HTML, 9.2.6).
type Event struct {
	Type    string // "" stands for "message"
	ID      string
	HasID   bool
	Data    string // its lines, joined by line feeds
	HasData bool   // without data a page is told nothing
	Retry   time.Duration
	Comment string
}

// ParseEvent takes the lines of an event apart.
func ParseEvent(block []byte) Event {
	var e Event
	var data, comments []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(block), "\n"), "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
		case name == "":
			comments = append(comments, value)
		case name == "data":
			data, e.HasData = append(data, value), true
		case name == "event":
			e.Type = value
		case name == "id":
			if !strings.Contains(value, "\x00") {
				e.ID, e.HasID = value, true
			}
		case name == "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				e.Retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
	e.Data, e.Comment = strings.Join(data, "\n"), strings.Join(comments, "\n")
	return e
}
