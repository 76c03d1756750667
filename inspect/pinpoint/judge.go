package pinpoint

import (
	"fmt"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/inspect"
)

// refusal is how a server says no: what two refusals are compared by.
type refusal struct {
	status        int
	cause, vendor inspect.Name
}

func (r refusal) String() string {
	if r.cause == "" || r.cause == inspect.UnknownCause {
		return fmt.Sprint(r.status)
	}
	return fmt.Sprintf("%d (%s)", r.status, r.cause)
}

// judge reads answers. The same answer is read once: most probes of an experiment get one of two.
type judge struct {
	was refusal
	// silent: the answer alone is no refusal, only what is known beside it made it one (a 400
	// for a body that is not what it says, say). Then its status is how the server says no.
	silent bool
	read   map[string]reading
}

type reading struct {
	refusal
	refused bool
}

// maxRead bounds what a judge remembers, in answers and in bytes of each.
const (
	maxRead     = 64
	maxReadBody = 8 << 10
)

func newJudge(refused *flow.Flow) judge {
	r, says := readRefusal(answerAlone(refused))
	return judge{was: r, silent: !says, read: map[string]reading{}}
}

// reads is readRefusal with a memory.
func (j judge) reads(f *flow.Flow) reading {
	m := f.Response
	if len(m.Body.Data) > maxReadBody {
		r, refused := readRefusal(answerAlone(f))
		return reading{r, refused}
	}
	var b strings.Builder
	fmt.Fprintln(&b, m.Status, m.Proto, f.Authority, f.Request.Method, f.Path())
	for _, h := range m.Header {
		if !strings.EqualFold(h.Name, "Date") {
			b.WriteString(h.Name + ":" + h.Value + "\n")
		}
	}
	b.Write(m.Body.Data)
	got, known := j.read[b.String()]
	if !known {
		r, refused := readRefusal(answerAlone(f))
		got = reading{r, refused}
		if len(j.read) < maxRead {
			j.read[b.String()] = got
		}
	}
	return got
}

// answerAlone is f with as much of its request as an answer is read with: what a
// probe has that the original had not shall not make another refusal of it.
func answerAlone(f *flow.Flow) *flow.Flow {
	g := &flow.Flow{ID: f.ID, Kind: f.Kind, Scheme: f.Scheme, Authority: f.Authority, Err: f.Err}
	if f.Request != nil {
		g.Request = &flow.Message{Proto: f.Request.Proto, Method: f.Request.Method, Target: f.Path()}
	}
	if f.Response == nil {
		return g
	}
	m := *f.Response
	if text, _, err := decode.Text(&m, inspect.BodyLimit); err == nil || text != "" {
		m.SetBody([]byte(text))
	} else if len(m.Body.Data) > inspect.BodyLimit {
		m.SetBody(m.Body.Data[:inspect.BodyLimit])
	}
	g.Response = &m
	return g
}

// readRefusal reads an answer; refused is false when it is none.
func readRefusal(f *flow.Flow) (r refusal, refused bool) {
	r.status = f.Status()
	e, _ := inspect.Explain(inspect.Case{Flow: f, Now: inspect.Now(f)})
	if e.Verdict != nil {
		r.cause, r.vendor = e.Verdict.Cause, e.Verdict.Vendor
	}
	return r, e.Refused
}

// class says what an answer is.
func (j judge) class(f *flow.Flow) (Class, refusal) {
	if f.Response == nil || f.Request == nil || f.Err != nil {
		return NoAnswer, refusal{}
	}
	r := j.reads(f)
	switch {
	case j.silent && r.status == j.was.status:
		return RefusedAgain, r.refusal
	case r.refused && r.refusal == j.was:
		return RefusedAgain, r.refusal
	case r.refused:
		return RefusedElsewise, r.refusal
	case diff.Accepted(f):
		return WasAccepted, r.refusal
	}
	return LetThrough, r.refusal
}

// lockout is why one more try may shut the user out, "" if nothing speaks for it.
func (j judge) lockout(f *flow.Flow, r refusal) string {
	if r.status == 423 {
		return "the answer is 423: it is locked"
	}
	if j.was.cause == inspect.BotChallenge || f.Response == nil {
		return ""
	}
	if r.cause == inspect.BotChallenge {
		return "the server answers with a challenge for people now"
	}
	text := answerAlone(f).Response.Body.Data
	low := strings.ToLower(string(text[:min(len(text), 64<<10)]))
	for _, sign := range lockoutSigns {
		if strings.Contains(low, sign) {
			return "the answer says \"" + sign + "\""
		}
	}
	return ""
}

// lockoutSigns are words with which servers say that further tries shut the account
// out: Spring Security ("account is locked"), Keycloak ("account is temporarily
// disabled"), Django axes ("account locked"), Devise ("one more attempt before").
var lockoutSigns = []string{
	"account is locked", "account locked", "account has been locked", "account is temporarily", "temporarily locked",
	"too many failed", "too many login attempts", "attempts remaining", "attempts left", "one more attempt before",
}
