package inspect

import (
	"cmp"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// Ruleset is the version of the rules; verdicts are stored with it, and one of
// another version is made again.
const Ruleset = "2"

// maxCandidates is how many findings beside the verdict are told.
const maxCandidates = 5

// Explain says why the flow of c was refused. The needs are what would make the
// answer better.
func Explain(c Case) (Explained, []Need) {
	out := Explained{ID: c.Flow.ID, URL: c.Flow.URL(), Status: c.Flow.Status()}
	if c.Flow.Request != nil {
		out.Method = c.Flow.Request.Method
	}
	if !c.refused() {
		return out, nil
	}
	out.Refused, out.Time, out.IDs = true, c.Flow.Times.Start, c.supportIDs()
	findings := c.find(Rules)
	for _, g := range c.acceptedReplays() {
		out.FixedOnce = append(out.FixedOnce, g.ID)
		tried(findings, g)
	}
	ranked := c.rank(findings)
	out.Verdict = &ranked[0]
	out.Candidates = ranked[1:min(len(ranked), maxCandidates+1)]
	if c.Success != nil {
		// A list even when empty: nothing that matters differs.
		out.ComparedWith = &Compared{ID: c.Success.ID, Changes: append([]flow.Change{}, c.Changes...)}
	}
	out.Checklist = c.checklist(ranked)
	if livedCauses(ranked[0].Cause) {
		out.Credentials = c.lives()
	}
	out.WAF = c.WAF
	return out, c.needs(ranked[0])
}

// find runs the rules: first those that read the answer, then those that may
// ask what it says.
func (c *Case) find(rules []*Rule) []Finding {
	var fs []Finding
	for _, reads := range []bool{true, false} {
		for _, r := range rules {
			if r.Reads != reads {
				continue
			}
			got := r.run(c)
			c.ofPreflight(got)
			fs = append(fs, got...)
			if reads {
				c.facts.claims = append(c.facts.claims, got...)
			}
		}
	}
	return fs
}

// ofPreflight weakens what says that a preflight lacks a credential: it carries
// none by definition (Fetch standard, "CORS-preflight fetch"), and sending one is no remedy.
func (c *Case) ofPreflight(fs []Finding) {
	if !c.preflight() {
		return
	}
	for i := range fs {
		if Any(MissingToken, MissingAPIKey)(fs[i].Cause) {
			fs[i].Confidence, fs[i].Fix = min(fs[i].Confidence, flow.Possible), nil
			fs[i].NextStep = "Let the server answer OPTIONS without credentials: a preflight carries none"
		}
	}
}

// rank merges findings of one cause, drops those that others explain, and puts
// the strongest first. There is always one: "unknown" when nothing is known.
func (c *Case) rank(fs []Finding) []Verdict {
	fs = merge(fs)
	fs = silence(fs)
	slices.SortStableFunc(fs, func(a, b Finding) int { return cmp.Compare(weight(b), weight(a)) })
	who := c.whoAnswered()
	if len(fs) == 0 || fs[0].Confidence < flow.Possible || fs[0].Confidence == flow.Possible && fs[0].Basis == ByHabit {
		fs = append([]Finding{c.unknown(who)}, fs...)
	}
	out := make([]Verdict, 0, len(fs))
	for _, f := range fs {
		out = append(out, c.verdict(f, who))
	}
	return out
}

// weight orders findings: confidence first, then what they rest on.
func weight(f Finding) int { return int(f.Confidence)*16 + int(f.Basis) }

// merge makes one of all findings of one cause: the strongest, with the others'
// evidence, and their layer, vendor and fix where it has none. Who answered is
// taken from what the answer says rather than from what we conclude.
func merge(fs []Finding) []Finding {
	slices.SortStableFunc(fs, func(a, b Finding) int { return cmp.Compare(weight(b), weight(a)) })
	var out []Finding
	at := map[Name]int{}
	for _, f := range fs {
		i, dup := at[f.Cause]
		if !dup {
			at[f.Cause] = len(out)
			out = append(out, f)
			continue
		}
		join(&out[i], f)
	}
	return out
}

func join(o *Finding, f Finding) {
	for _, e := range f.Evidence {
		*o = o.Quote(e)
	}
	if o.Vendor == "" && f.Vendor != "" {
		o.Vendor, o.Layer = f.Vendor, f.Layer
	}
	if o.Layer == "" || !o.Speaks && f.Speaks && f.Layer != "" {
		o.Layer = f.Layer
	}
	if o.Fix == nil {
		o.Fix = f.Fix
	}
	if o.NextStep == "" {
		o.NextStep = f.NextStep
	} else if f.Adds && f.NextStep != "" {
		o.NextStep = strings.TrimSuffix(o.NextStep, ".") + ". " + f.NextStep
	}
	if f.Adds && f.Summary != "" {
		o.Summary += "; " + f.Summary
	}
	o.Nobody = o.Nobody && f.Nobody
	o.Unchecked = o.Unchecked && (f.Unchecked || f.Confidence < flow.Certain)
	o.Speaks = o.Speaks || f.Speaks
	for _, n := range f.Items {
		if !slices.Contains(o.Items, n) {
			o.Items = append(slices.Clone(o.Items), n)
		}
	}
}

// silence drops a general finding when a narrower one that is at least likely
// (or as sure) explains it; the narrower one inherits who said it.
func silence(fs []Finding) []Finding {
	gone := make([]bool, len(fs))
	for i := range fs {
		for j := range fs {
			wide, narrow := fs[i], &fs[j]
			if i == j || wide.Cause == narrow.Cause || !covers(wide.Cause, narrow.Cause) {
				continue
			}
			if narrow.Confidence < flow.Likely && narrow.Confidence < wide.Confidence || wide.Cause == UnknownCause && narrow.Confidence < flow.Possible {
				continue
			}
			if narrow.Basis == ByHabit || wide.Nobody || wide.tellsApart(narrow.Cause) && !narrow.Speaks {
				continue
			}
			gone[i] = true
			if wide.Speaks && narrow.Vendor == "" {
				narrow.Vendor, narrow.Layer = wide.Vendor, cmp.Or(wide.Layer, narrow.Layer)
			}
			if wide.Speaks && wide.Cause != UnknownCause {
				for _, e := range wide.Evidence {
					*narrow = narrow.Quote(e)
				}
				// The answer says the general thing and the request shows which one it is.
				narrow.Speaks = true
				narrow.Basis = max(narrow.Basis, ByComputation)
				narrow.Confidence = max(narrow.Confidence, min(wide.Confidence, flow.Likely))
			}
		}
	}
	out := fs[:0]
	for i, f := range fs {
		if !gone[i] {
			out = append(out, f)
		}
	}
	return out
}

// unknown is the verdict when the exchange does not say why.
func (c *Case) unknown(who answerer) Finding {
	f := because("the answer does not say why").Of(UnknownCause)
	if who.name != "" {
		f = because("%s refused; its answer does not say why", who.name).Of(UnknownCause)
	}
	f.Confidence = flow.Possible
	f.Layer, f.Vendor = who.layer, Name(who.id)
	for _, e := range who.evidence {
		f = f.Quote(e)
	}
	f.NextStep = c.whereToLook(who)
	if s := c.suspicion(); s != "" {
		f.NextStep += ". " + s
	}
	if s := c.interference(); s != "" {
		f.Summary += "; " + s
		f.NextStep = "Send it again without the rules and breakpoints that changed it; then: " + f.NextStep
	}
	return f
}

// apart leaves out what is quoted already in a shorter or longer form: several rules read the same words.
func apart(all []Evidence) []Evidence {
	var out []Evidence
	for _, e := range all {
		if !slices.ContainsFunc(out, func(o Evidence) bool {
			a, b := strings.TrimRight(o.Quote, ". "), strings.TrimRight(e.Quote, ". ")
			return o.Where == e.Where && (strings.Contains(a, b) || strings.Contains(b, a))
		}) {
			out = append(out, e)
		}
	}
	return out
}

func (c *Case) verdict(f Finding, who answerer) Verdict {
	info := causeByID[f.Cause]
	if info == nil {
		info = causeByID[UnknownCause]
	}
	v := Verdict{
		Cause: f.Cause, Layer: f.Layer, Vendor: f.Vendor, Confidence: max(f.Confidence, flow.Possible),
		Headline: cmp.Or(f.Headline, info.Title), Summary: sentence(f.Summary), NextStep: sentence(cmp.Or(f.NextStep, info.Next)),
		Checklist: f.Items, Evidence: apart(f.Evidence), Fix: f.Fix,
	}
	if f.Unchecked {
		v.Confidence = min(v.Confidence, flow.Likely)
	}
	if v.Vendor == "" && (v.Layer == "" || v.Layer == who.layer) && who.id != "" {
		v.Vendor = Name(who.id)
	}
	switch {
	case v.Layer != "":
	case f.Nobody:
		v.Layer = who.layer
	default:
		v.Layer = c.layerOf(f, who)
	}
	if v.Checklist == nil {
		v.Checklist = []int{}
	}
	if v.Evidence == nil {
		v.Evidence = []Evidence{}
	}
	return v
}

// sentence is s with a capital letter and a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if c := s[0]; c >= 'a' && c <= 'z' && !strings.HasPrefix(s, "why403") {
		s = string(c-32) + s[1:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") && !strings.HasSuffix(s, "…") {
		s += "."
	}
	return s
}

// needs asks for what could decide a weak verdict.
func (c *Case) needs(v Verdict) []Need {
	var out []Need
	if c.wantsSimulation(v) {
		out = append(out, NeedWAF)
	}
	if c.Contract == nil && v.Confidence < flow.Certain {
		out = append(out, NeedContract)
	}
	return out
}
