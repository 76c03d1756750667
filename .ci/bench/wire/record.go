package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// record is what was sent, and what of it the sessions have, by path.
type record struct{ sent, kept map[string]sum }

func (r *record) add(o record) {
	if r.sent == nil {
		r.sent, r.kept = map[string]sum{}, map[string]sum{}
	}
	for path, s := range o.sent {
		r.sent[path] = sum{r.sent[path].flows + s.flows, r.sent[path].bytes + s.bytes}
	}
	for path, s := range o.kept {
		r.kept[path] = sum{r.kept[path].flows + s.flows, r.kept[path].bytes + s.bytes}
	}
}

// found tells what the sessions have of what was sent to path.
func (r record) found(path string) string {
	s, k := r.sent[path], r.kept[path]
	if s.flows == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g %% of %d flows, %.4g %% of %.1f MB", 100*float64(k.flows)/float64(s.flows), s.flows, 100*float64(k.bytes)/float64(max(1, s.bytes)), float64(s.bytes)/1e6)
}

// compare counts the flows that ended with a 200, and reads their bodies out of the session.
func compare(ctx context.Context, file string, sent map[string]sum) (record, error) {
	r := record{sent, map[string]sum{}}
	s, err := session.Open(file, session.Options{})
	if err != nil {
		return r, err
	}
	defer s.Close()
	var large []flow.ID
	take := func(path string, bytes int64) { r.kept[path] = sum{r.kept[path].flows + 1, r.kept[path].bytes + bytes} }
	err = s.Back(ctx, 1, s.Last(), session.BodyPrefix, func(row *session.Row, f *flow.Flow) bool {
		switch {
		case row.State != session.Done || row.Status != 200:
		case strings.HasPrefix(row.Target, "/large/"):
			large = append(large, row.ID)
		default:
			take(row.Target, int64(len(f.Response.Body.Data)))
		}
		return true
	})
	for _, id := range large {
		row, err := s.Row(ctx, id)
		if err != nil {
			return r, err
		}
		side := session.ResponseSide
		if row.Method == "POST" {
			side = session.RequestSide
		}
		body, _, err := s.Body(ctx, id, side)
		if err != nil {
			return r, err
		}
		n, err := io.Copy(io.Discard, body)
		body.Close()
		if err != nil {
			return r, err
		}
		take(row.Target, n)
	}
	return r, err
}
