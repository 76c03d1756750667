package ui

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

func many(n int) *fakeFeed {
	f := newFake()
	f.rows = make([]session.Row, 0, n)
	for i := range n {
		r := session.Row{ID: flow.ID(i + 1), Rev: session.Rev(i + 1), State: session.Done, Start: day, Duration: 38 * time.Millisecond, Method: "GET",
			Scheme: "https", Authority: "api.shop.test", Target: fmt.Sprintf("/v1/items/%d?expand=all", i), Status: 200}
		if i%50 == 49 {
			r.Method, r.Status = "POST", 403
			r.Verdict = &flow.Judgement{Refused: true, Headline: "CSRF header missing"}
		}
		f.rows = append(f.rows, r)
	}
	f.rev = session.Rev(n)
	fl := request(0, "POST", "https://api.shop.test/v1/orders", `{"a":1}`)
	fl.Response = response(403, "Forbidden", "application/json", `{"detail":"no"}`)
	for i := range n {
		f.flows[flow.ID(i+1)] = fl
	}
	return f
}

// BenchmarkKeyToFrame is the work between a key and its frame, with 100,000 flows.
func BenchmarkKeyToFrame(b *testing.B) {
	s := play(b, many(100_000), 160, 45)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := "k"
		if i%2 == 0 {
			k = "j"
		}
		s.m.Update(keyPress(k))
		s.m.View()
	}
}

// BenchmarkBatch is the work for a batch of 17 rows (500 a second at one batch in 33 ms) and its frame.
func BenchmarkBatch(b *testing.B) {
	s := play(b, many(100_000), 160, 45)
	batch := make([]session.Row, 17)
	b.ReportAllocs()
	last := flow.ID(100_000)
	rev := session.Rev(100_000)
	for b.Loop() {
		for i := range batch {
			last++
			rev++
			batch[i] = s.feed.rows[i]
			batch[i].ID, batch[i].Rev = last, rev
		}
		s.m.Update(rowsMsg{batch, rev, last, s.m.stats})
		s.m.View()
	}
}

// BenchmarkFilterFirst is the time to the first screen of a filter over 100,000 flows.
func BenchmarkFilterFirst(b *testing.B) {
	s := play(b, many(100_000), 160, 45)
	for i := 0; b.Loop(); i++ {
		s.m.setFilter("")
		cmd := s.m.setFilter("method:post status:403")
		s.m.scanCame(cmd().(scanMsg))
		s.m.View()
	}
}

// BenchmarkFilterOldest is the time to the end of a filter's scan over a session of 100,000 flows, of which only the oldest fit.
func BenchmarkFilterOldest(b *testing.B) {
	const flows = 100_000
	store, err := session.Temporary(session.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	for i := range flows {
		f := request(time.Duration(i)*time.Millisecond, "GET", fmt.Sprintf("https://api.shop.test/v1/items/%d", i), "")
		f.Response = response(200, "OK", "application/json", "")
		if _, err := store.Add(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	match := newMatches("id:<60", compiled(b, "id:<60"), sorting{}, flows)
	for b.Loop() {
		found := 0
		for next := flow.ID(flows); next > 0; {
			msg := lookAtRows(b.Context(), store, match, next, day)
			if msg.err != nil {
				b.Fatal(msg.err)
			}
			found += len(msg.ids)
			next = msg.next
		}
		if found != 59 {
			b.Fatalf("%d flows were found", found)
		}
	}
}

// BenchmarkLargeBody is a page down in 8 MB of JSON.
func BenchmarkLargeBody(b *testing.B) {
	var data bytes.Buffer
	data.WriteByte('[')
	for i := 0; data.Len() < 8<<20; i++ {
		if i > 0 {
			data.WriteByte(',')
		}
		fmt.Fprintf(&data, `{"id":%d,"name":"item %d","price":17.40,"tags":["a","b"]}`, i, i)
	}
	data.WriteByte(']')
	m := response(200, "OK", "application/json", data.String())
	doc := bodyDoc(dark(), m, false)
	n := doc.rows(70)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for k := range 40 {
			l := row(70)
			doc.draw(dark(), (i*40+k)%n, l)
			l.end()
		}
	}
}

// BenchmarkSortedBatch is the work for a batch of 17 new rows in a list of 100,000 that is sorted.
func BenchmarkSortedBatch(b *testing.B) {
	o := newOrder(sorting{byTook, true})
	for i := range 100_000 {
		o.put(flow.ID(i+1), sortKey{n: int64(i * 7919 % 100_003)})
	}
	next := flow.ID(o.len())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for k := range 17 {
			next++
			o.put(next, sortKey{n: int64((i + k) * 104_729 % 100_003)})
			o.drop(next - 17)
		}
		o.len()
	}
}
