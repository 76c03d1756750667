package ui

import (
	"time"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/session"
)

// subject is a row as a filter sees it.
func subject(r *session.Row, now time.Time) filter.Subject {
	s := filter.Subject{
		Now: now, ID: r.ID, Kind: r.Kind, Origin: r.Origin, Live: !ended(r), Start: r.Start, Duration: r.Duration,
		Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Target: r.Target, Status: r.Status,
		RequestBytes: r.ReqBytes, ResponseBytes: r.RespBytes, ContentType: r.ContentType, WebSocket: r.Status == 101, Cut: r.Cut,
		Err: r.Err, Refused: r.Refused(), Marked: r.Marked, Proven: r.ProvenBy != 0, Comment: r.Comment,
	}
	if v := r.Verdict; v != nil {
		s.Cause, s.Layer, s.Vendor, s.Headline = v.Cause, v.Layer, v.Vendor, v.Headline
	}
	return s
}
