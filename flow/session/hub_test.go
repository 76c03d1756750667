package session

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/why403/why403/flow"
)

func ids(rows []Row) (list []flow.ID) {
	for i := range rows {
		list = append(list, rows[i].ID)
	}
	return list
}

// catchUp reads all changes after rev, a few at a time, and checks their order.
func catchUp(t *testing.T, s *Store, rev Rev, most int) (rows []Row, last Rev) {
	t.Helper()
	for range 1_000_000 {
		list, next := s.Since(rev, most)
		if len(list) > most {
			t.Fatalf("%d rows, asked for %d", len(list), most)
		}
		for i := range list {
			if list[i].Rev <= rev || list[i].Rev > next || i > 0 && list[i].Rev <= list[i-1].Rev {
				t.Fatalf("after %d up to %d: row %d has %d", rev, next, i, list[i].Rev)
			}
		}
		rows = append(rows, list...)
		if rev = next; len(list) == 0 {
			return rows, rev
		}
	}
	t.Fatal("no end of changes")
	return nil, 0
}

func TestReaderFarBehindIsServedFromTheFileAndMissesNothing(t *testing.T) {
	s := newSession(t, Options{})
	hanging := s.Begin(post()) // its only change is soon far behind
	const n = 3 * recentRows
	for i := range n {
		record(s, i)
		if i == n/2 {
			s.mu.Lock()
			s.pushOpen(s.of[hanging]) // as it is written after a second: with a late revision, though nothing new can be seen
			s.mu.Unlock()
		}
		if i%1000 == 0 {
			if err := s.Flush(deadline(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Flush(deadline(t)); err != nil {
		t.Fatal(err)
	}
	late := s.Begin(post())
	if err := s.Note(5, flow.Annotation{Mark: new(true)}); err != nil {
		t.Fatal(err)
	}
	rows, rev := catchUp(t, s, 0, 100)
	if rev != s.Rev() || len(rows) != n+2 {
		t.Errorf("%d rows up to %d, want %d up to %d", len(rows), rev, n+2, s.Rev())
	}
	if last := rows[len(rows)-2:]; last[0].ID != late || last[1].ID != 5 || !last[1].Marked {
		t.Errorf("the last changes: %+v", last)
	}
	seen := ids(rows)
	slices.Sort(seen)
	if len(slices.Compact(seen)) != n+2 || seen[0] != hanging {
		t.Error("a flow is missing, or came twice")
	}
	s.mu.Lock()
	held := len(s.of)
	s.mu.Unlock()
	if held > recentRows+2 {
		t.Errorf("%d rows in memory", held)
	}
}

func TestChangedWakesAndSinceNeverMissesAChange(t *testing.T) {
	s := newSession(t, Options{})
	ctx := deadline(t)
	const writers, each = 4, 300
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				id := record(s, i)
				if i%50 == 0 {
					if err := s.Note(id, flow.Annotation{Comment: new("seen")}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	// Others look meanwhile.
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				last := s.Last()
				if last == 0 {
					continue
				}
				if f, err := s.Flow(ctx, last); err != nil || f.Request.Target == "" {
					t.Errorf("flow %d: %v", last, err)
				}
				if rows, err := s.Page(ctx, max(1, last-20), 30); err != nil || len(rows) == 0 {
					t.Errorf("page: %v", err)
				}
				if _, err := s.History(ctx, "POST https://api1.test/orders/{}/items", last, 10); err != nil {
					t.Error(err)
				}
				s.Stats()
			}
		})
	}
	state := map[flow.ID]Row{}
	done, comments := 0, 0
	for rev := Rev(0); done < writers*each || comments < writers*each/50; {
		select {
		case <-s.Changed(rev):
		case <-ctx.Done():
			t.Fatalf("%d done, %d comments", done, comments)
		}
		var rows []Row
		rows, rev = s.Since(rev, 64)
		for _, r := range rows {
			before := state[r.ID]
			if before.State == Done && r.State != Done {
				t.Fatalf("flow %d was done and is %v", r.ID, r.State)
			}
			if before.State != Done && r.State == Done {
				done++
			}
			if before.Comment == "" && r.Comment != "" {
				comments++
			}
			state[r.ID] = r
		}
	}
	close(stop)
	wg.Wait()
	readers.Wait()
	if st := s.Stats(); st.Flows != writers*each || st.Live != 0 || st.Queued != 0 || st.NotKept != 0 {
		t.Errorf("%+v", st)
	}
}

func TestPageHistoryAndScanShowLiveAndCommittedOnce(t *testing.T) {
	s := newSession(t, Options{})
	ctx := deadline(t)
	written := s.Begin(post()) // under way, but on disk already
	if err := s.Note(written, flow.Annotation{Mark: new(true)}); err != nil {
		t.Fatal(err)
	}
	other := post()
	other.Authority = "other.test"
	done, elsewhere := s.Begin(post()), s.Begin(other)
	s.End(done, flow.Outcome{Response: refusal()})
	s.End(elsewhere, flow.Outcome{Response: refusal()})
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	live := s.Begin(post())
	s.Append(live, flow.Part{Kind: flow.ResponseHead, Head: refusal()})

	key := flow.Endpoint(post())
	for _, c := range []struct {
		name string
		get  func() ([]Row, error)
		want []flow.ID
	}{
		{"page", func() ([]Row, error) { return s.Page(ctx, 0, 10) }, []flow.ID{1, 2, 3, 4}},
		{"page from", func() ([]Row, error) { return s.Page(ctx, 2, 2) }, []flow.ID{2, 3}},
		{"history", func() ([]Row, error) { return s.History(ctx, key, 100, 10) }, []flow.ID{4, 2, 1}},
		{"history before", func() ([]Row, error) { return s.History(ctx, key, live, 1) }, []flow.ID{2}},
		{"scan", func() (list []Row, err error) {
			err = s.Scan(ctx, func(r *Row) bool { list = append(list, *r); return true })
			return list, err
		}, []flow.ID{1, 2, 3, 4}},
		{"scan that stops", func() (list []Row, err error) {
			err = s.Scan(ctx, func(r *Row) bool { list = append(list, *r); return len(list) < 2 })
			return list, err
		}, []flow.ID{1, 2}},
	} {
		rows, err := c.get()
		if d := cmp.Diff(c.want, ids(rows)); d != "" || err != nil {
			t.Errorf("%s: %v %s", c.name, err, d)
		}
		for _, r := range rows {
			want := map[flow.ID]State{written: Waiting, live: Streaming, done: Done, elsewhere: Done}[r.ID]
			if r.State != want || r.Marked != (r.ID == written) {
				t.Errorf("%s: %+v", c.name, r)
			}
		}
	}
	for _, c := range []struct {
		name string
		get  func() ([]flow.ID, error)
		want []flow.ID
	}{
		{"history", func() ([]flow.ID, error) { return s.HistoryIDs(ctx, key, 100, 10) }, []flow.ID{4, 2, 1}},
		{"history before", func() ([]flow.ID, error) { return s.HistoryIDs(ctx, key, live, 1) }, []flow.ID{2}},
		{"history of host", func() ([]flow.ID, error) { return s.HistoryIDsOfHost(ctx, "https", "other.test", 100, 10) }, []flow.ID{3}},
		{"nothing", func() ([]flow.ID, error) { return s.HistoryIDsOfHost(ctx, "https", "none.test", 100, 10) }, []flow.ID{}},
	} {
		if got, err := c.get(); err != nil || cmp.Diff(c.want, got) != "" {
			t.Errorf("the numbers alone, %s: %v %v", c.name, got, err)
		}
	}
	// A mark set while it was under way is still there when it has ended.
	s.End(written, flow.Outcome{})
	if err := s.Committed(ctx, written); err != nil {
		t.Fatal(err)
	}
	if r := rowFor(t, s, written); !r.Marked || r.State != Done {
		t.Errorf("%+v", r)
	}
}

func TestVerdictDecidesWhatCountsAsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{401, 403, 200, 404} {
		m := refusal()
		m.Status = status
		id := s.Begin(post())
		s.End(id, flow.Outcome{Response: m})
	}
	verdict := func(refused bool) flow.Annotation {
		return flow.Annotation{Verdict: &flow.Judgement{Ruleset: "1", Refused: refused}}
	}
	if err := s.NoteAll(deadline(t), []Noted{{1, verdict(false)}, {3, verdict(true)}, {2, verdict(true)}, {2, flow.Annotation{Mark: new(true)}}}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Refused != 2 || st.Flows != 4 {
		t.Errorf("a challenge is none, a refusal in a 200 is one: %+v", st)
	}
	if r := rowFor(t, s, 2); !r.Marked || r.Verdict == nil {
		t.Errorf("two notes on one flow in one go: %+v", r)
	}
	err = s.NoteAll(deadline(t), []Noted{{4, verdict(true)}, {44, verdict(true)}})
	if r := rowFor(t, s, 4); !errors.Is(err, ErrNoFlow) || r.Verdict != nil {
		t.Errorf("one of them unknown: %v %+v", err, r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Refused != 2 || st.Flows != 4 {
		t.Errorf("read again: %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestMessagesOfAnUpgradedConnection(t *testing.T) {
	s := newSession(t, Options{})
	ctx := deadline(t)
	id := s.Begin(post())
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var want []Frame
	for i := range 600 {
		fr := Frame{FromClient: i%2 == 0, Kind: flow.FrameKind(i % 10), At: at.Add(time.Duration(i)), Data: fmt.Appendf(nil, "message %d", i)}
		switch fr.Size = int64(len(fr.Data)); i % 5 {
		case 0:
			fr.Packed, fr.Size = true, 5
		case 1:
			fr.Cut, fr.Size = true, 1<<40
		}
		want = append(want, fr)
		p := flow.FramePart(fr)
		p.Data = bytes.Clone(fr.Data)
		s.Append(id, p)
	}
	want[0].Size, want[0].Data = 5, []byte("message 0")
	prefix := slices.Clone(want[100:550])
	for i := range prefix {
		prefix[i].Data = prefix[i].Data[:7]
	}
	for _, when := range []string{"under way", "done"} {
		got, err := s.Frames(ctx, id, 100, 450, 0)
		if d := cmp.Diff(want[100:550], got); d != "" || err != nil {
			t.Errorf("%s: %v %s", when, err, d)
		}
		if got, err = s.Frames(ctx, id, 100, 450, 7); !cmp.Equal(prefix, got) || err != nil {
			t.Errorf("%s: %v %s", when, err, cmp.Diff(prefix, got))
		}
		if got, err = s.Frames(ctx, id, 599, 3, 0); len(got) != 1 || err != nil {
			t.Errorf("%s: the last: %v %v", when, got, err)
		}
		if n, err := s.FrameCount(ctx, id); n != 600 || err != nil {
			t.Errorf("%s: %d messages, %v", when, n, err)
		}
		s.End(id, flow.Outcome{})
		if err := s.Committed(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	if r := rowFor(t, s, id); r.ReqBytes == 0 || r.RespBytes == 0 || !r.Cut {
		t.Errorf("sizes: %+v", r)
	}
	if n, err := s.FrameCount(ctx, 77); n != 0 || err != nil {
		t.Errorf("of no flow: %d %v", n, err)
	}
}

func TestMessagesBeyondTheLimitAreNotKeptAndSaidToBeMissing(t *testing.T) {
	s := newSession(t, Options{MaxBody: 1000})
	ctx := deadline(t)
	id := s.Begin(post())
	for range 20 {
		s.Append(id, flow.Part{Kind: flow.OriginFrame, Data: make([]byte, 100), Frame: flow.BinaryMessage})
	}
	got, err := s.Frames(ctx, id, 0, 100, 0)
	if err != nil || len(got) != 7 || got[6].Kind != flow.Remark || !strings.Contains(string(got[6].Data), "were not kept") {
		t.Errorf("%v: %d messages, the last %+v", err, len(got), got[len(got)-1])
	}
	s.Append(id, flow.Part{Kind: flow.OriginFrame, Data: []byte("data: 1\n"), Frame: flow.ServerEvent})
	if r := rowFor(t, s, id); !r.Cut || r.RespBytes != 2000 {
		t.Errorf("the row says %d bytes, cut: %v", r.RespBytes, r.Cut)
	}
}

func TestAddedFlowIsReadAsItWas(t *testing.T) {
	s := newSession(t, Options{QueueBytes: 4096})
	ctx := deadline(t)
	f := everything()
	f.Request.Body = flow.Body{Framing: flow.ByLength, Size: 12, Kept: 12, Data: []byte("hello\x00world\xff")}
	f.Response.Body = flow.Body{Framing: flow.UntilClose, Size: 2 << 20, Kept: 700_000, Data: bytes.Repeat([]byte("0123456789"), 70_000)}
	f.Frames = []flow.Frame{
		{FromClient: true, Kind: flow.TextMessage, At: time.Unix(1, 5), Size: 3, Data: []byte("hi!")},
		{Kind: flow.CloseMessage, At: time.Unix(2, 0), Data: []byte{}},
	}
	var last flow.ID
	for range 3 { // each is more than the queue holds: Add waits, and cuts nothing
		var err error
		if last, err = s.Add(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Committed(ctx, last); err != nil {
		t.Fatal(err)
	}
	got, err := s.Flow(ctx, last)
	if !bytes.Equal(got.Response.Body.Data, f.Response.Body.Data) {
		t.Error("the body differs")
	}
	f.Response.Body.Data, got.Response.Body.Data = nil, nil
	messages, err2 := s.Frames(ctx, last, 0, 10, 0)
	if got.Frames = messages; err2 != nil {
		t.Error(err2)
	}
	if d := cmp.Diff(f, got, cmpopts.IgnoreFields(flow.Flow{}, "ID"), cmpopts.EquateEmpty()); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if r := rowFor(t, s, last); r.State != Done || !r.Cut || r.Parent != 41 {
		t.Errorf("%+v", r)
	}
}

func TestLargeBodyStaysOutOfMemory(t *testing.T) {
	s := newSession(t, Options{MaxBody: 1 << 30, QueueBytes: 8 << 20})
	ctx := deadline(t)
	id := s.Begin(post())
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	before := heap()
	const parts, part = 1024, 64 << 10 // 64 MiB
	most := int64(0)
	for i := range parts {
		s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: bytes.Repeat([]byte{byte(i)}, part)})
		if i%64 == 63 { // a sender slower than the disk
			if err := s.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			most = max(most, heap()-before)
		}
	}
	s.End(id, flow.Outcome{})
	if err := s.Committed(ctx, id); err != nil {
		t.Fatal(err)
	}
	b, n, err := s.Body(ctx, id, ResponseSide)
	if err != nil || n != parts*part {
		t.Fatalf("%v, %d bytes", err, n)
	}
	buf := make([]byte, part)
	for i := range parts {
		for read := 0; read < part; {
			k, err := b.Read(buf[read:])
			if err != nil {
				t.Fatalf("part %d: %v", i, err)
			}
			read += k
		}
		if buf[0] != byte(i) || buf[part-1] != byte(i) {
			t.Fatalf("part %d is another", i)
		}
	}
	most = max(most, heap()-before)
	if most > 16<<20 {
		t.Errorf("the heap grew by %d MB", most>>20)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first made free of pools and finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestHeapDoesNotGrowWithTheSession(t *testing.T) {
	s := newSession(t, Options{})
	grow := func(n int) int64 {
		for i := range n {
			record(s, i)
			if i%1000 == 999 {
				if err := s.Flush(deadline(t)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return heap()
	}
	first := grow(5000)
	if then := grow(15_000); then > first+first/10+512<<10 {
		t.Errorf("%d KB with 5,000 flows, %d KB with 20,000", first>>10, then>>10)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, writable := range []bool{true, false} {
		path := saved(t, filepath.Join(t.TempDir(), "run.why403"), 3)
		s, err := Open(path, Options{Writable: writable})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Page(deadline(t), 1, 10); err != nil {
			t.Fatal(err)
		}
		changed := s.Changed(s.Rev())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		<-changed
		if err := s.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		// What comes after Close does no harm.
		id := record(s, 1)
		if _, err := s.Flow(deadline(t), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
		if err := s.Committed(deadline(t), id); err == nil {
			t.Error("a flow recorded after Close counts as committed")
		}
		if err := s.Note(1, flow.Annotation{Mark: new(true)}); err == nil {
			t.Error("a note after Close")
		}
	}
	for ctx := deadline(t); runtime.NumGoroutine() > before; runtime.Gosched() {
		if ctx.Err() != nil {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestMigrationsBringAnOldFileUpToDate(t *testing.T) {
	path := saved(t, filepath.Join(t.TempDir(), "run.why403"), 2)
	before, oldest := migrations, readable
	t.Cleanup(func() { migrations, readable = before, oldest })
	readable = len(before) + 1
	migrations = append(slices.Clone(before), "ALTER TABLE session ADD COLUMN extra INTEGER NOT NULL DEFAULT 7")
	if _, err := Open(path, Options{}); !errors.Is(err, ErrOlder) {
		t.Errorf("opened for reading, nothing is changed: %v", err)
	}
	s, err := Open(path, Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := s.Page(deadline(t), 1, 10); err != nil || len(rows) != 2 {
		t.Errorf("%v %+v", err, rows)
	}
	if err := s.read(deadline(t), func(c *conn) error {
		n, err := c.number(deadline(t), "SELECT extra FROM session")
		if n != 7 {
			t.Errorf("extra is %d", n)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	migrations = append(slices.Clone(migrations), "CREATE TABLE frame (again)") // does not succeed
	if _, err := Open(path, Options{Writable: true}); err == nil || !strings.Contains(err.Error(), fmt.Sprint("version ", len(migrations))) {
		t.Errorf("a step that does not succeed: %v", err)
	}
	migrations = migrations[:len(before)+1]
	if s, err = Open(path, Options{Writable: true}); err != nil {
		t.Fatalf("it leaves the file as it was: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
