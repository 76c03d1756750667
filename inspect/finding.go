package inspect

import (
	"fmt"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// Basis is what a finding rests on. Among findings of the same confidence the
// stronger basis stands first.
type Basis uint8

// The bases, weakest first.
const (
	ByHabit       Basis = iota // servers of this kind often do so; nothing in the exchange shows it
	ByDifference               // it differs from an accepted request
	ByComputation              // what the server checks, checked again
	BySentence                 // the answer says so in words
	ByCode                     // the answer says so with a code or a header that only this product sets
	ByLog                      // a line of the server's log says so
	ByExperiment               // a replay showed it
)

// Finding is what one rule says.
type Finding struct {
	Cause  Name
	Layer  Name // "" is: whoever answered
	Vendor Name
	// Confidence is flow.Possible, Likely or Certain; Certain must be right.
	Confidence flow.Confidence
	Basis      Basis
	Headline   string // "" is the cause's title
	Summary    string // one sentence without the full stop
	NextStep   string // "" is the cause's
	Items      []int  // nil: the cause's
	Evidence   []Evidence
	Fix        *Fix
	// Speaks marks what the answer (or the server's log) says itself, as against what we conclude.
	Speaks bool
	// Adds marks one that says more about what another finding of the same cause says: its summary
	// and next step are added to those.
	Adds bool
	// Unchecked marks one that rests on words which nobody has compared with their
	// source: it is ranked by what they would say, and told as likely at most.
	Unchecked bool
	// Nobody marks a possibility that shows nothing of who refused: no other layer or product is named than who answered.
	Nobody bool
}

// because begins a finding; the rule that returns it gives the cause.
func because(format string, args ...any) Finding {
	return Finding{Summary: fmt.Sprintf(format, args...), Basis: ByDifference}
}

// maxQuote is the longest quotation in bytes; a longer one is cut at the end and stays verbatim.
const maxQuote = 300

// Quote adds a quotation. An empty one is left out.
func (f Finding) Quote(e Evidence) Finding {
	if e.Quote == "" {
		return f
	}
	if len(e.Quote) > maxQuote {
		e.Quote = strings.ToValidUTF8(e.Quote[:maxQuote], "")
	}
	for _, o := range f.Evidence {
		if o.Where == e.Where && o.Quote == e.Quote {
			return f
		}
	}
	f.Evidence = append(f.Evidence[:len(f.Evidence):len(f.Evidence)], e)
	return f
}

// On says what the finding rests on.
func (f Finding) On(b Basis) Finding { f.Basis = b; return f }

// Of names the cause, where a rule finds more than one.
func (f Finding) Of(cause Name) Finding { f.Cause = cause; return f }

// At names the layer that said no.
func (f Finding) At(layer Name) Finding { f.Layer = layer; return f }

// By names the product that said no.
func (f Finding) By(vendor Name) Finding { f.Vendor = vendor; return f }

// Then gives the next step.
func (f Finding) Then(format string, args ...any) Finding {
	f.NextStep = fmt.Sprintf(format, args...)
	return f
}

// tellsApart reports whether the product that calls a token invalid for certain
// has words of its own for the narrower cause: then it would have used them.
func (f Finding) tellsApart(narrow Name) bool {
	if f.Cause != InvalidToken || f.Confidence < flow.Certain || f.Vendor == "" {
		return false
	}
	if narrow == MalformedToken {
		return true // whoever says more of a token than that has read it
	}
	v := vendors.ByID(string(f.Vendor))
	if v == nil {
		return false
	}
	for _, d := range v.Decisions {
		if d.Cause == string(narrow) && !d.Logged && d.Other == "" {
			return true
		}
	}
	return false
}

// Titled gives the headline, at most 40 cells.
func (f Finding) Titled(s string) Finding { f.Headline = s; return f }

// With gives the fix: changes seen from the refused request.
func (f Finding) With(summary string, patch ...flow.Change) Finding {
	if len(patch) > 0 {
		f.Fix = &Fix{Summary: summary, Patch: patch}
	}
	return f
}

// Possible marks a finding that fits and that nothing else shows.
func (f Finding) Possible() []Finding { return f.as(flow.Possible) }

// Likely marks a finding that something shows, though not beyond doubt.
func (f Finding) Likely() []Finding { return f.as(flow.Likely) }

// Certain marks a finding that the answer, a log or a computation shows. It must be right.
func (f Finding) Certain() []Finding { return f.as(flow.Certain) }

func (f Finding) as(c flow.Confidence) []Finding { f.Confidence = c; return []Finding{f} }

func str(s string) *string { return &s }

// setHeader is the change that gives the request this field.
func setHeader(m *flow.Message, name, value string) flow.Change {
	ch := flow.Change{Part: flow.InHeader, Name: name, After: str(value)}
	if i := m.Header.Index(name, 0); i >= 0 {
		ch.Name = m.Header[i].Name
		ch.Before = str(m.Header[i].Value)
	}
	return ch
}

// dropHeader is the change that removes the nth field of this name.
func dropHeader(m *flow.Message, name string, nth int) flow.Change {
	i := m.Header.Index(name, nth)
	return flow.Change{Part: flow.InHeader, Name: m.Header[i].Name, Index: nth, Before: str(m.Header[i].Value)}
}
