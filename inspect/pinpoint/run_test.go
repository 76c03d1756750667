package pinpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/pinpoint"
)

// answer is what a server says to one request.
type answer struct {
	status int
	body   string
	header flow.Header
	err    error
}

// server answers by a function and keeps what it got.
type server struct {
	got []*flow.Message
	say func(n int, m *flow.Message) answer
}

func (s *server) Send(ctx context.Context, p pinpoint.Probe) (*flow.Flow, error) {
	m := p.Flow.Request
	s.got = append(s.got, m)
	a := s.say(len(s.got), m)
	f := &flow.Flow{ID: flow.ID(100 + len(s.got)), Scheme: p.Flow.Scheme, Authority: p.Flow.Authority, Request: m}
	if a.err != nil {
		f.Err = &flow.Failure{Side: "origin", Op: "read", Text: a.err.Error()}
		return f, f.Err
	}
	f.Response = &flow.Message{Proto: "HTTP/1.1", Status: a.status, Header: append(flow.Header{{Name: "Content-Type", Value: "text/plain"}}, a.header...)}
	f.Response.SetBody([]byte(a.body))
	return f, nil
}

const denied = "Access to this resource was denied."

func order(id flow.ID, ok bool, headers ...string) *flow.Flow {
	m := &flow.Message{Proto: "HTTP/1.1", Method: "POST", Target: "/orders", Header: flow.Header{{Name: "Host", Value: "shop.test"}}}
	for i := 0; i < len(headers); i += 2 {
		m.Header = append(m.Header, flow.Field{Name: headers[i], Value: headers[i+1]})
	}
	f := exchange(id, m, ok)
	return f
}

func fixing(name, value string) inspect.Explained {
	return inspect.Explained{Refused: true, Verdict: &inspect.Verdict{Cause: "unknown", Fix: &inspect.Fix{
		Summary: "set it", Patch: flow.Patch{{Part: flow.InHeader, Name: name, After: &value}}}}}
}

// wants accepts requests with a header.
func wants(name, value string) func(int, *flow.Message) answer {
	return func(_ int, m *flow.Message) answer {
		if m.Header.Get(name) == value {
			return answer{status: 201}
		}
		return answer{status: 403, body: denied}
	}
}

func TestOutcomes(t *testing.T) {
	token := pinpoint.Input{Refused: order(1, false, "X-Other", "a"), Accepted: order(2, true, "X-Token", "t", "X-Other", "b"), Explained: fixing("X-Token", "t")}
	alone := pinpoint.Input{Refused: order(1, false), Explained: fixing("X-Token", "t")}
	token2 := pinpoint.Input{Refused: order(1, false), Accepted: order(2, true, "X-Token", "t", "X-Other", "b", "X-Third", "c"), Explained: fixing("X-Token", "t")}
	both := func(_ int, m *flow.Message) answer {
		if m.Header.Get("X-Token") == "t" && m.Header.Get("X-Other") == "b" {
			return answer{status: 201}
		}
		return answer{status: 403, body: denied}
	}
	for _, c := range []struct {
		name   string
		in     pinpoint.Input
		say    func(int, *flow.Message) answer
		opt    pinpoint.Options
		want   pinpoint.Outcome
		sent   int
		reason string
	}{
		{"the guess is right", token, wants("X-Token", "t"), pinpoint.Options{}, pinpoint.Proven, 5, "for want of the X-Token header"},
		{"the guess is wrong", token, wants("X-Other", "b"), pinpoint.Options{}, pinpoint.Proven, 6, "what it has as the X-Other header"},
		{"only one may succeed", token, wants("X-Token", "t"), pinpoint.Options{MaxAccepted: 1}, pinpoint.Proven, 3, "X-Token"},
		{"only one may succeed, and the guess is wrong", token, wants("X-Other", "b"), pinpoint.Options{MaxAccepted: 1}, pinpoint.Proven, 4, "X-Other"},
		{"without a success", alone, wants("X-Token", "t"), pinpoint.Options{}, pinpoint.Proven, 3, "X-Token"},
		{"without a success, by what servers often want", pinpoint.Input{Refused: order(1, false, "User-Agent", "curl/8")}, func(_ int, m *flow.Message) answer {
			if strings.HasPrefix(m.Header.Get("User-Agent"), "Mozilla/") {
				return answer{status: 200}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.Proven, 3, "User-Agent"},
		{"without a success, nothing helps", alone, func(int, *flow.Message) answer { return answer{status: 403, body: denied} }, pinpoint.Options{}, pinpoint.NothingFound, 0, "make one that is accepted"},
		{"it is not in the request", token, func(n int, m *flow.Message) answer {
			if n == 2 {
				return answer{status: 201}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.NothingFound, 0, "who sends it"},
		{"refused no more", token, func(int, *flow.Message) answer { return answer{status: 201} }, pinpoint.Options{}, pinpoint.Unstable, 1, "not refused any more"},
		{"refused in another way now", token, func(int, *flow.Message) answer { return answer{status: 401, body: "session expired"} }, pinpoint.Options{}, pinpoint.Unstable, 1, "in another way now"},
		{"the success is none any more, and the guess is wrong", token, func(int, *flow.Message) answer { return answer{status: 403, body: denied} }, pinpoint.Options{}, pinpoint.Unstable, 4, "not accepted any more"},
		{"the success was not kept whole", func() pinpoint.Input {
			in := pinpoint.Input{Refused: order(1, false), Accepted: order(2, true, "X-Token", "t")}
			in.Accepted.Request.Body = flow.Body{Size: 9, Kept: 2, Data: []byte("ab")}
			return in
		}(), wants("X-Token", "t"), pinpoint.Options{}, pinpoint.Unstable, 1, "not kept whole"},
		{"the success comes and goes", token, func(n int, m *flow.Message) answer {
			if n == 3 {
				return answer{status: 201}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.Unstable, 3, "answers differently to the same request"},
		{"refused at random", token, func(n int, m *flow.Message) answer {
			if n == 2 || n == 3 || n == 4 {
				return answer{status: 201}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.Unstable, 4, "answers differently to the same request"},
		{"too many requests", token, func(n int, m *flow.Message) answer {
			if n == 2 {
				return answer{status: 429, header: flow.Header{{Name: "Retry-After", Value: "30"}}}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.Stopped, 2, "fewer requests (429)"},
		{"a lock in sight", token, func(n int, m *flow.Message) answer {
			return answer{status: 403, body: denied + " 2 attempts remaining"}
		}, pinpoint.Options{}, pinpoint.Stopped, 1, "lock the account"},
		{"silence", token, func(int, *flow.Message) answer { return answer{err: errors.New("connection reset")} }, pinpoint.Options{}, pinpoint.Stopped, 1, "not answered"},
		{"silence says why", token, func(int, *flow.Message) answer { return answer{err: errors.New("certificate of an unknown authority")} }, pinpoint.Options{}, pinpoint.Stopped, 1, "certificate of an unknown authority"},
		{"the two do not differ", pinpoint.Input{Refused: order(1, false, "X-Other", "a"), Accepted: order(2, true, "X-Other", "a")}, func(n int, m *flow.Message) answer {
			if n == 2 {
				return answer{status: 201}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.Unstable, 2, "the same request was accepted"},
		{"another value than the one that was there", pinpoint.Input{Refused: order(1, false, "X-Token", "f"), Accepted: order(2, true, "X-Token", "t"), Explained: fixing("X-Token", "t")},
			wants("X-Token", "t"), pinpoint.Options{}, pinpoint.Proven, 5, "because of what it has as the X-Token header"},
		{"the budget is used up", token, wants("X-Other", "b"), pinpoint.Options{Max: 3}, pinpoint.Stopped, 3, "budget of 3 requests"},
		{"the budget is used up before it is confirmed", token, wants("X-Token", "t"), pinpoint.Options{Max: 3}, pinpoint.FixedOnce, 3, "accepted once with the X-Token header"},
		{"the half of it is let through and not accepted", func() pinpoint.Input {
			in := pinpoint.Input{Refused: order(1, false, "X-Other", "a", "X-Token", "f"), Accepted: order(2, true, "X-Token", "t", "X-Other", "b")}
			return in
		}(), func(_ int, m *flow.Message) answer {
			switch token, other := m.Header.Get("X-Token") == "t", m.Header.Get("X-Other") == "b"; {
			case token && other:
				return answer{status: 201}
			case token:
				return answer{status: 400, body: "what is that?"}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{Sure: true}, pinpoint.Proven, 0, "all of them together"},
		{"two together, and chance is not ruled out", token2, both, pinpoint.Options{}, pinpoint.FixedOnce, 0, "may still be chance"},
		{"two together", token2, both, pinpoint.Options{Sure: true}, pinpoint.Proven, 0, "all of them together"},
		{"the guess is right, and no chance", token, wants("X-Token", "t"), pinpoint.Options{Sure: true}, pinpoint.Proven, 5 + 12, "for want of the X-Token header"},
		{"the budget is used up before chance is ruled out", token, wants("X-Token", "t"), pinpoint.Options{Sure: true, Max: 9}, pinpoint.FixedOnce, 9, "budget of 9 requests"},
		{"accepted by chance at first", token, func(n int, m *flow.Message) answer {
			if n == 2 || n == 3 || n == 7 {
				return answer{status: 201}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{Sure: true}, pinpoint.Unstable, 9, "answers differently to the same request"},
		{"what refuses says so by its status alone", func() pinpoint.Input {
			in := pinpoint.Input{Refused: order(1, false), Accepted: order(2, true, "X-Token", "t")}
			in.Refused.Response = &flow.Message{Proto: "HTTP/1.1", Status: 400, Reason: "Bad Request"}
			return in
		}(), func(_ int, m *flow.Message) answer {
			if m.Header.Get("X-Token") == "t" {
				return answer{status: 201}
			}
			return answer{status: 400}
		}, pinpoint.Options{}, pinpoint.Proven, 0, "for want of the X-Token header"},
		{"it exists already by now", token, func(_ int, m *flow.Message) answer {
			if m.Header.Get("X-Token") == "t" {
				return answer{status: 409, body: "exists"}
			}
			return answer{status: 403, body: denied}
		}, pinpoint.Options{}, pinpoint.Proven, 5, "let through as the accepted one is now (409)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &server{say: c.say}
			r := pinpoint.Run(t.Context(), c.in, s, c.opt, pinpoint.State{})
			if r.Outcome != c.want || !strings.Contains(r.Reason, c.reason) || c.sent > 0 && len(s.got) != c.sent {
				t.Errorf("%s after %d requests: %s\nwant %s after %d: …%s…", r.Outcome, len(s.got), r.Reason, c.want, c.sent, c.reason)
				for _, step := range r.Steps {
					t.Logf("%+v", step)
				}
			}
			if plan := pinpoint.MakePlan(c.in, c.opt); len(s.got) > plan.Requests {
				t.Errorf("%d requests, and the plan said at most %d", len(s.got), plan.Requests)
			} else if r.Accepted > plan.Accepted {
				t.Errorf("%d were accepted, and the plan said at most %d", r.Accepted, plan.Accepted)
			}
		})
	}
}

func TestARateIsNotExperimentedWith(t *testing.T) {
	in := pinpoint.Input{Refused: order(1, false)}
	in.Refused.Response.Status = 429
	s := &server{}
	if r := pinpoint.Run(t.Context(), in, s, pinpoint.Options{}, pinpoint.State{}); r.Outcome != pinpoint.Stopped || len(s.got) > 0 {
		t.Errorf("%+v, %d sent", r, len(s.got))
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	in := pinpoint.Input{Refused: order(1, false), Accepted: order(2, true, "X-Token", "t")}
	busy := true
	s := &server{say: func(n int, m *flow.Message) answer {
		if n == 2 && busy {
			return answer{status: 503, header: flow.Header{{Name: "Retry-After", Value: "7"}}}
		}
		return wants("X-Token", "t")(n, m)
	}}
	var waits []time.Duration
	opt := pinpoint.Options{Spacing: time.Second, Sleep: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }}
	r := pinpoint.Run(t.Context(), in, s, opt, pinpoint.State{})
	if r.Outcome != pinpoint.Proven || !slices.Equal(waits[:2], []time.Duration{time.Second, 7 * time.Second}) {
		t.Errorf("%s: %s; waited %v", r.Outcome, r.Reason, waits)
	}
	for _, d := range waits[2:] {
		if d != time.Second {
			t.Errorf("spacing %v", waits)
		}
	}
}

func TestStoppedByTheUserAndGoneOnWith(t *testing.T) {
	in := pinpoint.Input{Refused: order(1, false, "X-Other", "a"), Accepted: order(2, true, "X-Token", "t", "X-Other", "b"), Explained: fixing("X-Token", "wrong")}
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{say: func(n int, m *flow.Message) answer {
		if n == 3 {
			cancel()
		}
		return wants("X-Other", "b")(n, m)
	}}
	first := pinpoint.Run(ctx, in, s, pinpoint.Options{}, pinpoint.State{})
	if first.Outcome != pinpoint.Stopped || !strings.Contains(first.Reason, "by the user") || len(s.got) != 3 || len(first.Steps) != 2 {
		t.Fatalf("%s after %d: %s", first.Outcome, len(s.got), first.Reason)
	}
	text, err := json.Marshal(first.State(in)) // it can be kept in a file
	if err != nil {
		t.Fatal(err)
	}
	var state pinpoint.State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	again := &server{say: wants("X-Other", "b")}
	r := pinpoint.Run(t.Context(), in, again, pinpoint.Options{}, state)
	if r.Outcome != pinpoint.Proven || r.Requests != len(again.got)+2 {
		t.Errorf("%s after %d, of which %d new: %s", r.Outcome, r.Requests, len(again.got), r.Reason)
	}
	whole := &server{say: wants("X-Other", "b")}
	if w := pinpoint.Run(t.Context(), in, whole, pinpoint.Options{}, pinpoint.State{}); w.Requests != r.Requests {
		t.Errorf("in two runs %d requests, in one %d", r.Requests, w.Requests)
	}
}

func TestAnIdempotencyKeyIsUsedOnce(t *testing.T) {
	in := pinpoint.Input{Refused: order(1, false, "Idempotency-Key", "k1"), Accepted: order(2, true, "Idempotency-Key", "k2", "X-Token", "t")}
	used := map[string]bool{}
	s := &server{say: func(n int, m *flow.Message) answer {
		k := m.Header.Get("Idempotency-Key")
		if k == "k1" || k == "k2" || used[k] {
			t.Errorf("request %d: Idempotency-Key %q was used before", n, k)
		}
		used[k] = true
		return wants("X-Token", "t")(n, m)
	}}
	if r := pinpoint.Run(t.Context(), in, s, pinpoint.Options{}, pinpoint.State{}); r.Outcome != pinpoint.Proven {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
}

// TestOtherHTTPIsNotClaimed: a sender that cannot speak the other version sent the request without that change.
func TestOtherHTTPIsNotClaimed(t *testing.T) {
	in := pinpoint.Input{Refused: order(1, false), Accepted: order(2, true)}
	in.Accepted.Request.Proto = "HTTP/2.0"
	s := &server{say: func(n int, m *flow.Message) answer {
		m.Proto = "HTTP/1.1"
		if n == 2 {
			return answer{status: 201}
		}
		return answer{status: 403, body: denied}
	}}
	r := pinpoint.Run(t.Context(), in, s, pinpoint.Options{}, pinpoint.State{})
	if r.Outcome != pinpoint.NothingFound || len(r.NotTried) != 1 || r.NotTried[0].Part != flow.InProto {
		t.Errorf("%s: %s; not tried %+v", r.Outcome, r.Reason, r.NotTried)
	}
}

// TestTokensOfOneUseAreFetchedAnew: the form's token is taken once, and the page gives a new one each time.
func TestTokensOfOneUseAreFetchedAnew(t *testing.T) {
	const page = `<form><input type="hidden" name="authenticity_token" value="%s"><input name="a"></form>`
	at := func(id flow.ID, method, body string, ok bool) *flow.Flow {
		f := order(id, ok, "Cookie", "session=abc", "Content-Type", "application/x-www-form-urlencoded", "Content-Length", fmt.Sprint(len(body)))
		f.Request.Method, f.Request.Target = method, "/form"
		f.Request.SetBody([]byte(body))
		return f
	}
	source := at(1, "GET", "", true)
	source.Request.Header.Del("Content-Type", "Content-Length")
	source.Response = &flow.Message{Proto: "HTTP/1.1", Status: 200, Header: flow.Header{{Name: "Content-Type", Value: "text/html"}}}
	source.Response.SetBody(fmt.Appendf(nil, page, "first+token/0001"))
	in := pinpoint.Input{
		Refused:  at(3, "POST", "a=1", false),
		Accepted: at(2, "POST", "a=2&authenticity_token=first%2Btoken%2F0001", true),
		Earlier:  []*flow.Flow{source},
	}
	valid, n := "", 1
	s := &server{say: func(_ int, m *flow.Message) answer {
		if m.Method == "GET" {
			n++
			valid = fmt.Sprintf("other+token/%04d", n)
			return answer{status: 200, body: fmt.Sprintf(page, valid)}
		}
		for _, p := range decode.Form(m.Body.Data) {
			if p.Name == "authenticity_token" && p.Value == valid && valid != "" {
				valid = "" // it is used up
				if got := m.Header.Get("Content-Length"); got != fmt.Sprint(len(m.Body.Data)) {
					t.Errorf("Content-Length %s for %d bytes", got, len(m.Body.Data))
				}
				return answer{status: 201}
			}
		}
		return answer{status: 403, body: denied}
	}}
	r := pinpoint.Run(t.Context(), in, s, pinpoint.Options{}, pinpoint.State{})
	if r.Outcome != pinpoint.Proven || len(r.Fixes) != 1 || r.Fixes[0].Name != "authenticity_token" || r.Requests != len(s.got) {
		t.Errorf("%s after %d of %d: %s, fixes %+v", r.Outcome, r.Requests, len(s.got), r.Reason, r.Fixes)
	}
	if string(in.Accepted.Request.Body.Data) != "a=2&authenticity_token=first%2Btoken%2F0001" {
		t.Error("the recorded request was changed")
	}
}
