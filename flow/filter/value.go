package filter

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// span is a range of numbers, both ends in it.
type span struct{ lo, hi int64 }

func within(list []span, n int64) bool {
	for _, s := range list {
		if n >= s.lo && n <= s.hi {
			return true
		}
	}
	return false
}

// valueError is what is wrong with a value, at a place in it.
type valueError struct {
	at, end int
	text    string
}

// spans reads what may follow a key of numbers: alternatives between commas, each
// a number, a range a-b, or a comparison. unit reads one number as the range it stands for.
func spans(value string, exact bool, unit func(string) (span, string)) ([]span, *valueError) {
	var list []span
	at := 0
	for piece := range strings.SplitSeq(value, ",") {
		s, wrong := oneSpan(piece, exact, unit)
		if wrong != "" {
			return nil, &valueError{at, at + len(piece), wrong}
		}
		list = append(list, s)
		at += len(piece) + 1
	}
	return list, nil
}

func oneSpan(s string, exact bool, unit func(string) (span, string)) (span, string) {
	for _, op := range []string{">=", "<=", ">", "<", "="} {
		rest, ok := strings.CutPrefix(s, op)
		if !ok {
			continue
		}
		n, wrong := unit(rest)
		if wrong != "" {
			return span{}, wrong
		}
		switch op {
		case ">=":
			return span{n.lo, math.MaxInt64}, ""
		case "<=":
			return span{0, n.hi}, ""
		case ">":
			if n.hi == math.MaxInt64 {
				return span{1, 0}, "" // nothing
			}
			return span{n.hi + 1, math.MaxInt64}, ""
		case "<":
			return span{0, n.lo - 1}, ""
		}
		return n, ""
	}
	if a, b, ok := strings.Cut(s, "-"); ok && a != "" && b != "" {
		lo, wrong := unit(a)
		if wrong != "" {
			return span{}, wrong
		}
		hi, wrong := unit(b)
		if wrong != "" {
			return span{}, wrong
		}
		if lo.lo > hi.hi {
			return span{}, "the range is upside down: write " + b + "-" + a
		}
		return span{lo.lo, hi.hi}, ""
	}
	n, wrong := unit(s)
	if wrong == "" && !exact {
		wrong = "write >" + s + " or <" + s + ", or a range"
	}
	return n, wrong
}

func number(s string) (span, string) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return span{}, "a number is wanted, such as 12, 3-9 or >100"
	}
	return span{n, n}, ""
}

// status reads 403, 4xx and 40x; none is the status of a flow without an answer.
func status(s string) (span, string) {
	const want = "a status is wanted, such as 403, 4xx, >=500 or 400-404; none stands for no answer"
	if strings.EqualFold(s, "none") {
		return span{0, 0}, ""
	}
	if len(s) != 3 || s[0] < '1' || s[0] > '9' {
		return span{}, want
	}
	var lo, hi int64
	open := false
	for i := range len(s) {
		lo, hi = lo*10, hi*10
		switch c := s[i]; {
		case c == 'x' || c == 'X' || c == '*':
			hi += 9
			open = true
		case c < '0' || c > '9' || open:
			return span{}, want
		default:
			lo, hi = lo+int64(c-'0'), hi+int64(c-'0')
		}
	}
	return span{lo, hi}, ""
}

// duration reads Go's form (1h30m, 250ms) and days.
func duration(s string) (span, string) {
	const want = "a duration with its unit is wanted, such as 250ms, 5s, 10m, 2h or 7d"
	low := strings.ToLower(s)
	var d time.Duration
	if days, rest, ok := strings.Cut(low, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return span{}, want
		}
		d, low = time.Duration(n)*24*time.Hour, rest
	}
	if low != "" {
		t, err := time.ParseDuration(low)
		if err != nil || t < 0 || d+t < d || s[0] == '+' || s[0] == '-' {
			return span{}, want
		}
		d += t
	} else if s == "" {
		return span{}, want
	}
	return span{int64(d), int64(d)}, ""
}

var units = []struct {
	name string
	n    float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1},
}

// bytes reads a size; kb is 1000, kib 1024.
func bytes(s string) (span, string) {
	const want = "a size is wanted, such as 512, 10kb, 1.5mb or 4mib"
	low := strings.ToLower(s)
	for _, u := range units {
		digits, ok := strings.CutSuffix(low, u.name)
		if !ok {
			continue
		}
		if digits == "" || strings.Trim(digits, "0123456789.") != "" {
			return span{}, want
		}
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil || f*u.n > math.MaxInt64/2 {
			return span{}, want
		}
		n := int64(f * u.n)
		return span{n, n}, ""
	}
	return span{}, want
}
