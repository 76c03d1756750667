// Package hold is the gate for breakpoints: a proxy asks it about each message,
// a person answers, and neither knows the other.
//
// With nobody attached, or no breakpoint on, nothing is held and asking costs one
// atomic load. What is held is bounded in number; beyond it messages go on as they
// are, and say so. Each waits in the goroutine of its own exchange, until it is
// answered, its time is over, its client goes away or the person leaves: in all
// these cases but the first it goes on (or ends) unchanged. No call but Ask waits.
package hold
