package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// measureSearch looks for a text in all bodies of a session, by a filter as a user types it.
func measureSearch(ctx context.Context, b *bench) error {
	p, err := openPane(ctx, b)
	if err != nil {
		return err
	}
	defer p.close()
	for _, of := range []struct{ flows, size int }{{20_000, 20_000}, {80_000, 2500}} {
		file := filepath.Join(b.dir, fmt.Sprintf("bodies-%d.why403", of.size))
		if err := makeBodies(ctx, file, of.flows, of.size); err != nil {
			return err
		}
		if _, err := p.start(quoted(b.program, "open", file)); err != nil {
			return err
		}
		if _, err := p.shows(count(of.flows) + " flows"); err != nil {
			return err
		}
		var all times
		for range 4 {
			if err := p.press("/"); err != nil {
				return err
			}
			if _, err := p.shows("tab "); err != nil {
				return err
			}
			begun := time.Now()
			if err := p.enter("body:" + needle); err != nil {
				return err
			}
			if _, err := p.until("the end of the search", func(screen string) bool {
				return holds(screen, "3 match") && !holds(screen, "looking")
			}); err != nil {
				return err
			}
			all = append(all, time.Since(begun))
			if err := p.press("Escape"); err != nil {
				return err
			}
			if _, err := p.shows("filter none"); err != nil {
				return err
			}
		}
		megabytes := float64(of.flows*of.size) / 1e6
		b.table.add(fmt.Sprintf("full-text search of %.0f MB in %s bodies of %s bytes", megabytes, count(of.flows), count(of.size)),
			fmt.Sprintf("%.0f MB/s (%s)", megabytes/all[1:].at(0.5).Seconds(), all[1:].middle()), "≥ 200 MB/s")
		if err := p.press("q"); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// needle stands in three bodies, in another case than it is asked for.
const needle = "needle-in-it"

// makeBodies makes a session of n answers with bodies of size bytes, all different.
func makeBodies(ctx context.Context, file string, n, size int) error {
	s, err := session.Create(file, session.Options{})
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	text := words(random, 4<<20)
	for i := range n {
		body := make([]byte, size)
		copy(body, text[random.IntN(len(text)-size):])
		if i == 1 || i == n/2 || i == n-2 {
			copy(body[size-100:], "Needle-In-It")
		}
		f := &flow.Flow{Scheme: "https", Authority: "api.shop.test", Times: flow.Timings{Start: time.Now(), End: time.Now()},
			Request:  &flow.Message{Proto: "HTTP/1.1", Method: "GET", Target: path(i), Header: fields(requestFields), Head: []byte("GET " + path(i) + " HTTP/1.1\r\n" + requestFields + "\r\n")},
			Response: &flow.Message{Proto: "HTTP/1.1", Status: 200, Reason: "OK", Header: fields(responseFields), Head: []byte("HTTP/1.1 200 OK\r\n" + responseFields + "\r\n")}}
		f.Response.SetBody(body)
		if _, err := s.Add(ctx, f); err != nil {
			s.Close()
			return err
		}
	}
	return s.Close()
}

// words is JSON-like text in which no needle stands.
func words(random *rand.Rand, n int) []byte {
	list := []string{"order", "needs", "item", "price", "stock", "Needle", "state", "berlin", "refused", "name", "detail", "in-", "it"}
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, `{"%s":"%s %s","id":%d},`, list[random.IntN(len(list))], list[random.IntN(len(list))], list[random.IntN(len(list))], random.IntN(1e6))
	}
	return b
}
