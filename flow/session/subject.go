package session

import (
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
)

// Subject is the row as a filter looks at it, in phase filter.Rows. Ages are counted to now.
func (r *Row) Subject(now time.Time) filter.Subject {
	s := filter.Subject{
		Now: now, ID: r.ID, Kind: r.Kind, Origin: r.Origin, Live: r.State == Waiting || r.State == Streaming,
		Start: r.Start, Duration: r.Duration,
		Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Target: r.Target,
		Status: r.Status, RequestBytes: r.ReqBytes, ResponseBytes: r.RespBytes, ContentType: r.ContentType, Cut: r.Cut,
		// A row has no header: of the upgrades that a 101 can stand for, WebSocket is the one in use (h2c upgrades are gone, RFC 9113, 3.1).
		WebSocket: r.Kind == flow.Exchange && (r.Status == 101 || filter.WebSocketOverH2(r.Method, r.Target, r.Status)),
		Err:       r.Err, Refused: r.Refused(), Marked: r.Marked, Proven: r.ProvenBy != 0, Comment: r.Comment,
	}
	if v := r.Verdict; v != nil {
		s.Cause, s.Layer, s.Vendor, s.Headline = v.Cause, v.Layer, v.Vendor, v.Headline
	}
	return s
}
