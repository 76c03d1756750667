package ui

import (
	"testing"
	"time"
)

func TestNextRefusalAcrossMoreThanMemoryHolds(t *testing.T) {
	f := newFake()
	for i := range 9000 {
		status := 200
		if i == 17 || i == 8500 {
			status = 403
		}
		f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(status, "", "", ""))
	}
	s := play(t, f, 140, 30)
	s.press("N")
	if s.m.list.cur != 8501 {
		t.Fatalf("N went to %d", s.m.list.cur)
	}
	s.press("N")
	if s.m.list.cur != 18 {
		t.Fatalf("N went to %d", s.m.list.cur)
	}
	s.press("N")
	s.sees("past the first refusal: from the bottom again")
	if s.m.list.cur != 8501 {
		t.Fatalf("N before the first went to %d", s.m.list.cur)
	}
	s.press("n")
	s.sees("past the last refusal: from the top again")
	if s.m.list.cur != 18 {
		t.Fatalf("n after the last went to %d", s.m.list.cur)
	}
	s.press("/")
	s.write("id:18")
	s.press("enter", "n")
	s.sees("this is the only refusal among the flows shown")
	s.press("/", "ctrl+u")
	s.write("status:200")
	s.press("enter", "n")
	s.sees("no refusal among the flows shown")
	if n := len(s.m.list.rows.have); n > keepRows {
		t.Errorf("%d rows are in memory", n)
	}
}

func TestTheSearchForARefusalIsAsWideAsTheList(t *testing.T) {
	for _, c := range []struct {
		name    string
		refused []int // of 3000 flows, from 0
		from    int
		down    bool
		want    int
	}{
		{"a page away", []int{5, 1500}, 5, true, 1500},
		{"just behind a page", []int{0, 1001}, 0, true, 1001},
		{"upwards over a page", []int{3, 2900}, 2900, false, 3},
		{"around the end, to one before the cursor", []int{7}, 2000, true, 7},
		{"around the start, to one behind the cursor", []int{2999}, 10, false, 2999},
		{"the one under the cursor", []int{1234}, 1234, true, 1234},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			for i := range 3000 {
				status := 200
				for _, r := range c.refused {
					if r == i {
						status = 403
					}
				}
				f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(status, "", "", ""))
			}
			s := play(t, f, 140, 30)
			s.m.list.place(f.rows[c.from].ID)
			key := "N"
			if c.down {
				key = "n"
			}
			s.press(key)
			if got := int(s.m.list.cur) - 1; got != c.want {
				t.Errorf("it went to %d, want %d", got, c.want)
			}
		})
	}
}

func TestPressesWhileARefusalIsLookedFor(t *testing.T) {
	f := newFake()
	for i := range 12 {
		status := 200
		if i%2 == 1 {
			status = 403
		}
		f.done(request(0, "GET", "https://a.test/x", ""), time.Millisecond, response(status, "", "", ""))
	}
	s := play(t, f, 140, 30)
	s.press("g")
	_, looking := s.m.Update(keyPress("n"))
	s.press("n", "n", "N", "n")
	if s.m.list.cur != 1 {
		t.Fatalf("went to %d before the first was found", s.m.list.cur)
	}
	s.tell(looking())
	if s.m.list.cur != 6 {
		t.Errorf("n n n N n went to %d, want the third refusal", s.m.list.cur)
	}
}

func TestTheNextRefusalOpensWithWhy(t *testing.T) {
	for _, key := range []string{"n", "N"} {
		s := play(t, shop(), 140, 40)
		s.press("k", "l", "l", "l")
		if s.m.inspector.tab != tabResponse {
			t.Fatalf("the tab is %v", s.m.inspector.tab)
		}
		s.press("k")
		if s.m.inspector.tab != tabResponse {
			t.Error("a tab that was chosen is left when the cursor moves on")
		}
		s.press(key)
		if s.m.inspector.tab != tabWhy {
			t.Errorf("%s leaves the tab %s open", key, tabNames[s.m.inspector.tab])
		}
	}
}

func TestATabChosenWhileARefusalIsLookedForStays(t *testing.T) {
	s := play(t, shop(), 140, 40)
	s.press("g")
	_, looking := s.m.Update(keyPress("n"))
	s.press("d")
	s.tell(looking())
	if s.m.inspector.tab != tabDiff {
		t.Errorf("the tab %s is open, want the one that was chosen after n", tabNames[s.m.inspector.tab])
	}
}
