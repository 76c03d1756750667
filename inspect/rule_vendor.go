package inspect

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

var vendorDecision = &Rule{
	Name: "vendor", Title: "the answer carries a product's decision", Item: 9, Reads: true,
	Doc: `Products mark the requests that they refuse: with a header that accepted answers do not have, an error code, a fixed sentence, or a line in their log.
The data files in inspect/vendors say which, from which file or page and version. A product's mere presence in the path (cf-ray, via, server) is no such mark.`,
	Run: func(c *Case) []Finding {
		var fs []Finding
		for _, h := range c.hits() {
			fs = append(fs, c.ofHit(h))
		}
		return fs
	},
}

func (c *Case) ofHit(h vendors.Hit) Finding {
	v := h.Vendor
	say := h.Say
	if say == "" {
		say = "it refused: " + strings.ToLower(titleOf(Name(h.Cause)))
	}
	f := because("%s: %s", v.Name, say).Of(Name(h.Cause)).By(Name(v.ID)).At(Name(v.Layer)).Titled(h.Title)
	if h.Layer != "" {
		f.Layer = Name(h.Layer)
	}
	if h.Other != "" {
		f.Vendor = Name(h.Other)
	}
	f.Items, f.NextStep = h.Items, h.Next
	f.Basis = BySentence
	switch {
	case h.Logged:
		f.Basis = ByLog
	case h.Basis == "code":
		f.Basis = ByCode
	}
	switch h.Confidence {
	case "certain":
		f.Confidence, f.Unchecked = flow.Certain, h.Checked == ""
	case "likely":
		f.Confidence = flow.Likely
	default:
		// The product answers so for this cause and for others: a candidate, behind "unknown".
		f.Confidence, f.Basis = flow.Possible, ByHabit
	}
	for _, q := range h.Quotes {
		f = f.Quote(Evidence(q))
	}
	if f.Basis == BySentence && len(h.Quotes) > 0 && c.amongReasons("", Evidence(h.Quotes[0])) {
		f.Summary = "one of the reasons that the answer lists: " + clip(h.Quotes[0].Quote, 160)
		f.Vendor, f.Layer, f.Confidence, f.Basis = "", "", flow.Possible, ByHabit
		return f
	}
	if len(h.Quotes) > 0 && slices.ContainsFunc(h.Quotes, c.quotedSubject) {
		f.Summary = "the answer names a page on: " + clip(h.Quotes[0].Quote, 160)
		f.Vendor, f.Layer, f.Confidence, f.Basis = "", "", flow.Possible, ByHabit
		return f
	}
	if h.Reported {
		f.Summary = "the answer reports what another server said, in the words of " + v.Name + ": " + say
		f.Vendor, f.Layer, f.Confidence, f.Basis = "", "", flow.Possible, ByHabit
		f.NextStep = "The application asked another server and was refused there: look in its log for the request that it made"
		return f
	}
	if h.Anybody {
		f.Summary, f.Vendor, f.Layer = "the answer says: "+say, "", ""
		if len(h.Quotes) > 0 && h.Quotes[0].Where == "response.body" && strings.Contains(h.Quotes[0].Quote, " ") {
			f.Summary = "the answer says: " + clip(h.Quotes[0].Quote, 160)
		}
		f.NextStep, f.Basis = "", BySentence
		return f
	}
	if h.Elsewhere {
		f.Summary = "the answer has the form in which " + v.Name + " says: " + say
		f.Vendor, f.Layer, f.Confidence, f.Basis = "", "", flow.Possible, ByHabit
		return f
	}
	if id := v.SupportID(c.exchange()); id != "" {
		if f.NextStep == "" {
			f.NextStep = titleNext(f.Cause)
		}
		f.NextStep = strings.TrimSuffix(f.NextStep, ".") + "; the id to quote is " + id
	}
	return f
}

func (c *Case) quotedSubject(q vendors.Quote) bool { return c.subjectOfPage(Evidence(q)) }

func titleOf(cause Name) string {
	if i := causeByID[cause]; i != nil {
		return i.Title
	}
	return string(cause)
}

func titleNext(cause Name) string {
	if i := causeByID[cause]; i != nil {
		return i.Next
	}
	return ""
}
