// Package terminal runs a program on a pseudo terminal and reads its screen: for
// tests that sit at the screen and for the pictures of the documentation.
//
// Emulator is a screen as far as ECMA-48 and xterm go that Bubble Tea writes.
// Program is one under way; it may be asked from any goroutine.
package terminal

import (
	"encoding/base64"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Emulator is the screen of a terminal. What it does not know it ignores, as terminals do.
type Emulator struct {
	mu     sync.Mutex
	w, h   int
	cells  [][]cell
	style  string // parameters of the SGR sequences since the last reset (ECMA-48, 8.3.117)
	x, y   int
	top    int // scrolling region
	low    int
	rest   []byte // a sequence that is not complete
	clip   string // what was last put on the clipboard (OSC 52)
	parser *ansi.Parser
}

// cell is a character with the style that it was written in.
type cell struct {
	text  string // "" is the second half of a wide character
	style string
}

// New is an empty screen of w×h cells, at least one.
func New(w, h int) *Emulator {
	e := &Emulator{parser: ansi.NewParser()}
	e.parser.SetParamsSize(32)
	e.parser.SetDataSize(1 << 20)
	e.Resize(w, h)
	return e
}

// Resize gives the screen another size, and empties it.
func (e *Emulator) Resize(w, h int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.w, e.h, e.top, e.low = w, h, 0, h-1
	e.cells = make([][]cell, h)
	for i := range e.cells {
		e.cells[i] = e.blank()
	}
	e.x, e.y = 0, 0
}

func (e *Emulator) blank() []cell {
	row := make([]cell, e.w)
	for i := range row {
		row[i] = cell{text: " "}
	}
	return row
}

// Screen is what the terminal shows, a line a row, without blanks at the end.
func (e *Emulator) Screen() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	rows := make([]string, len(e.cells))
	for i, r := range e.cells {
		var b strings.Builder
		for _, c := range r {
			b.WriteString(c.text)
		}
		rows[i] = strings.TrimRight(b.String(), " ")
	}
	return strings.Join(rows, "\n")
}

// Frame is Screen with SGR sequences for the styles, every row whole.
func (e *Emulator) Frame() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b strings.Builder
	for i, r := range e.cells {
		if i > 0 {
			b.WriteByte('\n')
		}
		style := ""
		for _, c := range r {
			if c.style != style && c.text != "" {
				style = c.style
				b.WriteString("\x1b[0" + style + "m")
			}
			b.WriteString(c.text)
		}
		if style != "" {
			b.WriteString("\x1b[0m")
		}
	}
	return b.String()
}

// Clipboard is what the program last gave to the terminal to be pasted (OSC 52), "" nothing.
func (e *Emulator) Clipboard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clip
}

// Write takes what the program writes.
func (e *Emulator) Write(p []byte) (int, error) {
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

func (e *Emulator) obey(seq []byte, width int) {
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
	case ansi.HasCsiPrefix(seq) && seq[len(seq)-1] == 'm' && e.parser.Command() == 'm':
		e.dress(strings.TrimSuffix(strings.TrimPrefix(string(seq), "\x1b["), "m"))
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

func (e *Emulator) put(s string, width int) {
	if e.x+width > e.w {
		e.x = 0
		e.down()
	}
	row := e.cells[e.y]
	if row[e.x].text == "" && e.x > 0 { // half of a wide character is none
		row[e.x-1].text = " "
	}
	row[e.x] = cell{s, e.style}
	for i := 1; i < width && e.x+i < e.w; i++ {
		row[e.x+i] = cell{"", e.style}
	}
	if after := e.x + width; after < e.w && row[after].text == "" {
		row[after].text = " "
	}
	e.x += width // behind the last column it stays until something more is written
}

func (e *Emulator) down() {
	if e.y == e.low {
		e.scroll(1)
		return
	}
	e.y = min(e.h-1, e.y+1)
}

// scroll moves the rows of the region up by n, or down.
func (e *Emulator) scroll(n int) {
	for ; n > 0; n-- {
		copy(e.cells[e.top:e.low], e.cells[e.top+1:e.low+1])
		e.cells[e.low] = e.blank()
	}
	for ; n < 0; n++ {
		copy(e.cells[e.top+1:e.low+1], e.cells[e.top:e.low])
		e.cells[e.top] = e.blank()
	}
}

func (e *Emulator) erase(y, from, to int) {
	for x := max(0, from); x < min(to, e.w); x++ {
		e.cells[y][x] = cell{" ", e.ground()}
	}
}

func (e *Emulator) csi() {
	cmd := ansi.Cmd(e.parser.Command())
	arg := func(i, otherwise int) int {
		n, ok := e.parser.Param(i, otherwise)
		if !ok || n == 0 && otherwise == 1 {
			return otherwise
		}
		return n
	}
	if cmd.Prefix() != 0 || cmd.Intermediate() != 0 {
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
				e.put(c.text, 1)
			}
		}
	}
}

// dress takes the parameters of an SGR sequence.
func (e *Emulator) dress(params string) {
	for {
		first, rest, more := strings.Cut(params, ";")
		if first != "" && first != "0" {
			break
		}
		e.style, params = "", rest
		if !more {
			return
		}
	}
	e.style += ";" + params
}

// ground is the style that erased cells get: the background alone (back colour erase).
func (e *Emulator) ground() string {
	i := strings.LastIndex(e.style, ";48;")
	if i < 0 || strings.Contains(e.style[i:], ";49") {
		return ""
	}
	parts := strings.Split(e.style[i+1:], ";")
	n := 3 // 48;5;N
	if len(parts) > 1 && parts[1] == "2" {
		n = 5 // 48;2;R;G;B
	}
	return ";" + strings.Join(parts[:min(n, len(parts))], ";")
}
