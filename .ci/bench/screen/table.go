package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// table is what was measured.
type table struct{ rows [][3]string }

// add takes one figure. aim is what it should be, "" where nothing was promised.
func (t *table) add(what, figure, aim string) {
	t.rows = append(t.rows, [3]string{what, figure, aim})
}

func (t *table) print(w io.Writer) error {
	text := "| what | measured | aim |\n|---|--:|--:|\n"
	for _, r := range t.rows {
		text += fmt.Sprintf("| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	_, err := io.WriteString(w, text)
	return err
}

// times are measured durations.
type times []time.Duration

// at is the smallest duration that a share p of them do not exceed.
func (t times) at(p float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// spread is median, 95th percentile and worst, in milliseconds.
func (t times) spread() string {
	return fmt.Sprintf("p50 %s, p95 %s, worst %s ms (%d)", ms(t.at(0.5)), ms(t.at(0.95)), ms(t.at(1)), len(t))
}

// middle is the median with the best and the worst, in milliseconds.
func (t times) middle() string {
	return fmt.Sprintf("%s ms (%s to %s, %d)", ms(t.at(0.5)), ms(t.at(0)), ms(t.at(1)), len(t))
}

func ms(d time.Duration) string {
	if d >= 100*time.Millisecond {
		return fmt.Sprintf("%.0f", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f", d.Seconds()*1000)
}
