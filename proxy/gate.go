package proxy

import (
	"context"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/rewrite"
)

// bodyAhead is up to how many bytes of a body are read before any of it is sent
// on, where a rule or a person wants to see or change it.
const bodyAhead = 1 << 20

// gate is what stands between the two sides: rules, then breakpoints. It knows
// messages and no connections, so that it serves every protocol. With no rule and
// no breakpoint on, wants is two atomic loads and nothing else is called.
type gate struct {
	rules *rewrite.Book
	hold  *hold.Gate
}

func (g *gate) wants(stage filter.Phase) bool {
	return g.rules.Set().Wants(stage) || g.hold.Wants(stage)
}

// ruling is what became of a message.
type ruling struct {
	// flow is the flow with the message as it goes on: the one that was given,
	// with the same message, if nothing changed.
	flow    *flow.Flow
	answer  *flow.Message // goes to the client without the server being asked
	dropped bool          // it goes nowhere
	delay   time.Duration // before it goes on
	altered []string      // for Flow.Altered
}

// bodyReader makes the body of a message whole, as far as that is bounded. It may be
// called more than once and reads once.
type bodyReader func(*flow.Message) error

// once makes of something that reads a body a bodyReader.
func once(read func(*flow.Message) error) bodyReader {
	done, lack := false, error(nil)
	return func(m *flow.Message) error {
		if !done {
			done, lack = true, read(m)
		}
		return lack
	}
}

// rewrite applies the rules.
func (g *gate) rewrite(f *flow.Flow, stage filter.Phase, read bodyReader) ruling {
	set := g.rules.Set()
	if !set.Wants(stage) {
		return ruling{flow: f}
	}
	got := set.Apply(f, stage, time.Now(), rewrite.Fetch(read))
	return ruling{flow: got.Flow, answer: got.Answer, delay: got.Delay, altered: got.Notes}
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// wait holds the message if a breakpoint asks for it, until somebody has
// answered or it goes on by itself. show records it as far as it has come and
// gives its number: from then on it is seen waiting.
func (g *gate) wait(ctx context.Context, f *flow.Flow, stage filter.Phase, read bodyReader, show func() flow.ID) ruling {
	r := ruling{flow: f}
	if !g.hold.Wants(stage) {
		return r
	}
	m := f.Request
	if stage == filter.Responses {
		m = f.Response
	}
	if g.hold.NeedsBody(stage) {
		read(m)
	}
	if !g.hold.Match(f, stage, time.Now()) {
		return r
	}
	noBody := ""
	if err := read(m); err != nil {
		noBody = err.Error()
	}
	if ctx.Err() != nil {
		return r
	}
	shown := *f
	if shown.ID = show(); shown.ID == 0 {
		return r // it is not recorded: nobody would see it wait
	}
	began := time.Now()
	d := g.hold.Ask(ctx, &shown, stage, noBody)
	if s := d.Words(stage, time.Since(began)); s != "" {
		r.altered = append(r.altered, s)
	}
	r.dropped = d.Verb == hold.Drop
	if d.Edited != nil && !r.dropped {
		r.flow = d.Edited
	}
	return r
}
