package ui

import "time"

// In a flood rows reach the screen less often: nobody reads hundreds a second, and each batch costs
// a frame in which every row is another one. Keys are answered at once all the same.
const (
	floodEvery = 100 * time.Millisecond
	flood      = 200 // rows a second
)

// pace is the pause between two batches.
type pace struct{ last time.Duration }

// next is the pause after a batch of n rows that came in the last one.
func (p *pace) next(n int) time.Duration {
	p.last = max(p.last, batchEvery)
	if time.Duration(n)*time.Second > flood*p.last {
		p.last = floodEvery
	} else {
		p.last = batchEvery
	}
	return p.last
}

// rest is how long nothing newer has to come until the newest flow is one to look at.
func (p *pace) rest() time.Duration {
	if p.last == floodEvery {
		return 2 * floodEvery
	}
	return 4 * batchEvery
}
