package inspect

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Life is what is known of one credential of a refused request: where it was issued,
// where it worked, when it was replaced and when it ends. It names the credential and never quotes it.
type Life struct {
	Credential string  `json:"credential"` // "Authorization", "cookie sessionid", "form field _csrf"
	Events     []Event `json:"events"`     // in time order
}

// Event is one moment in the life of a credential.
type Event struct {
	What Happening `json:"what"`
	Flow flow.ID   `json:"flow,omitempty"` // where it happened; 0: in no flow
	At   time.Time `json:"at"`
}

// Happening is what happened to a credential.
type Happening string

// What can happen.
const (
	Issued     Happening = "issued"      // an answer gave it out
	LastWorked Happening = "worked-last" // the last accepted request with it
	Replaced   Happening = "replaced"    // an answer gave out another one in its place, before the refused request
	Expired    Happening = "expired"     // it says itself that it ended, before the refused request
	Expires    Happening = "expires"     // it says itself when it will end
)

// Bounds of what is looked through for one refusal.
const (
	maxLives     = 6
	minLifeValue = 6        // bytes; shorter values stand anywhere
	maxLifeBody  = 64 << 10 // bytes of an answer that may have given a credential out
)

// livedCauses are those to which the life of a credential has something to say.
var livedCauses = Any(MissingToken, MalformedToken, ExpiredToken, NotYetValidToken, WrongAudience, InvalidToken, WrongCredentials, InvalidAPIKey,
	InsufficientScope, MissingRole, StepUpRequired, StaleCookie, CSRFMissing, CSRFMismatch, UnknownCause)

// lives are those of the credentials of the refused request.
func (c *Case) lives() []Life {
	var out []Life
	for _, cr := range c.carried() {
		if len(out) == maxLives {
			break
		}
		if l := c.life(cr); len(l.Events) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// carried is a credential with the names by which it is told and found.
type carried struct {
	name, cookie, value string // cookie is "" for what is no cookie
	jwt                 *jwt
}

// carried are the credentials of the refused request, and its CSRF values.
func (c *Case) carried() []carried {
	var out []carried
	add := func(k carried) {
		if len(k.value) >= minLifeValue && !slices.ContainsFunc(out, func(o carried) bool { return o.value == k.value && o.cookie == k.cookie }) {
			out = append(out, k)
		}
	}
	for _, cr := range c.credentials(c.Flow) {
		switch cr.kind {
		case session:
			add(carried{name: "cookie " + cr.field, cookie: cr.field, value: cr.value, jwt: cr.jwt})
		case authHeader:
			add(carried{name: cr.field, value: strings.TrimSpace(cr.token), jwt: cr.jwt})
		case apiKey:
			add(carried{name: cr.field, value: cr.value, jwt: cr.jwt})
		}
	}
	for _, ck := range cookies(c.req()) {
		if csrfName(ck.name) {
			add(carried{name: "cookie " + ck.name, cookie: ck.name, value: ck.value})
		}
	}
	for _, h := range c.req().Header {
		if csrfName(h.Name) {
			add(carried{name: h.Name, value: h.Value})
		}
	}
	form := fields(c.req())
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if csrfName(name) {
			add(carried{name: "form field " + name, value: form[name]})
		}
	}
	return out
}

// life looks a credential up in what came before.
func (c *Case) life(k carried) Life {
	l := Life{Credential: k.name}
	now := c.Flow.Times.Start
	var issued, worked, replaced *Event
	for _, g := range c.History.Before {
		at := g.Times.End
		if at.IsZero() {
			at = g.Times.Start
		}
		if at.After(now) && !now.IsZero() {
			continue
		}
		switch gives(g, k) {
		case Issued:
			if issued == nil {
				issued = &Event{Issued, g.ID, at}
			}
			replaced = nil
		case Replaced:
			if replaced == nil && issued != nil {
				replaced = &Event{Replaced, g.ID, at}
			}
		}
		if g.Request != nil && c.wasAccepted(g) && carries(g.Request, k) {
			worked = &Event{LastWorked, g.ID, at}
		}
	}
	for _, e := range []*Event{issued, worked, replaced} {
		if e != nil {
			l.Events = append(l.Events, *e)
		}
	}
	if exp, ok := k.jwt.time("exp"); ok {
		what := Expires
		if !exp.After(c.Now) {
			what = Expired
		}
		l.Events = append(l.Events, Event{What: what, At: exp})
	}
	slices.SortStableFunc(l.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	return l
}

// gives is whether an answer gave a credential out, or another one in its place.
func gives(g *flow.Flow, k carried) Happening {
	if g.Response == nil {
		return ""
	}
	if k.cookie != "" {
		for _, ck := range decode.SetCookies(g.Response.Header) {
			switch {
			case ck.Name != k.cookie:
			case ck.Value == k.value:
				return Issued
			default:
				return Replaced
			}
		}
		return ""
	}
	if b := g.Response.Body.Data; len(b) <= maxLifeBody && bytes.Contains(b, []byte(k.value)) {
		return Issued
	}
	for _, h := range g.Response.Header {
		if strings.Contains(h.Value, k.value) {
			return Issued
		}
	}
	return ""
}

// carries reports whether a request has the credential, wherever it stands.
func carries(m *flow.Message, k carried) bool {
	for _, h := range m.Header {
		if strings.Contains(h.Value, k.value) {
			return true
		}
	}
	return strings.Contains(m.Target, k.value) || len(m.Body.Data) <= maxLifeBody && bytes.Contains(m.Body.Data, []byte(k.value))
}
