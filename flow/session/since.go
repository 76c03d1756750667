package session

import (
	"slices"

	"github.com/why403/why403/flow"
)

// Since is up to most rows that changed after rev, the oldest change first, and
// the revision to ask with next. Flows under way are among them. A reader that
// is far behind, or begins at 0, walks through the whole session in order of
// last change; one that only wants what is new begins at Rev.
func (s *Store) Since(rev Rev, most int) ([]Row, Rev) {
	s.mu.Lock()
	if rev >= s.forgotten {
		defer s.mu.Unlock()
		return s.since(rev, most)
	}
	upTo := s.rev
	var memory []Row
	live := map[flow.ID]bool{}
	for e := range s.underWay.all {
		live[e.row.ID] = true
		if e.row.Rev > rev {
			memory = append(memory, e.row)
		}
	}
	s.mu.Unlock()
	file, err := s.rows(s.ctx, most, "WHERE rev > ? ORDER BY rev", int64(rev))
	if err != nil {
		s.mu.Lock()
		s.readFault = err
		s.mu.Unlock()
		return nil, upTo // what cannot be read cannot be waited for either
	}
	if len(file) == most {
		upTo = file[most-1].Rev
	} else if len(file) > 0 {
		upTo = max(upTo, file[len(file)-1].Rev)
	}
	// A flow under way that was written as it stood comes from memory.
	all := slices.DeleteFunc(file, func(r Row) bool { return live[r.ID] && r.State < Done })
	for _, r := range memory {
		if r.Rev <= upTo {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b Row) int {
		switch {
		case a.Rev < b.Rev:
			return -1
		case a.Rev > b.Rev:
			return 1
		}
		return 0
	})
	if len(all) > most {
		all = all[:most]
		upTo = all[most-1].Rev
	}
	return all, upTo
}

// Rev is the revision of the newest change.
func (s *Store) Rev() Rev {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rev
}

// Changed is closed when there is something after rev, or the store is closed.
func (s *Store) Changed(rev Rev) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rev > rev || s.closed {
		return done
	}
	if s.wait == nil {
		s.wait = make(chan struct{})
	}
	return s.wait
}

// Settled is closed when flows have ended, or notes have been written, after rev,
// or the store is closed: Changed for those whom flows under way do not concern,
// who would be woken by every step of each.
func (s *Store) Settled(rev Rev) <-chan struct{} {
	if s.readOnly { // what another process writes comes as a whole
		return s.Changed(rev)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled > rev || s.closed {
		return done
	}
	return s.moved
}
