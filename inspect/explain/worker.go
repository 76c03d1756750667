package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

// Worker follows a session and explains each flow once it has ended, in the
// order in which they ended. It is the one owner of explaining in its session.
// A flow is explained again when a later one changes its story: a challenge was
// answered, a success to compare with came, a replay was accepted.
type Worker struct {
	lib  library
	o    Options
	open map[string][]flow.ID // endpoint → refused flows whose story may go on
	size int
	// tunnels are the same for tunnels that a proxy after us wants a login for, by
	// host: any later flow of the host tells that there is one. Bounded by maxOpen hosts.
	tunnels map[string][]flow.ID
	// replays are the accepted replays of a flow; kept bounded by maxOpen parents.
	replays map[flow.ID][]flow.ID
	late    lateLines
	ration  *ration         // of simulated firewalls: the traffic goes first
	notes   []session.Noted // not written yet
}

const (
	batch    = 256                   // rows looked at in one go
	breath   = 40 * time.Millisecond // from one look to the next: in a flood many flows share one, and one commit
	deep     = 2 * breath            // the same after at least some rows and at most many: of more, too much would be left
	some     = 16
	many     = 200
	maxNotes = 32     // written together
	noteSoon = breath // that a note waits for others while a look goes on
	maxOpen  = 512    // flows remembered as open; more are left as they were explained
	perOpen  = 16     // of one endpoint
)

// NewWorker makes a worker for store; Run does the work.
func NewWorker(store *session.Store, o Options) *Worker {
	return &Worker{lib: library{store: store, shelf: newShelf(), logs: o.Logs != nil}, o: o, open: map[string][]flow.ID{}, tunnels: map[string][]flow.ID{}, replays: map[flow.ID][]flow.ID{},
		ration: newRation(rationed, rationSpan), late: lateLines{live: o.LogsChanged != nil}}
}

// Run explains until ctx ends or the store is closed; it blocks, and the caller
// waits for it. A session that is open for reading only cannot be noted in:
// session.ErrReadOnly.
func (w *Worker) Run(ctx context.Context) error {
	var rev session.Rev
	seen := 0 // rows since the last breath
	for {
		begun := time.Now()
		rows, next := w.lib.store.Since(rev, batch)
		if err := w.take(ctx, rows); err != nil {
			return err
		}
		seen += len(rows)
		if rev = next; len(rows) == batch {
			continue
		}
		if seen > 0 {
			rest := breath
			if seen >= some && seen <= many {
				rest = deep
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Until(begun.Add(rest))):
			}
			seen = 0
		}
		lines, soon := w.newLines()
		if err := w.again(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lines:
		case <-soon:
		case <-w.news(rev):
			if w.lib.store.Rev() <= rev { // the store was closed
				return nil
			}
		}
	}
}

// take looks at rows, and tells of each when what is said of it is on disk.
func (w *Worker) take(ctx context.Context, rows []session.Row) error {
	begun, settled := time.Now(), 0
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, w.write())
		}
		w.await(ctx, &rows[i])
		if err := w.look(ctx, &rows[i]); err != nil {
			return errors.Join(err, w.write())
		}
		if i == len(rows)-1 || len(w.notes) >= maxNotes || w.late.live || time.Since(begun) > noteSoon {
			if err := w.write(); err != nil {
				return err
			}
			for ; settled <= i; settled++ {
				if err := w.settle(ctx, &rows[settled]); err != nil {
					return err
				}
			}
			begun = time.Now()
		}
		runtime.Gosched() // the traffic goes first
	}
	return nil
}

// write writes the notes that wait for it.
func (w *Worker) write() error {
	notes := w.notes
	w.notes = w.notes[:0]
	err := w.lib.store.NoteAll(context.Background(), notes)
	if errors.Is(err, session.ErrNoFlow) { // one of them was deleted meanwhile
		for _, n := range notes {
			if err = w.lib.store.Note(n.ID, n.Note); err != nil && !errors.Is(err, session.ErrNoFlow) {
				break
			}
			err = nil
		}
	}
	clear(notes)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	return nil
}

// news is closed when there may be work after rev. Where lines of logs are told
// apart, it matters which flows are under way; else it does not, and there are many steps of each.
func (w *Worker) news(rev session.Rev) <-chan struct{} {
	if w.late.live {
		return w.lib.store.Changed(rev)
	}
	return w.lib.store.Settled(rev)
}

// look explains the flow of a row that has ended and is not yet judged by this ruleset.
func (w *Worker) look(ctx context.Context, r *session.Row) error {
	if r.State != session.Done || r.Verdict != nil && r.Verdict.Ruleset == inspect.Ruleset {
		return nil
	}
	if r.Kind != flow.Exchange || r.Status == 0 || w.o.Logs == nil && plainly(r) || w.accepted(ctx, r) {
		return w.goOn(ctx, r)
	}
	if err := w.explain(ctx, r.ID, r.Verdict != nil); err != nil {
		return err
	}
	return w.goOn(ctx, r)
}

// settle passes a row on that was looked at for the first time.
func (w *Worker) settle(ctx context.Context, r *session.Row) error {
	if w.o.Settled == nil || r.State != session.Done || r.Verdict != nil {
		return nil
	}
	now, err := w.lib.store.Row(ctx, r.ID) // with the verdict that it has got
	if err != nil {
		return fmt.Errorf("explain flow %d: %w", r.ID, err)
	}
	w.o.Settled(now)
	return nil
}

// plainly reports whether a row cannot be a refusal whatever its body says, so
// that the body need not be read.
func plainly(r *session.Row) bool {
	if r.Kind != flow.Exchange || r.Status == 0 {
		return true
	}
	if flow.RefusedByStatus(r.Status) {
		return false
	}
	if r.Status < 200 || r.Status == 204 || r.Status == 304 {
		return true
	}
	if r.Status < 300 {
		t := strings.ToLower(r.ContentType)
		for _, s := range []string{"json", "html", "text/plain", "xml", "grpc"} {
			if strings.Contains(t, s) {
				return false
			}
		}
		return t != ""
	}
	return false
}

// glance is how much of an accepted answer is looked at, in bytes: what refuses
// under a status of success says so early.
const glance = 256 << 10

// accepted reports whether an answer under a status of success is no refusal.
// Most are none, so neither the request nor the history is read for it.
func (w *Worker) accepted(ctx context.Context, r *session.Row) bool {
	if w.lib.logs || r.Verdict != nil || r.Status < 200 || r.Status >= 400 {
		return false
	}
	f, err := w.lib.store.Prefix(ctx, r.ID, 0, glance)
	return err == nil && !inspect.Refused(ready(f))
}

// goOn explains again what this flow's end changes.
func (w *Worker) goOn(ctx context.Context, r *session.Row) error {
	if r.Parent != 0 && r.Status >= 200 && r.Status < 400 {
		if n := len(w.replays[r.Parent]); n < perOpen && (n > 0 || len(w.replays) < maxOpen) {
			w.replays[r.Parent] = append(w.replays[r.Parent], r.ID)
		}
		if err := w.explain(ctx, r.Parent, true); err != nil {
			return err
		}
	}
	if len(w.tunnels) > 0 && r.Kind == flow.Exchange && r.Status != 0 && r.Status != 407 {
		key := r.Scheme + "://" + r.Authority
		again := w.tunnels[key]
		delete(w.tunnels, key)
		for _, id := range again {
			if err := w.explain(ctx, id, true); err != nil {
				return err
			}
		}
	}
	if r.Status < 200 || r.Status >= 400 {
		return nil
	}
	again := w.open[r.Endpoint]
	w.size -= len(again)
	delete(w.open, r.Endpoint)
	for _, id := range again {
		if id != r.Parent {
			if err := w.explain(ctx, id, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// explain explains one flow and notes what came out; noted tells that a verdict stands already.
func (w *Worker) explain(ctx context.Context, id flow.ID, noted bool) error {
	c, err := w.lib.caseOf(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, session.ErrClosed) {
			return err
		}
		return nil // a flow that cannot be read is not judged
	}
	for _, child := range w.replays[id] {
		if !slices.ContainsFunc(c.History.After, func(f *flow.Flow) bool { return f.ID == child }) {
			if g, err := w.lib.flow(ctx, child); err == nil {
				c.History.After = append(c.History.After, g)
			}
		}
	}
	o := w.o
	if w.late.live {
		var had []inspect.Line // may be gone from the feed by now
		if noted {
			if err := w.write(); err != nil {
				return err
			}
			had = StoredLogs(ctx, w.lib.store)(c.Flow)
		}
		o.Logs = func(f *flow.Flow) []inspect.Line { return together(had, w.late.own(id, w.o.Logs(f))) }
	}
	e := explainCase(ctx, c, w.ration.with(o), func(e inspect.Explained) {
		if j, err := Judge(e); err == nil && w.lib.store.Note(id, flow.Annotation{Verdict: j}) == nil {
			noted = true // shown at once; what the firewall's rules say comes on top
		}
	})
	w.ration.used(&e)
	w.late.remember(id, len(e.Logs))
	if key := c.Flow.Scheme + "://" + c.Flow.Authority; e.Refused && inspect.TunnelRefused(c.Flow) {
		if had := w.tunnels[key]; len(had) < perOpen && (had != nil || len(w.tunnels) < maxOpen) && !slices.Contains(had, id) {
			w.tunnels[key] = append(had, id)
		}
	} else if e.Refused && (c.Success == nil || e.Status == 401 || e.Status == 407) {
		w.remember(flow.Endpoint(c.Flow), id)
	}
	if !e.Refused && !noted && !flow.RefusedByStatus(e.Status) && len(e.Logs) == 0 {
		return nil // the status says it all
	}
	j, err := Judge(e)
	if err != nil {
		return err
	}
	w.notes = append(w.notes, session.Noted{ID: id, Note: flow.Annotation{Verdict: j}})
	return nil
}

func (w *Worker) remember(endpoint string, id flow.ID) {
	list := w.open[endpoint]
	if slices.Contains(list, id) {
		return
	}
	if len(list) >= perOpen {
		list = list[1:]
		w.size--
	}
	if w.size >= maxOpen {
		return
	}
	w.open[endpoint] = append(list, id)
	w.size++
}

// Judge is e in the form in which it is stored beside its flow.
func Judge(e inspect.Explained) (*flow.Judgement, error) {
	j := &flow.Judgement{Ruleset: inspect.Ruleset, Refused: e.Refused}
	if v := e.Verdict; v != nil {
		j.Cause, j.Layer, j.Vendor = string(v.Cause), string(v.Layer), string(v.Vendor)
		j.Confidence, j.Headline = v.Confidence, v.Headline
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("explain flow %d: encode: %w", e.ID, err)
	}
	j.JSON = b
	return j, nil
}
