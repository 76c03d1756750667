package ui

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// TestOrderIsThatOfASort changes an order at random and compares it with a plain sort.
func TestOrderIsThatOfASort(t *testing.T) {
	for _, down := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 2))
		o := newOrder(sorting{byHost, down})
		have := map[flow.ID]sortKey{}
		for step := range 2000 {
			id := flow.ID(1 + rng.IntN(200))
			if rng.IntN(4) == 0 {
				o.drop(id)
				delete(have, id)
			} else {
				k := sortKey{n: int64(rng.IntN(5)), s: string(rune('a' + rng.IntN(3)))}
				o.put(id, k)
				have[id] = k
			}
			if step%7 != 0 {
				continue
			}
			var want []placed
			for id, k := range have {
				want = append(want, placed{id, k})
			}
			slices.SortFunc(want, func(a, b placed) int {
				if a.n != b.n || a.s != b.s {
					less := a.n < b.n || a.n == b.n && a.s < b.s
					if less != down {
						return -1
					}
					return 1
				}
				return int(a.id - b.id)
			})
			if o.len() != len(want) {
				t.Fatalf("step %d: %d flows, want %d", step, o.len(), len(want))
			}
			for i, p := range want {
				if o.at(i) != p.id {
					t.Fatalf("step %d: row %d is %d, want %d", step, i, o.at(i), p.id)
				}
				if at, ok := o.index(p.id); !ok || at != i {
					t.Fatalf("step %d: %d is said to be at %d, not %d", step, p.id, at, i)
				}
			}
		}
	}
}

// paths are the paths on the screen from above.
func paths(s *stage) []string {
	var out []string
	for _, row := range strings.Split(s.screen(), "\n") {
		for _, word := range strings.Fields(row) {
			if strings.HasPrefix(word, "/n/") {
				out = append(out, word)
				break
			}
		}
	}
	return out
}

func fifty() *fakeFeed {
	f := newFake()
	for i := range 50 {
		took := time.Duration(1+(i*17)%50) * time.Second
		status := 200
		if i%20 == 7 {
			status = 403
		}
		f.done(request(time.Duration(i)*time.Second, "GET", fmt.Sprintf("https://h.test/n/%02d", (i*17)%50), ""), took, response(status, "", "", ""))
	}
	return f
}

func TestSortByWhatTookLongest(t *testing.T) {
	s := play(t, fifty(), 80, 20)
	s.press("o")
	s.sees("Sort by", "time taken")
	s.press("t")
	if got := paths(s); len(got) < 5 || got[0] != "/n/49" || got[1] != "/n/48" {
		t.Fatalf("longest first: %v", got)
	}
	s.sees("took↓", "by time taken ↓")

	s.feed.done(request(time.Minute, "GET", "https://h.test/n/99", ""), time.Minute, response(200, "", "", ""))
	s.arrive()
	if got := paths(s); got[0] != "/n/99" || s.m.list.cur != 51 {
		t.Errorf("the longest came, the cursor is on %d: %v", s.m.list.cur, got)
	}

	s.press("j", "j")
	at := s.m.list.cur
	s.feed.done(request(time.Minute, "GET", "https://h.test/n/98", ""), 55*time.Second, response(200, "", "", ""))
	s.arrive()
	if s.m.list.cur != at {
		t.Errorf("a cursor that was moved went from %d to %d", at, s.m.list.cur)
	}

	s.press("o", "t")
	if got := paths(s); got[0] != "/n/00" {
		t.Errorf("the other way round: %v", got)
	}
	s.press("esc")
	if s.m.list.match != nil {
		t.Error("esc does not end the order")
	}
	s.seesNot("by time taken")
}

func TestSortWithAFilter(t *testing.T) {
	s := play(t, fifty(), 80, 20)
	s.press("/")
	s.write("status:403")
	s.press("enter", "o", "p")
	if got := paths(s); !slices.IsSorted(got) || len(got) != 3 {
		t.Errorf("refused ones by path: %v", got)
	}
	s.press("1") // all, and still by path
	if got := paths(s); !slices.IsSorted(got) || got[0] != "/n/00" {
		t.Errorf("all by path: %v", got)
	}
	var refused []string
	for range 3 {
		s.press("n")
		refused = append(refused, s.m.list.current().Target)
	}
	if !slices.IsSorted(refused) || len(slices.Compact(refused)) != 3 {
		t.Errorf("n follows the order on the screen: %v", refused)
	}
	s.press("n")
	s.sees("past the last refusal: from the top again")
	if got := s.m.list.current().Target; got != refused[0] {
		t.Errorf("n after the last goes to %s, not to the first, %s", got, refused[0])
	}
	s.press("N")
	s.sees("past the first refusal: from the bottom again")
	if got := s.m.list.current().Target; got != refused[2] {
		t.Errorf("N before the first goes to %s, not to the last, %s", got, refused[2])
	}
}

func TestNewestFirst(t *testing.T) {
	s := play(t, fifty(), 80, 20)
	s.press("o", "#")
	if s.m.list.at(0) != 50 || s.m.list.cur != 50 {
		t.Errorf("first row is %d", s.m.list.at(0))
	}
	s.feed.add(request(time.Minute, "GET", "https://h.test/n/77", ""), session.Waiting)
	s.arrive()
	if s.m.list.cur != 51 {
		t.Errorf("the newest is %d", s.m.list.cur)
	}
	s.press("o", "#")
	if s.m.list.match != nil {
		t.Error("# again is the usual order")
	}
}

func TestAClickOnAColumnSorts(t *testing.T) {
	s := play(t, fifty(), 140, 30)
	head := strings.Split(s.screen(), "\n")[3]
	for name, want := range map[string]sortBy{"path": byPath, "method": byMethod, "st ": byStatus, "took": byTook, "why": byWhy, "host": byHost} {
		at := strings.Index(head, name)
		if at < 0 {
			continue
		}
		s.tell(tea.MouseClickMsg{X: ansi.StringWidth(head[:at]) + 1, Y: 3, Button: tea.MouseLeft})
		if s.m.sorting.by != want {
			t.Errorf("%s: sorted by %d, want %d", name, s.m.sorting.by, want)
		}
	}
}

func TestColumnsAreChosen(t *testing.T) {
	s := play(t, fifty(), 220, 30)
	s.press("C")
	s.sees("Columns", "[x] took", "[ ] size")
	s.press("b", "c", "t", "esc")
	head := strings.Split(s.screen(), "\n")[3]
	for name, want := range map[string]bool{"size": true, "type": true, "time": false, "took": true, "method": true} {
		if strings.Contains(head, name) != want {
			t.Errorf("%s: want %v in %q", name, want, head)
		}
	}
	for text, want := range map[string]columnSet{"": usualColumns, "size, Type": sizeColumn | typeColumn, "time,host,size,type,took": usualColumns | sizeColumn | typeColumn} {
		if got, err := ParseColumns(text); err != nil || got.set != want {
			t.Errorf("%q: %b %v", text, got.set, err)
		}
	}
	if _, err := ParseColumns("size,colour"); err == nil || !strings.Contains(err.Error(), "colour") || !strings.Contains(err.Error(), "took") {
		t.Errorf("a column that there is not: %v", err)
	}
}

func TestEndpointsWithTheirRefusals(t *testing.T) {
	f := newFake()
	for i := range 30 {
		status := 201
		if i%3 == 0 {
			status = 403
		}
		f.done(request(time.Minute, "POST", fmt.Sprintf("https://h.test/orders/%d", 100+i), ""), time.Second, response(status, "", "", ""))
		f.done(request(time.Minute, "GET", "https://h.test/cart", ""), time.Second, response(200, "", "", ""))
	}
	s := play(t, f, 140, 30)
	s.press("E")
	s.sees("Endpoints", "POST https://h.test/orders/{}", "33 %", "2 endpoints")
	if e := s.m.dialogs[0].(*endpoints); e.list[0].refused != 10 || e.list[1].refused != 0 {
		t.Errorf("the most refused stands first: %+v %+v", e.list[0], e.list[1])
	}
	s.press("enter")
	if n := s.m.list.len(); n != 30 {
		t.Errorf("the filter shows %d flows", n)
	}
	s.seesNot("/cart")
}
