package ui

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/ui/safe"
)

// labelWidth is the column of names in the tabs.
const labelWidth = 10

// whyDoc is the tab Why. checks opens the checklist.
func whyDoc(th *theme, d *dossier, v *veil, w int, checks bool, now time.Time) linked {
	p := &writer{w: w}
	r := &d.row
	switch {
	case d.exp != nil && d.exp.Refused && d.exp.Verdict != nil:
		verdict(th, p, d, v, checks)
		return linked{pieces: p.out, to: p.to}
	case r.Kind == flow.Handshake:
		handshake(th, p, r)
	case r.Kind == flow.Tunnel:
		p.say(nil, 0, th.bright, safe.Of("A tunnel that was not read"))
		p.blank()
		p.say(nil, 0, th.text, safe.Of("Its bytes were passed on untouched: the host is on the list of hosts left alone, or what it carries is no HTTP."))
	case r.Kind == flow.Rejected:
		p.say(nil, 0, th.bright, safe.Of("Answered by why403 with a marked 400, not forwarded"))
		p.blank()
		p.say(p.label(th, "because", labelWidth), labelWidth, th.text, safe.Of(r.Err))
		p.say(p.label(th, "why", labelWidth), labelWidth, th.muted, safe.Of("two parsers could read this request differently, and then one of them would let through what the other checked"))
	case !ended(r):
		title := "Waiting for the answer"
		switch {
		case r.Status == 101 || d.messages != nil:
			title = "Answered " + strconv.Itoa(r.Status) + ", and they are talking"
		case r.Status != 0:
			title = "Answered " + strconv.Itoa(r.Status) + ", the rest is on its way"
		}
		p.say(nil, 0, th.bright, safe.Of(title))
		p.blank()
		p.say(p.label(th, "since", labelWidth), labelWidth, th.text, safe.Of(span(now.Sub(r.Start))))
		if r.ReqBytes > 0 {
			p.say(p.label(th, "sent", labelWidth), labelWidth, th.text, safe.Of(size(r.ReqBytes)))
		}
		if r.RespBytes > 0 {
			p.say(p.label(th, "received", labelWidth), labelWidth, th.text, safe.Of(size(r.RespBytes)))
		}
		talked(th, p, d)
	case r.Err != "":
		failure(th, p, d)
	case r.Refused():
		p.say(nil, 0, th.bright, safe.Of("Refused: "+strconv.Itoa(r.Status)))
		p.blank()
		p.say(nil, 0, th.muted, safe.Of("The explanation is being made."))
	default:
		accepted(th, p, d)
	}
	tell(th, p, d, v)
	return linked{pieces: p.out, to: p.to}
}

func verdict(th *theme, p *writer, d *dossier, stage *veil, checks bool) {
	v := d.exp.Verdict
	p.say(nil, 0, th.bright, safe.Of(v.Who()+":"))
	p.say(nil, 0, th.bright, safe.Of(v.Summary))
	var row []piece
	if sure := v.Sure(); sure != "" && !v.Proven {
		badge := th.badgeLo
		if v.Confidence == flow.Certain {
			badge = th.badge
		}
		row = append(row, piece{badge, safe.Of(" " + sure + " ")}, piece{"", space(1)})
	}
	switch {
	case v.Proven:
		row = append(row, piece{th.badge, safe.Of(" proven by #" + id(d.row.ProvenBy) + " ")}, piece{"", space(1)})
	case d.row.ProvenBy != 0:
		row = append(row, piece{th.badge, safe.Of(" another change is proven by #" + id(d.row.ProvenBy) + " ")}, piece{"", space(1)})
	case d.fixedBy != 0:
		row = append(row, piece{th.badge, safe.Of(" fixed once by #" + id(d.fixedBy) + " ")}, piece{"", space(1)})
	}
	what := string(v.Cause)
	if len(v.Checklist) > 0 {
		what = "checklist " + strings.Trim(fmt.Sprint(v.Checklist), "[]") + " · " + what
	}
	p.add(append(row, piece{"", space(1)}, said(th.muted, what))...)
	if len(v.Evidence) > 0 {
		p.blank()
		heading := len(p.out)
		p.add(lit(th.muted, "evidence"))
		cites := citesOf(d.exp)
		for i, e := range v.Evidence {
			from := len(p.out)
			name, rest := where(e.Where)
			head := p.label(th, "", labelWidth)
			t := safe.Of(name).Cut(labelWidth - 2)
			head[1], head[2] = piece{th.muted, t}, piece{"", space(labelWidth - 1 - t.Width())}
			quote := "“" + e.Quote + "”"
			if claims := claimsOf(e.Quote); claims != "" {
				quote = "a token, decoded: " + claims
			}
			if rest != "" {
				quote = rest + ": " + quote
			}
			p.say(head, labelWidth, th.warn, safe.Of(quote))
			if t, ok := cites[i].tab(); ok && (t != tabLogs || d.hasLogs()) {
				p.leads(from, target{cite: i})
			} else if at := d.toldAs(e); at != 0 {
				p.leads(from, target{flow: at})
			}
		}
		if len(p.to) > 0 && p.w > 44 { // nothing else leads anywhere yet
			p.out[heading] = append(p.out[heading], piece{"", space(3)}, lit(th.key, keyOf(open)), lit(th.faint, " on a line shows its place"))
		}
	}
	p.blank()
	if d.row.ProvenBy != 0 && d.row.Comment != "" {
		p.say(p.label(th, "proof", labelWidth), labelWidth, th.good, safe.Of(d.row.Comment))
	} else if d.row.Comment != "" {
		p.say(p.label(th, "comment", labelWidth), labelWidth, th.text, safe.Of(d.row.Comment))
	}
	if d.flow != nil && len(d.flow.Altered) > 0 { // we may be the cause ourselves
		p.say(p.label(th, "altered", labelWidth), labelWidth, th.warn, safe.Of("by why403, on the way: "+strings.Join(d.flow.Altered, "; ")))
	}
	if v.Fix != nil {
		name := words("fix")
		if v.Fix.Test {
			name = "test"
		}
		from := len(p.out)
		p.say(append(p.label(th, name, labelWidth), lit(th.key, keyOf(applyFix)), piece{"", space(1)}), labelWidth+2, th.text, safe.Of(v.Fix.Summary))
		p.leads(from, target{do: applyFix})
	}
	if v.NextStep != "" {
		p.say(p.label(th, "next", labelWidth), labelWidth, th.text, safe.Of(v.NextStep))
	}
	for i, c := range d.exp.Candidates {
		name := words("")
		if i == 0 {
			name = "also"
		}
		p.say(p.label(th, name, labelWidth), labelWidth, th.muted, safe.Of(c.Confidence.String()+": "+c.Summary))
	}
	simulated(th, p, d.exp.WAF, len(v.Evidence))
	lives(th, p, d.exp.Credentials, d.row.Start)
	tell(th, p, d, stage)
	if len(d.exp.Checklist) > 0 {
		p.blank()
		checklist(th, p, d.exp.Checklist, checks)
	}
}

// toldAs is the flow that evidence from the history is about, of those at hand: a step of the story, or
// the partner; 0: none of them.
func (d *dossier) toldAs(e inspect.Evidence) flow.ID {
	if e.Where != "history" {
		return 0
	}
	for _, c := range d.story {
		r := &c.row
		if r.ID != d.row.ID && e.Quote == r.Method+" "+r.Scheme+"://"+r.Authority+r.Target+" "+strconv.Itoa(r.Status) {
			return r.ID
		}
	}
	if p := d.partner; p != nil && e.Quote == inspect.HistoryLine(p) {
		return p.ID
	}
	return 0
}

// lives is what happened to the credentials of a request that was sent at a time, a line each.
func lives(th *theme, p *writer, list []inspect.Life, sent time.Time) {
	if len(list) == 0 {
		return
	}
	p.blank()
	p.add(lit(th.muted, "credentials"))
	happened := map[inspect.Happening]string{inspect.Issued: "issued by", inspect.LastWorked: "worked last in", inspect.Replaced: "replaced by",
		inspect.Expired: "expired", inspect.Expires: "expires"}
	for _, l := range list {
		var parts []string
		for _, e := range l.Events {
			s := happened[e.What]
			if e.Flow != 0 {
				s += " #" + id(e.Flow)
			}
			when := "15:04:05"
			if at, day := e.At.UTC(), sent.UTC(); at.YearDay() != day.YearDay() || at.Year() != day.Year() {
				when = "2006-01-02 15:04:05"
			}
			parts = append(parts, s+" "+e.At.UTC().Format(when))
		}
		p.say([]piece{{"", space(1)}, said(th.text, l.Credential), {"", space(2)}}, 3, th.muted, safe.Of(strings.Join(parts, ", ")+" UTC"))
	}
}

// claimsOf is the JSON in a quoted part of a JWT (RFC 7515, section 7.1), as far as the quotation goes; "" is none.
func claimsOf(quote string) string {
	if !strings.HasPrefix(quote, "eyJ") { // {" in base64url
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(quote[:len(quote)-len(quote)%4])
	if err != nil || !utf8.Valid(text) {
		return ""
	}
	if rest, err := base64.RawURLEncoding.DecodeString(quote[len(quote)-len(quote)%4:]); err == nil {
		text = append(text, rest...)
	}
	return string(text)
}

// where is evidence's place in a word, and the field it names.
func where(w string) (string, string) {
	place, name, _ := strings.Cut(w, ":")
	switch place {
	case "response.body":
		return "response", ""
	case "response.header":
		return "response", name
	case "response.trailer":
		return "response", "trailer " + name
	case "response.status":
		return "response", "status"
	case "request.header":
		return "request", name
	case "request.body":
		return "request", "body"
	case "request.url":
		return "request", "URL"
	case "log":
		return "log", name
	}
	return place, name
}

var checkMarks = map[inspect.State]words{inspect.OK: signYes, inspect.Suspect: signNo, inspect.Unknown: signUnknown, inspect.NotApplicable: signNotAsked}

func checkStyle(th *theme, s inspect.State) style {
	switch s {
	case inspect.OK:
		return th.good
	case inspect.Suspect:
		return th.bad
	case inspect.Unknown:
		return th.warn
	}
	return th.faint
}

func checklist(th *theme, p *writer, list []inspect.Check, opened bool) {
	from := len(p.out)
	if !opened {
		row := p.label(th, "checks", labelWidth)
		used := labelWidth
		for _, c := range list {
			t := safe.Of(string(checkMarks[c.State]) + strconv.Itoa(c.Item) + " ")
			if used+t.Width() > p.w {
				p.add(row...)
				row, used = p.label(th, "", labelWidth), labelWidth
			}
			row = append(row, piece{checkStyle(th, c.State), t})
			used += t.Width()
		}
		p.add(row...)
		p.add(append(p.label(th, "", labelWidth), lit(th.key, keyOf(open)), lit(th.muted, " what was checked, and how to verify the rest"))...)
		p.leads(from, target{do: open})
		return
	}
	p.add(lit(th.muted, "checks   "), lit(th.key, keyOf(open)), lit(th.muted, " closes"))
	p.leads(from, target{do: open})
	for _, c := range list {
		head := []piece{{checkStyle(th, c.State), safe.Of(" " + string(checkMarks[c.State]) + " ")}, said(th.muted, fmt.Sprintf("%2d ", c.Item))}
		s := th.text
		if c.State == inspect.NotApplicable {
			s = th.muted
		}
		text := c.Name
		if c.Note != "" {
			text += ": " + c.Note
		}
		p.say(head, 6, s, safe.Of(text))
		if c.Verify != "" && c.State != inspect.OK && c.State != inspect.NotApplicable {
			p.say([]piece{{"", space(6)}}, 6, th.accent, safe.Of(c.Verify))
		}
	}
}

func handshake(th *theme, p *writer, r *session.Row) {
	p.say(nil, 0, th.bright, safe.Of("The client ended the TLS handshake with us"))
	p.blank()
	p.say(p.label(th, "said", labelWidth), labelWidth, th.warn, safe.Of(firstOf(r.Err, "nothing")))
	if r.Authority != "" {
		p.say(p.label(th, "host", labelWidth), labelWidth, th.text, safe.Of(r.Authority))
	}
	p.blank()
	p.say(p.label(th, "cause", labelWidth), labelWidth, th.text, safe.Of("most clients do this when they do not trust the certificate authority of why403, or pin the certificate of the host"))
	p.say(p.label(th, "cure", labelWidth), labelWidth, th.text, safe.Of("give the client our CA certificate:"))
	for _, c := range []struct {
		who words
		how string
	}{
		{"curl", "curl --cacert \"$(why403 ca path)\" …"},
		{"Node", "NODE_EXTRA_CA_CERTS=\"$(why403 ca path)\""},
		{"Python", "REQUESTS_CA_BUNDLE=\"$(why403 ca path)\"  or  SSL_CERT_FILE=…"},
		{"Go, Ruby", "SSL_CERT_FILE=\"$(why403 ca path)\""},
		{"git", "GIT_SSL_CAINFO=\"$(why403 ca path)\""},
		{"Java", "keytool -importcert -file \"$(why403 ca path)\" …"},
	} {
		p.say(append(p.label(th, "", labelWidth), piece{th.muted, safe.Of(string(c.who))}, piece{"", space(10 - len(c.who))}), labelWidth+10, th.accent, safe.Of(c.how))
	}
}

// droppedText is what the proxy says of a message that a person dropped.
const droppedText = "dropped by you"

// failure is what is known of an exchange that broke off.
func failure(th *theme, p *writer, d *dossier) {
	r := &d.row
	op := ""
	if d.flow != nil && d.flow.Err != nil {
		op = d.flow.Err.Op
	}
	if r.ErrSide == "why403" && r.Err == droppedText {
		dropped(th, p, d)
		return
	}
	title := "The exchange did not come to an end"
	handshake := r.ErrSide == "origin" && op == "tls"
	switch r.ErrSide {
	case "client":
		title = "The client went away"
	case "origin":
		title = "The server could not be reached, or broke off"
		if handshake {
			title = "The server was reached, but the TLS handshake with it failed"
		}
	case "upstream":
		title = "The proxy behind us failed"
	case "why403":
		title = "why403 could not pass this on"
	}
	p.say(nil, 0, th.bright, safe.Of(title))
	p.blank()
	p.say(p.label(th, "said", labelWidth), labelWidth, th.warn, safe.Of(r.Err))
	if r.Status == 502 {
		p.say(p.label(th, "answer", labelWidth), labelWidth, th.text, safe.Of("the 502 that the client got is ours, not the server's"))
	}
	if handshake && strings.HasPrefix(r.Err, "the certificate of ") {
		p.say(p.label(th, "cure", labelWidth), labelWidth, th.text, safe.Of("if the server's certificate is your own or of a private authority, start why403 with its certificate:"))
		p.say(p.label(th, "", labelWidth), labelWidth, th.accent, safe.Of("why403 --upstream-ca FILE"))
		p.say(p.label(th, "", labelWidth), labelWidth, th.text, safe.Of("to look at the exchange without checking who the server is:"))
		p.say(p.label(th, "", labelWidth), labelWidth, th.accent, safe.Of("why403 --insecure"))
		return // sent again as it is, it fails the same way
	}
	p.say(append(p.label(th, "next", labelWidth), lit(th.key, keyOf(replay)), piece{"", space(1)}), labelWidth+2, th.text, safe.Of("send it again"))
}

// dropped is the tab Why of an exchange that a person let go nowhere.
func dropped(th *theme, p *writer, d *dossier) {
	p.say(nil, 0, th.bright, safe.Of("You dropped it, and the client's connection was closed"))
	p.blank()
	if d.flow != nil {
		for _, what := range d.flow.Altered {
			p.say(p.label(th, "what", labelWidth), labelWidth, th.text, safe.Of(what))
		}
	}
	text := "the request did not reach the server"
	if d.row.Status != 0 {
		text = "the answer of the server did not reach the client"
	}
	p.say(p.label(th, "so", labelWidth), labelWidth, th.text, safe.Of(text))
	p.say(append(p.label(th, "next", labelWidth), lit(th.key, keyOf(replay)), piece{"", space(1)}), labelWidth+2, th.text, safe.Of("send the request now"))
}

// talked says how many messages there are, and who ended that.
func talked(th *theme, p *writer, d *dossier) {
	if d.messages == nil {
		return
	}
	p.say(p.label(th, "messages", labelWidth), labelWidth, th.text, safe.Of(count(d.messages.total)))
	if s, text := d.messages.closing(th); !text.Empty() {
		p.say(p.label(th, "closed", labelWidth), labelWidth, s, text)
	}
}

func accepted(th *theme, p *writer, d *dossier) {
	r := &d.row
	title := "Not refused"
	if r.Status != 0 {
		title += ": " + strconv.Itoa(r.Status)
		if d.flow != nil && d.flow.Response != nil && d.flow.Response.Reason != "" {
			title += " " + d.flow.Response.Reason
		}
	}
	p.say(nil, 0, th.bright, safe.Of(title))
	p.blank()
	if r.Parent != 0 {
		p.say(p.label(th, "replay", labelWidth), labelWidth, th.good, safe.Of("of #"+id(r.Parent)+firstOf(was(d.parent), "")))
	}
	p.say(p.label(th, "took", labelWidth), labelWidth, th.text, safe.Of(firstOf(span(r.Duration), "–")))
	p.say(p.label(th, "sent", labelWidth), labelWidth, th.text, safe.Of(size(r.ReqBytes)))
	p.say(p.label(th, "received", labelWidth), labelWidth, th.text, safe.Join(safe.Of(size(r.RespBytes)+" "), safe.Of(r.ContentType)))
	talked(th, p, d)
	if d.flow != nil && len(d.flow.Altered) > 0 {
		p.say(p.label(th, "altered", labelWidth), labelWidth, th.warn, safe.Of(strings.Join(d.flow.Altered, ", ")))
	}
	if r.Comment != "" {
		p.say(p.label(th, "comment", labelWidth), labelWidth, th.text, safe.Of(r.Comment))
	}
}

func was(parent *session.Row) string {
	if parent == nil || parent.Status == 0 {
		return ""
	}
	return ", which was answered " + strconv.Itoa(parent.Status)
}

func id(n flow.ID) string { return strconv.FormatInt(int64(n), 10) }
