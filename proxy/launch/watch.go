package launch

import (
	"net/netip"
	"time"
)

// Watch sees which connections of a command, and of all the processes that it
// starts, go past the proxy. It serves one Run.
type Watch struct {
	Proxy netip.AddrPort
	// Sample looks at the system's tables every few milliseconds, rather than
	// being asked by the kernel for each connection.
	Sample bool

	seen Seen
	key  map[bypassKey]int // index in seen.Past
	stop func()            // ends what start began, and waits for it
}

// Seen is what a watch saw.
type Seen struct {
	Past []Bypass // in the order in which they began, at most maxBypass
	// Every is how often it looked: connections that are shorter may be missing. 0: it saw each.
	Every time.Duration
	// Unprivileged: setuid programs, such as sudo and ping, had the user's own rights and no more.
	Unprivileged bool
	// Unread is the number of connections whose address could not be read.
	Unread int
	// Lingers: processes of the command are still there. A process of ours stays beside them until they end.
	Lingers bool
}

// Seen is what was seen, when Run has returned.
func (w *Watch) Seen() Seen { return w.seen }

// end ends the watch of a command that has ended, or never began.
func (w *Watch) end() {
	if w.stop != nil {
		w.stop()
	}
}

const maxBypass = 1000 // distinct ones of a watch

type bypassKey struct {
	pid    int
	remote netip.AddrPort
}

// past reports whether a connection to remote goes past the proxy.
func (w *Watch) past(remote netip.AddrPort) bool {
	addr := remote.Addr()
	return remote.Port() != 0 && (remote.Port() != w.Proxy.Port() || !addr.IsLoopback() && !addr.IsUnspecified())
}

// add takes down a connection of a process; describe is asked for what is not known yet.
func (w *Watch) add(pid int, remote netip.AddrPort, describe func() Bypass) {
	k := bypassKey{pid, remote}
	if i, known := w.key[k]; known {
		w.seen.Past[i].Times++
		return
	}
	if len(w.seen.Past) >= maxBypass {
		return
	}
	if w.key == nil {
		w.key = map[bypassKey]int{}
	}
	w.key[k] = len(w.seen.Past)
	b := describe()
	b.Times = 1
	w.seen.Past = append(w.seen.Past, b)
}
