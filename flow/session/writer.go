package session

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/why403/why403/flow"
)

const (
	batchDelay = 20 * time.Millisecond // from the first work to its commit, unless somebody waits
	batchBusy  = 60 * time.Millisecond // the same when the batch before had busyJobs or more: then a commit costs less a flow
	busyJobs   = 8
	batchBytes = 4 << 20                // work that is committed without delay
	batchJobs  = 1000                   // of one commit at most, which keeps commits well below headWait
	batchMost  = 8 << 20                // bytes of one commit at most, about
	hangAfter  = time.Second            // a flow under way for longer is written as it stands, and again as it moves on
	retryAfter = 500 * time.Millisecond // after a commit that did not succeed
)

type jobKind uint8

const (
	jobChunk  jobKind = iota // bodies and messages alone
	jobOpen                  // a flow under way, as it stands
	jobDone                  // a finished flow
	jobLost                  // the row of a flow that was not kept
	jobNote                  // notes on flows
	jobRemove                // flows to be deleted
)

// job is one piece of work for the writer.
type job struct {
	kind   jobKind
	id     flow.ID
	live   *live
	row    Row
	flow   *flow.Flow // jobOpen, jobDone; nobody changes it
	chunks []chunk
	frames []frameRow
	notes  []Noted
	reply  chan error // buffered; nil: nobody waits
	cost   int64      // bytes counted in Store.queued

	noted   []noted // what jobNote found and made
	refused error   // why jobNote was not done, or jobRemove not whole, though the commit was
	removal *removal
}

type chunk struct {
	key  int64
	of   *content
	data pieces
}

// bodyKey is the key of the first chunk of a body: the flow's number, the
// side and the number of the chunk share one integer, so that the chunks of a
// body lie together and need no further index.
func bodyKey(id flow.ID, side Side) int64 { return int64(id)<<24 | int64(side)<<23 }

// maxChunks is how many chunks a body can have.
const maxChunks = 1 << 23

// push queues j. Store.mu is held.
func (s *Store) push(j *job) {
	s.jobs = append(s.jobs, j)
	s.jobBytes += j.cost
	if len(s.jobs) == 1 || s.jobBytes >= batchBytes || len(s.jobs) >= batchJobs {
		s.kick()
	}
}

// hurry has what is queued committed without delay. Store.mu is held.
func (s *Store) hurry() {
	s.urgent = true
	s.kick()
}

func (s *Store) kick() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// write is the writer: it owns c, and everything that changes the file goes through it.
func (s *Store) write(c *conn) {
	defer close(s.stopped)
	w := &writer{s: s, c: c, spill: spillWriter{path: s.path + spillSuffix}, endpoints: map[string]int64{}, hosts: map[string]int64{}, secures: map[secure]int64{}}
	tick := time.NewTicker(s.hangAfter)
	defer tick.Stop()
	delay := batchDelay
	for {
		s.gather(tick.C, delay)
		batch, last := s.takeBatch()
		if delay = batchDelay; len(batch) >= busyJobs {
			delay = batchBusy
		}
		if len(batch) > 0 {
			var err error
			if s.beforeCommit != nil {
				err = s.beforeCommit()
			}
			if err == nil {
				err = w.commit(batch)
			}
			w.again = err != nil
			if err == nil {
				w.wiped(batch)
			}
			s.finish(batch, err)
			if err != nil && s.closing() {
				s.closeErr = err
				break
			}
			continue
		}
		if last {
			break
		}
	}
	// SQLite folds the log into the file and removes it when the last connection
	// closes, if that one may write: ours comes after those that only read.
	// Another process that reads keeps the log there, but not what is in it.
	s.closeErr = errors.Join(s.closeErr, s.readers.close())
	_ = c.script(context.Background(), emptyLog) // what stays in the log is as safe there
	s.closeErr = errors.Join(s.closeErr, c.close(), w.spill.close())
}

// gather waits until there is enough work, or work that is old enough, or somebody waits for it, or the store closes.
func (s *Store) gather(tick <-chan time.Time, delay time.Duration) {
	var due <-chan time.Time
	for {
		s.mu.Lock()
		n, bytes := len(s.jobs), s.jobBytes
		now := s.closed || n > 0 && (s.urgent || bytes >= batchBytes || n >= batchJobs)
		retry := s.fault != nil && !s.closed
		s.mu.Unlock()
		switch {
		case retry && due == nil:
			t := time.NewTimer(s.retryAfter)
			defer t.Stop()
			due = t.C
		case now && !retry:
			return
		case n > 0 && due == nil:
			t := time.NewTimer(delay)
			defer t.Stop()
			due = t.C
		}
		select {
		case <-due:
			return
		case <-s.signal:
		case <-tick:
			s.openRows()
		}
	}
}

// openRows queues the flows that are under way for long and have moved on.
func (s *Store) openRows() {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.o.Now().Add(-s.hangAfter)
	for e := range s.underWay.all {
		if l := e.live; !l.ended && !l.lost && !l.began.After(before) && (l.dirty || !l.written) {
			s.pushOpen(e)
		}
	}
}

// pushOpen queues a flow under way as it stands.
func (s *Store) pushOpen(e *entry) {
	l := e.live
	j := &job{kind: jobOpen, id: e.row.ID, live: l, row: e.row, flow: l.snapshot()}
	j.cost, l.charge = l.charge, 0
	l.written, l.dirty = true, false
	s.flushAll(l, j)
	s.push(j)
}

// takeBatch takes the work of one commit off the queue; last says that the store closes and that nothing is left after it.
func (s *Store) takeBatch() (batch []*job, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && !s.drained {
		s.drained = true
		for e := range s.underWay.all {
			if l := e.live; !l.ended && !l.lost {
				s.pushOpen(e)
			}
		}
	}
	n, bytes := 0, int64(0)
	for n < len(s.jobs) && n < batchJobs && (n == 0 || bytes+s.jobs[n].cost <= batchMost) {
		bytes += s.jobs[n].cost
		n++
	}
	batch = s.jobs[:n:n]
	s.jobs = s.jobs[n:]
	s.jobBytes -= bytes
	if len(s.jobs) == 0 {
		s.jobs, s.urgent = nil, false
	}
	return batch, s.closed && len(s.jobs) == 0
}

// finish makes a commit known: rows become Done, memory is given back. A
// batch that could not be committed goes back to the head of the queue, but
// for notes, whose sender is told.
func (s *Store) finish(batch []*job, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
	if err != nil {
		var again []*job
		for _, j := range batch {
			switch {
			case j.reply != nil:
				s.queued -= j.cost
				j.reply <- err
			default:
				again = append(again, j)
				s.jobBytes += j.cost
			}
		}
		s.jobs = append(again, s.jobs...)
		return
	}
	s.stalled = false
	s.totals.flows, s.totals.refused = s.committed.flows, s.committed.refused
	for _, j := range batch {
		s.queued -= j.cost
		s.commitRow(j)
	}
	s.rev = max(s.rev, s.committed.rev)
	s.settled = s.rev
	close(s.moved)
	s.moved = make(chan struct{})
}

func (s *Store) commitRow(j *job) {
	for i := range j.chunks {
		of := j.chunks[i].of
		of.first++
		of.queued[0] = nil
		of.queued = of.queued[1:]
		if j.kind != jobDone && s.viewing == 0 {
			for _, p := range j.chunks[i].data {
				flow.Recycle(p)
			}
		}
	}
	if n := len(j.frames); n > 0 {
		j.live.frames.queued = j.live.frames.queued[n:]
	}
	switch j.kind {
	case jobDone:
		e := s.of[j.id]
		e.row = j.row
		if d := e.live.done; d != nil {
			close(d)
		}
		s.remember(j)
		s.settle(e)
		s.place(e, j.row.Rev)
	case jobLost:
		s.tombs--
		if e := s.of[j.id]; e != nil { // as good as always: it waits for this
			s.settle(e)
			s.place(e, j.row.Rev)
		}
	case jobNote:
		for _, n := range j.noted {
			e := s.of[n.id]
			if e == nil {
				e = &entry{row: n.row}
			}
			e.row.annotate(&n.note)
			s.place(e, n.row.Rev)
		}
		j.reply <- j.refused
	case jobRemove:
		s.forgetAll(j.removal.ids)
		j.reply <- j.refused
	}
}

// writer turns jobs into SQL.
type writer struct {
	s                *Store
	c                *conn
	spill            spillWriter
	endpoints, hosts map[string]int64 // numbers known from the tables; bounded by maxKnown
	secures          map[secure]int64 // the same of tls, bounded by maxSecures
	totals           totals
	scratch, row     []byte // room for what is written; SQLite takes a copy
	again            bool   // the commit before did not succeed, or only said so
}

const (
	maxScratch = 1 << 20
	maxKnown   = 10_000
	maxSecures = 1000
)

// secure is a TLS connection with a host. Flows that came over one connection share what is known of it.
type secure struct {
	host int64
	of   *flow.TLS
}

// totals are the counts in table session.
type totals struct{ flows, refused, lost int64 }

// commit writes a batch in one transaction.
func (w *writer) commit(batch []*job) error {
	ctx := context.Background() // a commit is never given up half-way
	w.s.mu.Lock()
	rev := (w.s.rev>>32 + 1) << 32
	w.totals = w.s.totals
	w.s.mu.Unlock()
	if err := w.c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := func() error {
		for _, j := range batch {
			if err := w.job(ctx, j, &rev); err != nil {
				return err
			}
		}
		t := &w.totals
		if err := w.c.exec(ctx, "UPDATE session SET flows = ?, refused = ?, lost = ?", t.flows, t.refused, t.lost); err != nil {
			return err
		}
		return w.c.exec(ctx, "COMMIT")
	}()
	if err != nil {
		_ = w.c.exec(ctx, "ROLLBACK") // also when SQLite has rolled back already
		clear(w.endpoints)            // what was numbered in this transaction is gone
		clear(w.hosts)
		clear(w.secures)
		return err
	}
	w.s.committed.totals, w.s.committed.rev = w.totals, rev
	return nil
}

func (w *writer) job(ctx context.Context, j *job, rev *Rev) error {
	for i := range j.chunks {
		c := &j.chunks[i]
		var data driver.Value
		if c.data.size() >= chunkSize {
			at, err := w.spill.write(c.data)
			if err != nil {
				return err
			}
			data = int64(at)
		} else {
			w.scratch = c.data.join(w.scratch[:0])
			data = w.scratch
		}
		if err := w.c.exec(ctx, "INSERT OR REPLACE INTO body (key, data) VALUES (?, ?)", c.key, data); err != nil {
			return err
		}
	}
	for i := range j.frames {
		fr := &j.frames[i]
		data := fr.Data
		if data == nil {
			data = []byte{}
		}
		if err := w.c.exec(ctx, "INSERT OR REPLACE INTO frame (key, at, size, data) VALUES (?, ?, ?, ?)", fr.key, fr.At.UnixNano(), fr.word(), data); err != nil {
			return err
		}
	}
	switch j.kind {
	case jobDone, jobOpen, jobLost:
		*rev++
		j.row.Rev = *rev
		return w.flow(ctx, j)
	case jobNote:
		return w.notes(ctx, j, rev)
	case jobRemove:
		return w.remove(ctx, j)
	}
	return nil
}

// flow writes a row and, unless the flow was lost, its record.
func (w *writer) flow(ctx context.Context, j *job) error {
	r := &j.row
	if j.kind == jobDone && j.live.written { // it may have been annotated under way
		if err := w.annotated(ctx, r); err != nil {
			return err
		}
	}
	endpoint, err := w.key(ctx, w.endpoints, "endpoint", r.Endpoint)
	if err != nil {
		return err
	}
	host, err := w.key(ctx, w.hosts, "host", r.Scheme+"://"+r.Authority)
	if err != nil {
		return err
	}
	open := int64(0)
	if j.kind == jobOpen {
		open = 1
	}
	w.row = r.append(w.row[:0])
	blob := w.row
	if j.kind != jobOpen {
		// As it will be read: its strings no longer hold on to the heads that they were parts of.
		if err := r.decode(string(blob)); err != nil {
			return err
		}
	}
	args := []driver.Value{int64(r.ID), int64(r.Rev), open, endpoint, host, blob}
	insert, record := insertFlow, insertRecord
	if j.kind != jobDone || j.live.written || w.again {
		insert, record = insertFlow+replaceFlow, insertRecord+replaceRecord
	}
	if err := w.c.exec(ctx, insert, args...); err != nil {
		return err
	}
	switch j.kind {
	case jobDone:
		w.totals.flows++
		if r.Refused() {
			w.totals.refused++
		}
	case jobLost:
		from, to := bodyKey(r.ID, 0), bodyKey(r.ID+1, 0)
		return errors.Join(
			w.c.exec(ctx, "DELETE FROM record WHERE id = ?", int64(r.ID)),
			w.c.exec(ctx, "DELETE FROM body WHERE key >= ? AND key < ?", from, to),
			w.c.exec(ctx, "DELETE FROM frame WHERE key >= ? AND key < ?", from, to),
		)
	}
	client, err := w.secure(ctx, host, j.flow.Conn.ClientTLS)
	if err != nil {
		return err
	}
	origin, err := w.secure(ctx, host, j.flow.Conn.OriginTLS)
	if err != nil {
		return err
	}
	w.scratch = appendRecord(w.scratch[:0], j.flow, recordVersion)
	err = w.c.exec(ctx, record, int64(r.ID), w.scratch, client, origin)
	if cap(w.scratch) > maxScratch {
		w.scratch = nil
	}
	return err
}

const (
	insertFlow    = "INSERT INTO flow (id, rev, open, endpoint, host, row) VALUES (?, ?, ?, ?, ?, ?)"
	replaceFlow   = " ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, open = excluded.open, endpoint = excluded.endpoint, host = excluded.host, row = excluded.row"
	insertRecord  = "INSERT INTO record (id, data, client, origin) VALUES (?, ?, ?, ?)"
	replaceRecord = " ON CONFLICT (id) DO UPDATE SET data = excluded.data, client = excluded.client, origin = excluded.origin"
)

// key is the number of key in table, which gets it if it is new.
func (w *writer) key(ctx context.Context, known map[string]int64, table, key string) (int64, error) {
	if n, ok := known[key]; ok {
		return n, nil
	}
	if len(known) >= maxKnown {
		clear(known)
	}
	blob := []byte(key)
	if err := w.c.exec(ctx, fmt.Sprintf("INSERT INTO %s (key) VALUES (?) ON CONFLICT (key) DO NOTHING", table), blob); err != nil {
		return 0, err
	}
	n, err := w.c.number(ctx, fmt.Sprintf("SELECT id FROM %s WHERE key = ?", table), blob)
	if err == nil {
		known[key] = n
	}
	return n, err
}

// secure is the number of t in table tls, which gets it if it is new; nil for nil.
func (w *writer) secure(ctx context.Context, host int64, t *flow.TLS) (driver.Value, error) {
	if t == nil {
		return nil, nil
	}
	key := secure{host, t}
	if n, ok := w.secures[key]; ok {
		return n, nil
	}
	blob := encodeTLS(t)
	sum := sha256.Sum256(blob)
	digest := sum[:16]
	if err := w.c.exec(ctx, "INSERT INTO tls (host, digest, data) VALUES (?, ?, ?) ON CONFLICT (host, digest) DO NOTHING", host, digest, blob); err != nil {
		return nil, err
	}
	n, err := w.c.number(ctx, "SELECT id FROM tls WHERE host = ? AND digest = ?", host, digest)
	if err != nil {
		return nil, err
	}
	if len(w.secures) >= maxSecures {
		clear(w.secures)
	}
	w.secures[key] = n
	return n, nil
}

// rewrite writes the record of a flow that was read from the file. What is known
// of its TLS connections stays as it is, unless the record was of a layout that holds it.
func (w *writer) rewrite(ctx context.Context, id flow.ID, host int64, f *flow.Flow) error {
	client, err := w.secure(ctx, host, f.Conn.ClientTLS)
	if err != nil {
		return err
	}
	origin, err := w.secure(ctx, host, f.Conn.OriginTLS)
	if err != nil {
		return err
	}
	return w.c.exec(ctx, "UPDATE record SET data = ?, client = coalesce(?, client), origin = coalesce(?, origin) WHERE id = ?", encodeRecord(f), client, origin, int64(id))
}
