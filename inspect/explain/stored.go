package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

// Bounds of what is read from a session for one case.
const (
	endpointRows = 40
	hostRows     = 60
	shelfBytes   = 32 << 20 // of decoded flows kept for the next case
	shelfFlows   = 1000
)

// One is what is said of a flow of a session: the stored verdict if there is
// one of this ruleset, else it is explained now and not stored.
func One(ctx context.Context, store *session.Store, id flow.ID) (inspect.Explained, error) {
	a, err := store.Annotation(ctx, id)
	if err != nil {
		return inspect.Explained{}, fmt.Errorf("explain flow %d: %w", id, err)
	}
	if j := a.Verdict; j != nil && j.Ruleset == inspect.Ruleset && len(j.JSON) > 0 {
		var e inspect.Explained
		if json.Unmarshal(j.JSON, &e) == nil {
			prove(ctx, store, a, &e)
			return e, nil
		}
	}
	l := library{store: store, shelf: newShelf()}
	c, err := l.caseOf(ctx, id)
	if err != nil {
		return inspect.Explained{}, fmt.Errorf("explain flow %d: %w", id, err)
	}
	e := explainCase(ctx, c, Options{Logs: func(*flow.Flow) []inspect.Line { return linesIn(a.Verdict) }}, nil)
	prove(ctx, store, a, &e)
	return e, nil
}

// prove adds what the note on a flow says of an experiment. A flow that cannot be read proves nothing.
func prove(ctx context.Context, store *session.Store, a flow.Annotation, e *inspect.Explained) {
	if a.ProvenBy == nil || *a.ProvenBy == 0 {
		return
	}
	said := ""
	if a.Comment != nil {
		said = *a.Comment
	}
	if by, err := store.Flow(ctx, *a.ProvenBy); err == nil && by.Request != nil {
		e.Prove(by, said)
	}
}

// StoredProofs makes the Proof option of what a session has of experiments.
func StoredProofs(ctx context.Context, store *session.Store) func(*inspect.Explained) {
	return func(e *inspect.Explained) {
		if a, err := store.Annotation(ctx, e.ID); err == nil {
			prove(ctx, store, a, e)
		}
	}
}

// StoredLogs makes the Logs option of what a session has of servers' logs. A flow
// that cannot be read has none.
func StoredLogs(ctx context.Context, store *session.Store) func(*flow.Flow) []inspect.Line {
	return func(f *flow.Flow) []inspect.Line {
		a, err := store.Annotation(ctx, f.ID)
		if err != nil {
			return nil
		}
		return linesIn(a.Verdict)
	}
}

// linesIn are the log lines that are stored with a verdict, of whatever ruleset.
func linesIn(j *flow.Judgement) []inspect.Line {
	if j == nil {
		return nil
	}
	var e struct{ Logs []inspect.Line }
	if json.Unmarshal(j.JSON, &e) != nil {
		return nil
	}
	return e.Logs
}

// together is the lines of both, those of old first, each once.
func together(old, more []inspect.Line) []inspect.Line {
	for _, l := range more {
		if !slices.ContainsFunc(old, func(o inspect.Line) bool { return o.Label == l.Label && o.N == l.N && o.Text == l.Text }) {
			old = append(old, l)
		}
	}
	return old
}

// library reads cases from a session.
type library struct {
	store *session.Store
	shelf *shelf
	logs  bool // cases will have log lines
}

func (l *library) flow(ctx context.Context, id flow.ID) (*flow.Flow, error) {
	if f := l.shelf.get(id); f != nil {
		return f, nil
	}
	f, err := l.store.Flow(ctx, id)
	if err != nil {
		return nil, err
	}
	f = ready(f)
	l.shelf.put(f)
	return f, nil
}

// caseOf gathers the case of one flow. A neighbour that cannot be read is left out.
func (l *library) caseOf(ctx context.Context, id flow.ID) (inspect.Case, error) {
	f, err := l.flow(ctx, id)
	if err != nil {
		return inspect.Case{}, err
	}
	c := inspect.Case{Flow: f, Now: inspect.Now(f), History: inspect.History{Refused: l.shelf.refused}}
	// The history of one that was plainly accepted changes nothing; log lines may show a refusal in any answer.
	if f.Response == nil || f.Kind != flow.Exchange || !l.shelf.refused(f) && (!l.logs || f.Status() < 400) {
		return c, nil
	}
	endpoint, err := l.store.HistoryIDs(ctx, flow.Endpoint(f), l.store.Last()+1, endpointRows)
	if err != nil {
		return c, err
	}
	before := id
	if inspect.TunnelRefused(f) {
		before = l.store.Last() + 1
	}
	host, err := l.store.HistoryIDsOfHost(ctx, f.Scheme, f.Authority, before, hostRows)
	if err != nil {
		return c, err
	}
	ids := append(endpoint, host...)
	slices.Sort(ids)
	candidates := make([]*flow.Flow, 0, len(ids))
	for _, n := range slices.Compact(ids) {
		if n == id {
			continue
		}
		g, err := l.answered(ctx, n)
		if errors.Is(err, context.Canceled) {
			return c, err
		}
		if err != nil || g == nil {
			continue
		}
		candidates = append(candidates, g)
		switch {
		case n < id:
			c.History.Before = append(c.History.Before, g)
		case len(c.History.After) < maxAfter:
			c.History.After = append(c.History.After, g)
		}
	}
	compareWith(&c, diff.LastSuccess(f, candidates, l.shelf.refused))
	return c, nil
}

// answered is a flow that has come to its end with an answer, nil if it is none.
func (l *library) answered(ctx context.Context, id flow.ID) (*flow.Flow, error) {
	if l.shelf.get(id) == nil { // what is on the shelf has ended
		r, err := l.store.Row(ctx, id)
		if err != nil || r.State != session.Done || r.Status == 0 {
			return nil, err
		}
	}
	f, err := l.flow(ctx, id)
	if err != nil || f.Status() == 0 {
		return nil, err
	}
	return f, nil
}

// shelf keeps the flows read last, oldest out first.
type shelf struct {
	flows map[flow.ID]*flow.Flow
	order []flow.ID
	bytes int
	said  map[*flow.Flow]bool // whether inspect.Refused
}

func newShelf() *shelf {
	return &shelf{flows: map[flow.ID]*flow.Flow{}, said: map[*flow.Flow]bool{}}
}

// refused is inspect.Refused, remembered while the flow is on the shelf.
func (s *shelf) refused(f *flow.Flow) bool {
	r, known := s.said[f]
	if !known {
		r = inspect.Refused(f)
		if s.flows[f.ID] == f {
			s.said[f] = r
		}
	}
	return r
}

func (s *shelf) get(id flow.ID) *flow.Flow { return s.flows[id] }

func (s *shelf) put(f *flow.Flow) {
	s.flows[f.ID] = f
	s.order = append(s.order, f.ID)
	s.bytes += sizeOf(f)
	for s.bytes > shelfBytes || len(s.order) > shelfFlows {
		old := s.flows[s.order[0]]
		s.bytes -= sizeOf(old)
		delete(s.flows, s.order[0])
		delete(s.said, old)
		s.order = s.order[1:]
	}
}

func sizeOf(f *flow.Flow) int {
	n := 512
	for _, m := range []*flow.Message{f.Request, f.Response} {
		if m != nil {
			n += cap(m.Body.Data) + m.Header.Size() + len(m.Head)
		}
	}
	return n
}
