package explain

import (
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/logs"
)

// FromLogs makes the Logs option of log sources that were read already.
func FromLogs(sources []logs.Source) func(*flow.Flow) []inspect.Line {
	return func(f *flow.Flow) []inspect.Line {
		var out []inspect.Line
		for _, l := range logs.Correlate(sources, query(f)) {
			out = append(out, inspect.Line(l))
		}
		return out
	}
}

// Bounds of the lines that are looked at for a flow in a log that is followed, by
// our clock: servers write before they answer, and long after.
const (
	linesBefore = 2 * time.Second
	linesAfter  = 10 * time.Second
)

// FromFeed makes the Logs option of logs that are followed.
func FromFeed(feed *logs.Feed) func(*flow.Flow) []inspect.Line {
	return func(f *flow.Flow) []inspect.Line {
		end := f.Times.End
		if end.IsZero() {
			end = f.Times.Start
		}
		return FromLogs(feed.Between(f.Times.Start.Add(-linesBefore), end.Add(linesAfter)))(f)
	}
}

// query is what the logs are asked for. The server's clock is the Date of its
// answer, which has whole seconds.
func query(f *flow.Flow) logs.Query {
	q := logs.Query{Start: f.Times.Start, End: f.Times.End, Sent: f.Times.Start, Done: f.Times.End, Path: f.Path(), Status: f.Status(), Method: methodOf(f), IDs: ids(f)}
	if now := inspect.Now(f); !now.IsZero() {
		if q.Start.IsZero() || now.Sub(q.Start).Abs() > q.End.Sub(q.Start)+2e9 {
			q.Start, q.End = now, now
		}
		if end := now.Add(1e9); end.After(q.End) {
			q.End = end
		}
		if now.Before(q.Start) {
			q.Start = now
		}
	}
	return q
}

func methodOf(f *flow.Flow) string {
	if f.Request == nil {
		return ""
	}
	return f.Request.Method
}

// idHeaders carry an id of the exchange, in the request or the answer.
var idHeaders = []string{"X-Request-Id", "X-Correlation-Id", "Request-Id", "X-Trace-Id", "X-B3-TraceId", "X-Amzn-RequestId", "X-Amzn-Trace-Id", "X-Amz-Request-Id", "CF-Ray", "X-Ms-Request-Id", "X-Kong-Request-Id", "X-Vercel-Id", "X-Azure-Ref", "X-Varnish", "Audit-Id", "X-GitHub-Request-Id", "X-Arequestid"}

func ids(f *flow.Flow) []string {
	var out []string
	for _, m := range []*flow.Message{f.Request, f.Response} {
		if m == nil {
			continue
		}
		for _, n := range idHeaders {
			if v := strings.TrimSpace(m.Header.Get(n)); v != "" {
				if n == "X-Varnish" {
					v, _, _ = strings.Cut(v, " ")
				}
				out = append(out, v)
			}
		}
		// traceparent: version-traceid-parentid-flags (W3C Trace Context, 3.2)
		if p := strings.Split(m.Header.Get("traceparent"), "-"); len(p) == 4 {
			out = append(out, p[1])
		}
	}
	return out
}
