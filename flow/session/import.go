package session

import (
	"context"

	"github.com/why403/why403/flow"
)

// Add stores a flow that is complete, with the content of its bodies, as it is
// read from a file. It waits for room in the queue instead of cutting
// anything, and gives the flow a new ID; Flush or Close waits for the disk.
// The store keeps what f points to.
func (s *Store) Add(ctx context.Context, f *flow.Flow) (flow.ID, error) {
	if s.readOnly {
		return 0, ErrReadOnly
	}
	need := headCost + cost(f.Request) + cost(f.Response)
	l := &live{f: *f, ended: true}
	for side, m := range [...]**flow.Message{RequestSide: &l.f.Request, ResponseSide: &l.f.Response} {
		if *m == nil {
			continue
		}
		own := **m
		data := own.Body.Data
		own.Body.Data, own.Body.Kept = nil, int64(len(data))
		own.Body.Size = max(own.Body.Size, own.Body.Kept)
		*m = &own
		l.body[side] = content{size: own.Body.Size, kept: own.Body.Kept, cut: own.Body.Cut()}
		l.body[side].pending.add(theirs(data))
		need += int64(len(data))
	}
	frames := l.importFrames(f.Frames)
	need += frames
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.queued > 0 && s.queued+need > s.o.QueueBytes/2 && !s.closed {
		moved := s.moved
		s.hurry()
		s.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	if s.closed {
		return 0, ErrClosed
	}
	s.last++
	l.f.ID = s.last
	e := &entry{live: l, row: rowOf(&l.f)}
	e.row.State = Streaming
	e.row.ReqBytes += l.frames.sent[RequestSide]
	e.row.RespBytes += l.frames.sent[ResponseSide]
	s.touch(e)
	body := l.body[RequestSide].kept + l.body[ResponseSide].kept + frames
	s.queued += body // counted by the chunks and messages
	s.end(e, need-body)
	return l.f.ID, nil
}

// importFrames takes in the messages of a flow that is complete, and says how much memory they take.
func (l *live) importFrames(list []flow.Frame) (cost int64) {
	l.f.Frames = nil
	fs := &l.frames
	for _, fr := range list[:min(len(list), maxFrames)] {
		if !fr.Kind.InBody() && fr.Kind != flow.Remark {
			side := ResponseSide
			if fr.FromClient {
				side = RequestSide
			}
			fs.sent[side] += fr.Size
		}
		cost += int64(len(fr.Data)) + frameCost
		fs.pending = append(fs.pending, fr)
	}
	return cost
}
