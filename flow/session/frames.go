package session

import (
	"context"
	"fmt"
	"time"

	"github.com/why403/why403/flow"
)

// Frame is one message of a flow. See flow.Frame.
type Frame = flow.Frame

// frames are the messages of a flow under way: the first so many are on disk
// or on the way there, pending ones follow.
type frames struct {
	sent    [2]int64
	kept    int64
	cut     bool  // some are missing
	full    bool  // no more are kept
	missed  int64 // not kept since the last one that was
	count   int64 // handed to the writer
	queued  []Frame
	pending []Frame
	waiting int64 // bytes of pending
}

const (
	maxFrames = 1 << 24      // messages of one flow that are kept
	frameCost = headCost / 8 // bytes a message takes in memory beside its data, about
)

// frame takes in a message. Beyond Options.MaxBody bytes of a flow no more are
// kept; while the queue is too full those that come are not. Both is said in a
// Remark in the place of what is missing.
func (s *Store) frame(l *live, side Side, p flow.Part) {
	fr := Frame{FromClient: side == RequestSide, Kind: p.Frame, Packed: p.Packed, At: p.At, Size: p.Size, Data: p.Data}
	if fr.Size == 0 {
		fr.Size = int64(len(fr.Data))
	}
	fr.Cut = p.Cut || !fr.Packed && fr.Size > int64(len(fr.Data))
	if fr.At.IsZero() {
		fr.At = s.o.Now()
	}
	fs := &l.frames
	if !fr.Kind.InBody() && fr.Kind != flow.Remark {
		fs.sent[side] += fr.Size
	}
	fs.cut = fs.cut || fr.Cut
	n := int64(len(fr.Data)) + frameCost
	switch {
	case l.lost || fs.full:
		fs.cut = true
		return
	case fs.kept+n > s.o.MaxBody || fs.count+int64(len(fs.pending)) >= maxFrames-2:
		fs.cut, fs.full = true, true
		s.remark(l, fr.At, fmt.Sprintf("the messages from here on were not kept: those before take %d bytes, the limit of one flow", fs.kept))
		return
	case s.queued+n > s.o.QueueBytes/4*3:
		fs.cut = true
		fs.missed++
		return
	}
	if fs.missed > 0 {
		s.remark(l, fr.At, fmt.Sprintf("%d messages were not kept: the disk did not keep up", fs.missed))
		fs.missed = 0
	}
	s.keep(l, fr)
}

// remark puts a word of ours among the messages.
func (s *Store) remark(l *live, at time.Time, text string) {
	s.keep(l, Frame{Kind: flow.Remark, At: at, Data: []byte(text)})
}

func (s *Store) keep(l *live, fr Frame) {
	fs := &l.frames
	n := int64(len(fr.Data)) + frameCost
	s.queued += n
	fs.kept += n
	fs.pending = append(fs.pending, fr)
	if fs.waiting += n; len(fs.pending) >= 256 || fs.waiting >= chunkSize {
		j := &job{kind: jobChunk, id: l.f.ID, live: l}
		s.flushFrames(l, j)
		s.push(j)
	}
}

func (s *Store) flushFrames(l *live, j *job) {
	fs := &l.frames
	for _, fr := range fs.pending {
		j.frames = append(j.frames, frameRow{key: bodyKey(l.f.ID, 0) + fs.count, Frame: fr})
		j.cost += int64(len(fr.Data)) + frameCost
		fs.count++
	}
	fs.queued = append(fs.queued, fs.pending...)
	fs.pending, fs.waiting = nil, 0
}

type frameRow struct {
	key int64
	Frame
}

// What column frame.size holds beside the size: who sent the message in bit 0,
// its kind and flags from bit frameKind on.
const (
	frameKind   = 48
	framePacked = 1 << 56
	frameCut    = 1 << 57
)

func (f *frameRow) word() int64 {
	w := min(f.Size, 1<<(frameKind-1)-1)<<1 | int64(f.Kind)<<frameKind
	if !f.FromClient {
		w |= int64(ResponseSide)
	}
	if f.Packed {
		w |= framePacked
	}
	if f.Cut {
		w |= frameCut
	}
	return w
}

func frameOf(at, word int64, data []byte) Frame {
	return Frame{
		FromClient: Side(word&1) == RequestSide, Kind: flow.FrameKind(word >> frameKind), Packed: word&framePacked != 0, Cut: word&frameCut != 0,
		At: time.Unix(0, at), Size: word & (1<<frameKind - 1) >> 1, Data: data,
	}
}

// Frames gives up to n messages of a flow, in order, from the nth (from 0) on,
// also of a flow under way. Of each at most most bytes of data (0: all).
func (s *Store) Frames(ctx context.Context, id flow.ID, from int64, n, most int) ([]Frame, error) {
	s.mu.Lock()
	var memory []Frame
	onDisk := int64(maxFrames)
	if e := s.of[id]; e != nil && e.live != nil {
		fs := &e.live.frames
		onDisk = fs.count - int64(len(fs.queued))
		i := from - onDisk // of the first that is asked for
		for _, part := range [][]Frame{fs.queued, fs.pending} {
			at := min(max(i, 0), int64(len(part)))
			memory = append(memory, part[at:min(int64(len(part)), at+int64(n-len(memory)))]...)
			i -= int64(len(part))
		}
	}
	s.mu.Unlock()
	var list []Frame
	base := bodyKey(id, 0)
	if from < onDisk && n > 0 {
		err := s.read(ctx, func(c *conn) error {
			bound := int64(most)
			if most <= 0 {
				bound = 1<<31 - 1 // more than SQLite holds in a blob
			}
			return c.query(ctx, "SELECT at, size, substr(data, 1, ?) FROM frame WHERE key >= ? AND key < ? ORDER BY key LIMIT ?", func(r row) bool {
				list = append(list, frameOf(r.int(0), r.int(1), r.bytes(2)))
				return true
			}, bound, base+from, base+onDisk, int64(n))
		})
		if err != nil {
			return nil, err
		}
	}
	for _, fr := range memory[:max(0, min(n-len(list), len(memory)))] {
		if most > 0 && len(fr.Data) > most {
			fr.Data = fr.Data[:most]
		}
		list = append(list, fr)
	}
	return list, nil
}

// FrameCount is how many messages of a flow Frames can give.
func (s *Store) FrameCount(ctx context.Context, id flow.ID) (int64, error) {
	s.mu.Lock()
	if e := s.of[id]; e != nil && e.live != nil {
		fs := &e.live.frames
		n := fs.count + int64(len(fs.pending))
		s.mu.Unlock()
		return n, nil
	}
	s.mu.Unlock()
	base, n := bodyKey(id, 0), int64(0)
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, "SELECT max(key) FROM frame WHERE key >= ? AND key < ?", func(r row) bool {
			if r[0] != nil {
				n = r.int(0) - base + 1
			}
			return false
		}, base, base+maxFrames)
	})
	return n, err
}
