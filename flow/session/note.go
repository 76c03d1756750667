package session

import (
	"context"

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
}

// Note puts a beside a flow: fields that are set replace the old ones. It
// returns when that is on disk; the row has a new revision then.
func (s *Store) Note(id flow.ID, a flow.Annotation) error {
	return s.NoteAll(context.Background(), []Noted{{id, a}})
}

// NoteAll is Note for several flows in one commit: for many that is far
// cheaper than one by one. It fails as a whole, before anything is written,
// if one of the flows is unknown. With ctx at its end it returns, but the notes are written all the same.
func (s *Store) NoteAll(ctx context.Context, notes []Noted) error {
	if len(notes) == 0 {
		return nil
	}
	j := &job{kind: jobNote, notes: notes, reply: make(chan error, 1)}
	for i := range notes {
		j.cost += noteCost(&notes[i].Note)
	}
	s.mu.Lock()
	switch {
	case s.readOnly:
		s.mu.Unlock()
		return ErrReadOnly
	case s.closed:
		s.mu.Unlock()
		return ErrClosed
	}
	for _, n := range notes {
		if e := s.of[n.ID]; e != nil && e.live != nil && !e.live.ended && !e.live.written && !e.live.lost {
			s.pushOpen(e)
		}
	}
	s.queued += j.cost
	s.push(j)
	s.wake()
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

// note puts one note over what is there.
func (w *writer) note(ctx context.Context, j *job, n *Noted, rev Rev) error {
	var found noted
	open, err := false, ErrNoFlow
	if e := w.c.query(ctx, "SELECT row, note, open FROM flow WHERE id = ?", func(r row) bool {
		if err = found.row.decode(r.text(0)); err == nil {
			found.note, err = decodeNote(r.text(1))
		}
		open = r.int(2) != 0
		return false
	}, int64(n.ID)); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	found.id, found.row.ID, found.row.Rev = n.ID, n.ID, rev
	found.row.annotate(&found.note)
	before := found.row.Refused()
	found.note = merge(found.note, n.Note)
	found.row.annotate(&found.note)
	if err := w.c.exec(ctx, "UPDATE flow SET rev = ?, note = ? WHERE id = ?", int64(rev), encodeNote(&found.note), int64(n.ID)); err != nil {
		return err
	}
	if v := n.Note.Verdict; v != nil {
		if v.JSON == nil {
			err = w.c.exec(ctx, "DELETE FROM verdict WHERE id = ?", int64(n.ID))
		} else {
			err = w.c.exec(ctx, "INSERT INTO verdict (id, json) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json", int64(n.ID), v.JSON)
		}
		if err != nil {
			return err
		}
	}
	if now := found.row.Refused(); !open && found.row.State == Done && now != before {
		if now {
			w.totals.refused++
		} else {
			w.totals.refused--
		}
	}
	j.noted = append(j.noted, found)
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
	if err == ErrNoFlow && s.underWay(id) {
		return flow.Annotation{}, nil
	}
	return a, err
}
