package hold

import (
	"fmt"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
)

// Point is one breakpoint: which messages wait.
type Point struct {
	Match     string // an expression of package filter; "" is everything
	Requests  bool   // before they are sent to the server
	Responses bool   // before they are handed to the client
	Off       bool   // kept, and without effect
}

// compiled is a Point that is on, for each stage that it stands at.
type compiled struct {
	request, response *filter.Expr
	atRequest         bool
	atResponse        bool
}

func compile(i int, p Point) (c compiled, err error) {
	c.atRequest, c.atResponse = p.Requests && !p.Off, p.Responses && !p.Off
	if !p.Requests && !p.Responses {
		return c, fmt.Errorf("breakpoint %d holds neither requests nor responses: choose one or both", i+1)
	}
	if p.Requests {
		if c.request, err = filter.Compile(p.Match, filter.Requests); err != nil {
			return c, fmt.Errorf("breakpoint %d on requests: %w", i+1, err)
		}
	}
	if p.Responses {
		if c.response, err = filter.Compile(p.Match, filter.Responses); err != nil {
			return c, fmt.Errorf("breakpoint %d on responses: %w", i+1, err)
		}
	}
	return c, nil
}

// at is the expression for a stage, and whether the point stands there.
func (c *compiled) at(stage filter.Phase) (*filter.Expr, bool) {
	if stage == filter.Requests {
		return c.request, c.atRequest
	}
	return c.response, c.atResponse
}

// Check says what is wrong with a breakpoint, nil if nothing is.
func Check(p Point) error {
	_, err := compile(0, p)
	return err
}

func matches(points []compiled, f *flow.Flow, stage filter.Phase, now time.Time) bool {
	s := filter.Of(f, nil, now)
	for i := range points {
		if e, on := points[i].at(stage); on && e.Match(s) {
			return true
		}
	}
	return false
}
