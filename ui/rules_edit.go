package ui

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/ui/safe"
)

// ruleBox edits one rule as text, and says at each key whether it can be understood.
type ruleBox struct {
	list *rulesBox
	at   int // the rule's place; that behind the last is a new one
	was  string
	text area
	rule rewrite.Rule
	err  error
}

func newRuleBox(list *rulesBox, at int, text string) *ruleBox {
	b := &ruleBox{list: list, at: at, was: text, text: newArea(text)}
	b.check()
	return b
}

func (b *ruleBox) name() words {
	if b.at == len(b.list.rules) {
		return "New rule"
	}
	return "Rule"
}

// check reads the rule as it stands.
func (b *ruleBox) check() {
	if b.rule, b.err = rewrite.ParseRule(b.text.s); b.err == nil {
		_, b.err = rewrite.Compile([]rewrite.Rule{b.rule}, "")
	}
	if e, ok := b.err.(*rewrite.RuleError); ok {
		b.err = e.Err // there is but one
	}
}

func (b *ruleBox) key(m *model, name, text string) tea.Cmd {
	switch lookup(inRule, name) {
	case ruleSave:
		if b.err != nil {
			return nil
		}
		m.pop()
		rules := slices.Clone(b.list.rules)
		if b.at < len(rules) {
			rules[b.at] = b.rule
		} else {
			rules = append(rules, b.rule)
		}
		b.list.cur = b.at
		return b.list.set(m, rules)
	case boxClose:
		if b.text.s == b.was {
			m.pop()
			return nil
		}
		m.push(&confirm{title: "Close the rule?", text: "What you wrote has not been saved.", yes: "close", do: func(m *model) tea.Cmd { m.pop(); return nil }})
		return nil
	}
	if b.text.key(name, text) {
		b.check()
	}
	return nil
}

func (b *ruleBox) view(th *theme, w, h int) []string {
	w = min(w, 90)
	sign, ss, s, said := words(signYes+" "), th.good, th.text, ""
	if b.err != nil {
		sign, ss, s, said = signNo+" ", th.bad, th.warn, b.err.Error()
	} else {
		said = b.rule.Does()
	}
	verdict := wrap(safe.Of(said), w-2)
	verdict = verdict[:min(len(verdict), max(1, h-7))]
	rows := max(3, min(h-3-len(verdict), 18))
	var out []string
	for _, r := range b.text.view(th, w, rows, true) {
		out = append(out, row(0).end()+r)
	}
	out = append(out, row(w).on(th.box).end())
	for i, part := range verdict {
		if i > 0 {
			sign = "  "
		}
		out = append(out, row(w).on(th.box).put(ss, sign).text(s, part).end())
	}
	return append(out, boxKeys(th, w, inRule)...)
}
