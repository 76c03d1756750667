package proxy

import (
	"net"
	"sync"
	"time"

	"github.com/why403/why403/proxy/wire"
)

// watchDelay is how long an origin may be silent before its client is watched:
// fast answers, which are most, then cost a timer and no goroutine.
const watchDelay = 20 * time.Millisecond

var longAgo = time.Unix(1, 0)

// watch reads ahead on a connection that nobody else is reading, to notice
// that its other end goes away. What it reads stays in the Reader.
type watch struct {
	conn net.Conn
	r    *wire.Reader

	timer   *time.Timer
	running sync.WaitGroup
	mu      sync.Mutex
	gone    func(error) // nil: stopped
	on      bool        // between start and stop; touched by the owner alone
}

// start calls gone, at most once and from another goroutine, if the connection
// ends or fails between now (plus delay) and stop. gone must not call stop.
func (w *watch) start(delay time.Duration, gone func(error)) {
	if w.on {
		return
	}
	w.on = true
	w.mu.Lock()
	w.gone = gone
	w.mu.Unlock()
	w.running.Add(1)
	if w.timer == nil {
		w.timer = time.AfterFunc(delay, w.run)
	} else {
		w.timer.Reset(delay)
	}
}

func (w *watch) run() {
	defer w.running.Done()
	w.mu.Lock()
	gone := w.gone
	w.mu.Unlock()
	if gone == nil || len(w.r.Buffered()) > 0 {
		return
	}
	if err := w.r.Fill(); err != nil {
		w.mu.Lock()
		gone = w.gone
		w.mu.Unlock()
		if gone != nil {
			gone(err)
		}
	}
}

// stop ends the watch and returns when nobody reads any more. A call of gone that had begun is over then.
func (w *watch) stop() {
	if !w.on {
		return
	}
	w.on = false
	if w.timer.Stop() {
		w.running.Done()
		return
	}
	w.mu.Lock()
	w.gone = nil
	w.mu.Unlock()
	w.conn.SetReadDeadline(longAgo)
	w.running.Wait()
	w.conn.SetReadDeadline(time.Time{})
}
