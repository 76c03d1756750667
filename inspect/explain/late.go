package explain

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

// Bounds of waiting for lines of logs that are followed.
const (
	firstLines = 500 * time.Millisecond // after its end a refused flow waits so long for a first line
	maxLate    = 256                    // flows that may still get lines
	maxAgain   = 3                      // times that a flow is explained because of new lines
	pause      = 200 * time.Millisecond // between two looks at new lines
	untold     = time.Second            // how near to another exchange a line that names none may be
)

// lateLines remembers the exchanges of the last seconds: servers write some lines
// after they answered, and a line that names no request belongs to one only if
// there was no other at that time.
type lateLines struct {
	live   bool
	recent []recentFlow // in the order in which they were seen, at most maxLate
	looked time.Time
}

type recentFlow struct {
	id         flow.ID
	start, end time.Time // end is zero while it goes on
	lines      int       // that it has got
	again      int
	explained  bool
}

// see takes in a row, in whatever state.
func (l *lateLines) see(r *session.Row) {
	f := l.of(r.ID)
	if f == nil {
		if len(l.recent) >= maxLate {
			l.recent = l.recent[1:]
		}
		l.recent = append(l.recent, recentFlow{id: r.ID, start: r.Start})
		f = &l.recent[len(l.recent)-1]
	}
	if r.State == session.Done {
		f.end = r.Start.Add(r.Duration)
	}
}

func (l *lateLines) of(id flow.ID) *recentFlow {
	for i := len(l.recent) - 1; i >= 0; i-- {
		if l.recent[i].id == id {
			return &l.recent[i]
		}
	}
	return nil
}

func (l *lateLines) remember(id flow.ID, lines int) {
	if r := l.of(id); r != nil {
		r.explained, r.lines = true, lines
	}
}

// own leaves out the lines that name no request and may be another's: one was
// under way within a second of them.
func (l *lateLines) own(id flow.ID, lines []inspect.Line) []inspect.Line {
	me := l.of(id)
	if me == nil {
		return lines
	}
	out := lines[:0]
	for _, line := range lines {
		if line.Tied != "near" || !l.crowded(me) {
			out = append(out, line)
		}
	}
	return out
}

// crowded reports whether another exchange was under way at the time of me.
func (l *lateLines) crowded(me *recentFlow) bool {
	for i := range l.recent {
		o := &l.recent[i]
		if o.id == me.id || !me.end.IsZero() && o.start.After(me.end.Add(untold)) {
			continue
		}
		if o.end.IsZero() || o.end.After(me.start.Add(-untold)) {
			return true
		}
	}
	return false
}

// await gives a refused flow's server the time to write its line. It holds up the
// flows behind it for as long; nothing else waits for these.
func (w *Worker) await(ctx context.Context, r *session.Row) {
	if !w.late.live {
		return
	}
	w.late.see(r)
	if r.State != session.Done || r.Verdict != nil || !flow.RefusedByStatus(r.Status) {
		return
	}
	until := time.Until(r.Start.Add(r.Duration).Add(firstLines))
	if until <= 0 || until > firstLines {
		return
	}
	ctx, stop := context.WithTimeout(ctx, until)
	defer stop()
	f, err := w.lib.flow(ctx, r.ID)
	if err != nil {
		return
	}
	for {
		changed := w.o.LogsChanged()
		if len(w.o.Logs(f)) > 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// newLines is closed when there are new lines; right after a look at them soon is
// given instead. Both are nil, which never wakes, without logs that are followed.
func (w *Worker) newLines() (lines <-chan struct{}, soon <-chan time.Time) {
	if !w.late.live {
		return nil, nil
	}
	if rest := pause - time.Since(w.late.looked); rest > 0 {
		return nil, time.After(rest)
	}
	return w.o.LogsChanged(), nil
}

// again explains those of the last flows once more that have got new lines.
func (w *Worker) again(ctx context.Context) error {
	if !w.late.live || time.Since(w.late.looked) < pause {
		return nil
	}
	w.late.looked = time.Now()
	for i := range w.late.recent {
		r := &w.late.recent[i]
		if !r.explained || r.again >= maxAgain || r.end.IsZero() || time.Since(r.end) > linesAfter+readLate {
			continue
		}
		f, err := w.lib.flow(ctx, r.id)
		if err != nil {
			continue
		}
		if got := len(w.late.own(r.id, w.o.Logs(f))); got <= r.lines {
			continue
		}
		r.again++
		if err := w.explain(ctx, r.id, true); err != nil {
			return err
		}
	}
	return w.write()
}

const readLate = time.Second // a line may be read so long after it was written
