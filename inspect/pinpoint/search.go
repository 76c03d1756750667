package pinpoint

import (
	"math"
	"slices"
)

// smallest finds a small set of the changes 0…n-1 for which holds is true, given
// that it is true for all of them and false for need alone (which the set then
// has in it). It looks for the shortest row of changes, counted from the front,
// that holds together with what is known to be needed; its last is needed too.
// Then the row before it is searched for more, until the needed ones hold by
// themselves. For one of n it asks about log2 n times, for k of n about k times that.
//
// The changes at the front, first of them, are the guess: together with what was
// found they are tried before anything else. What it returns has been asked for
// and held; that it is the smallest follows when more changes never do harm.
// ok is false when not even all of them hold, or when stop says so.
func smallest(n, first int, need []int, holds func([]int) bool, stop func() bool) (set []int, ok bool) {
	need = slices.Clone(need)
	given := len(need)
	hi, shown := n, false // all in front of hi hold together with need; shown: it was asked
	for {
		lo, top := 0, hi
		if guess := min(first, hi); guess > 0 && guess < hi {
			if holds(with(guess, need)) {
				top, shown = guess, true
			} else {
				lo = guess
			}
		}
		for top-lo > 1 && !stop() {
			mid := split(lo, top)
			if holds(with(mid, need)) {
				top, shown = mid, true
			} else {
				lo = mid
			}
		}
		if stop() || top == 0 {
			return nil, false
		}
		if alone := sorted(append(slices.Clone(need), top-1)); !shown && holds(alone) {
			return alone, true
		}
		if !shown && !holds(with(top, need)) {
			return nil, false
		}
		need = append(need, top-1)
		hi, shown = top-1, true
		if holds(sorted(need)) {
			return sorted(need), true
		}
		if stop() || hi == 0 {
			return nil, false
		}
		if len(need)-given > maxTogether {
			return nil, false
		}
	}
}

const maxTogether = 8 // changes that are believed to be needed together

// with is the first k changes and those needed.
func with(k int, need []int) []int {
	set := make([]int, 0, k+len(need))
	for i := range k {
		set = append(set, i)
	}
	for _, i := range need {
		if i >= k {
			set = append(set, i)
		}
	}
	slices.Sort(set)
	return set
}

func sorted(set []int) []int {
	s := slices.Clone(set)
	slices.Sort(s)
	return slices.Compact(s)
}

// split is where to ask between lo (not enough) and top (enough): the place on both
// sides of which the cause is equally likely. Changes are in the order of suspicion,
// so the front weighs a little more.
func split(lo, top int) int {
	total := 0.0
	for i := lo; i < top; i++ {
		total += weight(i)
	}
	sum := 0.0
	for i := lo; i < top-1; i++ {
		if sum += weight(i); sum*2 >= total {
			return i + 1
		}
	}
	return top - 1
}

func weight(i int) float64 { return math.Pow(float64(i+8), -0.5) }
