package inspect

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

var coreRuleSet = &Rule{
	Name: "core-rule-set", Cause: WAFRule, Title: "the Core Rule Set takes offence at the request", Item: 9,
	Doc: `The request is run through the OWASP Core Rule Set 4.25 in Coraza 3.8, here, as a fresh installation has it: paranoia level 1, refusal from an anomaly score of 5 on; rules of level 2 are told as such. ModSecurity, Coraza and several cloud firewalls use this rule set or an older one.
Where the answer or a log shows that a firewall refused, the rules that fire tell what it most likely took offence at, and on which bytes; a rule that the log names itself is confirmed. Rules that fire for the accepted request of the endpoint as well explain nothing.
Where nothing shows a firewall, and the answer is the stock page of a server, this is a possibility and a next step. It names nobody but who answered.`,
	Run: func(c *Case) []Finding {
		switch {
		case c.WAF == nil:
			return nil
		case c.WAF.Failed != "":
			return []Finding{{
				Cause: UnknownCause, Basis: ByHabit, Items: []int{9},
				Summary:  "why403's own simulation of a firewall failed: " + c.WAF.Failed,
				NextStep: "Report this with the flow: it is a fault of why403, not of the server.",
			}}
		}
		if said := c.blocked(); said != nil {
			return c.explainBlock(*said)
		}
		if f, ok := c.suspected(); ok {
			return f.Possible()
		}
		return nil
	},
}

// blocked is the strongest finding that the answer or a log shows a firewall to have refused; nil: none does.
func (c *Case) blocked() *Finding {
	var best *Finding
	for i := range c.facts.claims {
		f := &c.facts.claims[i]
		if f.Confidence < flow.Likely || f.Cause != WAFRule && (f.Layer != layerCDN || !ruleCauses(f.Cause)) {
			continue
		}
		if best == nil || weight(*f) > weight(*best) {
			best = f
		}
	}
	return best
}

// ruleCauses are the causes that rules of the set stand for.
var ruleCauses = Any(WAFRule, MethodPolicy, UserAgentRefused, ContentTypeMismatch, UnsupportedHeader, ProtocolVersion, DuplicateHeader)

// causeOf is what a rule refuses for: rules on the protocol have a cause of their own.
func (h *Hit) causeOf() Name {
	switch h.Rule {
	case 911100:
		return MethodPolicy
	case 913100, 920320, 920330:
		return UserAgentRefused
	case 920340, 920420, 920470, 920480, 920530, 920640:
		return ContentTypeMismatch
	case 920450, 920451:
		return UnsupportedHeader
	case 920430:
		return ProtocolVersion
	case 920620:
		return DuplicateHeader
	}
	return WAFRule
}

// relatives are the products that run the Core Rule Set itself or rules made from it
// (learn.microsoft.com: web application firewall CRS and DRS rule groups; cloud.google.com/armor/docs/waf-rules).
var relatives = []Name{"modsecurity", "coraza", "owasp-crs", "bunkerweb", "azure-app-gateway", "azure-front-door", "google-cloud-armor"}

// explainBlock says which rule a firewall that refused most likely went by. What it
// finds is added to the finding said, which stands on the firewall's own mark.
func (c *Case) explainBlock(said Finding) []Finding {
	s := c.WAF
	named := c.namedRules(said)
	hits, level := s.Own(1), 1
	if len(hits) == 0 && len(named) == 0 {
		hits, level = s.Own(2), 2
	}
	f := because("").Of(said.Cause).On(ByHabit)
	f.Adds = true
	if len(named) > 0 {
		hits = slices.DeleteFunc(slices.Clone(s.Hits), func(h Hit) bool { return !slices.Contains(named, h.Rule) })
		if len(hits) == 0 {
			f.Summary = fmt.Sprintf("run here, the %s does not fire %s: the server has another version or set-up", s.Short(), rulesInWords(named))
			return f.Possible()
		}
		f.Summary = fmt.Sprintf("the %s, run here, agrees: %s", s.Short(), inWords(hits))
		return c.withBytes(f, hits, true)
	}
	if len(hits) == 0 {
		if len(s.Hits) == 0 || s.Accepted == nil {
			return nil
		}
		f.Summary = fmt.Sprintf("the %s, run here, flags only what it flags in the accepted request #%d as well", s.Short(), s.Accepted.ID)
		return f.Possible()
	}
	family := slices.Contains(relatives, said.Vendor)
	// A firewall that says no more than that it is one, and rules that agree on something narrower.
	if cause := hits[0].causeOf(); family && level == 1 && said.Cause == WAFRule && cause != WAFRule && covers(WAFRule, cause) &&
		!slices.ContainsFunc(hits, func(h Hit) bool { return h.causeOf() != cause }) {
		n := because("%s: in the %s, run here, %s", said.Summary, s.Short(), inWords(hits)).Of(cause).At(said.Layer).By(said.Vendor).On(ByComputation)
		return n.Quote(evidenceOf(hits[0])).Likely()
	}
	switch {
	case level == 2:
		f.Summary = fmt.Sprintf("the %s, run here, fires at paranoia level 2 alone: %s", s.Short(), inWords(hits))
	case family:
		f.Summary = fmt.Sprintf("in the %s, run here, most likely %s", s.Short(), inWords(hits))
	default:
		f.Summary = fmt.Sprintf("the %s, whose rules may differ from this product's, run here: %s", s.Short(), inWords(hits))
	}
	return c.withBytes(f, hits, family)
}

// withBytes quotes the bytes that matched and says what to do about them.
func (c *Case) withBytes(f Finding, hits []Hit, exclude bool) []Finding {
	hits = preciseFirst(hits)
	for _, h := range quotable(hits) {
		f = f.Quote(evidenceOf(h))
	}
	h := hits[0]
	if h.causeOf() == WAFRule && h.Quote != "" {
		f = f.Then("Change or encode %s in %s", quoted(h), h.Place)
		if exclude {
			f.NextStep += ", or exclude it: " + h.exclusion()
		}
	}
	f.Fix = c.WAF.test()
	return f.Possible()
}

// suspected is the possibility that a firewall refused, where no mark of one is there.
func (c *Case) suspected() (Finding, bool) {
	s := c.WAF
	if s == nil || s.Failed != "" || s.Score < s.Threshold || s.Accepted != nil && s.Accepted.Score >= s.Threshold {
		return Finding{}, false
	}
	if !c.plainAnswer() || c.blocked() != nil || c.AnswerSpeaksFor(func(Name) bool { return true }) {
		return Finding{}, false
	}
	hits := s.Own(1)
	if len(hits) == 0 {
		return Finding{}, false
	}
	hits = preciseFirst(hits)
	f := because("nothing shows a firewall; if there is one with the %s, it flags the request: %s", s.Short(), inWords(hits)).Of(hits[0].causeOf()).On(ByHabit)
	f.Nobody = true
	if s.Accepted != nil && f.Cause == WAFRule {
		// The accepted request has nothing of the kind: then it may stand for itself, before what merely differs.
		f = f.On(ByComputation).Titled("perhaps a firewall's rule on content")
	}
	for _, h := range quotable(hits) {
		f = f.Quote(evidenceOf(h))
	}
	f = f.Then("Find out whether ModSecurity or Coraza runs there: then rule %d stands in %s. Without such a firewall this is not the reason", hits[0].Rule, c.logOfServer())
	f.Fix = c.WAF.test()
	return f, true
}

// suspicion is suspected in a short sentence, "" if nothing is.
func (c *Case) suspicion() string {
	f, ok := c.suspected()
	if !ok {
		return ""
	}
	return sentence(f.Summary)
}

// preciseFirst puts rules on content before those on the protocol, and bytes that
// matched before values that were judged as a whole.
func preciseFirst(hits []Hit) []Hit {
	rank := func(h Hit) int {
		switch {
		case h.causeOf() != WAFRule || h.Quote == "":
			return 2
		case h.Whole:
			return 1
		}
		return 0
	}
	hits = slices.Clone(hits)
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(rank(a), rank(b)) })
	return hits
}

// logOfServer is where whoever answered writes what a firewall inside it does.
func (c *Case) logOfServer() string {
	if who := c.whoAnswered(); who.vendor != nil && who.vendor.Log != "" {
		return who.vendor.Log
	}
	return "the server's log"
}

const quotedHits = 3 // matches of which a finding quotes the bytes

// quotable are the matches that evidence is taken from: one a rule.
func quotable(hits []Hit) []Hit {
	var out []Hit
	for _, h := range preciseFirst(hits) {
		if len(out) < quotedHits && !slices.ContainsFunc(out, func(o Hit) bool { return o.Rule == h.Rule }) {
			out = append(out, h)
		}
	}
	return out
}

// inWords tells the first match, and how many rules fire besides: "rule 942100 (SQL
// Injection …) at “x' OR 1=1” in the form field name, and 2 more".
func inWords(hits []Hit) string {
	h := preciseFirst(hits)[0]
	s := fmt.Sprintf("rule %d (%s)", h.Rule, clip(h.Message, 60))
	switch {
	case h.Quote != "":
		s += " at " + quoted(h) + " in " + clip(h.Place, 80)
	case h.Place != "":
		s += " for " + clip(h.Place, 80)
	}
	more := map[int]bool{}
	for _, o := range hits {
		more[o.Rule] = true
	}
	if n := len(more) - 1; n > 0 {
		s += fmt.Sprintf(", and %d more", n)
	}
	return s
}

func quoted(h Hit) string { return "“" + clip(h.Text, 60) + "”" }

func evidenceOf(h Hit) Evidence { return Evidence{Where: h.Where, Quote: h.Quote, Offset: h.Offset} }

// exclusion is the directive that keeps a rule from looking at what it matched
// (ModSecurity reference manual v3, SecRuleUpdateTargetById). The fields of a JSON
// body are called json.NAME in Coraza and ModSecurity 3, NAME in ModSecurity 2.9.
func (h *Hit) exclusion() string {
	if name, ok := strings.CutPrefix(h.Target, "ARGS:json."); ok {
		return fmt.Sprintf(`SecRuleUpdateTargetById %d "!%s" (!ARGS:%s in ModSecurity 2)`, h.Rule, h.Target, name)
	}
	for _, v := range []string{"ARGS:", "ARGS_NAMES:", "REQUEST_HEADERS:", "REQUEST_COOKIES:"} {
		if strings.HasPrefix(h.Target, v) {
			return fmt.Sprintf(`SecRuleUpdateTargetById %d "!%s"`, h.Rule, h.Target)
		}
	}
	return fmt.Sprintf("SecRuleRemoveById %d, for this path alone", h.Rule)
}

// test leaves out what the rules flag, for a replay that shows whether it is the reason.
func (s *Simulation) test() *Fix {
	var patch flow.Patch
	var what []string
	for _, k := range s.Trial {
		patch = append(patch, k.Change)
		what = append(what, "“"+clip(k.Text, 60)+"” in "+clip(k.Place, 60))
	}
	if len(patch) == 0 {
		return nil
	}
	return &Fix{Test: true, Patch: patch, Summary: "a test, not a fix: send it without " + strings.Join(what, " and without ") + "; if that is accepted, a rule on content is the reason"}
}

// ruleID is how logs and pages name a rule of the set that judges requests.
var ruleID = regexp.MustCompile(`(?i)(?:\[id "|"(?:rule_?)?id":\s*"?|\brule(?:[ _-]?id)?["\s:#=]{1,4})(9(?:1[0-9]|2[0-2]|3[0-4]|4[1-4])\d{3})\b`)

// namedRules are the rules that the logs or the answer name, without those of the score.
func (c *Case) namedRules(said Finding) []int {
	var out []int
	add := func(text string) {
		for _, m := range ruleID.FindAllStringSubmatch(text, maxNamed) {
			if n, err := strconv.Atoi(m[1]); err == nil && len(out) < maxNamed && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	for _, l := range c.Logs {
		if l.Tied != "near" || said.Basis == ByLog { // what the finding believes
			add(l.Text)
		}
	}
	add(c.said().body[:min(len(c.said().body), 64<<10)])
	return out
}

const maxNamed = 20

func rulesInWords(ids []int) string {
	if len(ids) == 1 {
		return "rule " + strconv.Itoa(ids[0])
	}
	var list []string
	for _, n := range ids[:min(len(ids), 5)] {
		list = append(list, strconv.Itoa(n))
	}
	return "rules " + strings.Join(list, ", ")
}
