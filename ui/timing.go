package ui

import (
	"strings"
	"time"

	"github.com/why403/why403/flow"
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
	fact("took", th.text, span(f.Times.Duration()))
	p.blank()
	fact("client", th.text, f.Conn.Client)
	fact("process", th.text, f.Conn.Process)
	tls(th, p, f.Conn.ClientTLS, false)
	p.blank()
	origin := f.Conn.Origin
	if f.Conn.Reused {
		origin += " (connection reused)"
	}
	fact("server", th.text, origin)
	fact("via", th.text, f.Conn.Upstream)
	tls(th, p, f.Conn.OriginTLS, true)
	p.blank()
	altered := "nothing: the server got what the client sent"
	s := th.good
	if len(f.Altered) > 0 {
		altered, s = strings.Join(f.Altered, "; "), th.warn
	}
	if f.Origin == flow.FromClient {
		fact("altered", s, altered)
	}
	return p.out
}

func tls(th *theme, p *writer, t *flow.TLS, origin bool) {
	if t == nil {
		return
	}
	text := t.Version
	if t.CipherSuite != "" {
		text += ", " + t.CipherSuite
	}
	if t.ALPN != "" {
		text += ", " + t.ALPN
	}
	p.say(p.label(th, "TLS", labelWidth), labelWidth, th.text, safe.Of(text))
	if !origin {
		return
	}
	if t.Subject != "" {
		s, word := th.text, "verified"
		if !t.Verified {
			s, word = th.warn, "not verified"
		}
		p.say(p.label(th, "cert", labelWidth), labelWidth, s, safe.Of(t.Subject+", by "+t.Issuer+", "+word))
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
			sign = "›"
		}
		p.add(append([]piece{lit(th.key, sign)}, attempt(th, i+1, &t, d.row.Status)...)...)
	}
	p.blank()
	p.add(piece{"", space(2)}, lit(th.key, keyOf(open)), lit(th.muted, " goes to the attempt"))
	return p.out
}
