package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

// Markdown writes an incident report: one section for each refused flow. repro, if given,
// makes the command that sends the request of a flow again, or "".
func Markdown(w io.Writer, list []inspect.Explained, repro func(flow.ID) string) error {
	p := &writer{w: w}
	n := Refused(list)
	p.f("# Refused requests\n\n%s, %d refused.\n", count(len(list), "exchange"), n)
	for i := range list {
		if list[i].Verdict != nil {
			section(p, &list[i])
			if repro != nil {
				reproduce(p, repro(list[i].ID))
			}
		}
	}
	return p.err
}

func section(p *writer, e *inspect.Explained) {
	v := e.Verdict
	p.f("\n## #%d %s: %d, %s\n\n", e.ID, code(subject(e)), e.Status, md(v.Headline))
	p.f("%s\n\n", md(v.Summary))
	p.f("| | |\n|---|---|\n")
	p.f("| cause | `%s` |\n", v.Cause)
	if sure := v.Sure(); sure != "" {
		p.f("| confidence | %s |\n", sure)
	}
	if v.Layer != "" || v.Vendor != "" {
		p.f("| who | %s |\n", cell(md(v.Who())))
	}
	p.f("| next step | %s |\n", cell(md(v.NextStep)))
	if e.ProvenBy != 0 {
		p.f("| proven | by #%d: %s |\n", e.ProvenBy, cell(md(e.Proof)))
	} else if len(e.FixedOnce) > 0 {
		p.f("| fixed once | accepted with a change: %s |\n", numbers(e.FixedOnce))
	}
	support(p, e)
	if len(v.Evidence) > 0 {
		p.f("\n### Evidence\n\n")
		for _, ev := range v.Evidence {
			where, quote := quoted(ev)
			p.f("* %s: %s\n", code(where), code(quote))
		}
	}
	if v.Fix != nil {
		p.f("\n### %s\n\n%s\n\n", title(fixLabel(v.Fix)), md(v.Fix.Summary))
		for _, c := range v.Fix.Patch {
			p.f("* %s\n", code(changeLine(c)))
		}
	}
	if head, lines := simulated(e.WAF); head != "" {
		p.f("\n### Firewall, simulated\n\n%s.\n\n", md(head))
		for _, l := range lines {
			p.f("* %s\n", md(l))
		}
	}
	if len(e.Candidates) > 0 {
		p.f("\n### Also possible\n\n")
		for _, c := range e.Candidates {
			label := code(string(c.Cause))
			if sure := c.Sure(); sure != "" {
				label += " (" + sure + ")"
			}
			p.f("* %s: %s\n", label, md(c.Summary))
		}
	}
	if c := e.ComparedWith; c != nil {
		p.f("\n### Compared with the accepted #%d\n\n", c.ID)
		if len(c.Changes) == 0 {
			p.f("Nothing that matters differs.\n")
		}
		for _, ch := range c.Changes {
			p.f("* %s\n", code(changeLine(ch)))
		}
	}
	if len(e.Credentials) > 0 {
		p.f("\n### Credentials\n\n| credential | what happened | flow | when (UTC) |\n|---|---|---|---|\n")
		for _, l := range e.Credentials {
			for _, ev := range l.Events {
				at := ""
				if ev.Flow != 0 {
					at = fmt.Sprintf("#%d", ev.Flow)
				}
				p.f("| %s | %s | %s | %s |\n", cell(md(l.Credential)), ev.What, at, ev.At.UTC().Format("2006-01-02 15:04:05"))
			}
		}
	}
	p.f("\n### Checklist\n\n| # | check | state | note | where to look |\n|---|---|---|---|---|\n")
	for _, c := range e.Checklist {
		look := ""
		if c.State == inspect.Suspect || c.State == inspect.Unknown {
			look = c.Verify
		}
		p.f("| %d | %s | %s | %s | %s |\n", c.Item, c.Name, c.State, cell(md(c.Note)), cell(md(look)))
	}
}

// reproduce writes a command as a block of code, fenced by more tildes than it has in a row (CommonMark 4.5).
func reproduce(p *writer, command string) {
	if command == "" {
		return
	}
	fence := "~~~"
	for strings.Contains(command, fence) {
		fence += "~"
	}
	p.f("\n### Send it again\n\n%ssh\n%s\n%s\n", fence, visibleLines(strings.TrimRight(command, "\n")), fence)
}

// visibleLines is visible for a text of several lines, which may have tabs.
func visibleLines(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, "\n\t")
		if i < 0 {
			b.WriteString(visible(s))
			break
		}
		b.WriteString(visible(s[:i]) + s[i:i+1])
		s = s[i+1:]
	}
	return b.String()
}

// support are rows with what whoever runs the server needs to find the exchange.
func support(p *writer, e *inspect.Explained) {
	if !e.Time.IsZero() {
		p.f("| when | %s UTC |\n", e.Time.UTC().Format("2006-01-02 15:04:05.000"))
	}
	for _, id := range e.IDs {
		name, value, _ := strings.Cut(id, ": ")
		p.f("| %s | %s |\n", cell(md(name)), cell(code(value)))
	}
}

var mdEscapes = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "#", `\#`)

// md is text that Markdown shows as it is.
func md(s string) string { return mdEscapes.Replace(visible(s)) }

// cell is md text inside a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// code is s as a code span, whatever backticks are in it (CommonMark 6.1).
func code(s string) string {
	s = short(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func numbers(ids []flow.ID) string {
	var out []string
	for _, id := range ids {
		out = append(out, "#"+strconv.FormatInt(int64(id), 10))
	}
	return strings.Join(out, ", ")
}
