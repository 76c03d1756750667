package session

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
)

// Frame is one message on an upgraded connection.
type Frame struct {
	Side Side // RequestSide: from the client
	At   time.Time
	Size int64  // bytes that went over the wire
	Data []byte // what was kept of them
}

// frames are the messages of a flow under way: the first so many are on disk
// or on the way there, pending ones follow.
type frames struct {
	sent    [2]int64
	kept    int64
	cut     bool
	count   int64 // handed to the writer
	queued  []frame
	pending []frame
}

type frame struct {
	side Side
	at   time.Time
	size int64
	data []byte
}

// maxFrames is how many messages of one flow are kept.
const maxFrames = 1 << 24

// frame takes in a message, by the rules for bodies of responses.
func (s *Store) frame(l *live, side Side, p flow.Part) {
	fr := frame{side: side, at: p.At, size: max(p.Size, int64(len(p.Data))), data: p.Data}
	if fr.at.IsZero() {
		fr.at = s.o.Now()
	}
	fs := &l.frames
	fs.sent[side] += fr.size
	n := int64(len(fr.data)) + headCost/8
	if l.lost || fs.cut || fs.kept+n > s.o.MaxBody || s.queued+n > s.o.QueueBytes/4*3 || fs.count+int64(len(fs.pending)) >= maxFrames {
		fs.cut = true
		return
	}
	s.queued += n
	fs.kept += n
	fs.pending = append(fs.pending, fr)
	if len(fs.pending) >= 256 || n > chunkSize {
		j := &job{kind: jobChunk, id: l.f.ID, live: l}
		s.flushFrames(l, j)
		s.push(j)
	}
}

func (s *Store) flushFrames(l *live, j *job) {
	fs := &l.frames
	for _, fr := range fs.pending {
		j.frames = append(j.frames, frameRow{key: bodyKey(l.f.ID, 0) + fs.count, frame: fr})
		j.cost += int64(len(fr.data)) + headCost/8
		fs.count++
	}
	fs.queued = append(fs.queued, fs.pending...)
	fs.pending = nil
}

type frameRow struct {
	key int64
	frame
}

// Frames gives up to n messages of an upgraded connection, in order, from the
// nth (from 0) on; also of a flow under way.
func (s *Store) Frames(ctx context.Context, id flow.ID, from int64, n int) ([]Frame, error) {
	s.mu.Lock()
	var memory []frame
	onDisk := int64(maxFrames)
	if e := s.of[id]; e != nil && e.live != nil {
		fs := &e.live.frames
		memory = append(append(memory, fs.queued...), fs.pending...)
		onDisk = fs.count - int64(len(fs.queued))
	}
	s.mu.Unlock()
	var list []Frame
	base := bodyKey(id, 0)
	if from < onDisk && n > 0 {
		err := s.read(ctx, func(c *conn) error {
			return c.query(ctx, "SELECT at, size, data FROM frame WHERE key >= ? AND key < ? ORDER BY key LIMIT ?", func(r row) bool {
				size := r.int(1)
				list = append(list, Frame{Side: Side(size & 1), At: time.Unix(0, r.int(0)), Size: size >> 1, Data: r.bytes(2)})
				return true
			}, base+from, base+onDisk, int64(n))
		})
		if err != nil {
			return nil, err
		}
	}
	for i, fr := range memory {
		if onDisk+int64(i) >= from && len(list) < n {
			list = append(list, Frame{Side: fr.side, At: fr.at, Size: fr.size, Data: fr.data})
		}
	}
	return list, nil
}
