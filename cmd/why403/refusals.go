package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
)

// Bounds of what is told at the end of a run.
const (
	maxTold  = 20              // refusals that get a line
	settling = 3 * time.Second // for the last exchanges to be on disk and explained
)

// refusals are those of a run.
type refusals struct {
	rows    []session.Row // the first of them
	count   int
	own     ownAnswers
	session string // file
	kept    bool   // the file is still there
}

// add takes down what is worth a line of a flow that has ended.
func (r *refusals) add(row session.Row) {
	if !row.Refused() {
		r.own.suspect(&row)
		return
	}
	if r.count++; len(r.rows) < maxTold {
		r.rows = append(r.rows, row)
	}
}

// print tells each refusal in a line, what we answered ourselves, and how to look closer; nothing if there was neither.
func (r *refusals) print(w io.Writer) {
	if r.count == 0 && len(r.own.all) == 0 {
		return
	}
	mask := redact.New() // these lines end up in the logs of build servers
	for i := range r.rows {
		row := &r.rows[i]
		why := "refused"
		if v := row.Verdict; v != nil {
			why = fmt.Sprintf("%s (%s, %s)", mask.Text(oneLine(v.Headline)), v.Cause, v.Confidence)
		}
		fmt.Fprintf(w, "why403: ✗ #%d %s %s %d: %s\n", row.ID, oneLine(row.Method), mask.Text(oneLine(rowURL(row))), row.Status, why)
	}
	if more := r.count - len(r.rows); more > 0 {
		fmt.Fprintf(w, "why403: and %d more\n", more)
	}
	r.own.print(w, mask)
	if r.kept {
		fmt.Fprintf(w, "why403: look closer: why403 open %[1]s, or why403 explain %[1]s\n", shortName(r.session))
	}
}

// tally takes down the flows of our own proxy as they are explained.
type tally struct {
	mu sync.Mutex
	refusals
	known map[flow.ID]bool // that have come
	more  chan struct{}    // closed at the next one
}

func (t *tally) add(row session.Row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[row.ID] {
		return
	}
	if t.known == nil {
		t.known = map[flow.ID]bool{}
	}
	t.known[row.ID] = true
	t.refusals.add(row)
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

// wait waits until all that has come through the proxy is explained, though not for what hangs.
func (t *tally) wait(ctx context.Context, store *session.Store) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		t.mu.Lock()
		missing := len(t.known) < int(store.Last())
		if t.more == nil {
			t.more = make(chan struct{})
		}
		more := t.more
		t.mu.Unlock()
		if !missing {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			return
		}
	}
}

// refusedSince finds the refusals after the flow begin, up to last, in a session that another
// process writes, when it has explained them. What others send meanwhile it does not tell apart.
func refusedSince(ctx context.Context, path string, begin, last flow.ID) (r refusals) {
	waiting, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	store, err := session.Open(path, session.Options{})
	if err != nil {
		return r
	}
	defer store.Close()
	latest := map[flow.ID]session.Row{}
	var rev session.Rev
	for {
		changed := store.Changed(rev)
		for {
			rows, next := store.Since(rev, 500)
			for _, row := range rows {
				if begin < row.ID && row.ID <= last {
					latest[row.ID] = row
				}
			}
			if len(rows) == 0 && next <= rev {
				break
			}
			rev = next
		}
		// What is not there is not on disk yet: it is written in batches. (Deleted it may be, too.)
		if len(latest) == int(last-begin) && !open(latest) || waiting.Err() != nil {
			break
		}
		select {
		case <-changed:
		case <-waiting.Done():
		}
	}
	for id := begin + 1; id <= last; id++ {
		if row, there := latest[id]; there {
			r.add(row)
		}
	}
	r.own.look(ctx, store)
	return r
}

// open reports whether one of the rows is still to end, or to be explained.
func open(rows map[flow.ID]session.Row) bool {
	for _, row := range rows {
		if row.State == session.Waiting || row.State == session.Streaming || row.Refused() && row.Verdict == nil {
			return true
		}
	}
	return false
}
