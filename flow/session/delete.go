package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/why403/why403/flow"
)

// ErrUnderWay is returned by Remove for a flow that has not ended.
var ErrUnderWay = errors.New("flow is under way")

const (
	removeStep = 256      // flows that are deleted in one commit, which keeps it well below headWait
	wipeStep   = 64 << 10 // bytes
)

// emptyLog moves what the log holds into the file and empties it, unless somebody
// reads from it: who records does not wait for that.
const emptyLog = "PRAGMA busy_timeout = 50; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 2000"

// removal is what a commit deleted.
type removal struct {
	ids  []flow.ID
	wipe []place // of bodies in the file beside
	last bool    // nothing of this call follows: what nobody names is tidied up
}

// Remove deletes flows that have ended, with all that stands beside them: bodies,
// messages, verdicts, comments. Their bytes are overwritten, in the file (secure_delete),
// in its log (emptied by a checkpoint, unless a reader holds on to it: then by the next
// one) and in the file beside. What other flows say of them, such as a verdict that
// compared with one, stays. Flows that are not there are skipped; one under way is
// refused before anything is deleted. If the process is killed between a commit and
// the overwriting, bytes that nobody names stay in the file beside.
//
// Capture goes on meanwhile: many flows are deleted in steps, between which others are written.
func (s *Store) Remove(ctx context.Context, ids ...flow.ID) error {
	s.mu.Lock()
	for _, id := range ids {
		if e := s.of[id]; e != nil && e.live != nil && !e.live.ended {
			s.mu.Unlock()
			return fmt.Errorf("delete flow %d: %w", id, ErrUnderWay)
		}
	}
	s.mu.Unlock()
	return s.removeAll(ctx, slices.Clone(ids))
}

// Clear deletes all flows that have ended when it is called, and tells how many. See Remove.
func (s *Store) Clear(ctx context.Context) (int, error) {
	if err := s.Flush(ctx); err != nil {
		return 0, err
	}
	var ids []flow.ID
	if err := s.Scan(ctx, func(r *Row) bool {
		if r.State >= Done {
			ids = append(ids, r.ID)
		}
		return true
	}); err != nil {
		return 0, err
	}
	return len(ids), s.removeAll(ctx, ids)
}

// removeAll deletes in steps.
func (s *Store) removeAll(ctx context.Context, ids []flow.ID) error {
	for len(ids) > 0 {
		n := min(len(ids), removeStep)
		j := &job{kind: jobRemove, reply: make(chan error, 1), cost: int64(n) * 128, removal: &removal{ids: ids[:n], last: n == len(ids)}}
		if err := s.ask(ctx, j); err != nil {
			return fmt.Errorf("delete flows: %w", err)
		}
		ids = ids[n:]
	}
	return nil
}

// remove deletes the flows of j.
func (w *writer) remove(ctx context.Context, j *job) error {
	r := j.removal
	r.wipe = r.wipe[:0]
	for _, id := range r.ids {
		var fault error
		found := false
		err := w.c.query(ctx, "SELECT row, note FROM flow WHERE id = ? AND open = 0", func(row row) bool {
			found = true
			one := Row{ID: id}
			if fault = one.decode(row.text(0)); fault != nil {
				return false
			}
			if a, err := decodeNote(row.text(1)); err == nil {
				one.annotate(&a)
			}
			if one.State == Done {
				w.totals.flows--
				if one.Refused() {
					w.totals.refused--
				}
			}
			return false
		}, int64(id))
		if err = errors.Join(err, fault); err != nil {
			return err
		}
		if !found {
			continue
		}
		from, to := bodyKey(id, 0), bodyKey(id+1, 0)
		if err := w.c.query(ctx, "SELECT data FROM body WHERE key >= ? AND key < ? AND typeof(data) = 'integer'", func(row row) bool {
			r.wipe = append(r.wipe, place(row.int(0)))
			return true
		}, from, to); err != nil {
			return err
		}
		if err := errors.Join(
			w.c.exec(ctx, "DELETE FROM body WHERE key >= ? AND key < ?", from, to),
			w.c.exec(ctx, "DELETE FROM frame WHERE key >= ? AND key < ?", from, to),
			w.c.exec(ctx, "DELETE FROM record WHERE id = ?", int64(id)),
			w.c.exec(ctx, "DELETE FROM verdict WHERE id = ?", int64(id)),
			w.c.exec(ctx, "DELETE FROM flow WHERE id = ?", int64(id)),
		); err != nil {
			return err
		}
	}
	if !r.last {
		return nil
	}
	// Paths and hosts that no flow has any more are as private as the flows were.
	clear(w.endpoints)
	clear(w.hosts)
	clear(w.secures)
	return errors.Join(
		w.c.exec(ctx, "DELETE FROM endpoint WHERE NOT EXISTS (SELECT 1 FROM flow WHERE flow.endpoint = endpoint.id)"),
		w.c.exec(ctx, "DELETE FROM host WHERE NOT EXISTS (SELECT 1 FROM flow WHERE flow.host = host.id)"),
		w.c.exec(ctx, "DELETE FROM tls WHERE NOT EXISTS (SELECT 1 FROM host WHERE host.id = tls.host)"),
	)
}

// wiped overwrites what committed removals left outside the tables.
func (w *writer) wiped(batch []*job) {
	for _, j := range batch {
		if j.kind != jobRemove {
			continue
		}
		err := w.spill.wipe(j.removal.wipe)
		if j.removal.last {
			// Pages as they were before lie in the log until it is written over.
			err = errors.Join(err, w.c.script(context.Background(), emptyLog))
		}
		if err != nil {
			j.refused = fmt.Errorf("the flows are deleted, but what they left could not be overwritten: %w", err)
		}
	}
}

// wipe overwrites chunks that nobody names any more with zeros, and gives back those at the end of the file.
func (w *spillWriter) wipe(list []place) error {
	if len(list) == 0 {
		return nil
	}
	if w.f == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(a, b place) int { return cmp.Compare(b.offset(), a.offset()) })
	end := w.end
	zeros := make([]byte, wipeStep)
	for _, p := range list {
		at, stop := p.offset(), min(p.offset()+int64(p.size()), w.end)
		for at < stop {
			n, err := w.f.WriteAt(zeros[:min(wipeStep, stop-at)], at)
			if err != nil {
				return fmt.Errorf("body: overwrite: %w", err)
			}
			at += int64(n)
		}
		if stop == end {
			end = p.offset()
		}
	}
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("body: overwrite: %w", err)
	}
	if end < w.end {
		if err := os.Truncate(w.path, end); err != nil {
			return fmt.Errorf("body: %w", err)
		}
		w.end = end
	}
	return nil
}

// forgetAll drops what memory holds of deleted flows. Store.mu is held.
func (s *Store) forgetAll(ids []flow.ID) {
	for _, id := range ids {
		if e := s.of[id]; e != nil && e.live == nil {
			s.recent.drop(e)
			delete(s.of, id)
		}
		if r := s.recents.of[id]; r != nil {
			s.recents.bytes -= r.size
			delete(s.recents.of, id)
			s.recents.order = slices.DeleteFunc(s.recents.order, func(o flow.ID) bool { return o == id })
		}
	}
	s.rev++ // those who count flows look again
	s.wake()
}
