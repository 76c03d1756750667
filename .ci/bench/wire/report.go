package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// result is what one way gave in one round, by the measurement's name.
type result map[string]float64

// figure is one row of the table.
type figure struct {
	name, title string
	form        string // of the number
	compared    func(x, direct float64) (float64, string)
	path        string // where the session is looked into
	aims        string // must, and aim
}

func ratio(x, direct float64) (float64, string) { return x / direct, "%.2f of direct" }
func times(x, direct float64) (float64, string) { return x / direct, "%.1f × direct" }
func added(x, direct float64) (float64, string) { return x - direct, "%.2f ms added" }
func alone(x, _ float64) (float64, string)      { return x, "%.1f" }

var figures = []figure{
	{"get16", "small GET, 16 connections, requests/s", "%.0f", ratio, "/small/get16", "0.25 / 0.40 of direct"},
	{"cpu", "its processor time a request, µs", "%.0f", alone, "", ""},
	{"get1", "small GET, 1 connection, median ms", "%.3f", added, "/small/get1", "0.20 / 0.12 ms added"},
	{"get64", "small GET, 64 connections, 99th percentile ms", "%.1f", alone, "/small/get64", "30 / 20 ms"},
	{"down", "10 MB down, MB/s", "%.0f", ratio, "/large/down", "0.40 / 0.45 of direct"},
	{"up", "10 MB up, MB/s", "%.0f", ratio, "/large/up", "0.20 / 0.35 of direct"},
	{"sse", "server-sent event, median ms", "%.2f", added, "/events", "0.5 / 0.3 ms added"},
	{"hosts", "first connection to a host, median ms", "%.2f", times, "/small/hosts", "3 / 2 × direct"},
	{"h2", "HTTP/2, 8 streams, requests/s", "%.0f", ratio, "/small/h2", "0.45 / 0.60 of direct"},
}

func report(w io.Writer, ways []way, results map[string][]result, kept record) {
	head, line := "| HTTPS", "|---"
	for _, way := range ways {
		head += " | " + way.name
		line += "|--:"
	}
	fmt.Fprintf(w, "%s | must / aim | in the session afterwards |\n%s|--:|--:|\n", head, line)
	for _, f := range figures {
		fmt.Fprintf(w, "| %s", f.title)
		for _, way := range ways {
			var raw, compared []float64
			form := ""
			for i, r := range results[way.name] {
				c, how := f.compared(r[f.name], results["direct"][i][f.name])
				raw, compared, form = append(raw, r[f.name]), append(compared, c), how
			}
			cell := fmt.Sprintf(f.form, median(raw))
			if way.args != nil && form != "%.1f" {
				low, high := slices.Min(compared), slices.Max(compared)
				number, unit, _ := strings.Cut(form, " ")
				cell += fmt.Sprintf(" ("+number+" %s, "+number+" to "+number+")", median(compared), unit, low, high)
			}
			if way.args == nil && f.name == "cpu" {
				cell = "-"
			}
			fmt.Fprintf(w, " | %s", cell)
		}
		found := "-"
		if f.path != "" {
			found = kept.found(f.path)
		}
		fmt.Fprintf(w, " | %s | %s |\n", f.aims, found)
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if n := len(x); n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[len(x)/2]
}

const idleTunnels = 200

// measureAlone measures what needs no comparison: start-up and memory.
func measureAlone(ctx context.Context, out io.Writer, w way, o *origin, flows int) error {
	var ready []float64
	for range 7 {
		p, err := startProxy(ctx, w)
		if err != nil {
			return err
		}
		ready = append(ready, float64(p.ready)/1e6)
		p.clean()
	}
	p, err := startProxy(ctx, w)
	if err != nil {
		return err
	}
	defer p.clean()
	l := load{proxy: p.address, o: o, sent: map[string]sum{}}
	time.Sleep(2 * time.Second)
	idle, err := p.resident()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n| %s | measured | must / aim |\n|---|--:|--:|\n", w.name)
	fmt.Fprintf(out, "| from the start to the first connection, median of %d | %.0f ms (%.0f to %.0f) | 60 / 30 ms |\n", len(ready), median(ready), slices.Min(ready), slices.Max(ready))
	fmt.Fprintf(out, "| memory at rest (RSS) | %.0f MB | 45 MB |\n", idle*1024/1e6)

	if _, err := l.small(ctx, "idle", 1, 100*time.Millisecond); err != nil {
		return err
	}
	before, err := p.resident()
	if err != nil {
		return err
	}
	for range idleTunnels {
		c, err := l.dial(ctx, o.host(0))
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.exchange(request("GET", o.host(0), "/small/idle", 0), nil); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	after, err := p.resident()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| an idle tunnel with its two TLS connections (RSS, mean of %d) | %.0f KiB | 100 / 80 KiB |\n", idleTunnels, (after-before)/idleTunnels)
	if flows == 0 {
		return nil
	}
	var rss []string
	for _, mark := range []int{min(10_000, flows), flows} {
		for int(l.requests()) < mark {
			if _, err := l.small(ctx, "memory", 16, time.Second); err != nil {
				return err
			}
		}
		time.Sleep(time.Second)
		now, err := p.resident()
		if err != nil {
			return err
		}
		rss = append(rss, fmt.Sprintf("%.0f MB at %d flows", now*1024/1e6, l.requests()))
	}
	if err := p.stop(); err != nil {
		return err
	}
	rec, err := compare(ctx, p.session(), l.sent)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| memory under way (RSS) | %s; %s in the session | flat, 120 MB |\n", strings.Join(rss, ", "), rec.found("/small/memory"))
	return nil
}
