package session

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// sample is a flow of usual size: a request and a response head of about 600
// bytes each, and bodies of 100 and 500 bytes.
func sample(i int) (*flow.Flow, []byte, *flow.Message, []byte) {
	f := post()
	f.Request.Target = fmt.Sprintf("/orders/%d/items", i)
	f.Authority = fmt.Sprintf("api%d.test", i%7)
	head := []byte("HTTP/1.1 200 OK\r\n")
	var h flow.Header
	for _, line := range []string{"Content-Type: application/json; charset=utf-8", "Date: Sun, 01 Mar 2026 12:00:00 GMT", "Server: nginx/1.27.4",
		"Cache-Control: no-store, max-age=0", "X-Request-Id: 9b2f7d1c0a7e4f0c8d1e2f3a4b5c6d7e", "Strict-Transport-Security: max-age=31536000; includeSubDomains",
		"Content-Security-Policy: default-src 'self'; img-src *; object-src 'none'", "Set-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; Secure", "Content-Length: 500"} {
		raw := line + "\r\n"
		var name, value string
		for k := range line {
			if line[k] == ':' {
				name, value = line[:k], line[k+2:]
				break
			}
		}
		h = append(h, flow.Field{Name: name, Value: value, Raw: raw})
		head = append(head, raw...)
	}
	head = append(head, "\r\n"...)
	resp := &flow.Message{Proto: "HTTP/1.1", Status: 200, Reason: "OK", Header: h, Head: head, Body: flow.Body{Framing: flow.ByLength}}
	return f, make([]byte, 100), resp, make([]byte, 500)
}

func record(s *Store, i int) flow.ID {
	f, req, head, resp := sample(i)
	id := s.Begin(f)
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: req})
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: head})
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: resp})
	s.End(id, flow.Outcome{Times: flow.Timings{Start: f.Times.Start, End: f.Times.Start.Add(20 * time.Millisecond)},
		Conn: flow.Conn{Client: "127.0.0.1:51234", Local: "127.0.0.1:8403", Origin: "127.0.0.1:443", Target: "api.test:443"}})
	return id
}

// fill makes a session of n flows, one in fifty of them refused.
func fill(b testing.TB, n int) *Store {
	b.Helper()
	s, err := Create(filepath.Join(b.TempDir(), "run.why403"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	ctx := context.Background()
	for i := range n {
		f, _, head, _ := sample(i)
		if i%50 == 0 {
			head.Status = 403
		}
		f.Response = head
		if _, err := s.Add(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkRecord is a flow from Begin to disk, as part of a stream of them.
func BenchmarkRecord(b *testing.B) {
	s := fill(b, 0)
	b.ReportAllocs()
	start := processorTime()
	b.ResetTimer()
	for i := range b.N {
		record(s, i)
	}
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if st := s.Stats(); st.Flows != int64(b.N) || st.NotKept != 0 {
		b.Errorf("not everything was kept: %+v", st)
	}
}

// BenchmarkMakeSample is the part of BenchmarkRecord that is not the session's.
func BenchmarkMakeSample(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		sample(i)
	}
}

func BenchmarkBody(b *testing.B) {
	s := fill(b, 0)
	s.o.MaxBody = 1 << 40
	const part = 32 << 10
	b.SetBytes(part)
	f, _, head, _ := sample(0)
	id := s.Begin(f)
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: head})
	start := processorTime()
	b.ResetTimer()
	for i := range b.N {
		s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: make([]byte, part)})
		if i%512 == 511 {
			if err := s.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	s.End(id, flow.Outcome{})
	if err := s.Committed(context.Background(), id); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-start).Nanoseconds())/float64(b.N)*(1<<20)/part, "cpu-ns/MB")
	if r, _ := s.Row(context.Background(), id); r.Cut {
		b.Error("the body was cut")
	}
}

func BenchmarkScan100k(b *testing.B) {
	s := fill(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		refused := 0
		if err := s.Scan(context.Background(), func(r *Row) bool {
			if r.Refused() {
				refused++
			}
			return true
		}); err != nil || refused != 2000 {
			b.Fatal(err, refused)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	s := fill(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		if rows, err := s.Page(context.Background(), 10_000, 60); err != nil || len(rows) != 60 {
			b.Fatal(err)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	s := fill(b, 20_000)
	key := "POST https://api3.test/orders/{}/items"
	for b.Loop() {
		if rows, err := s.History(context.Background(), key, 15_000, 20); err != nil || len(rows) != 20 {
			b.Fatal(err, len(rows))
		}
	}
}

func BenchmarkFlow(b *testing.B) {
	s := fill(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Flow(context.Background(), 10_000); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSince is a reader that takes a screen's worth of news.
func BenchmarkSince(b *testing.B) {
	s := fill(b, 5000)
	rev := s.Rev()
	b.ReportAllocs()
	for b.Loop() {
		for i := range 16 {
			f, _, _, _ := sample(i)
			s.Begin(f)
		}
		_, rev = s.Since(rev, 100)
	}
}

func BenchmarkNoteAll(b *testing.B) {
	s := fill(b, 1000)
	for b.Loop() {
		notes := make([]Noted, 100)
		for i := range notes {
			notes[i] = Noted{ID: flow.ID(i + 1), Note: flow.Annotation{Verdict: &flow.Judgement{Ruleset: "1"}}}
		}
		if err := s.NoteAll(context.Background(), notes); err != nil {
			b.Fatal(err)
		}
	}
}
