package report

import (
	"net/url"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/inspect"
)

// Masked is e with its secrets masked: those that m has learned of the flows, and
// what can be told by its name or form. Mask before writing: a form may escape what would be looked for.
func Masked(m *redact.Masker, e inspect.Explained) inspect.Explained {
	// What changes is secret by its place; its values are quoted without that.
	values := maskedValues(m, &e)
	e.URL, e.Proof = m.URL(e.URL), m.Text(e.Proof)
	if e.Verdict != nil {
		v := maskedVerdict(m, *e.Verdict, values)
		e.Verdict = &v
	}
	e.Candidates = slices.Clone(e.Candidates)
	for i := range e.Candidates {
		e.Candidates[i] = maskedVerdict(m, e.Candidates[i], values)
	}
	if e.ComparedWith != nil {
		c := *e.ComparedWith
		c.Changes = maskedChanges(m, c.Changes)
		e.ComparedWith = &c
	}
	e.Checklist = slices.Clone(e.Checklist)
	for i := range e.Checklist {
		c := &e.Checklist[i]
		c.Note, c.Verify = m.Text(c.Note), m.Text(c.Verify)
	}
	e.WAF = maskedSimulation(m, e.WAF)
	e.Logs = slices.Clone(e.Logs)
	for i := range e.Logs {
		e.Logs[i].Text = m.Text(e.Logs[i].Text)
	}
	return e
}

// maskedValues are the values of changes whose place makes them secret, with how each is masked.
func maskedValues(m *redact.Masker, e *inspect.Explained) map[string]string {
	values := map[string]string{}
	learn := func(list []flow.Change) {
		for _, c := range list {
			masked := m.Change(c)
			for _, side := range [][2]*string{{c.Before, masked.Before}, {c.After, masked.After}} {
				if side[0] != nil && *side[0] != *side[1] {
					values[*side[0]] = *side[1]
				}
			}
		}
	}
	if e.ComparedWith != nil {
		learn(e.ComparedWith.Changes)
	}
	verdicts := slices.Clone(e.Candidates)
	if e.Verdict != nil {
		verdicts = append(verdicts, *e.Verdict)
	}
	for _, v := range verdicts {
		if v.Fix != nil {
			learn(v.Fix.Patch)
		}
	}
	return values
}

func maskedVerdict(m *redact.Masker, v inspect.Verdict, values map[string]string) inspect.Verdict {
	v.Evidence = slices.Clone(v.Evidence)
	for i := range v.Evidence {
		if masked, is := values[v.Evidence[i].Quote]; is && v.Evidence[i].Where == "diff" {
			v.Evidence[i].Quote = masked
			continue
		}
		v.Evidence[i].Quote = maskedQuote(m, v.Evidence[i])
	}
	if v.Fix != nil {
		fix := *v.Fix
		fix.Patch, fix.Summary = maskedChanges(m, fix.Patch), m.Text(fix.Summary)
		v.Fix = &fix
	}
	v.Headline, v.Summary, v.NextStep = m.Text(v.Headline), m.Text(v.Summary), m.Text(v.NextStep)
	return v
}

// maskedQuote masks a quote of a field by what the field is, any other by what it says.
func maskedQuote(m *redact.Masker, e inspect.Evidence) string {
	if claims(e.Quote) != "" {
		return m.Text(e.Quote) // of a token only the signature is secret
	}
	if name, ok := m.Part(e.Quote); ok {
		return name
	}
	if strings.HasPrefix(e.Where, "request.") {
		if name, ok := m.Whole(e.Quote); ok {
			return name
		}
		if unquoted, err := url.QueryUnescape(e.Quote); err == nil && unquoted != e.Quote {
			if name, ok := m.Whole(unquoted); ok {
				return name
			}
		}
	}
	if e.Where == "request.url" {
		if strings.Contains(e.Quote, "?") || !strings.Contains(e.Quote, "=") {
			return m.URL(e.Quote)
		}
		return strings.TrimPrefix(m.URL("?"+e.Quote), "?")
	}
	if name, value, ok := strings.Cut(e.Quote, "="); ok && e.Where == "request.body" && name != "" && !strings.ContainsAny(name, " \t\n{<\"") {
		return strings.TrimPrefix(m.URL("?"+name+"="+value), "?") // a part of a form
	}
	for _, side := range []string{"request.header:", "response.header:"} {
		if name, ok := strings.CutPrefix(e.Where, side); ok {
			if strings.HasSuffix(strings.ToLower(name), "cookie") && !strings.Contains(e.Quote, "=") {
				break // the name of a cookie
			}
			return m.Text(*m.Change(flow.Change{Part: flow.InHeader, Name: name, After: &e.Quote}).After)
		}
	}
	return m.Text(e.Quote)
}

func maskedChanges(m *redact.Masker, list []flow.Change) []flow.Change {
	if list == nil {
		return nil
	}
	out := make([]flow.Change, len(list))
	for i, c := range list {
		out[i] = m.Change(c)
	}
	return out
}

// maskedSimulation is s with the secrets in its quotations masked.
func maskedSimulation(m *redact.Masker, s *inspect.Simulation) *inspect.Simulation {
	if s == nil {
		return nil
	}
	c := *s
	c.Hits = slices.Clone(s.Hits)
	for i := range c.Hits {
		h := &c.Hits[i]
		h.Quote = maskedQuote(m, inspect.Evidence{Where: h.Where, Quote: h.Quote})
		h.Text = maskedQuote(m, inspect.Evidence{Where: h.Where, Quote: h.Text})
	}
	return &c
}
