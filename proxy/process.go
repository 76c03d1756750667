package proxy

import (
	"net"
	"net/netip"
	"sync"
)

// processes finds out which programs the clients are, where the system tells
// it, without keeping any of them waiting: one goroutine, owned by Serve, looks
// them up in batches. The end of a flow that comes before its client is known
// is recorded when it is, some milliseconds later.
type processes struct {
	// find fills in the names of those it can find. One call at a time.
	find func([]*inquiry)

	mu    sync.Mutex
	users int // calls of Serve
	ask   chan *inquiry
	ended chan struct{}
}

const (
	maxInquiries = 256 // waiting for the goroutine; what comes on top is not looked up
	maxWaiting   = 256 // ends of flows that wait for one inquiry; what comes on top does not wait
)

// inquiry is the question who the client of one connection is.
type inquiry struct {
	client, local netip.AddrPort // the two ends, as the client's socket has them

	name string // "curl 4711"; the finder's until done

	mu      sync.Mutex
	done    bool
	waiting []func(process string)
}

// run lets inquiries be answered until stop is called; what is not answered by then never will be.
func (p *processes) run() (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users++; p.users == 1 {
		p.ask, p.ended = make(chan *inquiry, maxInquiries), make(chan struct{})
		go p.work(p.ask, p.ended)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.users--; p.users == 0 {
			close(p.ask)
			<-p.ended
			p.ask = nil
		}
	}
}

func (p *processes) work(ask <-chan *inquiry, ended chan<- struct{}) {
	defer close(ended)
	for q := range ask {
		batch := []*inquiry{q}
		for open := true; open && len(batch) < maxInquiries; {
			select {
			case q, open = <-ask:
				if open {
					batch = append(batch, q)
				}
			default:
				open = false
			}
		}
		p.find(batch)
		for _, q := range batch {
			q.finish()
		}
	}
}

// who begins to find out who has the other end of conn. Only a client on this machine can be known.
func (p *processes) who(conn net.Conn) *inquiry {
	q := &inquiry{client: addrPort(conn.RemoteAddr()), local: addrPort(conn.LocalAddr())}
	if p.find != nil && q.client.Addr().IsLoopback() && q.local.IsValid() {
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case p.ask <- q: // a nil channel is never ready
			return q
		default:
		}
	}
	q.done = true
	return q
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

func (q *inquiry) finish() {
	q.mu.Lock()
	q.done = true
	waiting := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	for _, f := range waiting {
		f(q.name)
	}
}

// known is the process if it is known by now, else "".
func (q *inquiry) known() string {
	name, _ := q.answer()
	return name
}

// answer is the process, "" if it cannot be known; false: that is not known yet.
func (q *inquiry) answer() (process string, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.done {
		return "", false
	}
	return q.name, true
}

// then calls f with the process, "" if it cannot be known: at once, or when
// that is known, from another goroutine.
func (q *inquiry) then(f func(process string)) {
	q.mu.Lock()
	if !q.done && len(q.waiting) < maxWaiting {
		q.waiting = append(q.waiting, f)
		q.mu.Unlock()
		return
	}
	name := ""
	if q.done {
		name = q.name
	}
	q.mu.Unlock()
	f(name)
}
