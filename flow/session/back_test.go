package session

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

// looked is what Back gave of a flow, copied.
type looked struct {
	row  Row
	flow *flow.Flow
}

func lookBack(t *testing.T, s *Store, to, from flow.ID, most int64, n int) (list []looked) {
	t.Helper()
	err := s.Back(deadline(t), to, from, most, func(r *Row, f *flow.Flow) bool {
		c := *f
		for _, m := range []**flow.Message{&c.Request, &c.Response} {
			if *m != nil {
				own := **m
				own.Body.Data = bytes.Clone(own.Body.Data)
				*m = &own
			}
		}
		list = append(list, looked{*r, &c})
		return len(list) < n
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestBackGivesWhatIsAskedForOneByOne has bodies of no, one and many chunks on
// both sides, notes, a flow under way and numbers that are missing.
func TestBackGivesWhatIsAskedForOneByOne(t *testing.T) {
	s := newSession(t, Options{})
	ctx := deadline(t)
	for i, sizes := range [][2]int{{0, 0}, {10, 0}, {0, 500}, {3 * chunkSize / 2, 700_000}, {20, 5*chunkSize + 7}, {1, 1}} {
		f := post()
		f.Request.Target = "/n"
		f.Request.SetBody(large(sizes[0]))
		f.Response = refusal()
		f.Response.SetBody(large(sizes[1]))
		id, err := s.Add(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := s.Committed(ctx, id); err != nil {
				t.Fatal(err)
			}
			if err := s.Note(id, flow.Annotation{Comment: new("seen"), Verdict: &flow.Judgement{Refused: true, Cause: "csrf-missing"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, 2); err != nil {
		t.Fatal(err)
	}
	live := s.Begin(post())
	s.Append(live, flow.Part{Kind: flow.RequestBody, Data: []byte("half of it")})
	record(s, 7) // on its way to the disk

	for _, most := range []int64{0, 100, 64 << 20} {
		all := lookBack(t, s, 1, s.Last(), most, 100)
		var order []flow.ID
		for _, l := range all {
			order = append(order, l.row.ID)
			want, err := s.Prefix(ctx, l.row.ID, most, most)
			if err != nil {
				t.Fatal(err)
			}
			row, err := s.Row(ctx, l.row.ID)
			if err != nil {
				t.Fatal(err)
			}
			if l.row.State == Done || l.row.ID == live {
				if d := cmp.Diff(row, l.row); d != "" {
					t.Errorf("row of flow %d (-one by one +back):\n%s", row.ID, d)
				}
			}
			if d := cmp.Diff(want, l.flow); d != "" {
				t.Errorf("flow %d with %d bytes (-one by one +back):\n%s", row.ID, most, d)
			}
		}
		if want := []flow.ID{8, 7, 6, 5, 4, 3, 1}; !cmp.Equal(order, want) {
			t.Errorf("they came as %v, want %v", order, want)
		}
	}
	var rows []Row
	if err := s.RowsBack(ctx, 1, s.Last(), func(r *Row) bool { rows = append(rows, *r); return true }); err != nil {
		t.Fatal(err)
	}
	page, err := s.Page(ctx, 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(page)
	if d := cmp.Diff(ids(page), ids(rows)); d != "" || rows[1].ID != live || rows[1].State == Done {
		t.Errorf("rows alone (-a page +back):\n%s", d)
	}
	n := 0
	if err := s.RowsBack(ctx, 1, s.Last(), func(*Row) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("told to stop at the third row, %d came (%v)", n, err)
	}
	if part := lookBack(t, s, 3, 5, 10, 2); len(part) != 2 || part[0].row.ID != 5 || part[1].row.ID != 4 {
		t.Errorf("a part of them, until told to stop: %v", part)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Back(ctx, 1, 8, 10, func(*Row, *flow.Flow) bool { return true }); err == nil {
		t.Error("it goes on though nobody waits")
	}
}

// TestBackGoesOnBehindABodyThatIsNotThere is a session that was moved without the file beside it.
func TestBackGoesOnBehindABodyThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.why403")
	withLarge(t, path, large(3*chunkSize))
	if err := os.Remove(path + spillSuffix); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	err = s.Back(deadline(t), 1, s.Last(), 1<<20, func(*Row, *flow.Flow) bool { n++; return true })
	if !errors.Is(err, ErrNoBody) || n != int(s.Last()) {
		t.Errorf("%d flows of %d, and the error is %v", n, s.Last(), err)
	}
}

// BenchmarkBack looks at all bodies of a session, of 2 and of 20 kB.
func BenchmarkBack(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10} {
		b.Run(flowSize(size), func(b *testing.B) {
			s, err := Create(filepath.Join(b.TempDir(), "s.why403"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			const flows = 2000
			for i := range flows {
				f, _, head, _ := sample(i)
				f.Response = head
				f.Response.SetBody(large(size))
				if _, err := s.Add(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(flows * int64(size))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if err := s.Back(context.Background(), 1, flows, 64<<20, func(_ *Row, f *flow.Flow) bool { n += len(f.Response.Body.Data); return true }); err != nil || n != flows*size {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func flowSize(n int) string { return map[bool]string{true: "small", false: "usual"}[n < 10_000] }
