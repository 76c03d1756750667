package ui

import (
	"time"

	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// spark counts refusals over the last minutes.
type spark struct {
	bars [sparkBars]int
	at   int64 // number of the newest bar's stretch of time
}

const (
	sparkBars = 8
	sparkStep = 15 * time.Second // of one bar
)

// add counts a row that was refused just now.
func (s *spark) add(r *session.Row, now time.Time) {
	if !ended(r) || !r.Refused() || r.Verdict != nil { // a verdict comes after the end, which was counted
		return
	}
	if end := r.Start.Add(r.Duration); now.Sub(end) < sparkStep {
		s.shift(now)
		s.bars[sparkBars-1]++
	}
}

func (s *spark) shift(now time.Time) {
	at := now.UnixNano() / int64(sparkStep)
	for ; s.at < at; s.at++ {
		if at-s.at > sparkBars {
			s.at, s.bars = at-1, [sparkBars]int{}
		}
		copy(s.bars[:], s.bars[1:])
		s.bars[sparkBars-1] = 0
	}
}

// busy reports whether the bars will change as time passes.
func (s *spark) busy(now time.Time) bool {
	s.shift(now)
	return s.bars != [sparkBars]int{}
}

// draw gives the bars and the refusals of the last minute.
func (s *spark) draw(now time.Time) (safe.Text, int) {
	s.shift(now)
	top, sum, rate := 1, 0, 0
	for i, n := range s.bars {
		top = max(top, n)
		sum += n
		if i >= sparkBars-4 {
			rate += n
		}
	}
	if sum == 0 {
		return safe.Text{}, 0
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	out := make([]rune, 0, sparkBars)
	for _, n := range s.bars {
		out = append(out, levels[min(7, n*7/top)])
	}
	return safe.Of(string(out)), max(rate, 1)
}
