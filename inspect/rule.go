package inspect

import "fmt"

// Rule is one reason for a refusal: what it is, and how it shows.
type Rule struct {
	// Name is the rule's word: its file, its testdata and, where it has one cause, that cause.
	Name string
	// Cause is given to findings that name none.
	Cause Name
	Title string
	Item  int // of the checklist
	// Doc says how servers behave here, with the source, and what helps.
	Doc string
	// Reads marks a rule that reads what the answer or a log says. Such rules
	// run first; the others may ask AnswerSpeaksFor.
	Reads bool
	Run   func(*Case) []Finding
}

// run calls the rule; a panic becomes a finding about us.
func (r *Rule) run(c *Case) (fs []Finding) {
	defer func() {
		if p := recover(); p != nil {
			fs = []Finding{{
				Cause: UnknownCause, Confidence: 0, Basis: ByHabit,
				Summary:  fmt.Sprintf("why403's own rule %q failed on this flow: %v", r.Name, p),
				NextStep: "Report this with the flow: it is a fault of why403, not of the server.",
			}}
		}
	}()
	if c.Flow.Request == nil && !r.Reads {
		return nil // an answer alone was imported: what its request lacked is not known
	}
	fs = r.Run(c)
	for i := range fs {
		if fs[i].Cause == "" {
			fs[i].Cause = r.Cause
		}
		if fs[i].Items == nil && causeByID[fs[i].Cause] != nil {
			fs[i].Items = causeByID[fs[i].Cause].Items
		}
		if len(fs[i].Items) == 0 && r.Item > 0 {
			fs[i].Items = []int{r.Item}
		}
		fs[i].Speaks = fs[i].Speaks || r.Reads
	}
	return fs
}
