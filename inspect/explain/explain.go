// Package explain gathers what the rules of package inspect want to know about a
// flow (its history, the last success, the difference), runs them, and stores
// what they say.
//
// Flows explains the flows of a file. A Worker follows a session and is the one
// owner of explaining in it: others only read its notes. One reads a note back.
package explain

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/waf"
)

// Bounds of what one case holds.
const (
	maxBefore    = 200 // earlier flows of the host
	maxElsewhere = 50  // earlier flows of any host that are looked at for redirects to here
	maxAfter     = 20  // later flows of the endpoint
	maxChanges   = 60
	maxCandidate = 100 // flows of the endpoint, before and after, among which the last success is chosen
)

// Options of explaining. The zero value is a good one.
type Options struct {
	// Logs gives the lines of server logs that belong to a flow; nil: there are none.
	Logs func(f *flow.Flow) []inspect.Line
	// Proof adds what an experiment proved of a refused flow; nil: none was made.
	Proof func(*inspect.Explained)
	// LogsChanged gives a channel that is closed when new lines come, of logs that are
	// followed: a Worker then explains what they belong to once more. nil: no lines come.
	LogsChanged func() <-chan struct{}
	// Contract compares a flow's request with the API's contract; nil: there is none.
	// The flow's bodies are decoded.
	Contract func(f *flow.Flow) []inspect.Breach
	// WAF simulates a firewall for the requests for which that can matter (of a file for at
	// most 200, in a session for at most 100 in ten seconds), and with WAFAlways for each refused
	// one; nil: none is simulated.
	WAF       *waf.Engine
	WAFAlways bool
	// Settled is told by a Worker of each flow that is on disk and about which
	// all is said that can be: refused rows have their verdict. The Worker waits
	// for it; a row that changes later may come again. nil: nobody asks.
	Settled func(session.Row)
}

// Bounds of what Each holds in memory.
const (
	partBytes = 64 << 20 // of heads and of bodies as a Case has them
	partFlows = 50_000
	carried   = 8 // one in so many of a part, the last, is history of the next
)

// Flows explains each of flows, which are each other's history, in time order;
// the result is in the order of flows.
func Flows(ctx context.Context, flows []*flow.Flow, o Options) ([]inspect.Explained, error) {
	out := make([]inspect.Explained, 0, len(flows))
	err := Each(ctx, func(yield func(*flow.Flow) error) error {
		for _, f := range flows {
			if err := yield(f); err != nil {
				return err
			}
		}
		return nil
	}, o, func(e inspect.Explained) error {
		out = append(out, e)
		return nil
	})
	return out, err
}

// Each explains the flows that source gives and tells of each in its order. The
// flows of up to 64 MB are each other's history; of a larger source those before a
// flow are, and those of its part that come after it. Memory does not grow with the source.
// Of a source that breaks off the flows before that are told, then its error is returned.
func Each(ctx context.Context, source func(yield func(*flow.Flow) error) error, o Options, tell func(inspect.Explained) error) error {
	b := part{o: o, tell: tell, ration: newRation(maxSimulated, 0)}
	var ours error // not the source's
	err := source(func(f *flow.Flow) error {
		b.flows = append(b.flows, ready(f))
		b.bytes += size(b.flows[len(b.flows)-1])
		if b.bytes < partBytes && len(b.flows) < partFlows {
			return nil
		}
		ours = b.explain(ctx)
		return ours
	})
	if ours != nil {
		return ours
	}
	if failed := b.explain(ctx); failed != nil {
		return failed
	}
	return err
}

// part is the flows that are held: the first of them were explained already and
// are history.
type part struct {
	o     Options
	tell  func(inspect.Explained) error
	flows []*flow.Flow
	told  int
	bytes int
	// ration is for the whole source.
	ration *ration
}

func (b *part) explain(ctx context.Context) error {
	book := newBook(b.flows)
	for i := b.told; i < len(b.flows); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := explainCase(ctx, book.caseOf(i, b.o.Logs != nil), b.ration.with(b.o), nil)
		b.ration.used(&e)
		if b.o.Proof != nil && e.Refused {
			b.o.Proof(&e)
		}
		if err := b.tell(e); err != nil {
			return err
		}
	}
	from := len(b.flows)
	for b.bytes = 0; from > 0 && len(b.flows)-from < len(b.flows)/carried; from-- {
		n := size(b.flows[from-1])
		if b.bytes+n > partBytes/carried {
			break
		}
		b.bytes += n
	}
	b.flows = slices.Clone(b.flows[from:])
	b.told = len(b.flows)
	return nil
}

// size is about how many bytes a flow takes in memory.
func size(f *flow.Flow) int {
	n := 1 << 10
	for _, m := range []*flow.Message{f.Request, f.Response} {
		if m != nil {
			n += len(m.Body.Data) + m.Header.Size()*2 + 64*len(m.Header)
		}
	}
	return n
}

// explainCase runs the rules on a case, and once more with what they need. Before a
// step that takes long, soon is told what is known so far; nil: nobody asks. What
// panics outside a rule is a finding about us, too: the traffic goes on.
func explainCase(ctx context.Context, c inspect.Case, o Options, soon func(inspect.Explained)) (e inspect.Explained) {
	defer func() {
		if p := recover(); p != nil {
			e = ourFault(c.Flow, p)
		}
	}()
	if o.Logs != nil {
		c.Logs = o.Logs(c.Flow)
	}
	e, needs := inspect.Explain(c)
	if o.Contract != nil && slices.Contains(needs, inspect.NeedContract) {
		if c.Contract = o.Contract(c.Flow); len(c.Contract) > 0 {
			e, needs = inspect.Explain(c)
		}
	}
	if o.WAF != nil && e.Refused && simulable(c.Flow) && (o.WAFAlways || slices.Contains(needs, inspect.NeedWAF)) {
		if soon != nil && !o.WAF.Loaded() {
			e.Logs = c.Logs
			soon(e)
		}
		if c.WAF = simulate(ctx, o.WAF, &c); c.WAF != nil {
			e, _ = inspect.Explain(c)
		}
	}
	e.Logs = c.Logs
	return e
}

func ourFault(f *flow.Flow, p any) inspect.Explained {
	e := inspect.Explained{ID: f.ID, URL: f.URL(), Status: f.Status(), Refused: flow.RefusedByStatus(f.Status())}
	if f.Request != nil {
		e.Method = f.Request.Method
	}
	if e.Refused {
		e.Verdict = &inspect.Verdict{
			Cause: inspect.UnknownCause, Confidence: flow.Possible, Headline: "why403 failed to explain it",
			Summary:   fmt.Sprintf("Why403 itself failed on this flow: %v.", p),
			NextStep:  "Report this with the flow: it is a fault of why403, not of the server.",
			Checklist: []int{}, Evidence: []inspect.Evidence{},
		}
	}
	return e
}

// book is the flows of a file, ready to be looked up.
type book struct {
	ready  []*flow.Flow       // bodies decoded; in the order given
	order  []int              // indices in time order
	at     []int              // position in order
	byHost map[string][]int   // positions in order, ascending
	byEnd  map[string][]int   // the same for each endpoint
	verdct map[*flow.Flow]int // 1: refused, 2: not; as far as the flow alone shows
}

// newBook makes a book of flows whose bodies are ready.
func newBook(flows []*flow.Flow) *book {
	b := &book{ready: flows, byHost: map[string][]int{}, byEnd: map[string][]int{}, verdct: map[*flow.Flow]int{}}
	b.order = make([]int, len(flows))
	for i := range b.order {
		b.order[i] = i
	}
	slices.SortStableFunc(b.order, func(x, y int) int {
		return cmp.Or(flows[x].Times.Start.Compare(flows[y].Times.Start), cmp.Compare(x, y))
	})
	b.at = make([]int, len(flows))
	for pos, i := range b.order {
		b.at[i] = pos
		h := hostOnly(flows[i].Authority)
		b.byHost[h] = append(b.byHost[h], pos)
		e := flow.Endpoint(flows[i])
		b.byEnd[e] = append(b.byEnd[e], pos)
	}
	return b
}

func (b *book) refused(f *flow.Flow) bool {
	v := b.verdct[f]
	if v == 0 {
		v = 2
		if inspect.Refused(f) {
			v = 1
		}
		b.verdct[f] = v
	}
	return v == 1
}

// caseOf is the case of the ith flow. The history of one that was plainly
// accepted is left out; logs may show a refusal in any answer that is none by itself.
func (b *book) caseOf(i int, logs bool) inspect.Case {
	f := b.ready[i]
	c := inspect.Case{Flow: f, Now: inspect.Now(f), History: inspect.History{Refused: b.refused}}
	if f.Response == nil || f.Kind != flow.Exchange || !b.refused(f) && (!logs || f.Status() < 400) {
		return c
	}
	pos := b.at[i]
	host := b.byHost[hostOnly(f.Authority)]
	here, _ := slices.BinarySearch(host, pos)
	for _, p := range host[max(0, here-maxBefore):here] {
		c.History.Before = append(c.History.Before, b.ready[b.order[p]])
	}
	for _, p := range b.order[max(0, pos-maxElsewhere):pos] {
		if g := b.ready[p]; elsewhere(g, f) {
			c.History.Before = append(c.History.Before, g)
		}
	}
	same := b.byEnd[flow.Endpoint(f)]
	at, _ := slices.BinarySearch(same, pos)
	var candidates []*flow.Flow
	for k, p := range same[max(0, at-maxCandidate):min(len(same), at+maxCandidate)] {
		g := b.ready[b.order[p]]
		candidates = append(candidates, g)
		if k+max(0, at-maxCandidate) > at && len(c.History.After) < maxAfter {
			c.History.After = append(c.History.After, g)
		}
	}
	if inspect.TunnelRefused(f) {
		for _, p := range host[min(len(host), here+1):min(len(host), here+1+maxAfter)] {
			c.History.After = append(c.History.After, b.ready[b.order[p]])
		}
	}
	compareWith(&c, diff.LastSuccess(f, candidates, b.refused))
	return c
}

// elsewhere reports whether g, of another host, is a part of f's story: a
// redirect that leads to f, or the same request.
func elsewhere(g, f *flow.Flow) bool {
	if f.Request == nil || g.Request == nil || g.Response == nil || hostOnly(g.Authority) == hostOnly(f.Authority) {
		return false
	}
	return strings.HasPrefix(g.Response.Header.Get("Location"), f.Scheme+"://"+f.Authority) ||
		g.Request.Method == f.Request.Method && g.Request.Target == f.Request.Target && len(f.Request.Target) > 1
}

// compareWith makes good the accepted flow to compare with; nil is none.
func compareWith(c *inspect.Case, good *flow.Flow) {
	if good == nil {
		return
	}
	c.Success = good
	c.Changes = diff.Compare(c.Flow, good).Changes
	if len(c.Changes) > maxChanges {
		c.Changes = c.Changes[:maxChanges]
	}
}

// ready is f with its bodies decoded and bounded, as a Case wants them. What
// cannot be decoded stays as it is.
func ready(f *flow.Flow) *flow.Flow {
	c := *f
	c.Request = plain(f.Request, false)
	c.Response = plain(f.Response, true)
	return &c
}

func plain(m *flow.Message, text bool) *flow.Message {
	if m == nil || len(m.Body.Data) == 0 {
		return m
	}
	var data []byte
	var cut bool
	var err error
	if text {
		var t string
		t, cut, err = decode.Text(m, inspect.BodyLimit)
		data = []byte(t)
	} else {
		data, cut, err = decode.Content(m, inspect.BodyLimit)
	}
	if err != nil && len(data) == 0 {
		if len(m.Body.Data) <= inspect.BodyLimit {
			return m
		}
		data, cut = m.Body.Data[:inspect.BodyLimit], true
	}
	c := *m
	c.Body.Data = data
	c.Body.Size = int64(len(data))
	if cut {
		c.Body.Data = bytes.Clone(data) // the rest is not held with it
		c.Body.Size = max(m.Body.Size, int64(len(data))+1)
	}
	c.Body.Kept = c.Body.Size
	return &c
}

func hostOnly(authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return authority[:i]
	}
	return authority
}
