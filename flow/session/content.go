package session

// content is one body as it comes in: chunks [0, first) are on disk, queued
// ones follow, pending is the beginning of the next.
type content struct {
	size, kept int64
	cut        bool
	first      int64
	queued     []pieces
	pending    pieces
}

const (
	chunkSize = 256 << 10 // bytes of a body that make a chunk; up to twice as many if no more are there
	headCost  = 512       // bytes a flow takes in memory beside its head, about

	maxInterim = 64 // informational responses of a flow that are kept; who sends more than a few sends them without end
)

// body takes in data as the next part of a body that went over the wire as
// sent bytes (0: as many as data has). The policy of the package comment
// decides what of it is kept.
func (s *Store) body(l *live, side Side, data []byte, sent int64) {
	c := &l.body[side]
	c.size += max(sent, int64(len(data)))
	if l.lost || c.cut {
		return
	}
	if room := s.o.MaxBody - c.kept; int64(len(data)) > room {
		data = data[:max(room, 0)]
		c.cut = true
	}
	limit := s.o.QueueBytes / 4 * 3
	if side == RequestSide {
		limit = s.o.QueueBytes / 8 * 7
	}
	if n := int64(len(data)); n > 0 {
		if s.queued+n > limit {
			c.cut = true
			return
		}
		s.queued += n
		c.kept += n
		c.pending.add(data)
		if c.pending.size() >= chunkSize {
			j := &job{kind: jobChunk, id: l.f.ID, live: l}
			s.flush(l, j, c, bodyKey(l.f.ID, side))
			s.push(j)
		}
	}
	if c.size > c.kept {
		c.cut = true // a part that was not given: what follows would not be a beginning
	}
}

// flush moves what is pending of c to j.
func (s *Store) flush(l *live, j *job, c *content, key int64) {
	for len(c.pending) > 0 {
		at := c.first + int64(len(c.queued))
		if at >= maxChunks { // 97 days of a body that brings a byte a second
			n := int64(c.pending.size())
			s.queued -= n
			c.kept -= n
			c.cut, c.pending = true, nil
			return
		}
		n := c.pending.size()
		if n >= 2*chunkSize {
			n = chunkSize
		}
		data := c.pending.cut(n)
		j.chunks = append(j.chunks, chunk{key: key + at, of: c, data: data})
		j.cost += int64(data.size())
		c.queued = append(c.queued, data)
	}
}

// flushAll moves everything that is pending of l to j.
func (s *Store) flushAll(l *live, j *job) {
	for side := range l.body {
		s.flush(l, j, &l.body[side], bodyKey(l.f.ID, Side(side)))
	}
	s.flushFrames(l, j)
}
