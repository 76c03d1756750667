package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// rulesBox lists the rewrite rules in their order. What is changed here is at work at once, and saved.
type rulesBox struct {
	m     *model
	rules []rewrite.Rule
	cur   int
	top   int // first one on the screen
}

// rulesSavedMsg says whether the rules could be written to their file.
type rulesSavedMsg struct{ err error }

func (m *model) openRules() {
	if m.o.Rules == nil {
		m.say(false, "nothing can be rewritten from here: this session was opened without a proxy")
		return
	}
	m.push(&rulesBox{m: m, rules: m.o.Rules.Rules()})
}

func (b *rulesBox) name() words { return "Rewrite rules" }

func (b *rulesBox) key(m *model, name, _ string) tea.Cmd {
	n := len(b.rules)
	switch a := lookup(inRules, name); a {
	case boxDown:
		b.cur = min(b.cur+1, max(0, n-1))
	case boxUp:
		b.cur = max(b.cur-1, 0)
	case boxClose:
		m.pop()
	case boxAdd:
		box := newRuleBox(b, n, ruleTemplate(m.list.current()))
		box.text.at = len("name: ")
		m.push(box)
	case boxEdit, boxToggle, boxDelete, boxRaise, boxLower:
		if n > 0 {
			return b.change(m, a)
		}
	}
	return nil
}

// change does something to the rule under the cursor.
func (b *rulesBox) change(m *model, a action) tea.Cmd {
	rules := slices.Clone(b.rules)
	to := b.cur
	switch a {
	case boxEdit:
		m.push(newRuleBox(b, b.cur, rules[b.cur].Text()))
		return nil
	case boxToggle:
		rules[b.cur].Disabled = !rules[b.cur].Disabled
	case boxDelete:
		name := rules[b.cur].Title()
		m.push(&confirm{title: "Delete the rule?", text: name, yes: "delete", do: func(m *model) tea.Cmd {
			return b.set(m, slices.Delete(rules, b.cur, b.cur+1))
		}})
		return nil
	case boxRaise:
		to = b.cur - 1
	case boxLower:
		to = b.cur + 1
	}
	if to < 0 || to >= len(rules) {
		return nil
	}
	rules[b.cur], rules[to] = rules[to], rules[b.cur]
	b.cur = to
	return b.set(m, rules)
}

// set puts the rules to work and saves them.
func (b *rulesBox) set(m *model, rules []rewrite.Rule) tea.Cmd {
	book := m.o.Rules
	if err := book.Replace(rules); err != nil {
		m.fail("rules", err)
		return nil
	}
	b.rules = rules
	b.cur = max(0, min(b.cur, len(rules)-1))
	return m.crew.cmd(func() tea.Msg { return rulesSavedMsg{book.Save()} })
}

func (m *model) rulesSaved(msg rulesSavedMsg) {
	if msg.err != nil {
		m.fail("the rules are at work, but not saved", msg.err)
	}
}

func (b *rulesBox) point(i int) bool {
	if i += b.top; i < len(b.rules) {
		b.cur = i
	}
	return false
}

func (b *rulesBox) view(th *theme, w, h int) []string {
	w = min(w, 110)
	var out []string
	if len(b.rules) == 0 {
		for _, t := range wrap(safe.Of("No rule yet. A rule picks messages by a filter and changes them on their way: headers, query, body, status; another server; an answer from a file; a delay."), w) {
			out = append(out, row(w).on(th.box).text(th.muted, t).end())
		}
	}
	n := max(1, min(len(b.rules), h-4))
	top := max(0, b.cur-n+1)
	b.top = top
	for i := top; i < min(len(b.rules), top+n); i++ {
		out = append(out, b.row(th, w, i))
	}
	out = append(out, row(w).on(th.box).end())
	out = append(out, boxKeys(th, w, inRules)...)
	l := row(w).on(th.box)
	if path := b.m.o.Rules.Path(); path != "" {
		l.put(th.muted, "saved in ").text(th.muted, safe.Of(path))
	} else {
		l.put(th.muted, "kept until why403 ends; --rules FILE keeps them longer")
	}
	return append(out, l.end())
}

func (b *rulesBox) row(th *theme, w, i int) string {
	r := &b.rules[i]
	base, sign := th.box, words("  ")
	if i == b.cur {
		base, sign = th.cursor, signCursor+" "
	}
	s, dot, ds := th.text, words(signOn+" "), th.good
	if r.Disabled {
		s, dot, ds = th.faint, signOff+" ", th.muted
	}
	l := row(w).on(base).put(th.key, sign).put(ds, dot)
	name := w * 4 / 10
	if r.Name != "" {
		l.left(s, safe.Of(r.Name), name-2).gap(2)
		l.left(th.muted, safe.Of(r.Does()), w-l.w)
		return l.end()
	}
	l.left(s, safe.Of(r.Does()), name-2).gap(2)
	match := r.Match
	if match == "" {
		match = "every message"
	}
	if r.At == rewrite.AtResponse {
		match = "responses, " + match
	}
	return l.left(th.muted, safe.Of(match), w-l.w).end()
}

// likeRow is a filter for requests like that of r: its method, host and path.
func likeRow(r *session.Row) string {
	path, _, _ := strings.Cut(r.Target, "?")
	parts := []string{"method:" + strings.ToLower(r.Method), "host:" + r.Authority}
	if path != "" && path != "/" {
		parts = append(parts, "path:"+path)
	}
	for i, p := range parts {
		if strings.ContainsAny(p, " \t\"'()!\\\x00\x1b") {
			key, value, _ := strings.Cut(p, ":")
			parts[i] = key + ":" + fmt.Sprintf("%q", value)
		}
	}
	return strings.Join(parts, " ")
}

// ruleTemplate is where a new rule begins: all that a rule can be, for the flow under the cursor.
func ruleTemplate(r *session.Row) string {
	match := "method:post host:api.example.com"
	if r != nil && r.Method != "" && r.Authority != "" {
		match = likeRow(r)
	}
	return "name: \nmatch: '" + strings.ReplaceAll(match, "'", "''") + "'\nset-header:\n  - 'X-Debug: 1'\n" + `
# Take the # away from what is wanted:
# at: response
# remove-header: [Cookie]
# set-query: [page=2]
# replace-body: [{find: old, with: new}]
# set-json: ['$.items[0].qty = 3']
# status: 200
# to: https://staging.example.com
# answer: {status: 200, file: answer.json}
# delay: 300ms
`
}
