package ui

import (
	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// keepRows bounds the rows in memory. A screen shows at most a few hundred; the rest is read again
// when it comes into view.
const keepRows = 2048

// rows are the rows of the list that are in memory: those near the view.
// A nil entry is an id that the session does not have.
type rows struct {
	have map[flow.ID]*session.Row
}

func newRows() *rows { return &rows{have: make(map[flow.ID]*session.Row, keepRows)} }

// get is the row of id, and whether it is known. A known id without a row was not kept.
func (r *rows) get(id flow.ID) (*session.Row, bool) {
	row, ok := r.have[id]
	return row, ok
}

// put stores a row unless a newer state of it is there already.
func (r *rows) put(row session.Row) {
	if old := r.have[row.ID]; old == nil || old.Rev <= row.Rev {
		r.have[row.ID] = &row
	}
}

// missing notes that the session has no flow id.
func (r *rows) missing(id flow.ID) {
	if _, ok := r.have[id]; !ok {
		r.have[id] = nil
	}
}

// trim forgets rows far from the ids lo to hi when there are too many.
func (r *rows) trim(lo, hi flow.ID) {
	if len(r.have) <= keepRows {
		return
	}
	const near = keepRows / 4
	for id := range r.have {
		if id < lo-near || id > hi+near {
			delete(r.have, id)
		}
	}
}
