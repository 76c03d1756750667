package main

import (
	"encoding/base64"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// emulator is the screen of a terminal: as much of ECMA-48 and xterm as the program writes.
// What it does not know it ignores, as terminals do.
type emulator struct {
	mu     sync.Mutex
	w, h   int
	cells  [][]string // one character a cell; "" is the second half of a wide one
	x, y   int
	top    int // scrolling region
	low    int
	rest   []byte // a sequence that is not complete
	clip   string // what was last put on the clipboard (OSC 52)
	mouse  bool // clicks are asked for (mode 1002)
	parser *ansi.Parser
}

func newEmulator(w, h int) *emulator {
	e := &emulator{parser: ansi.NewParser()}
	e.parser.SetParamsSize(32)
	e.parser.SetDataSize(1 << 20)
	e.resize(w, h)
	return e
}

func (e *emulator) resize(w, h int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.w, e.h, e.top, e.low = w, h, 0, h-1
	e.cells = make([][]string, h)
	for i := range e.cells {
		e.cells[i] = e.blank()
	}
	e.x, e.y = 0, 0
}

func (e *emulator) blank() []string {
	row := make([]string, e.w)
	for i := range row {
		row[i] = " "
	}
	return row
}

// screen is what the terminal shows, a line a row.
func (e *emulator) screen() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	rows := make([]string, len(e.cells))
	for i, r := range e.cells {
		rows[i] = strings.TrimRight(strings.Join(r, ""), " ")
	}
	return strings.Join(rows, "\n")
}

func (e *emulator) clipboard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clip
}

// Write takes what the program writes.
func (e *emulator) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data := append(e.rest, p...)
	for len(data) > 0 {
		seq, width, n, state := ansi.DecodeSequence(data, ansi.NormalState, e.parser)
		if data[0] >= utf8.RuneSelf && !utf8.FullRune(data) {
			break
		}
		if n == 0 || state != ansi.NormalState && n == len(data) { // more is to come
			break
		}
		e.obey(seq, width)
		data = data[n:]
	}
	e.rest = append([]byte(nil), data...)
	return len(p), nil
}

func (e *emulator) obey(seq []byte, width int) {
	switch {
	case width > 0:
		e.put(string(seq), width)
	case len(seq) == 1:
		switch seq[0] {
		case '\n':
			e.down()
		case '\r':
			e.x = 0
		case '\b':
			e.x = max(0, e.x-1)
		case '\t':
			e.x = min(e.w-1, e.x/8*8+8)
		}
	case ansi.HasCsiPrefix(seq):
		e.csi()
	case ansi.HasOscPrefix(seq):
		if data, ok := strings.CutPrefix(string(e.parser.Data()), "52;c;"); ok {
			if text, err := base64.StdEncoding.DecodeString(data); err == nil {
				e.clip = string(text)
			}
		}
	case string(seq) == "\x1bM":
		if e.y == e.top {
			e.scroll(-1)
		} else {
			e.y = max(0, e.y-1)
		}
	}
}

func (e *emulator) put(s string, width int) {
	if e.x+width > e.w {
		e.x = 0
		e.down()
	}
	row := e.cells[e.y]
	row[e.x] = s
	for i := 1; i < width && e.x+i < e.w; i++ {
		row[e.x+i] = ""
	}
	if after := e.x + width; after < e.w && row[after] == "" {
		row[after] = " "
	}
	e.x += width // behind the last column it stays until something more is written
}

func (e *emulator) down() {
	if e.y == e.low {
		e.scroll(1)
		return
	}
	e.y = min(e.h-1, e.y+1)
}

// scroll moves the rows of the region up by n, or down.
func (e *emulator) scroll(n int) {
	for ; n > 0; n-- {
		copy(e.cells[e.top:e.low], e.cells[e.top+1:e.low+1])
		e.cells[e.low] = e.blank()
	}
	for ; n < 0; n++ {
		copy(e.cells[e.top+1:e.low+1], e.cells[e.top:e.low])
		e.cells[e.top] = e.blank()
	}
}

func (e *emulator) erase(y, from, to int) {
	for x := max(0, from); x < min(to, e.w); x++ {
		e.cells[y][x] = " "
	}
}

func (e *emulator) csi() {
	cmd := ansi.Cmd(e.parser.Command())
	arg := func(i, otherwise int) int {
		n, ok := e.parser.Param(i, otherwise)
		if !ok || n == 0 && otherwise == 1 {
			return otherwise
		}
		return n
	}
	if cmd.Prefix() != 0 || cmd.Intermediate() != 0 {
		if cmd.Prefix() == '?' && arg(0, 0) == 1002 {
			e.mouse = cmd.Final() == 'h'
		}
		return
	}
	at := func(x, y int) { e.x, e.y = max(0, min(x, e.w-1)), max(0, min(y, e.h-1)) }
	n := arg(0, 1)
	switch cmd.Final() {
	case 'H', 'f':
		at(arg(1, 1)-1, n-1)
	case 'A':
		at(e.x, e.y-n)
	case 'B', 'e':
		at(e.x, e.y+n)
	case 'C', 'a':
		at(e.x+n, e.y)
	case 'D':
		at(min(e.x, e.w-1)-n, e.y)
	case 'G', '`':
		at(n-1, e.y)
	case 'd':
		at(e.x, n-1)
	case 'I':
		at((e.x/8+n)*8, e.y)
	case 'Z':
		at((e.x+7)/8*8-8*n, e.y)
	case 'J':
		from, to := e.y, e.h
		switch arg(0, 0) {
		case 0:
			e.erase(e.y, e.x, e.w)
			from++
		case 1:
			e.erase(e.y, 0, e.x+1)
			from, to = 0, e.y
		default:
			from = 0
		}
		for y := from; y < to; y++ {
			e.cells[y] = e.blank()
		}
	case 'K':
		switch arg(0, 0) {
		case 0:
			e.erase(e.y, e.x, e.w)
		case 1:
			e.erase(e.y, 0, e.x+1)
		default:
			e.erase(e.y, 0, e.w)
		}
	case 'X':
		e.erase(e.y, e.x, e.x+n)
	case '@':
		row := e.cells[e.y]
		n = min(n, e.w-e.x)
		copy(row[e.x+n:], row[e.x:])
		e.erase(e.y, e.x, e.x+n)
	case 'P':
		row := e.cells[e.y]
		n = min(n, e.w-e.x)
		copy(row[e.x:], row[e.x+n:])
		e.erase(e.y, e.w-n, e.w)
	case 'L', 'M':
		top := e.top
		e.top = e.y
		if cmd.Final() == 'L' {
			n = -n
		}
		e.scroll(n)
		e.top = top
	case 'S':
		e.scroll(n)
	case 'T':
		e.scroll(-n)
	case 'r':
		e.top, e.low = n-1, arg(1, e.h)-1
		e.x, e.y = 0, 0
	case 'b':
		if e.x > 0 {
			for c := e.cells[e.y][e.x-1]; n > 0; n-- {
				e.put(c, 1)
			}
		}
	}
}
