package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/ui"
)

// fewRows is what the heap of the large session is compared with.
const fewRows = 10_000

// measureRows fills a session while it is shown, to see what the rows leave in
// the heap, and opens it afterwards.
func measureRows(ctx context.Context, b *bench) error {
	p, err := openPane(ctx, b)
	if err != nil {
		return err
	}
	defer p.close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "rows.why403")
	begun := time.Now()
	if _, err := p.begin(quoted(self, "-fill", file, "-rows", fmt.Sprint(b.rows)) + " 2>" + quoted(file+".log")); err != nil {
		return err
	}
	var report string
	if err := eventually(ctx, 5*patience, "the end of the filling", func() bool {
		text, _ := os.ReadFile(file + ".heap")
		report = string(text)
		return strings.Contains(report, "end\n")
	}); err != nil {
		text, _ := os.ReadFile(file + ".log")
		return fmt.Errorf("%w\n%s", err, text)
	}
	fmt.Fprintf(os.Stderr, "%d flows were recorded and shown in %.0f s\n", b.rows, time.Since(begun).Seconds())
	var few, many float64
	var n int
	if _, err := fmt.Sscanf(report, "%d %f\n%d %f\nend\n", &n, &few, &n, &many); err != nil {
		return fmt.Errorf("the report of the filling: %w\n%s", err, report)
	}
	b.table.add(fmt.Sprintf("heap after %s rows, against %s", count(n), count(fewRows)),
		fmt.Sprintf("%.1f MB against %.1f MB: %+.0f %%", many, few, 100*(many-few)/few), "≤ +10 %")
	last := path(b.rows)
	first, err := b.frames(p, quoted(b.program, "open", file), "q", count(b.rows)+" flows", last)
	if err != nil {
		return err
	}
	b.table.add("first frame of a session with "+count(b.rows)+" flows, its newest rows on it", first.middle(), "≤ 150 ms")
	for _, name := range []string{file, file + "-bodies"} {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// followed is a session of which is known how far the screen has read it, and how
// many flows have been explained.
type followed struct {
	*session.Store
	seen      atomic.Uint64
	explained atomic.Int64
}

func (f *followed) Since(rev session.Rev, most int) ([]session.Row, session.Rev) {
	rows, next := f.Store.Since(rev, most)
	f.seen.Store(uint64(next))
	return rows, next
}

// showAndFill is the screen over a session into which n flows come as fast as
// they can be kept. What the heap holds after the first of them and at the end
// is written to a file beside it.
func showAndFill(ctx context.Context, file string, n int) error {
	store, err := session.Create(file, session.Options{})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	shown := &followed{Store: store}
	work := make(chan error, 2)
	settled := func(session.Row) { shown.explained.Add(1) }
	go func() { work <- explain.NewWorker(store, explain.Options{Settled: settled}).Run(ctx) }()
	go func() {
		work <- fill(ctx, shown, n, file+".heap")
		stop()
	}()
	err = ui.Run(ctx, ui.Options{
		Feed:        shown,
		Explain:     func(ctx context.Context, id flow.ID) (inspect.Explained, error) { return explain.One(ctx, store, id) },
		SessionPath: file,
	})
	stop()
	for range cap(work) {
		if e := <-work; err == nil && e != nil && e != context.Canceled {
			err = e
		}
	}
	if e := store.Close(); err == nil {
		err = e
	}
	return err
}

func fill(ctx context.Context, shown *followed, n int, report string) error {
	const stride = 500 // flows that may wait for the disk
	text := ""
	for i := 1; i <= n; i++ {
		id := exchange(shown.Store, i)
		if i%stride == 0 || i == n {
			if err := shown.Committed(ctx, id); err != nil {
				return err
			}
		}
		if i != fewRows && i != n {
			continue
		}
		if err := eventually(ctx, 5*patience, "all flows to be explained, and the screen to know", func() bool {
			return shown.explained.Load() >= int64(i) && session.Rev(shown.seen.Load()) >= shown.Rev()
		}); err != nil {
			return err
		}
		time.Sleep(time.Second) // what was asked for last has been shown
		runtime.GC()
		runtime.GC() // what pools held on to
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		text += fmt.Sprintf("%d %.3f\n", i, float64(m.HeapAlloc)/1e6)
	}
	return os.WriteFile(report, []byte(text+"end\n"), 0o600)
}

// path of exchange i.
func path(i int) string { return fmt.Sprintf("/v1/items/%d", i) }

const (
	requestFields  = "Host: api.shop.test\r\nUser-Agent: curl/8.14.1\r\nAccept: application/json\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"
	responseFields = "Content-Type: application/json; charset=utf-8\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\nServer: nginx/1.27.4\r\nCache-Control: no-store\r\nX-Request-Id: 9b2f7d1c0a7e4f0c8d1e2f3a4b5c6d7e\r\nContent-Length: 200\r\n"
)

// exchange records one of small size; one in five hundred is a refused POST.
func exchange(s *session.Store, i int) flow.ID {
	start := time.Now()
	method, status, reason := "GET", 200, "OK"
	if i%500 == 0 {
		method, status, reason = "POST", 403, "Forbidden"
	}
	f := &flow.Flow{Scheme: "https", Authority: "api.shop.test", Times: flow.Timings{Start: start},
		Request: &flow.Message{Proto: "HTTP/1.1", Method: method, Target: path(i), Header: fields(requestFields), Head: []byte(method + " " + path(i) + " HTTP/1.1\r\n" + requestFields + "\r\n")}}
	id := s.Begin(f)
	line := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, reason)
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: &flow.Message{Proto: "HTTP/1.1", Status: status, Reason: reason, Header: fields(responseFields),
		Head: []byte(line + responseFields + "\r\n"), Body: flow.Body{Framing: flow.ByLength}}})
	body := fmt.Appendf(make([]byte, 0, 200), `{"item":%d,"detail":"%s`, i, strings.Repeat("x", 160))
	s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: append(body[:198], `"}`...)})
	s.End(id, flow.Outcome{Times: flow.Timings{Start: start, End: start.Add(20 * time.Millisecond)},
		Conn: flow.Conn{Client: "127.0.0.1:51234", Local: "127.0.0.1:8403", Origin: "127.0.0.1:443", Target: "api.shop.test:443"}})
	return id
}

func fields(head string) flow.Header {
	var h flow.Header
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		h = append(h, flow.Field{Name: name, Value: value, Raw: line})
	}
	return h
}
