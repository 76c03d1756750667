package ui

import (
	"testing"
	"time"
)

// A flood makes the pause longer, and its end shorter again; a batch that has gathered before the first pause is none.
func TestPace(t *testing.T) {
	var p pace
	for i, c := range []struct {
		rows int
		want time.Duration
	}{{3, batchEvery}, {6, batchEvery}, {17, floodEvery}, {50, floodEvery}, {21, floodEvery}, {20, batchEvery}, {20, floodEvery}, {0, batchEvery}} {
		if got := p.next(c.rows); got != c.want {
			t.Errorf("batch %d, of %d rows: the pause is %s, want %s", i, c.rows, got, c.want)
		}
	}
}
