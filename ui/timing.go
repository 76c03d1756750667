package ui

import (
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/ui/safe"
)

// phase is a stretch of an exchange.
type phase struct {
	name     words
	from, to time.Time
}

func phases(t flow.Timings) []phase {
	sent := t.TLSDone
	if sent.IsZero() {
		sent = t.ConnectDone
	}
	if sent.IsZero() {
		sent = t.Start
	}
	connect := t.ConnectStart
	if connect.IsZero() {
		connect = t.DNSDone
	}
	var out []phase
	for _, p := range []phase{
		{"name", t.Start, t.DNSDone}, {"connect", connect, t.ConnectDone}, {"TLS", t.ConnectDone, t.TLSDone},
		{"send", sent, t.RequestSent}, {"wait", t.RequestSent, t.FirstByte}, {"receive", t.FirstByte, t.End},
	} {
		if !p.from.IsZero() && !p.to.IsZero() && !p.to.Before(p.from) {
			out = append(out, p)
		}
	}
	return out
}

// timingDoc is the tab Timing: where the time went, and over which connections.
func timingDoc(th *theme, d *dossier, w int, now time.Time, zone *time.Location) pieces {
	p := &writer{w: w}
	f := d.flow
	if f == nil {
		return p.out
	}
	end := f.Times.End
	if end.IsZero() {
		end = now
	}
	total := max(1, end.Sub(f.Times.Start))
	bar := max(10, min(40, w-labelWidth-12))
	for _, ph := range phases(f.Times) {
		from := int(ph.from.Sub(f.Times.Start) * time.Duration(bar) / total)
		n := max(1, int(ph.to.Sub(ph.from)*time.Duration(bar)/total))
		from = max(0, min(from, bar-1))
		n = min(n, bar-from)
		took := safe.Of(firstOf(span(ph.to.Sub(ph.from)), "0 ms"))
		p.add(append(p.label(th, ph.name, labelWidth), piece{"", space(9 - took.Width())}, piece{th.text, took}, piece{"", space(1 + from)},
			piece{th.safe, safe.Of(strings.Repeat("━", n))})...)
	}
	fact := func(name words, s style, value string) {
		if value != "" {
			p.say(p.label(th, name, labelWidth), labelWidth, s, safe.Of(value))
		}
	}
	p.blank()
	fact("began", th.text, f.Times.Start.In(zone).Format("2006-01-02 15:04:05.000 MST"))
	fact("took", th.text, tookWith(f))
	if f.Origin == flow.FromClient {
		text, fault := fidelity(f)
		s := th.good
		switch {
		case fault:
			s = th.bad
		case len(f.Altered) > 0:
			s = th.warn
		case !f.Unaltered():
			s = th.text
		}
		fact("altered", s, text)
	}
	p.blank()
	fact("client", th.text, f.Conn.Client)
	fact("process", th.text, f.Conn.Process)
	if f.Conn.Tunnel != "" {
		fact("through", th.text, "a "+f.Conn.Tunnel+" tunnel")
	}
	clientTLS(th, p, f.Conn.ClientTLS)
	p.blank()
	origin := f.Conn.Origin
	if f.Conn.Reused {
		origin += " (connection reused)"
	}
	fact("server", th.text, origin)
	fact("via", th.text, f.Conn.Upstream)
	if len(f.Conn.Resolved) > 1 {
		fact("names", th.muted, strings.Join(f.Conn.Resolved, ", "))
	}
	for _, t := range f.Conn.Tried {
		fact("tried", th.warn, t)
	}
	originTLS(th, p, f.Conn.OriginTLS)
	return p.out
}

// tookWith is how long the exchange took, with the time for which somebody held it told apart.
func tookWith(f *flow.Flow) string {
	text := span(f.Times.Duration())
	var held time.Duration
	for _, a := range f.Altered {
		held += hold.Waited(a)
	}
	if held > 0 && text != "" {
		text += ", " + span(held) + " of it held"
	}
	return text
}

// fidelity says in words whether what left is what came. fault: it is not, and should be.
func fidelity(f *flow.Flow) (text string, fault bool) {
	request, answer := f.Fidelity.Request, f.Fidelity.Response
	switch {
	case request == flow.Differs && answer == flow.Differs:
		return "both messages were changed on the way and nothing accounts for it: a fault of why403", true
	case request == flow.Differs:
		return "the request was changed on the way and nothing accounts for it: a fault of why403", true
	case answer == flow.Differs:
		return "the answer was changed on the way and nothing accounts for it: a fault of why403", true
	case len(f.Altered) > 0 && request == flow.Same:
		return strings.Join(f.Altered, "; ") + "; all else was sent on byte for byte", false
	case len(f.Altered) > 0:
		return strings.Join(f.Altered, "; "), false
	case f.Unaltered():
		return "nothing: both were sent on byte for byte", false
	case request == flow.Same:
		return "nothing: the request was sent on byte for byte", false
	case f.Kind == flow.Tunnel:
		return "nothing: passed through unread", false
	}
	return "nothing", false
}

// clientTLS tells what the client said and what was agreed with it.
func clientTLS(th *theme, p *writer, t *flow.TLS) {
	if t == nil {
		return
	}
	agreed(th, p, t)
	hello(th, p, "JA4", "JA3", t)
}

// originTLS tells the same of the server, and what it showed.
func originTLS(th *theme, p *writer, t *flow.TLS) {
	if t == nil {
		return
	}
	agreed(th, p, t)
	hello(th, p, "our JA4", "our JA3", t)
	say := func(name words, s style, text string) {
		p.say(p.label(th, name, labelWidth), labelWidth, s, safe.Of(text))
	}
	if t.Subject != "" {
		s, word := th.text, "verified"
		if !t.Verified {
			s, word = th.warn, "not verified"
		}
		text := t.Subject + ", by " + t.Issuer + ", " + word
		if !t.NotAfter.IsZero() {
			text += ", until " + t.NotAfter.UTC().Format(time.DateOnly)
		}
		say("cert", s, text)
	}
	if t.Unverified != "" {
		say("because", th.warn, t.Unverified)
	}
	for i, c := range t.Chain {
		if i > 0 { // the first is what has just been told
			say("issuer", th.muted, c.Subject+", until "+c.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	switch {
	case t.Presented != "":
		say("we gave", th.text, t.Presented)
	case t.Wanted:
		say("wanted", th.warn, "a client certificate, and got none (--client-cert gives one)")
	}
}

// agreed tells version, cipher and protocol.
func agreed(th *theme, p *writer, t *flow.TLS) {
	var parts []string
	for _, s := range []string{t.Version, t.CipherSuite, t.ALPN} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(t.Offered) > 0 && (len(t.Offered) > 1 || t.Offered[0] != t.ALPN) {
		parts = append(parts, "out of "+strings.Join(t.Offered, " "))
	}
	if len(parts) > 0 {
		p.say(p.label(th, "TLS", labelWidth), labelWidth, th.text, safe.Of(strings.Join(parts, ", ")))
	}
}

// hello tells by what a hello is recognised.
func hello(th *theme, p *writer, four, three words, t *flow.TLS) {
	if t.JA4 != "" {
		p.say(p.label(th, four, labelWidth), labelWidth, th.muted, safe.Of(t.JA4))
		p.say(p.label(th, three, labelWidth), labelWidth, th.muted, safe.Of(t.JA3Hash()))
	}
}

// attemptsDoc is the tab Attempts: the replays of the flow.
func attemptsDoc(th *theme, d *dossier, w, cur int, focused bool) pieces {
	p := &writer{w: w}
	if len(d.tries) == 0 {
		p.say(nil, 0, th.muted, safe.Of("Not replayed yet."))
		p.blank()
		p.add(piece{"", space(1)}, lit(th.key, keyOf(editReplay)), lit(th.muted, " edit & replay   "), lit(th.key, keyOf(replay)), lit(th.muted, " replay"))
		return p.out
	}
	for i := range d.tries {
		r := &d.tries[i]
		t := try{id: r.ID, status: r.Status, took: r.Duration, err: r.Err, done: ended(r)}
		sign := words(" ")
		if i == cur && focused {
			sign = signCursor
		}
		p.add(append([]piece{lit(th.key, sign)}, attempt(th, i+1, &t, d.row.Status)...)...)
	}
	p.blank()
	p.add(piece{"", space(2)}, lit(th.key, keyOf(open)), lit(th.muted, " goes to the attempt"))
	return p.out
}
