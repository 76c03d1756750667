//go:build unix

package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/creack/pty"
)

// Program is a program on a terminal of its own.
type Program struct {
	*Emulator
	cmd  *exec.Cmd
	tty  *os.File
	done chan struct{}
	err  error // of the program, once done is closed
}

// Start runs cmd on a terminal of w×h cells. Its standard streams are the terminal.
func Start(cmd *exec.Cmd, w, h int) (*Program, error) {
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)})
	if err != nil {
		return nil, err
	}
	p := &Program{Emulator: New(w, h), cmd: cmd, tty: tty, done: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 64<<10)
		for {
			n, err := tty.Read(buf)
			_, _ = p.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		p.err = cmd.Wait()
		<-read // what it said last
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the program has ended and all that it said was read.
func (p *Program) Done() <-chan struct{} { return p.done }

// Err is how the program ended; it waits for that.
func (p *Program) Err() error {
	<-p.done
	return p.err
}

// Kill ends the program, if it has not ended, and gives the terminal back.
func (p *Program) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
	p.tty.Close()
}

// Send gives the program text as if it were typed.
func (p *Program) Send(text string) error {
	_, err := p.tty.WriteString(text)
	return err
}

// Press presses a key: a character, a name such as enter, or ctrl+x.
func (p *Program) Press(key string) error { return p.Send(Key(key)) }

// Paste pastes text, bracketed.
func (p *Program) Paste(text string) error { return p.Send("\x1b[200~" + text + "\x1b[201~") }

// Click clicks with the left button on a cell, counted from 0.
func (p *Program) Click(x, y int) error {
	return p.Send(fmt.Sprintf("\x1b[<0;%d;%dM\x1b[<0;%d;%dm", x+1, y+1, x+1, y+1))
}

// SetSize gives the window another size.
func (p *Program) SetSize(w, h int) error {
	p.Resize(w, h)
	return pty.Setsize(p.tty, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)})
}

// Wait waits until ok says yes to the screen. It gives up after patience, or when the program has ended.
func (p *Program) Wait(patience time.Duration, ok func() bool) error {
	deadline := time.Now().Add(patience)
	for !ok() {
		select {
		case <-p.done:
			if ok() {
				return nil
			}
			return fmt.Errorf("the program has ended (%v)", p.err)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.New("waited " + patience.String() + " in vain")
		}
	}
	return nil
}

// Find is the cell at which text is first on the screen.
func (p *Program) Find(text string) (x, y int, ok bool) {
	for y, row := range strings.Split(p.Screen(), "\n") {
		if i := strings.Index(row, text); i >= 0 {
			return width(row[:i]), y, true
		}
	}
	return 0, 0, false
}
