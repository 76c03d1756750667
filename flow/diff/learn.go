package diff

import (
	"fmt"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Learned is what is known to vary among accepted requests of one endpoint. A nil *Learned knows nothing.
type Learned struct {
	successes int
	values    map[spot]bool // both had it, with different values
	presence  map[spot]bool // some had it, some had not
	ids       map[flow.ID]bool
}

type spot struct {
	part flow.Place
	name string
}

const maxLearn = 20 // successes that are compared

// Learn compares accepted requests of one endpoint with each other. What varies
// among them cannot be why another one was refused.
func Learn(successes []*flow.Flow) *Learned {
	l := &Learned{values: map[spot]bool{}, presence: map[spot]bool{}, ids: map[flow.ID]bool{}}
	if len(successes) > maxLearn {
		successes = successes[len(successes)-maxLearn:]
	}
	l.successes = len(successes)
	for _, f := range successes {
		l.ids[f.ID] = true
	}
	for i := 1; i < len(successes); i++ {
		list, _ := changes(successes[0], successes[i])
		for _, c := range list {
			if c.Before != nil && c.After != nil {
				l.values[spotOf(c)] = true
			} else {
				l.presence[spotOf(c)] = true
			}
		}
	}
	return l
}

func spotOf(c flow.Change) spot {
	if c.Part == flow.InHeader || c.Part == flow.InJWT {
		return spot{c.Part, strings.ToLower(c.Name)}
	}
	return spot{c.Part, c.Name}
}

// varies reports whether successes differ where c does, in the way c does.
func (l *Learned) varies(c flow.Change) bool {
	if l == nil {
		return false
	}
	if c.Before != nil && c.After != nil {
		return l.values[spotOf(c)]
	}
	return l.presence[spotOf(c)]
}

// reason is why a difference is muted. A credential is not, be it different in
// every success: this one may be the expired one. Nor is a path or a method, for they
// tell the endpoint's objects apart.
func (l *Learned) reason(c flow.Change) string {
	if !l.varies(c) || credential(c) || c.Part == flow.InPath || c.Part == flow.InMethod || c.Part == flow.InHost {
		return ""
	}
	if c.Before != nil && c.After != nil {
		return fmt.Sprintf("it varies among the %d accepted requests", l.successes)
	}
	return fmt.Sprintf("of the %d accepted requests some have it, some do not", l.successes)
}

func credential(c flow.Change) bool {
	name := strings.ToLower(c.Name)
	switch c.Part {
	case flow.InHeader:
		return name == "authorization" || decode.IsAPIKeyHeader(name) || decode.IsCSRFName(name)
	case flow.InCookie:
		return decode.IsSessionCookie(name) || decode.IsCSRFName(name)
	case flow.InJWT:
		return weight(c) > 80
	case flow.InQuery, flow.InForm, flow.InMultipart, flow.InJSON:
		return fieldWeight(c.Part, name) > 70
	}
	return false
}
