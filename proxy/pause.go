package proxy

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// recorder stands before the Recorder that the Server was given and leaves out what begins
// while the recording is paused. What began before goes on to its end. A flow that
// is left out has the ID 0: nobody can see it, so that no breakpoint holds it.
type recorder struct {
	to      Recorder
	paused  atomic.Bool
	omitted atomic.Int64
	last    atomic.Int64 // newest ID that was given
}

// Begin implements Recorder.
func (r *recorder) Begin(f *flow.Flow) flow.ID {
	if r.paused.Load() {
		r.omitted.Add(1)
		return 0
	}
	id := r.to.Begin(f)
	for {
		last := r.last.Load()
		if int64(id) <= last || r.last.CompareAndSwap(last, int64(id)) {
			return id
		}
	}
}

// Append implements Recorder.
func (r *recorder) Append(id flow.ID, p flow.Part) {
	if id != 0 {
		r.to.Append(id, p)
	}
}

// End implements Recorder.
func (r *recorder) End(id flow.ID, o flow.Outcome) {
	if id != 0 {
		r.to.End(id, o)
	}
}

// Pause stops recording, or goes on with it. Traffic is passed on all the same, by the rules that there are.
func (s *Server) Pause(on bool) {
	if s.rec.paused.Swap(on) != on && on {
		s.rec.omitted.Store(0)
	}
}

// Paused reports whether nothing is recorded at the moment, and how many flows
// have been left out since that began (or, if it is over, in that time).
func (s *Server) Paused() (on bool, omitted int64) { return s.rec.paused.Load(), s.rec.omitted.Load() }

// unrecorded records what goes on in an HTTP/2 connection to target until that is ignored.
type unrecorded struct {
	Recorder
	s      *Server
	target string
}

// Begin implements Recorder.
func (u unrecorded) Begin(f *flow.Flow) flow.ID {
	if u.s.ignores(u.target) {
		return 0
	}
	return u.Recorder.Begin(f)
}

// ignored are the hosts that are not recorded. Reading it costs no lock.
type ignored struct {
	mu   sync.Mutex // held while the list is replaced
	list atomic.Pointer[[]string]
}

// Ignore passes a host (written as in Options.Tunnel) through from now on and does not record it.
// In a connection that is open already it is read on, but not recorded either.
func (s *Server) Ignore(pattern string) {
	s.ignored.mu.Lock()
	defer s.ignored.mu.Unlock()
	if now := s.Ignored(); !slices.Contains(now, pattern) {
		list := append(slices.Clone(now), pattern)
		s.ignored.list.Store(&list)
	}
}

// Heed takes a host that was ignored back.
func (s *Server) Heed(pattern string) {
	s.ignored.mu.Lock()
	defer s.ignored.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(s.Ignored()), func(p string) bool { return p == pattern })
	s.ignored.list.Store(&list)
}

// Ignored are the hosts that are ignored. The list is not to be changed.
func (s *Server) Ignored() []string {
	if list := s.ignored.list.Load(); list != nil {
		return *list
	}
	return nil
}

// ignores reports whether exchanges with target (host:port) are not recorded.
func (s *Server) ignores(target string) bool {
	for _, p := range s.Ignored() {
		if wire.MatchTarget(p, target) {
			return true
		}
	}
	return false
}
