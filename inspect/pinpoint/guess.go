package pinpoint

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/inspect"
)

const (
	maxGuesses    = 3   // fixes of verdicts that are tried before the search
	maxCandidates = 200 // changes that are searched
)

// Plan is what an experiment would do, told before anything is sent.
type Plan struct {
	Usually  int // requests, when the first guess is right
	Requests int // at most
	// Accepted is how many of them may be accepted, at most, when that may create
	// or change something; 0 for methods that change nothing.
	Accepted int
	Changes  flow.Patch   // what is searched, in the order of suspicion
	Muted    int          // differences that mean nothing by themselves: tried last
	Guesses  []flow.Patch // what is tried first
	// Against says why nothing should be sent; "" is nothing speaks against it.
	Against string
}

// Say is the plan's budget in words.
func (p Plan) Say() string {
	s := fmt.Sprintf("%d of ≤ %d requests", p.Usually, p.Requests)
	if p.Accepted > 0 {
		s += fmt.Sprintf(", at most %d may succeed and so create something", p.Accepted)
	}
	return s
}

// MakePlan tells what Run would do with the same input and options.
func MakePlan(in Input, o Options) Plan {
	o = o.withDefaults()
	c := gather(in)
	p := Plan{Changes: c.changes[:c.ranked], Muted: len(c.changes) - c.ranked, Against: against(in)}
	for _, g := range c.guesses {
		p.Guesses = append(p.Guesses, g.patch)
	}
	one := 2 // refused, and refused again
	p.Usually, p.Requests = one+1, one+len(c.guesses)
	if in.Accepted != nil {
		depth := bits.Len(uint(len(c.changes)))
		p.Usually += 2
		p.Requests += 2 + 3*depth + 6
		if n := sources(tokensOf(in.Accepted, in.Earlier)); n > 0 {
			p.Requests *= 1 + n // each may have to be asked for a new token before
		}
	}
	again := 0 // of those against chance, how many have the fix
	if o.Sure {
		again = rounds
		p.Usually += 2 * rounds
		p.Requests += 3 * rounds // a fix of two is left out in two ways
	}
	p.Requests = max(min(p.Requests, o.Max), 1)
	p.Usually = min(p.Usually, p.Requests)
	if in.Refused.Request != nil && changesThings(in.Refused.Request.Method) {
		p.Accepted = p.Requests - 1
		if in.Accepted == nil {
			p.Accepted = 1 + again
		}
		if o.MaxAccepted > 0 {
			p.Accepted = min(p.Accepted, o.MaxAccepted)
		}
		p.Accepted = max(p.Accepted, 1)
	}
	return p
}

// changesThings reports whether a method may change something on the server (RFC 9110, 9.2.1).
func changesThings(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return false
	}
	return true
}

// against is why no experiment can be made, "" if nothing speaks against it.
func against(in Input) string {
	f := in.Refused
	switch {
	case f == nil || f.Request == nil || f.Kind != flow.Exchange || f.Request.Method == "CONNECT":
		return "there is no request that could be sent again"
	case f.Response == nil:
		return "it has no answer, so there is no refusal to look into"
	case f.Request.Body.Cut() || !f.Request.Body.Whole():
		return fmt.Sprintf("only %d of the %d bytes of its body are there", len(f.Request.Body.Data), f.Request.Body.Size)
	case f.Status() == 429:
		return "it was refused for its rate (429): asking more often makes that worse"
	}
	if v := in.Explained.Verdict; v != nil && (v.Cause == inspect.RateLimit || v.Cause == inspect.QuotaExhausted) && v.Confidence == flow.Certain {
		return "it was refused for how many there were before it (" + string(v.Cause) + "), not for what it says"
	}
	return ""
}

// guess is a patch that a verdict suggests, or that is worth a try.
type guess struct {
	patch flow.Patch
	why   string
}

// gathered is what an experiment may try.
type gathered struct {
	changes flow.Patch // guessed ones first, then by suspicion, then what means nothing by itself
	back    []flow.Change
	ranked  int // how many of changes stand before the muted ones
	first   int // how many of changes the first guess is made of, at the front; 0: it is not among them
	guesses []guess
	never   flow.Patch // differences that cannot be made
}

func gather(in Input) gathered {
	var g gathered
	if in.Refused == nil || in.Refused.Request == nil {
		return g
	}
	if in.Accepted == nil || in.Accepted.Request == nil {
		g.guesses = append(fixes(in), hygiene(in.Refused)...)
		return g
	}
	learned := (*diff.Learned)(nil)
	if len(in.Successes) > 1 {
		learned = diff.Learn(in.Successes)
	}
	d := diff.CompareWith(in.Refused, in.Accepted, learned)
	for _, c := range d.Changes {
		if applicable(c) {
			g.changes = append(g.changes, c)
		} else if c.Part != flow.InJWT && c.Part != flow.InBody {
			g.never = append(g.never, c) // a claim and a line are told with what holds them
		}
	}
	g.ranked = min(len(g.changes), maxCandidates)
	g.changes = g.changes[:g.ranked]
	for _, m := range d.Muted {
		if applicable(m.Change) && len(g.changes) < maxCandidates {
			g.changes = append(g.changes, m.Change)
		}
	}
	b := diff.Compare(in.Accepted, in.Refused)
	g.back = b.Changes
	for _, m := range b.Muted {
		g.back = append(g.back, m.Change)
	}
	g.guesses = fixes(in)
	g.orderByGuess()
	return g
}

// orderByGuess puts what the first guess is about to the front.
func (g *gathered) orderByGuess() {
	if len(g.guesses) == 0 {
		if g.ranked > 0 {
			g.first = 1 // the most suspicious difference is the guess
		}
		return
	}
	var front, rest flow.Patch
	for i, c := range g.changes {
		if i < g.ranked && slices.ContainsFunc(g.guesses[0].patch, func(p flow.Change) bool { return p.Part == c.Part && strings.EqualFold(p.Name, c.Name) }) {
			front = append(front, c)
		} else {
			rest = append(rest, c)
		}
	}
	g.first = len(front)
	g.changes = append(front, rest...)
}

// fixes are the patches that the verdict and the other candidates suggest.
func fixes(in Input) []guess {
	var out []guess
	add := func(v *inspect.Verdict) {
		if v == nil || v.Fix == nil || len(v.Fix.Patch) == 0 || len(out) == maxGuesses {
			return
		}
		for _, c := range v.Fix.Patch {
			if !applicable(c) {
				return
			}
		}
		if slices.ContainsFunc(out, func(g guess) bool { return key(Refused, g.patch) == key(Refused, v.Fix.Patch) }) {
			return
		}
		out = append(out, guess{v.Fix.Patch, v.Fix.Summary})
	}
	add(in.Explained.Verdict)
	for i := range in.Explained.Candidates {
		if c := &in.Explained.Candidates[i]; c.Confidence >= flow.Likely || len(out) == 0 {
			add(c)
		}
	}
	return out
}

// browserAgent is a User-Agent as a browser sends it: version numbers of Chrome stand
// still but for the first, by "user agent reduction".
const browserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"

// hygiene are changes of one thing each that servers are known to insist on, for a
// refusal with nothing to compare it with.
func hygiene(f *flow.Flow) []guess {
	h := f.Request.Header
	own := f.Scheme + "://" + f.Authority
	var out []guess
	set := func(why, name, value string) {
		c := flow.Change{Part: flow.InHeader, Name: name, After: &value}
		if i := h.Index(name, 0); i >= 0 {
			if h[i].Value == value {
				return
			}
			before := h[i].Value
			c.Name, c.Before = h[i].Name, &before
		}
		out = append(out, guess{flow.Patch{c}, why})
	}
	drop := func(why, name string) {
		if i := h.Index(name, 0); i >= 0 {
			before := h[i].Value
			out = append(out, guess{flow.Patch{{Part: flow.InHeader, Name: h[i].Name, Before: &before}}, why})
		}
	}
	if !strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") {
		set("the User-Agent of a browser", "User-Agent", browserAgent)
	}
	if v := h.Get("Accept"); v != "*/*" {
		set("any type accepted", "Accept", "*/*")
	}
	if h.Has("Origin") {
		set("the Origin of the server itself", "Origin", own)
		drop("no Origin", "Origin")
	} else if changesThings(f.Request.Method) {
		set("the Origin of the server itself", "Origin", own)
	}
	if !strings.HasPrefix(h.Get("Referer"), own+"/") && changesThings(f.Request.Method) {
		set("a Referer of the server itself", "Referer", own+"/")
	}
	drop("no Accept-Encoding", "Accept-Encoding")
	if changesThings(f.Request.Method) {
		set("marked as made by a script", "X-Requested-With", "XMLHttpRequest")
	}
	if f.Scheme == "https" {
		before, after := f.Request.Proto, "HTTP/2.0"
		if strings.HasPrefix(before, "HTTP/2") {
			after = "HTTP/1.1"
		}
		out = append(out, guess{flow.Patch{{Part: flow.InProto, Before: &before, After: &after}}, "another version of HTTP"})
	}
	return out
}
