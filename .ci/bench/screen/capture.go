package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// busy is the rate of new flows a second beside which keys are pressed.
const busy = 500

// measureCapture fills the real program through its proxy and uses it.
func measureCapture(ctx context.Context, b *bench) error {
	p, err := openPane(ctx, b)
	if err != nil {
		return err
	}
	defer p.close()
	server := startServer()
	defer server.Close()
	proxy, err := freeAddress()
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "capture.why403")
	pid, err := p.start(quoted(b.program, "--listen", proxy, "--session", file, "--insecure"))
	if err != nil {
		return err
	}
	if _, err := p.shows("waiting for traffic"); err != nil {
		return err
	}
	c := newClient(server.URL, proxy)
	if err := fillCapture(ctx, b, p, c, pid); err != nil {
		return err
	}
	for _, part := range []func(context.Context, *bench, *pane, *client, int) error{idle, atRate, keys, filters, body} {
		if err := part(ctx, b, p, c, pid); err != nil {
			return err
		}
	}
	if err := p.press("q"); err != nil {
		return err
	}
	if err := eventually(ctx, patience, "the end of the program", func() bool { _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); return err != nil }); err != nil {
		return err
	}
	for _, name := range []string{file, file + "-bodies"} {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// fillCapture sends the flows among which keys are pressed later.
func fillCapture(ctx context.Context, b *bench, p *pane, c *client, pid int) error {
	var memory [2]float64
	few := min(fewRows, b.flows/2)
	begun := time.Now()
	for i, n := range []int{few, b.flows - few} {
		if _, err := c.load(ctx, int64(n), 0); err != nil {
			return err
		}
		if err := settled(p, int(c.next.Load()), pid); err != nil {
			return err
		}
		var err error
		if memory[i], err = resident(pid); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "%d flows went through the proxy in %.0f s\n", b.flows, time.Since(begun).Seconds())
	b.table.add(fmt.Sprintf("memory of the program (RSS) after %s flows through the proxy, against %s", count(b.flows), count(few)),
		fmt.Sprintf("%.0f MB against %.0f MB", memory[1], memory[0]), "")
	return nil
}

// settled waits until the screen counts n flows and the program rests: all is stored and explained.
// There may be more: Go's client sends a GET again if its connection was closed.
func settled(p *pane, n, pid int) error {
	if _, err := p.until(count(n)+" flows", func(screen string) bool { return counted(screen) >= n }); err != nil {
		return err
	}
	var fault error
	err := eventually(p.ctx, patience, "the program to rest", func() bool {
		var used float64
		used, fault = share(pid, 500*time.Millisecond)
		return fault != nil || used < 10
	})
	if fault != nil {
		return fault
	}
	return err
}

func idle(_ context.Context, b *bench, _ *pane, _ *client, pid int) error {
	used, err := share(pid, 10*time.Second)
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("CPU, idle with %s flows", count(b.flows)), fmt.Sprintf("%.1f %% of a core", used), "≤ 3 %")
	return nil
}

// atRate measures the whole program: proxying, TLS on both sides, storing, explaining, drawing.
func atRate(ctx context.Context, b *bench, _ *pane, c *client, pid int) error {
	stop := c.beside(ctx, busy)
	time.Sleep(2 * time.Second)
	used, err := share(pid, 15*time.Second)
	rate, fault := stop()
	if err != nil || fault != nil {
		return firstOf(err, fault)
	}
	b.table.add(fmt.Sprintf("CPU at %.0f new flows a second over TLS, one in ten refused and explained, following", rate), fmt.Sprintf("%.1f %% of a core", used), "≤ 25 %")
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// keys moves through the list while new flows come.
func keys(ctx context.Context, b *bench, p *pane, c *client, _ int) error {
	stop := c.beside(ctx, busy)
	time.Sleep(time.Second)
	rows, err := p.each(slices.Concat(repeated("k", 100), repeated("j", 60), repeated("k", 40)), cursor)
	var pages times
	if err == nil {
		pages, err = p.each(slices.Concat(repeated("PageUp", 30), repeated("PageDown", 20), []string{"g", "G", "g", "G"}), cursor)
	}
	rate, fault := stop()
	if err != nil || fault != nil {
		return firstOf(err, fault)
	}
	b.table.add(fmt.Sprintf("key to screen, a row up or down, %s flows and %.0f new ones a second", count(b.flows), rate), rows.spread(), "p50 ≤ 22 ms, p95 ≤ 35 ms")
	b.table.add("the same, pages and ends of the list", pages.spread(), "")
	return p.press("g", "G")
}

func repeated(key string, n int) []string { return slices.Repeat([]string{key}, n) }

// filters measures a filter from its last key to a list full of what it lets through.
func filters(_ context.Context, b *bench, p *pane, c *client, _ int) error {
	total := int(c.next.Load())
	for _, f := range []struct {
		text, name string
		fits       func(id int, row string) bool
	}{
		{"method:post status:403", "one in ten is found", func(_ int, row string) bool { return strings.Contains(row, "/v1/payments/") }},
		{"path:/v1/items/7", "one in fifteen is found", func(_ int, row string) bool { return strings.Contains(row, "/v1/items/7") }},
		{"id:<60", "the oldest are found, at the end of the scan", func(id int, _ string) bool { return id < 60 }},
	} {
		var first, whole times
		for range 7 {
			if err := p.press("/"); err != nil {
				return err
			}
			if _, err := p.shows("tab "); err != nil { // the suggestions in the footer
				return err
			}
			begun := time.Now()
			if err := p.enter(f.text); err != nil {
				return err
			}
			if _, err := p.until("rows of "+f.text, func(screen string) bool { return rowsThat(screen, f.fits) >= lines-8 }); err != nil {
				return err
			}
			first = append(first, time.Since(begun))
			if _, err := p.until("the end of the scan", func(screen string) bool { return !strings.Contains(screen, "looking") }); err != nil {
				return err
			}
			whole = append(whole, time.Since(begun))
			if err := p.press("Escape"); err != nil {
				return err
			}
			if _, err := p.until("the list without a filter", func(screen string) bool { return strings.Contains(screen, "filter none") }); err != nil {
				return err
			}
		}
		b.table.add(fmt.Sprintf("filter over %s flows, `%s`: first screen; %s", count(total), f.text, f.name), first.middle(), "≤ 100 ms")
		b.table.add("the same, all flows looked at", whole.middle(), "")
	}
	return nil
}

// rowsThat is how many rows the list has, if all of them fit.
func rowsThat(screen string, fits func(id int, row string) bool) int {
	n := 0
	for line := range strings.Lines(screen) {
		row, _, split := strings.Cut(line, "│")
		if !split || !strings.Contains(row, "/v1/") {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimLeft(row, "›▶▌ "), " ")
		if !fits(number(id), row) {
			return 0 // rows of before
		}
		n++
	}
	return n
}

// body opens a large body and moves in it while new flows come.
func body(ctx context.Context, b *bench, p *pane, c *client, pid int) error {
	if err := c.fetch(ctx, "GET", "/huge", ""); err != nil {
		return err
	}
	c.next.Add(1)
	if err := p.press("G"); err != nil {
		return err
	}
	if _, err := p.shows("/huge"); err != nil {
		return err
	}
	if err := settled(p, int(c.next.Load()), pid); err != nil {
		return err
	}
	screen, err := p.screen()
	if err != nil {
		return err
	}
	last := fmt.Sprint(counted(screen))
	if err := p.press("k", "j"); err != nil { // stop following, or the next flow takes its place
		return err
	}
	if _, err := p.until("the cursor on the large body", func(screen string) bool { return cursor(screen) == last }); err != nil {
		return err
	}
	if err := p.press("Enter", "l", "l"); err != nil { // Why, Diff, Request
		return err
	}
	if _, err := p.until("the Request tab", func(screen string) bool { return holds(screen, "GET /huge HTTP/1.1") }); err != nil {
		return err
	}
	begun := time.Now()
	if err := p.press("l"); err != nil {
		return err
	}
	if _, err := p.shows(`"name": "item 1"`); err != nil {
		return err
	}
	opened := time.Since(begun)
	b.table.add("a 50 MB JSON body: its first screen", ms(opened)+" ms", "")
	if _, err := p.until("the whole body", func(screen string) bool { return rowsOf(screen) > 1_000_000 }); err != nil {
		return err
	}
	b.table.add("the same: all of it can be scrolled", ms(time.Since(begun))+" ms", "")
	stop := c.beside(ctx, busy)
	time.Sleep(time.Second)
	p.colours = true // a cursor may be nothing but a colour
	moved, err := p.each(slices.Concat([]string{"G"}, repeated("k", 60), repeated("PageUp", 20), []string{"g"}, repeated("j", 60), repeated("PageDown", 20)), inspector)
	p.colours = false
	rate, fault := stop()
	if err != nil || fault != nil {
		return firstOf(err, fault)
	}
	b.table.add(fmt.Sprintf("key to screen in a 50 MB JSON body, %s flows and %.0f new ones a second", count(b.flows), rate), moved.spread(), "p95 ≤ 50 ms")
	return nil
}

// rowsOf is how many rows the tab of the inspector has.
func rowsOf(screen string) int {
	for line := range strings.Lines(screen) {
		if words := strings.Fields(line); strings.Contains(line, "Response") {
			_, of, _ := strings.Cut(words[len(words)-1], "/")
			return number(of)
		}
	}
	return 0
}
