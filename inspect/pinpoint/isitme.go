package pinpoint

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// Way is one way to send a request to its server.
type Way struct {
	Name string // "why403 over HTTP/1.1", "curl"
	Send func(context.Context, *flow.Flow) (*flow.Flow, error)
	ours bool
	h2   bool
}

// Other is a way that is not ours, such as another program on this machine.
func Other(name string, send func(context.Context, *flow.Flow) (*flow.Flow, error)) Way {
	return Way{Name: name, Send: send}
}

// Ours are the ways of our own stack: over HTTP/1.1 and, where TLS lets both sides agree on it, over HTTP/2.
func Ours(s Sender, f *flow.Flow) []Way {
	over := func(name, proto string) Way {
		return Way{Name: name, ours: true, h2: proto != "HTTP/1.1", Send: func(ctx context.Context, f *flow.Flow) (*flow.Flow, error) {
			var p flow.Patch
			if f.Request.Proto != proto {
				before := f.Request.Proto
				p = flow.Patch{{Part: flow.InProto, Before: &before, After: &proto}}
			}
			g, err := build(f, p, newID)
			if err != nil {
				return nil, err
			}
			return s.Send(ctx, Probe{N: 1, Base: Refused, Patch: p, Flow: g})
		}}
	}
	ways := []Way{over("why403 over HTTP/1.1", "HTTP/1.1")}
	if f.Scheme == "https" {
		ways = append(ways, over("why403 over HTTP/2", "HTTP/2.0"))
	}
	return ways
}

// Answered is what one way got.
type Answered struct {
	Way    string        `json:"way"`
	Class  Class         `json:"class"`
	Status int           `json:"status"`
	Proto  string        `json:"proto"`         // that was spoken
	JA4    string        `json:"ja4,omitempty"` // of the hello, where it is known
	Flow   flow.ID       `json:"flow,omitempty"`
	Took   time.Duration `json:"took_ns"`
	Err    string        `json:"error,omitempty"`
}

// Blame is what IsItMe concludes.
type Blame string

// The conclusions.
const (
	NotUs     Blame = "not-us"   // refused the same way whoever sends it
	Us        Blame = "us"       // refused from us, accepted from others
	ByVersion Blame = "protocol" // the version of HTTP decides
	NoMore    Blame = "no-more"  // not refused any more
	Unclear   Blame = "unclear"
)

// Me is the answer to "is it me?": whether the refusal is for the interception itself.
type Me struct {
	Blame   Blame      `json:"blame"`
	Finding string     `json:"finding"`
	Answers []Answered `json:"answers"`
	// Tunnel is the host that can be passed on untouched (--tunnel), "" where that makes no difference.
	Tunnel string `json:"tunnel,omitempty"`
}

// IsItMe sends the refused request by each way, once, spaced, and says what differs.
func IsItMe(ctx context.Context, f *flow.Flow, ways []Way, o Options) Me {
	o = o.withDefaults()
	if why := against(Input{Refused: f}); why != "" {
		return Me{Blame: Unclear, Finding: sentence(why)}
	}
	j := newJudge(f)
	var me Me
	for i, w := range ways {
		if i > 0 && o.Spacing > 0 && o.Sleep(ctx, o.Spacing) != nil || ctx.Err() != nil {
			me.Blame, me.Finding = Unclear, "Stopped by the user."
			return me
		}
		a := Answered{Way: w.Name, Class: NoAnswer}
		got, err := w.Send(ctx, f)
		switch {
		case got == nil && err != nil:
			a.Err = err.Error()
		case got != nil:
			a.Class, _ = j.class(got)
			a.Status, a.Flow, a.Took = got.Status(), got.ID, got.Times.Duration()
			if got.Request != nil {
				a.Proto = got.Request.Proto
			}
			if t := got.Conn.OriginTLS; t != nil {
				a.JA4 = t.JA4
			}
			if got.Err != nil {
				a.Err = got.Err.Error()
			}
			if w.ours && w.h2 && !strings.HasPrefix(a.Proto, "HTTP/2") {
				a.Err, a.Class = "the server does not speak HTTP/2", NoAnswer
			}
		}
		me.Answers = append(me.Answers, a)
		if a.Status == 429 {
			break
		}
	}
	me.conclude(f, j, ways)
	return me
}

// conclude says what the answers mean.
func (me *Me) conclude(f *flow.Flow, j judge, ways []Way) {
	var refused, good []string
	usRefused, usGood, otherGood := false, false, false
	for i, a := range me.Answers {
		switch a.Class {
		case RefusedAgain, RefusedElsewise:
			refused = append(refused, a.Way)
			usRefused = usRefused || ways[i].ours
		case WasAccepted:
			good = append(good, a.Way)
			usGood = usGood || ways[i].ours
			otherGood = otherGood || !ways[i].ours
		}
	}
	host, _, err := net.SplitHostPort(f.Authority)
	if err != nil {
		host = f.Authority
	}
	if f.Scheme == "https" {
		me.Tunnel = host
	}
	switch {
	case len(refused) == 0 && len(good) == 0:
		me.Blame, me.Finding = Unclear, "no way got an answer that says anything"
	case len(refused) == 0:
		me.Blame, me.Finding, me.Tunnel = NoMore, "it is not refused any more: something changed since", ""
	case usRefused && usGood:
		me.Blame = ByVersion
		me.Finding = fmt.Sprintf("the version of HTTP decides: refused from %s, accepted from %s", strings.Join(refused, " and "), strings.Join(good, " and "))
	case usRefused && otherGood:
		me.Blame = Us
		me.Finding = fmt.Sprintf("it is us: refused from %s, accepted from %s, which sends the same request with another TLS hello", strings.Join(refused, " and "), strings.Join(good, " and "))
	default:
		me.Blame = NotUs
		me.Finding = fmt.Sprintf("it is not how it is sent: %s got it refused as well", strings.Join(refused, ", "))
		if c, o := f.Conn.ClientTLS, f.Conn.OriginTLS; c != nil && o != nil && c.JA4 != "" && o.JA4 != "" && c.JA4 != o.JA4 {
			me.Finding += fmt.Sprintf("; the client's own TLS hello (%s) was not among these ways, ours is %s", c.JA4, o.JA4)
		} else {
			me.Tunnel = ""
		}
	}
	if me.Tunnel != "" && me.Blame != ByVersion {
		me.Finding += fmt.Sprintf(". Passed on untouched (--tunnel %s) the client speaks to the server itself: if it is accepted then, it was the interception", me.Tunnel)
	}
	me.Finding = sentence(me.Finding)
}
