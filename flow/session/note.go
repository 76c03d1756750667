package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/why403/why403/flow"
)

// Noted is an annotation and the flow that it belongs to.
type Noted struct {
	ID   flow.ID
	Note flow.Annotation
}

type noted struct {
	id   flow.ID
	row  Row
	note flow.Annotation // all of it, the new put over the old
	open bool
}

// Note puts a beside a flow: fields that are set replace the old ones. It
// returns when that is on disk; the row has a new revision then.
func (s *Store) Note(id flow.ID, a flow.Annotation) error {
	return s.NoteAll(context.Background(), []Noted{{id, a}})
}

// NoteAll is Note for several flows in one commit: for many that is far
// cheaper than one by one. It fails as a whole, before anything is written,
// if one of the flows is unknown. If ctx ends first the notes are written all
// the same.
func (s *Store) NoteAll(ctx context.Context, notes []Noted) error {
	if len(notes) == 0 {
		return nil
	}
	j := &job{kind: jobNote, reply: make(chan error, 1)}
	at := make(map[flow.ID]int, len(notes))
	for _, n := range notes {
		if i, ok := at[n.ID]; ok {
			j.notes[i].Note = merge(j.notes[i].Note, n.Note)
			continue
		}
		at[n.ID] = len(j.notes)
		j.notes = append(j.notes, n)
		j.cost += noteCost(&n.Note)
	}
	return s.ask(ctx, j)
}

// Flush waits until all that the store was told before is on disk.
func (s *Store) Flush(ctx context.Context) error {
	if s.readOnly {
		return nil
	}
	return s.ask(ctx, &job{kind: jobNote, reply: make(chan error, 1)})
}

// ask queues j and waits for its reply.
func (s *Store) ask(ctx context.Context, j *job) error {
	s.mu.Lock()
	switch {
	case s.readOnly:
		s.mu.Unlock()
		return ErrReadOnly
	case s.closed:
		s.mu.Unlock()
		return ErrClosed
	}
	for _, n := range j.notes {
		if e := s.of[n.ID]; e != nil && e.live != nil && !e.live.ended && !e.live.written && !e.live.lost {
			s.pushOpen(e)
		}
	}
	s.queued += j.cost
	s.push(j)
	s.hurry()
	s.mu.Unlock()
	select {
	case err := <-j.reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped:
		select {
		case err := <-j.reply:
			return err
		default:
			return ErrClosed
		}
	}
}

func noteCost(a *flow.Annotation) int64 {
	n := 128
	if a.Verdict != nil {
		n += len(a.Verdict.JSON) + 256
	}
	if a.Comment != nil {
		n += len(*a.Comment)
	}
	return int64(n)
}

// notes puts the notes of j over what is there, or, if one of the flows is not there, none.
func (w *writer) notes(ctx context.Context, j *job, rev *Rev) error {
	j.noted, j.refused = j.noted[:0], nil
	for i := range j.notes {
		n := noted{id: j.notes[i].ID}
		fault := ErrNoFlow
		err := w.c.query(ctx, "SELECT row, note, open FROM flow WHERE id = ?", func(r row) bool {
			if fault = n.row.decode(r.text(0)); fault == nil {
				n.note, fault = decodeNote(r.text(1))
			}
			n.open = r.int(2) != 0
			return false
		}, int64(n.id))
		if err != nil {
			return err
		}
		if fault != nil {
			j.noted, j.refused = nil, fmt.Errorf("note on flow %d: %w", n.id, fault)
			return nil
		}
		j.noted = append(j.noted, n)
	}
	for i := range j.noted {
		*rev++
		if err := w.note(ctx, &j.noted[i], &j.notes[i].Note, *rev); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) note(ctx context.Context, n *noted, a *flow.Annotation, rev Rev) error {
	n.row.ID, n.row.Rev = n.id, rev
	n.row.annotate(&n.note)
	before := n.row.Refused()
	n.note = merge(n.note, *a)
	n.row.annotate(&n.note)
	if err := w.c.exec(ctx, "UPDATE flow SET rev = ?, note = ? WHERE id = ?", int64(rev), encodeNote(&n.note), int64(n.id)); err != nil {
		return err
	}
	if v := a.Verdict; v != nil {
		var err error
		if v.JSON == nil {
			err = w.c.exec(ctx, "DELETE FROM verdict WHERE id = ?", int64(n.id))
		} else {
			err = w.c.exec(ctx, "INSERT INTO verdict (id, json) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json", int64(n.id), v.JSON)
		}
		if err != nil {
			return err
		}
	}
	if now := n.row.Refused(); !n.open && n.row.State == Done && now != before {
		if now {
			w.totals.refused++
		} else {
			w.totals.refused--
		}
	}
	return nil
}

// annotated puts on r what the file has beside it.
func (w *writer) annotated(ctx context.Context, r *Row) error {
	var err error
	if e := w.c.query(ctx, "SELECT note FROM flow WHERE id = ?", func(row row) bool {
		var a flow.Annotation
		if a, err = decodeNote(row.text(0)); err == nil {
			r.annotate(&a)
		}
		return false
	}, int64(r.ID)); e != nil {
		return e
	}
	return err
}

// Annotation is what stands beside a flow, with the verdict's JSON; fields that were never set are nil.
func (s *Store) Annotation(ctx context.Context, id flow.ID) (a flow.Annotation, err error) {
	err = s.read(ctx, func(c *conn) error {
		fault := ErrNoFlow
		err := c.query(ctx, "SELECT note, json FROM flow LEFT JOIN verdict USING (id) WHERE id = ?", func(r row) bool {
			if a, fault = decodeNote(r.text(0)); a.Verdict != nil {
				a.Verdict.JSON = r.bytes(1)
			}
			return false
		}, int64(id))
		if err != nil {
			return err
		}
		return fault
	})
	if errors.Is(err, ErrNoFlow) && s.isUnderWay(id) {
		return flow.Annotation{}, nil
	}
	return a, err
}
