package diff

import (
	"strings"

	"github.com/why403/why403/flow"
)

// Answers lists how one answer differs from an earlier one, by meaning, as Compare
// does for requests: version, fields, and the body by JSON path or line. The status
// is not among it. What is new in each answer of any server is muted.
func Answers(was, is *flow.Flow) Diff {
	a, b := answerOf(was), answerOf(is)
	if a == nil || b == nil {
		return Diff{Same: map[flow.Place]int{}}
	}
	d := Compare(a, b)
	kept := d.Changes[:0]
	for _, c := range d.Changes {
		if reason := answerNoise(c); reason != "" {
			d.Muted = append(d.Muted, Muted{c, reason})
		} else {
			kept = append(kept, c)
		}
	}
	d.Changes = kept
	return d
}

// answerOf has the answer of f where a comparison looks for a request.
func answerOf(f *flow.Flow) *flow.Flow {
	if f == nil || f.Response == nil {
		return nil
	}
	m := *f.Response
	m.Status, m.Reason = 0, ""
	return &flow.Flow{Scheme: f.Scheme, Request: &m}
}

func answerNoise(c flow.Change) string {
	if c.Part != flow.InHeader || c.Before == nil || c.After == nil {
		return ""
	}
	switch name := strings.ToLower(c.Name); name {
	case "cf-ray", "x-amz-cf-id", "x-amz-id-2", "x-amzn-requestid", "x-github-request-id", "x-served-by", "x-timer", "x-varnish", "report-to", "nel":
		return "names this one answer"
	case "age", "x-runtime", "x-response-time", "server-timing", "x-envoy-upstream-service-time":
		return "a time that is another for each answer"
	case "keep-alive", "connection":
		return "about the connection"
	case "set-cookie":
		before, _, _ := strings.Cut(*c.Before, "=")
		after, _, _ := strings.Cut(*c.After, "=")
		if before == after {
			return "each answer sets its own value"
		}
	}
	return ""
}
