package inspect_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/inspect"
)

// checkEvidence tests that every quotation is a verbatim part of what it names,
// at the offset where it says.
func checkEvidence(t *testing.T, name string, e inspect.Explained, f *flow.Flow, history []*flow.Flow, logs map[string][]string) {
	t.Helper()
	verdicts := e.Candidates
	if e.Verdict != nil {
		verdicts = append([]inspect.Verdict{*e.Verdict}, verdicts...)
	}
	for _, v := range verdicts {
		for _, ev := range v.Evidence {
			texts, err := evidenceText(ev.Where, e, f, history, logs)
			if err != nil {
				t.Errorf("%s: %s: %v", name, v.Cause, err)
				continue
			}
			if ev.Quote == "" {
				t.Errorf("%s: %s: an empty quotation from %s", name, v.Cause, ev.Where)
			}
			found := false
			for _, text := range texts {
				found = found || strings.Contains(text, ev.Quote)
			}
			if !found {
				t.Errorf("%s: %s: %q is not in %s", name, v.Cause, ev.Quote, ev.Where)
			}
			if len(texts) == 1 && found && (ev.Offset < 0 || ev.Offset > len(texts[0]) || ev.Offset > 0 && !strings.HasPrefix(texts[0][ev.Offset:], ev.Quote)) {
				t.Errorf("%s: %s: %q is in %s, and not at %d", name, v.Cause, ev.Quote, ev.Where, ev.Offset)
			}
		}
	}
}

func evidenceText(where string, e inspect.Explained, f *flow.Flow, history []*flow.Flow, logs map[string][]string) ([]string, error) {
	field := func(h flow.Header, prefix string) []string {
		var out []string
		for v := range h.Values(strings.TrimPrefix(where, prefix)) {
			out = append(out, v)
		}
		return out
	}
	switch {
	case where == "response.body":
		return []string{string(f.Response.Body.Data)}, nil
	case where == "response.status":
		return []string{strconv.Itoa(f.Response.Status)}, nil
	case where == "request.body":
		return []string{string(f.Request.Body.Data)}, nil
	case where == "request.url":
		return []string{f.URL()}, nil
	case strings.HasPrefix(where, "response.header:"):
		return field(f.Response.Header, "response.header:"), nil
	case strings.HasPrefix(where, "response.trailer:"):
		return field(f.Response.Trailers, "response.trailer:"), nil
	case strings.HasPrefix(where, "request.header:"):
		return field(f.Request.Header, "request.header:"), nil
	case where == "history":
		var out []string
		for _, g := range history {
			out = append(out, inspect.HistoryLine(g))
		}
		return out, nil
	case where == "tls":
		return []string{inspect.TLSLine(f)}, nil
	case where == "diff":
		var out []string
		for _, c := range e.ComparedWith.Changes {
			out = append(out, c.Name)
			for _, s := range []*string{c.Before, c.After} {
				if s != nil {
					out = append(out, *s)
				}
			}
		}
		return out, nil
	case strings.HasPrefix(where, "log:"):
		rest := strings.TrimPrefix(where, "log:")
		i := strings.LastIndexByte(rest, ':')
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil || n < 1 || n > len(logs[rest[:i]]) {
			return nil, fmt.Errorf("%s names no line", where)
		}
		return []string{logs[rest[:i]][n-1]}, nil
	}
	return nil, fmt.Errorf("%q is no place for evidence", where)
}

func TestEvidenceIsVerbatim(t *testing.T) {
	for _, c := range corpus(t) {
		fs := c.flows(t)
		checkEvidence(t, c.ID, c.explain(t), fs[len(fs)-1], fs, c.Context.Logs)
	}
}

// TestFixesApply: a fix is a patch that can be made to the request it is for.
func TestFixesApply(t *testing.T) {
	n := 0
	for _, c := range corpus(t) {
		e := c.explain(t)
		if e.Verdict == nil {
			continue
		}
		fs := c.flows(t)
		for _, v := range append([]inspect.Verdict{*e.Verdict}, e.Candidates...) {
			if v.Fix == nil {
				continue
			}
			n++
			if _, err := diff.ApplyTo(fs[len(fs)-1], v.Fix.Patch); err != nil {
				t.Errorf("%s: %s: %s: %v", c.ID, v.Cause, v.Fix.Summary, err)
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d fixes in the whole corpus", n)
	}
}

// TestHeadlinesFit: a headline has at most 40 cells, and every verdict says what to do next.
func TestHeadlinesFit(t *testing.T) {
	for _, c := range corpus(t) {
		e := c.explain(t)
		if e.Verdict == nil {
			continue
		}
		if len([]rune(e.Verdict.Headline)) > 40 || e.Verdict.Headline == "" {
			t.Errorf("%s: headline %q", c.ID, e.Verdict.Headline)
		}
		if e.Verdict.NextStep == "" || e.Verdict.Summary == "" {
			t.Errorf("%s: %s has no summary or next step", c.ID, e.Verdict.Cause)
		}
		if len(e.Checklist) != 21 {
			t.Errorf("%s: %d checks", c.ID, len(e.Checklist))
		}
		for _, ch := range e.Checklist {
			if ch.Note == "" || ch.Verify == "" || ch.Name == "" {
				t.Errorf("%s: check %d says nothing: %+v", c.ID, ch.Item, ch)
			}
		}
	}
}
